"""What an asset of sunglasses or eyeglasses says: the parameters of one frame shape, with their ranges, checked."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from fdgen.assets import Asset
from fdgen.errors import AssetError

Range = tuple[float, float]

CONSTRUCTIONS = ("acetate", "wire", "browline", "rimless", "shield")
BRIDGES = ("keyhole", "saddle", "double", "wire", "none")
TEMPLES = ("plate", "wire")
FINISHES = ("plain", "matte", "tortoise", "horn", "fade", "crystal", "metal")
LENSES = {
    "sunglasses": ("dark", "tint", "gradient", "light", "mirror"),
    "eyeglasses": ("coated", "plain", "glaring"),
}
"""What each kind looks through: clear lenses with a coating against reflections, without one, and caught by a light."""

RANGES: Mapping[str, Range] = {
    "lens_width_cm": (3.5, 7.5),
    "lens_height_cm": (1.8, 6.5),
    "bridge_cm": (0.0, 3.0),
    "lift": (-0.3, 0.5),
    "taper": (-0.4, 0.5),
    "roundness": (-0.3, 0.3),
    "wobble": (0.0, 0.08),
    "rim_depth_cm": (0.05, 0.8),
    "wire_cm": (0.03, 0.2),
    "hinge_deg": (-30.0, 70.0),
    "temple_height_cm": (0.1, 2.5),
    "temple_taper": (0.2, 1.2),
    "temple_thickness_cm": (0.05, 0.5),
    "bridge_height_cm": (0.08, 1.5),
    "bridge_sag": (-0.5, 0.5),
    "face_curve_cm": (6.0, 80.0),
    "lens_curve_cm": (6.0, 60.0),
    "tilt_deg": (-2.0, 18.0),
    "pupil_height": (0.25, 0.6),
    "fit": (0.8, 1.25),
}
"""Every ranged parameter of a frame, with the bounds between which its range must lie.

Lengths are for a face as wide as the canonical one. `lift` raises the outer corner and `taper` narrows the lower edge,
in shares of the lens's half height and half width; `roundness` adds to that of every corner; `wobble` shifts the points
of the outline, in cm. `pupil_height` is how far below its upper edge the lens has the pupil, as a share of its height.
`fit` scales the whole frame.
"""


@dataclass(frozen=True, slots=True)
class FrameSpec:
    """One frame shape.

    `outline` has rows (x, y, roundness) of a control polygon: x from -1 at the nose to 1 at the temple, y up, roundness
    0 for a sharp corner and 1 for one that takes up its edges; counter-clockwise. `rim` has rows (angle, low, high):
    the rim's thickness in cm by polar angle about the lens's centre, 0 at the temple and 90 above.
    """

    outline: tuple[tuple[float, float, float], ...]
    rim: tuple[tuple[float, float, float], ...]
    construction: str
    bridge: str
    temple: str
    ranges: Mapping[str, Range]
    finishes: Mapping[str, float]
    lenses: Mapping[str, float]

    @classmethod
    def of(cls, asset: Asset) -> FrameSpec:
        """Read an asset's table; raise `AssetError` naming the asset and the key that is wrong."""
        return _read(asset.id, asset.kind, json.dumps(asset.shape, sort_keys=True))


@cache
def _read(asset_id: str, kind: str, table_json: str) -> FrameSpec:
    """Read a table once a process; it comes as text because that can be looked up."""
    table = _Table(asset_id, json.loads(table_json))
    known = {"outline", "rim", "construction", "bridge", "temple", "finishes", "lenses", *RANGES}
    for key in table.entries:
        if key not in known:
            raise table.wrong(key, "is not a parameter of eyewear")
    return FrameSpec(
        outline=table.rows("outline", 4),
        rim=table.rows("rim", 1),
        construction=table.choice("construction", CONSTRUCTIONS),
        bridge=table.choice("bridge", BRIDGES),
        temple=table.choice("temple", TEMPLES),
        ranges={key: table.range(key) for key in RANGES},
        finishes=table.weights("finishes", FINISHES),
        lenses=table.weights("lenses", LENSES[kind]),
    )


@dataclass(frozen=True, slots=True)
class _Table:
    """The table of one asset; every getter refuses what is malformed."""

    asset_id: str
    entries: Mapping[str, Any]

    def wrong(self, key: str, what: str) -> AssetError:
        return AssetError(
            f"shape.{key} of the asset {self.asset_id} {what}", hint="correct its table and rebuild the index"
        )

    def value(self, key: str) -> Any:
        if key not in self.entries:
            raise self.wrong(key, "is missing")
        return self.entries[key]

    def numbers(self, key: str, value: Any, count: int) -> tuple[float, ...]:
        good = isinstance(value, Sequence) and len(value) == count
        if not good or not all(isinstance(v, int | float) and not isinstance(v, bool) for v in value):
            raise self.wrong(key, f"must hold {count} numbers, got {value!r}")
        return tuple(float(v) for v in value)

    def rows(self, key: str, least: int) -> tuple[tuple[float, float, float], ...]:
        value = self.value(key)
        if not isinstance(value, Sequence) or len(value) < least:
            raise self.wrong(key, f"must have at least {least} rows of three numbers")
        rows = [self.numbers(key, row, 3) for row in value]
        return tuple((row[0], row[1], row[2]) for row in rows)

    def range(self, key: str) -> Range:
        low, high = self.numbers(key, self.value(key), 2)
        least, most = RANGES[key]
        if not least <= low <= high <= most:
            raise self.wrong(key, f"must be [low, high] within [{least}, {most}], got [{low}, {high}]")
        return low, high

    def choice(self, key: str, choices: Sequence[str]) -> str:
        value = self.value(key)
        if value not in choices:
            raise self.wrong(key, f"must be one of {', '.join(choices)}, got {value!r}")
        return str(value)

    def weights(self, key: str, names: Sequence[str]) -> Mapping[str, float]:
        value = self.value(key)
        if not isinstance(value, Mapping) or not value:
            raise self.wrong(key, "must be a table of weights")
        for name, weight in value.items():
            if name not in names:
                raise self.wrong(f"{key}.{name}", f"is unknown; there are {', '.join(names)}")
            if isinstance(weight, bool) or not isinstance(weight, int | float) or weight <= 0:
                raise self.wrong(f"{key}.{name}", f"must be a number above 0, got {weight!r}")
        return {str(name): float(weight) for name, weight in value.items()}
