"""A linear classifier over gradients and colours of an aligned face: `fdgen/analysis/models/worn.md`.

It learned from real wearers, whom the network of `accessory_network` has seen few of; `worn_already` weighs both.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import resources

import cv2
import numpy as np
import numpy.typing as npt

from fdgen.analysis.gradient_histograms import BINS, CELL_PX, gradient_histograms
from fdgen.arrays import F32, Image
from fdgen.io.pictures.images import resize

SIZE_PX = 96
_BLOCKS = SIZE_PX // CELL_PX - 1
_COLOURS = 16
_SKIN = (slice(8, 12), slice(5, 11))
"""Cheeks and nose on the colour grid: colours are compared with this person's own."""

ROWS: Mapping[str, tuple[float, float]] = {
    "eyewear": (0.30, 0.72),
    "mask": (0.45, 1.0),
    "hat": (0.0, 0.55),
}
"""The classes, and the part of the aligned face that is looked at, from its top 0 to its bottom 1."""


def linear_scores(clean_HWC: Image) -> dict[str, float]:
    """Return the score of each class of `ROWS` in an aligned crop, RGB of any size; it is seen from 0 on."""
    seen, model = features(clean_HWC), _model()
    return {
        kind: float(np.einsum("i,i->", seen[looked_at(kind)], weights, dtype=np.float64)) + offset
        for kind, (weights, offset) in model.items()
    }


def features(clean_HWC: Image) -> F32:
    """Return what the classifier looks at: histograms of gradients, and colours against those of the cheeks."""
    small = resize(clean_HWC, SIZE_PX, SIZE_PX)
    lab = cv2.resize(cv2.cvtColor(small, cv2.COLOR_RGB2LAB), (_COLOURS, _COLOURS), interpolation=cv2.INTER_AREA)
    colours = lab.astype(np.float32) / 255
    colours -= colours[_SKIN].reshape(-1, 3).mean(0)
    found: F32 = np.concatenate([gradient_histograms(small), colours.ravel()])
    return found


@cache
def looked_at(kind: str) -> npt.NDArray[np.bool_]:
    """Return which features lie within the rows of a kind."""
    top, bottom = ROWS[kind]
    # Blocks are listed column by column.
    block = np.tile(np.arange(_BLOCKS), _BLOCKS)
    middle = np.repeat((block + 1) * CELL_PX / SIZE_PX, 4 * BINS)
    colour = np.repeat((np.arange(_COLOURS) + 0.5) / _COLOURS, 3 * _COLOURS)
    rows = np.concatenate([middle, colour])
    inside: npt.NDArray[np.bool_] = (rows > top) & (rows < bottom)
    return inside


@cache
def _model() -> Mapping[str, tuple[F32, float]]:
    """Read the classifier: weights and offset of each kind, once a process."""
    with resources.files("fdgen.analysis.models").joinpath("worn.npz").open("rb") as file, np.load(file) as data:
        return {kind: (data[kind][:-1].astype(np.float32), float(data[kind][-1])) for kind in ROWS}
