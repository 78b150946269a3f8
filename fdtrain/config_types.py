"""What settings are made of: numbers with their laws, lists, and tables that know no other key."""

from __future__ import annotations

import math
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field


def within(low: float, high: float) -> AfterValidator:
    """Return the law that a number lies in [low, high]."""

    def check(value: float) -> float:
        if not low <= value <= high:
            raise ValueError(f"must be in [{low:g}, {high:g}], got {min(max(value, -1.7e308), 1.7e308):g}")
        return value + 0  # -0.0 and 0.0 are one value, and must have one digest

    return AfterValidator(check)


def at_least(low: float) -> AfterValidator:
    """Return the law that a number is no smaller."""
    return within(low, math.inf)


def above_zero(value: float) -> float:
    """Refuse what is not positive."""
    if value <= 0:
        raise ValueError(f"must be greater than 0, got {min(max(value, -1.7e308), 1.7e308):g}")
    return value


def listed(value: Any) -> Any:
    """Take a list, as TOML and JSON have it, for a tuple."""
    return tuple(value) if isinstance(value, list) else value


def of_length(n: int, what: str) -> AfterValidator:
    """Return the law that a tuple has `n` values, `what` in words."""

    def check(values: tuple[Any, ...]) -> tuple[Any, ...]:
        if len(values) != n:
            raise ValueError(f"must have {what}, got {list(values)}")
        return values

    return AfterValidator(check)


def none_from_text(value: Any) -> Any:
    """Read "none": TOML has no null."""
    return None if value == "none" else value


Number = Annotated[float, Field(allow_inf_nan=False)]
Share = Annotated[Number, within(0, 1)]
Weight = Annotated[Number, at_least(0)]
Count = Annotated[int, at_least(1)]
Positive = Annotated[Number, AfterValidator(above_zero)]
Betas = Annotated[tuple[Annotated[Number, within(0, 0.9999)], ...], BeforeValidator(listed), of_length(2, "two values")]
Rates = Annotated[tuple[Count, ...], BeforeValidator(listed), Field(max_length=64)]
Names = Annotated[tuple[str, ...], BeforeValidator(listed)]


class Section(BaseModel):
    """A table of settings: frozen, without unknown keys, without silent conversions."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
