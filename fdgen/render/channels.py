"""Values and colours of pixels, spread over three channels: numpy is slow where its innermost loop is over three."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from fdgen.arrays import F32


def thrice(values_HW: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Repeat values (H, W) in three channels (H, W, 3)."""
    return np.asarray(cv2.merge([values_HW] * 3), values_HW.dtype)


def plain(shape: tuple[int, ...], colour: npt.ArrayLike) -> F32:
    """Return a picture (H, W, 3) of one colour."""
    height, width = shape
    picture = np.empty((height, width * 3), np.float32)
    picture[:] = np.tile(np.asarray(colour, np.float32), width)
    return picture.reshape(height, width, 3)
