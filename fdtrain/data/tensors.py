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


def to_levels(picture_HWC: Image) -> torch.Tensor:
    """Return an RGB picture as the bytes that it is, uint8 (3, H, W): a quarter of the memory, for `pictures_on`."""
    return torch.from_numpy(np.ascontiguousarray(picture_HWC.transpose(2, 0, 1)))


def mask_to_levels(mask_HW: Image) -> torch.Tensor:
    """Return a mask as uint8 (1, H, W) of 0 and 1, for `masks_on`."""
    return torch.from_numpy((mask_HW > 0).astype(np.uint8)[None])


def pictures_on(device: torch.device, pictures_B3HW: torch.Tensor, channels_last: bool) -> torch.Tensor:
    """Put pictures in [-1, 1], or bytes that become such there, on the device; bit for bit as `to_tensor` has them."""
    moved_B3HW = _moved(device, pictures_B3HW, channels_last)
    if moved_B3HW.is_floating_point():
        return moved_B3HW
    half = torch.full((), 127.5, device=device)  # by a number of Python's a GPU would multiply, and round otherwise
    return moved_B3HW.float() / half - 1


def masks_on(device: torch.device, masks_B1HW: torch.Tensor, channels_last: bool) -> torch.Tensor:
    """Put masks of 0 and 1, of any type, on the device as float32."""
    return _moved(device, masks_B1HW, channels_last).float()


def maps_on(device: torch.device, maps_BMHW: torch.Tensor, channels_last: bool) -> torch.Tensor:
    """Put maps of landmarks, bytes, on the device as float32 in [0, 1]; bit for bit as `maps_to_values` has them."""
    return _moved(device, maps_BMHW, channels_last).float() / torch.full((), 255.0, device=device)


def _moved(device: torch.device, values_BCHW: torch.Tensor, channels_last: bool) -> torch.Tensor:
    layout = torch.channels_last if channels_last else torch.contiguous_format
    return values_BCHW.to(device, non_blocking=True, memory_format=layout)


def to_pictures(images_B3HW: torch.Tensor) -> npt.NDArray[np.uint8]:
    """Return a batch in [-1, 1] as RGB uint8 (B, H, W, 3): clipped, rounded to the nearest."""
    return from_values(images_B3HW.detach().to("cpu", torch.float32).numpy())
