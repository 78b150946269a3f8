"""The strands of a lock of hair that falls over cloth: what of a soft matte is hair, by each pixel's own colour.

The skin that shows between strands is where cloth will be: a matte that is smooth there would leave patches of cheek.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from fdgen.analysis.lighting import to_linear
from fdgen.arrays import F32, Bools, Image

_BETWEEN_EYES = 168
"""The vertex of the face mesh above which no cloth hides a face."""
_LOCK_CM2 = 5.0
"""Hair that is joined to less than this, once what is narrow is gone, is a shade on the cheek."""
_AROUND_CM = 1.2
"""Over what distance the colours of hair and of skin are those of a pixel."""
_SURE_HAIR, _SURE_SKIN = 0.85, 0.1
"""Values of the matte from which a pixel may show the colour of hair, and up to which that of skin."""
_SKIN, _HAIR = 0.3, 0.7
"""Where a pixel's colour lies between that of skin and that of hair when it counts as the one or the other."""
_ALIKE = 0.25
"""Distance between both, in logarithms of light, below which they are not distinguished."""
_LOGS = np.log(to_linear(np.arange(256, dtype=np.uint8)) + np.float32(0.015))
"""Logarithm of the light of each level; what is darker than the term is noise."""
_FAR = np.float32(0.005)
"""Weight of the mean of all hair, or skin, next to that around a pixel."""


def strands(clean_HWC: Image, matte_HW: F32, wide_HW: F32, bare_HW: Bools, scale_px: float) -> F32:
    """Return how far hair hides cloth (H, W), 0 to 1.

    Args:
        clean_HWC: The photograph, RGB.
        matte_HW: How far hair hides what lies there, as far as that was found.
        wide_HW: The same, less what is narrower than a lock.
        bare_HW: Where cloth may lie over skin: the face below the eyes.
        scale_px: Pixels of a cm.
    """
    locks = _whole_locks(matte_HW, wide_HW, scale_px)
    over = (locks > 0) & bare_HW
    rows, columns = np.flatnonzero(over.any(1)), np.flatnonzero(over.any(0))
    if len(rows) == 0:
        return locks
    margin = round(_AROUND_CM * scale_px)
    box = (
        slice(max(0, rows[0] - margin), rows[-1] + margin + 1),
        slice(max(0, columns[0] - margin), columns[-1] + margin + 1),
    )
    logs = np.asarray(cv2.LUT(clean_HWC[box], _LOGS), np.float32)
    matte = matte_HW[box]
    is_hair, is_skin = matte > _SURE_HAIR, (matte < _SURE_SKIN) & bare_HW[box]
    if not (is_hair.any() and is_skin.any()):
        return locks
    skin = _mean_colour(logs, is_skin, scale_px)
    way = _mean_colour(logs, is_hair, scale_px) - skin
    ones = np.ones((1, 3), np.float32)
    apart = cv2.transform(way * way, ones)
    share = cv2.transform((logs - skin) * way, ones) / np.maximum(apart, 1e-6)
    told = np.clip((share - _SKIN) / (_HAIR - _SKIN), 0.0, 1.0)
    known = np.clip(apart / _ALIKE**2 - 0.5, 0.0, 1.0)
    # Within a lock, too, gaps show what lies below; but its own shine does not open it.
    closed = cv2.GaussianBlur(matte, (0, 0), max(0.5, 0.25 * scale_px))
    told = np.maximum(told, np.clip((closed - 0.9) / 0.1, 0.0, 1.0))
    locks[box] *= 1 - known * (1 - told)
    return locks


def lower_face(landmarks_px: npt.NDArray[np.floating[Any]], size_px: int) -> Bools:
    """Return where a square crop shows the face below its eyes (H, W), by the landmarks (N, 2 or 3)."""
    hull = cv2.convexHull(np.round(landmarks_px[:, :2]).astype(np.int32))
    lower = np.zeros((size_px, size_px), np.uint8)
    cv2.fillConvexPoly(lower, hull, (1,))
    lower[: max(0, round(float(landmarks_px[_BETWEEN_EYES, 1])))] = 0
    return lower.astype(np.bool_)


def _whole_locks(matte_HW: F32, wide_HW: F32, scale_px: float) -> F32:
    """Return the matte near what is wide, by locks, each as far as its own outline goes; specks are left out."""
    wide = np.asarray(wide_HW > 0.5).view(np.uint8)
    _, numbered = cv2.connectedComponents(wide, connectivity=4, ltype=cv2.CV_16U)
    large = np.where(np.bincount(numbered.ravel()) >= _LOCK_CM2 * scale_px**2, 255, 0).astype(np.uint8)
    large[0] = 0
    side = 2 * round(0.35 * scale_px) + 1
    near = cv2.dilate(large.take(np.asarray(numbered, np.uint16)), np.ones((side, side), np.uint8))
    near = cv2.GaussianBlur(near, (0, 0), max(0.5, 0.12 * scale_px))
    return cv2.multiply(matte_HW, near, scale=1 / 255, dtype=cv2.CV_32F).astype(np.float32, copy=False)


def _mean_colour(logs: F32, where: Bools, scale_px: float) -> F32:
    """Return the mean logarithm of light (h, w, 3) of what is chosen around each pixel, and of all far from any."""
    step = 4
    small = (max(1, logs.shape[1] // step), max(1, logs.shape[0] // step))
    four = np.empty((*where.shape, 4), np.float32)
    four[..., 3] = where
    np.multiply(logs, four[..., 3:], out=four[..., :3])
    four = np.asarray(cv2.resize(four, small, interpolation=cv2.INTER_AREA), np.float32)
    whole = four.sum((0, 1))
    four = np.asarray(cv2.GaussianBlur(four, (0, 0), _AROUND_CM * scale_px / step), np.float32)
    mean = (four[..., :3] + _FAR * whole[:3] / whole[3]) / (four[..., 3:] + _FAR)
    return np.asarray(cv2.resize(mean, logs.shape[1::-1], interpolation=cv2.INTER_LINEAR), np.float32)
