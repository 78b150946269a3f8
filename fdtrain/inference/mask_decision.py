"""From the probabilities of a segmentation network to the pixels of the photograph that are replaced."""

from __future__ import annotations

import cv2
import numpy as np

from fdgen.arrays import F32, Bools, Image
from fdtrain.inference.maskers import REACH, THRESHOLD

SPECK = 0.001
"""Parts of a predicted mask smaller than this share of the crop are dropped, before it is widened."""

LEAST = 0.003
"""A predicted mask that covers less of the crop than this, in all, marks nothing."""

LEAST_HIDDEN = 0.0085
"""A part of a predicted mask whose convex hull hides less of the middle of the face than this share of the crop hides
no feature: it lies next to the face, in what is out of focus behind, or in hair and hats. A lens hides 0.025, a
cup at the mouth 0.013. By its hull, since frames of eyeglasses hide little themselves.
"""

STRAP = 0.12
"""From this probability on a pixel is masked, too, where something thin goes on from what is masked: straps and temples
are narrower than a network's pixels, and it is less sure of them."""

LINE = 0.05
"""From this probability on a thin line that the crop shows beside the face counts as a strap: in a network's few
pixels a strap and the skin next to it are one, and neither is likely."""

_LINE_WIDTH, _LINE_LEVELS = 0.03, 36
"""Share of the crop's side that such a line is narrower than, and levels by which it differs from both its sides."""

_FACE_MIDDLE, _FACE_HALF_AXES, _FOREHEAD = (0.5, 0.52), (0.2, 0.26), 0.3
"""No such strap runs where eyes, nose and mouth lie, nor above: lashes, hair, badges on hats are thin lines, too."""

_THIN = 0.09
"""Wider than this share of the crop's side is no strap, but hair, a hat or a shoulder that a mask touches."""

_MIDDLE, _HALF_AXES, _BROWS = (0.5, 0.6), (0.2, 0.27), 0.44
"""The middle of a face, from the brows to the chin: an ellipse in units of the crop, whose eyes lie half way down, less
what it has of the forehead, where hair hangs."""


def middle_of_face(x: F32, y: F32) -> Bools:
    """Return which places, in units of the crop from its top left corner, lie in the middle of the face."""
    across, down = (x - _MIDDLE[0]) / _HALF_AXES[0], (y - _MIDDLE[1]) / _HALF_AXES[1]
    return np.asarray((across**2 + down**2 <= 1) & (y > _BROWS), np.bool_)


def middle_of_crop(size_px: int) -> Bools:
    """Return which pixels (S, S) of an aligned crop lie in the middle of its face."""
    places = (np.arange(size_px, dtype=np.float32) + np.float32(0.5)) / np.float32(size_px)
    return middle_of_face(places, places[:, None])


def threshold_mask(
    probability_HW: F32,
    side_px: float,
    *,
    middle_HW: Bools | None = None,
    threshold: float = THRESHOLD,
    reach: float = REACH,
) -> Bools:
    """Return the pixels to replace; all False where what is left of the mask marks nothing.

    Straps and temples, which go on from what is masked, are replaced as well, though they are less likely (`STRAP`).

    Args:
        probability_HW: That of an occluder, at each pixel of a box of the photograph.
        side_px: Side of the face's crop in those pixels.
        middle_HW: The middle of the face, of which each part of the mask is to hide `LEAST_HIDDEN`; None asks for
            nothing.
        threshold: Probability from which on a pixel is an occluder's.
        reach: How far the mask is widened, as a share of the crop's side: contact shadows and the blur of edges lie
            around a silhouette.

    >>> found_HW = np.zeros((100, 100), np.float32)
    >>> found_HW[45:55, 45:55] = 0.9
    >>> [int(threshold_mask(found_HW, 100, reach=reach).sum()) for reach in (0, 0.01, 0.02)]
    [100, 140, 184]
    """
    likely_HW = (probability_HW >= threshold).view(np.uint8)
    n_parts, parts_HW, stats, _ = cv2.connectedComponentsWithStats(likely_HW, connectivity=8)
    large = stats[:, cv2.CC_STAT_AREA] >= SPECK * side_px**2
    large[0] = False  # the background
    if middle_HW is not None:
        least_px = LEAST_HIDDEN * side_px**2
        for part in np.flatnonzero(large):
            large[part] = (_hull(parts_HW == part) & middle_HW).sum() >= least_px
    kept_HW = large[parts_HW] if n_parts > 1 else np.zeros(likely_HW.shape, np.bool_)
    if kept_HW.sum() < LEAST * side_px**2:
        return np.zeros(likely_HW.shape, np.bool_)
    widened_HW = grown(kept_HW, reach * side_px)
    return widened_HW | grown(_straps(probability_HW, kept_HW, widened_HW, side_px), reach / 2 * side_px)


def with_lines(probability_HW: F32, crop_HWC: Image) -> F32:
    """Return the probabilities of an aligned crop, raised to `STRAP` on thin lines beside the face.

    Only those that go on from a mask become a part of it (`threshold_mask`).

    Args:
        probability_HW: That of an occluder at each pixel, (S, S).
        crop_HWC: The crop that the network saw, RGB (S, S, 3).
    """
    side_px = len(crop_HWC)
    width_px = 2 * max(1, round(_LINE_WIDTH * side_px / 2)) + 1
    brush = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width_px, width_px))
    light_HWC, dark_HWC = (cv2.morphologyEx(crop_HWC, hat, brush) for hat in (cv2.MORPH_TOPHAT, cv2.MORPH_BLACKHAT))
    is_line_HW = np.maximum(light_HWC, dark_HWC).max(-1) >= _LINE_LEVELS
    at = (np.arange(side_px, dtype=np.float32) + np.float32(0.5)) / np.float32(side_px)
    across, down = (at - _FACE_MIDDLE[0]) / _FACE_HALF_AXES[0], (at[:, None] - _FACE_MIDDLE[1]) / _FACE_HALF_AXES[1]
    beside_HW = (across**2 + down**2 > 1) & (at[:, None] > _FOREHEAD)
    is_strap_HW = is_line_HW & (probability_HW >= LINE) & beside_HW
    return np.where(is_strap_HW, np.maximum(probability_HW, np.float32(2 * STRAP)), probability_HW)


def _straps(probability_HW: F32, kept_HW: Bools, widened_HW: Bools, side_px: float) -> Bools:
    """Return what is thin, as likely as a strap, and goes on from what is kept to beyond where that is widened."""
    possible_HW = (probability_HW >= STRAP) | kept_HW
    radius_px = _THIN * side_px / 2
    depth_HW = cv2.distanceTransform(possible_HW.view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    thin_HW = possible_HW & ~grown(np.asarray(depth_HW > radius_px, np.bool_), radius_px)
    _, parts_HW = cv2.connectedComponents((thin_HW | kept_HW).view(np.uint8), connectivity=8)
    beyond_HW = np.isin(parts_HW, np.unique(parts_HW[kept_HW])) & ~widened_HW
    _, parts_HW, stats, _ = cv2.connectedComponentsWithStats(beyond_HW.view(np.uint8), connectivity=8)
    large = stats[:, cv2.CC_STAT_AREA] >= SPECK * side_px**2
    large[0] = False
    return np.asarray(large[parts_HW], np.bool_)


def _hull(part_HW: Bools) -> Bools:
    """Return the convex hull of a part that has pixels."""
    rows, columns = np.nonzero(part_HW)
    filled_HW = np.zeros(part_HW.shape, np.uint8)
    cv2.fillConvexPoly(filled_HW, cv2.convexHull(np.stack([columns, rows], 1).astype(np.int32)), (1,))
    return filled_HW.view(np.bool_)


def grown(mask_HW: Bools, by_px: float) -> Bools:
    """Return a mask with all pixels at most `by_px` away from it, in a time that does not depend on how far."""
    if by_px < 1 or not mask_HW.any():
        return mask_HW
    # By distance, which is round at every radius; opencv's ellipses are not.
    return np.asarray(
        cv2.distanceTransform((~mask_HW).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE) <= by_px + 1e-3, np.bool_
    )


def expected_iou(probability_HW: F32) -> float:
    """Return the intersection over union to expect of a mask and the truth, in [0, 1], by the mask's probabilities.

    If they are right, a pixel is an occluder's with the probability p: the expected intersection of the mask with the
    truth is the sum of p within it, the expected union the mask and the sum of p outside. 1 where all are 0 or 1. Of a
    network whose probabilities are wrong, a toy's or on a picture unlike all it has learned from, it says nothing.
    """
    likely_HW = probability_HW >= THRESHOLD
    if not likely_HW.any():  # an empty mask: then that of what is bare
        return float(1 - probability_HW.mean())
    inside, outside = float(probability_HW[likely_HW].sum()), float(probability_HW[~likely_HW].sum())
    return inside / (float(likely_HW.sum()) + outside)
