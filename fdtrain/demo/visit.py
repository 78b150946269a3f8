"""What the page keeps of one visitor's photograph, and the steps between it and what the browser shows.

The browser is shown a smaller picture, which is quick to send and to paint on; the photograph stays as it was given.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import PIL.Image

from fdgen.contract import Image
from fdgen.errors import PictureError
from fdtrain.photo_files import read_photo_file
from fdtrain.photograph import RestoredPhotograph
from fdtrain.pictures import WHAT_IS_READ, read_file

MOST_PIXELS = 50_000_000
"""Larger photographs are refused unread: one takes a gigabyte while it is restored, and there may be many visitors."""

SHOWN_PX = 1024
"""Longest side of what the browser shows."""

RED, SEEN_THROUGH = (255, 0, 64), 150
"""Colour of the mask over the photograph, and its opacity of 255."""

PAINTED = 40
"""From this opacity on a pixel counts as masked: an eraser's soft edge leaves less."""


@dataclass(frozen=True, eq=False)
class Visit:
    """A photograph as it was given, as the browser shows it, and the mask that the page came up with (shown size)."""

    name: str
    photo_HWC: Image
    shown_HWC: Image
    found_HW: Image

    @classmethod
    def of(cls, photo_HWC: Image, name: str) -> Visit:
        """Begin a visit, with nothing masked."""
        shown_HWC = shrunk(photo_HWC)
        return cls(name, photo_HWC, shown_HWC, np.zeros(shown_HWC.shape[:2], np.uint8))

    def found(self, mask_HW: Image) -> Visit:
        """Return the visit with a mask of the photograph's size."""
        return Visit(self.name, self.photo_HWC, self.shown_HWC, _at_size(mask_HW, self.shown_HWC))

    def layer(self) -> Image:
        """Return the mask as a layer to paint on (RGBA)."""
        layer_HW4 = np.zeros((*self.found_HW.shape, 4), np.uint8)
        layer_HW4[self.found_HW > 0] = (*RED, SEEN_THROUGH)
        return layer_HW4

    def strokes(self, layers: Sequence[Image]) -> npt.NDArray[np.int8]:
        """Return what was painted (1) and erased (-1) since `layer`, at the photograph's size."""
        painted_HW = np.zeros(self.found_HW.shape, np.bool_)
        for layer_HW4 in layers:
            painted_HW |= _at_size(layer_HW4[..., 3], self.shown_HWC) >= PAINTED
        before_HW = self.found_HW > 0
        strokes_HW = (painted_HW & ~before_HW).astype(np.int8) - (before_HW & ~painted_HW).astype(np.int8)
        height, width = self.photo_HWC.shape[:2]
        return np.asarray(cv2.resize(strokes_HW, (width, height), interpolation=cv2.INTER_NEAREST_EXACT), np.int8)

    def before_and_after(self, done: RestoredPhotograph) -> tuple[Image, Image]:
        """Return what the slider compares."""
        return self.shown_HWC, shrunk(done.picture_HWC)


def read_upload(path: Path) -> Image:
    """Read a photograph that a visitor sent; raise `PictureError`, naming the file as the visitor does."""
    try:
        _refuse_huge(path)
        return read_photo_file(path).picture_HWC
    except PictureError as error:
        message = error.message.replace(str(path), path.name)
        raise PictureError(message, reason=error.reason, hint=error.hint) from error


def shrunk(picture_HWC: Image) -> Image:
    """Return a picture as the browser shows it; a small one as it is."""
    height, width = picture_HWC.shape[:2]
    factor = SHOWN_PX / max(height, width)
    if factor >= 1:
        return picture_HWC
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    return np.asarray(cv2.resize(picture_HWC, size, interpolation=cv2.INTER_AREA), np.uint8)


def _refuse_huge(path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns of large pictures, which are about to be refused
        try:
            with PIL.Image.open(io.BytesIO(read_file(path))) as header:
                width, height = header.size
        except PIL.Image.DecompressionBombError:
            width = height = MOST_PIXELS
        except (OSError, ValueError, SyntaxError) as error:  # Pillow raises all three for damaged headers
            raise PictureError(
                f"{path.name} is not a picture that can be read", reason="not-a-picture", hint=WHAT_IS_READ
            ) from error
    if width * height > MOST_PIXELS:
        most = f"{MOST_PIXELS / 1e6:.0f} megapixels"
        what = f"has {width * height / 1e6:,.0f}" if width != MOST_PIXELS else "has far more"
        raise PictureError(
            f"{path.name} {what}, and this page takes up to {most}",
            reason="too-large",
            hint="give a smaller one, or use `fdtrain restore`",
        )


def _at_size(mask_HW: Image, like_HWC: Image) -> Image:
    height, width = like_HWC.shape[:2]
    if mask_HW.shape == (height, width):
        return mask_HW
    return np.asarray(cv2.resize(mask_HW, (width, height), interpolation=cv2.INTER_NEAREST_EXACT), np.uint8)
