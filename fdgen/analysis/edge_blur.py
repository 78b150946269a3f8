"""The edges of a photograph: their blur, and the halo that sharpening and resizing leave on either side."""

from __future__ import annotations

from functools import cache
from math import erf

import cv2
import numpy as np
import numpy.typing as npt

from fdgen.analysis.bicubic import sample_lines
from fdgen.analysis.geometry import median
from fdgen.arrays import F32, I32
from fdgen.runtime.jit import compiled

SHARPEST_PX, SOFTEST_PX = 0.3, 6.0
MOST_HALO = 1.2
"""Sharpening past this would ring; more of an overshoot than it gives (an eighth of the step) is content."""

_WIDE = 2.0
"""Sharpening takes away a blur this much wider than the picture's own: about what unsharp masks and cubics do."""
_STEP_PX = 0.25
_LEAST_STEP_LEVELS = 20.0
_LEAST_SLOPE = 3.0  # levels a px: fainter slopes are shading or texture
_MOST_EDGES = 2000
_UNEVEN = 0.06
"""What may remain of variation next to an edge, as a share of its step, for its profile to be one edge's alone."""
_FEWEST = 8
_SHARP_SHARE = 25.0
"""Percentile of edge widths that counts as in focus: sharper ones are drawn lines and luck, softer ones form."""
_LEVELS = (0.2, 0.8)


def edge_spread(grey_HW: F32, zoom: float) -> tuple[float, float]:
    """Measure blur, as the sigma of a Gaussian in px, and halo, the amount of unsharp masking, at the edges in focus.

    `zoom` is how many px of the picture one px of its source became: an enlarged picture's edges are wider. Profiles
    are sampled across the steepest edges; of those that are one clean step, the narrower give width and overshoot.
    Where too few edges are clean, blur is that of the enlargement alone and halo is none.
    """
    profiles, offsets = _profiles(grey_HW, 2.2 * max(1.0, zoom) + 2.0)
    if len(profiles) < _FEWEST:
        return float(np.clip(0.5 * zoom, SHARPEST_PX, SOFTEST_PX)), 0.0
    middle = len(offsets) // 2
    # From the middle outwards: the last crossing below on the left, the first one above on the right.
    below, above = profiles[:, : middle + 1] < _LEVELS[0], profiles[:, middle:] > _LEVELS[1]
    left = offsets[middle - np.argmax(below[:, ::-1], 1)]
    right = offsets[middle + np.argmax(above, 1)]
    width = _between(profiles, offsets, left, right)
    width = np.where(below.any(1) & above.any(1), width, np.inf)
    sharp = float(np.percentile(width, _SHARP_SHARE, method="nearest"))
    if not np.isfinite(sharp):
        return float(np.clip(0.5 * zoom, SHARPEST_PX, SOFTEST_PX)), 0.0
    typical = median(profiles[width <= sharp * 1.1])
    # The dark side of an edge is often a line (a lash, a frame): the lesser overshoot is the camera's.
    overshoot = max(0.0, float(min(typical.max() - 1.0, -typical.min())))
    amounts, overshoots, widths = _halo_table()
    amount = float(np.interp(overshoot, overshoots, amounts))
    sigma = sharp / float(np.interp(amount, amounts, widths))
    return float(np.clip(sigma, SHARPEST_PX, SOFTEST_PX)), amount


def edge_kernel(blur_px: float, halo: float) -> F32:
    """Return the kernel (K,), to be applied along rows and columns, that draws edges with this blur and halo."""
    reach = int(np.ceil(3.0 * blur_px * (_WIDE if halo > 0.02 else 1.0)))
    at = np.arange(-reach, reach + 1) / blur_px
    narrow, wide = np.exp(-0.5 * at**2), np.exp(-0.5 * (at / _WIDE) ** 2)
    kernel = (1 + halo) * narrow / narrow.sum() - halo * wide / wide.sum()
    return np.asarray(kernel, np.float32)


def _profiles(grey_HW: F32, reach_px: float) -> tuple[F32, F32]:
    """Sample clean steps: profiles (N, P) from 0 on their dark side to 1, and the offsets (P,) across them in px."""
    smooth = np.asarray(cv2.GaussianBlur(grey_HW, (0, 0), 0.7), np.float32)
    dx = np.asarray(cv2.Sobel(smooth, cv2.CV_32F, 1, 0, scale=0.125), np.float32)
    dy = np.asarray(cv2.Sobel(smooth, cv2.CV_32F, 0, 1, scale=0.125), np.float32)
    places, slopes = _crests(dx, dy, int(np.ceil(reach_px)) + 2)
    strongest = _greatest(slopes[:, 2], _MOST_EDGES)
    columns, rows = places[strongest].T.copy()
    steps = slopes[strongest, :2] / slopes[strongest, 2:]
    offsets = np.arange(-reach_px, reach_px + 0.01, _STEP_PX, dtype=np.float32)
    offsets -= offsets[len(offsets) // 2]
    # First their ends, which decide whether the rest is wanted.
    plateau = int(0.3 * reach_px / _STEP_PX)
    ends = sample_lines(grey_HW, columns, rows, steps, np.concatenate([offsets[:plateau], offsets[-plateau:]]))
    clean, base, rise = _clean(ends, np.float32(_LEAST_STEP_LEVELS), np.float32(_UNEVEN))
    middle = sample_lines(grey_HW, columns[clean], rows[clean], steps[clean], offsets[plateau:-plateau])
    seen = np.concatenate([ends[clean, :plateau], middle, ends[clean, plateau:]], 1)
    seen -= base[:, None]
    seen /= rise[:, None]
    return seen, offsets


def _greatest(values: F32, most: int) -> npt.NDArray[np.int64]:
    """Return the places of the greatest values, at most so many, in no order; of equals, the first."""
    if len(values) <= most:
        return np.arange(len(values))
    least = np.partition(values, -most)[-most]
    above, equal = np.flatnonzero(values > least), np.flatnonzero(values == least)
    return np.concatenate([above, equal[: most - len(above)]])


@compiled
def _crests(dx_HW: F32, dy_HW: F32, border: int) -> tuple[I32, F32]:
    """Return where the slope is steep, and steepest along its own direction: columns and rows (N, 2), row by row.

    Also the slope there (N, 3): right, down and in all. `cv2.magnitude` rounds by where its arrays lie in memory.
    """
    height, width = dx_HW.shape
    slope_HW = np.empty((height, width), np.float32)
    steep = 0
    for y in range(height):
        for x in range(width):
            slope_HW[y, x] = np.sqrt(dx_HW[y, x] * dx_HW[y, x] + dy_HW[y, x] * dy_HW[y, x])
            steep += slope_HW[y, x] > _LEAST_SLOPE
    found, slopes = np.empty((steep, 2), np.int32), np.empty((steep, 3), np.float32)
    n = 0
    for y in range(border, height - border):
        for x in range(border, width - border):
            slope = slope_HW[y, x]
            if slope <= _LEAST_SLOPE:
                continue
            right, down = int(np.rint(dx_HW[y, x] / slope)), int(np.rint(dy_HW[y, x] / slope))
            if slope >= slope_HW[y + down, x + right] and slope > slope_HW[y - down, x - right]:
                found[n, 0], found[n, 1] = x, y
                slopes[n, 0], slopes[n, 1], slopes[n, 2] = dx_HW[y, x], dy_HW[y, x], slope
                n += 1
    return found[:n], slopes[:n]


@compiled
def _clean(ends: F32, least_step: np.float32, uneven: np.float32) -> tuple[npt.NDArray[np.int64], F32, F32]:
    """Return which profiles are one clean step, by their ends (N, 2 P), the dark one first; and their base and rise."""
    length = np.float32(ends.shape[1] // 2)
    which = np.empty(ends.shape[0], np.int64)
    base, rise = np.empty(ends.shape[0], np.float32), np.empty(ends.shape[0], np.float32)
    squares = np.empty(ends.shape[1] // 2, np.float32)
    found = 0
    for n in range(ends.shape[0]):
        dark, bright = ends[n, : squares.size], ends[n, squares.size :]
        low, high = _total(dark) / length, _total(bright) / length
        step = high - low
        most = uneven * step
        if step > least_step and _spread(dark, low, squares) < most and _spread(bright, high, squares) < most:
            which[found], base[found], rise[found] = n, low, step
            found += 1
    return which[:found], base[:found], rise[:found]


@compiled
def _spread(values: F32, mean: np.float32, squares: F32) -> np.float32:
    """Return the standard deviation of values, given their mean and room for as many numbers."""
    for at in range(values.size):
        off = values[at] - mean
        squares[at] = off * off
    return np.float32(np.sqrt(_total(squares) / np.float32(values.size)))


@compiled
def _total(values: F32) -> np.float32:
    """Sum at most 128 values in the order in which `np.sum` does."""
    total, whole = np.float32(0), 0
    if values.size >= 8:
        a, b, c, d = values[0], values[1], values[2], values[3]
        e, f, g, h = values[4], values[5], values[6], values[7]
        whole = values.size - values.size % 8
        for at in range(8, whole, 8):
            a, b, c, d = a + values[at], b + values[at + 1], c + values[at + 2], d + values[at + 3]
            e, f, g, h = e + values[at + 4], f + values[at + 5], g + values[at + 6], h + values[at + 7]
        total = ((a + b) + (c + d)) + ((e + f) + (g + h))
    for at in range(whole, values.size):
        total += values[at]
    return total


def _between(profiles: F32, offsets: F32, left: F32, right: F32) -> F32:
    """Refine two crossings, found on the grid of offsets, by the slope next to each: the distance between them."""
    rows = np.arange(len(profiles))
    low = np.clip(np.round((left - offsets[0]) / _STEP_PX).astype(np.int64), 0, len(offsets) - 2)
    high = np.clip(np.round((right - offsets[0]) / _STEP_PX).astype(np.int64), 1, len(offsets) - 1)
    rise_low = np.maximum(profiles[rows, low + 1] - profiles[rows, low], 1e-3)
    rise_high = np.maximum(profiles[rows, high] - profiles[rows, high - 1], 1e-3)
    start = left + _STEP_PX * np.clip((_LEVELS[0] - profiles[rows, low]) / rise_low, 0, 1)
    stop = right - _STEP_PX * np.clip((profiles[rows, high] - _LEVELS[1]) / rise_high, 0, 1)
    return np.asarray(stop - start, np.float32)


@cache
def _halo_table() -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """For amounts of sharpening of an edge of unit sigma: the amounts, their overshoot and the width they leave."""
    at = np.linspace(-6, 6, 1201)
    narrow, wide = (np.array([0.5 + 0.5 * erf(x / (s * 2**0.5)) for x in at]) for s in (1.0, _WIDE))
    amounts = np.linspace(0, MOST_HALO, 25)
    edges = [(1 + amount) * narrow - amount * wide for amount in amounts]
    overshoots = np.array([edge.max() - 1 for edge in edges])
    overshoots[0] = 0.0
    rising = np.abs(at) < 1.2  # monotone there for any amount
    widths = np.array([np.diff(np.interp(_LEVELS, edge[rising], at[rising]))[0] for edge in edges])
    return amounts, overshoots, widths
