"""The landmark detector: finds the face in a photograph, aligns it, and detects its 478 landmarks.

Everything here runs in this very process. Never fork one in which a `Detector` with mediapipe has been used: the child
hangs or aborts. `fdgen.faces.detection.detect` keeps detectors in processes of their own.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import cv2
import numpy as np
import numpy.typing as npt

from fdgen.arrays import Image
from fdgen.contract.crop_limit import MAX_OUTSIDE, MOST_OUTSIDE
from fdgen.contract.frame import (
    CELEBA_EYES_PX,
    CELEBA_WIDTH_PX,
    Frame,
    aligned_frame,
    crop,
    eye_frame,
    outside_share,
    quantise,
    to_picture,
    zoom_of,
)
from fdgen.errors import PictureError
from fdgen.faces.landmarks import Landmarks, eye_centres
from fdgen.faces.sources import OUT_OF_PICTURE
from fdgen.io.pictures.images import resize
from fdgen.networks import DetectorName
from fdgen.networks.face_detector import Range
from fdgen.networks.face_networks import open_networks
from fdgen.runtime.step_times import timed_step

PROBE_PX = 256
"""Points are found on a crop of this size for any size that is asked for, so that every size has the same landmarks."""

ALIGNED_MIDPOINT_PX, ALIGNED_EYE_PX = 6.0, 10.0
"""At 178 px: a picture of CelebA's size is aligned when the point between its eyes lies this near to CelebA's, and each
eye that near. A turned head moves the far eye more than that, in CelebA itself in one picture of 25."""

MIN_POINTS_INSIDE = 0.97
"""Share of the face's own points that must lie inside the picture: a face cut off is invented there."""

MAX_ZOOM = 6.0
"""A face enlarged more than this has no detail left: at 256 px, one whose eyes are 9 px apart."""

_SETTLED_PX, _CLOSE_PX, _SAME_FACE_PX = 1.0, 4.0, 30.0  # at 178 px
_SCORE, _LENIENT_SCORE = 0.5, 0.15
_REACHES: tuple[Range, ...] = ("short", "full")
_N_FACES = 4  # looked at in one crop; the one nearest to CelebA's eyes is taken
_SEARCH_PX = 1280  # faces large enough to be of use are found at this size
_TILINGS = (2, 4)  # tiles a side, tried in turn where the whole picture shows no face
_N_TRIED = 6  # candidates looked at before giving up

_Candidate = tuple[float, npt.NDArray[np.float64]]  # width of the face, eyes (2, 2): px of the picture


class Detector:
    """FaceMesh and the face detectors, made once. A picture gives the same landmarks, bit by bit, after any others.

    Raises `FdError` where what runs the networks is not installed.
    """

    def __init__(self, networks: DetectorName = "builtin") -> None:
        self.networks = open_networks(networks)

    @timed_step("find landmarks")
    def find(self, picture_HWC: Image, size_px: int, *, name: str, max_outside: float = MAX_OUTSIDE) -> Landmarks:
        """Find the face and its landmarks: the aligned one in a picture of CelebA's size, else the largest.

        `max_outside` is the share of its crop that may lie outside the picture; no landmark depends on it. Raises
        `PictureError` with reason `no-face`, `out-of-picture` or `too-small`; it has `name` in it.
        """
        height, width = picture_HWC.shape[:2]
        scale = size_px / PROBE_PX
        # A frame at the size itself, not one scaled from the probe's: rounded once, so that `crop` knows it as aligned.
        probe_frame, frame = (aligned_frame(width, height, size) for size in (PROBE_PX, size_px))
        points = None if probe_frame is None else self._aligned_points(crop(picture_HWC, probe_frame, PROBE_PX))
        if frame is None or points is None:
            probe_frame, points = self._align(picture_HWC, name)
            _refuse_poor(probe_frame, points, width, height, size_px, name, max_outside)
            frame = quantise(probe_frame * scale)
        return Landmarks.rounded(points * scale, frame, size_px)

    def settled_eyes(self, picture_HWC: Image, eyes_px: npt.NDArray[np.float64]) -> npt.NDArray[np.float64] | None:
        """Return the eyes of the face whose eyes lie near `eyes_px`, (2, 2) px of the picture; None for none."""
        settled = self._settle(picture_HWC, eyes_px)
        return None if settled is None else to_picture(settled[0], eye_centres(settled[1]))

    def _aligned_points(self, probe_HWC: Image) -> npt.NDArray[np.float64] | None:
        """Return the points of a face whose eyes lie where CelebA has them; None where there is none."""
        for attempt in (self._faces, self._faces_leniently):
            points = _nearest(attempt(probe_HWC))
            if points is not None:
                off_px = (eye_centres(points) - _targets()) * (CELEBA_WIDTH_PX / PROBE_PX)
                midpoint_px = float(np.linalg.norm(off_px.mean(axis=0)))
                if midpoint_px <= ALIGNED_MIDPOINT_PX and np.linalg.norm(off_px, axis=1).max() <= ALIGNED_EYE_PX:
                    return points
        return None

    def _align(self, picture_HWC: Image, name: str) -> tuple[Frame, npt.NDArray[np.float64]]:
        """Find the largest face and bring its eyes to where CelebA has them."""
        for candidates in self._searches(picture_HWC):
            candidates.sort(key=lambda candidate: -candidate[0])
            for _, eyes_px in candidates[:_N_TRIED]:
                settled = self._settle(picture_HWC, eyes_px)
                if settled is not None:
                    return settled
        raise PictureError(
            f"no face was found in {name}", reason="no-face", hint="choose pictures that show a face, upright"
        )

    def _settle(
        self, picture_HWC: Image, eyes_px: npt.NDArray[np.float64]
    ) -> tuple[Frame, npt.NDArray[np.float64]] | None:
        """Crop by the eyes, look again, and repeat until they stay; None where FaceMesh sees no face or another one."""
        settled = None
        for _ in range(5):
            frame = eye_frame(np.round(eyes_px * 16) / 16, PROBE_PX)
            probe_HWC = crop(picture_HWC, frame, PROBE_PX)
            points = _nearest(self._faces(probe_HWC))
            if points is None:
                points = _nearest(self._faces_leniently(probe_HWC))
            if points is None:
                return None
            off_px = _off_px(points)
            if off_px <= _CLOSE_PX:
                settled = frame, points
            if off_px <= _SETTLED_PX:
                return settled
            eyes_px = to_picture(frame, eye_centres(points))
        return settled

    def _searches(self, picture_HWC: Image) -> Iterator[list[_Candidate]]:
        """Yield candidates in the whole picture, then in ever smaller tiles of it: small faces need a closer look."""
        height, width = picture_HWC.shape[:2]
        yield self._candidates(picture_HWC, 0, 0, width, height)
        for n_tiles in _TILINGS:
            side = max(width, height) // n_tiles
            if side < PROBE_PX:
                return
            yield [
                candidate
                for top in _starts(height, side)
                for left in _starts(width, side)
                for candidate in self._candidates(picture_HWC, left, top, left + side, top + side)
            ]

    def _candidates(self, picture_HWC: Image, left: int, top: int, right: int, bottom: int) -> list[_Candidate]:
        """Run both face detectors, near and far, over a part of the picture, shrunk where it is large."""
        part_HWC = picture_HWC[top:bottom, left:right]
        height, width = part_HWC.shape[:2]
        zoom = min(1.0, _SEARCH_PX / max(height, width))
        small_HWC = np.ascontiguousarray(resize(part_HWC, math.ceil(width * zoom), math.ceil(height * zoom)))
        candidates = []
        for reach in _REACHES:
            for face in self.networks.faces(small_HWC, reach, _SCORE):
                eyes_px = face.points[:2].astype(np.float64) / (small_HWC.shape[1], small_HWC.shape[0])
                eyes_px = eyes_px * (width, height) + (left, top)
                if np.linalg.norm(eyes_px[1] - eyes_px[0]) >= 2:
                    candidates.append((face.width_px / small_HWC.shape[1] * width, eyes_px))
        return candidates

    def _faces(self, probe_HWC: Image) -> list[npt.NDArray[np.float64]]:
        """Return the points (478, 3) of every face that FaceMesh sees, in pixels of the probe."""
        return self.networks.meshes(probe_HWC, _SCORE, _N_FACES)

    def _faces_leniently(self, probe_HWC: Image) -> list[npt.NDArray[np.float64]]:
        """Look again with a lower threshold and air around the face: one that fills the crop is easily missed."""
        air = PROBE_PX // 4
        padded_HWC = cv2.copyMakeBorder(probe_HWC, air, air, air, air, cv2.BORDER_REPLICATE)
        faces = self.networks.meshes(np.asarray(padded_HWC, np.uint8), _LENIENT_SCORE, _N_FACES)
        return [points - (air, air, 0) for points in faces]


def _targets() -> npt.NDArray[np.float64]:
    return CELEBA_EYES_PX * (PROBE_PX / CELEBA_WIDTH_PX)


def _off_px(points_px: npt.NDArray[np.float64]) -> float:
    """Return how far the eyes, the worse of both, lie from CelebA's, in pixels at 178."""
    off = np.linalg.norm(eye_centres(points_px) - _targets(), axis=1).max()
    return float(off) * CELEBA_WIDTH_PX / PROBE_PX


def _nearest(faces: list[npt.NDArray[np.float64]]) -> npt.NDArray[np.float64] | None:
    """Return the face whose eyes lie nearest to CelebA's; None where none is near: a neighbour looks in."""
    near = [points for points in faces if _off_px(points) <= _SAME_FACE_PX]
    return min(near, key=_off_px, default=None)


def _starts(length: int, side: int) -> list[int]:
    """Return where tiles begin so that they overlap by half and cover all."""
    last = max(0, length - side)
    return sorted({*range(0, last + 1, max(1, side // 2)), last})


def _refuse_poor(
    frame: Frame,
    points: npt.NDArray[np.float64],
    width: int,
    height: int,
    size_px: int,
    name: str,
    max_outside: float,
) -> None:
    """Raise `PictureError` where a crop would show too little of the picture, or too little detail."""
    zoom = zoom_of(frame) * size_px / PROBE_PX
    if zoom > MAX_ZOOM:
        raise PictureError(
            f"the face in {name} is too small: it would be enlarged {zoom:.1f} times, the limit is {MAX_ZOOM:g}",
            reason="too-small",
            hint="use a larger picture, or a smaller --size",
        )
    outside = outside_share(frame, width, height, PROBE_PX)
    places = to_picture(frame, points[:, :2])
    inside = ((places >= 0).all(axis=1) & (places <= (width, height)).all(axis=1)).mean()
    if outside > max_outside or inside < MIN_POINTS_INSIDE:
        wider = inside >= MIN_POINTS_INSIDE and max_outside < MOST_OUTSIDE
        raise PictureError(
            f"the face in {name} reaches out of the picture: {outside:.0%} of its crop lies outside "
            f"(the limit is {max_outside:.0%}) and {1 - inside:.0%} of the face itself",
            reason=OUT_OF_PICTURE,
            hint="use a picture with more room around the face"
            + (", or raise the recipe's faces.max_outside" if wider else ""),
        )
