"""What an asset of a mask may say: the words it chooses among, its ranges, its chances."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from fdgen.occluders.asset_table import AssetTable
from fdgen.occluders.cloth.fabric import PALETTES
from fdgen.occluders.cloth.patterns import PATTERNS
from fdgen.occluders.masks.valve import VALVES
from fdgen.settings.values import NotNegative, Range, Share, both_within, known, one_of

CUTS = frozenset({"pleated", "fold", "panel", "duckbill", "cup", "fitted", "sponge", "bandana", "gaiter", "scarf"})
FABRICS = frozenset({"nonwoven", "woven", "knit", "fleece", "neoprene", "moulded"})
STRAPS = frozenset({"ears", "head", "ties", "none"})


def _some(weights: dict[str, float]) -> dict[str, float]:
    if not sum(weights.values()) > 0:
        raise ValueError(f"must have a weight above 0, got {weights!r}")
    return weights


Reach = Annotated[Range, both_within(-100.0, 180.0)]

Patterns = Annotated[dict[Annotated[str, known(frozenset(PATTERNS))], NotNegative], AfterValidator(_some)]


class MaskSpec(AssetTable):
    """One shape of mask. Ranges have their default; units: cm, degrees, or shares, by the name."""

    cut: Annotated[str, one_of(CUTS)]
    fabric: Annotated[str, one_of(FABRICS)]
    straps: Annotated[str, one_of(STRAPS)]
    palette: Annotated[str, one_of(PALETTES)]
    valve: Annotated[str, one_of(VALVES)] | None = None
    patterns: Patterns = Field(default_factory=lambda: {"plain": 1.0})
    # Chances in [0, 1].
    under_nose: Share = 0.0
    under_chin: Share = 0.0
    straps_match: Share = 0.0
    binding: Share = 0.0
    weld_dots: Share = 0.0  # rows of dots along the edges, where layers are welded
    stitches: Share = 0.0
    clip: Share = 0.0
    print: Share = 0.0
    # Ranges. A cut has no meaning beyond the limits of some.
    top: Reach = (1.4, 3.2)  # place on the middle of the face: 0 between the eyes, 6 under the nose, 9 the upper lip
    side_deg: Annotated[Range, both_within(20.0, 115.0)] = (58.0, 68.0)  # how far round the head the sides reach
    side_curve: Reach = (0.0, 0.05)  # how much the sides are hollowed (negative: bulge)
    corner_top: Reach = (0.72, 0.92)  # height of the upper corners: 0 at the chin, 1 at the ear
    corner_bottom: Reach = (0.18, 0.34)  # of the lower ones
    cheek: Reach = (0.35, 0.6)  # height of the edge half-way to the corner, 1 level with the side of the nose
    nose_deg: Reach = (11.0, 16.0)  # half the width of the rise over the nose
    taut: Reach = (0.8, 1.0)  # how straight the cloth runs from nose to chin instead of following the face
    tent: Reach = (0.25, 0.75)  # the same across, from nose to cheeks
    stiff: Reach = (1.2, 2.2)  # vertices over which it bends
    peak_cm: Reach = (0.8, 1.3)  # how far the edge rises over the nose
    wrap_deg: Reach = (7.0, 14.0)  # how far it goes under the jaw
    gap: Reach = (0.12, 0.2)  # between skin and the middle of the cloth
    below_cm: Reach = (0.2, 1.3)  # and besides under the chin, where nothing draws it to the skin
    pressure: Reach = (0.0, 0.01)  # how much it is blown up
    hug: Reach = (0.3, 0.9)  # how closely the rim follows the skin
    beak_cm: Reach = (0.2, 0.7)  # how far it stands off
    apex: Annotated[Range, both_within(0.25, 0.75)] = (0.45, 0.55)  # where it stands off most, 0 top to 1 bottom
    drop_cm: Reach = (2.0, 5.0)  # how far a hem hangs below the chin
    drop_taper: Reach = (0.6, 0.9)  # how much less it hangs at the sides
    inward: Reach = (0.1, 0.4)  # how much it falls back towards the neck, a cm of drop
    tension: Reach = (0.05, 0.16)  # height of the folds that radiate from the corners, cm
    tension_reach: Reach = (3.5, 6.5)  # and how far they run, cm
    crease_count: Annotated[Range, both_within(0.0, 40.0)] = (3.0, 14.0)  # sharp creases from the corners and sides
    crease_cm: Reach = (0.06, 0.2)  # and their height
    crumple_cm: Reach = (0.0, 0.0)  # height of the facets of cloth that is stiff as paper
    slack: Reach = (0.3, 1.5)  # strength of sagging folds
    lean: Reach = (0.2, 0.9)  # how steeply they hang towards the middle
    bow_shift_cm: Reach = (-2.5, 2.5)  # where that middle is
    rolls_cm: Reach = (0.0, 0.0)  # height of broad rolls of wound cloth
    gather: Reach = (0.02, 0.1)  # height of upright folds at the lower edge, cm
    gather_reach: Reach = (2.2, 3.2)  # and how far up they run, cm
    pleats: Reach = (3.0, 3.0)  # their number
    pleat_cm: Reach = (0.08, 0.2)
    pleat_step: Reach = (0.15, 0.21)  # share of the height between them
    pleat_shift: Reach = (-0.06, 0.06)  # share by which all are moved down
    seam_cm: Reach = (0.0, 0.0)  # height of a seam down the middle
    wire_cm: Reach = (0.0, 0.0)  # height of the wire over the nose
    wire_length: Reach = (8.0, 11.0)
    thick_cm: Reach = (0.05, 0.1)  # thickness at the edge
    hem_cm: Reach = (0.5, 0.9)  # width of hem or weld
    groove_cm: Reach = (0.0, 0.02)  # depth of its seam
    ribs: Reach = (2.0, 5.0)  # number pressed into a moulded cup
    rib_deep_cm: Reach = (0.0, 0.0)
    hem_dashes: Reach = (0.0, 0.0)  # above 0.5: the weld is a row of bars
    weave_cm: Reach = (0.004, 0.01)  # height of the fabric's grain
    mottle: Reach = (0.01, 0.06)  # how much lighter its threads are than what is between them, as a share
    rib_cm: Reach = (0.35, 0.6)  # pitch of a knit
    strap_cm: Reach = (0.32, 0.52)  # width
    ear_up_cm: Reach = (-0.2, 0.5)  # where the upper strand meets the ear, above its root
    ear_down_cm: Reach = (-0.3, 0.5)
    band_up_cm: Reach = (1.5, 3.0)  # how much higher a band passes than a loop
    band_down_cm: Reach = (0.5, 2.0)
    valve_cm: Reach = (1.3, 1.8)  # radius
    valve_high: Reach = (0.35, 0.7)
    valve_across: Annotated[Range, both_within(0.0, 0.9)] = (0.3, 0.42)  # of the middle, 0 at the seam to 1 at the side
    valve_down: Annotated[Range, both_within(0.1, 0.9)] = (0.52, 0.64)
    softness: Reach = (0.05, 0.2)  # share of light that the cloth scatters
    specular: Reach = (0.0, 0.02)
    gloss: Reach = (6.0, 14.0)
