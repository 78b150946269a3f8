"""Realism measures of every pair, to recognise pairs that look pasted: halo, noise, light, scale.

The figures are in the record's `gates` under the names of `GATES`; one that cannot be measured on a pair is left out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from fdgen.analysis.directional_light import fit_directional_light
from fdgen.analysis.geometry import canonical_face
from fdgen.analysis.noise import luma, noise_levels
from fdgen.arrays import F32, Bools, Image
from fdgen.render.draw import Layer
from fdgen.render.scene import Scene
from fdgen.runtime.jit import compiled
from fdgen.runtime.step_times import timed_step

GATES = ("halo", "noise_ratio", "light_deg", "light_stops", "scale_error")

SOLID = 250
"""Alpha from which a pixel is all occluder."""
CLEAR = 5
"""Alpha up to which a pixel is all photograph."""
_NEAR_PX = 6.0
"""How far round an outline pixel its neighbours are looked at, at 256 px: past any fringe, well within one material."""
_LEAST_LEVELS = 4.0
_NOISES = 3.0
"""A pixel sticks out by a halo where it does by more than `_LEAST_LEVELS`, which nobody sees, and this many standard
deviations of the photograph's own noise."""
_LEAST_OUTLINE = 40
"""Outline pixels with neighbours on both sides below which no share is worth a figure."""

_ROUNDING_LEVELS = 0.2
"""Noise on a face below which there is none to compare with: rounding three channels to levels gives their brightness a
standard deviation of 0.19, in a picture without noise too."""
_DIRECTIONAL = 0.35
"""Share of one lamp in a face's light below which the light has no direction to compare."""
_LEAST_SPREAD = 0.02
"""Variance of an occluder's normals along their second axis below which its shading shows no direction: a plate."""
_LEAST_NORMALS = 40

_SPANS = ((33, 263, 1.04), (234, 454, 0.94), (10, 152, 0.98))
"""Landmarks of the outer corners of the eyes, the cheeks before the ears, hairline and chin, and the usual ratio of
their distance to the canonical face's (medians over 120 portraits)."""


@timed_step("measure realism")
def measure(scene: Scene, layers: Sequence[Layer], occluded_HWC: Image, alpha_HW: Image) -> Mapping[str, float]:
    """Measure a pair: figures by the names of `GATES`, rounded; what cannot be measured is left out.

    `halo`: share of outline pixels brighter or darker than everything near them. `noise_ratio`: noise on the occluder
    against the photograph's on the face, where both are flat. `light_deg`: angle between the light that the occluders
    were shaded by and the face's own; `light_stops`: how much more light they got than the face, as a power of two.
    `scale_error`: how far the face's proportions, by which occluders are sized, are from usual ones.
    """
    grey = luma(occluded_HWC)
    found = {
        "halo": halo(grey, alpha_HW, scene.analysis.optics.noise_levels),
        "noise_ratio": _noise_ratio(grey, alpha_HW, scene),
        **_light_error(scene, layers),
        "scale_error": scale_error(scene.mesh_cm),
    }
    return {name: round(value, 4) + 0.0 for name, value in found.items() if value is not None}


def halo(grey_HW: F32, alpha_HW: Image, noise_levels: float) -> float | None:
    """Return the share of outline pixels that are brighter, or darker, than everything near them on both sides.

    An outline pixel has a 4-neighbour across alpha 128. Near are the pixels of a square of `_NEAR_PX` that lie beyond
    the outline's own neighbours: a fringe of one or two pixels is never compared with itself. Where such pixels of one
    side are missing within half of that, as on thin straps, there is nothing to compare with, and the outline pixel is
    passed by; None where too few remain. A rim as thin as that before a lens counts as a fringe.
    """
    reach = max(4, round(_NEAR_PX * grey_HW.shape[0] / 256))
    close = reach // 2
    margin = _LEAST_LEVELS + _NOISES * noise_levels
    left, top, width, height = cv2.boundingRect((alpha_HW >= 128).view(np.uint8))
    around = reach + 2
    box = (
        slice(max(0, top - around), top + height + around),
        slice(max(0, left - around), left + width + around),
    )
    grey, alpha = np.ascontiguousarray(grey_HW[box]), np.ascontiguousarray(alpha_HW[box])  # compiled once for all boxes
    sticking_out, measured = _count_halo(grey, alpha, close, reach, margin, SOLID, CLEAR)
    return sticking_out / measured if measured >= _LEAST_OUTLINE else None


def scale_error(mesh_cm: npt.NDArray[np.float64]) -> float:
    """Return how far the spans of a personal face (468, 3) in cm are from a usual face's: the worst, as a share."""
    return max(
        abs(float(np.linalg.norm(mesh_cm[a] - mesh_cm[b]) / usual) - 1)
        for (a, b, _), usual in zip(_SPANS, _usual_spans_cm(), strict=True)
    )


@cache
def _usual_spans_cm() -> list[float]:
    """Return how long each of `_SPANS` is in a usual face."""
    vertices = canonical_face().vertices_cm
    return [ratio * float(np.linalg.norm(vertices[a] - vertices[b])) for a, b, ratio in _SPANS]


def _noise_ratio(grey_HW: F32, alpha_HW: Image, scene: Scene) -> float | None:
    """Compare the noise on the occluder with that on the face, hidden parts of it included: the same photograph."""
    outside = scene.analysis.skin_noise_levels
    if outside < _ROUNDING_LEVELS:
        return None
    inside = noise_levels(grey_HW, alpha_HW == 255)
    return None if inside is None else inside / outside


def _light_error(scene: Scene, layers: Sequence[Layer]) -> dict[str, float | None]:
    """Find the lamp in the light that the layers were shaded by, and compare it with the face's."""
    light = scene.light
    shading = np.concatenate([layer.shading_N4 for layer in layers]) if layers else np.zeros((0, 4), np.float32)
    if len(shading) < _LEAST_NORMALS:
        return {}
    normals, received = shading[:, :3], shading[:, 3]
    stops = float(np.log2(max(float(received.mean()), 1e-6) / light.mean_irradiance))
    if light.directional < _DIRECTIONAL or normal_variance(normals) < _LEAST_SPREAD:
        return {"light_stops": stops}
    lamp = fit_directional_light(normals, received, np.ones(len(received)))
    return {"light_deg": angle_deg(lamp.direction, light.direction), "light_stops": stops}


def normal_variance(normals_N3: npt.NDArray[np.floating[Any]]) -> float:
    """Return the variance of unit normals along their second axis: near 0 for a plane, and for a straight rod."""
    centred = normals_N3 - normals_N3.mean(0)
    return float(np.linalg.eigvalsh(centred.T @ centred / len(centred))[1])


def angle_deg(first: npt.ArrayLike, second: npt.ArrayLike) -> float:
    """Return the angle between two unit vectors (3,)."""
    a, b = np.asarray(first, np.float64), np.asarray(second, np.float64)
    return math.degrees(math.acos(min(1.0, max(-1.0, float(np.sum(a * b))))))


@compiled
def _count_halo(grey: F32, alpha: Image, close: int, reach: int, margin: float, solid: int, clear: int) -> Any:
    """Count the outline pixels that stick out of both their sides, and those that could be judged."""
    height, width = alpha.shape
    outline = _outline(alpha)
    sides = np.empty((height, width), np.uint8)  # 1 is solid, 2 clear; neither is the outline with its 8 neighbours
    for y in range(height):
        for x in range(width):
            sides[y, x] = (alpha[y, x] >= solid) + 2 * (alpha[y, x] <= clear)
    for y in range(height):
        for x in range(width):
            if outline[y, x]:
                for v in range(max(0, y - 1), min(height, y + 2)):
                    for u in range(max(0, x - 1), min(width, x + 2)):
                        sides[v, u] = 0
    sticking_out, measured = 0, 0
    for y in range(height):
        for x in range(width):
            if not outline[y, x]:
                continue
            inside, outside = 0, 0
            for v in range(max(0, y - close), min(height, y + close + 1)):
                for u in range(max(0, x - close), min(width, x + close + 1)):
                    inside += sides[v, u] & 1
                    outside += sides[v, u] >> 1
            if inside < 3 or outside < 3:
                continue
            measured += 1
            brighter, darker = True, True  # than everything near, until something is found that is not
            for v in range(max(0, y - reach), min(height, y + reach + 1)):
                for u in range(max(0, x - reach), min(width, x + reach + 1)):
                    if sides[v, u]:
                        brighter = brighter and grey[y, x] > grey[v, u] + margin
                        darker = darker and grey[y, x] < grey[v, u] - margin
                if not brighter and not darker:
                    break
            sticking_out += brighter or darker
    return sticking_out, measured


@compiled
def _outline(alpha: Image) -> Bools:
    """Return which pixels have a 4-neighbour across alpha 128: their highest bits differ."""
    height, width = alpha.shape
    out = np.zeros((height, width), np.bool_)
    for y in range(height):
        line, own, above, below = out[y], alpha[y], alpha[max(y - 1, 0)], alpha[min(y + 1, height - 1)]
        for x in range(width):
            line[x] = ((own[x] ^ above[x]) | (own[x] ^ below[x])) >= 128
        for x in range(width - 1):
            if (own[x] ^ own[x + 1]) >= 128:
                line[x], line[x + 1] = True, True
    return out
