"""The effects of camera and file on the photograph, to apply them to the occluder: edges, noise, JPEG."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache

import cv2
import numpy as np
import numpy.typing as npt

from fdgen.analysis.edge_blur import edge_kernel, edge_spread
from fdgen.analysis.jpeg import estimate_quality
from fdgen.arrays import F32, Bools, Image
from fdgen.contract.frame import Frame, zoom_of
from fdgen.runtime.jit import compiled

_PIXEL_PX = 0.29
"""Sigma of a pixel's own square, in what is measured and in what the renderer has drawn already."""
_SMOOTH_PX = 0.45
"""The renderer's four samples a pixel need this much of a blur to look smooth."""
_TO_PLANES = np.array([[0.299, 0.587, 0.114], [-0.169, -0.331, 0.500], [0.500, -0.419, -0.081]], np.float32)
"""RGB to Y, Cb, Cr (JFIF)."""
_TO_RGB = np.array([[1.0, 0.0, 1.402], [1.0, -0.344, -0.714], [1.0, 1.772, 0.0]], np.float32)
_ROUNDING_LEVELS = np.array([0.19, 0.18, 0.19], np.float32)
"""Standard deviation that rounding R, G and B leaves in Y, Cb and Cr: no noise of the camera's."""
_ROUNDING_OF_GREY = 0.29
"""The same of Y where the three are equal, and so rounded alike."""
_BLOCKS = 16
"""Squares a side that noise is looked at in."""
_QUIET_SHARE = 12.0
"""Percentile of blocks of skin that counts as noise alone: the others have pores, hairs and creases."""
_DILATIONS = (1, 2, 3)
MOST_NOISE_LEVELS = 8.0
_GRAINS_PX = np.arange(0.3, 2.01, 0.1)
"""Sizes of grain that are distinguished."""
_GRAIN_TILE = 256
_GRAIN_TILE_SEED = 20
_WINDOWS = np.tile((_GRAIN_TILE, _GRAIN_TILE, 4, 2), (3, 1))
"""How many rows, columns, turns and sides there are to choose from, for each of Y, Cb and Cr."""
_LEAST_NOISE_LEVELS = 0.2
_ADDED = 0.95
"""Share of the photograph's noise that an occluder gets: its own texture brings the rest. With all of it, the noise on
1,000 occluders was 1.03 times that next to them in the median, and over 1.25 times on one in nine."""


@dataclass(frozen=True, slots=True)
class Optics:
    """What a photograph's edges and flat parts look like at the size of the crop.

    `blur_px` is the sigma of the Gaussian that its edges in focus follow, `halo` the amount of unsharp masking (by a
    blur twice as wide) that their overshoot asks for. `noise_levels` is the standard deviation of luma noise in sRGB
    levels, `grain_px` the sigma of the Gaussian that correlates it, `chroma_share` the noise of Cb and Cr against it.
    `jpeg_quality` is that of the file (1 to 100, in libjpeg's scale), 0 where nothing of its blocks can be seen.
    """

    blur_px: float
    noise_levels: float
    halo: float = 0.0
    grain_px: float = 0.5
    chroma_share: float = 0.0
    jpeg_quality: int = 0


def estimate_optics(clean_HWC: Image, skin_HW: npt.NDArray[np.bool_], frame: Frame) -> Optics:
    """Measure a photograph: blur and halo at its edges in focus, noise on the quiet parts of its skin, JPEG blocks.

    `frame` (2, 3) maps pixels of the file to pixels of the crop: it shows where blocks can lie, and how far the picture
    was enlarged.
    """
    floats_HWC = clean_HWC.astype(np.float32)
    planes_3HW = [np.asarray(cv2.transform(floats_HWC, row[None]), np.float32) for row in _TO_PLANES]
    blur_px, halo = edge_spread(planes_3HW[0], zoom_of(frame))
    rounding = _ROUNDING_OF_GREY if _grey_share(clean_HWC) > 0.5 else float(_ROUNDING_LEVELS[0])
    skin = _over_blocks(skin_HW.astype(np.float32))
    whole = skin > min(0.8, 0.5 * float(skin.max()))
    noise, grain_px = _noise(planes_3HW[0], whole, rounding)
    chroma = [
        _noise(plane, whole, float(rounding))[0]
        for plane, rounding in zip(planes_3HW[1:], _ROUNDING_LEVELS[1:], strict=True)
    ]
    return Optics(
        blur_px=blur_px,
        noise_levels=noise,
        halo=halo,
        grain_px=grain_px,
        chroma_share=float(np.clip(np.mean(chroma) / noise, 0.0, 1.0)) if noise > _LEAST_NOISE_LEVELS else 0.0,
        jpeg_quality=estimate_quality(planes_3HW[0], frame),
    )


def blur(image: F32, optics: Optics, out: F32 | None = None) -> F32:
    """Draw the edges of a layer (H, W) or (H, W, C) as the photograph draws its own.

    The result is put into `out`, of the image's shape, where it is given; both may be windows of larger arrays.
    """
    kernel = _kernel(optics)
    return np.asarray(cv2.sepFilter2D(image, cv2.CV_32F, kernel, kernel, dst=out), np.float32)


def reach_px(optics: Optics) -> int:
    """Return how far `blur` moves light."""
    return len(_kernel(optics)) // 2


def grain(shape: tuple[int, int], optics: Optics, seed: int) -> F32:
    """Return noise (*shape, 3) of R, G and B in sRGB levels, like the photograph's: a window that `seed` chooses."""
    if optics.noise_levels <= _LEAST_NOISE_LEVELS:
        return np.zeros((*shape, 3), np.float32)
    rng = np.random.default_rng(seed)
    size, across = int(np.argmin(np.abs(_GRAINS_PX - optics.grain_px))), 1 + -(-max(shape) // _GRAIN_TILE)
    tiles = _grain_tiles(size, across)
    levels = np.float32(_ADDED * optics.noise_levels)
    drawn = rng.integers(0, _WINDOWS).tolist()
    if optics.chroma_share <= 0.05:
        return _grey_grain(tiles, _window(shape, *drawn[0]), *shape, levels)
    windows = np.array([_window(shape, *one) for one in drawn])
    return _colour_grain(tiles, windows, *shape, levels, levels * np.float32(optics.chroma_share), _TO_RGB)


@lru_cache(maxsize=64)
def _kernel(optics: Optics) -> F32:
    return edge_kernel(float(np.sqrt(max(optics.blur_px**2 - _PIXEL_PX**2, _SMOOTH_PX**2))), optics.halo)


def _noise(plane_HW: F32, whole: Bools, rounding: float) -> tuple[float, float]:
    """Estimate the standard deviation of the noise on quiet skin, in levels, and the sigma in px that correlates it.

    The second difference along both axes passes no shading (Immerkaer, 1996). Taken at distances of 1, 2 and 3 px, its
    spread grows with distance as the noise is coarser. The quietest parts count: of noise alone a tenth is missed, of
    coarse grain a quarter, while on skin little of its texture counts as noise. `whole` marks which blocks are skin.
    """
    if not whole.any():
        return 0.0, 0.5
    found = []
    for distance in _DILATIONS:
        taps = np.zeros(2 * distance + 1, np.float32)
        taps[[0, distance, -1]] = 1, -2, 1
        detail = np.asarray(cv2.sepFilter2D(plane_HW, cv2.CV_32F, taps, taps), np.float32)
        np.abs(detail, out=detail)
        detail /= np.float32(6)
        typical = _over_blocks(detail)[whole] * np.float32(np.sqrt(np.pi / 2))
        quiet = _quiet(typical)
        found.append(np.sqrt(max(quiet**2 - rounding**2, 0.0)))
    seen = np.maximum(np.array(found), 0.02)
    response = _responses() / seen  # relative: the finest noise is the faintest, and shows no less
    trust = seen**2 / (seen**2 + rounding**2)
    strength = (trust * response).sum(1) / (trust * response**2).sum(1)
    error = (trust * (response * strength[:, None] - 1) ** 2).sum(1)
    best = int(np.argmin(error))
    return float(np.clip(strength[best], 0.0, MOST_NOISE_LEVELS)), float(_GRAINS_PX[best])


def _quiet(values: F32) -> float:
    """Return what `_QUIET_SHARE` percent of some values (N,) lie below: as `np.percentile`, in a tenth of its time."""
    at = _QUIET_SHARE / 100 * (len(values) - 1)
    below = int(at)
    above = min(below + 1, len(values) - 1)
    ordered, part = np.partition(values, (below, above)), at - below
    low, high = float(ordered[below]), float(ordered[above])
    rise = float(ordered[above] - ordered[below])
    return low + rise * part if part < 0.5 else high - rise * (1 - part)


@compiled
def _grey_share(picture: Image) -> float:
    """Return the share of pixels whose channels are equal."""
    grey = 0
    for y in range(picture.shape[0]):
        for x in range(picture.shape[1]):
            grey += picture[y, x, 0] == picture[y, x, 1] and picture[y, x, 1] == picture[y, x, 2]
    return grey / (picture.shape[0] * picture.shape[1])


def _over_blocks(image_HW: F32) -> F32:
    """Return the means of `_BLOCKS` squares a side."""
    return np.asarray(cv2.resize(image_HW, (_BLOCKS, _BLOCKS), interpolation=cv2.INTER_AREA), np.float32)


@cache
def _responses() -> npt.NDArray[np.float64]:
    """What the second differences of unit noise measure: a row a size of grain, a column a distance."""
    distance = np.array(_DILATIONS, np.float64)
    sigma = _GRAINS_PX[:, None]

    def correlation(lag: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.asarray(np.exp(-(lag**2) / (4 * sigma**2)), np.float64)

    return np.asarray(1 - 4 / 3 * correlation(distance) + 1 / 3 * correlation(2 * distance), np.float64)


@cache
def _grain_tiles(size: int, across: int) -> F32:
    """Make noise of unit spread with grain of `_GRAINS_PX[size]`, repeated `across` times square; always the same."""
    noise = np.random.default_rng(_GRAIN_TILE_SEED).standard_normal((_GRAIN_TILE, _GRAIN_TILE), dtype=np.float32)
    margin = 16
    wrapped = np.pad(noise, margin, mode="wrap")
    soft = np.asarray(cv2.GaussianBlur(wrapped, (0, 0), float(_GRAINS_PX[size])), np.float32)[
        margin:-margin, margin:-margin
    ]
    return np.tile(soft / soft.std(), (across, across))


def _window(shape: tuple[int, int], row: int, column: int, turns: int, flip: int) -> npt.NDArray[np.int64]:
    """Return a window of repeated noise: row and column of its first texel, and how both change with a step down and
    one to the right, (2, 3).

    Args:
        shape: Rows and columns of the window.
        row: The row where it begins, before it is turned.
        column: The column where it begins, before it is turned.
        turns: By how many quarters it is turned.
        flip: Whether it is mirrored, as 0 or 1.
    """
    height, width = shape if turns % 2 == 0 else shape[::-1]
    down, right = ((0, 1, 0), (0, 0, 1)), ((0, 0, 1), (width - 1, -1, 0))
    up, left = ((height - 1, -1, 0), (width - 1, 0, -1)), ((height - 1, 0, -1), (0, 1, 0))
    place = np.array((down, right, up, left)[turns])
    if flip:
        place[1] = -place[1]
        place[1, 0] += width - 1
    place[:, 0] += (row, column)
    return place


@compiled
def _grey_grain(tiles: F32, window: npt.NDArray[np.int64], rows: int, columns: int, levels: np.float32) -> F32:
    """Cut a window out of repeated noise: the same for R, G and B (rows, columns, 3), scaled to `levels`."""
    out = np.empty((rows, columns, 3), np.float32)
    for y in range(rows):
        for x in range(columns):
            value = tiles[
                window[0, 0] + window[0, 1] * y + window[0, 2] * x, window[1, 0] + window[1, 1] * y + window[1, 2] * x
            ]
            value *= levels
            out[y, x, 0], out[y, x, 1], out[y, x, 2] = value, value, value
    return out


@compiled
def _colour_grain(
    tiles: F32,
    windows: npt.NDArray[np.int64],
    rows: int,
    columns: int,
    levels: np.float32,
    chroma: np.float32,
    to_rgb: F32,
) -> F32:
    """Cut windows of repeated noise for Y, Cb and Cr, and return them in RGB (rows, columns, 3).

    Args:
        tiles: The noise.
        windows: Three windows as `_window` returns them.
        rows: Of the result.
        columns: Of the result.
        levels: Standard deviation of Y.
        chroma: That of Cb and Cr.
        to_rgb: Y, Cb, Cr to RGB, (3, 3).
    """
    out = np.empty((rows, columns, 3), np.float32)
    first, second, third = windows[0], windows[1], windows[2]
    shares = to_rgb.copy()
    for q in range(3):
        shares[q, 0], shares[q, 1], shares[q, 2] = to_rgb[q, 0] * levels, to_rgb[q, 1] * chroma, to_rgb[q, 2] * chroma
    for y in range(rows):
        for x in range(columns):
            luma, blue, red = _texel(tiles, first, y, x), _texel(tiles, second, y, x), _texel(tiles, third, y, x)
            for q in range(3):
                out[y, x, q] = shares[q, 0] * luma + shares[q, 1] * blue + shares[q, 2] * red
    return out


@compiled
def _texel(tiles: F32, window: npt.NDArray[np.int64], y: int, x: int) -> np.float32:
    """Return the texel of a window, as `_window` returns it, at a row and column of the window."""
    row = window[0, 0] + window[0, 1] * y + window[0, 2] * x
    return np.float32(tiles[row, window[1, 0] + window[1, 1] * y + window[1, 2] * x])
