"""The page with models that anyone can see through: `python -m tests.support.demo_server [WORD ...] [KEY=N ...]`.

KEY is a limit of the page, `host` or `also`; words are `no-masker`, `slow`, `two-models` and `example`.

One face in the middle of every photograph; a masker that finds the lower half of it; a method that paints stripes.
Prints the address and the folder, and serves until it is asked to end.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from fdgen.arrays import Image
from fdtrain.demo.offer import Example, ModelCard, Offer, OfferedModel
from fdtrain.demo.quota import Limits
from fdtrain.demo.server import serving, until_asked_to_end
from fdtrain.inference.maskers import MaskPrediction
from fdtrain.restoration.photo_restorer import PhotoRestorer


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

    def predict(self, crops: Sequence[Image]) -> list[MaskPrediction]:
        guesses = []
        for crop in crops:
            occluder_HW = np.zeros(crop.shape[:2], np.float32)
            occluder_HW[len(crop) // 2 :, len(crop) // 4 : len(crop) * 3 // 4] = 1
            guesses.append(MaskPrediction(occluder_HW))
        return guesses


class PaintStripes:
    """Puts stripes into every hole: levels alone would be fitted to what lies around it."""

    names = ("model",)

    def restore(self, pairs: Sequence[tuple[Image, Image]]) -> list[tuple[Image, ...]]:
        return [
            (np.where(np.arange(occluded.shape[1])[None, :, None] % 8 < 4, occluded // 4, occluded),)
            for occluded, _ in pairs
        ]


class PaintBlack(PaintStripes):
    """Fills every hole with black."""

    def restore(self, pairs: Sequence[tuple[Image, Image]]) -> list[tuple[Image, ...]]:
        return [(np.zeros_like(occluded),) for occluded, _ in pairs]


class Slow(PaintStripes):
    """Does so when a while has passed."""

    def restore(self, pairs: Sequence[tuple[Image, Image]]) -> list[tuple[Image, ...]]:
        time.sleep(3)
        return super().restore(pairs)


def an_example() -> Example:
    """Return a face of one colour, with a square of another drawn on the lower half of it."""
    clean_HWC = np.full((300, 240, 3), (120, 90, 60), np.uint8)
    mask_HW = np.zeros(clean_HWC.shape[:2], np.uint8)
    mask_HW[140:200, 80:160] = 255
    occluded_HWC = np.where(mask_HW[..., None] > 0, np.uint8(200), clean_HWC)
    return Example("example-square", "A square", occluded_HWC, clean_HWC, mask_HW)


def offered(words: Sequence[str]) -> Offer:
    """Return what is offered by these words of the command line."""
    masker = None if "no-masker" in words else LowerHalf()
    methods = {"stripes": Slow() if "slow" in words else PaintStripes()}
    if "two-models" in words:
        methods["a black one"] = PaintBlack()
    models = [
        OfferedModel(name, PhotoRestorer(method, 32, in_the_middle, masker, "find", with_grain=False))
        for name, method in methods.items()
    ]
    card = ModelCard("stripes", "It paints stripes.", "# stripes\n\n## Limits\nIt paints stripes.\n\n## Licence\nAny.")
    examples = [an_example()] if "example" in words else []
    return Offer(models, [card], examples, "A square, drawn.")


def main() -> None:
    """Serve until SIGTERM."""
    given = dict(word.split("=") for word in sys.argv[1:] if "=" in word)
    host, also = given.pop("host", "127.0.0.1"), given.pop("also", None)
    limits = Limits(**{name: int(value) for name, value in given.items()})
    with (
        until_asked_to_end() as wait,
        serving(offered(sys.argv[1:]), host=host, port=0, also=[also] if also else [], limits=limits) as served,
    ):
        sys.stdout.write(f"{served.url}\n{served.folder}\n")
        sys.stdout.flush()
        wait()


if __name__ == "__main__":
    main()
