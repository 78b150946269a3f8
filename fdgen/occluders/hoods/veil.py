"""Face veils: cloth before the face from the nose down, plain or sheer, with a headscarf or tied behind the head."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from fdgen.arrays import F32
from fdgen.assets import Asset
from fdgen.occluders.asset_table import AssetTable
from fdgen.occluders.base import Placement
from fdgen.occluders.cloth.fabric import PALETTES, dress
from fdgen.occluders.cloth.patterns import PATTERNS
from fdgen.occluders.headwear.hair_volume import headroom
from fdgen.occluders.headwear.hat_cloth import FABRICS, cloth, texels
from fdgen.occluders.headwear.head_surface import HeadSurface
from fdgen.occluders.headwear.round_strap import Strap, strap_mesh
from fdgen.occluders.hoods.hood import HOOD_BIAS_CM, hood_parts, pressed_by_hood, shaded
from fdgen.occluders.hoods.hood_mesh import Opening
from fdgen.occluders.hoods.veil_mesh import COLUMNS, ROWS, veil_sheet
from fdgen.occluders.layers import stacked
from fdgen.occluders.props.spec import happens
from fdgen.render.draw import Layer, Style, draw
from fdgen.render.mesh import Material, Mesh, bind
from fdgen.render.scene import Scene
from fdgen.settings.values import Range, Share, Weights, both_within, known, one_of

_BIAS_CM = 0.45
_UNDER_CM = 0.7
"""How much deeper thin ties press into hair than a strap does."""
_WIDE_CM, _LONG_CM = 30.0, 22.0
"""Extent of the cloth, across and down."""
_LEAST_FACING = 0.3
"""Cosine of the angle of view under which sheer cloth grows no denser."""
_SCARF: Mapping[str, tuple[float, float]] = {
    "beside_cm": (-1.6, -0.7),
    "under_cm": (0.0, 1.0),
    "stand_cm": (0.25, 0.5),
    "ahead_cm": (2.4, 3.2),
    "tucked_cm": (0.8, 1.6),
    "loose_cm": (-0.5, 0.1),
    "peak_cm": (-0.6, 0.0),
    "flare_cm": (-1.0, 1.0),
    "thick_cm": (0.15, 0.3),
    "folds_cm": (0.18, 0.4),
}
"""Of a headscarf, what `HoodSpec` says of a hood: it lies close to the head."""


class VeilSpec(AssetTable):
    """What an asset of this kind says: words, ranges with their defaults, tables of weights, chances."""

    fabric: Annotated[str, one_of(FABRICS)] = "woven"
    palette: Annotated[str, one_of(PALETTES)] = "cloth"
    patterns: Weights[Annotated[str, known(PATTERNS)]]
    scarf: Share = 0.0  # chance of a headscarf; without one it is tied behind the head
    matching: Share = 0.9  # chance that the headscarf is of the same cloth
    top: Range = (0.0, 0.8)  # where its edge crosses the nose: 0 between the eyes, 1 half-way down
    under_eye_cm: Range = (0.8, 1.6)  # from the lower lid down to its edge
    temple_cm: Range = (0.3, 1.6)  # how much higher its edge is at the temples
    reach_deg: Annotated[Range, both_within(40.0, 100.0)] = (72.0, 84.0)  # how far round the head it goes
    drop_cm: Range = (10.0, 14.0)  # how far it hangs below the chin
    drop_taper: Range = (0.0, 0.2)  # how much less at its sides
    gap_cm: Range = (0.12, 0.3)
    taut: Annotated[Range, both_within(0.0, 1.0)] = (0.55, 0.95)  # how straight it runs from nose to cheeks
    inward: Annotated[Range, both_within(-0.2, 0.8)] = (0.02, 0.22)  # how much it falls back, a cm of drop
    folds_cm: Range = (0.18, 0.5)
    sway_cm: Range = (-1.2, 1.2)  # how far its lower end hangs to one side
    opacity: Annotated[Range, both_within(0.1, 1.0)] = (1.0, 1.0)  # of the cloth, seen straight on
    front: Range = (0.3, 0.95)  # edge of the headscarf on the forehead: 0 between the brows, 1 at the hairline
    tie_cm: Range = (0.5, 1.2)  # width of what ties it
    rib_cm: Range = (0.25, 0.4)
    hem: Share = 0.7


@dataclass(frozen=True, slots=True)
class Veil:
    """The occluder of kind `veil`; its assets are shapes of veils."""

    kind: str = "veil"

    def place(self, scene: Scene, asset: Asset, rng: np.random.Generator) -> Placement:
        """Draw how the veil hangs, its cloth, and what holds it."""
        spec = VeilSpec.of(asset)
        size = spec.draw(rng)
        top, left, right = headroom(scene)
        values: dict[str, Any] = {
            "size": size,
            "side_cm": [round(left, 5), round(right, 5)],
            "seed": int(rng.integers(2**31)),
            "hem": happens(spec.hem, rng),
            **dress(rng, spec.palette, spec.patterns),
        }
        values.update(moist=0.0, wear=round(0.3 * values["wear"], 5), dirt=0.0, scarf=None)
        if happens(spec.scarf, rng):
            own = {} if happens(spec.matching, rng) else dress(rng, spec.palette, {"plain": 1.0})
            cut = {name: round(float(rng.uniform(*limits)), 5) for name, limits in sorted(_SCARF.items())}
            values["scarf"] = {
                **{name: values[name] for name in values if name not in ("scarf", "size")},
                **own,
                "size": {**cut, "front": size["front"], "fur_cm": 0.0, "shine": 0.0, "rib_cm": size["rib_cm"]},
                "top_cm": round(top, 5),
                "lined": False,
                "cords": False,
                "hem": False,
                "seams": False,
                "moist": 0.0,
                "dirt": 0.0,
            }
        return Placement(self.kind, asset.id, int(rng.integers(2**31)), values)

    def render(self, scene: Scene, placement: Placement, asset: Asset) -> Layer:
        """Draw headscarf or ties, and the veil before them. Pure."""
        values, spec = placement.values, VeilSpec.of(asset)
        surface = HeadSurface.of(scene.mesh_cm)
        cloth_mesh = _veil(scene, surface, spec, values)
        veil = draw(scene, bind(cloth_mesh), Style(bias_cm=_BIAS_CM, occlusion=0.7))
        if values["scarf"] is None:
            ties = draw(scene, bind(_ties(scene, surface, cloth_mesh[0][0], values)), Style(bias_cm=_BIAS_CM))
            return stacked(ties, veil)
        opening = Opening.of(scene.mesh_cm, surface, values["scarf"])
        scarf = draw(
            scene, bind(hood_parts(opening, spec.fabric, values["scarf"])), Style(bias_cm=HOOD_BIAS_CM, shadow=0.6)
        )
        return pressed_by_hood(scene, stacked(shaded(scene, scarf), veil), opening)


def _veil(
    scene: Scene, surface: HeadSurface, spec: VeilSpec, values: Mapping[str, Any]
) -> list[tuple[Mesh, F32 | None]]:
    """Build the veil with its texture; sheer cloth is denser where it turns away."""
    size, solid = values["size"], veil_sheet(scene.mesh_cm, surface, values)
    facing = np.clip(np.abs(scene.pose.to_view(solid.normals)[:, 2]), _LEAST_FACING, 1.0)
    material = Material((1.0, 1.0, 1.0), opacity=1 - (1 - size["opacity"]) ** (1 / facing), two_sided=True)
    across, down = texels(_WIDE_CM, _LONG_CM)
    texture = cloth(across, down, spec.fabric, values)
    from_edge = np.minimum(down, np.minimum(_LONG_CM - down, 0.5 * _WIDE_CM - np.abs(across)))
    if values["hem"]:
        texture *= (1 - 0.25 * np.exp(-(((from_edge - 0.7) / 0.1) ** 2)))[..., None]
    texture *= np.clip(0.75 + from_edge / 0.6, 0.75, 1.0)[..., None]
    return [(solid.made_of(material, printed=True), np.ascontiguousarray(texture, np.float32))]


def _ties(scene: Scene, surface: HeadSurface, veil: Mesh, values: Mapping[str, Any]) -> list[tuple[Mesh, F32 | None]]:
    """Build the bands that go from the upper corners of a veil round the head."""
    grid = veil.vertices_cm.reshape(ROWS, COLUMNS, 3)
    plain = np.clip(np.array(values["colours"][0]) ** 2.2 * 0.9, 0.006, 0.8)
    parts: list[tuple[Mesh, F32 | None]] = []
    for side, hair in zip((-1, 1), values["side_cm"], strict=True):
        column = grid[:, 1 if side < 0 else COLUMNS - 2]
        start = column[np.argmin(np.abs(column[:, 1] - column[0, 1] + 0.5 * values["size"]["tie_cm"]))]
        strap = Strap(side, start, 1.2, values["size"]["tie_cm"], hair - _UNDER_CM)
        parts.append((strap_mesh(scene, surface, strap, Material(plain, two_sided=True))[0], None))
    return parts
