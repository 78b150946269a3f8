"""What the variational methods share: they see the inpainted region and a margin, and say whether they converged."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from fdgen.arrays import Bools, Image
from fdtrain.data.pictures import pasted
from fdtrain.inference.finish import membrane
from fdtrain.inference.method import OneByOne

Values = npt.NDArray[Any]
"""Levels and fields, float32 where nothing else is said; what numpy's stubs make of them differs by its version."""

LEAST_PX = 16
"""A coarser level of a picture is made while the shorter side of the window has this many pixels there."""


@dataclass(frozen=True)
class Filled:
    """Levels in [0, 1] of a window, (H, W, 3), and whether the stopping rule was met before the limit of steps."""

    levels_HW3: Values
    converged: bool


class Variational(OneByOne):
    """A method that solves equations in a window around the inpainted region.

    `paper` is where they are from, `deviations` a sentence on each thing that is not as there, `protocol` the settings.
    `n_filled` and `n_unconverged` count the pictures filled since it was made, and those that ended at the limit of
    steps instead of by the stopping rule.
    """

    margin_px: int
    paper: str
    deviations: tuple[str, ...]
    protocol: str

    def __init__(self) -> None:
        self.n_filled = self.n_unconverged = 0

    @abstractmethod
    def solve(self, levels_HW3: Values, hole_HW: Bools) -> Filled:
        """Fill a window: levels in [0, 1], in the hole those of the membrane, and where the hole is."""

    def fill(self, occluded_HWC: Image, mask_HW: Image) -> Image:
        """Return the picture with its hole filled; without a hole, or without surroundings, it is left as it is."""
        hole_HW = mask_HW > 0
        if hole_HW.all() or not hole_HW.any():
            return occluded_HWC
        window = window_of(hole_HW, self.margin_px)
        levels: Values = occluded_HWC[window].astype(np.float32) / 255
        solved = self.solve(membrane(levels, mask_HW[window]), hole_HW[window])
        self.n_filled += 1
        self.n_unconverged += not solved.converged
        filled = occluded_HWC.copy()
        filled[window] = np.rint(solved.levels_HW3 * 255).clip(0, 255).astype(np.uint8)
        return pasted(filled, occluded_HWC, mask_HW)


def window_of(hole_HW: Bools, margin_px: int) -> tuple[slice, slice]:
    """Return rows and columns of the smallest rectangle around the hole with a margin, cut at the picture's edge."""
    spans = []
    for axis, size in enumerate(hole_HW.shape):
        places = np.flatnonzero(hole_HW.any(axis=1 - axis))
        spans.append(slice(max(int(places[0]) - margin_px, 0), min(int(places[-1]) + 1 + margin_px, size)))
    return spans[0], spans[1]


def halved(levels_HW3: Values, hole_HW: Bools) -> tuple[Values, Bools]:
    """Return a window at half its size: means of the known pixels of each 2 × 2, a hole where all four are masked.

    An odd last row or column is repeated. In the hole the levels are those of the membrane.
    """
    high, wide = (size % 2 for size in hole_HW.shape)
    levels = np.pad(levels_HW3, ((0, high), (0, wide), (0, 0)), mode="edge")
    known = 1 - np.pad(hole_HW, ((0, high), (0, wide)), mode="edge").astype(np.float32)
    weight = blocks(known[..., None])
    mean = blocks(levels * known[..., None]) / np.maximum(weight, 1e-6)
    hole = weight[..., 0] == 0
    return membrane(mean.astype(np.float32), hole.astype(np.uint8)), hole


def blocks(values_HWC: Values) -> Values:
    """Return the mean of each 2 × 2 of an even number of rows and columns."""
    high, wide, n = values_HWC.shape
    means: Values = values_HWC.reshape(high // 2, 2, wide // 2, 2, n).mean(axis=(1, 3))
    return means


def doubled(values: Values, size: tuple[int, ...]) -> Values:
    """Return an array of (H, W) or (H, W, C) at twice its size, linear in between, cut to (H, W) of `size`."""
    high, wide = values.shape[:2]
    twice: Values = cv2.resize(values, (2 * wide, 2 * high), interpolation=cv2.INTER_LINEAR)
    return twice[: size[0], : size[1]]


def refined(coarse: Values, levels_HWC: Values, hole_HW: Bools) -> Values:
    """Return where a finer level begins: its known pixels, and in the hole what fills the coarser one."""
    filled: Values = np.where(hole_HW[..., None], doubled(coarse, hole_HW.shape), levels_HWC)
    return filled


def levels_of(levels_HW3: Values, hole_HW: Bools, most: int) -> list[tuple[Values, Bools]]:
    """Return a window at full size and at halves of it, at most `most` in all, the coarsest first.

    A level is left out where a side would have less than `LEAST_PX` pixels, or the hole no surroundings or no pixel.
    """
    pyramid = [(levels_HW3, hole_HW)]
    while len(pyramid) < most and min(pyramid[-1][1].shape) >= 2 * LEAST_PX:
        levels, hole = halved(*pyramid[-1])
        if not hole.any():
            break
        pyramid.append((levels, hole))
    return pyramid[::-1]
