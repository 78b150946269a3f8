"""The line of a jaw before a plain background: networks let it melt into the wall, for they cannot tell where it runs.

    landmarks, through the occluder --> outline of the face; beside it, where the wall is plain, the wall goes on

Where what is known beside a jaw is of one colour, nothing but that colour is expected to lie behind the mask there, and
the outline says from where on. Hair, shoulders, hands and patterns are left to the network, and so is the neck.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from fdgen.arrays import F64, Image
from fdgen.contract.face_points import OVAL
from fdtrain.faces.face_mesh import fill_outline
from fdtrain.faces.landmark_maps import seen_points

MOST_SPREAD = 30.0
"""Levels between the 15th and the 85th percentile of what lies beside a jaw, in each channel, that count as plain."""

_LEAST = 12  # known pixels beside a jaw that say what the wall is like
_NEAR = 1 / 16  # of the crop's side: how far those lie from what is replaced
_GROWN, _CLEAR = 1.06, 1.08  # the outline, and what certainly lies beside it: detected outlines are a little narrow
_FROM = 0.1  # of the side, above the tip of the nose: higher up there are ears and hair
_NOSE, _JAW_ANGLES = 1, (172, 397)
_NECK = 0.12  # of the width between the angles of the jaw, by which a neck is narrower on either side
_TELEA_PX = 3.0
_SOFT = 1 / 160  # of the side: standard deviation of the line's edge


def with_jaw_line(made_HWC: Image, crop_HWC: Image, mask_HW: Image) -> Image:
    """Return a restored crop whose plain background goes on up to the outline of the face.

    Args:
        made_HWC: What a network made of the crop, RGB (S, S, 3).
        crop_HWC: The crop as it was, occluded.
        mask_HW: 255 where something is replaced.

    Where no face is seen, or nothing beside it is plain, it is `made_HWC`.
    """
    points_px = seen_points(crop_HWC)
    if points_px is None:
        return made_HWC
    size_px = crop_HWC.shape[0]
    hole_HW = mask_HW > 0
    inside_HW, clear_HW = (_filled(points_px, scale, size_px) for scale in (_GROWN, _CLEAR))
    angles_22 = points_px[list(_JAW_ANGLES), :2]
    y_HW, x_HW = np.mgrid[:size_px, :size_px] + 0.5
    from_middle_HW = np.abs(x_HW - angles_22[:, 0].mean())
    neck_HW = (from_middle_HW < (0.5 - _NECK) * np.ptp(angles_22[:, 0])) & (y_HW > angles_22[:, 1].min())
    low_HW = y_HW > points_px[_NOSE, 1] - _FROM * size_px
    beside_HW = hole_HW & (inside_HW < 255) & ~neck_HW & low_HW
    known_HW = ~hole_HW & (clear_HW == 0) & ~neck_HW
    is_left_HW = x_HW < points_px[:, 0].mean()
    plain_HW = np.zeros_like(hole_HW)
    for half_HW in (is_left_HW, ~is_left_HW):
        if _is_plain(crop_HWC, beside_HW & half_HW, known_HW & half_HW):
            plain_HW |= beside_HW & half_HW
    if not plain_HW.any():
        return made_HWC
    unknown_HW = hole_HW | (inside_HW > 64) | neck_HW
    wall_HWC = cv2.inpaint(crop_HWC, unknown_HW.astype(np.uint8) * np.uint8(255), _TELEA_PX, cv2.INPAINT_TELEA)
    weight_HW = np.where(plain_HW, 1 - inside_HW.astype(np.float32) / 255, 0).astype(np.float32)
    weight_HW1 = cv2.GaussianBlur(weight_HW, (0, 0), _SOFT * size_px)[..., None] * hole_HW[..., None]
    mixed_HWC = made_HWC * (1 - weight_HW1) + wall_HWC * weight_HW1
    return np.asarray(np.rint(mixed_HWC).clip(0, 255), np.uint8)


def _filled(points_px: F64, scale: float, size_px: int) -> Image:
    """Return the map of a face's outline, enlarged around its middle: 255 inside, soft edges."""
    outline_N2 = points_px[list(OVAL), :2]
    middle_2 = outline_N2.mean(0)
    map_HW = np.zeros((size_px, size_px), np.uint8)
    fill_outline(map_HW, middle_2 + (outline_N2 - middle_2) * scale)
    return map_HW


def _is_plain(crop_HWC: Image, beside_HW: npt.NDArray[np.bool_], known_HW: npt.NDArray[np.bool_]) -> bool:
    """Return whether what is known next to some pixels is enough, and of one colour."""
    reach_px = 2 * max(1, round(_NEAR * crop_HWC.shape[0])) + 1
    near_HW = cv2.dilate(beside_HW.astype(np.uint8), np.ones((reach_px, reach_px), np.uint8)) > 0
    values_NC = crop_HWC[near_HW & known_HW]
    if not beside_HW.any() or len(values_NC) < _LEAST:
        return False
    low_C, high_C = np.percentile(values_NC, (15, 85), axis=0)
    return float((high_C - low_C).max()) <= MOST_SPREAD
