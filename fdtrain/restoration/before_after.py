"""Comparisons of a restored photograph: before, mask and after in a row, and a row of cells for each face."""

from __future__ import annotations

import cv2
import numpy as np

from fdgen.arrays import Image
from fdtrain.data.pictures import pasted
from fdtrain.restoration.photograph import RestoredPhotograph

LARGEST_PX = 1280
"""Each of three pictures side by side has at most this many pixels a side."""

_GAP_PX, _PAPER = 8, 255
_MASKED = np.array([230, 30, 60], np.float32)  # shown over a darkened grey photograph
_STRENGTH, _DIM = 0.65, 0.6


def side_by_side(photo_HWC: Image, done: RestoredPhotograph) -> Image:
    """Return before, mask (red over the grey photograph) and after, each at most 1280 px a side.

    >>> photo = np.zeros((4, 6, 3), np.uint8)
    >>> done = RestoredPhotograph(photo, np.zeros((4, 6), np.uint8), (), 0.0)
    >>> side_by_side(photo, done).shape
    (4, 34, 3)
    """
    height, width = photo_HWC.shape[:2]
    shrink = min(1.0, LARGEST_PX / max(height, width))
    size = max(1, round(width * shrink)), max(1, round(height * shrink))
    before_HWC, after_HWC = (_shrunk(picture, size) for picture in (photo_HWC, done.picture_HWC))
    mask_HWC = marked(before_HWC, _shrunk(done.mask_HW, size))
    gap_HWC = np.full((size[1], _GAP_PX, 3), _PAPER, np.uint8)
    return np.concatenate([before_HWC, gap_HWC, mask_HWC, gap_HWC, after_HWC], axis=1)


def marked(picture_HWC: Image, mask_HW: Image) -> Image:
    """Return a mask, 0 to 255, in red over the picture in darkened grey."""
    share_HW1 = mask_HW.astype(np.float32)[..., None] * np.float32(_STRENGTH / 255)
    grey_HW1 = picture_HWC.mean(axis=2, keepdims=True, dtype=np.float32) * np.float32(_DIM)
    return np.asarray(np.rint(grey_HW1 + (_MASKED - grey_HW1) * share_HW1), np.uint8)


def cells(done: RestoredPhotograph, size_px: int) -> list[tuple[list[Image], list[str]]]:
    """Return for each face that was restored a row of square pictures, and a caption for each but the first."""
    rows = []
    for face in done.faces:
        if face.restored_HWC is None:
            continue
        stages = {} if face.coarse_HWC is None else {"stage I": face.coarse_HWC}
        stages["stage II" if stages else "result"] = face.restored_HWC
        filled = [pasted(stage_HWC, face.crop_HWC, face.mask_HW) for stage_HWC in stages.values()]
        photo = face.frame.cut(done.picture_HWC, size_px)
        rows.append(([face.crop_HWC, face.mask_HW, *filled, photo], ["mask", *stages, "pasted back"]))
    return rows


def _shrunk(picture: Image, size: tuple[int, int]) -> Image:
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
