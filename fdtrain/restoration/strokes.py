"""Strokes: a mask corrected by hand. Green adds to it, red removes from it, every other colour leaves it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from fdgen.arrays import Image
from fdgen.errors import PictureError
from fdtrain.data.pictures import decode_rgb, oversize, read_file

Strokes = npt.NDArray[np.int8]
"""1 adds to a mask, -1 takes away, 0 leaves it; of the photograph's height and width."""

BRIGHT, DIM = 128, 100
"""A stroke's own channel has at least the one, both others at most the other: white, black and grey are no strokes, and
what an eraser or a soft brush leaves at a stroke's edge is not either."""


def strokes_of(picture_HWC: Image) -> Strokes:
    """Return the strokes of a picture: 1 where it is green, -1 where it is red, 0 elsewhere."""
    red_HW, green_HW, blue_HW = (picture_HWC[..., i] for i in range(3))
    adds_HW = (green_HW >= BRIGHT) & (red_HW <= DIM) & (blue_HW <= DIM)
    takes_HW = (red_HW >= BRIGHT) & (green_HW <= DIM) & (blue_HW <= DIM)
    return adds_HW.astype(np.int8) - takes_HW.astype(np.int8)


def read_strokes(path: str | Path, photo_HWC: Image) -> Strokes:
    """Read the strokes of a photograph.

    Raises `PictureError` where the file is no picture, has another size than the photograph, or shows no stroke.
    """
    data = read_file(Path(path))
    wanted = photo_HWC.shape[:2]
    if (size := oversize(data, str(path), wanted)) is not None:
        raise _other_size(path, size, wanted)
    picture_HWC = decode_rgb(data, str(path))
    if picture_HWC.shape[:2] != wanted:
        raise _other_size(path, picture_HWC.shape[:2], wanted)
    strokes_HW = strokes_of(picture_HWC)
    if not strokes_HW.any():
        raise PictureError(
            f"{path} shows no stroke", reason="mask-empty", hint="pure green adds to the mask, pure red takes from it"
        )
    return strokes_HW


def _other_size(path: str | Path, size: tuple[int, ...], wanted: tuple[int, ...]) -> PictureError:
    return PictureError(
        f"the strokes {path} are {size[1]}x{size[0]}, their photograph {wanted[1]}x{wanted[0]}",
        reason="mask-size",
        hint="draw them over the photograph, at the same size",
    )
