"""Compiled kernels of shading: light, shadow, texture and blending of the pixels that `rasteriser.py` found visible.

Screen z grows towards the viewer. `fastmath` stays off: the same input gives the same bytes in every process.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from fdgen.arrays import F32, I32
from fdgen.render.rasteriser import Weights, sample_one
from fdgen.runtime.jit import compiled


@compiled
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


@compiled
def _sample(texture: F32, u: float, v: float) -> Any:
    """Return the three channels of a texture at (u, v): bilinear, wrapping on both sides."""
    height, width = texture.shape[0], texture.shape[1]
    x, y = (u - np.floor(u)) * width - 0.5, (v - np.floor(v)) * height - 0.5
    xi, yi = int(np.floor(x)), int(np.floor(y))
    fx, fy = x - xi, y - yi
    xa, ya = (xi if xi >= 0 else width - 1), (yi if yi >= 0 else height - 1)
    xb, yb = (xi + 1 if xi + 1 < width else 0), (yi + 1 if yi + 1 < height else 0)
    waa, wab, wba, wbb = (1.0 - fx) * (1.0 - fy), fx * (1.0 - fy), (1.0 - fx) * fy, fx * fy
    aa, ab, ba, bb = texture[ya, xa], texture[ya, xb], texture[yb, xa], texture[yb, xb]
    return (
        waa * aa[0] + wab * ab[0] + wba * ba[0] + wbb * bb[0],
        waa * aa[1] + wab * ab[1] + wba * ba[1] + wbb * bb[1],
        waa * aa[2] + wab * ab[2] + wba * ba[2] + wbb * bb[2],
    )


@compiled
def resolve(face_id_HW: I32, depth_HW: F32, head_HW: F32, far: float, step: int, height_HW: F32, gap_HW: F32) -> None:
    """Gather samples to pixels: mean depth of the occluder, and its mean height above the head below it, in px.

    Args:
        face_id_HW: Index of the triangle at each sample, negative where there is none.
        depth_HW: Depth of the occluder at each sample.
        head_HW: Depth of the head at each sample, `far` where it is not.
        far: A depth behind everything, negative; both results get it where the occluder is not, the height above the
            head also where there is no head below.
        step: Samples to a pixel along either axis.
        height_HW: Gets the mean depth, a value a pixel.
        gap_HW: Gets the mean height above the head, a value a pixel, at least 0.
    """
    rows, columns = height_HW.shape
    for y in range(rows):
        for x in range(columns):
            hits, over = 0, 0
            depth, gap = 0.0, 0.0
            for sy in range(y * step, y * step + step):
                for sx in range(x * step, x * step + step):
                    if face_id_HW[sy, sx] >= 0:
                        hits += 1
                        depth += depth_HW[sy, sx]
                        if head_HW[sy, sx] > 0.5 * far:
                            over += 1
                            gap += depth_HW[sy, sx] - head_HW[sy, sx]
            height_HW[y, x] = depth / hits if hits else far
            gap_HW[y, x] = max(0.0, gap / over) if over else far


@compiled
def shade(
    face_id_HW: I32,
    weights: Weights,
    faces: I32,
    parts_M: I32,
    lit_N3: F32,
    normals_N3: F32,
    uv_N2: F32,
    surface_N8: F32,
    texture: F32,
    cutout: F32,
    environment: F32,
    light: F32,
    glare_rgb: F32,
    ambient_HW: F32,
    step: int,
    out_HW6: F32,
) -> None:
    """Shade the visible samples and gather them to pixels: premultiplied RGB, opacity, silhouette, clear glass.

    Args:
        face_id_HW: Index of the triangle at each sample, negative where there is none.
        weights: Weights of its first two corners, two arrays (H, W).
        faces: Triangles (M, 3), by their vertices.
        parts_M: Number of the part of each face.
        lit_N3: Albedo times irradiance, a vertex.
        normals_N3: Unit normals, towards the viewer.
        uv_N2: Texture coordinates.
        surface_N8: Opacity, presence, specular, gloss (exponent), mirror RGB and counts.
        texture: What multiplies the albedo, (H, W, 3); one row is none.
        cutout: What multiplies the opacity by its channel 1, (H, W, 2); one row is none.
        environment: What a mirror sees, (H, W, 3), by latitude and longitude with straight ahead (towards the viewer)
            in the middle.
        light: The main direction and its strength, (4,).
        glare_rgb: Colour of highlights.
        ambient_HW: Share of light left in hollows, a value a pixel.
        step: Samples to a pixel along either axis.
        out_HW6: Gets the result, a row of six values a pixel.
    """
    rows, columns = ambient_HW.shape
    first_HW, second_HW = weights
    textured, cut = texture.shape[0] > 1, cutout.shape[0] > 1
    h0, h1, h2 = light[0], light[1], light[2] + 1.0
    h_len = np.sqrt(h0 * h0 + h1 * h1 + h2 * h2) + 1e-9
    for y in range(rows):
        for x in range(columns):
            hits, first, same = 0, -1, True
            for sy in range(y * step, y * step + step):
                for sx in range(x * step, x * step + step):
                    t = face_id_HW[sy, sx]
                    if t >= 0:
                        hits += 1
                        if first < 0:
                            first = parts_M[t]
                        same = same and parts_M[t] == first
            if hits == 0:
                for q in range(6):
                    out_HW6[y, x, q] = 0.0
                continue
            inside = same and hits == step * step  # away from an edge every other sample is enough
            share = (2.0 if inside and step % 2 == 0 else 1.0) / (step * step)
            red, green, blue, covered, present, clear = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
            for sy in range(y * step, y * step + step):
                for sx in range(x * step, x * step + step):
                    t = face_id_HW[sy, sx]
                    if t < 0 or (inside and step % 2 == 0 and (sx + sy) % 2 == 1):
                        continue
                    a, b = first_HW[sy, sx], second_HW[sy, sx]
                    c = 1.0 - a - b
                    i, j, k = faces[t, 0], faces[t, 1], faces[t, 2]
                    presence = a * surface_N8[i, 1] + b * surface_N8[j, 1] + c * surface_N8[k, 1]
                    if presence <= 0.0:
                        continue
                    counts = a * surface_N8[i, 7] + b * surface_N8[j, 7] + c * surface_N8[k, 7]
                    opacity = a * surface_N8[i, 0] + b * surface_N8[j, 0] + c * surface_N8[k, 0]
                    specular = a * surface_N8[i, 2] + b * surface_N8[j, 2] + c * surface_N8[k, 2]
                    if cut:
                        u = a * uv_N2[i, 0] + b * uv_N2[j, 0] + c * uv_N2[k, 0]
                        v = a * uv_N2[i, 1] + b * uv_N2[j, 1] + c * uv_N2[k, 1]
                        opacity *= sample_one(cutout, 1, u, v)
                    m0 = a * surface_N8[i, 4] + b * surface_N8[j, 4] + c * surface_N8[k, 4]
                    m1 = a * surface_N8[i, 5] + b * surface_N8[j, 5] + c * surface_N8[k, 5]
                    m2 = a * surface_N8[i, 6] + b * surface_N8[j, 6] + c * surface_N8[k, 6]
                    mirror = max(m0, m1, m2)
                    r = (a * lit_N3[i, 0] + b * lit_N3[j, 0] + c * lit_N3[k, 0]) * opacity
                    g = (a * lit_N3[i, 1] + b * lit_N3[j, 1] + c * lit_N3[k, 1]) * opacity
                    d = (a * lit_N3[i, 2] + b * lit_N3[j, 2] + c * lit_N3[k, 2]) * opacity
                    if textured:
                        u = a * uv_N2[i, 0] + b * uv_N2[j, 0] + c * uv_N2[k, 0]
                        v = a * uv_N2[i, 1] + b * uv_N2[j, 1] + c * uv_N2[k, 1]
                        t0, t1, t2 = _sample(texture, u, v)
                        r, g, d = r * t0, g * t1, d * t2
                    if specular > 0.0 or mirror > 0.0:
                        n0 = a * normals_N3[i, 0] + b * normals_N3[j, 0] + c * normals_N3[k, 0]
                        n1 = a * normals_N3[i, 1] + b * normals_N3[j, 1] + c * normals_N3[k, 1]
                        n2 = a * normals_N3[i, 2] + b * normals_N3[j, 2] + c * normals_N3[k, 2]
                        length = np.sqrt(n0 * n0 + n1 * n1 + n2 * n2) + 1e-9
                        n0, n1, n2 = n0 / length, n1 / length, n2 / length
                        # Schlick, seen along z; rims of few pixels speckle past a fifth.
                        fresnel = 0.04 + 0.96 * (1.0 - max(0.2, n2)) ** 5
                        if specular > 0.0:
                            gloss = a * surface_N8[i, 3] + b * surface_N8[j, 3] + c * surface_N8[k, 3]
                            half = max(0.0, (n0 * h0 + n1 * h1 + n2 * h2) / h_len)
                            # Normals that differ within a face shorten their mean: its highlight is as much wider
                            # and fainter (Toksvig, 2005), or thin rims would sparkle.
                            smooth = length / (length + gloss * max(0.0, 1.0 - length))
                            glare = specular * half ** (gloss * smooth) * (1.0 + gloss * smooth) / (1.0 + gloss)
                            glare *= light[3] * (1.0 + 4.0 * fresnel)
                            r += glare * glare_rgb[0]
                            g += glare * glare_rgb[1]
                            d += glare * glare_rgb[2]
                        if mirror > 0.0:  # the viewing ray, mirrored, looks up the environment
                            r0, r1, r2 = 2.0 * n2 * n0, 2.0 * n2 * n1, 2.0 * n2 * n2 - 1.0
                            eu = 0.5 + np.arctan2(r0, r2) / 6.283185307
                            ev = 0.5 - 0.499 * r1
                            reflect = 0.35 + 4.0 * fresnel
                            e0, e1, e2 = _sample(environment, eu, ev)
                            r, g, d = r + m0 * reflect * e0, g + m1 * reflect * e1, d + m2 * reflect * e2
                    # Light past what the sensor holds is cut sample by sample: a glint then ends in a smooth edge.
                    red += min(r, 1.1) * presence
                    green += min(g, 1.1) * presence
                    blue += min(d, 1.1) * presence
                    covered += opacity * presence
                    present += min(presence, counts)
                    clear += max(presence - counts, 0.0)
            ambient = ambient_HW[y, x] * share
            out_HW6[y, x, 0] = red * ambient
            out_HW6[y, x, 1] = green * ambient
            out_HW6[y, x, 2] = blue * ambient
            out_HW6[y, x, 3] = covered * share
            out_HW6[y, x, 4] = present * share
            out_HW6[y, x, 5] = clear * share


@compiled
def splat_shadow(presence_HW: F32, gap_HW: F32, dx: float, dy: float, row0: int, column0: int, out_HW: F32) -> None:
    """Move each pixel of an occluder by its height above the head, along the light.

    Args:
        presence_HW: How much of each pixel the occluder covers.
        gap_HW: Its height above the head in px; negative where there is no head below.
        dx: Shift to the right in px for each px of height.
        dy: Shift downwards, likewise.
        row0: Row of `out_HW` where the first row of `presence_HW` lies.
        column0: Column, likewise.
        out_HW: Keeps the largest presence that lands on a pixel, shared out to its four neighbours bilinearly.
    """
    height, width = out_HW.shape
    for y in range(presence_HW.shape[0]):
        for x in range(presence_HW.shape[1]):
            gap = gap_HW[y, x]
            value = presence_HW[y, x]
            if gap < 0.0 or value <= 0.0:
                continue
            tx, ty = column0 + x + dx * gap, row0 + y + dy * gap
            x0, y0 = int(np.floor(tx)), int(np.floor(ty))
            fx, fy = tx - x0, ty - y0
            for yy in range(max(0, y0), min(height, y0 + 2)):
                wy = min(1.0, 2.0 * (fy if yy > y0 else 1.0 - fy))
                for xx in range(max(0, x0), min(width, x0 + 2)):
                    weight = value * wy * min(1.0, 2.0 * (fx if xx > x0 else 1.0 - fx))
                    if weight > out_HW[yy, xx]:
                        out_HW[yy, xx] = weight


@compiled
def blend_layer(
    levels_HWC: F32, noise_HWC: F32, uncovered_HW: F32, touched_HW: npt.NDArray[np.bool_],
    colour_HWC: F32, opacity_HW: F32, silhouette_HW: F32, clear_HW: F32, shadow_HW: F32, shadow_rgb: F32,
    grain_HWC: F32,
    row0: int, column0: int, to_levels: F32, to_light: F32, least_coverage: float, least_shadow: float,
) -> None:  # fmt: skip
    """Lay one layer over a picture of sRGB levels, in place; pixels that it barely touches are left exactly alone.

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
                light = to_light[int(min(255.0, max(0.0, behind)) * level_steps + 0.5)]
                if shadow > least_shadow:
                    light *= 1.0 - shadow * shadow_rgb[q]
                    behind = to_levels[int(light * light_steps + 0.5)]
                if covers:
                    own = light * through + max(0.0, colour_HWC[y, x, q] / present)
                    over = to_levels[int(min(1.0, own) * light_steps + 0.5)]
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
def round_levels(
    levels_HWC: F32, noise_HWC: F32, touched_HW: npt.NDArray[np.bool_], out_HWC: npt.NDArray[np.uint8]
) -> None:
    """Write the touched pixels of a picture, with their noise, as rounded levels; the others stay as they are."""
    for y in range(levels_HWC.shape[0]):
        for x in range(levels_HWC.shape[1]):
            if touched_HW[y, x]:
                for q in range(3):
                    level = levels_HWC[y, x, q] + noise_HWC[y, x, q] + 0.5
                    out_HWC[y, x, q] = int(min(255.0, max(0.0, level)))
