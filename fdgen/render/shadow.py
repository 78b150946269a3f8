"""Light that an occluder takes: from its own hollows, and from the head behind it.

Both are smooth, so their blurs are computed on fewer pixels.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from fdgen.arrays import F32
from fdgen.render.scene import FAR, Scene
from fdgen.runtime.jit import compiled
from fdgen.runtime.step_times import timed_step

_TALLEST_CM = 4.0
"""Height above the head past which an occluder casts its shadow no further."""
_HOLLOWS = ((0.22, 0.32), (0.7, 0.36))
"""Radii in cm of the blurs that a surface is compared with, and how much the hollows of each darken."""
_FINEST_PX = 1.2
"""Sigma of a blur down to which its picture may be shrunk."""
_CAST, _CONTACT, _SKY = 0.2, 0.50, 0.30
"""How dark the shadow that the main light casts is where it is no direction's alone, that right by a contact, and that
of the sky around it."""


@timed_step("draw: ambient occlusion")
def ambient_occlusion(height: F32, scale_px: float, strength: float) -> F32:
    """Return the share of light (h, w) left in an occluder's own hollows: its depth against its blur at two radii.

    Args:
        height: Its depth in px towards the viewer, `FAR` where it is not.
        scale_px: Pixels a cm.
        strength: 0 leaves all light.
    """
    lowest = _lowest(height, float(FAR))
    if strength <= 0 or lowest == np.inf:
        return np.ones_like(height)
    filled = np.maximum(height, np.float32(lowest))
    near, wide = (blurred(filled, radius_cm * scale_px) for radius_cm, _ in _HOLLOWS)
    return _left_in_hollows(filled, near, wide, scale_px, strength)


def blurred(image: F32, sigma: float) -> F32:
    """Return an image (H, W) with a Gaussian blur of `sigma` px, computed on fewer pixels where it is wide."""
    shrunk = int(min(sigma / _FINEST_PX, *(side / 8 for side in image.shape)))
    if shrunk < 2:
        return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), np.float32)
    size = (-(-image.shape[1] // shrunk), -(-image.shape[0] // shrunk))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), sigma / shrunk)
    return np.asarray(cv2.resize(small, image.shape[::-1], interpolation=cv2.INTER_LINEAR), np.float32)


@compiled
def _lowest(height: F32, far: float) -> Any:
    """Return the least depth that is not `far`; infinity for none."""
    lowest = np.float32(np.inf)
    for y in range(height.shape[0]):
        for x in range(height.shape[1]):
            value = height[y, x]
            if value > 0.5 * far and value < lowest:
                lowest = value
    return lowest


@compiled
def _left_in_hollows(height: F32, near: F32, wide: F32, scale_px: float, strength: float) -> F32:
    out = np.empty(height.shape, np.float32)
    near_scale, near_weight = np.float32(1 / (_HOLLOWS[0][0] * scale_px)), np.float32(_HOLLOWS[0][1] * strength)
    wide_scale, wide_weight = np.float32(1 / (_HOLLOWS[1][0] * scale_px)), np.float32(_HOLLOWS[1][1] * strength)
    flat, deepest = np.float32(0.05), np.float32(1.2)
    darkest, whole, none = np.float32(0.35), np.float32(1.0), np.float32(0.0)
    for y in range(height.shape[0]):
        for x in range(height.shape[1]):
            a = min(deepest, max(none, (near[y, x] - height[y, x]) * near_scale - flat))
            b = min(deepest, max(none, (wide[y, x] - height[y, x]) * wide_scale - flat))
            out[y, x] = max(darkest, whole - near_weight * a - wide_weight * b)
    return out


@timed_step("draw: shadow")
def cast_shadow(scene: Scene, covers: F32, gap: F32, rows: slice, columns: slice, strength: float) -> F32:
    """Return the share of light (H, W) that an occluder takes from the head: contact and cast shadow.

    The cast shadow is splatted: each pixel of the occluder lies `gap` px above the head and shades what the main light
    would have reached there. The contact shadow is the sky that a near occluder hides from skin next to it.

    Args:
        scene: The face and its light.
        covers: How much of the light that meets it the occluder stops, in the rows and columns of its box: a pale lens
            throws a pale shadow.
        gap: Its height above the head in px, negative where there is no head below.
        rows: Rows of the box.
        columns: Its columns.
        strength: A factor on the shadow.
    """
    size, scale, light = scene.size_px, scene.pose.scale_px, scene.light
    slope = max(float(light.direction[2]), 0.35)
    dx, dy = -float(light.direction[0]) / slope, float(light.direction[1]) / slope
    cast, near = np.zeros((size, size), np.float32), np.zeros((size, size), np.float32)
    tallest, fading = _TALLEST_CM * scale, -1 / (1.2 * scale)
    height = _splat(covers, gap, dx, dy, rows.start, columns.start, tallest, fading, cast, near)
    if height < 0:
        return np.zeros((size, size), np.float32)
    half = (size // 2, size // 2)
    thrown = np.asarray(cv2.resize(cast, half, interpolation=cv2.INTER_AREA), np.float32)
    around = np.asarray(cv2.resize(near, half, interpolation=cv2.INTER_AREA), np.float32)
    taken = np.float32(_CAST + 0.5 * light.directional) * blurred(thrown, (0.12 * scale + 0.18 * height) / 2)
    taken += np.float32(_SKY) * blurred(around, 0.7 * scale / 2)
    taken += np.float32(_CONTACT) * blurred(around, 0.22 * scale / 2)
    taken = np.asarray(cv2.resize(taken, (size, size), interpolation=cv2.INTER_LINEAR), np.float32)
    _fall(taken, scene.head_coverage_HW, strength)
    return taken


@compiled
def _splat(
    covers: F32,
    gap: F32,
    dx: float,
    dy: float,
    row0: int,
    column0: int,
    tallest: float,
    fading: float,
    cast_HW: F32,
    near_HW: F32,
) -> float:
    """Move each pixel of an occluder by its height above the head, along the light; return its mean height, or -1.

    Args:
        covers: How much of each pixel the occluder covers, a box of the crop.
        gap: Its height above the head in px; negative where there is no head below.
        dx: Shift to the right in px for each px of height.
        dy: The same downwards.
        row0: Row of the crop where the box begins.
        column0: Column where it begins.
        tallest: The greatest height in px that counts.
        fading: Exponent of the contact shadow for each px of height.
        cast_HW: Keeps the largest cover that lands on a pixel, shared out to its four neighbours bilinearly.
        near_HW: Gets the contact shadow in the same way.
    """
    height, width = cast_HW.shape
    total, n = 0.0, 0
    for y in range(covers.shape[0]):
        for x in range(covers.shape[1]):
            above = min(gap[y, x], tallest)
            if above < 0.0:
                continue
            total += above
            n += 1
            value = covers[y, x]
            if value <= 0.0:
                continue
            near_HW[row0 + y, column0 + x] = value * np.exp(above * fading)
            tx, ty = column0 + x + dx * above, row0 + y + dy * above
            x0, y0 = int(np.floor(tx)), int(np.floor(ty))
            fx, fy = tx - x0, ty - y0
            for yy in range(max(0, y0), min(height, y0 + 2)):
                wy = min(1.0, 2.0 * (fy if yy > y0 else 1.0 - fy))
                for xx in range(max(0, x0), min(width, x0 + 2)):
                    landed = value * wy * min(1.0, 2.0 * (fx if xx > x0 else 1.0 - fx))
                    if landed > cast_HW[yy, xx]:
                        cast_HW[yy, xx] = landed
    return total / n if n else -1.0


@compiled
def _fall(taken_HW: F32, on_head_HW: F32, strength: float) -> None:
    """Keep what falls on the head, in place."""
    most, factor = np.float32(0.8), np.float32(strength)
    for y in range(taken_HW.shape[0]):
        for x in range(taken_HW.shape[1]):
            taken_HW[y, x] = min(most, taken_HW[y, x]) * on_head_HW[y, x] * factor
