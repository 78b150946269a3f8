"""Bicubic sampling along lines and of warped pictures, with the numbers of opencv 4.11, which later releases round
otherwise.
"""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np

from fdgen.arrays import F32, F64, I32, Bools, Image
from fdgen.contract.frame import Frame
from fdgen.runtime.jit import compiled

_PARTS = 32
"""Points are rounded to such parts of a pixel."""

_SHARPNESS = np.float32(-0.75)

_STEPS = 1024
"""Parts of a pixel to which opencv's `warpAffine` rounds places, before they are rounded to `_PARTS`."""
_BEFORE, _AFTER = 3, 4
"""Pixels by which a picture goes on at its border: as many as four neighbours of any point can reach."""


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
                sampled[n, at] = _value_inside(picture_HW, left, top, weights[across], weights[down])
            else:
                sampled[n, at] = _value_at_border(picture_HW, left, top, across, down, weights)
    return sampled


@compiled
def _value_inside(picture_HW: F32, left: int, top: int, across: F32, down: F32) -> np.float32:
    """Sum sixteen neighbours of a point in opencv's order, on which sums of floats depend.

    Args:
        picture_HW: The picture, which has them all.
        left: The column of the first.
        top: Its row.
        across: Weights of the columns (4,).
        down: Weights of the rows (4,).
    """
    total, first = np.float32(0), np.uint64(left)  # unsigned: it does not count from the end
    for k in range(4):
        line, weight = picture_HW[np.uint64(top + k)], down[k]
        a, b = line[first] * (weight * across[0]), line[first + np.uint64(1)] * (weight * across[1])
        c, d = line[first + np.uint64(2)] * (weight * across[2]), line[first + np.uint64(3)] * (weight * across[3])
        total += a + b + c + d
    return total


@compiled
def _value_at_border(picture_HW: F32, left: int, top: int, across: int, down: int, weights: F32) -> np.float32:
    """Do as `_value_inside` where neighbours lie beyond the border, at which the outermost pixel repeats.

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


def add_warped(picture_HWC: Image, change_HWC: F32, matrix: Frame, where_HW: Bools) -> None:
    """Add a change to some pixels of a picture, in place, held to 0..255; it is warped and rounded first.

    Args:
        picture_HWC: The picture.
        change_HWC: The change; beyond its border the outermost pixel repeats.
        matrix: Maps pixels of the change to those of the picture, between centres.
        where_HW: Which pixels of the picture change.
    """
    padded = cv2.copyMakeBorder(change_HWC, _BEFORE, _AFTER, _BEFORE, _AFTER, cv2.BORDER_REPLICATE)
    back = np.asarray(cv2.invertAffineTransform(matrix), np.float64)
    _add_warped(picture_HWC, np.asarray(padded, np.float32), back, where_HW, _weights())


@compiled
def _add_warped(picture_HWC: Image, change_HWC: F32, back: F64, where_HW: Bools, weights: F32) -> None:
    height, width = change_HWC.shape[0] - _BEFORE - _AFTER, change_HWC.shape[1] - _BEFORE - _AFTER
    for y in range(where_HW.shape[0]):
        first_x = int(np.rint((back[0, 1] * y + back[0, 2]) * _STEPS)) + _STEPS // _PARTS // 2
        first_y = int(np.rint((back[1, 1] * y + back[1, 2]) * _STEPS)) + _STEPS // _PARTS // 2
        for x in range(where_HW.shape[1]):
            if not where_HW[y, x]:
                continue
            column_parts = (first_x + int(np.rint(back[0, 0] * x * _STEPS))) // (_STEPS // _PARTS)
            row_parts = (first_y + int(np.rint(back[1, 0] * x * _STEPS))) // (_STEPS // _PARTS)
            across, down = weights[column_parts % _PARTS], weights[row_parts % _PARTS]
            left, top = column_parts // _PARTS - 1, row_parts // _PARTS - 1
            inside = 0 <= left < width - 3 and 0 <= top < height - 3
            first = np.uint64(min(max(left + _BEFORE, 0), width + _BEFORE))  # unsigned, as in `_value_inside`
            row = np.uint64(min(max(top + _BEFORE, 0), height + _BEFORE))
            red, green, blue = np.float32(0), np.float32(0), np.float32(0)
            for k in range(4):
                line = change_HWC[row + np.uint64(k)]
                p, q, r, s = (
                    line[first], line[first + np.uint64(1)], line[first + np.uint64(2)], line[first + np.uint64(3)],
                )  # fmt: skip
                a, b, c, d = down[k] * across[0], down[k] * across[1], down[k] * across[2], down[k] * across[3]
                red = _with_line(red, p[0] * a, q[0] * b, r[0] * c, s[0] * d, inside)
                green = _with_line(green, p[1] * a, q[1] * b, r[1] * c, s[1] * d, inside)
                blue = _with_line(blue, p[2] * a, q[2] * b, r[2] * c, s[2] * d, inside)
            pixel = picture_HWC[y, x]
            pixel[0] = min(255, max(0, pixel[0] + int(np.rint(red))))
            pixel[1] = min(255, max(0, pixel[1] + int(np.rint(green))))
            pixel[2] = min(255, max(0, pixel[2] + int(np.rint(blue))))


@compiled
def _with_line(
    total: np.float32, a: np.float32, b: np.float32, c: np.float32, d: np.float32, inside: bool
) -> np.float32:
    """Add four numbers to a sum in opencv's order, which is another where some neighbours lie beyond the border."""
    if inside:
        return np.float32(total + (a + b + c + d))
    return np.float32(total + a + b + c + d)


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
