"""The transform of torchvision's v2. The only module of fdgen that imports torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torchvision import tv_tensors
from torchvision.transforms import v2

from fdgen.arrays import Image
from fdgen.errors import PictureError
from fdgen.transforms.face_occluder import FaceOccluder, Missing, marked


class OccludeFaceV2(v2.Transform):  # type: ignore[misc]
    """Put an occluder on the face of an image, and mark it in every `tv_tensors.Mask` next to it.

    The image is uint8 (3, H, W), a `tv_tensors.Image` or a plain tensor, which keeps its size, and its pixels but for
    the occluder and its shadow. Of a mask (..., H, W), what the occluder hides becomes 255 in bytes, 1 in any other
    type; the rest stays, so give zeros for the occluder's own mask.

    Args:
        kind: What to put on, as `mask`; of several, one is drawn. None draws as the recipe does.
        recipe: Name or path of the recipe.
        picture_seed: Makes what a picture gets a function of this and its pixels: the same in any number of workers.
            None draws by torch's random state, which differs from worker to worker.
        missing: What becomes of a picture without a face, or one that no occluder fits: `raise` raises `PictureError`,
            `keep` leaves picture and mask as they are.
        p: Probability that anything is done.
    """

    _transformed_types = (torch.Tensor,)

    def __init__(
        self,
        kind: str | Sequence[str] | None = None,
        recipe: str | Path = "default",
        picture_seed: int | None = None,
        missing: Missing = "raise",
        p: float = 1.0,
    ) -> None:
        super().__init__()
        self.p = p
        self.occluder = FaceOccluder(kind, recipe, picture_seed, missing)

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """Draw the occluder for the image among the inputs."""
        if torch.rand(()) >= self.p:
            return {"triplet": None}
        wanted = zip(flat_inputs, self._needs_transform_list(flat_inputs), strict=True)
        images = [one for one, is_wanted in wanted if is_wanted and not isinstance(one, tv_tensors.Mask)]
        if len(images) != 1:
            raise PictureError(f"one image at a time takes an occluder, got {len(images)}", reason="not-a-picture")
        drawn = int(torch.randint(2**32, ()))
        return {"triplet": self.occluder(_pixels(images[0]), drawn)}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Return an input with the occluder."""
        triplet = params["triplet"]
        if triplet is None:
            return inpt
        if isinstance(inpt, tv_tensors.Mask):
            rows_first = np.moveaxis(inpt.cpu().numpy(), (-2, -1), (0, 1))
            made = np.moveaxis(marked(rows_first, triplet.mask_HW), (0, 1), (-2, -1))
        else:
            made = triplet.occluded_HWC.transpose(2, 0, 1)
        changed = torch.from_numpy(np.ascontiguousarray(made)).to(inpt.device)
        return tv_tensors.wrap(changed, like=inpt) if isinstance(inpt, tv_tensors.TVTensor) else changed


def _pixels(image: torch.Tensor) -> Image:
    """Return an image as (H, W, 3); what is no such image is refused where it is used."""
    pixels: Image = image.detach().cpu().numpy()
    return pixels.transpose(1, 2, 0) if pixels.ndim == 3 and pixels.shape[0] == 3 else pixels
