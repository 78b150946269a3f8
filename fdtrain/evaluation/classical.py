"""Classical inpainting, from libraries: by diffusion (OpenCV, scikit-image) and by patches (PatchMatch)."""

from __future__ import annotations

from collections.abc import Callable
from importlib import metadata, util
from typing import Any

import cv2
import numpy as np

from fdgen.arrays import Image
from fdgen.errors import FdError
from fdtrain.data.pictures import pasted
from fdtrain.inference.method import OneByOne

RADIUS_PX = 3.0
"""Of OpenCV's inpainting; from 1 to 8 it moves the result by 0.3 dB."""

PATCH_PX, PATCH_SEED = 5, 0
"""The package's own patch; 3 and 7 px are 0.4 to 0.6 dB worse on faces of 64 px. Its search is random, so seeded."""


class Inpainting(OneByOne):
    """OpenCV's inpainting: Telea's fast marching (2004), or Navier-Stokes (Bertalmio et al. 2001)."""

    def __init__(self, how: str) -> None:
        self.flag, name = {
            "telea": (cv2.INPAINT_TELEA, "Telea"),
            "navier-stokes": (cv2.INPAINT_NS, "Navier-Stokes"),
        }[how]
        self.names = (name,)

    def fill(self, occluded_HWC: Image, mask_HW: Image) -> Image:
        """Return the picture with its hole painted over; channels are treated alike, so their order does not matter."""
        return cv2.inpaint(occluded_HWC, mask_HW, RADIUS_PX, self.flag)  # type: ignore[return-value]


class Biharmonic(OneByOne):
    """scikit-image's inpainting by the biharmonic equation (Chui and Mhaskar 2010), smooth in value and in slope."""

    names: tuple[str, ...] = ("biharmonic",)

    def fill(self, occluded_HWC: Image, mask_HW: Image) -> Image:
        """Return the picture with its hole filled; a hole without surroundings is left as it is."""
        from skimage.restoration import inpaint_biharmonic

        if mask_HW.all():
            return occluded_HWC
        filled = inpaint_biharmonic(occluded_HWC.astype(np.float64), mask_HW > 0, channel_axis=-1)
        return pasted(np.rint(filled).clip(0, 255).astype(np.uint8), occluded_HWC, mask_HW)


class PatchMatch(OneByOne):
    """Patches of the known part, found by PatchMatch (Barnes et al. 2009) from coarse to fine; by `open_patchmatch`."""

    names: tuple[str, ...] = ("PatchMatch",)

    def __init__(self, inpaint: Callable[..., Any], version: str) -> None:
        self.inpaint = inpaint
        self.protocol = f"of the package patchmatch-cython {version}, patches of {PATCH_PX} px, seed {PATCH_SEED}"

    def fill(self, occluded_HWC: Image, mask_HW: Image) -> Image:
        """Return the picture with its hole filled; where no whole patch is known, it is left as it is."""
        known_HW = np.pad((mask_HW == 0).astype(np.uint8), 1)  # beyond the edge nothing is known
        if not cv2.erode(known_HW, np.ones((PATCH_PX, PATCH_PX), np.uint8)).any():
            return occluded_HWC
        filled = self.inpaint(occluded_HWC, mask_HW > 0, patch_size=PATCH_PX, seed=PATCH_SEED)
        return pasted(np.asarray(filled, np.uint8), occluded_HWC, mask_HW)


def open_patchmatch() -> PatchMatch:
    """Return the patch-based method; raise `FdError` where its package is not installed."""
    if util.find_spec("patchmatch_cython") is None:
        raise FdError(
            "the reference patchmatch needs the package patchmatch-cython, and it is not installed",
            hint="`pip install patchmatch-cython==0.2.1`, or choose other references, as in --references copy,telea",
        )
    from patchmatch_cython import inpaint_pyramid

    return PatchMatch(inpaint_pyramid, metadata.version("patchmatch-cython"))
