"""Histograms of oriented gradients (Dalal and Triggs 2005), with the numbers of opencv's `HOGDescriptor`.

opencv 5 has none, and the classifier of `models` was trained on its numbers. So its choices are kept: the
channel with the steepest gradient, nine directions without sign, an angle by a polynomial that errs by 0.01 degrees,
blocks of two by two cells half a block apart, and blocks and cells listed column by column.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from fdgen.arrays import F32, F64, I32, Image
from fdgen.runtime.jit import compiled

CELL_PX, BINS = 8, 9
_BLOCK_PX = 2 * CELL_PX
_CLIPPED = 0.2
"""No bin of a block counts for more than this share of its length."""

_SIDE = 2 * 255 + 1  # of the table of gradients
_ARCTANGENT = tuple(
    np.float32(part * 180 / np.pi)
    for part in (-0.04432655554792128, 0.1555786518463281, -0.3258083974640975, 0.9997878412794807)
)
"""Of the ratio's seventh, fifth, third and first power, in degrees."""


def gradient_histograms(picture_HWC: Image) -> F32:
    """Return the histograms of a square picture, whose side is a multiple of 8 px, as one row.

    36 numbers a block: its cells column by column, nine bins each. Equal to `HOGDescriptor` to within 1e-5.
    """
    size = picture_HWC.shape[0]
    spread = _binned(np.ascontiguousarray(picture_HWC), *_by_gradient(), _SIDE)
    cells = _cells(size)  # (cells of all blocks, pixels)
    n_blocks = cells.shape[0] // 2
    down = (cells @ spread).reshape(-1, size, BINS)
    sums = np.matmul(cells, down)  # (rows, columns, bins) of cells
    blocks = sums.reshape(n_blocks, 2, n_blocks, 2, BINS).transpose(2, 0, 3, 1, 4).reshape(n_blocks**2, 4 * BINS)
    blocks = np.minimum(blocks / (_norm(blocks) + 4 * BINS * 0.1), _CLIPPED)
    histograms: F32 = (blocks / (_norm(blocks) + 1e-3)).astype(np.float32).ravel()
    return histograms


@compiled
def _binned(picture: Image, bins: I32, parts: F32, side: int) -> F64:
    """Return each pixel's gradient in its bins (H, W * BINS), of the channel where it is longest.

    Args:
        picture: The picture (H, W, 3); beyond its border it is mirrored.
        bins: The lower of two bins of a gradient, as `_by_gradient` lists them.
        parts: What falls in both (2, gradients).
        side: Of the square table of gradients.
    """
    height, width = picture.shape[0], picture.shape[1]
    out = np.zeros((height, width * BINS))
    for y in range(height):
        above, below = abs(y - 1), min(y + 1, 2 * height - 3 - y)
        for x in range(width):
            before, after = abs(x - 1), min(x + 1, 2 * width - 3 - x)
            steepest, gradient = -1, 0
            for q in range(3):  # of equals, the first
                across = int(picture[y, after, q]) - int(picture[y, before, q])
                down = int(picture[below, x, q]) - int(picture[above, x, q])
                squared = across * across + down * down
                if squared > steepest:
                    steepest, gradient = squared, (down + side // 2) * side + across + side // 2
            lower = bins[gradient]
            out[y, x * BINS + lower] = parts[0, gradient]
            out[y, x * BINS + (lower + 1) % BINS] = parts[1, gradient]
    return out


@cache
def _by_gradient() -> tuple[I32, F32]:
    """Return the lower of two bins of every gradient that levels can have, and what falls in both, (2, gradients)."""
    levels = np.arange(-255, 256, dtype=np.float32)
    across, down = np.tile(levels, _SIDE), np.repeat(levels, _SIDE)
    place = _degrees(across, down) * np.float32(BINS / 180) - np.float32(0.5)
    lower = np.floor(place)
    length = np.sqrt(across * across + down * down)
    return lower.astype(np.int32) % BINS, np.stack([length * (1 - (place - lower)), length * (place - lower)])


def _degrees(across: F32, down: F32) -> F32:
    """Return the directions of gradients, from 0 to 360."""
    wide, high = np.abs(across), np.abs(down)
    ratio = np.minimum(wide, high) / (np.maximum(wide, high) + np.float32(np.finfo(np.float64).eps))
    squared = ratio * ratio
    seventh, fifth, third, first = _ARCTANGENT
    angle = (((seventh * squared + fifth) * squared + third) * squared + first) * ratio
    angle = np.where(wide >= high, angle, np.float32(90) - angle)
    angle = np.where(across < 0, np.float32(180) - angle, angle)
    degrees: F32 = np.where(down < 0, np.float32(360) - angle, angle)
    return degrees


@cache
def _cells(size_px: int) -> F64:
    """Return the weight of each pixel of a row in the cells of every block: more near their middles and the block's."""
    pixel = np.arange(_BLOCK_PX)
    place = (pixel + 0.5) / CELL_PX - 0.5
    near = np.stack([np.clip(1 - np.abs(place - cell), 0, 1) for cell in (0, 1)])
    near *= np.exp(-((pixel - _BLOCK_PX / 2) ** 2) / (2 * (_BLOCK_PX / 4) ** 2))
    n_blocks = size_px // CELL_PX - 1
    cells = np.zeros((n_blocks, 2, size_px))
    for block in range(n_blocks):
        cells[block, :, block * CELL_PX : block * CELL_PX + _BLOCK_PX] = near
    return cells.reshape(2 * n_blocks, size_px)


def _norm(blocks: F64) -> F64:
    length: F64 = np.sqrt((blocks * blocks).sum(axis=1, keepdims=True))
    return length
