"""Light that an occluder takes: wide blurs on fewer pixels are those on all, and hollows are darker than crests."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from fdgen.render.scene import FAR
from fdgen.render.shadow import ambient_occlusion, blurred


@pytest.mark.parametrize("sigma", [1.0, 2.5, 7.0, 14.0])
def test_a_blur_on_fewer_pixels_is_the_blur(sigma: float) -> None:
    image = np.zeros((150, 131), np.float32)
    image[40:90, 30:100] = 1.0
    whole = cv2.GaussianBlur(image, (0, 0), sigma)
    assert np.abs(blurred(image, sigma) - whole).max() < 0.06  # on the sharpest of edges


def test_hollows_are_dark_and_crests_are_not() -> None:
    columns = np.arange(120)
    height = np.repeat((8.0 * np.cos(columns * (2 * np.pi / 40)))[None], 60, 0).astype(np.float32)
    light = ambient_occlusion(height, 10.0, 1.0)
    assert light[30, 60] < 0.8  # the foot of a wave
    assert light[30, 40] == pytest.approx(1.0, abs=1e-3)
    assert (ambient_occlusion(height, 10.0, 0.0) == 1.0).all()


def test_where_nothing_is_no_light_is_taken() -> None:
    assert (ambient_occlusion(np.full((20, 30), FAR, np.float32), 10.0, 1.0) == 1.0).all()
