"""Histograms of gradients are those that the classifier was trained on."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from fdgen.analysis.gradient_histograms import BINS, CELL_PX, gradient_histograms
from fdgen.arrays import Image
from fdgen.faces.folders import SampleFaces


def pictures(size_px: int) -> list[Image]:
    """Return noise, smooth noise, a flat picture, and the faces that come with the package."""
    rng = np.random.default_rng(5)
    noise = rng.integers(0, 256, (size_px, size_px, 3), dtype=np.uint8)
    faces = SampleFaces()
    photographs = [
        cv2.resize(faces.read(source), (size_px, size_px), interpolation=cv2.INTER_AREA) for source in faces.sources()
    ]
    return [noise, cv2.GaussianBlur(noise, (0, 0), 2), np.full_like(noise, 90), *photographs]  # type: ignore[list-item]


@pytest.mark.skipif(not hasattr(cv2, "HOGDescriptor"), reason="this opencv has no HOGDescriptor")
@pytest.mark.parametrize("size_px", [32, 96])
def test_the_numbers_are_those_of_opencv(size_px: int) -> None:
    block, cell = (2 * CELL_PX, 2 * CELL_PX), (CELL_PX, CELL_PX)
    reference = cv2.HOGDescriptor((size_px, size_px), block, cell, cell, BINS)
    for picture_HWC in pictures(size_px):
        expected = np.asarray(reference.compute(picture_HWC)).ravel()
        assert np.abs(gradient_histograms(picture_HWC) - expected).max() < 1e-5


def test_a_ramp_has_one_direction_and_a_flat_picture_none() -> None:
    ramp = np.repeat(np.arange(0, 256, 8, dtype=np.uint8)[None, :, None], 32, 0).repeat(3, 2)
    across = gradient_histograms(np.ascontiguousarray(ramp)).reshape(-1, 4, BINS)
    # Horizontal is the border between the last bin and the first.
    assert across[..., [0, BINS - 1]].min() > 0
    assert not across[..., 1 : BINS - 1].any()
    upright = gradient_histograms(np.ascontiguousarray(ramp.swapaxes(0, 1))).reshape(-1, 4, BINS)
    assert upright[..., BINS // 2].min() > 0
    assert not gradient_histograms(np.full((32, 32, 3), 7, np.uint8)).any()
