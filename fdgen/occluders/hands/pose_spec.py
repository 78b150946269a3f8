"""The table of a pose asset: how the hand is bent, where on the face it goes, whence the arm comes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np
from pydantic import AfterValidator, BeforeValidator, model_validator

from fdgen.analysis.geometry import N_FACE
from fdgen.arrays import F64
from fdgen.occluders.asset_table import AssetTable
from fdgen.occluders.hands.skeleton import DIGITS, FINGERS, JOINTS
from fdgen.settings.values import Number, Point3, Range, Section, Share, list_of, one_of

PARTS = ("palm", "knuckles", *DIGITS)
"""Parts of a hand that a pose may name as what touches the face first."""


def _not_empty(values: tuple[str, ...]) -> tuple[str, ...]:
    if not values:
        raise ValueError("must have at least one joint")
    return values


def _not_zero(direction: tuple[float, float, float]) -> tuple[float, float, float]:
    x, y, z = direction
    if x * x + y * y + z * z < 1e-6:
        raise ValueError("must be a direction that is not zero")
    return direction


def _landmarks(table: Any) -> Any:
    """Read a table of landmark = weight as pairs, in the order of the keys' texts."""
    if isinstance(table, tuple):
        return table
    if not isinstance(table, Mapping) or not table:
        raise ValueError(f"must be a table of landmark = weight, got {table!r}")
    for landmark in table:
        if not landmark.isdecimal() or int(landmark) >= N_FACE:
            raise ValueError(f"must be a table of landmarks from 0 to {N_FACE - 1}, got {landmark!r}")
    return tuple((int(landmark), weight) for landmark, weight in sorted(table.items()))


Direction = Annotated[Point3, AfterValidator(_not_zero)]

Bend = Annotated[tuple[Range, Range, Range], list_of("ranges", 3)]


class Curl(Section):
    """Three ranges of flexion for each of the four fingers."""

    index: Bend
    middle: Bend
    ring: Bend
    pinky: Bend


class Pose(AssetTable):
    """A pose of the right hand. Directions and offsets are in the head's frame, angles in degrees.

    The mean of the joints `anchor` goes to the weighted landmarks `target`, moved by `offset_cm` (three ranges). The
    axis of the hand points along `fingers`, its palm looks along `palm`, both within `jitter_deg`. Then the hand moves
    along `approach` until `contact`, a tuple of `PARTS`, is `press_cm` deep in the skin, and the digits `rest` bend
    onto it; with `away_cm` it is held that far before the face instead. `arm` is the direction from the wrist to the
    elbow. `curl` has three ranges of flexion for each of the four fingers, `spread_deg` one range a finger, `thumb`
    four ranges (see `skeleton.bend`). `bias_cm` is how deep the hand may lie in the face and still be seen;
    `near_side` poses belong to the cheek that is seen; `both` is the chance that the other hand does the same.
    """

    anchor: Annotated[tuple[Annotated[str, one_of(JOINTS)], ...], list_of("joints"), AfterValidator(_not_empty)]
    target: Annotated[tuple[tuple[int, Number], ...], BeforeValidator(_landmarks)]
    offset_cm: Annotated[tuple[Range, Range, Range], list_of("ranges", 3)]
    fingers: Direction
    palm: Direction
    jitter_deg: Number = 7.0
    approach: Direction
    contact: Annotated[tuple[Annotated[str, one_of(PARTS)], ...], list_of("parts of a hand")] = ()
    rest: Annotated[tuple[Annotated[str, one_of(DIGITS)], ...], list_of("digits")] = ()
    press_cm: Range = (0.05, 0.2)
    away_cm: Range | None = None
    arm: Direction
    arm_jitter_deg: Number = 12.0
    curl: Curl
    spread_deg: Annotated[tuple[Range, Range, Range, Range], list_of("ranges", 4)]
    thumb: Annotated[tuple[Range, Range, Range, Range], list_of("ranges", 4)]
    bias_cm: Number = 0.5
    near_side: bool = False
    both: Share = 0.0

    @model_validator(mode="before")
    @classmethod
    def _approach_as_the_palm(cls, values: dict[str, Any]) -> dict[str, Any]:
        return {"approach": values["palm"], **values} if "palm" in values else values

    def posture(self, rng: np.random.Generator) -> F64:
        """Draw a posture (5, 4) in degrees: neighbouring fingers bend alike, and each a little by itself."""
        together = rng.random()
        angles = np.empty((5, 4))
        angles[0] = [_within(r, rng.random()) for r in self.thumb]
        for finger in range(4):
            bend = getattr(self.curl, FINGERS[finger])
            for joint in range(3):
                angles[finger + 1, joint] = _within(bend[joint], 0.65 * together + 0.35 * rng.random())
            angles[finger + 1, 3] = _within(self.spread_deg[finger], 0.5 * together + 0.5 * rng.random())
        return angles


def _within(bounds: tuple[float, float], share: float) -> float:
    return bounds[0] + (bounds[1] - bounds[0]) * share
