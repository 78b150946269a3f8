"""Hoods of jackets and sweaters: cloth round the face and over the hair, its inside in the shade, some with fur."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any

import cv2
import numpy as np

from fdgen.arrays import F32, F64
from fdgen.assets import Asset
from fdgen.occluders.asset_table import AssetTable
from fdgen.occluders.base import Placement
from fdgen.occluders.cloth.fabric import PALETTES, dress
from fdgen.occluders.cloth.patterns import PATTERNS
from fdgen.occluders.eyewear.lens_effects import outlined
from fdgen.occluders.headwear.hair_volume import headroom
from fdgen.occluders.headwear.hat_cloth import FABRICS, cloth, texels
from fdgen.occluders.headwear.head_surface import HeadSurface
from fdgen.occluders.headwear.pressed_hair import press_hair
from fdgen.occluders.hoods.fur import fur_mesh
from fdgen.occluders.hoods.hood_mesh import ANGLE, Opening, cords, hood_sheets
from fdgen.occluders.props.spec import happens
from fdgen.render.draw import Layer, Style, draw
from fdgen.render.mesh import Material, Mesh, bind
from fdgen.render.scene import Scene
from fdgen.render.shadow import blurred
from fdgen.settings.values import Range, Share, Weights, known, one_of

HOOD_BIAS_CM = 0.8
"""Skin and hair give way this much under a hood: less, and a forehead that juts out slits its cloth."""
_DEPTH_CM, _HEIGHT_CM = 26.0, 60.0
"""Length of the cloth from its edge to the back of the head, and round its opening."""
_LINING = (0.55, 0.10)
"""Light on the inside of a hood next to its edge, and deep in it."""
_SHADE, _SHADE_CM, _FAINT = 0.6, 1.3, 0.12
"""Most of the light that the edge takes from the face, how far its shade reaches, and what share of it is none."""
_SHADOW = 0.6
"""Of the shadow that cloth throws which lies on the face."""
_JAW_CM, _HAIR_CM = 8.0, 6.5
"""How far below the eyes hair is left as it is, and how far from a hood what gives way above may reach."""
_TRACE = 0.04
"""Share of a pixel under which what gives way need not be painted over."""
_FURS = ((0.30, 0.20, 0.12), (0.55, 0.45, 0.33), (0.05, 0.045, 0.04), (0.62, 0.60, 0.57), (0.22, 0.20, 0.19))


class HoodSpec(AssetTable):
    """What an asset of this kind says: words, ranges with their defaults, tables of weights, chances."""

    fabric: Annotated[str, one_of(FABRICS)]
    palette: Annotated[str, one_of(PALETTES)] = "cloth"
    patterns: Weights[Annotated[str, known(PATTERNS)]]
    front: Range = (0.75, 1.25)  # where its edge lies on the forehead: 0 between the brows, 1 at the hairline
    beside_cm: Range = (0.0, 1.2)  # from the temples to its edge
    under_cm: Range = (0.6, 2.6)  # from the chin down to its edge
    stand_cm: Range = (0.5, 2.0)  # of the edge before the forehead
    ahead_cm: Range = (1.6, 3.6)  # of the edge before the temples
    tucked_cm: Range = (0.6, 2.0)  # of the edge behind the tip of the chin
    loose_cm: Range = (0.2, 0.9)  # room round hair and head
    peak_cm: Range = (-0.3, 0.8)  # how much higher it rises
    flare_cm: Range = (-0.8, 1.8)  # how much wider it is towards the shoulders
    folds_cm: Range = (0.22, 0.45)
    thick_cm: Range = (0.3, 0.7)
    fur_cm: Range = (0.0, 0.0)  # length of the hairs of its fur; under a half there is none
    shine: Range = (0.0, 0.02)
    rib_cm: Range = (0.3, 0.5)  # pitch of a knit or weave
    lined: Share = 0.3  # chance of a lining of another colour
    cords: Share = 0.0
    hem: Share = 0.7


@dataclass(frozen=True, slots=True)
class Hood:
    """The occluder of kind `hood`; its assets are shapes of hoods."""

    kind: str = "hood"

    def place(self, scene: Scene, asset: Asset, rng: np.random.Generator) -> Placement:
        """Draw the hood's cut, its cloth, fur and lining; it is made as large as the hair asks."""
        spec = HoodSpec.of(asset)
        size = spec.draw(rng)
        top, left, right = headroom(scene)
        fur = np.array(_FURS[int(rng.integers(len(_FURS)))]) * rng.uniform(0.8, 1.2)
        values: dict[str, Any] = {
            "size": size,
            "top_cm": round(top, 5),
            "side_cm": [round(left, 5), round(right, 5)],
            "seed": int(rng.integers(2**31)),
            "lined": happens(spec.lined, rng),
            "cords": happens(spec.cords, rng),
            "hem": happens(spec.hem, rng),
            "seams": True,
            "fur_rgb": [round(float(c), 5) for c in fur],
            "fur_tips": round(float(rng.uniform(0.0, 0.7)), 5),
            **dress(rng, spec.palette, spec.patterns),
        }
        values.update(moist=0.0, wear=round(0.4 * values["wear"], 5), dirt=round(0.3 * values["dirt"], 5))
        return Placement(self.kind, asset.id, int(rng.integers(2**31)), values)

    def render(self, scene: Scene, placement: Placement, asset: Asset) -> Layer:
        """Draw the hood over the scene, the shade of its edge, and what it presses down. Pure."""
        values, spec = placement.values, HoodSpec.of(asset)
        opening = Opening.of(scene.mesh_cm, HeadSurface.of(scene.mesh_cm), values)
        layer = draw(scene, bind(hood_parts(opening, spec.fabric, values)), Style(bias_cm=HOOD_BIAS_CM, shadow=_SHADOW))
        return pressed_by_hood(scene, shaded(scene, layer), opening)


def hood_parts(opening: Opening, fabric: str, values: Mapping[str, Any]) -> list[tuple[Mesh, F32 | None]]:
    """Build the parts of a hood, with their textures."""
    size = values["size"]
    outside, inside, share = hood_sheets(opening, values)
    look = Material((1.0, 1.0, 1.0), specular=size["shine"], gloss=9.0, two_sided=True)
    parts: list[tuple[Mesh, F32 | None]] = [(outside.made_of(look, printed=True), _painted(fabric, values))]
    edge, deep = _LINING
    light = deep + (edge - deep) * np.exp(-share / 0.08)
    colour = np.array(values["colours"][1 if values["lined"] else 0]) ** 2.2
    lining = Material(np.clip(colour * 0.9, 0.008, 0.8) * light[:, None], two_sided=True)
    parts.append((inside.made_of(lining), None))
    if values["cords"]:
        cord = Material(np.clip(np.array(values["colours"][2]) ** 2.2, 0.01, 0.75), specular=0.03, gloss=10.0)
        parts += [(one.made_of(cord), None) for one in cords(opening, values)]
    if size["fur_cm"] >= 0.5:
        parts.append((fur_mesh(opening.edge, opening.middle, values), None))
    return parts


def _painted(fabric: str, values: Mapping[str, Any]) -> F32:
    """Paint the cloth of a hood, from its back to its edge: with the seams of its panels and a stitched hem."""
    across, down = texels(_HEIGHT_CM, _DEPTH_CM)
    texture = cloth(across, down, fabric, values)
    from_edge = _DEPTH_CM - down
    if values["hem"]:
        for at in (2.0, 2.25):
            dash = (np.sin(across * 2 * np.pi / 0.45) > -0.3).astype(np.float32)
            texture *= (1 - 0.22 * dash * np.exp(-(((from_edge - at) / 0.07) ** 2)))[..., None]
        texture *= (1 - 0.25 * np.exp(-(((from_edge - 2.5) / 0.16) ** 2)))[..., None]
    if not values["seams"]:
        return np.ascontiguousarray(texture, np.float32)
    seam = np.abs(np.abs(across) - 0.12 * _HEIGHT_CM * (values["seed"] % 2))  # one in the middle, or two at its sides
    texture *= (1 - 0.45 * np.exp(-((seam / 0.09) ** 2)) + 0.08 * np.exp(-(((seam - 0.25) / 0.12) ** 2)))[..., None]
    return np.ascontiguousarray(texture, np.float32)


def shaded(scene: Scene, layer: Layer) -> Layer:
    """Return a layer of a hood that also keeps light from the face next to its edge."""
    reach = _SHADE_CM * scene.pose.scale_px
    fallen = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.5 * reach]])  # light comes from above more than from below
    lower = cv2.warpAffine(layer.silhouette_HW, fallen, layer.silhouette_HW.shape[::-1])
    near = blurred(np.asarray(lower, np.float32), 0.5 * reach)
    shade = np.float32(_SHADE) * np.clip((near - _FAINT) / (1 - _FAINT), 0, 1) * scene.head_coverage_HW
    return replace(layer, shadow_HW=np.asarray(layer.shadow_HW + shade - layer.shadow_HW * shade, np.float32))


def pressed_by_hood(scene: Scene, layer: Layer, opening: Opening) -> Layer:
    """Return a layer that also paints what lies behind the head where hair stood out next to the hood."""
    closed = np.maximum(layer.silhouette_HW, outlined(scene, [opening.edge]))
    pressed = press_hair(scene, replace(layer, silhouette_HW=closed), _ring(opening), farthest_cm=_HAIR_CM)
    kept = ((pressed.clear_HW > _TRACE) | (layer.opacity_HW > 0)).astype(np.float32)  # not its last soft traces
    return replace(
        pressed,
        colour_HWC=pressed.colour_HWC * kept[..., None],
        opacity_HW=pressed.opacity_HW * kept,
        clear_HW=pressed.clear_HW * kept,
        silhouette_HW=layer.silhouette_HW,
    )


def _ring(opening: Opening) -> F64:
    """Return a level ring (N, 3) round the head at the height of the jaw: hair above it gives way."""
    (x, y), reach = opening.middle, float(np.abs(opening.outer[:, 0] - opening.middle[0]).max())
    return np.column_stack([x + reach * np.sin(ANGLE), np.full(len(ANGLE), y - _JAW_CM), reach * np.cos(ANGLE) - 2.0])
