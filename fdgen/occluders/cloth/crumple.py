"""The facets of cloth that is stiff as paper: nonwoven cloth breaks into planes with sharp creases between."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np

from fdgen.arrays import F32, F64
from fdgen.occluders.cloth.relief import TILE, Texels, sample_tile

_UNITS = 16.0
"""Units of coordinates from one side of the tile to the other."""
_TILE_CM = (19.0, 14.0)
"""Width and height of the tile on the cloth: folds run across more often than down."""
_CORNERS = (60, 420)
"""Corners of the facets, of the coarse ones and of the fine."""
_FINE = 0.5
"""Height of the fine facets over that of the coarse."""
_HELD_CM = 1.1
"""Hem and welds hold the cloth flat up to here."""


def crumple(texels: Texels, seed: float, high_cm: float) -> F32:
    """Return the height (h, w) in cm of facets whose standard deviation is `high_cm`; none at the edges."""
    x, y = (field * np.float32(_UNITS / cm) for field, cm in ((texels.across, _TILE_CM[0]), (texels.down, _TILE_CM[1])))
    found = sample_tile(_facets(), x, y, np.float32(seed * TILE))
    found *= np.float32(high_cm) * np.minimum(texels.rim / np.float32(_HELD_CM), 1)
    return found


@cache
def _facets() -> F32:
    """Make a periodic tile of facets of unit variance; the same in every process."""
    rng = np.random.default_rng(2077)
    tile = _planes(rng, _CORNERS[0]) + np.float32(_FINE) * _planes(rng, _CORNERS[1])
    tile -= tile.mean()
    return np.ascontiguousarray(tile / tile.std(), np.float32)


def _planes(rng: np.random.Generator, n: int) -> F32:
    """Return heights (TILE, TILE) of a triangulated surface through `n` random corners, periodic both ways."""
    corners, heights = rng.uniform(0, TILE, (n, 2)), rng.standard_normal(n)
    turns = np.array([(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1)])
    every = ((corners[None] + TILE * turns[:, None]).reshape(-1, 2)).astype(np.float32)
    height_at = {(float(x), float(y)): float(heights[k % n]) for k, (x, y) in enumerate(every)}
    net = cv2.Subdiv2D((-TILE, -TILE, 3 * TILE, 3 * TILE))
    net.insert([(float(x), float(y)) for x, y in every])
    found = np.zeros((TILE, TILE), np.float32)
    for triangle in np.asarray(net.getTriangleList(), np.float32).reshape(-1, 3, 2):
        known = [height_at.get((float(x), float(y))) for x, y in triangle]
        if None not in known and (triangle.min(0) < TILE).all() and (triangle.max(0) > 0).all():
            _fill(found, triangle.astype(np.float64), np.array(known, np.float64))
    return found


def _fill(found: F32, triangle: F64, heights: F64) -> None:
    """Set the heights inside a triangle (3, 2) whose corners have `heights` (3,), in place."""
    low, high = (
        np.clip(np.floor(triangle.min(0)), 0, TILE).astype(int),
        np.clip(triangle.max(0) + 1, 0, TILE).astype(int),
    )
    x, y = np.meshgrid(np.arange(low[0], high[0]), np.arange(low[1], high[1]))
    a, b, c = triangle
    area = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
    if x.size == 0 or abs(area) < 1e-6:
        return
    v = ((x - a[0]) * (c[1] - a[1]) - (y - a[1]) * (c[0] - a[0])) / area
    w = ((b[0] - a[0]) * (y - a[1]) - (b[1] - a[1]) * (x - a[0])) / area
    inside = (v >= -1e-6) & (w >= -1e-6) & (v + w <= 1 + 1e-6)
    level = heights[0] + v * (heights[1] - heights[0]) + w * (heights[2] - heights[0])
    part = found[low[1] : high[1], low[0] : high[0]]
    part[inside] = level[inside]
