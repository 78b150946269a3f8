"""Augmentation of a pair: flip, mild changes of light, JPEG, with the same parameters on both pictures.

The only module of fdtrain that imports albumentations. Its pipelines keep random states of their own and ignore global
seeds; here the state is set again for every sample, from the sample's seed alone.
"""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fdgen.errors import FdError
from fdtrain.data.triplets import Pictures
from fdtrain.faces.face_mesh import Points, mirrored

if TYPE_CHECKING:
    import albumentations


@dataclass(frozen=True)
class PairAugment:
    """Mirror, relight and compress a triplet; `augment=` of a `TripletDataset`.

    `flip`, `light` and `jpeg` are probabilities, each drawn by itself. Light changes brightness and contrast by up to
    12 %, gamma by up to 15 %, hue by 4 degrees and saturation by 8 %: less than what distinguishes one photograph of a
    person from another. JPEG quality lies in `quality`. All are drawn from the seed that the call is given.

    >>> PairAugment(flip=1.3)
    Traceback (most recent call last):
    ...
    fdgen.errors.FdError: augmentation: the probability of flip must be in [0, 1], got 1.3
    """

    flip: float = 0.5
    light: float = 0.5
    jpeg: float = 0.3
    quality: tuple[int, int] = (60, 95)

    def __post_init__(self) -> None:
        for name in ("flip", "light", "jpeg"):
            if not 0 <= (value := getattr(self, name)) <= 1:
                raise FdError(f"augmentation: the probability of {name} must be in [0, 1], got {value}")
        low, high = self.quality
        if not 1 <= low <= high <= 100:
            raise FdError(f"augmentation: JPEG quality must be a range within 1 to 100, got {low} to {high}")

    def __call__(self, pictures: Pictures, seed: int) -> Pictures:
        """Return the changed triplet; JPEG lets the occluder bleed past the mask, which the dataset sets right."""
        pipeline = _pipeline(self)
        pipeline.set_random_seed(seed % 2**32)  # as much as albumentations takes
        changed = pipeline(image=pictures.clean_HWC, occluded=pictures.occluded_HWC, mask=pictures.mask_HW)
        return Pictures(changed["image"], changed["occluded"], changed["mask"])

    def moved(self, points_px: Points, size_px: int, seed: int) -> Points:
        """Return the points of the changed picture: of all that is done, mirroring alone moves them."""
        right_HW = np.array([[0, 255]], np.uint8)
        pair_HWC = np.zeros((1, 2, 3), np.uint8)
        turned = self(Pictures(pair_HWC, pair_HWC, right_HW), seed).mask_HW[0, 0] > 0
        return mirrored(points_px, size_px) if turned else points_px


NAMED: dict[str, PairAugment | None] = {"none": None, "flip": PairAugment(light=0, jpeg=0), "mild": PairAugment()}
"""What the setting `data.augment` may say other than `photograph` (`fdtrain.data.augment_photographs`)."""


@functools.cache
def _pipeline(settings: PairAugment) -> albumentations.Compose:
    """Build the pipeline once a process: it holds state, and so does not travel to workers."""
    # Unless this is set before the import, albumentations asks two hosts for its newest version.
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
    import albumentations as alb

    relight = alb.Sequential(
        [
            # By the greatest value and not by the picture's mean, which the occluder changes.
            alb.RandomBrightnessContrast(0.12, 0.12, brightness_by_max=True, p=1),
            alb.RandomGamma((85, 115), p=1),
            alb.HueSaturationValue(2, 20, 0, p=1),  # OpenCV counts hue in steps of 2 degrees, saturation to 255
        ],
        p=settings.light,
    )
    compress = alb.ImageCompression("jpeg", settings.quality, p=settings.jpeg)
    return alb.Compose(
        [alb.HorizontalFlip(p=settings.flip), relight, compress], additional_targets={"occluded": "image"}
    )
