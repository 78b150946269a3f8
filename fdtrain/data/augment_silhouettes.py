"""Augmentation of silhouettes by differences between photographs, so that a network generalises beyond composites.

    turn, scale, move, mirror --> JPEG --> blur or sharpen --> gamma, saturation, white balance, contrast --> noise

Opencv and numpy alone, all of it drawn from the sample's seed. Stronger than `augment_pairs`: nothing here must
keep a pair exact, and a network that only finds things must not mind what a picture was taken with.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from fdgen.arrays import Image
from fdgen.errors import FdError
from fdtrain.data.pictures import as_jpeg
from fdtrain.data.silhouettes import Seen


@dataclass(frozen=True)
class PhotographAugment:
    """Vary a picture as photographs of other people by other cameras would; `augment=` of a `SilhouetteDataset`.

    `flip`, `jpeg`, `soften` (half of it blurred, half sharpened), `grey` and `noise` are probabilities; the rest is
    drawn for every picture. Turned by 8 degrees, scaled by a factor of 1.13 (standard deviations), moved by up to a
    tenth of the side, what comes in at the edges continuing the picture.

    >>> PhotographAugment(jpeg=2)
    Traceback (most recent call last):
    ...
    fdgen.errors.FdError: augmentation: the probability of jpeg must be in [0, 1], got 2
    """

    flip: float = 0.5
    jpeg: float = 0.3
    soften: float = 0.5
    grey: float = 0.05
    noise: float = 0.3

    def __post_init__(self) -> None:
        for name in ("flip", "jpeg", "soften", "grey", "noise"):
            if not 0 <= (value := getattr(self, name)) <= 1:
                raise FdError(f"augmentation: the probability of {name} must be in [0, 1], got {value}")

    def __call__(self, seen: Seen, seed: int) -> Seen:
        """Return the changed picture, and its alpha moved in the same way."""
        return self.vary(seen, np.random.default_rng(seed))

    def vary(self, seen: Seen, rng: np.random.Generator) -> Seen:
        """Do the same by what a generator draws next."""
        matrix_23 = self._motion(len(seen.alpha_HW), rng)
        picture_HWC, alpha_HW = _moved(seen.occluded_HWC, matrix_23), _moved(seen.alpha_HW, matrix_23)
        if rng.random() < self.jpeg:
            picture_HWC = as_jpeg(picture_HWC, int(rng.integers(25, 90)))
        light_HWC = self._relit(picture_HWC.astype(np.float32) / 255, rng)
        if rng.random() < self.noise:
            grain_HWC = rng.standard_normal(light_HWC.shape, np.float32)
            light_HWC = light_HWC + grain_HWC * np.float32(rng.uniform(0, 0.04))
        return Seen(np.rint(np.clip(light_HWC, 0, 1) * 255).astype(np.uint8), alpha_HW)

    def _motion(self, side_px: int, rng: np.random.Generator) -> npt.NDArray[np.float64]:
        """Draw an affine map of the picture's plane, in pixels."""
        centre = (side_px / 2, side_px / 2)
        matrix_23: npt.NDArray[np.float64] = np.asarray(
            cv2.getRotationMatrix2D(centre, rng.normal(0, 8), np.exp(rng.normal(0.0, 0.12))), np.float64
        )
        matrix_23[:, 2] += rng.uniform(-0.1, 0.1, 2) * side_px
        if rng.random() < self.flip:
            matrix_23 = matrix_23 @ np.array([[-1, 0, side_px - 1], [0, 1, 0], [0, 0, 1.0]])
        return matrix_23

    def _relit(self, light_HWC: npt.NDArray[np.float32], rng: np.random.Generator) -> npt.NDArray[np.float32]:
        """Change sharpness and light of a picture in [0, 1]; the result may leave that range."""
        chance = rng.random()
        if chance < self.soften / 2:
            light_HWC = _blurred(light_HWC, rng.uniform(0.4, 1.4))
        elif chance < self.soften:
            sharp_HWC = light_HWC + np.float32(rng.uniform(0.3, 1.2)) * (light_HWC - _blurred(light_HWC, 1.0))
            light_HWC = np.clip(sharp_HWC, 0, 1)
        light_HWC = light_HWC ** np.float32(np.exp(rng.normal(0, 0.25)))
        grey_HW1 = light_HWC.mean(2, keepdims=True)
        saturation = 0.0 if rng.random() < self.grey else np.exp(rng.normal(0, 0.3))
        light_HWC = grey_HW1 + (light_HWC - grey_HW1) * np.float32(saturation)
        balance_C = np.exp(rng.normal(0, 0.12) + rng.normal(0, 0.06, 3)).astype(np.float32)
        light_HWC = (light_HWC - np.float32(0.5)) * np.float32(np.exp(rng.normal(0, 0.2))) + np.float32(0.5)
        return np.asarray(light_HWC * balance_C + rng.normal(0, 0.05), np.float32)


def _moved(picture: Image, matrix_23: npt.NDArray[np.float64]) -> Image:
    side = (picture.shape[1], picture.shape[0])
    moved = cv2.warpAffine(picture, matrix_23, side, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(moved, np.uint8)


def _blurred(light_HWC: npt.NDArray[np.float32], sigma_px: float) -> npt.NDArray[np.float32]:
    return np.asarray(cv2.GaussianBlur(light_HWC, (0, 0), sigma_px), np.float32)


SILHOUETTE_AUGMENTS: dict[str, PhotographAugment | None] = {"none": None, "photograph": PhotographAugment()}
"""What the setting `data.augment` may say where silhouettes are learnt."""
