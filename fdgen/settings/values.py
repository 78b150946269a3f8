"""The types of settings: numbers and names with their laws, and tables that allow no other key.

A law is reported as pydantic's validators need: a `ValueError` whose text follows the key, "must be in [0, 1], got 3".
"""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

MOST_WEIGHT = 1e6
"""Of a weight among others: only ratios count, and sums must stay finite."""


def within(low: float, high: float) -> AfterValidator:
    """Return the law that a number lies in [low, high]."""

    def check(value: float) -> float:
        if not low <= value <= high:
            raise ValueError(f"must be in [{low:g}, {high:g}], got {_shown(value)}")
        return value + 0  # -0.0 and 0.0 are one value, and must have one digest

    return AfterValidator(check)


def at_least(low: float) -> AfterValidator:
    """Return the law that a number is no smaller."""

    def check(value: float) -> float:
        if value < low:
            raise ValueError(f"must be {low:g} or more, got {_shown(value)}")
        return value + 0

    return AfterValidator(check)


def at_most(high: float) -> AfterValidator:
    """Return the law that a number is no greater."""

    def check(value: float) -> float:
        if value > high:
            raise ValueError(f"must be {high:,.0f} or less, got {_shown(value)}")
        return value

    return AfterValidator(check)


def above_zero(value: float) -> float:
    """Refuse 0 and less."""
    if value <= 0:
        raise ValueError(f"must be greater than 0, got {_shown(value)}")
    return value


def of_length(n: int, what: str) -> AfterValidator:
    """Return the law that a tuple has `n` values, `what` in words."""

    def check(values: tuple[Any, ...]) -> tuple[Any, ...]:
        if len(values) != n:
            raise ValueError(f"must have {what}, got {list(values)}")
        return values

    return AfterValidator(check)


def one_of(names: Collection[str]) -> AfterValidator:
    """Return the law that a text is one of `names`."""

    def check(value: str) -> str:
        if value not in names:
            raise ValueError(f"must be one of {', '.join(_in_order(names))}, got {value!r}")
        return value

    return AfterValidator(check)


def known(names: Collection[str]) -> AfterValidator:
    """Return the law that a key of a table is one of `names`."""

    def check(value: str) -> str:
        if value not in names:
            raise ValueError(f"is unknown; there are {', '.join(_in_order(names))}")
        return value

    return AfterValidator(check)


def numbers(n: int) -> BeforeValidator:
    """Return the law that a list has `n` numbers, for a tuple."""

    def check(value: Any) -> tuple[float, ...]:
        if not _are_numbers(value, n):
            raise ValueError(f"must be {n} numbers, got {value!r}")
        return tuple(value)

    return BeforeValidator(check)


def rows(n: int, *, least: int) -> BeforeValidator:
    """Return the law that a list has at least `least` rows of `n` numbers, for a tuple of tuples."""

    def check(value: Any) -> tuple[tuple[float, ...], ...]:
        if not isinstance(value, list | tuple) or len(value) < least:
            raise ValueError(f"must have at least {least} rows of {n} numbers, got {value!r}")
        for row in value:
            if not _are_numbers(row, n):
                raise ValueError(f"must have rows of {n} numbers, got {row!r}")
        return tuple(map(tuple, value))

    return BeforeValidator(check)


def both_within(low: float, high: float) -> AfterValidator:
    """Return the law that a range lies in [low, high]."""

    def check(value: tuple[float, float]) -> tuple[float, float]:
        if value[0] < low or value[1] > high:
            raise ValueError(f"must be [low, high] within [{low:g}, {high:g}], got {list(value)}")
        return value

    return AfterValidator(check)


def _range(value: Any) -> tuple[float, float]:
    if not _are_numbers(value, 2):
        raise ValueError(f"must be [low, high], 2 numbers, got {value!r}")
    low, high = value
    if low > high:
        raise ValueError(f"must be [low, high] and runs backwards: {value!r}")
    return low, high


def _weights(value: Any) -> Any:
    if not isinstance(value, dict) or not value:
        raise ValueError(f"must be a table of weights, got {value!r}")
    return value


def _are_numbers(value: Any, n: int) -> bool:
    if not isinstance(value, list | tuple) or len(value) != n:
        return False
    return all(isinstance(v, int | float) and not isinstance(v, bool) and math.isfinite(v) for v in value)


def _in_order(names: Collection[str]) -> Collection[str]:
    return sorted(names) if isinstance(names, frozenset) else names


def listed(value: Any) -> Any:
    """Take a list, as TOML and JSON have it, for a tuple."""
    return tuple(value) if isinstance(value, list) else value


def list_of(what: str, n: int | None = None) -> BeforeValidator:
    """Read a list as a tuple: one of `what`, in words, and of `n` of them unless that is None."""

    def check(value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list | tuple) or (n is not None and len(value) != n):
            raise ValueError(f"must be a list of {what if n is None else f'{n} {what}'}, got {value!r}")
        return tuple(value)

    return BeforeValidator(check)


def one_or_more(value: Any) -> Any:
    """Take one text, or a list of them, for a tuple."""
    return (value,) if isinstance(value, str) else listed(value)


def none_from_text(value: Any) -> Any:
    """Read "none": TOML has no null."""
    return None if value == "none" else value


def _shown(value: float) -> str:
    return f"{min(max(value, -1.7e308), 1.7e308):g}"  # of a whole number too large for a float, the largest


Number = Annotated[float, Field(allow_inf_nan=False)]
Share = Annotated[Number, within(0, 1)]
Positive = Annotated[Number, AfterValidator(above_zero)]
NotNegative = Annotated[Number, at_least(0)]
Weight = Annotated[Number, at_least(0), at_most(MOST_WEIGHT)]
Count = Annotated[int, at_least(1)]
Range = Annotated[tuple[Number, Number], BeforeValidator(_range)]
"""[low, high], from which a number is drawn."""
Point3 = Annotated[tuple[Number, Number, Number], numbers(3)]
Name = TypeVar("Name")
Weights = Annotated[dict[Name, Positive], BeforeValidator(_weights)]
"""How often each name of a table is drawn."""
Names = Annotated[tuple[str, ...], BeforeValidator(one_or_more)]


class Section(BaseModel):
    """A table of settings: frozen, without unknown keys, without silent conversions."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
