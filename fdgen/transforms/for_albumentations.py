"""The transform of albumentations."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy.typing as npt

from fdgen.arrays import Image
from fdgen.transforms.face_occluder import FaceOccluder, Missing, marked

# Unless this is set before the import, albumentations asks two hosts for its newest version.
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
import albumentations as alb
from albumentations.core.type_definitions import Targets


class OccludeFace(alb.DualTransform):  # type: ignore[misc]
    """Put an occluder on the face of `image`, uint8 RGB, and mark it in `mask`, where there is one.

    The picture keeps its size, and its pixels but for the occluder and its shadow. Of a mask, what the occluder hides
    becomes 255 in bytes, 1 in any other type; the rest stays, so give zeros for the occluder's own mask.

    Args:
        kind: What to put on, as `mask`; of several, one is drawn. None draws as the recipe does.
        recipe: Name or path of the recipe.
        picture_seed: Makes what a picture gets a function of this, its pixels and the key `variant` of the call (0
            without it): the same in any number of workers. None draws by the pipeline's own random state.
        missing: What becomes of a picture without a face, or one that no occluder fits: `raise` raises `PictureError`,
            `keep` leaves picture and mask as they are.
        p: Probability that anything is done.

    >>> pipeline = alb.Compose([OccludeFace("mask", picture_seed=7)])
    >>> pipeline.transforms[0].targets_as_params
    ['image']
    """

    _targets = (Targets.IMAGE, Targets.MASK)

    class InitSchema(alb.BasicTransform.InitSchema):  # type: ignore[misc]
        """What albumentations checks."""

        kind: str | Sequence[str] | None
        recipe: str
        picture_seed: int | None
        missing: Missing

    def __init__(
        self,
        kind: str | Sequence[str] | None = None,
        recipe: str = "default",
        picture_seed: int | None = None,
        missing: Missing = "raise",
        p: float = 1.0,
    ) -> None:
        super().__init__(p=p)
        self.kind, self.recipe, self.missing, self.picture_seed = kind, recipe, missing, picture_seed
        self.occluder = FaceOccluder(kind, recipe, picture_seed, missing)

    @property
    def targets_as_params(self) -> list[str]:
        """Return what the parameters are drawn from."""
        return ["image"]

    def get_params_dependent_on_data(self, params: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
        """Draw the occluder for this picture."""
        drawn = int(self.py_random.getrandbits(32))
        return {"triplet": self.occluder(data["image"], drawn, int(data.get("variant", 0)))}

    def apply(self, img: Image, **params: Any) -> Image:
        """Return the occluded picture."""
        triplet = params["triplet"]
        return img if triplet is None else triplet.occluded_HWC

    def apply_to_mask(self, mask: npt.NDArray[Any], **params: Any) -> npt.NDArray[Any]:
        """Return the mask with the occluder."""
        triplet = params["triplet"]
        return mask if triplet is None else marked(mask, triplet.mask_HW)
