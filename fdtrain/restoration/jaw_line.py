"""The line of a jaw before what lies behind: networks let it melt into the wall, for they cannot tell where it runs.

    landmarks, through the occluder --> outline of the face; beside it, what is known around the mask goes on

Where what is known beside a jaw is of one colour, nothing but that colour is expected to lie behind the mask there, and
the outline says from where on. Beside a face that looks towards the camera hair and patterns go on as well, except
above the brows, where hair may be hidden: blurred, and of the right colours, where networks paint skin, or walls such
as they have learned from. A turned face shows an ear, a cheek and a neck beside its outline, which are left to the
network; so is every neck.
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
_FRONTAL = 0.22
"""The tip of the nose lies at most so far from the middle between the angles of the jaw, as a share of their distance,
in a face that looks towards the camera: 0 to 0.17 in 40 of these, from 0.3 on in those turned by half or more."""

_FAR = 0.3  # of the side: up to here from what is known it goes on in full, and up to twice as far less and less
_BROWS, _ABOVE_BROWS = (105, 334), 0.02  # from a little above them down, as a share of the side
_HEAD = 0.75  # of the width between the angles of the jaw: above the brows, hair may reach so far from the middle
_TELEA_PX = 3.0
_SOFT = 1 / 160  # of the side: standard deviation of the line's edge


def with_jaw_line(made_HWC: Image, crop_HWC: Image, mask_HW: Image) -> Image:
    """Return a restored crop in which what lies beside the face goes on up to its outline.

    Args:
        made_HWC: What a network made of the crop, RGB (S, S, 3).
        crop_HWC: The crop as it was, occluded.
        mask_HW: 255 where something is replaced.

    What is known beside it is the crop's then, so that levels around the hole have nothing to correct there.

    Where no face is seen, or it is turned and nothing beside it is plain, it is `made_HWC`.
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
    beside_HW = (inside_HW < 255) & ~neck_HW
    known_HW = ~hole_HW & (clear_HW == 0) & ~neck_HW
    is_left_HW = x_HW < points_px[:, 0].mean()
    plain_HW = np.zeros_like(hole_HW)
    for half_HW in (is_left_HW, ~is_left_HW):
        if _is_plain(crop_HWC, hole_HW & beside_HW & low_HW & half_HW, known_HW & half_HW):
            plain_HW |= beside_HW & low_HW & half_HW
    unknown_HW = hole_HW | (inside_HW > 64) | neck_HW
    share_HW = np.maximum(plain_HW.astype(np.float32), _near(unknown_HW, points_px) * beside_HW)
    if not (share_HW * hole_HW).any():
        return made_HWC
    wall_HWC = cv2.inpaint(crop_HWC, unknown_HW.astype(np.uint8) * np.uint8(255), _TELEA_PX, cv2.INPAINT_TELEA)
    weight_HW = share_HW * (1 - inside_HW.astype(np.float32) / 255)
    weight_HW1 = cv2.GaussianBlur(weight_HW, (0, 0), _SOFT * size_px)[..., None]
    mixed_HWC = made_HWC * (1 - weight_HW1) + wall_HWC * weight_HW1
    return np.asarray(np.rint(mixed_HWC).clip(0, 255), np.uint8)


def _filled(points_px: F64, scale: float, size_px: int) -> Image:
    """Return the map of a face's outline, enlarged around its middle: 255 inside, soft edges."""
    outline_N2 = points_px[list(OVAL), :2]
    middle_2 = outline_N2.mean(0)
    map_HW = np.zeros((size_px, size_px), np.uint8)
    fill_outline(map_HW, middle_2 + (outline_N2 - middle_2) * scale)
    return map_HW


def _near(unknown_HW: npt.NDArray[np.bool_], points_px: F64) -> npt.NDArray[np.float32]:
    """Return how far what is known goes on, 0 to 1 at each pixel (S, S): 0 in the hair, and beside a turned face."""
    size_px = len(unknown_HW)
    angles_2 = points_px[list(_JAW_ANGLES), 0]
    if abs(points_px[_NOSE, 0] - angles_2.mean()) > _FRONTAL * np.ptp(angles_2):
        return np.zeros(unknown_HW.shape, np.float32)
    away_HW = cv2.distanceTransform(unknown_HW.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    near_HW = np.clip(2 - away_HW / (_FAR * size_px), 0, 1)
    is_head = np.abs(np.arange(size_px) + 0.5 - angles_2.mean()) < _HEAD * np.ptp(angles_2)
    near_HW[: max(0, int(points_px[list(_BROWS), 1].min() - _ABOVE_BROWS * size_px)), is_head] = 0
    return np.asarray(near_HW, np.float32)


def _is_plain(crop_HWC: Image, beside_HW: npt.NDArray[np.bool_], known_HW: npt.NDArray[np.bool_]) -> bool:
    """Return whether what is known next to some pixels is enough, and of one colour."""
    reach_px = 2 * max(1, round(_NEAR * crop_HWC.shape[0])) + 1
    near_HW = cv2.dilate(beside_HW.astype(np.uint8), np.ones((reach_px, reach_px), np.uint8)) > 0
    values_NC = crop_HWC[near_HW & known_HW]
    if not beside_HW.any() or len(values_NC) < _LEAST:
        return False
    low_C, high_C = np.percentile(values_NC, (15, 85), axis=0)
    return float((high_C - low_C).max()) <= MOST_SPREAD
