"""Grain: the noise of a photograph near a hole, measured, and made anew for what is filled in.

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

Floats = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]

COARSENESS_PX = (0.0, 0.4, 0.6, 0.8, 1.1, 1.5, 2.0)
"""Sigmas of the blur that noise is tried with."""

_HIGH_PASS_PX = 1.5
"""Sigma of the blur whose difference from the picture is taken as noise: skin has little that fine."""

_FLATTEST = 0.5
"""Share of the pixels, those with the least gradient, that noise is measured on: the rest holds lashes and edges."""

_FEWEST = 64
"""Pixels needed to measure anything."""

_MAD = 1.4826
"""A normal distribution's standard deviation over its median absolute deviation."""

_MOST = 12.0
"""Strongest grain, in levels: what measures more is no grain but hair or cloth."""

_LUMA = np.array(
    [[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]], np.float32
)  # JPEG's (JFIF 1.02): luma and the differences of blue and red


@dataclass(frozen=True)
class Grain:
    """Strength in levels, of luma and the two colour differences, and sigma of the blur that makes it coarse."""

    strengths: tuple[float, float, float]
    coarseness_px: float


def measure(picture_HWC: npt.NDArray[Any], where_HW: Bools) -> Grain | None:
    """Measure the noise of a picture, uint8 or float levels, where `where_HW` says; None on too few pixels."""
    channels_HWC = _luma(np.asarray(picture_HWC, np.float32))
    smooth_HWC = _blurred(channels_HWC, _HIGH_PASS_PX)
    gradient_HW = np.abs(np.gradient(smooth_HWC[..., 0], axis=0)) + np.abs(np.gradient(smooth_HWC[..., 0], axis=1))
    if int(where_HW.sum()) < _FEWEST:
        return None
    flat_HW = where_HW & (gradient_HW <= np.quantile(gradient_HW[where_HW], _FLATTEST))
    rest_HWC = channels_HWC - smooth_HWC
    strengths = [float(_MAD * np.median(np.abs(rest_HWC[flat_HW, i]))) for i in range(3)]
    both_HW = flat_HW[:, 1:] & flat_HW[:, :-1]
    if int(both_HW.sum()) < _FEWEST:
        return None
    left, right = rest_HWC[:, :-1, 0][both_HW], rest_HWC[:, 1:, 0][both_HW]
    spread = float(np.sqrt((left**2).mean() * (right**2).mean()))
    alike = float((left * right).mean()) / spread if spread > 0 else 0.0
    coarseness_px, passed = min(_PASSED, key=lambda entry: abs(entry[1][0] - alike))
    y, cb, cr = (min(_MOST, strength / passed[1]) for strength in strengths)
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


def make(grain: Grain, shape: tuple[int, ...], rng: np.random.Generator) -> Floats:
    """Make grain, float32 (*shape, 3) of RGB levels around 0."""
    noise_HWC = rng.standard_normal((*shape, 3), np.float32)
    if grain.coarseness_px:
        noise_HWC = _blurred(noise_HWC, grain.coarseness_px) / np.float32(_strength_after(grain.coarseness_px))
    noise_HWC *= np.asarray(grain.strengths, np.float32)
    return np.asarray(noise_HWC @ np.linalg.inv(_LUMA).T.astype(np.float32), np.float32)


def _luma(rgb_HWC: Floats) -> Floats:
    return np.asarray(rgb_HWC @ _LUMA.T, np.float32)


def _blurred(picture_HWC: Floats, sigma_px: float) -> Floats:
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
