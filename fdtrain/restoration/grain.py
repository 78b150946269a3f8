"""Grain: the noise of a photograph near the inpainted region (hole), measured, and synthesised in it.

What a network makes is smoother than what a camera sees; a patch without the photograph's noise shows from afar.
Noise is taken in luma and the two colour differences, each as a strength and all with one coarseness: resizing,
demosaicing and compression make the noise of neighbouring pixels alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from fdgen.arrays import F32, Bools

COARSENESS_PX = (0.0, 0.4, 0.6, 0.8)
"""Sigmas of the blur that noise is tried with."""

_HIGH_PASS_PX = 1.5
"""Sigma of the blur whose difference from the picture is taken as noise: skin has little that fine."""

_BLOCK_PX = 7
"""Side of the surroundings whose noise is taken together."""

_CALM = 0.1
"""The noise of a picture is that of its calmest surroundings, at this quantile: the rest holds hair, lashes, cloth."""

_FEWEST = 64
"""Pixels needed to measure anything."""

_MOST = 5.0
"""Strongest that noise may measure, in levels: more is no noise but hair or cloth."""

_LUMA = np.array(
    [[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]], np.float32
)  # JPEG's (JFIF 1.02): luma and the differences of blue and red


@dataclass(frozen=True)
class Grain:
    """Noise as a high pass sees it, in levels, of luma and the two colour differences; and how coarse it is."""

    strengths: tuple[float, float, float]
    coarseness_px: float


def measure(picture_HWC: npt.NDArray[Any], where_HW: Bools) -> Grain | None:
    """Measure the noise of a picture, uint8 or float levels, where `where_HW` says; None on too few pixels."""
    if int(where_HW.sum()) < _FEWEST:
        return None
    channels_HWC = luma(np.asarray(picture_HWC, np.float32))
    rest_HWC = channels_HWC - _blurred(channels_HWC, _HIGH_PASS_PX)
    power_HWC = cv2.blur(rest_HWC * rest_HWC, (_BLOCK_PX, _BLOCK_PX), borderType=cv2.BORDER_REFLECT_101)
    calmest = np.maximum(np.quantile(power_HWC[where_HW], _CALM, axis=0), 0)  # sums that slide end below 0
    y, cb, cr = (min(_MOST, float(np.sqrt(power))) for power in calmest)
    calm_HW = where_HW & (power_HWC[..., 0] <= calmest[0])
    both_HW = calm_HW[:, 1:] & calm_HW[:, :-1]
    left, right = rest_HWC[:, :-1, 0][both_HW], rest_HWC[:, 1:, 0][both_HW]
    spread = float(np.sqrt((left**2).sum() * (right**2).sum()))
    alike = float((left * right).sum()) / spread if spread > 0 else 0.0
    coarseness_px = min(_PASSED, key=lambda entry: abs(entry[1][0] - alike))[0]
    return Grain((y, cb, cr), coarseness_px)


def missing(wanted: Grain, there: Grain | None) -> Grain:
    """Return the grain to add to what has some already: variances add up."""
    if there is None:
        return wanted
    y, cb, cr = (
        float(np.sqrt(max(0.0, want**2 - have**2)))
        for want, have in zip(wanted.strengths, there.strengths, strict=True)
    )
    return Grain((y, cb, cr), wanted.coarseness_px)


def make(grain: Grain, shape: tuple[int, ...], rng: np.random.Generator) -> F32:
    """Make grain, float32 (*shape, 3) of RGB levels around 0."""
    noise_HWC = rng.standard_normal((*shape, 3), np.float32)
    if grain.coarseness_px:
        noise_HWC = _blurred(noise_HWC, grain.coarseness_px) / np.float32(_strength_after(grain.coarseness_px))
    passed = dict(_PASSED)[grain.coarseness_px][1]
    noise_HWC *= np.asarray(grain.strengths, np.float32) / np.float32(passed)
    return rgb(noise_HWC)


def luma(rgb_HWC: F32) -> F32:
    """Return luma and the differences of blue and red, of RGB levels in the last axis."""
    return np.asarray(rgb_HWC @ _LUMA.T, np.float32)


def rgb(channels_HWC: F32) -> F32:
    """Return RGB levels of luma and the differences."""
    return np.asarray(channels_HWC @ np.linalg.inv(_LUMA).T.astype(np.float32), np.float32)


def _blurred(picture_HWC: F32, sigma_px: float) -> F32:
    return np.asarray(cv2.GaussianBlur(picture_HWC, (0, 0), sigma_px, borderType=cv2.BORDER_REFLECT_101), np.float32)


def _kernel(sigma_px: float) -> npt.NDArray[np.float64]:
    """Return the blur's weights, (25, 25)."""
    if not sigma_px:
        line = np.zeros(25)
        line[12] = 1
    else:
        line = np.exp(-((np.arange(25) - 12.0) ** 2) / (2 * sigma_px**2))
        line /= line.sum()
    return np.outer(line, line)


def _strength_after(sigma_px: float) -> float:
    """Return the standard deviation of white noise of strength 1 after a blur."""
    return float(np.sqrt((_kernel(sigma_px) ** 2).sum()))


def _after_high_pass(sigma_px: float) -> tuple[float, float]:
    """Of noise of strength 1 and this coarseness, return what the high pass leaves: neighbours' likeness, strength."""
    blur = _kernel(sigma_px)
    passed = blur - cv2.filter2D(blur, -1, _kernel(_HIGH_PASS_PX), borderType=cv2.BORDER_CONSTANT)
    variance = float((passed**2).sum())
    return float((passed[:, 1:] * passed[:, :-1]).sum()) / variance, np.sqrt(variance) / _strength_after(sigma_px)


_PASSED = tuple((sigma_px, _after_high_pass(sigma_px)) for sigma_px in COARSENESS_PX)
