"""The types of settings: numbers and names with their laws, and tables that allow no other key.

A law is reported as pydantic's validators need: a `ValueError` whose text follows the key, "must be in [0, 1], got 3".
"""

from __future__ import annotations

from typing import Annotated, Any

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


def listed(value: Any) -> Any:
    """Take a list, as TOML and JSON have it, for a tuple."""
    return tuple(value) if isinstance(value, list) else value


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
Names = Annotated[tuple[str, ...], BeforeValidator(one_or_more)]


class Section(BaseModel):
    """A table of settings: frozen, without unknown keys, without silent conversions."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
