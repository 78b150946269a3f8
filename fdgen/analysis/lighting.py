"""The light on a face, estimated from its skin, so that an occluder can be lit by it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from fdgen.analysis.directional_light import fit_directional_light
from fdgen.analysis.geometry import NOT_SKIN, fill_polygon, median, region_mask
from fdgen.arrays import F32, F64, Image
from fdgen.runtime.jit import compiled

LUMINANCE = np.array([0.2126, 0.7152, 0.0722], np.float32)
"""Weights of linear RGB in luminance (ITU-R BT.709)."""

_code = np.arange(256) / 255.0
_TO_LINEAR = np.where(_code <= 0.04045, _code / 12.92, ((_code + 0.055) / 1.055) ** 2.4).astype(np.float32)
_STEPS = 4095
_light = np.arange(_STEPS + 1) / _STEPS
TO_SRGB = (255 * np.where(_light <= 0.0031308, 12.92 * _light, 1.055 * _light ** (1 / 2.4) - 0.055)).astype(np.float32)
_LEVEL_STEPS = 16 * 255
_FOURTH_POWER = _TO_LINEAR.astype(np.float64) ** 4
"""Of the light of each level."""
TO_LIGHT = np.interp(np.arange(_LEVEL_STEPS + 1) / 16, np.arange(256), _TO_LINEAR).astype(np.float32)
"""Linear light of sRGB levels in steps of a sixteenth; exact at whole levels."""

_RIDGE = np.array([0.04, 0.04, 0.04, 0.04, 0.24, 0.24, 0.24, 0.24, 0.24])
"""What holds the harmonics to those of one lamp: one photograph shows only the front half of the sphere of normals, and
what is fitted freely there says anything about the rest, second-order harmonics most of all."""
_CLIPPED = 248
"""Level of a channel, averaged over its neighbours, past which the sensor cut some of them off."""
_MOST_CLIPPED = 0.9
"""Share of the skin that may be cut off for the rest to say anything."""
_GREY_LEVELS = 2.5
"""Mean distance of the channels from their mean, in levels, below which a picture counts as grey."""
_DARK_LEVEL = 60.0
"""Mean level below which colours come closer to each other, and the limit with them."""
RESIDUAL_GRID = 32
_RESIDUAL_BLUR = 4.0
"""Sigma in cells, about 3 cm: finer, the shade of eye sockets and beards would fall on what is worn before them."""


def luminance(linear: npt.NDArray[np.floating[Any]]) -> F32:
    """Return the luminance (...) of linear RGB (..., 3).

    Written out, since a matrix product may round differently with another number of threads.
    """
    red, green, blue = LUMINANCE
    return np.asarray(linear[..., 0] * red + linear[..., 1] * green + linear[..., 2] * blue, np.float32)


def to_linear(image: Image) -> F32:
    """Convert sRGB levels to linear light in [0, 1]."""
    return np.asarray(cv2.LUT(image, _TO_LINEAR), np.float32).reshape(image.shape)


def to_srgb(linear: F32) -> F32:
    """Convert linear light, clipped to [0, 1], to sRGB levels in [0, 255], not rounded; `TO_SRGB` is its table."""
    return TO_SRGB[(np.clip(linear, 0.0, 1.0) * _STEPS + 0.5).astype(np.int32)]


@dataclass(frozen=True, slots=True)
class FaceLight:
    """The light on one face. Directions are in the camera's frame: x right, y up, z to the viewer.

    `harmonics` (9,) give the irradiance on a white surface by its normal, in the picture's linear units; `floor` is the
    least it may fall to. `direction` (3,) and `directional` in [0, 1] describe the main light, `mean_irradiance` the
    average over the skin. `tint` (3,) colours the light, `skin` (3,) is the median skin in linear RGB, `skin_albedo`
    its luminance as a reflectance. `residual` (32, 32) is the smooth ratio of the photograph's skin to what the
    harmonics predict: cast shadows and half-lit faces, which harmonics cannot hold. `surround` scales reflections.
    """

    harmonics: F32
    floor: float
    direction: F32
    directional: float
    mean_irradiance: float
    tint: F32
    skin: F32
    skin_albedo: float
    residual: F32
    surround: float
    grey: bool

    @property
    def skin_reflectance(self) -> F32:
        """Linear RGB albedo of this face's skin: what to paint a hand with."""
        reflectance: F32 = (self.skin / np.float32(self.mean_irradiance) / self.tint).astype(np.float32)
        return np.clip(reflectance, 0.0, 0.9)


def sh_basis(normals_N3: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.float64]:
    """Evaluate the nine real spherical harmonics up to order 2, unnormalised, on unit normals: (N, 9)."""
    x, y, z = np.asarray(normals_N3, np.float64).T
    return np.stack([np.ones_like(x), x, y, z, x * y, y * z, 3 * z * z - 1, x * z, x * x - y * y], 1)


def skin_mask(landmarks_px: npt.NDArray[np.floating[Any]], on_face_HW: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Return the pixels (H, W) of `on_face_HW` that are skin: away from its rim, eyes, brows, lips and nostrils."""
    mask = on_face_HW.astype(np.uint8)
    margin = max(3, round(9 * mask.shape[0] / 256)) | 1
    mask = np.asarray(cv2.erode(mask, np.ones((margin, margin), np.uint8)), np.uint8)
    for polygon in NOT_SKIN:
        points = landmarks_px[list(polygon), :2]
        centre = points.sum(0) / len(points)
        fill_polygon(mask, centre + (points - centre) * 1.35, 0)
    return mask.astype(bool)


def outlined_skin(landmarks_px: npt.NDArray[np.floating[Any]], size_px: int) -> npt.NDArray[np.bool_]:
    """Return where a square crop shows skin (H, W), by the outline of the face that its landmarks draw."""
    return skin_mask(landmarks_px, region_mask(landmarks_px, "face", size_px).view(np.bool_))


def estimate_light(clean_HWC: Image, normals_HW3: F32, skin_HW: npt.NDArray[np.bool_]) -> FaceLight:
    """Fit the light to the shading of the skin; `normals_HW3` are unit normals in the camera's frame.

    A robust ridge fit of nine harmonics to luminance, in which hair, glints and beard lose their weight. Exposure and
    albedo cannot be distinguished in one photograph (dark skin or dark picture?): the difference is split, the albedo
    being the root of the mean luminance times 0.30, a mid skin's reflectance.
    """
    linear_HWC = to_linear(clean_HWC)
    bright = luminance(linear_HWC)
    if not skin_HW.any():
        skin_HW = np.ones_like(skin_HW)
    typical = max(float(median(bright[skin_HW])), 1e-3)
    skin_HW = skin_HW & (bright > 0.12 * typical) & (bright < 3.0 * typical)
    if not skin_HW.any():
        skin_HW = np.ones_like(skin_HW)
    step = max(1, round(3 * clean_HWC.shape[0] / 256))
    sparse = np.zeros_like(skin_HW)
    sparse[::step, ::step] = True
    sparse &= skin_HW
    if not sparse.any():
        sparse = skin_HW
    basis, observed = sh_basis(normals_HW3[sparse]), bright[sparse].astype(np.float64)
    normals = normals_HW3[sparse]
    observed = _unclipped(observed, clean_HWC[sparse], linear_HWC[sparse], normals)
    weight = _robust_ridge(basis, observed, np.zeros(9))[1]
    lamp = fit_directional_light(normals, observed, weight)
    fit, _ = _robust_ridge(basis, observed, lamp.harmonics())
    albedo = float(np.clip(np.sqrt(observed.mean() * 0.30), 0.07, 0.55))
    mean = max(float((basis @ fit).mean()) / albedo, 0.05)

    white, off_grey, level = _colours(np.ascontiguousarray(clean_HWC), _FOURTH_POWER)
    white = white**0.25  # shades of grey, Minkowski norm 4
    white /= float(luminance(white)) + 1e-6
    grey = float(off_grey.mean()) < _GREY_LEVELS * min(1.0, level / _DARK_LEVEL)
    skin = median(linear_HWC[skin_HW]).astype(np.float32)
    return FaceLight(
        harmonics=(fit / albedo).astype(np.float32),
        floor=0.18 * mean,
        direction=lamp.direction,
        directional=lamp.share,
        mean_irradiance=mean,
        tint=(np.ones(3) if grey else (0.75 + 0.25 * np.clip(white, 0.7, 1.35)) * _cast(skin)).astype(np.float32),
        skin=skin,
        skin_albedo=albedo,
        residual=_residual(bright, normals_HW3, fit, typical, skin_HW),
        surround=float(np.clip(bright.mean() / 0.22, 0.12, 1.2)),
        grey=grey,
    )


@compiled
def _colours(picture: Image, powers: F64) -> tuple[F64, F64, float]:
    """Return the mean of each channel's `powers` (3,), how far each channel is from the three's mean, and the mean."""
    height, width = picture.shape[0], picture.shape[1]
    means, off, total = np.zeros(3), np.empty(picture.size), 0
    n = 0
    for y in range(height):
        for x in range(width):
            red, green, blue = int(picture[y, x, 0]), int(picture[y, x, 1]), int(picture[y, x, 2])
            means[0] += powers[red]
            means[1] += powers[green]
            means[2] += powers[blue]
            mean = (red + green + blue) / 3
            off[n], off[n + 1], off[n + 2] = abs(red - mean), abs(green - mean), abs(blue - mean)
            total += red + green + blue
            n += 3
    return means / (height * width), off, total / picture.size


def _cast(skin: F32) -> F32:
    """Return the colour of light (3,) that skin betrays where no skin under white light has its colour: neon, gels.

    Ninety in a hundred portraits lie within these ranges of red and blue against green; what lies beyond is the light.
    """
    red, blue = np.log((skin[[0, 2]] + 1e-3) / (skin[1] + 1e-3))
    beyond = np.array([red - np.clip(red, 0.3, 1.05), 0.0, blue - np.clip(blue, -0.9, -0.02)])
    cast = np.exp(np.clip(0.8 * beyond, -1.0, 1.0))
    result: F32 = (cast / luminance(cast)).astype(np.float32)
    return result


def _unclipped(observed: F64, levels_N3: Image, linear_N3: F32, normals: F32) -> F64:
    """Raise pixels that the sensor cut off to what they must have been.

    Over-exposed faces are flat where they are brightest; fitted as they are, their light would come from nowhere. Skin
    clips in red long before blue: its blue, in proportion to that of skin that is not cut off, still shows how bright
    they were. Where blue is cut off too, a lamp fitted to the others does: they were that bright at least.
    """
    clipped = levels_N3.max(-1) >= _CLIPPED
    if not clipped.any():
        return observed
    blue = np.maximum(linear_N3[:, 2].astype(np.float64), 1e-3)
    sound = ~clipped if clipped.mean() < _MOST_CLIPPED else np.ones_like(clipped)
    by_blue = np.clip(blue * median(observed[sound] / blue[sound]), observed, 2.5 * observed)  # glints are no skin
    raised = np.where(clipped, by_blue, observed)
    lost = levels_N3.min(-1) >= _CLIPPED
    if not lost.any() or lost.mean() > _MOST_CLIPPED:
        return raised
    known, least = (~lost).astype(np.float64), raised
    for _ in range(3):
        lamp = fit_directional_light(normals, raised, known)
        predicted = lamp.ambient + lamp.strength * np.maximum(0.0, np.einsum("nc,c->n", normals, lamp.direction))
        raised = np.where(lost, np.clip(predicted, least, 2.5 * least), least)
        known = np.ones_like(known)
    return raised


def _robust_ridge(
    basis: npt.NDArray[np.float64], observed: npt.NDArray[np.float64], prior: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Iteratively reweighted least squares with Cauchy weights, held to `prior`: coefficients and last weights."""
    weight = np.ones(len(observed))
    scale = 0.5 * float(median(observed)) + 1e-6
    fit, ridge, unexplained = prior, np.diag(_RIDGE * len(observed)), observed - basis @ prior
    for _ in range(4):
        weighted = basis * weight[:, None]
        normal = np.einsum("ni,nj->ij", weighted, basis)  # not a matrix product: that may round by the thread
        fit = prior + np.linalg.solve(normal + ridge, np.einsum("ni,n->i", weighted, unexplained))
        weight = 1.0 / (1.0 + ((observed - basis @ fit) / scale) ** 2)
    return fit, weight


def _residual(
    bright: F32, normals_HW3: F32, fit: npt.NDArray[np.float64], typical: float, skin_HW: npt.NDArray[np.bool_]
) -> F32:
    """Smooth the log ratio of photograph to prediction over the skin, and let it die out beyond."""
    log_ratio = np.zeros_like(bright)
    predicted = np.maximum(sh_basis(normals_HW3[skin_HW]) @ fit, 0.15 * typical)
    log_ratio[skin_HW] = np.log(np.maximum(bright[skin_HW], 0.02 * typical) / predicted)

    def blurred(image: F32) -> F32:
        small = cv2.resize(image, (RESIDUAL_GRID, RESIDUAL_GRID), interpolation=cv2.INTER_AREA)
        return np.asarray(cv2.GaussianBlur(small, (0, 0), _RESIDUAL_BLUR, borderType=cv2.BORDER_CONSTANT), np.float32)

    ratio = 0.6 * blurred(log_ratio) / (blurred(skin_HW.astype(np.float32)) + 0.06)
    residual: F32 = np.exp(np.clip(ratio, -0.8, 0.5)).astype(np.float32)
    return residual
