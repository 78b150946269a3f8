"""The table of a pose asset: how the hand is bent, where on the face it goes, whence the arm comes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np

from fdgen.analysis.geometry import N_FACE
from fdgen.arrays import F64
from fdgen.assets import Asset
from fdgen.errors import AssetError
from fdgen.occluders.hands.skeleton import DIGITS, FINGERS, JOINTS

Range = tuple[float, float]

PARTS = ("palm", "knuckles", *DIGITS)
"""Parts of a hand that a pose may name as what touches the face first."""

_KEYS = {"anchor", "target", "offset_cm", "fingers", "palm", "jitter_deg", "approach", "contact", "rest", "press_cm"}
_KEYS |= {"away_cm", "arm", "arm_jitter_deg", "curl", "spread_deg", "thumb", "bias_cm", "near_side", "both"}


@dataclass(frozen=True, slots=True)
class Pose:
    """A pose of the right hand. Directions and offsets are in the head's frame, angles in degrees.

    The mean of the joints `anchor` goes to the weighted landmarks `target`, moved by `offset_cm` (three ranges). The
    axis of the hand points along `fingers`, its palm looks along `palm`, both within `jitter_deg`. Then the hand moves
    along `approach` until `contact`, a tuple of `PARTS`, is `press_cm` deep in the skin, and the digits `rest` bend
    onto it; with `away_cm` it is held that far before the face instead. `arm` is the direction from the wrist to the
    elbow. `curl` has three ranges of flexion for each of the four fingers, `spread_deg` one range a finger, `thumb`
    four ranges (see `skeleton.digit_rotations`). `bias_cm` is how deep the hand may lie in the face and still be seen;
    `near_side` poses belong to the cheek that is seen; `both` is the chance that the other hand does the same.
    """

    anchor: tuple[int, ...]
    target: tuple[tuple[int, float], ...]
    offset_cm: tuple[Range, Range, Range]
    fingers: tuple[float, float, float]
    palm: tuple[float, float, float]
    jitter_deg: float
    approach: tuple[float, float, float]
    contact: tuple[str, ...]
    rest: tuple[str, ...]
    press_cm: Range
    away_cm: Range | None
    arm: tuple[float, float, float]
    arm_jitter_deg: float
    curl: tuple[tuple[Range, Range, Range], ...]
    spread_deg: tuple[Range, ...]
    thumb: tuple[Range, Range, Range, Range]
    bias_cm: float
    near_side: bool
    both: float

    def posture(self, rng: np.random.Generator) -> F64:
        """Draw a posture (5, 4) in degrees: neighbouring fingers bend alike, and each a little by itself."""
        together = rng.random()
        angles = np.empty((5, 4))
        angles[0] = [_within(r, rng.random()) for r in self.thumb]
        for finger in range(4):
            for joint in range(3):
                angles[finger + 1, joint] = _within(self.curl[finger][joint], 0.65 * together + 0.35 * rng.random())
            angles[finger + 1, 3] = _within(self.spread_deg[finger], 0.5 * together + 0.5 * rng.random())
        return angles


def _within(bounds: Range, share: float) -> float:
    return bounds[0] + (bounds[1] - bounds[0]) * share


def pose_of(asset: Asset) -> Pose:
    """Read the pose of a hand asset; raise `AssetError` naming the asset and the key at fault."""
    return _read(asset.id, _Table(asset.shape))


@dataclass(frozen=True)
class _Table:
    """A table as a key of a cache: by its text."""

    values: Mapping[str, Any] = field(compare=False)
    text: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", repr(self.values))


@lru_cache(maxsize=256)
def _read(asset_id: str, table: _Table) -> Pose:
    """Check and convert a table."""
    shape = table.values
    unknown = sorted(set(shape) - _KEYS)
    if unknown:
        raise AssetError(f"the hand {asset_id} has an unknown key shape.{unknown[0]}", hint=f"known: {sorted(_KEYS)}")

    def fail(key: str, wanted: str) -> AssetError:
        return AssetError(f"the hand {asset_id} needs shape.{key} to be {wanted}, got {shape.get(key)!r}")

    def numbers(key: str, value: Any, count: int) -> tuple[float, ...]:
        if (
            not isinstance(value, Sequence)
            or len(value) != count
            or not all(isinstance(v, (int, float)) for v in value)
        ):
            raise fail(key, f"made of {count} numbers")
        return tuple(float(v) for v in value)

    def span(key: str, value: Any) -> Range:
        low, high = numbers(key, value, 2)
        if low > high:
            raise fail(key, "[low, high] with low <= high")
        return low, high

    def spans(key: str, value: Any, count: int) -> tuple[Range, ...]:
        if not isinstance(value, Sequence) or len(value) != count:
            raise fail(key, f"a list of {count} ranges")
        return tuple(span(key, v) for v in value)

    def direction(key: str, default: Any = None) -> tuple[float, float, float]:
        x, y, z = numbers(key, shape.get(key, default), 3)
        if x * x + y * y + z * z < 1e-6:
            raise fail(key, "a direction that is not zero")
        return x, y, z

    def names(key: str, known: tuple[str, ...], default: Any = None) -> tuple[str, ...]:
        value = shape.get(key, default)
        if not isinstance(value, list) or not all(v in known for v in value):
            raise fail(key, f"a list of some of {', '.join(known)}")
        return tuple(value)

    target = shape.get("target")
    if not isinstance(target, Mapping) or not target:
        raise fail("target", "a table of landmark = weight")
    for landmark in target:
        if not landmark.isdigit() or int(landmark) >= N_FACE:
            raise fail("target", f"a table of landmarks from 0 to {N_FACE - 1}")
    curl = shape.get("curl")
    if not isinstance(curl, Mapping) or set(curl) != set(FINGERS):
        raise fail("curl", f"a table of {', '.join(FINGERS)}")
    anchors = names("anchor", JOINTS)
    if not anchors:
        raise fail("anchor", "at least one joint")
    thumb = spans("thumb", shape.get("thumb"), 4)
    offset = spans("offset_cm", shape.get("offset_cm"), 3)
    away = shape.get("away_cm")
    both = shape.get("both", 0.0)
    if not isinstance(both, (int, float)) or not 0 <= both <= 1:
        raise fail("both", "a chance in [0, 1]")
    fingers = [spans(f"curl.{finger}", curl[finger], 3) for finger in FINGERS]
    return Pose(
        anchor=tuple(JOINTS.index(name) for name in anchors),
        target=tuple((int(k), float(v)) for k, v in sorted(target.items())),
        offset_cm=(offset[0], offset[1], offset[2]),
        fingers=direction("fingers"),
        palm=direction("palm"),
        jitter_deg=float(shape.get("jitter_deg", 7.0)),
        approach=direction("approach", shape.get("palm")),
        contact=names("contact", PARTS, []),
        rest=names("rest", DIGITS, []),
        press_cm=span("press_cm", shape.get("press_cm", [0.05, 0.2])),
        away_cm=None if away is None else span("away_cm", away),
        arm=direction("arm"),
        arm_jitter_deg=float(shape.get("arm_jitter_deg", 12.0)),
        curl=tuple((f[0], f[1], f[2]) for f in fingers),
        spread_deg=spans("spread_deg", shape.get("spread_deg"), 4),
        thumb=(thumb[0], thumb[1], thumb[2], thumb[3]),
        bias_cm=float(shape.get("bias_cm", 0.5)),
        near_side=bool(shape.get("near_side", False)),
        both=float(both),
    )
