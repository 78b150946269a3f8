"""Compiled kernels of visibility: which triangle is seen at each sample, of surfaces with and without holes."""

from __future__ import annotations

from typing import Any

import numpy as np

from fdgen.arrays import F32, I32
from fdgen.runtime.jit import compiled
from fdgen.runtime.step_times import timed_step

Weights = tuple[F32, F32]
"""Where a sample lies in its triangle: the weights of the first two corners, (H, W) each."""

SUPERSAMPLE = 2
"""Samples to a pixel along either axis. Kernels have it as a constant: loops over it are unrolled."""

_ONE, _INSIDE = np.float32(1.0), np.float32(-1e-6)
_NO_AREA = np.float32(1e-9)
_NEAR, _FAR = np.float32(0.25), np.float32(0.75)
"""Where samples lie within their square of the grid, along either axis: see `rasterise`."""

_NONE = np.empty((0, 0), np.float32)
DEPTH_ALONE = (np.empty((0, 0), np.int32), (_NONE, _NONE))
"""What `rasterise` takes last where the depth alone is wanted."""


@compiled
def _weight(px: np.float32, is_odd: Any, slope: np.float32, even: np.float32, odd: np.float32) -> np.float32:
    """Return the weight of a corner at a sample, by its place along a row of its triangle."""
    return slope * px + (even if is_odd == 0 else odd)


def rasterise(points: F32, faces: I32, depth_HW: F32, face_id_HW: I32, weights: Weights) -> None:
    """Draw triangles where they lie nearer than what is drawn already.

    Samples lie on a rotated grid: the four of a pixel have four different rows and columns, so that an edge that runs
    along either axis is as smooth as four samples can make it.

    Args:
        points: Screen points (N, 3): x and y in samples, z towards the viewer.
        faces: Triangles (M, 3), by their points.
        depth_HW: Depth of the nearest surface at each sample; updated.
        face_id_HW: Index of the triangle that is seen; updated. Empty, as `weights`, where the
            depth alone is wanted: see `DEPTH_ALONE`.
        weights: Weights of its first two corners at the sample, two arrays (H, W); updated.
    """
    _rasterise(points, read_only(faces), depth_HW, face_id_HW, weights)


def read_only(faces: I32) -> I32:
    """Return a view that nothing can write to, as triangles of grids are: kernels are compiled anew for another."""
    view = faces.view()
    view.flags.writeable = False
    return view


@compiled
def _rasterise(points: F32, faces: I32, depth_HW: F32, face_id_HW: I32, weights: Weights) -> None:
    """Do what `rasterise` says."""
    height, width = depth_HW.shape
    # For the depth alone samples are chosen, not branched to, so that the compiler does several at once. Where what is
    # seen is named, rows are a few samples long, and most samples miss: to pass those by costs less.
    named = face_id_HW.shape[0] > 0
    first_HW, second_HW = weights
    for t in range(faces.shape[0]):
        i, j, k = faces[t, 0], faces[t, 1], faces[t, 2]
        x2, y2, z2 = points[k, 0], points[k, 1], points[k, 2]
        za, zb = points[i, 2] - z2, points[j, 2] - z2
        left, right, top, bottom, ax, ay, bx, by = triangle_setup(points, i, j, k, height, width)
        if right < left:
            continue
        for y in range(top, bottom + 1):
            shift = (_FAR if y & 1 == 0 else _NEAR) - x2
            even_y, odd_y = np.float32(y) + _NEAR - y2, np.float32(y) + _FAR - y2
            a_even, a_odd, b_even, b_odd = ay * even_y, ay * odd_y, by * even_y, by * odd_y
            if not named:
                depths = depth_HW[y, left : right + 1]
                for n in range(depths.shape[0]):
                    x = np.int32(left + n)
                    px = np.float32(x) + shift
                    a, b = _weight(px, x & 1, ax, a_even, a_odd), _weight(px, x & 1, bx, b_even, b_odd)
                    c, z = _ONE - a - b, a * za + b * zb + z2
                    seen = (a >= _INSIDE) & (b >= _INSIDE) & (c >= _INSIDE) & (z > depths[n])
                    depths[n] = z if seen else depths[n]
                continue
            for column in range(left, right + 1):
                px = np.float32(column) + shift
                a, b = _weight(px, column & 1, ax, a_even, a_odd), _weight(px, column & 1, bx, b_even, b_odd)
                if min(a, b, _ONE - a - b) < _INSIDE:
                    continue
                z = a * za + b * zb + z2
                if z > depth_HW[y, column]:
                    depth_HW[y, column], face_id_HW[y, column] = z, t
                    first_HW[y, column], second_HW[y, column] = a, b


@compiled
def rasterise_cutout(
    points: F32, faces: I32, uv_N2: F32, cutout_HW2: F32, depth_HW: F32, face_id_HW: I32, weights: Weights
) -> None:
    """Draw triangles as `rasterise` does, with holes.

    Args:
        points: Screen points (N, 3): x and y in samples, z towards the viewer.
        faces: Triangles (M, 3), by their points.
        uv_N2: Texture coordinates of the points.
        cutout_HW2: A texture; nothing is there where it is under a half in channel 0.
        depth_HW: Depth of the nearest surface at each sample; updated.
        face_id_HW: Index of the triangle that is seen; updated.
        weights: Weights of its first two corners, two arrays (H, W); updated.
    """
    height, width = depth_HW.shape
    for t in range(faces.shape[0]):
        i, j, k = faces[t, 0], faces[t, 1], faces[t, 2]
        x2, y2, z0, z1, z2 = points[k, 0], points[k, 1], points[i, 2], points[j, 2], points[k, 2]
        left, right, top, bottom, ax, ay, bx, by = triangle_setup(points, i, j, k, height, width)
        for y in range(top, bottom + 1):
            for x in range(left, right + 1):
                px = x + (0.75 if y % 2 == 0 else 0.25) - x2
                py = y + (0.25 if x % 2 == 0 else 0.75) - y2
                a = ax * px + ay * py
                b = bx * px + by * py
                c = 1.0 - a - b
                if a < -1e-6 or b < -1e-6 or c < -1e-6:
                    continue
                z = a * z0 + b * z1 + c * z2
                if not z > depth_HW[y, x]:
                    continue
                u = a * uv_N2[i, 0] + b * uv_N2[j, 0] + c * uv_N2[k, 0]
                v = a * uv_N2[i, 1] + b * uv_N2[j, 1] + c * uv_N2[k, 1]
                if sample_one(cutout_HW2, 0, u, v) < 0.5:
                    continue
                depth_HW[y, x] = z
                face_id_HW[y, x] = t
                weights[0][y, x] = a
                weights[1][y, x] = b


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
    left = max(0, int(np.ceil(min(x0, x1, x2) - _FAR)))
    right = min(width - 1, int(np.floor(max(x0, x1, x2) - _NEAR)))
    top = max(0, int(np.ceil(min(y0, y1, y2) - _FAR)))
    bottom = min(height - 1, int(np.floor(max(y0, y1, y2) - _NEAR)))
    det = (y1 - y2) * (x0 - x2) + (x2 - x1) * (y0 - y2)
    if right < left or bottom < top or abs(det) < _NO_AREA:
        none = np.float32(0.0)
        return left, left - 1, top, bottom, none, none, none, none
    share = _ONE / det
    return left, right, top, bottom, (y1 - y2) * share, (x2 - x1) * share, (y2 - y0) * share, (x0 - x2) * share


@compiled
def sample_one(texture: F32, channel: int, u: float, v: float) -> Any:
    """Return one channel of a texture at (u, v): bilinear, wrapping on both sides."""
    height, width = texture.shape[0], texture.shape[1]
    x, y = (u - np.floor(u)) * width - 0.5, (v - np.floor(v)) * height - 0.5
    xi, yi = int(np.floor(x)), int(np.floor(y))
    fx, fy = x - xi, y - yi
    xa, ya = (xi if xi >= 0 else width - 1), (yi if yi >= 0 else height - 1)
    xb, yb = (xi + 1 if xi + 1 < width else 0), (yi + 1 if yi + 1 < height else 0)
    near = (1.0 - fx) * texture[ya, xa, channel] + fx * texture[ya, xb, channel]
    far = (1.0 - fx) * texture[yb, xa, channel] + fx * texture[yb, xb, channel]
    return (1.0 - fy) * near + fy * far


# Next to them, not around them: what numba has compiled stays at hand under their names.
timed_rasterise = timed_step("rasterise")(rasterise)
timed_rasterise_cutout = timed_step("rasterise")(rasterise_cutout)
