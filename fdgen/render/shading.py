"""Compiled kernels of shading: the light at vertices, and the colour of the pixels that `rasteriser.py` found visible.

All is float32: half as much memory as float64, and results are rounded to levels anyway. Screen z grows towards the
viewer. `fastmath` stays off: the same input gives the same bytes in every process.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from fdgen.arrays import F32, F64, I32
from fdgen.render.rasteriser import SUPERSAMPLE, Weights
from fdgen.runtime.jit import compiled

PRESENCE, NORMAL = 4, 8
"""Columns of a lit vertex, of those that `lit_vertices` lists, that others read."""

_WIDTH = 16
"""Values of a lit vertex: a line of the processor's cache, read at once."""

_ZERO, _ONE, _TWO, _HALF = np.float32(0.0), np.float32(1.0), np.float32(2.0), np.float32(0.5)
_TINY = np.float32(1e-9)
_CLIPPED = np.float32(1.1)
"""Light past what the sensor holds is cut sample by sample: a glint then ends in a smooth edge."""
_STEEPEST = np.float32(0.2)
"""Cosine of the viewing angle under which Fresnel's reflection grows no more: rims of few pixels would speckle."""
_HEAD_ON, _GRAZING = np.float32(0.04), np.float32(0.96)
_GLARE_AT_RIM = np.float32(4.0)
_MIRROR_HEAD_ON, _MIRROR_AT_RIM = np.float32(0.35), np.float32(4.0)
_TURN, _TILT = np.float32(1 / (2 * np.pi)), np.float32(0.499)


@compiled
def lit_vertices(
    normals: F64,
    rotation: F64,
    two_sided_N: npt.NDArray[np.bool_],
    rim: float,
    harmonics: F32,
    floor: float,
    tint: F32,
    albedo_N3: F32,
    surface_N8: F32,
    uv_N2: F32,
) -> F32:
    """Light vertices, and put all that `shade` reads of one next to each other.

    Returns (N, 16): albedo times irradiance in RGB, opacity, presence, counts, specular, gloss, the normal in the
    camera's frame (3), the mirror in RGB, and both texture coordinates.

    Args:
        normals: Unit normals (N, 3) in the head's frame.
        rotation: Turns them into the camera's frame (3, 3).
        two_sided_N: Whether a normal that points away from the camera is turned round.
        rim: How far it must point away for that.
        harmonics: Nine coefficients of irradiance in spherical harmonics.
        floor: The least irradiance.
        tint: Colour of the light.
        albedo_N3: Albedo, linear RGB.
        surface_N8: As `Mesh` has it.
        uv_N2: Texture coordinates.
    """
    c = harmonics
    out = np.empty((normals.shape[0], _WIDTH), np.float32)
    for n in range(normals.shape[0]):
        vertex = out[n]
        a, b, d = normals[n, 0], normals[n, 1], normals[n, 2]
        x = np.float32(rotation[0, 0] * a + rotation[0, 1] * b + rotation[0, 2] * d)
        y = np.float32(rotation[1, 0] * a + rotation[1, 1] * b + rotation[1, 2] * d)
        z = np.float32(rotation[2, 0] * a + rotation[2, 1] * b + rotation[2, 2] * d)
        if two_sided_N[n] and z < -rim:
            x, y, z = -x, -y, -z
        light = c[0] + c[1] * x + c[2] * y + c[3] * z + c[4] * x * y + c[5] * y * z
        light += c[6] * (3.0 * z * z - 1.0) + c[7] * x * z + c[8] * (x * x - y * y)
        received = np.float32(max(floor, light))
        for q in range(3):
            vertex[q] = albedo_N3[n, q] * received * tint[q]
            vertex[11 + q] = surface_N8[n, 4 + q]
        vertex[3], vertex[4], vertex[5] = surface_N8[n, 0], surface_N8[n, 1], surface_N8[n, 7]
        vertex[6], vertex[7] = surface_N8[n, 2], surface_N8[n, 3]
        vertex[8], vertex[9], vertex[10] = x, y, z
        vertex[14], vertex[15] = uv_N2[n, 0], uv_N2[n, 1]
    return out


@compiled
def _place(size: int, at: np.float32) -> Any:
    """Return the texels before and after a place in a texture that wraps, and the weight of the one after."""
    x = (at - np.floor(at)) * np.float32(size) - _HALF
    low = np.floor(x)
    first = int(low)
    return (first if first >= 0 else size - 1), (first + 1 if first + 1 < size else 0), x - low


@compiled
def _sample(texture: F32, u: np.float32, v: np.float32) -> Any:
    """Return the three channels of a texture at (u, v): bilinear, wrapping on both sides."""
    xa, xb, fx = _place(texture.shape[1], u)
    ya, yb, fy = _place(texture.shape[0], v)
    waa, wab, wba, wbb = (_ONE - fx) * (_ONE - fy), fx * (_ONE - fy), (_ONE - fx) * fy, fx * fy
    aa, ab, ba, bb = texture[ya, xa], texture[ya, xb], texture[yb, xa], texture[yb, xb]
    return (
        waa * aa[0] + wab * ab[0] + wba * ba[0] + wbb * bb[0],
        waa * aa[1] + wab * ab[1] + wba * ba[1] + wbb * bb[1],
        waa * aa[2] + wab * ab[2] + wba * ba[2] + wbb * bb[2],
    )


@compiled
def _sample_opacity(cutout: F32, u: np.float32, v: np.float32) -> Any:
    """Return channel 1 of a cutout at (u, v), as `_sample` does."""
    xa, xb, fx = _place(cutout.shape[1], u)
    ya, yb, fy = _place(cutout.shape[0], v)
    near = (_ONE - fx) * cutout[ya, xa, 1] + fx * cutout[ya, xb, 1]
    return (_ONE - fy) * near + fy * ((_ONE - fx) * cutout[yb, xa, 1] + fx * cutout[yb, xb, 1])


@compiled
def shade(
    face_id_HW: I32,
    weights: Weights,
    faces: I32,
    parts_M: I32,
    vertices_N16: F32,
    texture: F32,
    cutout: F32,
    environment: F32,
    light: F32,
    glare_rgb: F32,
    ambient_HW: F32,
    translucent: bool,
    residual_HW: F32,
    row0: int,
    column0: int,
    colour_HWC: F32,
    opacity_HW: F32,
    silhouette_HW: F32,
    clear_HW: F32,
) -> None:
    """Shade the visible samples and gather them to the pixels of a box of the crop.

    Args:
        face_id_HW: Index of the triangle at each sample of the box, negative where there is none.
        weights: Weights of its first two corners, two arrays (H, W).
        faces: Triangles (M, 3), by their vertices.
        parts_M: Number of the part of each face.
        vertices_N16: The vertices, as `lit_vertices` returns them.
        texture: What multiplies the albedo, (H, W, 3); one row is none.
        cutout: What multiplies the opacity by its channel 1, (H, W, 2); one row is none.
        environment: What a mirror sees, (H, W, 3), by latitude and longitude with straight ahead (towards the viewer)
            in the middle.
        light: The main direction and its strength, (4,).
        glare_rgb: Colour of highlights.
        ambient_HW: Share of light left in hollows, a value a pixel of the box.
        translucent: Whether red light bleeds into hollows, as in skin.
        residual_HW: A factor on the light at each pixel of the crop.
        row0: Row of the crop where the box begins.
        column0: Column where it begins.
        colour_HWC: Gets the colour of the crop's pixels in the box, premultiplied.
        opacity_HW: Gets their opacity.
        silhouette_HW: Gets their silhouette, clear glass left out.
        clear_HW: Gets their clear glass.
    """
    rows, columns = ambient_HW.shape
    first_HW, second_HW = weights
    textured, cut = texture.shape[0] > 1, cutout.shape[0] > 1
    h0, h1, h2 = light[0], light[1], light[2] + _ONE
    h_len = np.sqrt(h0 * h0 + h1 * h1 + h2 * h2) + _TINY
    h0, h1, h2 = h0 / h_len, h1 / h_len, h2 / h_len
    mix = np.empty(_WIDTH, np.float32)  # a sample's own values
    every = SUPERSAMPLE * SUPERSAMPLE
    for y in range(rows):
        for x in range(columns):
            hits, first, same = 0, -1, True
            for sy in range(y * SUPERSAMPLE, (y + 1) * SUPERSAMPLE):
                for sx in range(x * SUPERSAMPLE, (x + 1) * SUPERSAMPLE):
                    t = face_id_HW[sy, sx]
                    if t >= 0:
                        hits += 1
                        if first < 0:
                            first = parts_M[t]
                        same = same and parts_M[t] == first
            if hits == 0:
                continue
            sparse = same and hits == every and SUPERSAMPLE % 2 == 0  # away from an edge every other sample is enough
            share = np.float32((2.0 if sparse else 1.0) / every)
            red, green, blue, covered, present, clear = _ZERO, _ZERO, _ZERO, _ZERO, _ZERO, _ZERO
            for sy in range(y * SUPERSAMPLE, (y + 1) * SUPERSAMPLE):
                for sx in range(x * SUPERSAMPLE, (x + 1) * SUPERSAMPLE):
                    t = face_id_HW[sy, sx]
                    if t < 0 or (sparse and (sx + sy) % 2 == 1):
                        continue
                    a, b = first_HW[sy, sx], second_HW[sy, sx]
                    c = _ONE - a - b
                    i, j, k = faces[t, 0], faces[t, 1], faces[t, 2]
                    for q in range(_WIDTH):  # several at once
                        mix[q] = a * vertices_N16[i, q] + b * vertices_N16[j, q] + c * vertices_N16[k, q]
                    presence = mix[4]
                    if presence <= _ZERO:
                        continue
                    counts, opacity, specular = mix[5], mix[3], mix[6]
                    if cut:
                        opacity *= _sample_opacity(cutout, mix[14], mix[15])
                    r, g, d = mix[0] * opacity, mix[1] * opacity, mix[2] * opacity
                    if textured:
                        t0, t1, t2 = _sample(texture, mix[14], mix[15])
                        r, g, d = r * t0, g * t1, d * t2
                    m0, m1, m2 = mix[11], mix[12], mix[13]
                    mirror = max(m0, m1, m2)
                    if specular > _ZERO or mirror > _ZERO:
                        n0, n1, n2 = mix[8], mix[9], mix[10]
                        length = np.sqrt(n0 * n0 + n1 * n1 + n2 * n2) + _TINY
                        n0, n1, n2 = n0 / length, n1 / length, n2 / length
                        away = _ONE - max(_STEEPEST, n2)
                        fresnel = _HEAD_ON + _GRAZING * (away * away) * (away * away) * away  # Schlick, seen along z
                        half = n0 * h0 + n1 * h1 + n2 * h2
                        if specular > _ZERO and half > _ZERO:
                            gloss = mix[7]
                            # Normals that differ within a face shorten their mean: its highlight is as much wider
                            # and fainter (Toksvig, 2005), or thin rims would sparkle.
                            smooth = gloss * length / (length + gloss * max(_ZERO, _ONE - length))
                            glare = specular * half**smooth * (_ONE + smooth) / (_ONE + gloss)
                            glare *= light[3] * (_ONE + _GLARE_AT_RIM * fresnel)
                            r += glare * glare_rgb[0]
                            g += glare * glare_rgb[1]
                            d += glare * glare_rgb[2]
                        if mirror > _ZERO:  # the viewing ray, mirrored, looks up the environment
                            r0, r1, r2 = _TWO * n2 * n0, _TWO * n2 * n1, _TWO * n2 * n2 - _ONE
                            reflect = _MIRROR_HEAD_ON + _MIRROR_AT_RIM * fresnel
                            e0, e1, e2 = _sample(environment, _HALF + np.arctan2(r0, r2) * _TURN, _HALF - _TILT * r1)
                            r, g, d = r + m0 * reflect * e0, g + m1 * reflect * e1, d + m2 * reflect * e2
                    red += min(r, _CLIPPED) * presence
                    green += min(g, _CLIPPED) * presence
                    blue += min(d, _CLIPPED) * presence
                    covered += opacity * presence
                    present += min(presence, counts)
                    clear += max(presence - counts, _ZERO)
            row, column = row0 + y, column0 + x
            ambient = ambient_HW[y, x]
            light_here = ambient * share * residual_HW[row, column]
            if translucent and ambient < _ONE:
                log = np.log(ambient)
                red *= np.exp(np.float32(-0.15) * log)
                green *= np.exp(np.float32(0.05) * log)
                blue *= np.exp(np.float32(0.08) * log)
            colour_HWC[row, column, 0] = red * light_here
            colour_HWC[row, column, 1] = green * light_here
            colour_HWC[row, column, 2] = blue * light_here
            opacity_HW[row, column] = covered * share
            silhouette_HW[row, column] = present * share
            clear_HW[row, column] = clear * share
