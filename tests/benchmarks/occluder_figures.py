"""Figures of one occluder in one crop of CelebA's frame, the same for photographs and for composites.

All lengths are px of a crop of 178 px, rows counted from its top.
"""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np
import numpy.typing as npt

SIDE_PX = 178
_FACE = ((89, 104), (36, 50))
"""Centre and half axes of the part of the crop that is face in nearly any aligned picture, at 178 px."""
_THIN_PX = 7
"""What a square of so many px does not fit into is a thin part: a strap, a temple, a wire."""
_MARGIN_PX = 3
"""How far an outline drawn by hand may lie off the edge, with the camera's blur."""
_LEAST_PX = 60
"""Pixels below which a median is not worth a figure."""
_WHITE_L, _BLACK_L, _GREY_C = 80.0, 25.0, 8.0
"""L* above which cloth is nearly white, and below which it is black; C* below which it has no colour."""

FIGURES = (
    *("width", "height", "top", "bottom", "area", "thin"),
    *("lightness", "chroma", "edge", "detail", "spread"),
)
"""The names of the figures, in the order they are printed in."""

U8 = npt.NDArray[np.uint8]
Bools = npt.NDArray[np.bool_]


def figures(picture_HWC: U8, covered_HW: Bools, counts_HW: Bools) -> Mapping[str, float]:
    """Measure what covers a face: values by the names of `FIGURES`, less those that cannot be told.

    width, height, top, bottom: extent of the occluder less its thin parts. area: share of the crop, thin parts with it;
    thin: their share of it. lightness: median L* less the face's. chroma: median C*. edge: gradient across the outline
    over that on the face. detail: what is finer than 2 px on the occluder over the same on the face. spread: standard
    deviation of L* inside over the face's.

    Args:
        picture_HWC: The crop, RGB, `SIDE_PX` square.
        covered_HW: Where the occluder is.
        counts_HW: Where anything may be measured.
    """
    body = _body(covered_HW)
    found: dict[str, float] = {}
    if body.any():
        rows, columns = np.flatnonzero(body.any(1)), np.flatnonzero(body.any(0))
        found["width"] = float(np.ptp(columns)) + 1
        found["height"] = float(np.ptp(rows)) + 1
        found["top"] = float(rows[0])
        found["bottom"] = float(rows[-1]) + 1
        found["thin"] = 1 - float(body.sum()) / float(covered_HW.sum())
    found["area"] = float(covered_HW.mean())
    lab = cv2.cvtColor(picture_HWC.astype(np.float32) / 255, cv2.COLOR_RGB2Lab)
    light = lab[..., 0]
    inside = _eroded(covered_HW)
    face = _eroded(_face() & ~covered_HW & counts_HW)
    if inside.sum() < _LEAST_PX or face.sum() < _LEAST_PX:
        return found
    found["lightness"] = float(np.median(light[inside]) - np.median(light[face]))
    found["chroma"] = float(np.median(np.hypot(lab[..., 1], lab[..., 2])[inside]))
    found["spread"] = float(light[inside].std() / max(light[face].std(), 1e-3))
    slope = np.hypot(cv2.Sobel(light, cv2.CV_32F, 1, 0), cv2.Sobel(light, cv2.CV_32F, 0, 1))
    across = cv2.dilate(slope, np.ones((2 * _MARGIN_PX - 1,) * 2))
    outline = cv2.morphologyEx(body.view(np.uint8), cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0
    near_face = cv2.dilate(_face().view(np.uint8), np.ones((9, 9), np.uint8)) > 0
    if (outline & near_face).sum() >= _LEAST_PX:
        found["edge"] = float(np.median(across[outline & near_face]) / np.median(across[face]))
    fine = np.abs(light - cv2.GaussianBlur(light, (0, 0), 1.0))
    found["detail"] = float(fine[inside].mean() / max(float(fine[face].mean()), 1e-3))
    return found


def colour_class(picture_HWC: U8, covered_HW: Bools) -> str:
    """Name the colour that most of an occluder has: white, black, grey, pale (light blue to green) or other."""
    lab = cv2.cvtColor(picture_HWC.astype(np.float32) / 255, cv2.COLOR_RGB2Lab)
    inside = _eroded(covered_HW)
    light, a, b = (float(np.median(lab[..., k][inside if inside.any() else covered_HW])) for k in range(3))
    if light > _WHITE_L and np.hypot(a, b) < 1.5 * _GREY_C:
        return "white"
    if light < _BLACK_L:
        return "black"
    hue = np.degrees(np.arctan2(b, a)) % 360
    if light > 50 and 140 < hue < 285 and np.hypot(a, b) > 0.4 * _GREY_C:
        return "pale"
    return "grey" if np.hypot(a, b) < _GREY_C else "other"


def _body(covered_HW: Bools) -> Bools:
    """Return the occluder less its thin parts: of the pieces that a square fits into, all but specks."""
    opened = cv2.morphologyEx(covered_HW.view(np.uint8), cv2.MORPH_OPEN, np.ones((_THIN_PX, _THIN_PX), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(opened)
    if count < 2:
        return np.zeros(covered_HW.shape, np.bool_)
    sizes = stats[1:, cv2.CC_STAT_AREA]
    large = 1 + np.flatnonzero(sizes > 0.2 * sizes.max())
    return np.isin(labels, large)


def _eroded(where_HW: Bools) -> Bools:
    side = 2 * _MARGIN_PX + 1
    return np.asarray(cv2.erode(where_HW.astype(np.uint8), np.ones((side, side), np.uint8)) > 0)


def _face() -> Bools:
    drawn = np.zeros((SIDE_PX, SIDE_PX), np.uint8)
    cv2.ellipse(drawn, *_FACE, 0, 0, 360, (1,), -1)
    return drawn > 0
