"""What an asset of goggles says: the outline of its lens or cups, its frame, foam and strap, checked."""

from __future__ import annotations

from typing import Annotated

from fdgen.occluders.asset_table import AssetTable
from fdgen.occluders.cloth.fabric import PALETTES
from fdgen.occluders.cloth.patterns import PATTERNS
from fdgen.occluders.eyewear.spec import FINISHES, LENSES
from fdgen.settings.values import Number, Range, Weights, both_within, known, one_of, rows

LENS_KINDS = (*LENSES["sunglasses"], *LENSES["eyeglasses"], "coloured")
"""What goggles look through: `coloured` is a mirror whose colour changes over the lens, as on snow."""
STRAPS = ("elastic", "rubber", "leather")
SEALS = ("foam", "rubber")

_Row = tuple[Number, Number, Number]


class GogglesSpec(AssetTable):
    """One shape of goggles.

    `outline` has rows (x, y, roundness) of a control polygon, counter-clockwise. Of one lens they are its right half:
    from its middle below, at x 0, to its middle above. Of `cups` they are the whole right one, x from -1 at the nose to
    1 at the temple.

    Lengths are for a face as wide as the canonical one. The frame is `rim_cm` wide round the lens, `wall_cm` deep, and
    `flare_cm` wider where it meets the seal, which is at least `seal_cm` thick. `pupil_height` is how far below its
    upper edge the lens has the pupil, as a share of its height.
    """

    outline: Annotated[tuple[_Row, ...], rows(3, least=4)]
    cups: bool
    strap: Annotated[str, one_of(STRAPS)]
    seal: Annotated[str, one_of(SEALS)]
    palette: Annotated[str, one_of(PALETTES)] = "cloth"
    patterns: Weights[Annotated[str, known(frozenset(PATTERNS))]]
    finishes: Weights[Annotated[str, known(FINISHES)]]
    lenses: Weights[Annotated[str, known(LENS_KINDS)]]
    width_cm: Annotated[Range, both_within(3.0, 22.0)]  # of the lens, or of each cup's
    height_cm: Annotated[Range, both_within(1.8, 13.0)]
    between_cm: Annotated[Range, both_within(0.0, 3.0)] = (0.0, 0.0)  # from cup to cup
    rim_cm: Annotated[Range, both_within(0.1, 2.0)]
    wall_cm: Annotated[Range, both_within(0.3, 4.0)]
    flare_cm: Annotated[Range, both_within(0.0, 1.5)]
    seal_cm: Annotated[Range, both_within(0.05, 2.0)]
    face_curve_cm: Annotated[Range, both_within(6.0, 80.0)]
    lens_curve_cm: Annotated[Range, both_within(6.0, 90.0)]
    tilt_deg: Annotated[Range, both_within(-6.0, 18.0)] = (-1.0, 4.0)
    pupil_height: Annotated[Range, both_within(0.25, 0.7)] = (0.45, 0.55)
    fit: Annotated[Range, both_within(0.8, 1.3)] = (0.96, 1.06)
    strap_cm: Annotated[Range, both_within(0.3, 6.0)]
    strap_rise_cm: Annotated[Range, both_within(-3.0, 7.0)] = (0.0, 2.0)
