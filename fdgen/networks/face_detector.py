"""BlazeFace: finds faces in a picture, each with the points of eyes, nose, mouth and ears.

The network looks at a square of 128 px (short range: selfies) or 192 px (full range: whole rooms) and answers for each
of a fixed set of anchors; what overlaps is averaged by its scores. Bazarevsky et al., BlazeFace: Sub-millisecond neural
face detection on mobile GPUs, 2019.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from fdgen.arrays import F32, Image
from fdgen.networks.engine import Network, as_floats
from fdgen.networks.warp import Square, cut_square

Range = Literal["short", "full"]

_SIDE_PX = {"short": 128, "full": 192}
_GRIDS: dict[str, tuple[tuple[int, int], ...]] = {"short": ((16, 2), (8, 6)), "full": ((48, 1),)}
"""Cells a side, and anchors a cell, of each layer that answers."""

_SAME_FACE = 0.3
"""Boxes that share more than this of their union (intersection over union) show one face."""


_MOST_LOGIT = np.float32(80)
"""Beyond it scores are 0 or 1, and single precision overflows."""


@dataclass(frozen=True, slots=True)
class DetectedFace:
    """A face: score in [0, 1], corners of its box (2, 2) and six points (6, 2) in px of the picture.

    The points are those of the viewer's left eye, right eye, nose, mouth, left ear and right ear.
    """

    score: float
    box: F32
    points: F32

    @property
    def width_px(self) -> float:
        """Width of the box."""
        return float(self.box[1, 0] - self.box[0, 0])


class FaceDetector:
    """A detector of either range, made once."""

    def __init__(self, reach: Range) -> None:
        self._network = Network(f"face_detection_{reach}_range.tflite")
        self._side = _SIDE_PX[reach]
        self._anchors = _anchors(reach)

    def find(self, picture_HWC: Image, least_score: float) -> list[DetectedFace]:
        """Return the faces of an RGB picture (H, W, 3) of any size, the surest first."""
        height, width = picture_HWC.shape[:2]
        side = max(width, height)
        whole = Square(np.float32(width / 2), np.float32(height / 2), np.float32(side), np.float32(0))
        square_HWC = cut_square(picture_HWC, whole, self._side, cv2.BORDER_CONSTANT)
        outputs = self._network(as_floats(square_HWC, -1, 1))
        answers, logits = sorted(outputs, key=lambda output: -output.shape[-1])
        scores = 1 / (1 + np.exp(np.clip(-logits[:, 0], -_MOST_LOGIT, _MOST_LOGIT)))
        passing = np.flatnonzero(scores >= least_score)
        places = self._places(answers[passing], passing)
        off = np.array([(side - width) / 2, (side - height) / 2], np.float32)
        return [
            DetectedFace(float(score), place[:2] * np.float32(side) - off, place[2:] * np.float32(side) - off)
            for score, place in _merged(scores[passing], places)
        ]

    def _places(self, answers: F32, which: npt.NDArray[np.intp]) -> F32:
        """Return the corners of the box and the six points (n, 8, 2) of some anchors, in parts of the square."""
        places: F32 = answers.reshape(-1, 8, 2) / np.float32(self._side)
        centre, half = places[:, 0] + self._anchors[which], places[:, 1] / 2
        places[:, 2:] += self._anchors[which, None]
        places[:, 0], places[:, 1] = centre - half, centre + half
        return places


def _anchors(reach: Range) -> F32:
    """Return the centres (n, 2) of the anchors in parts of the square, in the order of the network's answers."""
    layers = []
    for n_cells, n_anchors in _GRIDS[reach]:
        rows, columns = np.mgrid[:n_cells, :n_cells]
        centres = (np.stack([columns.ravel(), rows.ravel()], axis=1) + 0.5) / n_cells
        layers.append(np.repeat(centres, n_anchors, axis=0))
    anchors: F32 = np.concatenate(layers).astype(np.float32)
    return anchors


def _merged(scores: F32, places: F32) -> list[tuple[np.float32, F32]]:
    """Average boxes that overlap, by their scores, around the surest of them."""
    order = np.argsort(-scores, kind="stable")
    scores, places = scores[order], places[order]
    merged: list[tuple[np.float32, F32]] = []
    left = np.arange(len(scores))
    while len(left):
        same = _overlap(places[left[0]], places[left]) > _SAME_FACE
        same[0] = True  # a box without area overlaps nothing, not even itself
        members = left[same]
        weights = scores[members]
        total: F32 = (weights[:, None, None] * places[members]).sum(axis=0)
        merged.append((scores[left[0]], total / np.add.accumulate(weights)[-1]))
        left = left[~same]
    return merged


def _overlap(box: F32, boxes: F32) -> F32:
    """Return the intersection over union of a box with others, by their corners (n, 8, 2)."""
    low, high = np.maximum(box[0], boxes[:, 0]), np.minimum(box[1], boxes[:, 1])
    shared = np.clip(high - low, 0, None).prod(axis=1)
    areas = (boxes[:, 1] - boxes[:, 0]).prod(axis=1)
    union = (box[1] - box[0]).prod() + areas - shared
    overlap: F32 = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    return overlap
