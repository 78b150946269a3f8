"""The interface of every network that is trained and compared.

`B3HW` is pictures in [-1, 1], `B1HW` masks of 0 and 1 (1 where the occluder is).
"""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from fdtrain.networks.canny import LUMA

INITIAL_SPREAD = 0.02
"""Standard deviation of the first weights, that of DCGAN and pix2pix, on which most of these networks build."""


class Restoration(NamedTuple):
    """What a network makes of an occluded face: its coarse result and the final one, raw, in the hole and outside.

    A network of one stage gives the same picture twice.
    """

    coarse_B3HW: Tensor
    image_B3HW: Tensor

    def composited(self, occluded_B3HW: Tensor, mask_B1HW: Tensor) -> Tensor:
        """Return the final picture in the hole and the given one everywhere else."""
        return composite(self.image_B3HW, occluded_B3HW, mask_B1HW)


def composite(output_B3HW: Tensor, occluded_B3HW: Tensor, mask_B1HW: Tensor) -> Tensor:
    """Paste an output into the hole of the picture that it was made from."""
    return torch.where(mask_B1HW > 0, output_B3HW, occluded_B3HW)


def blanked(occluded_B3HW: Tensor, mask_B1HW: Tensor, value: float = 0.0) -> Tensor:
    """Return the picture with its hole painted in one grey, `value` in [-1, 1]."""
    return occluded_B3HW * (1 - mask_B1HW) + value * mask_B1HW


def luma(image_B3HW: Tensor) -> Tensor:
    """Return the luma of pictures, in their range, in full precision (B, 1, H, W)."""
    weights_311 = torch.tensor(LUMA).view(3, 1, 1).to(image_B3HW.device, non_blocking=True)  # no GPU is waited for
    return (image_B3HW.float() * weights_311).sum(1, keepdim=True)


def full_precision(device: torch.device) -> contextlib.AbstractContextManager[object]:
    """Return the context in which nothing is computed in half precision, even within autocast."""
    # The meta device, which has shapes alone, knows no autocast.
    return contextlib.nullcontext() if device.type == "meta" else torch.autocast(device.type, enabled=False)


class Restorer(nn.Module, ABC):
    """A network that removes what a mask marks."""

    has_coarse: ClassVar[bool] = False
    """Whether it makes a coarse picture first that is worth looking at."""

    one_pass: ClassVar[bool] = True
    """Whether its result comes of one pass: a search for each picture is no graph that can be exported."""

    @classmethod
    def of(cls, settings: Any, size_px: int) -> Restorer:
        """Return the network of the settings of its method, for pictures of one size: most networks take any."""
        return cls(settings)

    @abstractmethod
    def forward(self, occluded_B3HW: Tensor, mask_B1HW: Tensor) -> Restoration:
        """Remove the occluder that the mask marks."""
