"""What an asset of sunglasses or eyeglasses says: the parameters of one frame shape, with their ranges, checked."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, ValidationInfo

from fdgen.assets import Asset
from fdgen.occluders.asset_table import AssetTable
from fdgen.settings.values import Number, Range, Weights, both_within, known, one_of, rows

CONSTRUCTIONS = ("acetate", "wire", "browline", "rimless", "shield")
BRIDGES = ("keyhole", "saddle", "double", "wire", "none")
TEMPLES = ("plate", "wire")
FINISHES = ("plain", "matte", "tortoise", "horn", "fade", "crystal", "metal")
LENSES = {
    "sunglasses": ("dark", "tint", "gradient", "light", "mirror"),
    "eyeglasses": ("coated", "plain", "glaring"),
}
"""What each kind looks through: clear lenses with a coating against reflections, without one, and caught by a light."""


def _lens(name: str, info: ValidationInfo[Asset]) -> str:
    lenses = LENSES[info.context.kind]
    if name not in lenses:
        raise ValueError(f"is unknown; there are {', '.join(lenses)}")
    return name


def _by_name(weights: dict[str, float]) -> dict[str, float]:
    """Sort a table: what is drawn from it must not depend on how a file is ordered."""
    return dict(sorted(weights.items()))


_Row = tuple[Number, Number, Number]


class FrameSpec(AssetTable):
    """One frame shape.

    `outline` has rows (x, y, roundness) of a control polygon: x from -1 at the nose to 1 at the temple, y up, roundness
    0 for a sharp corner and 1 for one that takes up its edges; counter-clockwise. `rim` has rows (angle, low, high):
    the rim's thickness in cm by polar angle about the lens's centre, 0 at the temple and 90 above.

    Lengths are for a face as wide as the canonical one. `lift` raises the outer corner and `taper` narrows the lower
    edge, in shares of the lens's half height and half width; `roundness` adds to that of every corner; `wobble` shifts
    the points of the outline, in cm. `pupil_height` is how far below its upper edge the lens has the pupil, as a share
    of its height. `fit` scales the whole frame. Values are drawn from the ranges in the order they stand in.
    """

    outline: Annotated[tuple[_Row, ...], rows(3, least=4)]
    rim: Annotated[tuple[_Row, ...], rows(3, least=1)]
    construction: Annotated[str, one_of(CONSTRUCTIONS)]
    bridge: Annotated[str, one_of(BRIDGES)]
    temple: Annotated[str, one_of(TEMPLES)]
    lens_width_cm: Annotated[Range, both_within(3.5, 7.5)]
    lens_height_cm: Annotated[Range, both_within(1.8, 6.5)]
    bridge_cm: Annotated[Range, both_within(0.0, 3.0)]
    lift: Annotated[Range, both_within(-0.3, 0.5)]
    taper: Annotated[Range, both_within(-0.4, 0.5)]
    roundness: Annotated[Range, both_within(-0.3, 0.3)]
    wobble: Annotated[Range, both_within(0.0, 0.08)]
    rim_depth_cm: Annotated[Range, both_within(0.05, 0.8)]
    wire_cm: Annotated[Range, both_within(0.03, 0.2)]
    hinge_deg: Annotated[Range, both_within(-30.0, 70.0)]
    temple_height_cm: Annotated[Range, both_within(0.1, 2.5)]
    temple_taper: Annotated[Range, both_within(0.2, 1.2)]
    temple_thickness_cm: Annotated[Range, both_within(0.05, 0.5)]
    bridge_height_cm: Annotated[Range, both_within(0.08, 1.5)]
    bridge_sag: Annotated[Range, both_within(-0.5, 0.5)]
    face_curve_cm: Annotated[Range, both_within(6.0, 80.0)]
    lens_curve_cm: Annotated[Range, both_within(6.0, 60.0)]
    tilt_deg: Annotated[Range, both_within(-2.0, 18.0)]
    pupil_height: Annotated[Range, both_within(0.25, 0.7)]
    fit: Annotated[Range, both_within(0.8, 1.4)]
    finishes: Annotated[Weights[Annotated[str, known(FINISHES)]], AfterValidator(_by_name)]
    lenses: Annotated[Weights[Annotated[str, AfterValidator(_lens)]], AfterValidator(_by_name)]
