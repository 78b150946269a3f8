"""The attention of FaceMesh: looks again at lips and eyes, in the features around where the mesh has them.

Grishchenko et al., Attention Mesh: High-fidelity face mesh prediction in real-time, 2020. The network calls operations
of MediaPipe's own for what is here in numpy.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from fdgen.arrays import F32
from fdgen.networks.engine import Network, read_table

GRID = 16
"""Cells a side of the features that a part is shown."""

MARGIN = 1.5
"""Side of what it is shown, in sides of the box around the part's points."""

FEATURE_PX = 4
"""Pixels of the network's picture a cell of its features, and cells of a part's answer a cell of its grid."""

IRISES: Mapping[str, slice] = {"left_eye": slice(468, 473), "right_eye": slice(473, 478)}
_N_LID_POINTS = 16  # the first of an eye's points; an iris lies at their mean depth

_CELLS = np.stack([np.tile(np.arange(GRID), GRID), np.repeat(np.arange(GRID), GRID)]).astype(np.float32)
_CENTRES: F32 = np.concatenate([_CELLS + np.float32(0.5), np.ones((1, GRID * GRID), np.float32)])


class Refinement:
    """A part of the face (`lips`, `left_eye`, `right_eye`) and its network."""

    def __init__(self, part: str) -> None:
        joined = read_table("refinements.json")[part]
        self._network = Network(f"{part}.tflite")
        self._points = np.array(joined["points"])
        self._ends: tuple[int, int] = (joined["left"], joined["right"])
        self._iris = IRISES.get(part)

    def refine(self, mesh: F32, features_HWC: F32, refined: F32) -> None:
        """Write the part's points of `mesh`, (468, 3) in px of the network's picture, anew into `refined`, (478, 3)."""
        matrix = self._frame(mesh[:, :2] / np.float32(FEATURE_PX))
        outputs = sorted(self._network(_sampled(features_HWC, matrix)), key=lambda output: -output.size)
        back = matrix * np.array([1, 1, FEATURE_PX], np.float32)
        refined[self._points, :2] = _moved(back, outputs[0].reshape(-1, 2))
        if self._iris is not None:
            refined[self._iris, :2] = _moved(back, outputs[1].reshape(-1, 2))
            refined[self._iris, 2] = mesh[self._points[:_N_LID_POINTS], 2].mean()

    def _frame(self, points: F32) -> F32:
        """Return the matrix (2, 3) from the grid to the features: a box around the points, level with the part."""
        left, right = self._ends
        across = points[right] - points[left]
        cos, sin = across / np.sqrt((across * across).sum())
        turn = np.array([[cos, -sin], [sin, cos]], np.float32)
        level = points[self._points] @ turn
        low, high = level.min(axis=0), level.max(axis=0)
        linear = turn * ((high - low) * np.float32(MARGIN / GRID))
        start = turn @ ((high + low) / 2) - linear @ np.array([GRID / 2, GRID / 2], np.float32)
        frame: F32 = np.concatenate([linear, start[:, None]], axis=1)
        return frame


def _moved(matrix: F32, points: F32) -> Any:
    return points @ matrix[:, :2].T + matrix[:, 2]


def _sampled(features_HWC: F32, matrix: F32) -> F32:
    """Return the features (GRID, GRID, C) at the centres of the grid's cells, bilinear; zero outside."""
    height, width = features_HWC.shape[:2]
    x, y = matrix @ _CENTRES - np.float32(0.5)
    inside = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    x, y = np.clip(x, 0, width - 1), np.clip(y, 0, height - 1)
    left, top = x.astype(np.intp), y.astype(np.intp)
    right, bottom = np.minimum(left + 1, width - 1), np.minimum(top + 1, height - 1)
    part_x, part_y = (x - left).astype(np.float32)[:, None], (y - top).astype(np.float32)[:, None]
    upper = features_HWC[top, left] * (1 - part_x) + features_HWC[top, right] * part_x
    lower = features_HWC[bottom, left] * (1 - part_x) + features_HWC[bottom, right] * part_x
    sampled: F32 = (lower * part_y + upper * (1 - part_y)) * inside[:, None]
    return np.ascontiguousarray(sampled.reshape(GRID, GRID, -1), np.float32)
