"""Pictures of one edge, one disc, one pattern, and holes in them."""

from __future__ import annotations

import numpy as np

SIZE_PX = 64
DARK, LIGHT = 60, 190


def grey(values: np.ndarray) -> np.ndarray:
    return np.repeat(np.rint(values)[..., None], 3, axis=2).astype(np.uint8)


def places(size_px: int = SIZE_PX) -> tuple[np.ndarray, np.ndarray]:
    down, right = np.mgrid[:size_px, :size_px].astype(float)
    return down, right


def edge(lean: float = 0.0) -> np.ndarray:
    """Draw a straight edge through the middle; `lean` columns further right a row."""
    down, right = places()
    beyond = right - SIZE_PX / 2 + 0.5 - lean * (down - SIZE_PX / 2)
    return grey(DARK + (LIGHT - DARK) * np.clip(beyond + 0.5, 0, 1))


def disc(radius_px: float = 20) -> np.ndarray:
    down, right = places()
    inwards = radius_px - np.hypot(down - SIZE_PX / 2 + 0.5, right - SIZE_PX / 2 + 0.5)
    return grey(DARK + (LIGHT - DARK) * np.clip(inwards + 0.5, 0, 1))


def ramp() -> np.ndarray:
    down, right = places()
    return grey(20 + 2 * right + down)


def stripes(period_px: float = 6, height: float = 40) -> np.ndarray:
    return grey(128 + height * np.sin(2 * np.pi * places()[1] / period_px))


def flat() -> np.ndarray:
    return np.full((SIZE_PX, SIZE_PX, 3), (200, 90, 30), np.uint8)


def hole(top: int = 24, bottom: int = 40, left: int = 24, right: int = 40, size_px: int = SIZE_PX) -> np.ndarray:
    mask = np.zeros((size_px, size_px), np.uint8)
    mask[top:bottom, left:right] = 255
    return mask


def emptied(picture: np.ndarray, mask: np.ndarray) -> np.ndarray:
    return np.where(mask[..., None] > 0, np.uint8(0), picture)


def error(filled: np.ndarray, picture: np.ndarray, mask: np.ndarray) -> float:
    """Return the mean absolute difference in the hole, in levels."""
    return float(np.abs(filled.astype(int) - picture)[mask > 0].mean())
