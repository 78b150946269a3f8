"""Compiled kernels of light on normals, of what samples are to pixels, and of blending.

Screen z grows towards the viewer. `fastmath` stays off: the same input gives the same bytes in every process.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fdgen.arrays import F32, I32, Bools, Image
from fdgen.render.rasteriser import SUPERSAMPLE
from fdgen.render.shading import NORMAL
from fdgen.runtime.jit import compiled


@compiled
def sh_irradiance(normals: F32, coefficients: F32, floor: float) -> F32:
    """Evaluate nine spherical-harmonics coefficients on normals (N, 3); never below `floor`."""
    out = np.empty(normals.shape[0], np.float32)
    for n in range(normals.shape[0]):
        out[n] = _irradiance(normals[n, 0], normals[n, 1], normals[n, 2], coefficients, floor)
    return out


@compiled
def _irradiance(x: np.float32, y: np.float32, z: np.float32, c: F32, floor: float) -> Any:
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
    return max(floor, value)


@compiled
def shading_where_seen(
    points: F32, vertices_N16: F32, surface_N8: F32, depth_HW: F32, ambient_HW: F32, residual_HW: F32,
    row0: int, column0: int, every: int, skin_deep: np.float32, harmonics: F32, floor: float,
) -> F32:  # fmt: skip
    """Return `Layer.shading_N4` at some vertices of a mesh: those of them that are seen.

    Args:
        points: The vertices on the samples of a box of the crop (N, 3).
        vertices_N16: The vertices as `lit_vertices` returns them.
        surface_N8: As `Mesh` has it; vertices whose presence is a half or less are left out.
        depth_HW: Depth of what is drawn at each sample.
        ambient_HW: Share of light left in hollows, a value a pixel of the box.
        residual_HW: A factor on the light at each pixel of the crop.
        row0: Row of the crop where the box begins.
        column0: Column where it begins.
        every: One vertex of so many is looked at.
        skin_deep: How far behind what is drawn a vertex may lie, in px.
        harmonics: Nine coefficients of irradiance.
        floor: The least irradiance.
    """
    rows, columns = depth_HW.shape
    out, count = np.empty((points.shape[0] // every + 1, 4), np.float32), 0
    for n in range(0, points.shape[0], every):
        x, y = points[n, 0], points[n, 1]
        if not (x >= 0 and y >= 0 and x < columns and y < rows and surface_N8[n, 1] > 0.5):
            continue
        row, column = int(y), int(x)
        if points[n, 2] < depth_HW[row, column] - skin_deep:
            continue
        row, column = row // SUPERSAMPLE, column // SUPERSAMPLE
        normal = vertices_N16[n, NORMAL : NORMAL + 3]
        light = np.float32(_irradiance(normal[0], normal[1], normal[2], harmonics, floor)) * ambient_HW[row, column]
        out[count, 0], out[count, 1], out[count, 2] = normal[0], normal[1], normal[2]
        out[count, 3] = light * residual_HW[row0 + row, column0 + column]
        count += 1
    return out[:count]


@compiled
def resolve(face_id_HW: I32, depth_HW: F32, head_HW: F32, far: float, height_HW: F32, gap_HW: F32) -> None:
    """Gather samples to pixels: mean depth of the occluder, and its mean height above the head below it, in px.

    Args:
        face_id_HW: Index of the triangle at each sample, negative where there is none.
        depth_HW: Depth of the occluder at each sample.
        head_HW: Depth of the head at each sample, `far` where it is not.
        far: A depth behind everything, negative; both results get it where the occluder is not, the height above the
            head also where there is no head below.
        height_HW: Gets the mean depth, a value a pixel.
        gap_HW: Gets the mean height above the head, a value a pixel, at least 0.
    """
    rows, columns = height_HW.shape
    for y in range(rows):
        for x in range(columns):
            hits, over = 0, 0
            depth, gap = 0.0, 0.0
            for sy in range(y * SUPERSAMPLE, (y + 1) * SUPERSAMPLE):
                for sx in range(x * SUPERSAMPLE, (x + 1) * SUPERSAMPLE):
                    if face_id_HW[sy, sx] >= 0:
                        hits += 1
                        depth += depth_HW[sy, sx]
                        if head_HW[sy, sx] > 0.5 * far:
                            over += 1
                            gap += depth_HW[sy, sx] - head_HW[sy, sx]
            height_HW[y, x] = depth / hits if hits else far
            gap_HW[y, x] = max(0.0, gap / over) if over else far


@compiled
def blend_layer(
    levels_HWC: F32, noise_HWC: F32, uncovered_HW: F32, touched_HW: Bools,
    colour_HWC: F32, opacity_HW: F32, silhouette_HW: F32, clear_HW: F32, shadow_HW: F32, shadow_rgb: F32,
    grain_HWC: F32,
    row0: int, column0: int, to_levels: F32, to_light: F32, least_coverage: float, least_shadow: float,
) -> None:  # fmt: skip
    """Composite a layer over a picture of sRGB levels, in place; pixels that it barely touches are left exactly alone.

    Shadow, and what shows through a lens, are light; the mixture at an edge is of levels, since pictures are resized as
    levels, not as light. A coverage under 0 or over 1 is the overshoot of a sharpened edge.

    Args:
        levels_HWC: The picture, 0 to 255; updated.
        noise_HWC: Grain to add to it, in levels; updated.
        uncovered_HW: Share of each pixel that no layer covers; updated.
        touched_HW: Whether any layer touches a pixel; updated.
        colour_HWC: The layer's colour, linear, premultiplied.
        opacity_HW: Its opacity.
        silhouette_HW: Its silhouette, clear glass left out.
        clear_HW: Its clear glass.
        shadow_HW: Share of the light that it takes, before `shadow_rgb`.
        shadow_rgb: How much of that each channel loses, (3,).
        grain_HWC: The layer's grain, in levels; its first pixel lies at (row0, column0).
        row0: That row.
        column0: That column.
        to_levels: The levels of light in equal steps from 0 to 1.
        to_light: The light of levels in equal steps from 0 to 255.
        least_coverage: Coverage up to which a pixel is not covered.
        least_shadow: Shadow up to which a pixel is not shaded.
    """
    height, width = opacity_HW.shape
    light_steps, level_steps = to_levels.shape[0] - 1, (to_light.shape[0] - 1) / 255.0
    for y in range(height):
        for x in range(width):
            shadow, present = shadow_HW[y, x], silhouette_HW[y, x] + clear_HW[y, x]
            covers = abs(present) > least_coverage
            if not covers and shadow <= least_shadow:
                continue
            through = 1.0
            if covers:
                through = 1.0 - min(1.0, max(0.0, opacity_HW[y, x] / present))
            for q in range(3):
                behind = levels_HWC[y, x, q]
                light = to_light[_nearest(min(255.0, max(0.0, behind)) * level_steps)]
                if shadow > least_shadow:
                    light *= 1.0 - shadow * shadow_rgb[q]
                    behind = to_levels[_nearest(light * light_steps)]
                if covers:
                    own = light * through + max(0.0, colour_HWC[y, x, q] / present)
                    over = to_levels[_nearest(min(1.0, own) * light_steps)]
                    behind += (over - behind) * present
                levels_HWC[y, x, q] = behind
            touched_HW[y, x] = True
            if covers:
                share = min(1.0, max(0.0, opacity_HW[y, x]))
                for q in range(3):
                    noise = noise_HWC[y, x, q] * (1.0 - share)
                    if share > 0.0:
                        noise += grain_HWC[y - row0, x - column0, q] * share
                    noise_HWC[y, x, q] = noise
                uncovered_HW[y, x] *= 1.0 - min(1.0, max(0.0, silhouette_HW[y, x]))


@compiled
def _nearest(place: float) -> Any:
    """Return the place of a table, at least 0, that is nearest; unsigned, so that it is not taken from the end."""
    return np.uint32(np.int32(place + 0.5))


@compiled
def round_levels(
    levels_HWC: F32,
    noise_HWC: F32,
    uncovered_HW: F32,
    touched_HW: Bools,
    out_HWC: Image,
    mask_HW: Image,
    alpha_HW: Image,
) -> None:
    """Write what `blend_layer` left as rounded levels of touched pixels; the others stay as they are.

    Args:
        levels_HWC: The picture, 0 to 255.
        noise_HWC: Grain to add to it, in levels.
        uncovered_HW: Share of each pixel that no layer covers.
        touched_HW: Whether any layer touches a pixel.
        out_HWC: Gets the picture where it is touched.
        mask_HW: Gets 255 where it is touched, else 0.
        alpha_HW: Gets the share that is covered, 0 to 255.
    """
    whole, half, most = np.float32(1), np.float32(0.5), np.float32(255)
    for y in range(levels_HWC.shape[0]):
        for x in range(levels_HWC.shape[1]):  # a loop without branches: several pixels at once
            alpha_HW[y, x] = np.int32((whole - uncovered_HW[y, x]) * most + half)
            mask_HW[y, x] = np.uint8(255) if touched_HW[y, x] else np.uint8(0)
        for x in range(levels_HWC.shape[1]):
            if touched_HW[y, x]:
                for q in range(3):
                    level = levels_HWC[y, x, q] + noise_HWC[y, x, q] + 0.5
                    out_HWC[y, x, q] = np.int32(min(255.0, max(0.0, level)))
