"""The state of one visitor's photograph, and the steps between it and the browser.

The browser is shown a smaller picture, which is quick to send and to paint on; the photograph stays as it was given.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from fdgen.arrays import Image
from fdgen.errors import PictureError
from fdgen.io.pictures.safe_decoding import read_header
from fdtrain.data.pictures import read_file
from fdtrain.demo.offer import Example
from fdtrain.restoration.files import read_photo_file
from fdtrain.restoration.photograph import RestoredPhotograph

MOST_PIXELS = 50_000_000
"""Larger photographs are refused unread: one takes a gigabyte while it is restored, and there may be many visitors."""

SHOWN_PX = 1024
"""Longest side of what the slider compares."""

CANVAS_PX = 800
"""Side of the square that is painted on; gradio's own. Every photograph is fitted into it, small ones enlarged: gradio
fits a mask into the size that its canvas has at that moment, which is the last photograph's."""

PAPER = 235
"""Grey level of the canvas next to the photograph."""

RED, SEEN_THROUGH = (255, 0, 64), 150
"""Colour of the mask over the photograph, and its opacity of 255."""

PAINTED = 40
"""From this opacity on a pixel counts as masked: an eraser's soft edge leaves less."""


@dataclass(frozen=True, eq=False)
class Visit:
    """A photograph as it was given, and the mask that the page came up with (0 or 255, of the canvas's size).

    `example` is the one that was clicked, None where the photograph is the visitor's own.
    """

    name: str
    photo_HWC: Image
    found_HW: Image
    example: Example | None = None

    @classmethod
    def of(cls, photo_HWC: Image, name: str, *, example: Example | None = None) -> Visit:
        """Begin a visit, with nothing masked."""
        return cls(name, photo_HWC, np.zeros((CANVAS_PX, CANVAS_PX), np.uint8), example)

    def found(self, mask_HW: Image) -> Visit:
        """Return the visit with a mask of the photograph's size."""
        found_HW = np.zeros((CANVAS_PX, CANVAS_PX), np.uint8)
        place = self._place()
        found_HW[place] = _resized(mask_HW, found_HW[place].shape, cv2.INTER_NEAREST_EXACT)
        return replace(self, found_HW=found_HW)

    def canvas(self) -> Image:
        """Return what is painted on: the photograph in a grey square."""
        canvas_HWC = np.full((CANVAS_PX, CANVAS_PX, 3), PAPER, np.uint8)
        place = self._place()
        shape = canvas_HWC[place].shape
        how = cv2.INTER_AREA if shape[0] < self.photo_HWC.shape[0] else cv2.INTER_CUBIC
        canvas_HWC[place] = _resized(self.photo_HWC, shape, how)
        return canvas_HWC

    def layer(self) -> Image:
        """Return the mask as a layer to paint on (RGBA)."""
        layer_HW4 = np.zeros((CANVAS_PX, CANVAS_PX, 4), np.uint8)
        layer_HW4[self.found_HW > 0] = (*RED, SEEN_THROUGH)
        return layer_HW4

    def strokes(self, layers: Sequence[Image]) -> npt.NDArray[np.int8]:
        """Return what was painted (1) and erased (-1) since `layer`, at the photograph's size."""
        painted_HW = np.zeros((CANVAS_PX, CANVAS_PX), np.bool_)
        for layer_HW4 in layers:
            painted_HW |= _resized(layer_HW4[..., 3], painted_HW.shape, cv2.INTER_NEAREST_EXACT) >= PAINTED
        before_HW = self.found_HW > 0
        strokes_HW = (painted_HW & ~before_HW).astype(np.int8) - (before_HW & ~painted_HW).astype(np.int8)
        drawn_HW = np.ascontiguousarray(strokes_HW[self._place()])
        return np.asarray(_resized(drawn_HW, self.photo_HWC.shape, cv2.INTER_NEAREST_EXACT), np.int8)

    def before_and_after(self, done: RestoredPhotograph) -> tuple[Image, Image]:
        """Return what the slider compares."""
        return shrunk(self.photo_HWC), shrunk(done.picture_HWC)

    def _place(self) -> tuple[slice, slice]:
        """Return the rows and columns of the canvas on which the photograph lies."""
        height, width = self.photo_HWC.shape[:2]
        factor = CANVAS_PX / max(height, width)
        high, wide = max(1, round(height * factor)), max(1, round(width * factor))
        top, left = (CANVAS_PX - high) // 2, (CANVAS_PX - wide) // 2
        return slice(top, top + high), slice(left, left + wide)


def read_upload(path: Path) -> Image:
    """Read a photograph that a visitor sent; raise `PictureError`, naming the file as the visitor does."""
    try:
        _refuse_huge(path)
        return read_photo_file(path).picture_HWC
    except PictureError as error:
        message = error.message.replace(str(path), path.name)
        raise PictureError(message, reason=error.reason, hint=error.hint) from error


def shrunk(picture_HWC: Image, longest_px: int = SHOWN_PX) -> Image:
    """Return a picture with its longer side no longer than this; a small one as it is."""
    height, width = picture_HWC.shape[:2]
    factor = longest_px / max(height, width)
    if factor >= 1:
        return picture_HWC
    shape = (max(1, round(height * factor)), max(1, round(width * factor)))
    return np.asarray(_resized(picture_HWC, shape, cv2.INTER_AREA), np.uint8)


def _refuse_huge(path: Path) -> None:
    size = read_header(read_file(path), path.name, most_pixels=2**64).size
    n_pixels = size.width_px * size.height_px
    if n_pixels > MOST_PIXELS:
        raise PictureError(
            f"{path.name} has {n_pixels / 1e6:,.0f}, and this page takes up to {MOST_PIXELS / 1e6:.0f} megapixels",
            reason="too-large",
            hint="give a smaller one, or use `fdtrain restore`",
        )


def _resized(array: npt.NDArray[Any], shape: tuple[int, ...], how: int) -> npt.NDArray[Any]:
    return array if array.shape[:2] == shape[:2] else cv2.resize(array, (shape[1], shape[0]), interpolation=how)
