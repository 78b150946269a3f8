"""Headwear: beanies, caps, brimmed hats, ear bands and surgical caps, over the hair that the photograph shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any

import numpy as np

from fdgen.assets import Asset
from fdgen.occluders.asset_table import AssetTable
from fdgen.occluders.base import Placement
from fdgen.occluders.cloth.fabric import PALETTES, any_colour, dress
from fdgen.occluders.cloth.patterns import PATTERNS
from fdgen.occluders.headwear.brim_shadow import brim_shadow
from fdgen.occluders.headwear.hair_volume import headroom
from fdgen.occluders.headwear.hat_cloth import FABRICS
from fdgen.occluders.headwear.hat_mesh import FORMS, VISOR_DEG, hat_parts, visor_reach
from fdgen.occluders.headwear.head_fit import Head
from fdgen.occluders.headwear.pressed_hair import press_hair
from fdgen.occluders.props.spec import happens, pick
from fdgen.render.draw import Layer, Style, draw
from fdgen.render.mesh import bind
from fdgen.render.scene import Scene
from fdgen.settings.values import Range, Share, Weights, known, one_of

_BIAS_CM = 0.9
"""Hair and skin give way this much."""


class HatSpec(AssetTable):
    """What an asset of this kind says: words, ranges with their defaults, tables of weights, chances."""

    form: Annotated[str, one_of(FORMS)]
    fabric: Annotated[str, one_of(FABRICS)]
    palette: Annotated[str, one_of(PALETTES)]
    front: Range = (0.3, 0.7)  # where its rim lies on the forehead: 0 between the brows, 1 at the hairline
    tilt_deg: Range = (4.0, 12.0)  # how much lower it sits behind
    height_cm: Range = (0.6, 2.0)  # of its top above the hair
    loose_cm: Range = (0.4, 0.6)  # room between head and rim
    round: Range = (2.0, 2.6)  # exponent of its profile: 2 is a dome, more has shoulders
    steep_front: Range = (0.0, 0.0)  # how much more it has in front
    taper: Range = (0.0, 0.0)  # how much narrower it is at its top than its profile says
    slouch_cm: Range = (0.0, 0.0)  # how far its top hangs back
    dent_cm: Range = (0.0, 0.0)  # depth of the crease along its top
    flare: Range = (0.0, 0.04)  # how much wider it grows above its rim
    brim_cm: Range = (6.0, 7.4)  # length of visor or brim
    droop_deg: Range = (16.0, 30.0)  # how far that falls
    arch_cm: Range = (1.6, 3.4)  # how much lower its sides hang than its middle
    wave_cm: Range = (0.0, 0.0)  # unevenness of a brim
    cuff_cm: Range = (0.0, 0.0)  # height of a turned-up cuff, or of an ear band
    rib_cm: Range = (0.5, 0.9)  # pitch of a knit or weave
    patterns: Weights[Annotated[str, known(PATTERNS)]]
    badges: Weights[Annotated[str, one_of(("none", "letters", "patch", "badge"))]]
    backwards: Share = 0.0
    two_panels: Share = 0.0
    band: Share = 0.0
    pompom: Share = 0.0


_USUAL = (
    (0.93, 0.93, 0.91),
    (0.05, 0.05, 0.06),
    (0.62, 0.45, 0.28),
    (0.45, 0.45, 0.47),
    (0.55, 0.09, 0.11),
    (0.1, 0.13, 0.3),
)
"""What bands, badges and second panels are mostly of, in sRGB: white, black, leather, grey, red, navy."""


def _second(rng: np.random.Generator) -> tuple[float, float, float]:
    return _USUAL[int(rng.integers(len(_USUAL)))] if happens(0.75, rng) else any_colour(rng)


@dataclass(frozen=True, slots=True)
class Hat:
    """The occluder of kind `hat`; its assets are shapes of headwear."""

    kind: str = "hat"

    def place(self, scene: Scene, asset: Asset, rng: np.random.Generator) -> Placement:
        """Draw the hat, how it sits, its cloth; it is made as large as the hair asks."""
        spec = HatSpec.of(asset)
        size = spec.draw(rng)
        top, left, right = headroom(scene)
        second = _second(rng)
        values: dict[str, Any] = {
            "size": size,
            "top_cm": round(top, 5),
            "side_cm": [round(left, 5), round(right, 5)],
            "lean_deg": round(float(np.clip(rng.normal(0.0, 2.5), -6, 6)), 5),
            "turn_deg": round(float(np.clip(rng.normal(0.0, 4.0), -10, 10)), 5),
            "backwards": happens(spec.backwards, rng),
            "two_panels": happens(spec.two_panels, rng),
            "band": happens(spec.band, rng),
            "pompom": happens(spec.pompom, rng),
            "badge": pick(spec.badges, rng),
            "second": [round(float(c), 5) for c in second],
            "seed": int(rng.integers(2**31)),
            **dress(rng, spec.palette, spec.patterns),
        }
        values.update(moist=0.0, wear=round(0.35 * values["wear"], 5), dirt=round(0.3 * values["dirt"], 5))
        return Placement(self.kind, asset.id, int(rng.integers(2**31)), values)

    def render(self, scene: Scene, placement: Placement, asset: Asset) -> Layer:
        """Draw the hat over the scene, the shade under its brim, and what it presses down. Pure."""
        spec = HatSpec.of(asset)
        values: Mapping[str, Any] = placement.values
        head = Head.of(scene.mesh_cm, values, stiff=spec.form in ("cap", "brimmed"))
        layer = draw(scene, bind(hat_parts(head, spec.form, spec.fabric, values)), Style(bias_cm=_BIAS_CM))
        size = values["size"]
        if spec.form == "brimmed" or (spec.form == "cap" and not values["backwards"]):
            around = np.linspace(-1, 1, 41)
            reach, half = (
                (visor_reach(size["brim_cm"], around), VISOR_DEG)
                if spec.form == "cap"
                else (np.full(41, size["brim_cm"]), 180.0)
            )
            shade = brim_shadow(scene, head, reach, float(np.tan(np.radians(size["droop_deg"]))), half)
            shade *= scene.head_coverage_HW
            shadow_HW = np.asarray(layer.shadow_HW + shade - layer.shadow_HW * shade, np.float32)
            layer = replace(layer, shadow_HW=shadow_HW)
        if spec.form == "band":
            return layer
        return press_hair(scene, layer, head.placed(head.ring(np.linspace(-np.pi, np.pi, 73))))
