"""Bicubic sampling along lines, with the numbers of opencv 4.11's `remap`, which later releases round otherwise."""

from __future__ import annotations

from functools import cache

import numpy as np

from fdgen.arrays import F32, I32
from fdgen.runtime.jit import compiled

_PARTS = 32
"""Points are rounded to such parts of a pixel."""

_SHARPNESS = np.float32(-0.75)


def sample_lines(picture_HW: F32, columns: I32, rows: I32, steps_N2: F32, offsets: F32) -> F32:
    """Return a picture's values (N, P) along N lines; beyond its border the outermost pixel repeats.

    Args:
        picture_HW: The picture.
        columns: Where each line has its middle (N,), in whole pixels.
        rows: The rows of the middles (N,), in whole pixels.
        steps_N2: Its direction, right and down, of length 1.
        offsets: Distances (P,) from its middle, in pixels.
    """
    return _sample_lines(np.ascontiguousarray(picture_HW), columns, rows, steps_N2, offsets, _weights())


@compiled
def _sample_lines(picture_HW: F32, columns: I32, rows: I32, steps_N2: F32, offsets: F32, weights: F32) -> F32:
    high, wide = picture_HW.shape
    sampled = np.empty((columns.size, offsets.size), np.float32)
    for n in range(columns.size):
        for at in range(offsets.size):
            x = np.float32(columns[n] + np.float64(steps_N2[n, 0] * offsets[at])) * np.float32(_PARTS)
            y = np.float32(rows[n] + np.float64(steps_N2[n, 1] * offsets[at])) * np.float32(_PARTS)
            column_parts, row_parts = int(np.rint(x)), int(np.rint(y))
            left, top = column_parts // _PARTS - 1, row_parts // _PARTS - 1
            across, down = column_parts % _PARTS, row_parts % _PARTS
            if 0 <= left < wide - 3 and 0 <= top < high - 3:
                sampled[n, at] = _value_inside(picture_HW, left, top, across, down, weights)
            else:
                sampled[n, at] = _value_at_border(picture_HW, left, top, across, down, weights)
    return sampled


@compiled
def _value_inside(picture_HW: F32, left: int, top: int, across: int, down: int, weights: F32) -> np.float32:
    """Sum sixteen neighbours of a point in opencv's order, on which sums of floats depend.

    Args:
        picture_HW: The picture, which has them all.
        left: The column of the first.
        top: Its row.
        across: Which weights are those of the columns.
        down: Which are those of the rows.
        weights: Of four neighbours for each part of a pixel.
    """
    total = np.float32(0)
    for k in range(4):
        line = np.float32(0)
        for j in range(4):
            line += picture_HW[top + k, left + j] * (weights[down, k] * weights[across, j])
        total += line
    return total


@compiled
def _value_at_border(picture_HW: F32, left: int, top: int, across: int, down: int, weights: F32) -> np.float32:
    """Do as `_value_inside` where some neighbours lie beyond the border, at which the outermost pixel repeats.

    Args:
        picture_HW: The picture.
        left: The column of the first neighbour.
        top: Its row.
        across: Which weights are those of the columns.
        down: Which are those of the rows.
        weights: Of four neighbours for each part of a pixel.
    """
    high, wide = picture_HW.shape
    total = np.float32(0)
    for k in range(4):
        row = min(max(top + k, 0), high - 1)
        line = np.float32(0)
        for j in range(4):
            column = min(max(left + j, 0), wide - 1)
            line += picture_HW[row, column] * (weights[down, k] * weights[across, j])
        total += line
    return total


@cache
def _weights() -> F32:
    """Return the weights of four neighbours (32, 4) of Keys' cubic for each part of a pixel."""
    at, one = np.arange(_PARTS, dtype=np.float32) / np.float32(_PARTS), np.float32(1)
    a, left = _SHARPNESS, one - at
    outer = ((a * (at + one) - 5 * a) * (at + one) + 8 * a) * (at + one) - 4 * a
    inner = ((a + 2) * at - (a + 3)) * at * at + one
    following = ((a + 2) * left - (a + 3)) * left * left + one
    weights: F32 = np.stack([outer, inner, following, one - outer - inner - following], 1).astype(np.float32)
    return weights
