"""Restoring by a mask that is predicted: what is replaced, and what is not looked at."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fdgen.arrays import Image
from fdtrain.inference.mask_decision import threshold_mask
from fdtrain.inference.maskers import REACH, MaskPrediction
from fdtrain.inference.predicted_mask import ByPredictedMask

SIDE_PX = 40


class Painter:
    """A method that paints the hole that it is given in one colour."""

    names = ("painter, stage I", "painter")

    def __init__(self) -> None:
        self.masks: list[Image] = []

    def restore(self, pairs: Sequence[tuple[Image, Image]]) -> list[tuple[Image, ...]]:
        self.masks += [mask_HW for _, mask_HW in pairs]
        return [(np.full_like(picture, 7), np.full_like(picture, 9)) for picture, _ in pairs]


class LeftHalf:
    """A masker that takes the left half for an occluder."""

    size_px, kinds = SIDE_PX, ()

    def predict(self, crops: Sequence[Image]) -> list[MaskPrediction]:
        probability_HW = np.zeros((SIDE_PX, SIDE_PX), np.float32)
        probability_HW[:, : SIDE_PX // 2] = 0.9
        return [MaskPrediction(probability_HW) for _ in crops]


def test_what_is_predicted_is_replaced_and_nothing_else() -> None:
    rng = np.random.default_rng(0)
    pictures = [rng.integers(10, 250, (SIDE_PX, SIDE_PX, 3), np.uint8) for _ in range(2)]
    given = np.zeros((SIDE_PX, SIDE_PX), np.uint8)
    given[-5:] = 255
    painter = Painter()
    method = ByPredictedMask(painter, LeftHalf())
    assert method.names == ("painter, stage I, predicted mask", "painter, predicted mask")
    restored = method.restore([(picture, given) for picture in pictures])
    widened_px = SIDE_PX // 2 + int(REACH * SIDE_PX)
    for picture, outputs, mask_HW in zip(pictures, restored, painter.masks, strict=True):
        assert np.array_equal(mask_HW > 0, threshold_mask(LeftHalf().predict([picture])[0].occluder_HW, SIDE_PX))
        for output, colour in zip(outputs, (7, 9), strict=True):
            assert (output[:, :widened_px] == colour).all()
            assert np.array_equal(output[:, widened_px:], picture[:, widened_px:])
