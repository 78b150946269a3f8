"""Where a triangle lies on the grid of samples, for the rasterisers."""

from __future__ import annotations

from typing import Any

import numpy as np

from fdgen.arrays import F32
from fdgen.runtime.jit import compiled


@compiled
def triangle_setup(points: F32, i: int, j: int, k: int, height: int, width: int) -> Any:
    """Return what rasterising a triangle of screen points needs.

    First the columns and rows that it touches, both ends included: left, right, top, bottom. Then ax, ay, bx, by: at
    (x, y) from its third corner, the weights of the first two are ax * x + ay * y and bx * x + by * y. A triangle
    without area touches nothing: right is less than left.

    Args:
        points: Screen points, float32 (N, 3): x right, y down in pixels, z towards the viewer.
        i: The point that is its first corner.
        j: The second.
        k: The third.
        height: Of the picture, in pixels.
        width: Of the picture, in pixels.
    """
    x0, y0 = points[i, 0], points[i, 1]
    x1, y1 = points[j, 0], points[j, 1]
    x2, y2 = points[k, 0], points[k, 1]
    det = (y1 - y2) * (x0 - x2) + (x2 - x1) * (y0 - y2)
    left = max(0, int(np.ceil(min(x0, x1, x2) - 0.75)))
    right = min(width - 1, int(np.floor(max(x0, x1, x2) - 0.25)))
    top = max(0, int(np.ceil(min(y0, y1, y2) - 0.75)))
    bottom = min(height - 1, int(np.floor(max(y0, y1, y2) - 0.25)))
    if abs(det) < 1e-9:
        none = np.float32(0.0)
        return left, left - 1, top, bottom, none, none, none, none
    return left, right, top, bottom, (y1 - y2) / det, (x2 - x1) / det, (y2 - y0) / det, (x0 - x2) / det
