"""The distributions that a recipe may ask for besides the kinds: pose, coverage, regions covered.

A table names bins or regions, with shares, as `{"0.03-0.10": 0.4, "0.10-0.60": 0.6}` or `{"eyes": 0.5}`; within it,
tables of the same form under a kind (`hand`), or kinds worn together (`mask+hand`), say it of those samples alone.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator

from fdgen.errors import RecipeError
from fdgen.recipe.combinations import Combination, label
from fdgen.settings.suggestion import did_you_mean
from fdgen.settings.values import Section, Share, above_zero, within

REGION_NAMES = ("eyes", "nose", "mouth")
"""Regions that can be asked for: a record knows how much of each is covered."""

PASSED_OVER = "pose-passed-over"
"""The reason of a face that was not taken because others of its pose are enough: its next variant may be."""

_BIN = re.compile(r"(\d+\.?\d*|\.\d+)\s*-\s*(\d+\.?\d*|\.\d+)")
_ROUNDING = 1e-6
"""How far shares may be from adding up to 1: those written with fewer digits are meant otherwise."""


@dataclass(frozen=True, slots=True)
class Bin:
    """A range [low, high) and the share of samples asked to be in it."""

    low: float
    high: float
    share: float

    def __contains__(self, value: float) -> bool:
        return self.low <= value < self.high

    @property
    def name(self) -> str:
        """Return it as recipes write it."""
        return _name(self.low, self.high)


def _name(low: float, high: float) -> str:
    return "-".join(f"{value:.6f}".rstrip("0").rstrip(".") for value in (low, high))


def _share(key: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ValueError(f"must have shares in [0, 1], got {value!r} for {key!r}")
    return float(value) + 0


def _bins(table: Mapping[str, Any]) -> dict[str, Any]:
    """Check the bins of one table, and write their names in one way."""
    bins = []
    for key, value in table.items():
        match = _BIN.fullmatch(key.strip())
        if match is None:
            raise ValueError(f"must be of bins such as '0.1-0.25', got {key!r}")
        low, high = float(match[1]), float(match[2])
        if low >= high:
            raise ValueError(f"must have bins whose first number is the smaller, got {key!r}")
        bins.append(Bin(low, high, _share(key, value)))
    bins.sort(key=lambda one: one.low)
    for one, other in itertools.pairwise(bins):
        if one.high > other.low:
            raise ValueError(f"must have bins that do not overlap, got {one.name} and {other.name}")
    return {one.name: one.share for one in bins}


def _whole(table: Mapping[str, Any]) -> dict[str, Any]:
    bins = _bins(table)
    total = math.fsum(bins.values())
    if bins and abs(total - 1) > _ROUNDING:
        raise ValueError(f"must have shares that add up to 1, got {total:g} of {', '.join(bins)}")
    return bins


def _regions(table: Mapping[str, Any]) -> dict[str, Any]:
    for key in table:
        if key not in REGION_NAMES:
            names = ", ".join(REGION_NAMES)
            raise ValueError(f"must name regions ({names}), got {key!r}{did_you_mean(key, REGION_NAMES)}")
    return {key: _share(key, table[key]) for key in REGION_NAMES if key in table}


def _by_kind(check: Any) -> BeforeValidator:
    """Check a table whose own entries are for all samples, and the tables within for those of a kind."""

    def checked(table: Any) -> Any:
        if not isinstance(table, dict):
            raise ValueError(f"must be a table, got {table!r}")
        own = {key: value for key, value in table.items() if not isinstance(value, dict)}
        found = check(own)
        for key in sorted(table.keys() - own.keys()):
            if (combination := label(key.split("+"))) in found:
                raise ValueError(f"must have one table of {combination}, got two")
            found[combination] = of_kind(key, table[key])
        return found

    def of_kind(key: str, table: Any) -> Any:
        try:
            return check(table)
        except ValueError as error:
            raise ValueError(f"{error} (of {key})") from None

    return BeforeValidator(checked)


Shares = dict[str, float | dict[str, float]]


class Strata(Section):
    """What is asked in addition to the kinds; empty tables ask for nothing.

    A region counts as covered where the silhouette hides `covered` of its area. `offered` is the share of usable faces
    in each bin of `pose`, as `fdgen recipe offered` measures it.
    """

    attempts: Annotated[int, within(1, 10_000)]
    covered: Annotated[Share, AfterValidator(above_zero)]
    pose: Annotated[Shares, _by_kind(_whole)]
    offered: Annotated[dict[str, float], BeforeValidator(lambda table: _offered(table))]
    coverage: Annotated[Shares, _by_kind(_whole)]
    region: Annotated[Shares, _by_kind(_regions)]

    @property
    def asks_of_placements(self) -> bool:
        """Whether anything is asked that depends on how occluders are worn."""
        return bool(self.coverage or self.region)

    def pose_bins(self, combination: Combination) -> tuple[Bin, ...]:
        """Return the bins of |yaw| in degrees that a combination is to be worn in; none where nothing is asked."""
        return _parsed(_table(self.pose, combination)[1])

    def coverage_bins(self, combination: Combination) -> tuple[Bin, ...]:
        """Return the bins of coverage of a combination; none where nothing is asked."""
        return _parsed(_table(self.coverage, combination)[1])

    def region_shares(self, combination: Combination) -> dict[str, float]:
        """Return by region the share of a combination's samples that are to cover it."""
        return _table(self.region, combination)[1]

    def group(self, what: str, combination: Combination) -> str:
        """Return whose table of `what` (pose, coverage, region) a combination follows: its own label, or `all`."""
        return _table(getattr(self, what), combination)[0]

    def check(self, kinds: Iterable[str], coverage: tuple[float, float], max_yaw_deg: float) -> None:
        """Raise `ValueError` where a table is of no kind, or asks beyond what the rest of the recipe allows."""
        known = tuple(kinds)
        for what in ("pose", "coverage", "region"):
            for key, table in getattr(self, what).items():
                for kind in key.split("+") if isinstance(table, dict) else ():
                    if kind not in known:
                        raise ValueError(f"strata.{what} names no kind {kind!r}{did_you_mean(kind, known)}")
        for what, limits, where in (
            ("coverage", coverage, "coverage.min and coverage.max"),
            ("pose", (0.0, max_yaw_deg), "0 and pose.max_yaw_deg"),
        ):
            for table in _tables(getattr(self, what)):
                for one in _parsed(table):
                    if one.share > 0 and not (limits[0] <= one.low and one.high <= limits[1]):
                        low, high = limits
                        raise ValueError(f"strata.{what} has the bin {one.name} beyond {where} ({low:g}, {high:g})")
        for table in _tables(self.pose):
            if self.offered and table.keys() != self.offered.keys():
                raise ValueError(
                    f"strata.pose and strata.offered must have the same bins, got {', '.join(table)} and "
                    f"{', '.join(self.offered)}"
                )

    def acceptance(self, combinations: Sequence[Combination]) -> tuple[dict[Combination, tuple[Bin, ...]], float]:
        """Return the bins of |yaw| by combination, with the probability that a face is taken, and that of any face.

        It is asked over offered, on one scale for all combinations, so that each loses as many faces and kinds
        keep their proportions.

        Raises `RecipeError` where what the faces offer is not known, or does not hold what is asked.
        """
        if not self.pose:
            return {}, 1.0
        if not self.offered:
            raise RecipeError(
                "strata.pose asks for poses, and strata.offered does not list the poses of the faces",
                hint="`fdgen recipe offered FILE --faces FOLDER` measures them and prints the lines to add",
            )
        asked = {combination: self.pose_bins(combination) for combination in combinations}
        ratios: dict[str, float] = {}
        for one in (one for bins in asked.values() for one in bins):
            offered = self.offered[one.name]
            if one.share > 0 and offered <= 0:
                raise RecipeError(
                    f"strata.pose asks for {one.share:g} at {one.name} degrees, and no face offers that",
                    hint="give more faces, or ask for the poses that they have",
                )
            ratios[one.name] = max(ratios.get(one.name, 0.0), one.share / offered if one.share else 0.0)
        most = max(ratios.values(), default=1.0)
        most = max(most, 1.0) if any(not bins for bins in asked.values()) else most  # the others take every face
        everyone = (Bin(0.0, math.inf, 1.0 / most),)
        taken = {
            combination: tuple(
                Bin(one.low, one.high, one.share / self.offered[one.name] / most if one.share else 0.0) for one in bins
            )
            for combination, bins in asked.items()
        }
        return {combination: bins or everyone for combination, bins in taken.items()}, 1.0 / most


def _offered(table: Any) -> Any:
    if not isinstance(table, dict):
        raise ValueError(f"must be a table, got {table!r}")
    bins = _bins(table)
    if math.fsum(bins.values()) > 1 + _ROUNDING:
        raise ValueError(f"must have shares of 1 together at most, got {math.fsum(bins.values()):g}")
    return bins


def _table(shares: Shares, combination: Combination) -> tuple[str, dict[str, float]]:
    own = shares.get(label(combination))
    if isinstance(own, dict):
        return label(combination), own
    return "all", {key: value for key, value in shares.items() if not isinstance(value, dict)}


def _tables(shares: Shares) -> list[dict[str, float]]:
    tables = [{key: value for key, value in shares.items() if not isinstance(value, dict)}]
    tables += [value for value in shares.values() if isinstance(value, dict)]
    return [table for table in tables if table]


def _parsed(table: Mapping[str, float]) -> tuple[Bin, ...]:
    bins = []
    for key, share in table.items():
        low, _, high = key.partition("-")
        bins.append(Bin(float(low), float(high), share))
    return tuple(bins)
