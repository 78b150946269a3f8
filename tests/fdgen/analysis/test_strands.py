"""Strands of hair over cloth: the skin between them is where cloth will be seen, and shade on a cheek is no lock."""

from __future__ import annotations

import cv2
import numpy as np

from fdgen.analysis.strands import strands

SCALE_PX = 8.0
SKIN, HAIR = (205, 160, 135), (52, 36, 28)


def _striped(width: int = 256) -> tuple[np.ndarray, np.ndarray]:
    """Return a picture whose right third is hair, with strands and skin by turns beside it, and where strands are."""
    picture = np.empty((width, width, 3), np.uint8)
    picture[:] = SKIN
    picture[:, 170:] = HAIR
    columns = np.arange(width)
    strand = (columns >= 130) & (columns < 170) & (columns % 8 < 4)
    picture[:, strand] = HAIR
    return picture, np.broadcast_to(strand, (width, width))


def _matte(width: int = 256) -> np.ndarray:
    matte = np.zeros((width, width), np.float32)
    matte[:, 170:], matte[:, 130:170] = 1.0, 0.6
    return matte


def test_skin_between_strands_goes_under_the_cloth() -> None:
    picture, strand = _striped()
    matte = _matte()
    found = strands(picture, matte, (matte > 0.5).astype(np.float32), np.ones_like(matte, np.bool_), SCALE_PX)
    beside = (slice(40, 216), slice(134, 166))
    assert found[beside][strand[beside]].mean() > 0.5
    assert found[beside][~strand[beside]].mean() < 0.1
    assert found[:, 180:].min() > 0.9


def test_a_speck_is_no_lock() -> None:
    picture, _ = _striped()
    matte = np.zeros((256, 256), np.float32)
    cv2.circle(matte, (60, 128), round(0.9 * SCALE_PX), 1.0, -1)
    assert not strands(picture, matte, matte, np.ones_like(matte, np.bool_), SCALE_PX).any()
