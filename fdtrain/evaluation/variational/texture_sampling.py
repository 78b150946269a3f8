"""Texture by non-parametric sampling: each pixel is one of the known ones whose surroundings look like its own.

A. Efros and T. Leung, Texture Synthesis by Non-parametric Sampling, 1999. Pixels with most known neighbours come
first; the surroundings are compared by squared differences with Gaussian weights, over the channels together, and one
of those within 10 % of the least is drawn.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from fdgen.arrays import Bools
from fdtrain.evaluation.variational.hole_window import Values

PATCH_PX = 7
CANDIDATES = 1200

DEVIATIONS = (
    f"texture is sampled from the {CANDIDATES:,} whole patches nearest to the hole, where Efros and Leung look through "
    "all of the picture; the hole is filled in rings, and in each ring pixels that cannot see each other are drawn at "
    "once",
)
SLACK = 1.1
"""What is drawn from: those at most this many times as far as the nearest."""

SEED = 0


def sampled(texture_HWC: Values, hole_HW: Bools) -> Values:
    """Return the texture with its hole filled; zeros there where no whole patch is known."""
    radius = PATCH_PX // 2
    result = np.where(hole_HW[..., None], np.float32(0), texture_HWC)
    places = _candidates(hole_HW)
    if len(places) == 0:
        return result
    n_channels = result.shape[2]
    axes: Any = (0, 1)  # numpy 1.26 takes several, and its stubs one
    windows = np.lib.stride_tricks.sliding_window_view(result, (PATCH_PX, PATCH_PX), axis=axes)
    patches = np.ascontiguousarray(
        windows[places[:, 0] - radius, places[:, 1] - radius].transpose(0, 2, 3, 1), np.float32
    ).reshape(len(places), -1)
    squared = patches**2
    centres = result[places[:, 0], places[:, 1]]
    line = cv2.getGaussianKernel(PATCH_PX, PATCH_PX / 6.4, cv2.CV_32F)
    kernel = np.repeat((line @ line.T)[..., None], n_channels, axis=2)
    padded = np.pad(result, ((radius, radius), (radius, radius), (0, 0)))
    known = np.pad((~hole_HW).astype(np.float32), radius)
    inner = padded[radius:-radius, radius:-radius]
    generator = np.random.default_rng(SEED)
    around = np.arange(PATCH_PX)
    for rows, columns in _order(hole_HW):
        down, right = rows[:, None, None] + around[:, None], columns[:, None, None] + around
        target = padded[down, right]
        weight = known[down, right][..., None] * kernel
        weighted = (weight * target).reshape(len(rows), -1)
        distance = weight.reshape(len(rows), -1) @ squared.T
        distance -= 2 * weighted @ patches.T
        distance += (weighted * target.reshape(len(rows), -1)).sum(axis=1, keepdims=True)
        least = np.maximum(distance.min(axis=1, keepdims=True), 0)
        draw = generator.random(distance.shape, np.float32) * (distance <= SLACK * least + 1e-3)
        inner[rows, columns] = centres[draw.argmax(axis=1)]
        known[rows + radius, columns + radius] = 1
    return np.ascontiguousarray(inner)


def _candidates(hole_HW: Bools) -> Values:
    """Return the centres of the whole known patches nearest to the hole, (n, 2), by rows."""
    known = cv2.copyMakeBorder((~hole_HW).astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=(0,))
    whole = cv2.erode(known, np.ones((PATCH_PX, PATCH_PX), np.uint8), borderValue=(0,))[1:-1, 1:-1]
    apart = cv2.distanceTransform((~hole_HW).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    places = np.argwhere(whole > 0)
    nearest = np.argsort(apart[places[:, 0], places[:, 1]], kind="stable")[:CANDIDATES]
    return places[np.sort(nearest)]


def _order(hole_HW: Bools) -> list[tuple[Values, Values]]:
    """Return rows and columns of pixels to draw at once, from the rim inwards: in one ring, and not in one patch."""
    step = PATCH_PX // 2 + 1
    ring = cv2.distanceTransform(
        cv2.copyMakeBorder(hole_HW.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=(1,)), cv2.DIST_C, 3
    )[1:-1, 1:-1].astype(int)
    rows, columns = np.nonzero(hole_HW)
    turn = (rows % step) * step + columns % step
    key = ring[rows, columns] * step**2 + turn
    order = np.argsort(key, kind="stable")
    cuts = np.flatnonzero(np.diff(key[order])) + 1
    return [(rows[part], columns[part]) for part in np.split(order, cuts)]
