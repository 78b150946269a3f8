"""The edges of a photograph: their blur, and the halo that sharpening and resizing leave on either side."""

from __future__ import annotations

from functools import cache
from math import erf

import cv2
import numpy as np
import numpy.typing as npt

from fdgen.analysis.bicubic import sample_lines
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
"""What may remain of variation beside an edge, as a share of its step, for its profile to be one edge's alone."""
_FEWEST = 8
_SHARP_SHARE = 25.0
"""Percentile of edge widths that counts as in focus: sharper ones are drawn lines and luck, softer ones form."""
_LEVELS = (0.2, 0.8)


def edge_spread(grey_HW: F32, zoom: float) -> tuple[float, float]:
    """Measure blur, as the sigma of a Gaussian in px, and halo, the amount of unsharp masking, at the edges in focus.

    `zoom` is how many px of the picture one px of its source became: an enlarged picture's edges are wider. Profiles
    are sampled across the steepest edges; of those that are one clean step, the narrower tell width and overshoot.
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
    typical = np.median(profiles[width <= sharp * 1.1], 0)
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
    slope = np.sqrt(dx * dx + dy * dy)  # `cv2.magnitude` rounds by where its arrays lie in memory
    places = _crests(dx, dy, slope, int(np.ceil(reach_px)) + 2)
    strength = slope[places[:, 1], places[:, 0]]
    strongest = np.argsort(-strength, kind="stable")[:_MOST_EDGES]
    columns, rows = places[strongest].T.copy()
    steps = np.stack([dx[rows, columns], dy[rows, columns]], 1) / strength[strongest, None]
    offsets = np.arange(-reach_px, reach_px + 0.01, _STEP_PX, dtype=np.float32)
    offsets -= offsets[len(offsets) // 2]
    # First their ends, which tell whether the rest is wanted.
    plateau = int(0.3 * reach_px / _STEP_PX)
    ends = sample_lines(grey_HW, columns, rows, steps, np.concatenate([offsets[:plateau], offsets[-plateau:]]))
    dark, bright = ends[:, :plateau], ends[:, plateau:]
    base = dark.mean(1)
    rise = bright.mean(1) - base
    uneven = np.maximum(dark.std(1), bright.std(1))
    clean = (rise > _LEAST_STEP_LEVELS) & (uneven < _UNEVEN * rise)
    middle = sample_lines(grey_HW, columns[clean], rows[clean], steps[clean], offsets[plateau:-plateau])
    seen = np.concatenate([dark[clean], middle, bright[clean]], 1)
    return (seen - base[clean, None]) / rise[clean, None], offsets


@compiled
def _crests(dx_HW: F32, dy_HW: F32, slope_HW: F32, border: int) -> I32:
    """Return where the slope is steep, and steepest along its own direction: columns and rows (N, 2), row by row."""
    height, width = slope_HW.shape
    found = np.empty((height * width, 2), np.int32)
    n = 0
    for y in range(border, height - border):
        for x in range(border, width - border):
            slope = slope_HW[y, x]
            if slope <= _LEAST_SLOPE:
                continue
            right, down = int(np.rint(dx_HW[y, x] / slope)), int(np.rint(dy_HW[y, x] / slope))
            if slope >= slope_HW[y + down, x + right] and slope > slope_HW[y - down, x - right]:
                found[n, 0], found[n, 1] = x, y
                n += 1
    return found[:n]


def _between(profiles: F32, offsets: F32, left: F32, right: F32) -> F32:
    """Refine two crossings, found on the grid of offsets, by the slope beside each: the distance between them."""
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
    rising = np.abs(at) < 1.2  # monotone there whatever the amount
    widths = np.array([np.diff(np.interp(_LEVELS, edge[rising], at[rising]))[0] for edge in edges])
    return amounts, overshoots, widths
