"""CelebA's frame in a photograph: the square that the network sees of a face, and the maps to it and back.

Coordinates are continuous: pixel i covers [i, i + 1), x right, y down. A frame maps pixels of the photograph to the
square crop, in units of its side.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from fdgen.arrays import F32, Image
from fdgen.contract.frame import CROP_PX, EYES_PX, Frame, centred, similarity, to_picture, zoom_of

Pixels = npt.NDArray[Any]

_TOUCHED = 0.05
"""Share of a masked pixel from which on the one that is interpolated counts as masked: one of its four neighbours has
at least a quarter, so that none is lost."""


class Box(NamedTuple):
    """A rectangle of a photograph in whole pixels; `right` and `bottom` lie beyond it."""

    left: int
    top: int
    right: int
    bottom: int

    def of(self, picture: Pixels) -> Pixels:
        """Cut it out, as a view."""
        return picture[self.top : self.bottom, self.left : self.right]

    @property
    def is_empty(self) -> bool:
        """Return whether it holds no pixel."""
        return self.right <= self.left or self.bottom <= self.top

    def bounds(self, where_HW: npt.NDArray[np.bool_]) -> Box:
        """Return the smallest rectangle around the pixels that are True in a map of this one; there must be one."""
        columns, rows = np.flatnonzero(where_HW.any(axis=0)), np.flatnonzero(where_HW.any(axis=1))
        return Box(
            self.left + int(columns[0]), self.top + int(rows[0]),
            self.left + int(columns[-1]) + 1, self.top + int(rows[-1]) + 1,
        )  # fmt: skip

    def grown(self, margin_px: int, photo: Pixels) -> Box:
        """Return it with a margin, as far as the photograph goes."""
        height, width = photo.shape[:2]
        return Box(
            max(0, self.left - margin_px), max(0, self.top - margin_px),
            min(width, self.right + margin_px), min(height, self.bottom + margin_px),
        )  # fmt: skip

    def within(self, outer: Box) -> Box:
        """Return it in pixels of another rectangle."""
        return Box(self.left - outer.left, self.top - outer.top, self.right - outer.left, self.bottom - outer.top)

    def meets(self, other: Box) -> bool:
        """Return whether both share a pixel."""
        return (
            max(self.left, other.left) < min(self.right, other.right)
            and max(self.top, other.top) < min(self.bottom, other.bottom)
        )  # fmt: skip


@dataclass(frozen=True, eq=False)
class FaceFrame:
    """Where the square crop of a face lies: `matrix`, float64 (2, 3), from the photograph to the unit square."""

    matrix: Frame

    @classmethod
    def of_eyes(cls, left_eye_xy: tuple[float, float], right_eye_xy: tuple[float, float]) -> FaceFrame:
        """Return the similarity that brings eyes to where CelebA has them; raise `ValueError` where both are one."""
        left, right = complex(*left_eye_xy), complex(*right_eye_xy)
        if not abs(right - left) > 1e-3 or not math.isfinite(abs(right - left)):
            raise ValueError(f"eyes are two places, got {left_eye_xy} and {right_eye_xy}")
        left_target, right_target = (complex(*eye) / CROP_PX for eye in EYES_PX)
        return cls(similarity((left, right), (left_target, right_target)))

    @classmethod
    def of_square(cls, left: float, top: float, side: float) -> FaceFrame:
        """Return the frame of a square that is aligned already."""
        return cls(np.array([[1 / side, 0, -left / side], [0, 1 / side, -top / side]]))

    def widened(self, by: float, *, down: float) -> FaceFrame:
        """Return the frame of a square so many times as wide, whose centre lies lower by a share of this one's side."""
        matrix = self.matrix / by
        matrix[:, 2] += (0.5 - 0.5 / by, 0.5 - (0.5 + down) / by)
        return FaceFrame(matrix)

    @property
    def side_px(self) -> float:
        """Side of the crop, in pixels of the photograph."""
        return 1 / zoom_of(self.matrix)

    @property
    def corners_xy(self) -> Frame:
        """Corners of the crop in the photograph, (4, 2): top left, top right, bottom right, bottom left."""
        unit = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
        return to_picture(self.matrix, unit)

    def box(self, photo: Pixels, margin_px: float = 0.0) -> Box:
        """Return the pixels of the photograph that the crop touches, and a margin."""
        height, width = photo.shape[:2]
        low = np.floor(self.corners_xy.min(axis=0) - margin_px)
        high = np.ceil(self.corners_xy.max(axis=0) + margin_px)
        left, right = (int(x) for x in np.clip((low[0], high[0]), 0, width))
        top, bottom = (int(y) for y in np.clip((low[1], high[1]), 0, height))
        return Box(left, top, right, bottom)

    def cut(self, photo_HWC: Image, size_px: int) -> Image:
        """Cut the crop at `size_px`: averaged where it shrinks, cubic; beyond its edge the photograph is mirrored."""
        return np.asarray(self._cut(photo_HWC, size_px, cv2.INTER_CUBIC, cv2.BORDER_REFLECT_101), np.uint8)

    def cut_mask(self, mask_HW: Image, size_px: int) -> Image:
        """Cut a mask: 255 wherever any masked pixel of the photograph lies under the new one."""
        covered_HW = self._cut((mask_HW > 0).astype(np.float32), size_px, cv2.INTER_LINEAR, cv2.BORDER_CONSTANT)
        return (covered_HW > _TOUCHED).astype(np.uint8) * np.uint8(255)

    def _cut(self, photo: Pixels, size_px: int, how: int, border: int) -> Pixels:
        zoom = size_px / self.side_px
        box = self.box(photo, 3 * max(1.0, 1 / zoom))  # the cubic kernel reaches two pixels past the crop's edge
        if box.is_empty:
            return np.zeros((size_px, size_px, *photo.shape[2:]), photo.dtype)
        part = box.of(photo)
        height, width = part.shape[:2]
        if zoom < 1:
            small = max(1, round(width * zoom)), max(1, round(height * zoom))
            part = cv2.resize(part, small, interpolation=cv2.INTER_AREA)
            if part.ndim == 2:  # a mask: what holds any masked pixel is masked
                part = (part > 0).astype(np.float32)
        shrunk = np.array([part.shape[1] / width, part.shape[0] / height])
        forward = np.empty((2, 3))
        forward[:, :2] = self.matrix[:, :2] * size_px / shrunk
        forward[:, 2] = size_px * (self.matrix[:, 2] + self.matrix[:, :2] @ (float(box.left), float(box.top)))
        return cv2.warpAffine(part, centred(forward), (size_px, size_px), flags=how, borderMode=border)

    def spread(self, crop: Pixels, box: Box) -> Pixels:
        """Bring a square picture or map of the crop, of any side, back to the pixels of a box of the photograph."""
        stored_px = crop.shape[0]
        if (zoom := self.side_px / stored_px) < 1:
            shrunk_px = max(1, round(stored_px * zoom))
            crop = cv2.resize(crop, (shrunk_px, shrunk_px), interpolation=cv2.INTER_AREA)
        backward = self.matrix * crop.shape[0]
        backward[:, 2] += backward[:, :2] @ (float(box.left), float(box.top))
        size = (box.right - box.left, box.bottom - box.top)
        flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
        return cv2.warpAffine(crop, centred(backward), size, flags=flags, borderMode=cv2.BORDER_REPLICATE)

    def eccentricity(self, box: Box) -> F32:
        """Return how far from the crop's centre each pixel of a box lies: 0 there, 1 at the crop's edge."""
        across, down = self.coordinates(box)
        return np.asarray(2 * np.maximum(np.abs(across - np.float32(0.5)), np.abs(down - np.float32(0.5))), np.float32)

    def coordinates(self, box: Box) -> tuple[F32, F32]:
        """Return where in the crop each pixel of a box lies: (x, y), 0 at its left and upper edge and 1 beyond."""
        columns = np.arange(box.left, box.right, dtype=np.float32) + np.float32(0.5)
        rows = np.arange(box.top, box.bottom, dtype=np.float32)[:, None] + np.float32(0.5)
        (a, b, c), (d, e, f) = self.matrix.astype(np.float32)
        return np.asarray(a * columns + b * rows + c, np.float32), np.asarray(d * columns + e * rows + f, np.float32)
