"""The difference of two pictures, in grey levels and in pixels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from fdgen.arrays import Image
from fdgen.contract.records import PICTURES, Triplet


@dataclass(frozen=True, slots=True)
class PictureDifference:
    """How one of a sample's pictures differs: `pixels` of them, by `most` grey levels of 255 in any channel.

    Both are None where the pictures are not of one size.
    """

    picture: str
    pixels: int | None
    most: int | None

    def __str__(self) -> str:
        if self.pixels is None or self.most is None:
            return f"{self.picture} (of another size)"
        levels = f"{self.most} grey level{'s' if self.most > 1 else ''}"
        return f"{self.picture} ({self.pixels:,} pixel{'s' if self.pixels > 1 else ''}, by {levels} at most)"


def pictures_of(triplet: Triplet) -> dict[str, Image]:
    """Return the pictures of a triplet by the names of `PICTURES`."""
    return {
        "alpha": triplet.alpha_HW, "clean": triplet.clean_HWC, "mask": triplet.mask_HW,
        "occluded": triplet.occluded_HWC,
    }  # fmt: skip


def differences(old: Mapping[str, Image], new: Mapping[str, Image]) -> tuple[PictureDifference, ...]:
    """Compare the pictures of two samples; return those that differ."""
    return tuple(found for name in PICTURES if (found := _difference(name, old[name], new[name])) is not None)


def amplified(old: Image, new: Image, times: int) -> Image:
    """Return the difference of two pictures of one size, multiplied so that it can be seen."""
    apart: Image = np.minimum(np.abs(old.astype(np.int16) - new) * times, 255).astype(np.uint8)
    return apart


def within_a_level(found: tuple[PictureDifference, ...]) -> bool:
    """Return whether no pixel of any picture differs by more than one grey level, which no eye sees."""
    return all(one.most is not None and one.most <= 1 for one in found)


def _difference(name: str, old: Image, new: Image) -> PictureDifference | None:
    if old.shape != new.shape:
        return PictureDifference(name, None, None)
    apart = np.abs(old.astype(np.int16) - new)
    if not apart.any():
        return None
    pixels = int(np.count_nonzero(apart.reshape(*apart.shape[:2], -1).any(axis=2)))
    return PictureDifference(name, pixels, int(apart.max()))
