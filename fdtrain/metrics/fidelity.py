"""MSE, PSNR and SSIM against the clean picture, whole or in the inpainted region (hole) alone.

The protocol, which every report states: RGB uint8, values to 255, no border cropped beforehand, a value a picture, then
the mean over pictures. SSIM is that of Wang et al. (2004) as scikit-image computes it with `gaussian_weights=True,
sigma=1.5, use_sample_covariance=False, data_range=255, channel_axis=2`: a window of 11 pixels, the mean over channels
and over all pixels whose window lies inside. In the hole it is the mean of the same map over masked pixels.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from fdgen.arrays import Image

PROTOCOL = (
    "RGB uint8, no border crop, one value a picture, then the mean; PSNR of 255; SSIM with a Gaussian window of 11 "
    "pixels (sigma 1.5), population covariance, mean over channels"
)

SIGMA, RADIUS = 1.5, 5
K1, K2, RANGE = 0.01, 0.03, 255.0

_x = np.arange(-RADIUS, RADIUS + 1)
_WINDOW = np.exp(-0.5 * (_x / SIGMA) ** 2) / np.exp(-0.5 * (_x / SIGMA) ** 2).sum()


class Fidelity(NamedTuple):
    """How near a picture is to the truth: dB, a share of 1, squared grey levels."""

    psnr: float
    ssim: float
    mse: float


def fidelity(result_HWC: Image, clean_HWC: Image) -> Fidelity:
    """Compare whole pictures."""
    error = mse(result_HWC, clean_HWC)
    inside = ssim_map(result_HWC, clean_HWC)[RADIUS:-RADIUS, RADIUS:-RADIUS]
    return Fidelity(psnr(error), float(inside.mean()), error)


def hole_fidelity(result_HWC: Image, clean_HWC: Image, mask_HW: Image) -> Fidelity:
    """Compare masked pixels alone; all is NaN where the mask is empty.

    For SSIM give the composited picture: windows reach over the edge of the hole.
    """
    hole_HW = mask_HW > 0
    if not hole_HW.any():
        return Fidelity(np.nan, np.nan, np.nan)
    error = mse(result_HWC[hole_HW], clean_HWC[hole_HW])
    return Fidelity(psnr(error), float(ssim_map(result_HWC, clean_HWC)[hole_HW].mean()), error)


def mse(a: Image, b: Image) -> float:
    """Return the mean squared difference, over all pixels and channels."""
    difference = a.astype(np.float64) - b
    return float(np.mean(difference * difference))


def psnr(error: float) -> float:
    """Return the peak signal-to-noise ratio in dB for a mean squared error; infinite for equal pictures."""
    return float(10 * np.log10(RANGE**2 / error)) if error > 0 else float("inf")


def ssim_map(a_HWC: Image, b_HWC: Image) -> npt.NDArray[np.float64]:
    """Return the structural similarity of every pixel, (H, W), the mean over channels."""
    a, b = a_HWC.astype(np.float64), b_HWC.astype(np.float64)
    mean_a, mean_b = _blur(a), _blur(b)
    var_a = _blur(a * a) - mean_a * mean_a
    var_b = _blur(b * b) - mean_b * mean_b
    covariance = _blur(a * b) - mean_a * mean_b
    c1, c2 = (K1 * RANGE) ** 2, (K2 * RANGE) ** 2
    light = (2 * mean_a * mean_b + c1) / (mean_a * mean_a + mean_b * mean_b + c1)
    structure = (2 * covariance + c2) / (var_a + var_b + c2)
    similarity: npt.NDArray[np.float64] = (light * structure).mean(axis=2)
    return similarity


def _blur(picture_HWC: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return cv2.sepFilter2D(picture_HWC, -1, _WINDOW, _WINDOW, borderType=cv2.BORDER_REFLECT)  # type: ignore[return-value]
