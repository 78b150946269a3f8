"""Sharpness: a filling becomes as sharp as the photograph around it, and no sharper."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from fdgen.arrays import F32, Image
from fdtrain.restoration.face_frame import FaceFrame
from fdtrain.restoration.photograph import restore_photograph
from fdtrain.restoration.sharpness import lost_share, sharpened

SIDE, NETWORK = 192, 64


def blurred(picture: F32, sigma: float) -> F32:
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma), np.float32)


def picture(sigma: float) -> Image:
    """Return patches of two tones, whose edges are blurred by so many pixels."""
    rng = np.random.default_rng(3)
    tones_hw = rng.integers(60, 200, (SIDE // 16, SIDE // 16)).astype(np.float32)
    tones_HW = blurred(np.kron(tones_hw, np.ones((16, 16), np.float32)), sigma)
    return np.rint(np.repeat(tones_HW[..., None], 3, axis=2)).astype(np.uint8)


def detour(photo_HWC: Image) -> Image:
    """Return a photograph at the network's size, enlarged again."""
    small = cv2.resize(photo_HWC, (NETWORK, NETWORK), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC), np.uint8)


def test_a_sharp_photograph_loses_more_than_one_out_of_focus() -> None:
    everywhere_HW = np.ones((SIDE, SIDE), np.bool_)
    shares = [lost_share(photo, detour(photo), everywhere_HW, 2.1) for photo in (picture(0.5), picture(2), picture(8))]
    assert shares[0] > 0.3
    assert shares[0] > shares[1] > shares[2]
    assert shares[2] < 0.05


def test_a_filling_comes_closer_to_what_is_hidden() -> None:
    photo_HWC = picture(0.5)
    filled_HWC = detour(picture(1.5)).astype(np.float32)  # softer still, as what networks make
    near_HW = np.ones((SIDE, SIDE), np.bool_)
    near_HW[60:130, 60:130] = False
    sharp_HWC = sharpened(filled_HWC, photo_HWC, detour(photo_HWC), near_HW, SIDE / NETWORK)
    error, soft_error = (float(np.abs(one - photo_HWC)[~near_HW].mean()) for one in (sharp_HWC, filled_HWC))
    assert error < 0.95 * soft_error
    # Sharpness is of light alone: colours stay.
    assert np.ptp(sharp_HWC - filled_HWC, axis=2).max() < 1e-3


def test_beside_what_is_out_of_focus_a_filling_stays_as_it_is() -> None:
    photo_HWC = picture(8)
    filled_HWC = detour(picture(1.5)).astype(np.float32)
    everywhere_HW = np.ones((SIDE, SIDE), np.bool_)
    sharp_HWC = sharpened(filled_HWC, photo_HWC, detour(photo_HWC), everywhere_HW, SIDE / NETWORK)
    assert (sharp_HWC == filled_HWC).all()


@pytest.mark.parametrize("zoom", [0.5, 1.0])
def test_nothing_is_sharpened_that_was_not_enlarged(zoom: float) -> None:
    photo_HWC = picture(0.5)
    filled_HWC = blurred(photo_HWC.astype(np.float32), 2)
    everywhere_HW = np.ones((SIDE, SIDE), np.bool_)
    assert sharpened(filled_HWC, photo_HWC, detour(photo_HWC), everywhere_HW, zoom) is filled_HWC


def test_where_nothing_is_known_around_nothing_is_measured() -> None:
    photo_HWC = picture(0.5)
    assert lost_share(photo_HWC, detour(photo_HWC), np.zeros((SIDE, SIDE), np.bool_), 2.1) == 0


class AsItIs:
    """A network that fills in what is hidden, somewhat softer than its size allows."""

    names = ("as it is",)

    def __init__(self, hidden_HWC: Image) -> None:
        self.hidden_HWC = hidden_HWC

    def restore(self, pairs: list[tuple[Image, Image]]) -> list[tuple[Image, ...]]:
        return [(self.hidden_HWC,) for _ in pairs]


def test_a_restored_photograph_is_sharper_with_it() -> None:
    photo_HWC = picture(0.5)
    hidden_HWC = np.asarray(cv2.resize(picture(1.5), (NETWORK, NETWORK), interpolation=cv2.INTER_AREA), np.uint8)
    mask_HW = np.zeros((SIDE, SIDE), np.uint8)
    mask_HW[60:130, 60:130] = 255
    occluded_HWC = np.where(mask_HW[..., None] > 0, np.uint8(10), photo_HWC)
    errors = []
    for sharpen in (True, False):
        done = restore_photograph(
            occluded_HWC, [FaceFrame.of_square(0, 0, SIDE)], AsItIs(hidden_HWC), NETWORK,
            mask_HW=mask_HW, with_grain=False, jaw_line=False, sharpen=sharpen,
        )  # fmt: skip
        errors.append(float(np.abs(done.picture_HWC.astype(float) - photo_HWC)[mask_HW > 0].mean()))
    assert errors[0] < 0.98 * errors[1]
