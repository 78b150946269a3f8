"""CelebA's frame: the position of the eyes in a crop, and how a picture is cropped and rotated to it.

Coordinates are continuous: pixel i covers [i, i + 1), so its centre lies at i + 0.5. x points right, y down. A frame is
the 2x3 affine map from pixels of the picture to pixels of the square crop.
"""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from fdgen.arrays import Image
from fdgen.io.pictures.images import resize

CROP_PX, EYES_PX = 178, ((69.5, 91.5), (108.5, 91.5))
"""Side of CelebA's square crop, rows 20 to 198 of 178x218, and the eyes' centres in it, the viewer's left first."""

CELEBA_WIDTH_PX, CELEBA_HEIGHT_PX = CROP_PX, 218
CELEBA_TOP_PX = 20
"""First row of the square crop: rows 20 to 198 of 178x218."""

CELEBA_EYES_PX = np.array(EYES_PX)
"""Centres of the eyes in the square crop at 178 px, the viewer's left first."""

Frame = npt.NDArray[np.float64]

_STEP = 2.0**-20
_FADE, _BLUR = 0.04, 0.04  # of the crop's width: how fast the mirrored border blurs, and the Gaussian's sigma


def quantise(frame: Frame) -> Frame:
    """Round a frame to multiples of 2^-20.

    The last digits, which differ between mathematics libraries, are gone; over 4,000 px the error is under 1/256 px.
    """
    return np.asarray(np.round(np.asarray(frame, np.float64) / _STEP) * _STEP)


def celeba_scale(width_px: int, height_px: int) -> float | None:
    """Return how large a picture is against CelebA's 178x218 (0.5, 1 or 2); None where it has another size."""
    for scale in (0.5, 1, 2):
        if (width_px, height_px) == (scale * CELEBA_WIDTH_PX, scale * CELEBA_HEIGHT_PX):
            return float(scale)
    return None


def aligned_frame(width_px: int, height_px: int, size_px: int) -> Frame | None:
    """Return the frame of a picture of CelebA's size, double or half, taken as aligned; None for any other size."""
    scale = celeba_scale(width_px, height_px)
    if scale is None:
        return None
    zoom = size_px / (scale * CELEBA_WIDTH_PX)
    return quantise(np.array([[zoom, 0, 0], [0, zoom, -scale * CELEBA_TOP_PX * zoom]]))


def eye_frame(eyes_px: npt.NDArray[np.floating[Any]], size_px: int) -> Frame:
    """Return the similarity that brings eyes, (2, 2) in pixels of the picture, to where CelebA has them."""
    left, right = (complex(*eye) for eye in eyes_px)
    left_target, right_target = (complex(*eye) for eye in CELEBA_EYES_PX * (size_px / CELEBA_WIDTH_PX))
    return quantise(similarity((left, right), (left_target, right_target)))


def similarity(points: tuple[complex, complex], targets: tuple[complex, complex]) -> Frame:
    """Return the map without shear, float64 (2, 3), that brings two points, x + yi, to two others."""
    turn = (targets[1] - targets[0]) / (points[1] - points[0])
    shift = targets[0] - turn * points[0]
    return np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]])


def centred(matrix: Frame) -> Frame:
    """Return a map as OpenCV wants it, which puts whole coordinates at the centres of pixels."""
    matrix = matrix.copy()
    matrix[:, 2] += matrix[:, :2] @ (0.5, 0.5) - 0.5
    return matrix


def zoom_of(frame: Frame) -> float:
    """Return the pixels of the crop that one pixel of the picture becomes, along a side."""
    return math.sqrt(abs(float(np.linalg.det(frame[:, :2]))))


def to_crop(frame: Frame, points_px: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.float64]:
    """Map points (N, 2) of the picture into the crop."""
    return np.asarray(points_px @ frame[:, :2].T + frame[:, 2])


def to_picture(frame: Frame, points_px: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.float64]:
    """Map points (N, 2) of the crop back into the picture."""
    return np.asarray((points_px - frame[:, 2]) @ np.linalg.inv(frame[:, :2]).T)


def outside_share(frame: Frame, width_px: int, height_px: int, size_px: int) -> float:
    """Return the share of the crop that lies outside the picture, in [0, 1], to about one part in a thousand."""
    steps = (np.arange(64) + 0.5) * (size_px / 64)
    points = to_picture(frame, np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 2))
    inside = (points >= 0).all(axis=1) & (points <= (width_px, height_px)).all(axis=1)
    return 1.0 - float(inside.mean())


def crop(picture_HWC: Image, frame: Frame, size_px: int) -> Image:
    """Cut the square crop of a frame. A picture already aligned is only cut and resized, any other is warped."""
    height, width = picture_HWC.shape[:2]
    aligned = aligned_frame(width, height, size_px)
    if aligned is not None and np.array_equal(aligned, frame):
        top = height * CELEBA_TOP_PX // CELEBA_HEIGHT_PX
        return resize(picture_HWC[top : top + width], size_px, size_px)
    return warp(picture_HWC, frame, size_px, size_px)


def warp(picture_HWC: Image, frame: Frame, width_px: int, height_px: int) -> Image:
    """Warp a rectangle out of the picture: averaged first where it shrinks, so that nothing aliases, then cubic.

    Beyond its edge the picture goes on mirrored and soon blurred: no streaks, and no second head of hair.
    """
    corners = to_picture(frame, np.array([[0.0, 0.0], [width_px, 0.0], [width_px, height_px], [0.0, height_px]]))
    zoom = zoom_of(frame)
    margin = 3 * max(1.0, 1 / zoom)  # the cubic kernel reaches two pixels past the crop's edge
    left, top = np.floor(corners.min(axis=0) - margin).astype(int)
    right, bottom = np.ceil(corners.max(axis=0) + margin).astype(int)
    region_HWC = _cut(picture_HWC, int(left), int(top), int(right), int(bottom))
    height, width = region_HWC.shape[:2]
    if zoom < 1:
        region_HWC = resize(region_HWC, max(1, round(width * zoom)), max(1, round(height * zoom)))
    shrunk = np.array([region_HWC.shape[1] / width, region_HWC.shape[0] / height])
    matrix = np.empty((2, 3))
    matrix[:, :2] = frame[:, :2] / shrunk
    matrix[:, 2] = frame[:, 2] + frame[:, :2] @ (float(left), float(top))
    size = (width_px, height_px)
    warped = cv2.warpAffine(region_HWC, centred(matrix), size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101)
    if left >= 0 and top >= 0 and right <= picture_HWC.shape[1] and bottom <= picture_HWC.shape[0]:
        return np.asarray(warped, np.uint8)
    return _blur_outside(np.asarray(warped, np.uint8), frame, picture_HWC.shape[1], picture_HWC.shape[0])


def _blur_outside(crop_HWC: Image, frame: Frame, width_px: int, height_px: int) -> Image:
    """Blur what lies outside the picture, the further out the more."""
    height, width = crop_HWC.shape[:2]
    columns, rows = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    places = to_picture(frame, np.stack([columns, rows], axis=-1).reshape(-1, 2))
    beyond = np.maximum(-places, places - (width_px, height_px)).max(axis=1).reshape(height, width, 1)
    share_HW1 = np.clip(beyond * zoom_of(frame) / (_FADE * width), 0, 1).astype(np.float32)
    blurred_HWC = cv2.GaussianBlur(crop_HWC, (0, 0), _BLUR * width).astype(np.float32)
    blended_HWC = crop_HWC + (blurred_HWC - crop_HWC) * share_HW1
    return np.asarray(np.round(blended_HWC), np.uint8)


def _cut(picture_HWC: Image, left: int, top: int, right: int, bottom: int) -> Image:
    """Cut a rectangle that may reach beyond the picture, mirroring the picture there."""
    height, width = picture_HWC.shape[:2]
    if left >= 0 and top >= 0 and right <= width and bottom <= height:
        return picture_HWC[top:bottom, left:right]
    rows, columns = _mirrored(top, bottom, height), _mirrored(left, right, width)
    return np.ascontiguousarray(picture_HWC[rows[:, None], columns[None, :]])


def _mirrored(start: int, stop: int, length: int) -> npt.NDArray[np.int64]:
    """Return indices that run to and fro between 0 and `length` - 1, without repeating the ends."""
    period = max(2 * length - 2, 1)
    index = np.arange(start, stop) % period
    return np.minimum(index, period - index) if length > 1 else np.zeros_like(index)
