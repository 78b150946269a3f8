"""Methods with a predicted mask, as on a photograph without one (section 2.4), next to those with the given mask."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fdgen.arrays import F32, Image
from fdtrain.data.pictures import pasted
from fdtrain.inference.mask_decision import middle_of_crop, threshold_mask, with_lines
from fdtrain.inference.maskers import Masker
from fdtrain.inference.method import Method

PREDICTED = ", predicted mask"
"""Goes on from the name of a method whose mask was predicted."""


class ByPredictedMask:
    """A method that does not get the mask of the occluder, but asks a masker for it.

    What it puts out is the input with the predicted mask replaced: an occluder that the masker misses stays, a face
    that it marks as one is restored. Both show in the numbers of the whole picture; what stays, in those of the hole.
    """

    def __init__(self, method: Method, masker: Masker) -> None:
        self.method, self.masker = method, masker
        self.names: tuple[str, ...] = tuple(f"{name}{PREDICTED}" for name in method.names)

    def restore(self, pairs: Sequence[tuple[Image, Image]]) -> list[tuple[Image, ...]]:
        """Restore pictures; the masks given are not looked at."""
        occluded = [occluded_HWC for occluded_HWC, _ in pairs]
        predictions = self.masker.predict(occluded)
        masks = [
            _mask(with_lines(prediction.occluder_HW, occluded_HWC))
            for prediction, occluded_HWC in zip(predictions, occluded, strict=True)
        ]
        restored = self.method.restore(list(zip(occluded, masks, strict=True)))
        return [
            tuple(pasted(output_HWC, occluded_HWC, mask_HW) for output_HWC in outputs)
            for outputs, occluded_HWC, mask_HW in zip(restored, occluded, masks, strict=True)
        ]


def _mask(probability_HW: F32) -> Image:
    """Return the mask (S, S), 0 or 255, that `fdtrain restore` makes of a crop's probabilities."""
    size_px = len(probability_HW)
    return threshold_mask(probability_HW, size_px, middle_HW=middle_of_crop(size_px)).view(np.uint8) * np.uint8(255)
