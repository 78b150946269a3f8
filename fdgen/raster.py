"""Compiled kernels of the renderer: visibility by a depth buffer, then shading of the visible pixels.

Screen z grows towards the viewer. `fastmath` stays off: the same input gives the same bytes in every process.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

F32 = npt.NDArray[np.float32]
I32 = npt.NDArray[np.int32]


@njit(cache=True)
def rasterise(points: F32, faces: I32, depth_HW: F32, face_id_HW: I32, bary_HW2: F32) -> None:
    """Draw triangles `faces` of screen points (N, 3) where they lie nearer than `depth_HW`; all three are updated.

    `face_id_HW` gets the index of the triangle, `bary_HW2` the weights of its first two corners at the pixel's centre.
    """
    height, width = depth_HW.shape
    for t in range(faces.shape[0]):
        i, j, k = faces[t, 0], faces[t, 1], faces[t, 2]
        x0, y0, z0 = points[i, 0], points[i, 1], points[i, 2]
        x1, y1, z1 = points[j, 0], points[j, 1], points[j, 2]
        x2, y2, z2 = points[k, 0], points[k, 1], points[k, 2]
        det = (y1 - y2) * (x0 - x2) + (x2 - x1) * (y0 - y2)
        if abs(det) < 1e-9:
            continue
        left = max(0, int(np.ceil(min(x0, x1, x2) - 0.5)))
        right = min(width - 1, int(np.floor(max(x0, x1, x2) - 0.5)))
        top = max(0, int(np.ceil(min(y0, y1, y2) - 0.5)))
        bottom = min(height - 1, int(np.floor(max(y0, y1, y2) - 0.5)))
        ax, ay = (y1 - y2) / det, (x2 - x1) / det
        bx, by = (y2 - y0) / det, (x0 - x2) / det
        for y in range(top, bottom + 1):
            for x in range(left, right + 1):
                px, py = x + 0.5 - x2, y + 0.5 - y2
                a = ax * px + ay * py
                b = bx * px + by * py
                c = 1.0 - a - b
                if a < -1e-6 or b < -1e-6 or c < -1e-6:
                    continue
                z = a * z0 + b * z1 + c * z2
                if z > depth_HW[y, x]:
                    depth_HW[y, x] = z
                    face_id_HW[y, x] = t
                    bary_HW2[y, x, 0] = a
                    bary_HW2[y, x, 1] = b


@njit(cache=True)
def sh_irradiance(normals: F32, coefficients: F32, floor: float) -> F32:
    """Evaluate nine spherical-harmonics coefficients on normals (N, 3); never below `floor`."""
    out = np.empty(normals.shape[0], np.float32)
    c = coefficients
    for n in range(normals.shape[0]):
        x, y, z = normals[n, 0], normals[n, 1], normals[n, 2]
        value = (
            c[0]
            + c[1] * x
            + c[2] * y
            + c[3] * z
            + c[4] * x * y
            + c[5] * y * z
            + c[6] * (3.0 * z * z - 1.0)
            + c[7] * x * z
            + c[8] * (x * x - y * y)
        )
        out[n] = max(floor, value)
    return out


@njit(cache=True)
def _sample(texture: F32, u: float, v: float, channel: int) -> Any:
    """Bilinear, wrapping on both sides."""
    height, width = texture.shape[0], texture.shape[1]
    x, y = (u % 1.0) * width - 0.5, (v % 1.0) * height - 0.5
    xi, yi = int(np.floor(x)), int(np.floor(y))
    fx, fy = x - xi, y - yi
    xa, xb, ya, yb = xi % width, (xi + 1) % width, yi % height, (yi + 1) % height
    near = texture[ya, xa, channel] * (1.0 - fx) + texture[ya, xb, channel] * fx
    far = texture[yb, xa, channel] * (1.0 - fx) + texture[yb, xb, channel] * fx
    return near * (1.0 - fy) + far * fy


@njit(cache=True)
def shade(
    face_id_HW: I32,
    bary_HW2: F32,
    faces: I32,
    lit_N3: F32,
    normals_N3: F32,
    uv_N2: F32,
    surface_N7: F32,
    texture: F32,
    environment: F32,
    light: F32,
    glare_rgb: F32,
    out_HW5: F32,
) -> None:
    """Shade the visible pixels: premultiplied linear RGB, opacity, presence.

    `lit_N3` is albedo times irradiance a vertex, `surface_N7` opacity, presence, specular, gloss (exponent), mirror RGB;
    `texture` (H, W, 3) multiplies the albedo; `environment` (H, W, 3) is what a mirror sees, by latitude and longitude
    with straight ahead (towards the viewer) in the middle; `light` the main direction and its strength; `glare_rgb`
    colours highlights.
    """
    height, width = face_id_HW.shape
    textured = texture.shape[0] > 1
    h0, h1, h2 = light[0], light[1], light[2] + 1.0
    h_len = np.sqrt(h0 * h0 + h1 * h1 + h2 * h2) + 1e-9
    for y in range(height):
        for x in range(width):
            t = face_id_HW[y, x]
            if t < 0:
                for q in range(5):
                    out_HW5[y, x, q] = 0.0
                continue
            a, b = bary_HW2[y, x, 0], bary_HW2[y, x, 1]
            c = 1.0 - a - b
            i, j, k = faces[t, 0], faces[t, 1], faces[t, 2]
            opacity = a * surface_N7[i, 0] + b * surface_N7[j, 0] + c * surface_N7[k, 0]
            presence = a * surface_N7[i, 1] + b * surface_N7[j, 1] + c * surface_N7[k, 1]
            specular = a * surface_N7[i, 2] + b * surface_N7[j, 2] + c * surface_N7[k, 2]
            mirror = max(
                surface_N7[i, 4],
                surface_N7[i, 5],
                surface_N7[i, 6],
                surface_N7[j, 4],
                surface_N7[j, 5],
                surface_N7[j, 6],
            )
            mirror = max(mirror, surface_N7[k, 4], surface_N7[k, 5], surface_N7[k, 6])
            glare, reflect, eu, ev = 0.0, 0.0, 0.0, 0.0
            if specular > 0.0 or mirror > 0.0:
                n0 = a * normals_N3[i, 0] + b * normals_N3[j, 0] + c * normals_N3[k, 0]
                n1 = a * normals_N3[i, 1] + b * normals_N3[j, 1] + c * normals_N3[k, 1]
                n2 = a * normals_N3[i, 2] + b * normals_N3[j, 2] + c * normals_N3[k, 2]
                length = np.sqrt(n0 * n0 + n1 * n1 + n2 * n2) + 1e-9
                n0, n1, n2 = n0 / length, n1 / length, n2 / length
                fresnel = 0.04 + 0.96 * (1.0 - max(0.0, n2)) ** 5  # Schlick, seen along z
                if specular > 0.0:
                    gloss = a * surface_N7[i, 3] + b * surface_N7[j, 3] + c * surface_N7[k, 3]
                    half = max(0.0, (n0 * h0 + n1 * h1 + n2 * h2) / h_len)
                    glare += specular * half**gloss * light[3] * (1.0 + 4.0 * fresnel)
                if mirror > 0.0:  # the viewing ray, mirrored, looks up the environment
                    r0, r1, r2 = 2.0 * n2 * n0, 2.0 * n2 * n1, 2.0 * n2 * n2 - 1.0
                    eu = 0.5 + np.arctan2(r0, r2) / 6.283185307
                    ev = 0.5 - 0.499 * r1
                    reflect = 0.35 + 4.0 * fresnel
            u = a * uv_N2[i, 0] + b * uv_N2[j, 0] + c * uv_N2[k, 0]
            v = a * uv_N2[i, 1] + b * uv_N2[j, 1] + c * uv_N2[k, 1]
            for q in range(3):
                colour = a * lit_N3[i, q] + b * lit_N3[j, q] + c * lit_N3[k, q]
                if textured:
                    colour *= _sample(texture, u, v, q)
                shine = glare * glare_rgb[q]
                if reflect > 0.0:
                    tint = a * surface_N7[i, 4 + q] + b * surface_N7[j, 4 + q] + c * surface_N7[k, 4 + q]
                    shine += reflect * tint * _sample(environment, eu, ev, q)
                out_HW5[y, x, q] = (colour * opacity + shine) * presence
            out_HW5[y, x, 3] = opacity * presence
            out_HW5[y, x, 4] = presence


@njit(cache=True)
def splat_shadow(presence_HW: F32, gap_HW: F32, dx: float, dy: float, row0: int, column0: int, out_HW: F32) -> None:
    """Move each sample of an occluder by its height `gap_HW` (negative: nothing below) along (dx, dy) samples a cm.

    `out_HW` keeps the largest presence that lands on a sample; neighbours are covered too, since the map stretches.
    """
    height, width = out_HW.shape
    for y in range(presence_HW.shape[0]):
        for x in range(presence_HW.shape[1]):
            gap = gap_HW[y, x]
            value = presence_HW[y, x]
            if gap < 0.0 or value <= 0.0:
                continue
            tx, ty = int(np.floor(column0 + x + dx * gap)), int(np.floor(row0 + y + dy * gap))
            for yy in range(max(0, ty), min(height, ty + 2)):
                for xx in range(max(0, tx), min(width, tx + 2)):
                    if value > out_HW[yy, xx]:
                        out_HW[yy, xx] = value
