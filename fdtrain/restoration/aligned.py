"""Restores an aligned picture: the inpainted region (hole) is filled at the network's size and pasted back at its own.

Aligned is CelebA's frame: a picture of 178x218 or 89x109, or any square crop like those that `fdgen` makes.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from fdgen.arrays import Image
from fdgen.contract.frame import CELEBA_HEIGHT_PX, CELEBA_TOP_PX, CELEBA_WIDTH_PX
from fdgen.errors import PictureError
from fdtrain.data.pictures import decode_grey, decode_rgb, oversize, pasted, read_file, resized, resized_mask
from fdtrain.inference.method import Method

if TYPE_CHECKING:
    import torch

ALIGNED = {
    (int(CELEBA_HEIGHT_PX * scale), int(CELEBA_WIDTH_PX * scale)): (
        int(CELEBA_TOP_PX * scale),
        0,
        int(CELEBA_WIDTH_PX * scale),
    )
    for scale in (1, 0.5)
}
"""Height and width of CelebA's aligned pictures, official and halved: top, left and side of the square crop."""


class Crop(NamedTuple):
    """The square of a picture that the network sees, in pixels."""

    top: int
    left: int
    side: int

    def of(self, picture: Image) -> Image:
        """Cut it out; works on masks too."""
        return picture[self.top : self.top + self.side, self.left : self.left + self.side]


@dataclass(frozen=True)
class Restored:
    """A restored photograph.

    `picture_HWC` has the photograph's own size and pixels, but for those masked. The square pictures are as the network
    saw and made them: input, mask, and the raw outputs, a coarse one where the network makes one.
    """

    picture_HWC: Image
    input_HWC: Image
    mask_HW: Image
    coarse_HWC: Image | None
    refined_HWC: Image


def read_photo(path: str | Path) -> Image:
    """Read a photograph as RGB; raise `PictureError` where it is none, or not aligned."""
    path = Path(path)
    photo_HWC = decode_rgb(read_file(path), str(path))
    find_crop(photo_HWC, str(path))
    return photo_HWC


def read_mask(path: str | Path, photo_HWC: Image, *, threshold: int | None = None) -> Image:
    """Read the mask of a photograph: white (255) is to be replaced, black (0) is kept.

    Grey values are refused, unless `threshold` says from which on they mean white. Raises `PictureError` also for
    another size than the photograph's, and for a mask that marks nothing or everything.
    """
    path = Path(path)
    data = read_file(path)
    wanted = photo_HWC.shape[:2]
    if (size := oversize(data, str(path), wanted)) is not None:
        raise _other_size(path, size, wanted)
    mask_HW = decode_grey(data, str(path))
    if mask_HW.shape != wanted:
        raise _other_size(path, mask_HW.shape, wanted)
    if threshold is not None:
        mask_HW = np.where(mask_HW >= threshold, np.uint8(255), np.uint8(0))
    if grey := int(((mask_HW != 0) & (mask_HW != 255)).sum()):
        raise PictureError(
            f"the mask {path} has grey values: {grey / mask_HW.size:.1%} of its pixels are neither 0 nor 255",
            reason="mask-grey",
            hint="save it as PNG with 0 and 255 alone, or name with --threshold the lowest value of a masked pixel",
        )
    if mask_HW.min() == mask_HW.max():
        what = "everything" if mask_HW.max() else "nothing"
        raise PictureError(
            f"the mask {path} marks {what}", reason="mask-empty", hint="white is what is replaced, black what is kept"
        )
    return mask_HW


def _other_size(path: Path, size: tuple[int, ...], wanted: tuple[int, ...]) -> PictureError:
    return PictureError(
        f"the mask {path} is {size[1]}x{size[0]}, its photograph {wanted[1]}x{wanted[0]}",
        reason="mask-size",
        hint="a mask covers its photograph pixel by pixel: draw it at the same size",
    )


def find_crop(photo_HWC: Image, name: str) -> Crop:
    """Return the square that the network sees; raise `PictureError` where the picture is not aligned."""
    high, wide = photo_HWC.shape[:2]
    if (high, wide) in ALIGNED:
        return Crop(*ALIGNED[high, wide])
    if high == wide:
        return Crop(0, 0, high)
    raise PictureError(
        f"{name} is {wide}x{high} and not aligned",
        reason="not-aligned",
        hint="give a picture in CelebA's frame, 178x218 or 89x109, or a square crop of it",
    )


def restore(model: torch.nn.Module, photo_HWC: Image, mask_HW: Image, *, size_px: int) -> Restored:
    """Replace what the mask marks. `size_px` is the size that the model was trained at.

    Every pixel whose mask is 0 keeps its value. Raises `PictureError` where the photograph is not aligned.
    """
    from fdtrain.inference.torch_method import ModelMethod  # alone in this module to need torch

    device = next(model.parameters()).device
    return restore_by(ModelMethod(model, device=device), photo_HWC, mask_HW, size_px=size_px)


def restore_by(method: Method, photo_HWC: Image, mask_HW: Image, *, size_px: int) -> Restored:
    """Do the same by any method, at `size_px`."""
    crop = find_crop(photo_HWC, "the photograph")
    input_HWC, small_HW = resized(crop.of(photo_HWC), size_px), resized_mask(crop.of(mask_HW), size_px)
    *coarse, refined_HWC = method.restore([(input_HWC, small_HW)])[0]
    filled_HWC = photo_HWC.copy()
    crop.of(filled_HWC)[...] = resized(refined_HWC, crop.side)
    return Restored(
        pasted(filled_HWC, photo_HWC, mask_HW), input_HWC, small_HW, coarse[0] if coarse else None, refined_HWC
    )
