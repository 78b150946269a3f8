"""The JPEG file a photograph came from: its quality, estimated from the crop, and the same for an occluder."""

from __future__ import annotations

import math
from functools import cache

import cv2
import numpy as np
import numpy.typing as npt

from fdgen.analysis.bicubic import add_warped
from fdgen.arrays import F32, F64, Image
from fdgen.contract.frame import Frame, zoom_of
from fdgen.io.pictures.images import through_jpeg
from fdgen.runtime.jit import compiled
from fdgen.runtime.step_times import timed_step

_BLOCK = 8
_MCU = 16
"""Chroma is halved: blocks of 16 px are coded alone."""
_LEAST_ZOOM = 0.95
"""A picture that was shrunk further has lost its blocks; an enlarged one shows them all the larger."""
_QUALITIES = tuple(range(30, 93, 2))
"""Below 30 is seldom seen; above 92 the steps are as fine as the rounding of levels."""
_BACK, _EDGE = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP, cv2.BORDER_REPLICATE
_LEAST_AGREEMENT = 0.35
"""Between chance, which stays under 0.2, and the steps of a known file, which come to 0.5 and more."""
_FEWEST_COEFFICIENTS = 60
_LUMA_STEPS = np.array(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ]
)
"""Table K.1 of the JPEG standard (ITU-T T.81), which most encoders scale by a quality."""
_LOW = 5
_SEEN = np.array([[1 <= u + v < _LOW for v in range(_LOW)] for u in range(_LOW)])
"""Coefficients that survive quantisation often enough, and enlargement nearly unharmed."""
_SINE = tuple((-1) ** n * math.pi ** (2 * n + 1) / math.factorial(2 * n + 1) for n in reversed(range(11)))
"""Of the series of sin(pi x) in odd powers of x, the highest first."""


def estimate_quality(luma_HW: F32, frame: Frame) -> int:
    """Estimate the quality of the JPEG a crop was cut from, 0 where its steps cannot be seen.

    The crop is sampled at the file's own pixels (the cubic that enlarged it passes through them); there the cosine
    coefficients of its blocks lie near multiples of the steps of the right quality's table.
    """
    if zoom_of(frame) < _LEAST_ZOOM:
        return 0
    left, top, width, height = _inside(frame, luma_HW.shape, _BLOCK)
    if width < _BLOCK or height < _BLOCK:
        return 0
    matrix = _shifted(frame, left, top)
    source = np.asarray(cv2.warpAffine(luma_HW, matrix, (width, height), flags=_BACK, borderMode=_EDGE)) - 128
    blocks = source.reshape(height // _BLOCK, _BLOCK, width // _BLOCK, _BLOCK).transpose(0, 2, 1, 3)
    cosine = _cosines()
    # Not matrix products: those may round by the number of threads.
    half = np.einsum("ui,abij->abuj", cosine[:_LOW], blocks)
    coefficients = np.einsum("abuj,vj->uvab", half, cosine[:_LOW]).reshape(_LOW, _LOW, -1)[_SEEN]
    _, best = max((_agreement(coefficients, _low_steps(quality)), quality) for quality in _QUALITIES)
    near = (best - 1, best, best + 1)
    agreement, best = max((_agreement(coefficients, _low_steps(quality)), quality) for quality in near)
    return best if agreement >= _LEAST_AGREEMENT else 0


@timed_step("compress as the photograph")
def recompress(occluded_HWC: Image, touched_HW: npt.NDArray[np.bool_], frame: Frame, quality: int) -> None:
    """Do to the touched pixels what a JPEG of this quality at the file's own size would have done; in place.

    What the code loses of the whole picture is measured on the file's pixels and given to the touched ones alone.
    """
    left, top, width, height = cv2.boundingRect(touched_HW.view(np.uint8))
    if not width:
        return
    box = (slice(top, top + height), slice(left, left + width))
    corners = np.array([[x, y] for x in (box[1].start, box[1].stop) for y in (box[0].start, box[0].stop)], np.float64)
    places = (corners - frame[:, 2]) @ np.linalg.inv(frame[:, :2]).T
    left, top = (np.floor(places.min(0) / _MCU) * _MCU).astype(int)
    right, bottom = (np.ceil(places.max(0) / _MCU) * _MCU).astype(int)
    matrix = _shifted(frame, left, top)
    seen = cv2.warpAffine(occluded_HWC, matrix, (right - left, bottom - top), flags=_BACK, borderMode=_EDGE)
    source = np.asarray(seen, np.uint8)
    loss = cv2.subtract(through_jpeg(source, quality), source, dtype=cv2.CV_32F)
    matrix[:, 2] -= (box[1].start, box[0].start)
    changed, where = occluded_HWC[box].copy(), touched_HW[box].copy()  # contiguous: compiled once for all boxes
    add_warped(changed, np.asarray(loss, np.float32), matrix, where)
    occluded_HWC[box] = changed


def table(quality: int) -> npt.NDArray[np.int64]:
    """Return the quantisation steps (8, 8) of luma at a quality, as libjpeg scales them."""
    scale = 5000 // quality if quality < 50 else 200 - 2 * quality
    return np.clip((_LUMA_STEPS * scale + 50) // 100, 1, 255)


@cache
def _low_steps(quality: int) -> F64:
    """Return the steps of the coefficients that are looked at, (C,)."""
    return np.asarray(table(quality)[:_LOW, :_LOW][_SEEN], np.float64)


@compiled
def _agreement(coefficients_CN: F64, steps_C: F64) -> float:
    """Rate how near coefficients lie to multiples of a quality's steps: 1 on them, about 0 anywhere; 0 for too few."""
    total, count = 0.0, 0
    cosines = np.empty(coefficients_CN.shape[1])
    for c in range(coefficients_CN.shape[0]):
        row, step = coefficients_CN[c], steps_C[c]
        for n in range(row.size):  # a loop without branches or sums: several coefficients at once
            value = row[n] / step
            seen = abs(value) > 0.6
            cosines[n] = _cosine(value) if seen else 0.0
            count += seen
        for n in range(row.size):
            total += cosines[n]
    return total / count if count >= _FEWEST_COEFFICIENTS else 0.0


@compiled
def _cosine(turns: float) -> float:
    """Return the cosine of an angle in turns, to 2e-15: by the series of the sine of its half, between two of whose
    zeros it lies.
    """
    half = turns - np.rint(turns)
    squared = half * half
    series = _SINE[0]
    for factor in _SINE[1:]:
        series = series * squared + factor
    sine = series * half
    cosine: float = 1.0 - 2.0 * sine * sine
    return cosine


def _inside(frame: Frame, shape: tuple[int, ...], block: int) -> tuple[int, int, int, int]:
    """Return left, top, width and height, in the file's pixels, of the whole blocks that the crop shows."""
    height, width = shape[:2]
    corners = np.array([[0.0, 0.0], [width, 0.0], [width, height], [0.0, height]])
    places = (corners - frame[:, 2]) @ np.linalg.inv(frame[:, :2]).T
    # Of a turned crop the rectangle that is surely inside.
    xs, ys = np.sort(places[:, 0]), np.sort(places[:, 1])
    left, top = int(np.ceil(xs[1] / block)) * block, int(np.ceil(ys[1] / block)) * block
    right, bottom = int(np.floor(xs[2] / block)) * block, int(np.floor(ys[2] / block)) * block
    return left, top, right - left, bottom - top


def _shifted(frame: Frame, left: int, top: int) -> Frame:
    """Return the frame for pixels counted from (left, top), between centres of pixels as OpenCV counts."""
    matrix = frame.copy()
    matrix[:, 2] += frame[:, :2] @ (left + 0.5, top + 0.5) - 0.5
    return matrix


@cache
def _cosines() -> F64:
    """Return the orthonormal cosine transform of 8 samples (8, 8)."""
    n = np.arange(_BLOCK)
    cosine = np.sqrt(2 / _BLOCK) * np.cos(np.pi * (2 * n + 1) * n[:, None] / (2 * _BLOCK))
    cosine[0] /= np.sqrt(2)
    return np.asarray(cosine, np.float64)
