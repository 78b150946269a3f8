"""Augmentation of a pair by what studio portraits lack: other frames, backdrops, lamps, cameras and files.

    mirror --> frame --> backdrop --> light --> temperature --> exposure --> tone --> blur --> noise --> JPEG

Both pictures of a pair get the same, since they are changed as one array; `TripletDataset` then sets right what blur
and JPEG carried past the mask. Opencv and numpy alone. Every step draws from a generator of its own, made of the
sample's seed: leaving one out changes none of the others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from fdgen.arrays import Image
from fdgen.errors import FdError
from fdtrain.config.data import VARIETY
from fdtrain.data.backdrop import backdrop_share, drawn_backdrop
from fdtrain.data.pictures import as_jpeg, is_grey
from fdtrain.data.triplets import Pictures
from fdtrain.faces.face_mesh import Points, mirrored

Values = npt.NDArray[np.float32]

_FLIP = len(VARIETY)  # the generator of mirroring
_GAMMA = 2.2  # light is changed about linearly, not as it is stored


@dataclass(frozen=True)
class PhotographPairs:
    """Vary a triplet as other photographs of other people would; `augment=` of a `TripletDataset`.

    `without` leaves steps of `VARIETY` out. A frame is turned by 5 degrees and scaled by a factor of 1.06 (standard
    deviations) and moved by up to 4 % of the side, the picture going on mirrored. In one picture of three a plain
    backdrop becomes another. Every second gets light from one side. Colour temperature, exposure, contrast, tone curve
    and saturation are drawn for every picture; blur, noise and JPEG for one in three.

    >>> PhotographPairs(without=("blurr",))
    Traceback (most recent call last):
    ...
    fdgen.errors.FdError: augmentation: there is no step 'blurr' to leave out
    """

    without: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in self.without:
            if name not in VARIETY:
                raise FdError(
                    f"augmentation: there is no step {name!r} to leave out", hint=f"its steps are {', '.join(VARIETY)}"
                )

    def __call__(self, pictures: Pictures, seed: int) -> Pictures:
        """Return the changed triplet; blur and JPEG carry the occluder past the mask, which the dataset sets right."""
        draw = {name: np.random.default_rng((seed, place)) for place, name in enumerate(VARIETY)}
        for name in self.without:
            del draw[name]
        pair_2HWC, mask_HW = np.stack([pictures.clean_HWC, pictures.occluded_HWC]), pictures.mask_HW
        if _turned(seed):
            pair_2HWC, mask_HW = pair_2HWC[:, :, ::-1], np.ascontiguousarray(mask_HW[:, ::-1])
        if "frame" in draw:
            pair_2HWC, mask_HW = _moved(pair_2HWC, mask_HW, draw["frame"])
        if "backdrop" in draw and draw["backdrop"].random() < 1 / 3:
            pair_2HWC = _before_another(pair_2HWC, mask_HW, draw["backdrop"])
        light_2HWC = (pair_2HWC.astype(np.float32) / 255) ** np.float32(_GAMMA)
        gain_HWC = np.ones((len(mask_HW), 1, 1), np.float32)
        if "light" in draw and draw["light"].random() < 0.5:
            gain_HWC = gain_HWC * _from_a_side(len(mask_HW), draw["light"])
        if "temperature" in draw:
            warmth, tint = draw["temperature"].normal(0, (0.15, 0.04))
            gain_HWC = gain_HWC * np.exp(np.array([warmth, tint, -warmth], np.float32))
        if "exposure" in draw:
            gain_HWC = gain_HWC * np.float32(np.exp(draw["exposure"].normal(0, 0.3)))
        stored_2HWC = np.clip(light_2HWC * gain_HWC, 0, 1) ** np.float32(1 / _GAMMA)
        if "tone" in draw:
            stored_2HWC = _toned(stored_2HWC, draw["tone"])
        if "blur" in draw and draw["blur"].random() < 1 / 3:
            sigma_px = draw["blur"].uniform(0.3, 1.1) * max(1.0, len(mask_HW) / 96)
            stored_2HWC = np.stack([cv2.GaussianBlur(one, (0, 0), sigma_px) for one in stored_2HWC])
        if "noise" in draw and draw["noise"].random() < 1 / 3:
            strength = np.float32(draw["noise"].uniform(0, 0.03))
            stored_2HWC = stored_2HWC + strength * draw["noise"].standard_normal(stored_2HWC.shape[1:], np.float32)
        clean_HWC, occluded_HWC = np.rint(np.clip(stored_2HWC, 0, 1) * 255).astype(np.uint8)
        if "jpeg" in draw and draw["jpeg"].random() < 1 / 3:
            quality = int(draw["jpeg"].integers(35, 95))
            clean_HWC, occluded_HWC = as_jpeg(clean_HWC, quality), as_jpeg(occluded_HWC, quality)
        return Pictures(clean_HWC, occluded_HWC, mask_HW)

    def moved(self, points_px: Points, size_px: int, seed: int) -> Points:
        """Return the points of the changed picture: mirrored, and in another frame."""
        points_px = mirrored(points_px, size_px) if _turned(seed) else points_px.copy()
        if "frame" not in self.without:
            matrix_23 = _frame(size_px, np.random.default_rng((seed, VARIETY.index("frame"))))
            # Opencv counts pixels from their centres.
            points_px[:, :2] = (points_px[:, :2] - 0.5) @ matrix_23[:, :2].T + matrix_23[:, 2] + 0.5
        return points_px


def _turned(seed: int) -> bool:
    """Return whether a pair is mirrored."""
    return float(np.random.default_rng((seed, _FLIP)).random()) < 0.5


def _moved(pair_2HWC: Image, mask_HW: Image, rng: np.random.Generator) -> tuple[Image, Image]:
    """Turn, scale and move the pictures; the mask covers all that any masked pixel reaches."""
    matrix_23 = _frame(len(mask_HW), rng)
    pair_2HWC = np.stack([_warped(one_HWC, matrix_23) for one_HWC in pair_2HWC]).astype(np.uint8)
    covered_HW = _warped((mask_HW > 0).astype(np.float32), matrix_23)
    return pair_2HWC, np.where(covered_HW > 0, np.uint8(255), np.uint8(0))


def _frame(side: int, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Draw where pixels go (2, 3): turned, scaled and moved."""
    turn, scale = rng.normal(0, 5), np.exp(rng.normal(0, 0.06))
    matrix_23 = np.asarray(cv2.getRotationMatrix2D(((side - 1) / 2, (side - 1) / 2), turn, scale), np.float64)
    matrix_23[:, 2] += rng.uniform(-0.04, 0.04, 2) * side
    return matrix_23


def _warped(picture: npt.NDArray[Any], matrix_23: npt.NDArray[np.float64]) -> npt.NDArray[Any]:
    side = (picture.shape[1], picture.shape[0])
    return np.asarray(
        cv2.warpAffine(
            np.ascontiguousarray(picture), matrix_23, side, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
        )
    )


def _before_another(pair_2HWC: Image, mask_HW: Image, rng: np.random.Generator) -> Image:
    """Put the person before another backdrop, also where it shows through the hole; nothing where it is not plain."""
    share_HW1 = backdrop_share(pair_2HWC[0])
    if share_HW1 is None:
        return pair_2HWC
    behind_HWC = drawn_backdrop(len(mask_HW), rng)
    if is_grey(pair_2HWC[0]):
        behind_HWC = behind_HWC.mean(-1, keepdims=True)
    clean_HWC = np.rint(pair_2HWC[0] + (behind_HWC - pair_2HWC[0]) * share_HW1).astype(np.uint8)
    return np.stack([clean_HWC, np.where(mask_HW[..., None] > 0, pair_2HWC[1], clean_HWC)])


def _from_a_side(side_px: int, rng: np.random.Generator) -> Values:
    """Return the gain (S, S, 1) of a lamp at one side of the picture, 1 in its middle."""
    towards, strength = rng.uniform(0, 2 * np.pi), abs(rng.normal(0, 0.7))
    places = ((np.arange(side_px) + 0.5) / side_px - 0.5).astype(np.float32)
    slope_HW = places[None] * np.cos(towards) + places[:, None] * np.sin(towards)
    return np.asarray(np.exp(strength * 2 * slope_HW)[..., None], np.float32)


def _toned(stored_2HWC: Values, rng: np.random.Generator) -> Values:
    """Change gamma, contrast by a curve that keeps black and white, and saturation."""
    gamma, bend, saturation = np.exp(rng.normal(0, 0.15)), rng.normal(0, 0.35), np.exp(rng.normal(0, 0.2))
    toned = stored_2HWC ** np.float32(gamma)
    toned = toned + np.float32(np.clip(bend, -0.9, 0.9)) * toned * (1 - toned) * (2 * toned - 1)
    grey = toned.mean(-1, keepdims=True)
    return np.asarray(np.clip(grey + (toned - grey) * np.float32(saturation), 0, 1), np.float32)
