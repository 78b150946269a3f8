"""Small patches across the outlines of occluders, and across natural outlines of the same photographs.

Used by bench_real_or_composited.py. Both kinds of patch are centred by the same edge detector, so that no class is
given away by how it was found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

F32 = npt.NDArray[np.float32]
U8 = npt.NDArray[np.uint8]

PATCH_PX = 16
COARSE_PX = 2.0
"""Sigma at which edges are found and their strength is measured: too coarse to see how sharp or noisy they are."""
HIGH_PASS_PX = 2.5
"""What is smoother than this (colour, shading, form) is taken off a patch."""

_LEAST_STEP = 2.5  # levels a px at the coarse scale; fainter ridges are texture, not outlines
_BINS = (4, 3, 3, 3)  # of the four traits; finer ones would leave strata empty


@dataclass(frozen=True)
class Patches:
    """Patches of one class: `pixels_N3HW` normalised, `traits_N4` of content for matching, `face_N` whose they are.

    `place_N3` is (picture, row, column) of the centre, for looking at them.
    """

    pixels_N3HW: F32
    traits_N4: F32
    face_N: npt.NDArray[np.int64]
    place_N3: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.face_N)

    def take(self, chosen: npt.NDArray[np.int64]) -> Patches:
        """Return some of them."""
        return Patches(*(getattr(self, name)[chosen] for name in self.__dataclass_fields__))

    @staticmethod
    def join(parts: Sequence[Patches]) -> Patches:
        """Put patches of several pictures together."""
        return Patches(
            *(np.concatenate([getattr(part, name) for part in parts]) for name in Patches.__dataclass_fields__)
        )


def cut(
    picture_HWC: U8, where_HW: npt.NDArray[np.bool_], n: int, face: int, picture: int, rng: np.random.Generator
) -> Patches:
    """Cut at most `n` patches whose centres are edge pixels of the picture in `where_HW`."""
    ridge, traits_HW4 = _edges(picture_HWC)
    half = PATCH_PX // 2
    inner = np.zeros_like(ridge)
    inner[half:-half, half:-half] = True
    rows, columns = np.nonzero(ridge & where_HW & inner)
    chosen = rng.permutation(len(rows))[:n]
    rows, columns = rows[chosen], columns[chosen]
    detail = _high_pass(picture_HWC)
    pixels = np.stack(
        [_normalise(detail[:, r - half : r + half, c - half : c + half]) for r, c in zip(rows, columns, strict=True)]
        or [np.zeros((0, 0, 0), np.float32)]
    ).reshape(len(rows), 3, PATCH_PX, PATCH_PX)
    place = np.stack([np.full(len(rows), picture), rows, columns], -1).astype(np.int64)
    return Patches(pixels, traits_HW4[rows, columns], np.full(len(rows), face, np.int64), place)


def near_outline(alpha_HW: U8, near_px: int = 2) -> npt.NDArray[np.bool_]:
    """Return the pixels within `near_px` of where alpha passes one half: an edge there is the outline's."""
    inside = (alpha_HW >= 128).astype(np.uint8)
    kernel = np.ones((2 * near_px + 1, 2 * near_px + 1), np.uint8)
    return np.asarray(cv2.dilate(inside, kernel) != cv2.erode(inside, kernel))


def match(first: Patches, second: Patches, rng: np.random.Generator) -> tuple[Patches, Patches]:
    """Return as many patches of either class in every stratum of the four traits."""
    traits = np.concatenate([first.traits_N4, second.traits_N4])
    stratum = np.zeros(len(traits), np.int64)
    for values, bins in zip(traits.T, _BINS, strict=True):
        # Quantiles of the class under test: the other, which has more, is to look like it.
        borders = np.quantile(values[: len(first)], np.linspace(0, 1, bins + 1)[1:-1])
        stratum = stratum * bins + np.searchsorted(borders, values)
    kept: tuple[list[npt.NDArray[np.int64]], list[npt.NDArray[np.int64]]] = ([], [])
    for one in range(int(np.prod(_BINS))):
        here = [np.nonzero(part == one)[0] for part in (stratum[: len(first)], stratum[len(first) :])]
        n = min(len(part) for part in here)
        for part, into in zip(here, kept, strict=True):
            into.append(rng.permutation(part)[:n])
    return first.take(np.concatenate(kept[0])), second.take(np.concatenate(kept[1]))


def _edges(picture_HWC: U8) -> tuple[npt.NDArray[np.bool_], F32]:
    """Find edges at the coarse scale: the ridges (H, W) of the luma's gradient, and traits (H, W, 4) of content.

    Traits: the gradient's magnitude; how straight the edge runs (coherence of direction); how alone it is (gradient
    there against gradient around, which is small in hair and leaves); and the gradient of chroma.
    """
    planes = cv2.GaussianBlur(cv2.cvtColor(picture_HWC.astype(np.float32), cv2.COLOR_RGB2YCrCb), (0, 0), COARSE_PX)
    dx_HW3 = cv2.Sobel(planes, cv2.CV_32F, 1, 0, scale=0.125)
    dy_HW3 = cv2.Sobel(planes, cv2.CV_32F, 0, 1, scale=0.125)
    slopes = np.hypot(dx_HW3, dy_HW3)
    step, dx, dy = slopes[..., 0], dx_HW3[..., 0], dy_HW3[..., 0]
    xx, yy, xy = (cv2.GaussianBlur(product, (0, 0), 3.0) for product in (dx * dx, dy * dy, dx * dy))
    straight = np.hypot(xx - yy, 2 * xy) / (xx + yy + 1e-3)
    alone = step / (cv2.blur(step, (PATCH_PX + 8, PATCH_PX + 8)) + 1)
    octant = np.round(np.arctan2(dy, dx) / (np.pi / 4)).astype(int) % 4
    ridge = np.zeros(step.shape, np.bool_)
    for direction, (row, column) in enumerate(((0, 1), (1, 1), (1, 0), (1, -1))):
        ahead, behind = (np.roll(step, (sign * row, sign * column), (0, 1)) for sign in (1, -1))
        ridge |= (octant == direction) & (step >= ahead) & (step > behind)
    traits = np.stack([step, straight, alone, np.hypot(slopes[..., 1], slopes[..., 2])], -1)
    return ridge & (step > _LEAST_STEP), traits.astype(np.float32)


def _high_pass(picture_HWC: U8) -> F32:
    """Return luma, Cb and Cr (3, H, W) less what is smooth in them."""
    planes = cv2.cvtColor(picture_HWC.astype(np.float32), cv2.COLOR_RGB2YCrCb)
    return np.ascontiguousarray((planes - cv2.GaussianBlur(planes, (0, 0), HIGH_PASS_PX)).transpose(2, 0, 1))


def _normalise(patch_3HW: F32) -> F32:
    """Give each plane of a patch the same spread; what lies under a level is left small."""
    return np.asarray(patch_3HW / (patch_3HW.std((1, 2), keepdims=True) + np.float32(1.0)), np.float32)
