"""The kinds of value that a recipe holds, each with the law that it must keep."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field


def within(low: float, high: float) -> AfterValidator:
    """Ask for a number in [low, high]."""

    def check(value: float) -> float:
        if not low <= value <= high:
            raise ValueError(f"must be in [{low:g}, {high:g}], got {min(max(value, -1.7e308), 1.7e308):g}")
        return value + 0  # -0.0 and 0.0 are one value, and must have one digest

    return AfterValidator(check)


def at_least(low: int) -> AfterValidator:
    """Ask for a number that is not smaller."""

    def check(value: int) -> int:
        if value < low:
            raise ValueError(f"must be {low} or more, got {min(max(value, -1.7e308), 1.7e308):g}")
        return value

    return AfterValidator(check)


def above_zero(value: float) -> float:
    """Refuse 0 and less."""
    if value <= 0:
        raise ValueError(f"must be greater than 0, got {min(max(value, -1.7e308), 1.7e308):g}")
    return value


MOST_WEIGHT = 1e6  # only ratios count, and sums of weights must stay finite


def _weight(value: float) -> float:
    if value < 0:
        raise ValueError(f"must be 0 or more, got {min(max(value, -1.7e308), 1.7e308):g}")
    if value > MOST_WEIGHT:
        raise ValueError(f"must be {MOST_WEIGHT:,.0f} or less, got {min(max(value, -1.7e308), 1.7e308):g}")
    return value + 0


def _names(value: Any) -> Any:
    if isinstance(value, str):
        return (value,)
    return tuple(value) if isinstance(value, list) else value


Number = Annotated[float, Field(allow_inf_nan=False)]
Share = Annotated[Number, within(0, 1)]
Weight = Annotated[Number, AfterValidator(_weight)]
Names = Annotated[tuple[str, ...], BeforeValidator(_names)]


class Section(BaseModel):
    """A table of a recipe: immutable, without keys that it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
