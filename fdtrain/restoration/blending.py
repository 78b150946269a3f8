"""Blending: the inpainted region (hole) gets the photograph's levels at its edge, its grain, and a seam inside it.

The levels follow Perez, Gangnet and Blake's membrane ("Poisson image editing", 2003, section 2): an offset that is
known around the hole and harmonic in it. Here the ring around the hole is weighted, so that a rest of an occluder that
the mask missed does not colour the face.
"""

from __future__ import annotations

import cv2
import numpy as np

from fdgen.arrays import F32, Bools, Image
from fdtrain.restoration import grain
from fdtrain.restoration.sharpness import sharpened

GRID_PX = 96
"""Most cells a side that the offset is solved on: it is smooth."""

RING = 0.02
"""Width of the ring around the hole that levels and grain are taken from, as a share of the crop's side."""

_FADE = 0.08
"""Over this share of the crop's half the filling fades at the crop's edge."""

_DOUBT, _DOUBT_LEVELS = 1.5, 12.0
"""An offset counts half when it is so many times as far from the ring's median as is usual, plus so many levels;
further away it soon counts nothing."""

_SMOOTHINGS = 24  # relaxations on each grid, coarse to fine: more changes no level
_HOLD = 8.0  # weight of a known offset against its neighbours'


def fill(
    photo_HWC: Image,
    filled_HWC: Image,
    hole_HW: Bools,
    known_HW: Bools,
    inward_HW: F32,
    *,
    beyond_HW: Bools | None = None,
    seen_HWC: Image | None = None,
    zoom: float = 1.0,
    side_px: float,
    feather_px: float,
    rng: np.random.Generator | None,
) -> Image:
    """Return the photograph with the hole (the inpainted region) filled; every pixel beyond it is the photograph's.

    Args:
        photo_HWC: The photograph, RGB uint8.
        filled_HWC: What to fill with, RGB uint8, on the hole and around it.
        hole_HW: The inpainted region.
        known_HW: Where around it photograph and filling show the same: neither masked nor beyond the crop.
        inward_HW: How far each pixel lies within the crop, as a share of its half: where a hole goes on beyond the crop
            the filling fades, as it cannot end well there.
        beyond_HW: Where the photograph is known beyond the crop: the filling meets its levels there, too, but learns
            nothing else from it. None where the hole ends with the crop.
        seen_HWC: The photograph as the network saw it, enlarged as the filling was; None sharpens nothing.
        zoom: Pixels of the photograph for one of the network's.
        side_px: The crop's side in pixels of the photograph.
        feather_px: Width of the seam, in the same.
        rng: What grain is drawn from; None adds none.
    """
    away_px = cv2.distanceTransform((~hole_HW).view(np.uint8), cv2.DIST_L2, 3)
    met_HW = known_HW if beyond_HW is None else known_HW | beyond_HW
    ring_HW = met_HW & ~hole_HW & (away_px <= max(3.0, RING * side_px))
    values_HWC = toned(photo_HWC, filled_HWC.astype(np.float32), known_HW & ~hole_HW)
    if seen_HWC is not None:
        around_HW = known_HW & ~hole_HW & (away_px <= 8 * RING * side_px)
        values_HWC = sharpened(values_HWC, photo_HWC, seen_HWC, around_HW, zoom)
    values_HWC += offsets(photo_HWC, values_HWC, ring_HW, hole_HW)
    if rng is not None:
        near_HW = known_HW & ~hole_HW & (away_px <= max(8.0, 4 * RING * side_px))
        wanted = grain.measure(photo_HWC, near_HW)
        if wanted is not None:
            lacking = grain.missing(wanted, grain.measure(values_HWC, hole_HW))
            values_HWC += grain.make(lacking, hole_HW.shape, rng)
    within_px = cv2.distanceTransform(np.pad(hole_HW, 1, mode="edge").view(np.uint8), cv2.DIST_L2, 3)[1:-1, 1:-1]
    share_HW = np.clip(np.minimum(within_px / (feather_px + 1), inward_HW / _FADE), 0, 1)
    share_HW1 = (share_HW * share_HW * (3 - 2 * share_HW))[..., None]
    blended_HWC = photo_HWC + (values_HWC - photo_HWC) * share_HW1
    rounded_HWC = np.clip(np.rint(blended_HWC), 0, 255).astype(np.uint8)
    return np.where(hole_HW[..., None], rounded_HWC, photo_HWC)


def toned(photo_HWC: Image, filled_HWC: F32, known_HW: Bools) -> F32:
    """Return the filling in the tone of a photograph of one tone, grey or sepia; of any other, as it is.

    Networks learn from colour photographs, and paint skin into every one. A photograph is of one tone where its colour
    differences follow from its luma, by a parabola.
    """
    if int(known_HW.sum()) < _FEWEST_TONED:
        return filled_HWC
    values_NC = grain.luma(photo_HWC[known_HW].astype(np.float32))
    step = max(1, len(values_NC) // _MOST_TONED)
    luma_N, colour_NC = values_NC[::step, 0] / 255, values_NC[::step, 1:]
    powers_NP = np.stack([np.ones_like(luma_N), luma_N, luma_N**2], axis=1)
    curve_PC, *_ = np.linalg.lstsq(powers_NP, colour_NC, rcond=None)
    if float(np.sqrt(((powers_NP @ curve_PC - colour_NC) ** 2).mean())) > _ONE_TONE:
        return filled_HWC
    channels_HWC = grain.luma(filled_HWC)
    luma_HW = channels_HWC[..., 0] / 255
    channels_HWC[..., 1:] = np.stack([np.ones_like(luma_HW), luma_HW, luma_HW**2], axis=-1) @ curve_PC
    return grain.rgb(channels_HWC)


_FEWEST_TONED, _MOST_TONED = 256, 20_000  # pixels that a tone is measured on
_ONE_TONE = 2.5  # levels that colour differences may stray: compression alone makes a grey photograph stray by one


def offsets(photo_HWC: Image, filled_HWC: F32, ring_HW: Bools, hole_HW: Bools) -> F32:
    """Return what to add to the filling, float32 (H, W, 3) levels, so that it meets the photograph on the ring."""
    height, width = hole_HW.shape
    if not ring_HW.any():
        return np.zeros((height, width, 3), np.float32)
    shrink = min(1.0, GRID_PX / max(height, width))
    size = max(1, round(width * shrink)), max(1, round(height * shrink))
    weight_HW = ring_HW.astype(np.float32)
    apart_HWC = (photo_HWC - filled_HWC) * weight_HW[..., None]
    weight_hw = np.asarray(cv2.resize(weight_HW, size, interpolation=cv2.INTER_AREA), np.float32)
    apart_hwc = np.asarray(cv2.resize(apart_HWC, size, interpolation=cv2.INTER_AREA), np.float32).reshape(
        *weight_hw.shape, 3
    )
    apart_hwc = apart_hwc / np.maximum(weight_hw, 1e-6)[..., None]
    there_hw = weight_hw > 0
    usual = np.median(apart_hwc[there_hw], axis=0)
    far_hw = np.abs(apart_hwc - usual).max(axis=2)
    doubt = _DOUBT * float(np.median(far_hw[there_hw])) + _DOUBT_LEVELS
    trusted_hw = weight_hw / (1 + (far_hw / doubt) ** 4)
    return np.asarray(
        cv2.resize(
            _membrane(apart_hwc, trusted_hw.astype(np.float32)), (width, height), interpolation=cv2.INTER_LINEAR
        ),
        np.float32,
    )


def _membrane(known_hwc: F32, weight_hw: F32) -> F32:
    """Spread values that are known with a weight over all cells, as smoothly as can be, coarse to fine."""
    height, width = weight_hw.shape
    if min(height, width) <= 4:
        total = float(weight_hw.sum())
        mean = (known_hwc * weight_hw[..., None]).sum(axis=(0, 1)) / max(total, 1e-6)
        start_hwc = np.broadcast_to(mean, known_hwc.shape).astype(np.float32)
    else:
        half = (-(-width // 2), -(-height // 2))
        coarse_hw = np.asarray(cv2.resize(weight_hw, half, interpolation=cv2.INTER_AREA), np.float32)
        coarse_hwc = cv2.resize(known_hwc * weight_hw[..., None], half, interpolation=cv2.INTER_AREA)
        coarse_hwc = _membrane(coarse_hwc / np.maximum(coarse_hw, 1e-6)[..., None], coarse_hw)
        start_hwc = np.asarray(cv2.resize(coarse_hwc, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)
    return _relaxed(start_hwc, known_hwc, _HOLD * weight_hw[..., None])


def _relaxed(value_hwc: F32, known_hwc: F32, hold_hw1: F32) -> F32:
    """Move every cell towards the mean of its neighbours, and towards what is known of it, a few times."""
    total_hw1 = 1 + hold_hw1
    for _ in range(_SMOOTHINGS):
        around_hwc = cv2.filter2D(value_hwc, -1, _NEIGHBOURS, borderType=cv2.BORDER_REPLICATE)
        value_hwc = (around_hwc + hold_hw1 * known_hwc) / total_hw1
    return value_hwc


_NEIGHBOURS = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]], np.float32) / 4
