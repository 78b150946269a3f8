"""The quality of a predicted silhouette: region, boundary, and calibration of the probabilities.

Masks are bool `_HW`; probabilities float `_HW` in [0, 1].
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import cv2
import numpy as np
import numpy.typing as npt

from fdgen.arrays import F32, Bools

EVEN = 0.5
"""Where a pixel is as likely an occluder's as not: regions and boundaries are those of what is likelier."""

TOLERANCE = 0.0075
"""How far boundaries may lie apart and still meet, as a share of the picture's diagonal: Csurka et al. 2013, "What is a
good evaluation measure for semantic segmentation?", section 3; 1 px at 96 px, 1.4 px at 128 px."""

N_BINS = 15
"""Bins of equal width over [0, 1], as in Guo et al. 2017, "On Calibration of Modern Neural Networks"."""


def iou(found_HW: Bools, truth_HW: Bools, counts_HW: Bools | None = None) -> float:
    """Return intersection over union, of the pixels that count; 1 where both are empty.

    >>> iou(np.array([True, True, False]), np.array([False, True, True]))
    0.3333333333333333
    """
    if counts_HW is not None:
        found_HW, truth_HW = found_HW & counts_HW, truth_HW & counts_HW
    union = int((found_HW | truth_HW).sum())
    return float((found_HW & truth_HW).sum() / union) if union else 1.0


def boundary_f(found_HW: Bools, truth_HW: Bools, *, tolerance_px: float | None = None) -> float:
    """Return the F1 of the boundaries: the share of ours near the truth's, and of the truth's near ours.

    A boundary is the pixels of a region that one of their four neighbours in the picture does not belong to: where the
    picture ends there is none. Near is within `tolerance_px`, by default `TOLERANCE` of the diagonal. 1 where neither
    has a boundary, 0 where one has none.
    """
    if tolerance_px is None:
        tolerance_px = TOLERANCE * math.hypot(*found_HW.shape)
    ours_HW, theirs_HW = boundary(found_HW), boundary(truth_HW)
    if not ours_HW.any() or not theirs_HW.any():
        return float(ours_HW.any() == theirs_HW.any())
    precision = float((_distance(theirs_HW)[ours_HW] <= tolerance_px).mean())
    recall = float((_distance(ours_HW)[theirs_HW] <= tolerance_px).mean())
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def boundary(region_HW: Bools) -> Bools:
    """Return the pixels of a region with a neighbour above, below, left or right that is not of it."""
    cross = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], np.uint8)
    whole = region_HW.astype(np.uint8)
    inner = cv2.erode(whole, cross, borderType=cv2.BORDER_CONSTANT, borderValue=(1,))
    return np.asarray(whole > inner, np.bool_)


def _distance(marked_HW: Bools) -> npt.NDArray[np.float32]:
    unmarked = (~marked_HW).astype(np.uint8)
    found = cv2.distanceTransform(unmarked, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.asarray(found, np.float32)


@dataclass
class Calibration:
    """Counts of pixels by predicted probability: how many, the sum of their probabilities, how many are true."""

    n: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros(N_BINS))
    predicted: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros(N_BINS))
    true: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros(N_BINS))

    def add(self, probability_HW: F32, truth_HW: Bools) -> None:
        """Count the pixels of a picture."""
        probability = probability_HW.ravel().astype(np.float64)
        places = np.minimum((probability * N_BINS).astype(np.int64), N_BINS - 1)
        self.n += np.bincount(places, minlength=N_BINS)
        self.predicted += np.bincount(places, probability, minlength=N_BINS)
        self.true += np.bincount(places, truth_HW.ravel().astype(np.float64), minlength=N_BINS)

    @property
    def error(self) -> float:
        """The expected calibration error: the mean gap of a bin between predicted and true share, weighted by pixels.

        NaN before anything was counted.
        """
        total = self.n.sum()
        return float(np.abs(self.predicted - self.true).sum() / total) if total else float("nan")
