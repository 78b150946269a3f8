"""Hats: beanies, caps and brimmed hats on the skull, large enough for the hair that the photograph shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from fdgen.assets import Asset
from fdgen.occluders.asset_table import AssetTable
from fdgen.occluders.base import Placement
from fdgen.occluders.cloth.fabric import any_colour, dress
from fdgen.occluders.cloth.patterns import PATTERNS
from fdgen.occluders.props.hair_volume import headroom
from fdgen.occluders.props.hat_mesh import FABRICS, Head, hat_parts
from fdgen.occluders.props.spec import happens
from fdgen.render.draw import Layer, Style, draw
from fdgen.render.mesh import bind
from fdgen.render.scene import Scene
from fdgen.settings.values import Range, Share, Weights, known, one_of

_BIAS_CM = 0.5
"""Hair and skin give way this much."""
_LEAST_CM, _MOST_CM = 0.5, 3.2
"""Room that a hat leaves over the skull: for close-cropped hair, and for the fullest that it still presses down."""


class HatSpec(AssetTable):
    """What an asset of this kind says: words, ranges with their defaults, tables of weights, chances."""

    form: Annotated[str, one_of(("beanie", "cap", "brimmed"))]
    fabric: Annotated[str, one_of(FABRICS)]
    palette: Annotated[str, one_of(("cloth",))]
    front: Range = (0.35, 0.8)  # where its rim lies on the forehead: 0 between the brows, 1 at the hairline
    tilt_deg: Range = (4.0, 12.0)  # how much lower it sits behind
    height_cm: Range = (0.6, 2.0)  # of its top above the hair
    round: Range = (2.0, 2.6)  # exponent of its profile: 2 is a dome, more has shoulders
    dent_cm: Range = (0.0, 0.0)  # depth of the crease along its top
    flare: Range = (0.0, 0.06)  # how much wider it grows above its rim
    brim_cm: Range = (5.5, 7.0)  # length of visor or brim
    droop_deg: Range = (8.0, 24.0)  # how far that falls
    arch_cm: Range = (0.8, 2.0)  # how much lower its sides hang than its middle
    wave_cm: Range = (0.0, 0.0)  # unevenness of a brim
    cuff_cm: Range = (0.0, 0.0)  # height of a turned-up cuff
    rib_cm: Range = (0.5, 1.0)  # pitch of a knit or weave
    patterns: Weights[Annotated[str, known(PATTERNS)]]
    backwards: Share = 0.0
    patch: Share = 0.0
    band: Share = 0.0
    pompom: Share = 0.0


@dataclass(frozen=True, slots=True)
class Hat:
    """The occluder of kind `hat`; its assets are shapes of hats."""

    kind: str = "hat"

    def place(self, scene: Scene, asset: Asset, rng: np.random.Generator) -> Placement:
        """Draw the hat, how it sits, its cloth; it is made as large as the hair asks."""
        spec = HatSpec.of(asset)
        size = spec.draw(rng)
        top, sides = headroom(scene)
        second = any_colour(rng)
        values: dict[str, Any] = {
            "size": size,
            "top_cm": round(float(np.clip(top, _LEAST_CM, _MOST_CM)), 5),
            "side_cm": round(float(np.clip(sides, _LEAST_CM, 0.75 * _MOST_CM)), 5),
            "lean_deg": round(float(np.clip(rng.normal(0.0, 3.0), -8, 8)), 5),
            "turn_deg": round(float(np.clip(rng.normal(0.0, 5.0), -14, 14)), 5),
            "backwards": happens(spec.backwards, rng),
            "patch": happens(spec.patch, rng),
            "band": happens(spec.band, rng),
            "pompom": happens(spec.pompom, rng),
            "second": [round(float(c), 5) for c in second],
            "seed": int(rng.integers(2**31)),
            **dress(rng, spec.palette, spec.patterns),
        }
        values["moist"] = 0.0
        return Placement(self.kind, asset.id, int(rng.integers(2**31)), values)

    def render(self, scene: Scene, placement: Placement, asset: Asset) -> Layer:
        """Draw the hat over the scene. Pure."""
        spec = HatSpec.of(asset)
        values: Mapping[str, Any] = placement.values
        head = Head.of(scene.mesh_cm, values, stiff=spec.form != "beanie")
        mesh = bind(hat_parts(head, spec.form, spec.fabric, values))
        return draw(scene, mesh, Style(bias_cm=_BIAS_CM))
