"""Truth layers of a composited picture: mattes, shadow, depth and normals, as `fdgen.contract.truth` says."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from fdgen.arrays import F32, Image
from fdgen.contract.truth import DEPTH_STEPS, DEPTH_ZERO
from fdgen.errors import RecipeError
from fdgen.render.draw import Layer

MOST_MATTES = 3
"""Channels of a PNG, and occluders that a recipe can ask for on one face."""

_AROUND_PX = 5
"""Side of the square, at 256 px, over which a change is averaged before it is compared: coding leaves speckle."""


def visible_changes(
    clean_HWC: Image, occluded_HWC: Image, mask_HW: Image, alpha_HW: Image, threshold: int
) -> tuple[Image, Image]:
    """Return (occluded_HWC, mask_HW) without the shadow that changes a pixel by less than `threshold` levels.

    The occluder's silhouette stays in the mask, in any colour. Where the mask is 0 the pictures are equal again.

    Args:
        clean_HWC: The clean picture, RGB uint8.
        occluded_HWC: The occluded one.
        mask_HW: 255 where something may have changed, else 0.
        alpha_HW: Silhouette of the occluders, 0 to 255.
        threshold: In levels of the channel that changes most, averaged over a few pixels.
    """
    change = cv2.absdiff(clean_HWC, occluded_HWC).max(2)
    side = max(3, round(_AROUND_PX * mask_HW.shape[0] / 256) | 1)
    seen = (cv2.blur(change, (side, side)) >= threshold) | (alpha_HW > 0)
    mask: Image = np.where(seen, mask_HW, np.uint8(0))
    return np.where(mask[..., None] > 0, occluded_HWC, clean_HWC), mask


def mattes(layers: Sequence[Layer], mask_HW: Image) -> Image:
    """Return what each layer hides of all behind it, a channel each (H, W, 3), 0 outside the mask.

    A sharpened edge can leave half a level of opacity on a pixel that the layer does not change. Raises `RecipeError`
    for more than 3 layers.
    """
    if len(layers) > MOST_MATTES:
        raise RecipeError(f"truth.layers has mattes, which hold {MOST_MATTES} occluders, got {len(layers)}")
    channels = [np.where(mask_HW > 0, _eight_bits(layer.opacity_HW), np.uint8(0)) for layer in layers]
    empty = [np.zeros(layers[0].opacity_HW.shape, np.uint8)] * (MOST_MATTES - len(channels))
    return np.ascontiguousarray(np.dstack([*channels, *empty]))


def shadow(layers: Sequence[Layer], mask_HW: Image) -> Image:
    """Return the share of light that the layers take together (H, W), 255 for all of it; 0 where the mask is."""
    left = np.ones(mask_HW.shape, np.float32)
    for layer in layers:
        left *= 1 - np.clip(layer.shadow_HW, 0.0, 1.0)
    return np.where(mask_HW > 0, _eight_bits(1 - left), np.uint8(0))


def surface(layers: Sequence[Layer], px_per_cm: float) -> tuple[npt.NDArray[np.uint16], Image]:
    """Return depth (H, W) and normals (H, W, 3) of the uppermost layer at each pixel.

    `px_per_cm` is the scale of the head. The layers were drawn over a scene that keeps surfaces.
    """
    shape = layers[0].opacity_HW.shape
    depth, normals = np.zeros(shape, np.uint16), np.zeros((*shape, 3), np.uint8)
    for layer in layers:
        rows, columns = layer.surface_box
        z, n = layer.surface_HW4[..., 3], layer.surface_HW4[..., :3]
        there = np.isfinite(z)
        steps = np.clip(np.round(DEPTH_ZERO + z[there] / px_per_cm * DEPTH_STEPS), 1, 65_535)
        depth[rows, columns][there] = steps.astype(np.uint16)
        normals[rows, columns][there] = np.clip(np.round(128 + 127 * n[there]), 0, 255).astype(np.uint8)
    return depth, normals


def _eight_bits(share_HW: F32) -> Image:
    rounded: Image = (np.clip(share_HW, 0.0, 1.0) * np.float32(255) + np.float32(0.5)).astype(np.uint8)
    return rounded
