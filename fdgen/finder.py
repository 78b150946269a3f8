"""All faces of a photograph, also small, turned and half covered ones: where their eyes are.

The detectors of mediapipe look at a square of 128 or 192 px, so a photograph is searched whole and in ever smaller
tiles. What they find is refined by FaceMesh where that sees the same face. Never fork a process in which faces were
found (see `fdgen.detector`).
"""

from __future__ import annotations

import functools
import threading
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fdgen.contract import Image
from fdgen.detector import Detector
from fdgen.images import resize
from fdgen.silence import native_stderr

__all__ = ["FaceFinder", "FoundFace", "find_faces"]

LEAST_SCORE = 0.5
"""A face is believed from this score on."""

SEEN_PX = 384
"""Tiles are shrunk to this before the detectors see them: both shrink further, to 192 and 128 px."""

LEAST_TILE_PX = 320
"""Tiles are no smaller than this: a face of 32 px is then a tenth of one, the least that the detectors find."""

LEAST_EYES_PX = 5.0
"""Eyes nearer to each other than this belong to a face of which nothing can be seen."""


@dataclass(frozen=True, slots=True)
class FoundFace:
    """Centres of the eyes in pixels of the photograph, and the detector's score in [0, 1].

    Left is the viewer's left in a face that stands upright, so that in one upside down it lies to the right.
    """

    left_eye_xy: tuple[float, float]
    right_eye_xy: tuple[float, float]
    score: float


def find_faces(photo_HWC: Image) -> list[FoundFace]:
    """Find all faces of a photograph, RGB uint8 HWC of any size; the largest first.

    The same photograph gives the same faces. May be called from many threads; they wait for each other. Raises
    `FdError` where mediapipe is not installed.
    """
    with _lock:
        return _finder().find(photo_HWC)


class FaceFinder:
    """The detectors, made once."""

    def __init__(self) -> None:
        self._mesh = Detector()
        with native_stderr(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import mediapipe

            solution: Any = mediapipe.solutions.face_detection.FaceDetection
            self._detectors = [
                solution(model_selection=model, min_detection_confidence=LEAST_SCORE) for model in (0, 1)
            ]

    def find(self, photo_HWC: Image) -> list[FoundFace]:
        """Find all faces, the largest first."""
        with native_stderr(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            seen = [face for tile in _tiles(photo_HWC) for face in self._seen(photo_HWC, *tile)]
            faces = [self._refined(photo_HWC, face) for face in _distinct(seen)]
        faces = _distinct(faces)
        return sorted(faces, key=lambda face: (-_apart(face), face.left_eye_xy))

    def _seen(self, photo_HWC: Image, left: int, top: int, side: int) -> Iterator[FoundFace]:
        """Yield what the detectors see in a tile."""
        part_HWC = photo_HWC[top : top + side, left : left + side]
        height, width = part_HWC.shape[:2]
        zoom = min(1.0, SEEN_PX / max(height, width))
        small_HWC = np.ascontiguousarray(resize(part_HWC, max(1, round(width * zoom)), max(1, round(height * zoom))))
        for detector in self._detectors:
            for detection in detector.process(small_HWC).detections or ():
                points = detection.location_data.relative_keypoints
                eyes = np.array([[point.x, point.y] for point in points[:2]], np.float64) * (width, height) + (
                    left,
                    top,
                )
                face = _face(eyes, float(detection.score[0]))
                if _apart(face) >= LEAST_EYES_PX:
                    yield face

    def _refined(self, photo_HWC: Image, face: FoundFace) -> FoundFace:
        """Return the face with FaceMesh's eyes where it sees the same face, else as it is."""
        known = np.array([face.left_eye_xy, face.right_eye_xy], np.float64)
        eyes = self._mesh.settled_eyes(photo_HWC, known)
        if eyes is None or np.linalg.norm(eyes - known, axis=1).max() > _SAME * _apart(face):
            return face
        return _face(eyes, face.score)


_SAME = 0.5  # of the distance between the eyes: so far may FaceMesh's eyes lie from the detector's

_lock = threading.Lock()
_finder = functools.cache(FaceFinder)


def _face(eyes: npt.NDArray[np.float64], score: float) -> FoundFace:
    (left_x, left_y), (right_x, right_y) = eyes.tolist()
    return FoundFace((left_x, left_y), (right_x, right_y), min(1.0, max(0.0, score)))


def _apart(face: FoundFace) -> float:
    """Return how far the eyes are from each other, in pixels."""
    return float(np.hypot(*np.subtract(face.right_eye_xy, face.left_eye_xy)))


def _tiles(photo_HWC: Image) -> Iterator[tuple[int, int, int]]:
    """Yield left, top and side of squares: the whole, then ever smaller ones that overlap by half."""
    height, width = photo_HWC.shape[:2]
    side = max(height, width)
    yield 0, 0, side
    while side // 2 >= LEAST_TILE_PX:
        side //= 2
        yield from ((left, top, side) for top in _starts(height, side) for left in _starts(width, side))


def _starts(length: int, side: int) -> list[int]:
    """Return where tiles begin so that they overlap by half and cover all."""
    last = max(0, length - side)
    return sorted({*range(0, last + 1, max(1, side // 2)), last})


def _distinct(faces: list[FoundFace]) -> list[FoundFace]:
    """Drop all but the surest of what is the same face: midpoints nearer to each other than the eyes are."""
    kept: list[FoundFace] = []
    for face in sorted(faces, key=lambda face: (-face.score, face.left_eye_xy, face.right_eye_xy)):
        middle = np.add(face.left_eye_xy, face.right_eye_xy) / 2
        apart = [np.hypot(*(middle - np.add(other.left_eye_xy, other.right_eye_xy) / 2)) for other in kept]
        if all(far > max(_apart(face), _apart(other)) for far, other in zip(apart, kept, strict=True)):
            kept.append(face)
    return kept
