"""What the assets of props have in common: names drawn from tables of weights, outlines as rows, chances."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import numpy as np

from fdgen.runtime.rng import draw_key
from fdgen.settings.values import Number, rows

Profile = Annotated[tuple[tuple[Number, Number], ...], rows(2, least=2)]
"""Radius and height, from below."""


def happens(chance: float, rng: np.random.Generator) -> bool:
    """Draw whether a chance comes true."""
    return bool(rng.random() < chance)


def pick(weights: Mapping[str, float], rng: np.random.Generator) -> str:
    """Draw a name of a table of weights."""
    return draw_key(rng, dict(sorted(weights.items())))
