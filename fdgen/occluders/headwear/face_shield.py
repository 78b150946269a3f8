"""Face shields: a curved clear sheet before the face, a band on the forehead, a strap round the head."""

from __future__ import annotations

import colorsys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from fdgen.arrays import F32
from fdgen.assets import Asset
from fdgen.occluders.base import Placement
from fdgen.occluders.cloth.fabric import dress
from fdgen.occluders.environment import draw_surroundings, surroundings
from fdgen.occluders.eyewear.lens_effects import count_glare
from fdgen.occluders.headwear.hair_volume import headroom
from fdgen.occluders.headwear.hat_cloth import cloth, texels
from fdgen.occluders.headwear.head_surface import HeadSurface
from fdgen.occluders.headwear.round_strap import Strap, strap_mesh
from fdgen.occluders.headwear.shield_mesh import ROUND, ShieldFit, band_mesh, edge_mesh, sheet_mesh
from fdgen.occluders.headwear.shield_spec import ShieldSpec
from fdgen.occluders.layers import stacked
from fdgen.occluders.props.spec import pick
from fdgen.render.draw import Layer, Style, draw
from fdgen.render.mesh import Material, Mesh, bind, join
from fdgen.render.scene import Scene

_BIAS_CM = 0.7
"""Hair and skin give way this much under band and strap."""
_OVERHEAD = 0.4
"""Share of the light from above that is mirrored."""
_FOAMS = (
    (0.30, 0.48, 0.72),
    (0.86, 0.87, 0.88),
    (0.62, 0.64, 0.66),
    (0.08, 0.08, 0.09),
    (0.45, 0.66, 0.60),
    (0.84, 0.80, 0.70),
)
_PLASTICS = ((0.06, 0.06, 0.07), (0.90, 0.90, 0.90), (0.10, 0.22, 0.50), (0.35, 0.36, 0.38), (0.16, 0.42, 0.30))
"""Usual colours of bands, in sRGB."""
_ANY_COLOUR = 0.2
_EDGE = (0.5, 0.55, 0.58)
"""Albedo of the edge of a clear sheet, which gathers light from inside the plastic."""


@dataclass(frozen=True, slots=True)
class FaceShield:
    """The occluder of kind `shield`; its assets are shapes of face shields."""

    kind: str = "shield"

    def place(self, scene: Scene, asset: Asset, rng: np.random.Generator) -> Placement:
        """Draw the shield's size, how it hangs, its colours, and what its sheet reflects."""
        spec = ShieldSpec.of(asset)
        size = spec.draw(rng)
        _, left, right = headroom(scene)
        usual = _FOAMS if spec.band == "foam" else _PLASTICS
        colour = usual[int(rng.integers(len(usual)))]
        if rng.random() < _ANY_COLOUR:
            colour = colorsys.hsv_to_rgb(rng.random(), rng.uniform(0.2, 0.8), rng.uniform(0.2, 0.95))
        around = draw_surroundings(rng)
        around["overhead"] = round(_OVERHEAD * around["overhead"], 5)
        strap = dress(rng, "medical" if rng.random() < 0.6 else "cloth", {"plain": 1.0})
        strap.update(moist=0.0, wear=round(0.3 * strap["wear"], 5), dirt=0.0)
        values: dict[str, Any] = {
            "size": size,
            "side_cm": [round(left, 5), round(right, 5)],
            "lean_deg": round(float(np.clip(rng.normal(0.0, 1.2), -3, 3)), 5),
            "turn_deg": round(float(np.clip(rng.normal(0.0, 2.0), -5, 5)), 5),
            "band_rgb": [round(float(c) ** 2.2 * 0.8, 5) for c in colour],
            "sheet": _draw_sheet(rng, spec),
            "surroundings": around,
            "strap": {**strap, "size": {"rib_cm": 0.3}, "seed": int(rng.integers(2**31))},
            "seed": int(rng.integers(2**31)),
        }
        return Placement(self.kind, asset.id, int(rng.integers(2**31)), values)

    def render(self, scene: Scene, placement: Placement, asset: Asset) -> Layer:
        """Draw band and strap, and before them the sheet. Pure.

        The sheet is part of the silhouette at its edge and where its reflection hides what lies behind.
        """
        values, spec = placement.values, ShieldSpec.of(asset)
        surface = HeadSurface.of(scene.mesh_cm)
        fit = ShieldFit.of(scene.mesh_cm, surface, values)
        behind = draw(scene, bind(_band_parts(scene, surface, fit, spec, values)), Style(bias_cm=_BIAS_CM))
        environment = surroundings(scene, values["surroundings"])
        before = draw(scene, _sheet(fit, values), Style(occlusion=0.0, shadow=0.6), environment=environment)
        whole = stacked(behind, before)
        return count_glare(scene, whole, np.ones_like(whole.clear_HW))


def _draw_sheet(rng: np.random.Generator, spec: ShieldSpec) -> dict[str, Any]:
    """Draw what the sheet lets pass, and how strongly it reflects."""
    kind = pick(spec.sheets, rng)
    through, mirror = rng.uniform(0.90, 0.96), 10 ** rng.uniform(-1.25, -0.8)
    if kind == "glaring":
        mirror = 10 ** rng.uniform(-0.9, -0.45)
    elif kind == "smoke":
        through = rng.uniform(0.12, 0.4)
    return {
        "kind": kind,
        "through": round(float(through), 5),
        "mirror": round(float(mirror), 5),
        "haze": round(float(0.25 * rng.beta(1.2, 4.0)), 5),
    }


def _sheet(fit: ShieldFit, values: Mapping[str, Any]) -> Mesh:
    """Build the sheet with its edge: clear, but for its haze and what it mirrors."""
    sheet, made = values["sheet"], sheet_mesh(fit, values)
    solid, places = made
    smoke = sheet["kind"] == "smoke"
    rim = np.clip((places.max(1) - 0.9) / 0.1, 0.0, 1.0)
    glass = Material(
        albedo=(0.02, 0.02, 0.022) if smoke else (sheet["haze"],) * 3,
        opacity=1.0 - sheet["through"],
        specular=min(0.9, 4.0 * sheet["mirror"]),
        gloss=160.0,
        mirror=(sheet["mirror"] * (1 + 0.3 * rim))[:, None] * np.ones(3),
        counts=1.0 if smoke else 0.0,
        two_sided=True,
    )
    edge = Material(
        _EDGE if not smoke else (0.03, 0.03, 0.03), opacity=0.65, specular=0.5, gloss=30.0, mirror=0.25, two_sided=True
    )
    return join([solid.made_of(glass), edge_mesh(fit, values).made_of(edge)])


def _band_parts(
    scene: Scene, surface: HeadSurface, fit: ShieldFit, spec: ShieldSpec, values: Mapping[str, Any]
) -> list[tuple[Mesh, F32 | None]]:
    """Build the band and the strap, each with its texture.

    Args:
        scene: The face that wears them.
        surface: Its head.
        fit: Where the shield is on it.
        spec: The asset: the form of its band.
        values: The parameters that `place` drew.
    """
    size = values["size"]
    band = band_mesh(fit, surface, spec.band, size)
    rgb = np.array(values["band_rgb"], np.float32)
    if spec.band == "foam":
        pores = np.random.default_rng(values["seed"]).standard_normal((40, 260)).astype(np.float32)
        texture = rgb * np.clip(1 + 0.03 * pores, 0.85, 1.15)[..., None]
        parts = [(band.made_of(Material((1.0, 1.0, 1.0), two_sided=True), printed=True), texture)]
    else:
        plastic = Material(rgb, specular=0.25, gloss=26.0, two_sided=True)
        parts = [(band.made_of(plastic), None)]
    grid = band.vertices.reshape(-1, ROUND, 3)
    for side, hair in zip((-1, 1), values["side_cm"], strict=True):
        end = grid[:, 0 if side < 0 else -1].mean(0)
        strap = Strap(side, end, 0.6, size["strap_cm"] * fit.scale, hair)
        mesh, length = strap_mesh(scene, surface, strap, Material((1.0, 1.0, 1.0), specular=0.02, two_sided=True))
        across, down = texels(length, strap.width_cm)
        woven = cloth(across, down, "woven", values["strap"])
        woven *= (1 + 0.10 * np.cos(2 * np.pi * across / 0.25))[..., None]
        parts.append((mesh, np.ascontiguousarray(woven, np.float32)))
    return parts
