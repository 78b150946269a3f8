"""Cuts a rotated square out of a picture, as the networks are shown it."""

from __future__ import annotations

import math
from typing import NamedTuple

import cv2
import numpy as np

from fdgen.arrays import Image


class Square(NamedTuple):
    """A square on a picture: centre and side in px, turn in radians, clockwise as the picture is seen."""

    centre_x: np.float32
    centre_y: np.float32
    side: np.float32
    turn: np.float32


def cut_square(picture_HWC: Image, square: Square, size_px: int, border: int) -> Image:
    """Return the square (size_px, size_px, 3) upright, by bilinear interpolation; outside, opencv's `border`."""
    corners = cv2.boxPoints(
        (
            (float(square.centre_x), float(square.centre_y)),
            (float(square.side), float(square.side)),
            float(square.turn * np.float32(180) / np.float32(math.pi)),
        )
    )
    there = np.array([[0, size_px], [0, 0], [size_px, 0], [size_px, size_px]], np.float32)
    matrix = cv2.getPerspectiveTransform(corners.astype(np.float32), there)
    upright = cv2.warpPerspective(picture_HWC, matrix, (size_px, size_px), flags=cv2.INTER_LINEAR, borderMode=border)
    return np.asarray(upright, np.uint8)
