"""Finds the eyes of all faces of a photograph, including small, turned and half covered faces.

The two face detectors look at squares of 128 and 192 px, so a photograph is searched whole and in ever smaller
tiles that overlap. A face is believed where several looks agree; its eyes are refined by FaceMesh where that sees the
same face.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from fdgen.arrays import Image
from fdgen.faces.detector import Detector
from fdgen.io.pictures.images import resize
from fdgen.networks import DetectorName
from fdgen.networks.face_detector import Range

__all__ = ["FaceFinder", "FoundFace", "find_faces"]

TILE_PX = 240
"""Side of a tile as the detectors get it: more than they look at."""

MOST_LEVELS = 5
"""Tiles are halved at most this often less one: faces under a sixtieth of a large photograph are not looked for."""

_REACHES: tuple[Range, Range] = ("short", "full")
"""The detectors: for selfies, under 1 ms a look; for whole rooms, 2 to 3 ms, which sees smaller faces."""

FULL_LEVELS = 3
"""The slower detector looks at the first levels only: at what is left the faster one misses nothing."""

BELIEVED = 1.3
"""The scores of all looks at a face add up to this, or it is none: one look alone has at most 1. In a picture too small
for tiles one look is enough: there are few, and few places to be wrong in."""

LEAST_SCORE = 0.5
"""Of one look."""

LEAST_EYES_PX = 5.0
"""Eyes nearer to each other than this belong to a face of which nothing can be seen."""


@dataclass(frozen=True, slots=True)
class FoundFace:
    """Centres of the eyes in pixels of the photograph, and the detector's score in [0, 1].

    Left is the viewer's left in an upright face, so that in one upside down it lies to the right.
    """

    left_eye_xy: tuple[float, float]
    right_eye_xy: tuple[float, float]
    score: float


def find_faces(photo_HWC: Image) -> list[FoundFace]:
    """Find all faces of a photograph, RGB uint8 HWC of any size; the largest first.

    The same photograph gives the same faces. May be called from many threads; they wait for each other. Raises
    `FdError` where the engine of the networks is not installed.
    """
    with _lock:
        return _finder().find(photo_HWC)


class FaceFinder:
    """The detectors, made once."""

    def __init__(self, networks: DetectorName = "builtin") -> None:
        self._detector = Detector(networks)

    def find(self, photo_HWC: Image) -> list[FoundFace]:
        """Find all faces, the largest first; where none is upright, those that lie or hang."""
        faces, _, stand = self._refined(photo_HWC, self._looked_for(photo_HWC, MOST_LEVELS))
        if not any(stand):  # perhaps it lies: eyes and mouth of such a face may look like another, wrongly turned
            faces = self._lying(photo_HWC) or faces
        return sorted(_distinct(faces), key=lambda face: (-_apart(face), face.left_eye_xy))

    def _lying(self, photo_HWC: Image) -> list[FoundFace]:
        """Return the faces upright when the picture is turned by quarters, the way that most looks agree on."""
        best, faces = 0.0, []
        for turns in (1, 2, 3):
            turned_HWC = np.ascontiguousarray(np.rot90(photo_HWC, turns))
            found, agreed, stand = self._refined(turned_HWC, self._looked_for(turned_HWC, _LEVELS_TURNED))
            kept = [i for i, stands in enumerate(stand) if stands]
            if (total := sum(agreed[i] for i in kept)) > best:
                best, faces = total, [_turned_back(found[i], turns, turned_HWC) for i in kept]
        return faces

    def _looked_for(self, photo_HWC: Image, most_levels: int) -> list[tuple[FoundFace, float]]:
        """Return the faces on which looks agree, with the sum of their scores; each detector has its own thread."""
        views = list(_views(photo_HWC, most_levels))
        with ThreadPoolExecutor(len(_REACHES)) as threads:
            seen = list(threads.map(self._seen, _REACHES, (views, [v for v in views if v.level < FULL_LEVELS])))
        believed = BELIEVED if any(view.level for view in views) else LEAST_SCORE
        agreed = [(_mean(looks), sum(look.score for look in looks)) for looks in _same(seen[0] + seen[1])]
        return [(face, total) for face, total in agreed if total >= believed]

    def _seen(self, reach: Range, views: Sequence[_View]) -> list[FoundFace]:
        """Return what a detector sees in some views."""
        found = []
        for view in views:
            size = (view.picture_HWC.shape[1], view.picture_HWC.shape[0])
            for detected in self._detector.networks.faces(view.picture_HWC, reach, LEAST_SCORE):
                eyes = detected.points[:2].astype(np.float64) / size
                face = _face(eyes * view.span + view.start, detected.score)
                if _apart(face) >= LEAST_EYES_PX:
                    found.append(face)
        return found

    def _refined(
        self, photo_HWC: Image, looked_for: Sequence[tuple[FoundFace, float]]
    ) -> tuple[list[FoundFace], list[float], list[bool]]:
        """Return faces with FaceMesh's eyes where it sees the same face, else as they are.

        With them, how far looks agree on each, and whether FaceMesh sees it, and upright.
        """
        faces, stand = [], []
        for face, _ in looked_for:
            known = np.array([face.left_eye_xy, face.right_eye_xy], np.float64)
            eyes = self._detector.settled_eyes(photo_HWC, known)
            same = eyes is not None and float(np.linalg.norm(eyes - known, axis=1).max()) <= _NEAR * _apart(face)
            faces.append(_face(eyes, face.score) if eyes is not None and same else face)
            across, down = np.subtract(faces[-1].right_eye_xy, faces[-1].left_eye_xy)
            stand.append(same and bool(across > abs(down)))
        return faces, [agreed for _, agreed in looked_for], stand


_NEAR = 0.5  # of the distance between the eyes: so far may FaceMesh's eyes lie from the detectors'
_SAME = 0.7  # of it: so near to each other are the middles of two looks at one face
_LEVELS_TURNED = 2  # a face that lies is looked for only where it is large
_AIR = 0.25  # of the side: a face that fills the picture is seen better with air around it

_lock = threading.Lock()
_finder = functools.cache(FaceFinder)


@dataclass(frozen=True, slots=True)
class _View:
    """A part of the photograph, shrunk: where it starts and what it spans, (x, y) in pixels of the photograph."""

    picture_HWC: Image
    start: npt.NDArray[np.float64]
    span: npt.NDArray[np.float64]
    level: int


def _views(photo_HWC: Image, most_levels: int) -> Iterator[_View]:
    """Yield the whole photograph, the same with air around it, then ever smaller tiles."""
    height, width = photo_HWC.shape[:2]
    side = max(height, width)
    for level in range(most_levels):
        if level and side / 2**level < TILE_PX:
            return
        zoom = min(1.0, TILE_PX * 2**level / side)
        small_HWC = resize(photo_HWC, max(1, round(width * zoom)), max(1, round(height * zoom)))
        high, wide = small_HWC.shape[:2]
        back = np.array([width / wide, height / high], np.float64)
        if not level:
            yield _View(np.ascontiguousarray(small_HWC), np.zeros(2), np.array([width, height], np.float64), level)
            air = max(1, round(_AIR * max(high, wide)))
            airy_HWC = np.asarray(cv2.copyMakeBorder(small_HWC, air, air, air, air, cv2.BORDER_REPLICATE), np.uint8)
            yield _View(airy_HWC, back * (-air, -air), back * (wide + 2 * air, high + 2 * air), level)
            continue
        for top in _starts(high, TILE_PX):
            for left in _starts(wide, TILE_PX):
                tile_HWC = np.ascontiguousarray(small_HWC[top : top + TILE_PX, left : left + TILE_PX])
                span = back * (tile_HWC.shape[1], tile_HWC.shape[0])
                yield _View(tile_HWC, back * (left, top), span, level)


def _face(eyes: npt.NDArray[np.float64], score: float) -> FoundFace:
    (left_x, left_y), (right_x, right_y) = eyes.tolist()
    return FoundFace((left_x, left_y), (right_x, right_y), min(1.0, max(0.0, score)))


def _apart(face: FoundFace) -> float:
    """Return how far the eyes are from each other, in pixels."""
    return float(np.hypot(*np.subtract(face.right_eye_xy, face.left_eye_xy)))


def _starts(length: int, side: int) -> list[int]:
    """Return where tiles begin so that they overlap by half and cover all."""
    last = max(0, length - side)
    return sorted({*range(0, last + 1, max(1, side // 2)), last})


def _same(looks: Sequence[FoundFace]) -> list[list[FoundFace]]:
    """Gather looks at the same face, around the surest of them."""
    gathered: list[list[FoundFace]] = []
    for look in sorted(looks, key=lambda look: (-look.score, look.left_eye_xy, look.right_eye_xy)):
        first = next((others for others in gathered if _far(look, others[0]) <= _SAME), None)
        if first is None:
            gathered.append([look])
        else:
            first.append(look)
    return gathered


def _mean(looks: Sequence[FoundFace]) -> FoundFace:
    """Return the face that looks agree on, with the score of the surest."""
    eyes = np.array([[look.left_eye_xy, look.right_eye_xy] for look in looks])
    weights = np.array([look.score for look in looks])
    return _face(np.average(eyes, axis=0, weights=weights), looks[0].score)


def _distinct(faces: Sequence[FoundFace]) -> list[FoundFace]:
    """Drop all but the surest of what turned out to be the same face."""
    return [looks[0] for looks in _same(faces)]


def _far(one: FoundFace, other: FoundFace) -> float:
    """Return how far the middles between the eyes are from each other, in distances between the eyes."""
    middles = [np.add(face.left_eye_xy, face.right_eye_xy) / 2 for face in (one, other)]
    return float(np.hypot(*(middles[1] - middles[0]))) / max(_apart(one), _apart(other))


def _turned_back(face: FoundFace, turns: int, turned_HWC: Image) -> FoundFace:
    """Return a face of a picture that was turned by quarters, anticlockwise, where it lies in the picture itself."""
    height, width = turned_HWC.shape[:2]
    eyes = []
    for x, y in (face.left_eye_xy, face.right_eye_xy):
        at_x, at_y, wide, high = x, y, width, height
        for _ in range(turns):  # each undoes a quarter: what is right above was right below
            at_x, at_y, wide, high = high - at_y, at_x, high, wide
        eyes.append((at_x, at_y))
    return FoundFace(eyes[0], eyes[1], face.score)
