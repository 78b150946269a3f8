"""Bicubic sampling gives the numbers of opencv 4.11 with any opencv."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from fdgen.analysis.bicubic import sample_bicubic, sample_lines
from fdgen.arrays import F32


def asked() -> tuple[F32, F32, F32]:
    """Return a picture, and points within and outside it."""
    rng = np.random.default_rng(2)
    points = rng.uniform(-6, 60, (2, 300, 20)).astype(np.float32)
    return rng.uniform(0, 255, (40, 50)).astype(np.float32), points[0], points[1]


@pytest.mark.skipif(
    tuple(map(int, cv2.__version__.split(".")[:2])) >= (4, 14), reason="opencv rounds otherwise from 4.14 on"
)
def test_the_numbers_are_those_of_opencv() -> None:
    picture, x, y = asked()
    inside = (x >= 1) & (x < 48) & (y >= 1) & (y < 38)
    found = sample_bicubic(picture, x, y)
    expected = np.asarray(cv2.remap(picture, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE))
    np.testing.assert_array_equal(found[inside], expected[inside])
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_whole_pixels_are_themselves_and_the_border_repeats() -> None:
    picture, _, _ = asked()
    x, y = np.meshgrid(np.arange(-3, 53, dtype=np.float32), np.arange(-3, 43, dtype=np.float32))
    np.testing.assert_array_equal(sample_bicubic(picture, x, y), np.pad(picture, 3, mode="edge"))


def test_lines_are_sampled_as_their_points() -> None:
    rng = np.random.default_rng(2)
    picture = rng.uniform(0, 255, (30, 40)).astype(np.float32)
    columns, rows = rng.integers(0, (40, 30), (25, 2), dtype=np.int32).T.copy()
    angle = rng.uniform(0, 2 * np.pi, 25)
    steps = np.stack([np.cos(angle), np.sin(angle)], 1).astype(np.float32)
    offsets = np.arange(-4, 4.1, 0.25, dtype=np.float32)
    x, y = (
        (middle[:, None] + step[:, None] * offsets).astype(np.float32)
        for middle, step in ((columns, steps[:, 0]), (rows, steps[:, 1]))
    )
    np.testing.assert_array_equal(sample_lines(picture, columns, rows, steps, offsets), sample_bicubic(picture, x, y))
