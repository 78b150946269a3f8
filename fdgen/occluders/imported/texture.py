"""Makes a cut-out picture into a material: without its background's fringe, its own light, and thin loops.

The background that a mask was cut from shines through its outline, and the lamp it was photographed under is painted
on it. Both reveal a paste, so that neither is kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

from fdgen.analysis.lighting import luminance, to_linear
from fdgen.arrays import F32
from fdgen.io.pictures.images import decode_rgba

BORDER = 2
"""Transparent texels round the cut-out, so that its outline is cut by its alpha and not by the sheet's edge."""
WHITE_ROWS = 4
"""Rows of white, opaque texels above it, on which parts without a picture sample."""
_SURE = 0.9
"""Alpha above which a pixel's colour is its own and not half the background's."""
_EDITOR_GAMMA = 2.2
"""Alpha is chosen by eye in programs that blend sRGB levels: of light, a dark tint lets this power of it through."""
_BRIGHTEST = 0.8
"""Albedo of the whitest cloth: what is brighter in a picture was lit, or over-exposed."""
_DARKEST = 0.012
_BROAD = 0.16
"""Reach of what counts as the picture's own light, a share of its shorter side."""
_PRINT, _MOST_PRINT = 0.35, 0.08
"""Folds seldom change brightness by more than this (natural logarithm): where more than such a share of a cloth does,
it is printed, and its pattern must not be treated as relief."""
_THIN = 0.07
"""Width of what counts as a loop or a string, a share of the cut-out's width."""


@dataclass(frozen=True, slots=True)
class Cutout:
    """A material at the resolution that a crop can show.

    `albedo_HWC` is linear RGB under `WHITE_ROWS` rows of white, `cutout_HW2` where it is and how opaque, `folds_HW` the
    fine relief that its shading shows, -1 to 1, without the white rows. `origin_px` and `px_a_texel` lead from texels
    (below the white rows) to the pixels of the picture.
    """

    albedo_HWC: F32
    cutout_HW2: F32
    folds_HW: F32
    origin_px: tuple[float, float]
    px_a_texel: tuple[float, float]

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the picture in it."""
        return self.folds_HW.shape[0], self.folds_HW.shape[1]

    def to_picture(self, texels: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Turn texel positions (..., 2), x and y with 0 at the first one's centre, into px of the picture."""
        result: npt.NDArray[np.float64] = (texels + 0.5) * self.px_a_texel + self.origin_px
        return result

    def to_uv(self, texels: npt.NDArray[np.float64]) -> F32:
        """Turn texel positions (..., 2) into texture coordinates."""
        rows, columns = self.cutout_HW2.shape[:2]
        uv = (texels + np.array([0.5, 0.5 + WHITE_ROWS])) / (columns, rows)
        return np.asarray(uv, np.float32)

    def present(self, texels: npt.NDArray[np.float64]) -> F32:
        """Look up alpha (...) at texel positions (..., 2)."""
        x, y = (np.atleast_2d(texels[..., axis]).astype(np.float32) for axis in (0, 1))
        alpha = np.ascontiguousarray(self.cutout_HW2[WHITE_ROWS:, :, 0])
        found = cv2.remap(alpha, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
        return np.asarray(found, np.float32).reshape(texels.shape[:-1])

    def colour_near(self, point_px: tuple[float, ...], reach: float = 0.06) -> F32:
        """Return the median albedo (3,) of what lies within a share of its width of a point of the picture."""
        rows, columns = self.shape
        x = (point_px[0] - self.origin_px[0]) / self.px_a_texel[0] - 0.5
        y = (point_px[1] - self.origin_px[1]) / self.px_a_texel[1] - 0.5
        grid_y, grid_x = np.mgrid[:rows, :columns]
        alpha = self.cutout_HW2[WHITE_ROWS:, :, 0]
        distance = np.hypot(grid_x - x, grid_y - y) + np.where(alpha > 0.5, 0.0, 1e6)
        near = distance <= max(reach * columns, float(distance.min()) + 1.0)
        return np.asarray(np.median(self.albedo_HWC[WHITE_ROWS:][near], axis=0), np.float32)


@lru_cache(maxsize=48)
def cutout(
    data: bytes, name: str, longest: int, delight: float, exposure: float, least_alpha: float, keep_thin: bool
) -> Cutout:
    """Prepare a picture that is cut out of its background.

    Args:
        data: The file.
        name: What messages call it.
        longest: Texels at its longer side, at most; a smaller picture is not enlarged.
        delight: Share of its broad shading that is divided out.
        exposure: Factor on its brightness.
        least_alpha: Alpha, in [0, 1], from which something is there.
        keep_thin: Whether strings and loops are kept; else they are cut away.

    Raises `PictureError` where it cannot be read.
    """
    rgba = decode_rgba(data, name=name)
    rgba, origin = _cropped(rgba)
    height, width = rgba.shape[:2]
    scale = min(1.0, longest / max(height, width))
    columns, rows = max(2, round(width * scale)), max(2, round(height * scale))
    alpha = np.asarray(rgba[..., 3], np.float32) / np.float32(255)
    linear = to_linear(np.ascontiguousarray(rgba[..., :3])) * alpha[..., None]
    small = np.dstack([linear, alpha]).astype(np.float32)
    small = np.asarray(cv2.resize(small, (columns, rows), interpolation=cv2.INTER_AREA), np.float32)
    small = np.pad(small, ((BORDER, BORDER), (BORDER, BORDER), (0, 0)))
    alpha = np.ascontiguousarray(small[..., 3])
    colour = small[..., :3] / np.maximum(alpha, 1e-3)[..., None]
    present = np.clip(alpha / np.float32(2 * least_alpha), 0.0, 1.0)
    if not keep_thin:
        present *= _body(present)
    colour, opacity = _without_fringe(colour, alpha, present)
    albedo, folds = _without_light(colour, present, delight)
    opacity = 1 - (1 - opacity) ** np.float32(_EDITOR_GAMMA)
    ink = luminance(albedo)
    top = float(np.percentile(ink[present > 0.5], 98)) if (present > 0.5).any() else 1.0
    albedo *= np.float32(exposure * min(1.0, _BRIGHTEST / max(top, 1e-3)))
    albedo = np.clip(albedo, _DARKEST, 0.95 * _BRIGHTEST / 0.8)
    white = ((WHITE_ROWS, 0), (0, 0), (0, 0))
    return Cutout(
        albedo_HWC=np.pad(albedo, white, constant_values=1.0).astype(np.float32),
        cutout_HW2=np.pad(np.dstack([present, opacity]), white, constant_values=1.0).astype(np.float32),
        folds_HW=folds,
        origin_px=(origin[0] - BORDER * width / columns, origin[1] - BORDER * height / rows),
        px_a_texel=(width / columns, height / rows),
    )


def _cropped(rgba: npt.NDArray[np.uint8]) -> tuple[npt.NDArray[np.uint8], tuple[int, int]]:
    """Cut the picture down to what is not transparent; also its corner, x and y."""
    rows, columns = np.flatnonzero(rgba[..., 3].any(1)), np.flatnonzero(rgba[..., 3].any(0))
    if not len(rows):
        return rgba, (0, 0)
    box = rgba[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return box, (int(columns[0]), int(rows[0]))


def body_of(present_HW: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Return the largest piece of a silhouette without its strings and loops; all of it where it is nothing else."""
    columns = np.flatnonzero(present_HW.any(0))
    if not len(columns):
        return present_HW
    radius = max(1, round(0.5 * _THIN * (columns[-1] - columns[0] + 1)))
    padded = np.pad(present_HW.astype(np.uint8), 2 * radius + 2)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    opened = np.asarray(cv2.morphologyEx(padded, cv2.MORPH_OPEN, disc), np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(opened, connectivity=8)
    if count < 2:
        return present_HW
    largest = (labels == 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))).astype(np.uint8)
    corner = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (radius | 1, radius | 1))
    grown = np.asarray(cv2.dilate(largest, corner), np.uint8)  # an opening rounds the corners: they are its own
    cut = slice(2 * radius + 2, -2 * radius - 2)
    return (grown[cut, cut] > 0) & present_HW


def _body(present: F32) -> F32:
    """Return a soft stencil (H, W) of the body of a cut-out."""
    solid = np.asarray(cv2.dilate(body_of(present >= 0.5).astype(np.uint8), np.ones((3, 3), np.uint8)), np.uint8)
    return solid.astype(np.float32)


def _spread(values: F32, weight: F32, sigma: float) -> F32:
    """Return the weighted mean of values (H, W, K) round each pixel, and `values` where nothing near has weight."""
    total = np.asarray(cv2.GaussianBlur(weight, (0, 0), sigma), np.float32)[..., None]
    mean = np.asarray(cv2.GaussianBlur(values * weight[..., None], (0, 0), sigma), np.float32)
    mean = mean.reshape(values.shape)
    return np.asarray(np.where(total > 1e-4, mean / np.maximum(total, 1e-4), values), np.float32)


def _without_fringe(colour: F32, alpha: F32, present: F32) -> tuple[F32, F32]:
    """Carry colour and alpha of the inside over the outline, where the old background shows through."""
    inside = np.asarray(cv2.erode((present >= _SURE).astype(np.uint8), np.ones((3, 3), np.uint8)), np.float32)
    weight = inside + np.float32(0.02) * present**2
    stack = np.dstack([colour, alpha]).astype(np.float32)
    near, far = _spread(stack, weight, 1.5), _spread(stack, weight, 6.0)
    reached = np.asarray(cv2.GaussianBlur(weight, (0, 0), 1.5), np.float32)[..., None] > 0.02
    filled = np.where(inside[..., None] > 0, stack, np.where(reached, near, far))
    return np.asarray(filled[..., :3], np.float32), np.clip(filled[..., 3], 0.0, 1.0).astype(np.float32)


def _without_light(colour: F32, present: F32, delight: float) -> tuple[F32, F32]:
    """Divide broad shading out of a picture; also the fine shading that is left, as relief: dark lies deep."""
    weight = (present >= 0.5).astype(np.float32)
    shorter = min(colour.shape[:2])
    light = np.log(np.maximum(luminance(colour), 0.01))[..., None]
    broad = _spread(light, weight, max(2.0, _BROAD * shorter))[..., 0]
    middle = float(broad[weight > 0].mean()) if weight.any() else 0.0
    # A print or a dark half is no shading: what is far from the mean is held to be paint.
    shading = np.clip(broad - middle, -0.7, 0.7)
    albedo = colour * np.exp(-np.float32(delight) * shading)[..., None]
    fine = _spread(light, weight, max(1.0, 0.012 * shorter))[..., 0] - _spread(light, weight, 0.06 * shorter)[..., 0]
    printed = float((np.abs(fine[weight > 0]) > _PRINT).mean()) if weight.any() else 1.0
    relief = fine * weight * np.float32(max(0.0, 1.0 - printed / _MOST_PRINT) / 0.25)
    return albedo.astype(np.float32), np.clip(relief, -1.0, 1.0).astype(np.float32)
