"""The step from pictures to torch's tensors and back: float32 in [-1, 1], masks 0 or 1."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from fdgen.arrays import Image
from fdtrain.data.pictures import from_values, mask_to_values, to_values


def to_tensor(picture_HWC: Image) -> torch.Tensor:
    """Return an RGB picture as float32 (3, H, W) in [-1, 1]."""
    return torch.from_numpy(to_values(picture_HWC))


def mask_to_tensor(mask_HW: Image) -> torch.Tensor:
    """Return a mask as float32 (1, H, W) of 0 and 1."""
    return torch.from_numpy(mask_to_values(mask_HW))


def to_pictures(images_B3HW: torch.Tensor) -> npt.NDArray[np.uint8]:
    """Return a batch in [-1, 1] as RGB uint8 (B, H, W, 3): clipped, rounded to the nearest."""
    return from_values(images_B3HW.detach().to("cpu", torch.float32).numpy())
