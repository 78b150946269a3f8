"""Things that shiny surfaces mirror, laid over a map of the place by latitude and longitude, with smooth edges."""

from __future__ import annotations

import math
from functools import cache

import cv2
import numpy as np

from fdgen.arrays import F32, F64, Image
from fdgen.runtime.jit import compiled

_BITS = 4
"""Of a pixel's fraction, in coordinates of shapes."""
_ROUND = np.stack([np.cos(np.arange(20) * (2 * np.pi / 20)), np.sin(np.arange(20) * (2 * np.pi / 20))], -1)
"""A circle."""
_GROUPS = 260
"""Groups of small things all round on the land: trees, trunks, cars, tables, people."""
_FINER = 2
"""How many times finer than the map small things are drawn."""


def quad(middle: float, top: float, width: float, height: float, lean: float, skew: float) -> F64:
    """Return the corners (4, 2), as shares of a map, of an upright sheet that is seen aslant.

    Args:
        middle: Place of its middle across.
        top: Place of its upper edge.
        width: Its width.
        height: Its height.
        lean: How far its upper edge is moved aside, in widths.
        skew: How much higher its left side is than its right, as a share.
    """
    left, right, aside = middle - width / 2, middle + width / 2, lean * width
    more, less = 0.5 * height * (1 + skew), 0.5 * height * (1 - skew)
    centre = top + 0.5 * height
    return np.array(
        [
            (left + aside, centre - more),
            (right + aside, centre - less),
            (right - aside, centre + less),
            (left - aside, centre + more),
        ]
    )


def oval(middle: float, centre: float, width: float, height: float) -> F64:
    """Return the outline (20, 2) of an ellipse, as shares of a map."""
    outline: F64 = _ROUND * (0.5 * width, 0.5 * height) + (middle, centre)
    return outline


def crown(middle: float, top: float, width: float, height: float, rng: np.random.Generator) -> F64:
    """Return the ragged outline (24, 2) of a tree or a hill, as shares of a map.

    Args:
        middle: Where its middle is.
        top: Where it begins.
        width: How wide it is.
        height: How tall it is.
        rng: Draws how ragged it is.
    """
    angle = np.arange(24) * (2 * np.pi / 24)
    waves = rng.normal(0.0, (0.1, 0.08, 0.06, 0.05), 4)
    turns = rng.uniform(0, 2 * np.pi, 4)
    reach = 0.5 * (1 + np.cos(angle[:, None] * (2, 3, 5, 7) + turns) @ waves)
    return np.column_stack(
        [middle + width * reach * np.cos(angle), top + 0.5 * height + height * reach * np.sin(angle)]
    )


def lay(painted: F32, outline: F64, level: float, share: float, *, soft_px: float = 0.0, fade: float = 0.0) -> None:
    """Lay a shape over a map (rows, columns, 3) in place: `share` of it hides what was there.

    Args:
        painted: The map.
        outline: Corners (N, 2), as shares of the map's width and height; what reaches over its edges is cut there.
        level: Light that the shape sends.
        share: How much it hides.
        soft_px: Standard deviation of its edge.
        fade: How much darker its lower edge is than its upper one, as a share.
    """
    rows, columns = painted.shape[:2]
    points = outline * (columns, rows) - 0.5
    (first_x, first_y), (last_x, last_y) = points.min(0).tolist(), points.max(0).tolist()
    margin = 1 + round(3 * soft_px)
    left, top = max(math.floor(first_x) - margin, 0), max(math.floor(first_y) - margin, 0)
    right, bottom = min(math.ceil(last_x) + margin + 1, columns), min(math.ceil(last_y) + margin + 1, rows)
    if right <= left or bottom <= top:
        return
    mask = np.zeros((bottom - top, right - left), np.uint8)
    corners = np.round((points - (left, top)) * (1 << _BITS)).astype(np.int32)
    cv2.fillPoly(mask, [corners], (255,), cv2.LINE_AA, _BITS)
    if soft_px > 0:
        mask = np.asarray(cv2.GaussianBlur(mask, (0, 0), soft_px), np.uint8)
    _blend(painted, mask, top, left, np.float32(level), np.float32(share), np.float32(fade))


@compiled
def _blend(
    painted: F32, mask: Image, row0: int, column0: int, level: np.float32, share: np.float32, fade: np.float32
) -> None:
    """Blend light into a map (rows, columns, K) in place where a mask (h, w), 0 to 255, is; it fades downwards."""
    h, w = mask.shape
    for i in range(h):
        light = level * (np.float32(1) - fade * np.float32(i) / np.float32(max(1, h - 1)))
        for j in range(w):
            weight = share * np.float32(mask[i, j]) / np.float32(255)
            if weight > np.float32(0):
                for q in range(painted.shape[2]):
                    painted[row0 + i, column0 + j, q] += weight * (light - painted[row0 + i, column0 + j, q])


@cache
def small_things(rows: int, columns: int) -> F32:
    """Brightness (rows, columns), 1 in the mean, of a place full of things; the same in every process.

    They are in groups: upright near the horizon, as trees, posts and people are, and flat and wide on the ground before
    it, as kerbs, shadows and cars are. The left edge goes on at the right one.
    """
    rng = np.random.default_rng(1702)
    found = np.ones((_FINER * rows, _FINER * columns, 1), np.float32)
    for _ in range(_GROUPS):
        middle, spread = rng.uniform(0, 1), rng.uniform(0.008, 0.04)
        foot = rng.beta(1.3, 2.2)  # 0 on the horizon, 1 before one's feet
        near = (0.7 + 1.6 * foot) / columns
        for _ in range(int(rng.integers(4, 20))):
            long, short = near * rng.uniform(3.0, 12.0), near * rng.uniform(1.0, 3.2)
            bright = min(np.exp(rng.normal(-0.25, 0.8)), 3.5)
            x = (middle + rng.normal(0.0, spread)) % 1.0
            bottom = 0.5 + 0.45 * foot + rng.normal(0.0, 0.01 + 0.04 * foot)
            width, height = (short, 2 * long) if foot < 0.35 else (long, 2 * short)  # the map is twice as wide as high
            form = rng.random()
            for turn in (-1, 0, 1):
                if form < 0.45:
                    outline = crown(x + turn, bottom - height, 1.3 * width, height, np.random.default_rng(int(1e6 * x)))
                elif form < 0.75:
                    outline = oval(x + turn, bottom - 0.5 * height, 1.2 * width, height)
                else:
                    outline = quad(x + turn, bottom - height, width, height, 0.3 * (form - 0.87), 0.8 * (form - 0.87))
                lay(found, outline, bright, 0.8)
    small = cv2.resize(found[..., 0], (columns, rows), interpolation=cv2.INTER_AREA)
    return np.asarray(small / small[rows // 3 :].mean(), np.float32)
