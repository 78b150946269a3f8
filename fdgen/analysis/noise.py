"""Noise measured on flat spots, equally on any surface: `fdgen.synthesis.realism` compares occluder and face by it.

`fdgen.analysis.optics` estimates a photograph's noise to imitate it; this is made to be compared.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fdgen.arrays import F32, Image
from fdgen.runtime.jit import compiled

_BLOCK = 4
"""Side of the blocks in px whose detail is averaged: smaller ones are too few pixels, larger ones miss smooth spots."""
_LEAST_BLOCKS = 40
_DARKEST, _BRIGHTEST = 16.0, 239.0
"""Mean levels of a block between which noise is not cut off by black or white."""
_OF_NOISE = 1.2533 / 6
"""From the mean of |d| to the standard deviation of the noise, d being its product with [1 -2 1]ᵀ[1 -2 1]."""


def luma(image_HWC: Image) -> F32:
    """Return brightness in levels (H, W), not rounded: noise is a matter of fractions of a level."""
    return _luma(image_HWC)


def noise_levels(grey_HW: F32, where_HW: npt.NDArray[np.bool_]) -> float | None:
    """Estimate noise, a standard deviation in levels, where pixels are flat; None where there are too few.

    A diagonal high-pass (Immerkaer, 1996) is averaged over blocks that lie wholly in `where_HW`; the quieter half of
    them counts, which leaves out pores, lashes, seams and edges. The estimate is low by as much on any kind of surface,
    so that only ratios of two of them are meant.
    """
    blocks = _block_noise(grey_HW, where_HW, _BLOCK, _DARKEST, _BRIGHTEST)
    if len(blocks) < _LEAST_BLOCKS:
        return None
    quiet = np.partition(blocks, len(blocks) // 2)[: len(blocks) // 2]
    return float(quiet.mean()) * _OF_NOISE


@compiled
def _luma(image: Image) -> F32:
    height, width = image.shape[0], image.shape[1]
    out = np.empty((height, width), np.float32)
    for y in range(height):
        for x in range(width):
            out[y, x] = 0.299 * image[y, x, 0] + 0.587 * image[y, x, 1] + 0.114 * image[y, x, 2]
    return out


@compiled
def _block_noise(
    grey: F32, where: npt.NDArray[np.bool_], side: int, darkest: float, brightest: float
) -> npt.NDArray[np.float64]:
    """Return the mean |high-pass| of each block that lies, with the pixels round it, in `where` and is not cut off."""
    height, width = grey.shape
    found = np.empty((height // side) * (width // side), np.float64)
    n = 0
    for top in range(1, height - side, side):
        for left in range(1, width - side, side):
            whole, level = True, 0.0
            for y in range(top - 1, top + side + 1):
                for x in range(left - 1, left + side + 1):
                    whole = whole and where[y, x]
                if not whole:
                    break
            if not whole:
                continue
            total = 0.0
            for y in range(top, top + side):
                for x in range(left, left + side):
                    across = 2.0 * grey[y, x] - grey[y, x - 1] - grey[y, x + 1]
                    above = 2.0 * grey[y - 1, x] - grey[y - 1, x - 1] - grey[y - 1, x + 1]
                    below = 2.0 * grey[y + 1, x] - grey[y + 1, x - 1] - grey[y + 1, x + 1]
                    total += abs(2.0 * across - above - below)
                    level += grey[y, x]
            level /= side * side
            if darkest <= level <= brightest:
                found[n] = total / (side * side)
                n += 1
    return found[:n]
