"""A mask that goes on beyond the crop of its face is removed there, too; clothing that begins there is left."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest

from fdtrain.inference.maskers import MaskPrediction
from fdtrain.restoration.beyond_crop import going_on
from fdtrain.restoration.face_frame import FaceFrame
from fdtrain.restoration.photograph import restore_photograph

Picture = npt.NDArray[np.uint8]
GREEN = (10, 200, 30)
LEFT, TOP, SIDE = 40, 30, 96
FRAME = FaceFrame.of_square(LEFT, TOP, SIDE)


class SeesGreen:
    """Says that what is green is covered."""

    size_px, kinds, label = 96, ("mask",), None

    def predict(self, crops: Sequence[Picture]) -> list[MaskPrediction]:
        return [
            MaskPrediction((np.abs(crop.astype(int) - GREEN).max(2) < 40).astype(np.float32), {"mask": 0.9})
            for crop in crops
        ]


class Skin:
    """Fills squares with one colour."""

    names = ("skin",)

    def restore(self, pairs: Sequence[tuple[Picture, Picture]]) -> list[tuple[Picture, ...]]:
        return [(np.full_like(crop, (180, 140, 120)),) for crop, _ in pairs]


def worn(below_px: int) -> Picture:
    """Return a photograph of skin whose green cloth reaches so far below the crop."""
    photo_HWC = np.full((220, 180, 3), (180, 140, 120), np.uint8)
    photo_HWC[TOP + 50 : TOP + SIDE + below_px, LEFT + 24 : LEFT + 72] = GREEN
    return photo_HWC


def masked(photo_HWC: Picture) -> npt.NDArray[np.bool_]:
    """Return the cloth within the crop, as a mask of the photograph."""
    inside_HW = np.zeros(photo_HWC.shape[:2], np.bool_)
    inside_HW[TOP : TOP + SIDE, LEFT : LEFT + SIDE] = True
    return inside_HW & (photo_HWC == GREEN).all(2)


def test_cloth_below_the_crop_is_removed_with_the_rest() -> None:
    photo_HWC = worn(below_px=5)
    done = restore_photograph(photo_HWC, [FRAME], Skin(), 48, masker=SeesGreen(), with_grain=False)  # type: ignore[arg-type]
    np.testing.assert_array_equal(done.picture_HWC[done.mask_HW == 0], photo_HWC[done.mask_HW == 0])
    assert not (done.picture_HWC == GREEN).all(2).any()
    assert np.abs(done.picture_HWC.astype(int) - (180, 140, 120)).max() <= 2
    assert done.beyond == 0


@pytest.mark.parametrize("below_px", [-10, 0])
def test_nothing_is_looked_for_where_the_mask_ends_with_the_crop(below_px: int) -> None:
    photo_HWC = worn(below_px)
    assert going_on(photo_HWC, FRAME, masked(photo_HWC), SeesGreen(), 0.05) is None  # type: ignore[arg-type]


def test_clothing_is_left() -> None:
    photo_HWC = worn(below_px=80)
    assert going_on(photo_HWC, FRAME, masked(photo_HWC), SeesGreen(), 0.05) is None  # type: ignore[arg-type]


def test_what_does_not_touch_the_mask_is_left() -> None:
    photo_HWC = worn(below_px=0)
    photo_HWC[TOP + SIDE + 6 : TOP + SIDE + 12, LEFT + 30 : LEFT + 40] = GREEN
    assert going_on(photo_HWC, FRAME, masked(photo_HWC), SeesGreen(), 0.05) is None  # type: ignore[arg-type]


def test_a_wider_frame_holds_the_crop() -> None:
    wide = FRAME.widened(1.3, down=0.15)
    corners = wide.corners_xy
    assert wide.side_px == pytest.approx(1.3 * SIDE)
    np.testing.assert_allclose(corners[0], (LEFT - 0.15 * SIDE, TOP), atol=1e-9)
    np.testing.assert_allclose(corners[2], (LEFT + 1.15 * SIDE, TOP + 1.3 * SIDE), atol=1e-9)
