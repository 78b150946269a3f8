"""Pictures on which two forms of one network are compared: noise and drawn faces, with masks of all sizes."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np

from fdtrain.data.pictures import Values, mask_to_values, to_values

BATCHES = (1, 3, 8)
"""Of the pictures that every export is compared on: one, an odd number, and many."""

_SEED = 20


def probes(size_px: int, batches: tuple[int, ...] = BATCHES) -> Iterator[tuple[Values, Values]]:
    """Yield a batch (pictures in [-1, 1], masks of 0 and 1) for each number of `batches`: always the same ones.

    Every third picture is noise, and the other ones are drawn. Of the masks some are empty, and some leave an edge
    alone; none is full, since normalising instances of nothing known enlarges rounding errors without bound.
    """
    rng = np.random.default_rng(_SEED)
    index = 0
    for batch in batches:
        pictures, masks = [], []
        for _ in range(batch):
            noise = index % 3 == 2
            pictures.append(
                rng.uniform(-1, 1, (3, size_px, size_px)).astype(np.float32) if noise else _drawn(rng, size_px)
            )
            masks.append(_mask(rng, size_px, index))
            index += 1
        yield np.stack(pictures), np.stack(masks)


def _drawn(rng: np.random.Generator, size_px: int) -> Values:
    """Draw a head before a wall, with eyes and a mouth, under uneven light and a little grain."""
    light = cv2.resize(rng.uniform(0.6, 1.1, (3, 3, 1)).astype(np.float32), (size_px, size_px))[..., None]
    picture = np.empty((size_px, size_px, 3), np.float32)
    picture[:] = rng.uniform(40, 220, 3)
    centre, skin = (size_px // 2, size_px // 2), rng.uniform(70, 230) * np.array((1.0, 0.8, 0.68))
    cv2.ellipse(picture, centre, (size_px * 2 // 5, size_px // 2), 0, 0, 360, tuple(skin), -1, cv2.LINE_AA)
    for sign in (-1, 1):
        eye = (centre[0] + sign * size_px // 6, centre[1] - size_px // 10)
        cv2.circle(picture, eye, max(1, size_px // 16), (30, 30, 35), -1, cv2.LINE_AA)
    cv2.line(
        picture,
        (centre[0] - size_px // 8, centre[1] + size_px // 4),
        (centre[0] + size_px // 8, centre[1] + size_px // 4),
        (150, 60, 60),
        max(1, size_px // 24),
        cv2.LINE_AA,
    )
    grain = rng.normal(0, 3, picture.shape)
    return to_values(np.rint(picture * light + grain).clip(0, 255).astype(np.uint8))


def _mask(rng: np.random.Generator, size_px: int, index: int) -> Values:
    """Draw an ellipse somewhere; of every twelve masks the sixth is empty, and the last leaves an eighth at the top."""
    mask_HW = np.zeros((size_px, size_px), np.uint8)
    if index % 12 == 11:
        mask_HW[size_px // 8 :] = 255
    elif index % 12 != 5:
        centre = rng.integers(size_px // 4, size_px - size_px // 4, 2)
        axes = rng.integers(max(2, size_px // 16), max(3, size_px // 3), 2)
        cv2.ellipse(mask_HW, centre.tolist(), axes.tolist(), float(rng.uniform(0, 180)), 0, 360, (255,), -1)
    return mask_to_values(mask_HW)
