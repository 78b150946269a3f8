"""The page with a model that anyone can see through, as a program: `python -m tests.fdtrain.demo_server [no-masker]`.

One face in the middle of every photograph; a masker that finds the lower half of it; a method that paints stripes.
Prints the address and the folder, and serves until it is asked to end.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from fdgen.contract import Image
from fdtrain.demo.server import serving, wait
from fdtrain.maskers import MaskGuess
from fdtrain.photo_restorer import PhotoRestorer


class Face(NamedTuple):
    left_eye_xy: tuple[float, float]
    right_eye_xy: tuple[float, float]
    score: float


def in_the_middle(photo_HWC: Image) -> list[Face]:
    """Find a face in the middle, of half the picture's height; none in a picture that is black."""
    height, width = photo_HWC.shape[:2]
    apart = height / 10
    eyes = [(width / 2 + sign * apart, height * 0.45) for sign in (-1, 1)]
    return [Face(eyes[0], eyes[1], 0.9)] if photo_HWC.any() else []


class LowerHalf:
    """Finds an occluder on the lower half of every crop."""

    size_px = 32
    kinds: tuple[str, ...] = ()

    def predict(self, crops: Sequence[Image]) -> list[MaskGuess]:
        guesses = []
        for crop in crops:
            occluder_HW = np.zeros(crop.shape[:2], np.float32)
            occluder_HW[len(crop) // 2 :, len(crop) // 4 : len(crop) * 3 // 4] = 1
            guesses.append(MaskGuess(occluder_HW))
        return guesses


class PaintStripes:
    """Puts stripes into every hole: levels alone would be fitted to what lies around it."""

    names = ("model",)

    def restore(self, pairs: Sequence[tuple[Image, Image]]) -> list[tuple[Image, ...]]:
        return [
            (np.where(np.arange(occluded.shape[1])[None, :, None] % 8 < 4, occluded // 4, occluded),)
            for occluded, _ in pairs
        ]


def main() -> None:
    """Serve until SIGTERM."""
    masker = None if "no-masker" in sys.argv else LowerHalf()
    restorer = PhotoRestorer(PaintStripes(), 32, in_the_middle, masker, "find", with_grain=False)
    with serving(restorer, host="127.0.0.1", port=0) as served:
        sys.stdout.write(f"{served.url}\n{served.folder}\n")
        sys.stdout.flush()
        wait()


if __name__ == "__main__":
    main()
