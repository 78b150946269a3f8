"""What the camera did to the photograph, so that the same can be done to the occluder: blur and noise."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from fdgen.contract import Image

F32 = npt.NDArray[np.float32]

_LAPLACIAN_OF_NOISE = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32) / 6
_SHARPEST_PX = 0.5
"""No photograph is sharper than its pixels, and four samples a pixel need this much to look smooth."""
_GRAIN_SIGMA_PX = 0.55
_GRAIN_GAIN = 1.9
"""Restores the standard deviation that the blur of the grain takes away, as the estimator below measures it."""
_GRAIN_TILE = 512
_GRAIN_TILE_SEED = 20


@dataclass(frozen=True, slots=True)
class Optics:
    """Blur as the sigma of a Gaussian in px of the crop, noise as a standard deviation in sRGB levels."""

    blur_px: float
    noise_levels: float


def estimate_optics(clean_HWC: Image, skin_HW: npt.NDArray[np.bool_]) -> Optics:
    """Measure a photograph's blur at its strongest edges and its noise on the skin.

    Blur: the ratio of gradients before and after a known blur (Zhuo and Sim, 2011). Noise: median absolute deviation of
    a diagonal high-pass (Immerkaer, 1996), robust to edges.
    """
    grey = np.asarray(cv2.cvtColor(clean_HWC, cv2.COLOR_RGB2GRAY), np.float32)
    known = 1.0

    def gradient(image: npt.NDArray[np.floating[Any]]) -> F32:
        dx = cv2.Sobel(image, cv2.CV_32F, 1, 0, scale=0.125)
        dy = cv2.Sobel(image, cv2.CV_32F, 0, 1, scale=0.125)
        return np.asarray(cv2.magnitude(dx, dy), np.float32)

    before, after = gradient(grey), gradient(np.asarray(cv2.GaussianBlur(grey, (0, 0), known), np.float32))
    strong = before > np.percentile(before, 96)
    ratio = float(np.median(before[strong] / np.maximum(after[strong], 1e-3))) if strong.any() else 1.0
    sigma = known / np.sqrt(max(ratio * ratio - 1.0, 0.05)) if ratio > 1.02 else 3.0
    detail = np.asarray(cv2.filter2D(grey, -1, _LAPLACIAN_OF_NOISE), np.float32)
    noise = 1.4826 * float(np.median(np.abs(detail[skin_HW]))) if skin_HW.any() else 0.0
    return Optics(
        blur_px=float(np.clip(0.8 * np.sqrt(max(sigma * sigma - 0.6, 0.04)), _SHARPEST_PX, 2.0)),
        noise_levels=float(np.clip(noise, 0.0, 6.0)),
    )


def blur(image: F32, optics: Optics) -> F32:
    """Blur a layer as the photograph is blurred."""
    return np.asarray(cv2.GaussianBlur(image, (0, 0), optics.blur_px), np.float32)


@cache
def _grain_tiles(across: int) -> F32:
    """Unit noise with a demosaicked sensor's softness that wraps, so many tiles square; always the same."""
    noise = np.random.default_rng(_GRAIN_TILE_SEED).standard_normal((_GRAIN_TILE, _GRAIN_TILE), dtype=np.float32)
    wrapped = np.pad(noise, 8, mode="wrap")
    soft = np.asarray(cv2.GaussianBlur(wrapped, (0, 0), _GRAIN_SIGMA_PX), np.float32)[8:-8, 8:-8]
    return np.tile(soft * np.float32(_GRAIN_GAIN), (across, across))


def grain(size_px: int, optics: Optics, seed: int) -> F32:
    """Return noise (size_px, size_px) in sRGB levels, as strong as the photograph's: a window that `seed` chooses."""
    if optics.noise_levels <= 0.2:
        return np.zeros((size_px, size_px), np.float32)
    row, column, turns, flip = np.random.default_rng(seed).integers(0, (_GRAIN_TILE, _GRAIN_TILE, 4, 2)).tolist()
    window = _grain_tiles(1 + -(-size_px // _GRAIN_TILE))[row : row + size_px, column : column + size_px]
    window = np.rot90(window[:, ::-1] if flip else window, turns)
    return np.ascontiguousarray(window * np.float32(optics.noise_levels))
