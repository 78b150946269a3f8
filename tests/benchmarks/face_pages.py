"""Group pictures with a known count: aligned faces put on a page at known places, in random sizes, some turned.

An aligned picture is 178x218 with the eyes near (69.5, 111.5) and (108.5, 111.5), or a square crop of it. Each is
feathered into the page, so that no detector finds a face by its frame.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from fdgen.contract.frame import CROP_PX, EYES_PX

Picture = npt.NDArray[np.uint8]

WIDTH_PX, HEIGHT_PX = 1920, 1080
FACE_OF_CROP = 0.5
"""A face is about half as wide as its picture."""

_TRIES = 60
_MOST_TURNED_DEG = 20.0
_SEAM = 0.06  # of the picture's width


@dataclass(frozen=True)
class Placed:
    """Where the eyes of a face lie, in pixels of the page, and how wide the face is."""

    eyes_xy: npt.NDArray[np.float64]
    face_px: float
    index: int


def pages(
    pictures: Sequence[Picture], backgrounds: Sequence[Picture | None], *, sizes_px: tuple[float, float], seed: int
) -> Iterator[tuple[Picture, list[Placed]]]:
    """Yield pages that show each picture once. A background of None is plain grey."""
    rng = np.random.default_rng(seed)
    waiting = list(rng.permutation(len(pictures)))
    number = 0
    while waiting:
        background = backgrounds[number % len(backgrounds)]
        number += 1
        page = _background(background, rng)
        taken: list[tuple[float, float, float, float]] = []
        placed = []
        for index in waiting[:16]:
            face_px = float(np.exp(rng.uniform(*np.log(sizes_px))))
            found = _put(page, pictures[index], face_px, taken, rng)
            if found is not None:
                placed.append(Placed(found, face_px, int(index)))
        done = {one.index for one in placed}
        if not done:
            raise ValueError("no picture fits on a page")
        waiting = [index for index in waiting if index not in done]
        yield page, placed


def _background(picture: Picture | None, rng: np.random.Generator) -> Picture:
    if picture is None:
        return np.full((HEIGHT_PX, WIDTH_PX, 3), rng.integers(40, 220), np.uint8)
    grow = max(WIDTH_PX / picture.shape[1], HEIGHT_PX / picture.shape[0])
    size = (int(np.ceil(picture.shape[1] * grow)), int(np.ceil(picture.shape[0] * grow)))
    grown = cv2.resize(picture, size, interpolation=cv2.INTER_CUBIC)
    return np.ascontiguousarray(grown[:HEIGHT_PX, :WIDTH_PX])


def _put(
    page: Picture,
    picture: Picture,
    face_px: float,
    taken: list[tuple[float, float, float, float]],
    rng: np.random.Generator,
) -> npt.NDArray[np.float64] | None:
    """Put a picture where there is room; return its eyes, (2, 2), or None where there is none."""
    high, wide = picture.shape[:2]
    zoom = face_px / (FACE_OF_CROP * wide)
    turn = np.deg2rad(rng.uniform(-_MOST_TURNED_DEG, _MOST_TURNED_DEG))
    matrix = zoom * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    corners = np.array([[0, 0], [wide, 0], [wide, high], [0, high]]) @ matrix.T
    low, span = corners.min(axis=0), np.ptp(corners, axis=0)
    room = np.array([page.shape[1], page.shape[0]]) - span
    if (room < 0).any():
        return None
    for _ in range(_TRIES):
        left, top = rng.uniform((0, 0), room)
        box = (left, top, left + span[0], top + span[1])
        if all(box[2] <= a or c <= box[0] or box[3] <= b or d <= box[1] for a, b, c, d in taken):
            break
    else:
        return None
    taken.append(box)
    shift = np.array([left, top]) - low
    shrunk = picture
    if zoom < 1:
        shrunk = cv2.resize(picture, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_AREA)
    at = np.column_stack([matrix * (wide / shrunk.shape[1]), shift])
    inside = np.zeros(shrunk.shape[:2], np.float32)
    seam = max(1, round(_SEAM * shrunk.shape[1]))
    inside[seam:-seam, seam:-seam] = 1
    size = (page.shape[1], page.shape[0])
    share = cv2.warpAffine(cv2.blur(inside, (seam, seam)), at, size)[..., None]
    warped = cv2.warpAffine(shrunk, at, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    page[...] = np.rint(page + (warped.astype(np.float32) - page) * share).astype(np.uint8)
    top_px = 0.0 if high == wide else 20.0 * wide / CROP_PX
    eyes = np.array(EYES_PX) * (wide / CROP_PX) + (0.0, top_px)
    return np.asarray(eyes @ matrix.T + shift)
