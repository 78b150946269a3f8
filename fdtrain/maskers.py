"""What finds occluders: anything that turns crops of faces into the probability of each pixel to show one.

    crop --> its own size to the network's --> probability --> back to the crop's size --> widened --> mask to restore

A crop is square, RGB uint8, of any side, and framed as `fdgen` frames faces. An occluder is what the datasets call
`alpha` of 128 or more: the silhouette, without the shadows that it casts. `widen` adds what those need.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import cv2
import numpy as np
import numpy.typing as npt

from fdgen.contract import Image

Probabilities = npt.NDArray[np.float32]

THRESHOLD = 0.5
"""From this probability on a pixel is taken for an occluder's."""

REACH = 0.03
"""How far a mask reaches beyond the silhouette, as a share of the crop's side."""


@dataclass(frozen=True)
class MaskGuess:
    """What a masker says of one crop.

    `occluder_HW` has the crop's size: the probability of each pixel, float32 in [0, 1], to show an occluder.
    `kinds` has the probability of each kind to be worn, each by itself; it is empty where the masker tells none.
    """

    occluder_HW: Probabilities
    kinds: dict[str, float] = field(default_factory=dict)


class Masker(Protocol):
    """Finds occluders at `size_px`, and can tell these `kinds` of them from each other (none: an empty tuple)."""

    size_px: int
    kinds: tuple[str, ...]

    def predict(self, crops: Sequence[Image]) -> list[MaskGuess]:
        """Look at square crops, RGB uint8 of any side, and return a guess for each at its own size."""
        ...


def widen(occluder_HW: Probabilities, *, threshold: float = THRESHOLD, reach: float = REACH) -> Image:
    """Return the mask (255 to replace, 0 to keep) of what is probably an occluder, and what lies around it.

    All within `reach` times the side of a pixel of at least `threshold` is masked: contact shadows, and the blur of
    edges. Nothing found gives an empty mask.

    >>> found_HW = np.zeros((100, 100), np.float32)
    >>> found_HW[50, 50] = 0.9
    >>> [int(widen(found_HW, reach=reach).sum()) // 255 for reach in (0, 0.01, 0.02)]
    [1, 5, 13]
    """
    found_HW = (occluder_HW >= threshold).astype(np.uint8) * np.uint8(255)
    radius_px = reach * len(found_HW)
    if radius_px < 1 or not found_HW.any():
        return found_HW
    # By distance, which is round at every radius; opencv's ellipses are not.
    distance_HW = cv2.distanceTransform(255 - found_HW, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.where(distance_HW <= radius_px + 1e-3, np.uint8(255), np.uint8(0))
