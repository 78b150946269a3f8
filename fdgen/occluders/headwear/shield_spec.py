"""What an asset of face shields says: its sheet, what holds that at the forehead, its strap, checked."""

from __future__ import annotations

from typing import Annotated

from fdgen.occluders.asset_table import AssetTable
from fdgen.settings.values import Range, Weights, both_within, known, one_of

BANDS = ("foam", "printed", "crown")
"""A block of foam on the forehead, a plastic bow that stands off it, or a rigid visor that closes the gap."""
SHEETS = ("clear", "glaring", "smoke")


class ShieldSpec(AssetTable):
    """One shape of face shield. Lengths are for a face as wide as the canonical one."""

    band: Annotated[str, one_of(BANDS)]
    sheets: Weights[Annotated[str, known(SHEETS)]]
    place: Annotated[Range, both_within(0.0, 1.6)] = (0.5, 0.95)  # of the band: 0 between the brows, 1 at the hairline
    band_cm: Annotated[Range, both_within(0.5, 8.0)] = (2.4, 3.8)  # its height
    reach_deg: Annotated[Range, both_within(30.0, 120.0)] = (58.0, 72.0)  # how far round the head it reaches
    stand_cm: Annotated[Range, both_within(0.8, 7.0)] = (2.0, 3.2)  # of the sheet before the forehead
    above_cm: Annotated[Range, both_within(-7.0, 8.0)] = (0.0, 0.3)  # how far the sheet rises above the band
    width_cm: Annotated[Range, both_within(16.0, 44.0)] = (26.0, 31.0)  # round its curve
    height_cm: Annotated[Range, both_within(8.0, 36.0)] = (18.5, 23.0)
    corner_cm: Annotated[Range, both_within(0.2, 12.0)] = (2.0, 5.0)  # radius of its lower corners
    curve_cm: Annotated[Range, both_within(7.0, 40.0)] = (9.4, 11.4)
    bow_cm: Annotated[Range, both_within(20.0, 400.0)] = (60.0, 200.0)  # radius of its curve from top to bottom
    wave: Annotated[Range, both_within(0.0, 0.2)] = (0.01, 0.04)  # unevenness, as a slope: film is less even than plate
    tilt_deg: Annotated[Range, both_within(-10.0, 40.0)] = (0.0, 6.0)  # how far its lower edge hangs forward
    edge_cm: Annotated[Range, both_within(0.03, 1.0)] = (0.08, 0.16)  # width of its edge, or of the rim round it
    strap_cm: Annotated[Range, both_within(0.3, 5.0)] = (1.6, 2.6)
