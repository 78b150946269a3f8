"""Bicubic sampling gives the numbers of opencv 4.11 with any opencv."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from fdgen.analysis.bicubic import add_warped, sample_lines
from fdgen.arrays import F32


@pytest.mark.skipif(
    tuple(map(int, cv2.__version__.split(".")[:2])) >= (4, 14), reason="opencv rounds otherwise from 4.14 on"
)
def test_the_numbers_are_those_of_opencv() -> None:
    rng = np.random.default_rng(2)
    picture = rng.uniform(0, 255, (40, 50)).astype(np.float32)
    columns, rows = rng.integers((-4, -4), (54, 44), (300, 2), dtype=np.int32).T.copy()
    angle = rng.uniform(0, 2 * np.pi, 300)
    steps = np.stack([np.cos(angle), np.sin(angle)], 1).astype(np.float32)
    offsets = np.arange(-4, 4.1, 0.25, dtype=np.float32)
    found = sample_lines(picture, columns, rows, steps, offsets)
    x, y = (
        (middle[:, None] + step[:, None] * offsets).astype(np.float32)
        for middle, step in ((columns, steps[:, 0]), (rows, steps[:, 1]))
    )
    expected = np.asarray(cv2.remap(picture, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE))
    inside = (x >= 1) & (x < 48) & (y >= 1) & (y < 38)
    np.testing.assert_array_equal(found[inside], expected[inside])
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_whole_pixels_are_themselves_and_the_border_repeats() -> None:
    picture: F32 = np.random.default_rng(2).uniform(0, 255, (40, 50)).astype(np.float32)
    rows = np.arange(-3, 43, dtype=np.int32)
    right = np.tile(np.array([1.0, 0.0], np.float32), (len(rows), 1))
    found = sample_lines(picture, np.zeros_like(rows), rows, right, np.arange(-3, 53, dtype=np.float32))
    np.testing.assert_array_equal(found, np.pad(picture, 3, mode="edge"))


@pytest.mark.skipif(
    tuple(map(int, cv2.__version__.split(".")[:2])) >= (4, 14), reason="opencv rounds otherwise from 4.14 on"
)
@pytest.mark.parametrize("turn_deg", [0.0, 25.0, -170.0])
@pytest.mark.parametrize("zoom", [0.4, 2.876, 5.0])
def test_a_warped_change_is_that_of_opencv(zoom: float, turn_deg: float) -> None:
    rng = np.random.default_rng(3)
    change = rng.integers(-80, 80, (48, 64, 3)).astype(np.float32)
    picture = rng.integers(0, 256, (90, 130, 3)).astype(np.uint8)
    where = rng.random((90, 130)) < 0.7
    turn = np.radians(turn_deg)
    matrix = np.array([[np.cos(turn), -np.sin(turn), 0.0], [np.sin(turn), np.cos(turn), 0.0]]) * zoom
    matrix[:, 2] = (65, 45) - matrix[:, :2] @ rng.uniform(10, 40, 2)  # some of the picture lies beyond the border
    warped = cv2.warpAffine(
        change.astype(np.int16), matrix, (130, 90), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    expected = np.where(where[..., None], np.clip(picture.astype(np.int64) + warped, 0, 255), picture)
    add_warped(picture, change, matrix, where)
    np.testing.assert_array_equal(picture, expected)
