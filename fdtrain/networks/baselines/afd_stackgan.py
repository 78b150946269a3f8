"""AFD-StackGAN, the successor of FD-StackGAN, of Jabbar et al. 2022: it finds its mask itself, then removes the object.

    picture -> mask network -> own mask
    picture + own mask -> Base-Net -> coarse picture
    picture + own mask + coarse picture -> Refine-Net -> picture

All three are U-Nets as the generators of FD-StackGAN are. The mask that is given is not looked at.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from fdtrain.config.baselines import AfdStackGanConfig
from fdtrain.config.schema import NetworkConfig
from fdtrain.networks.fdstack import INPUT_CHANNELS, Generator
from fdtrain.networks.restorer import Restoration, Restorer

BOTTLENECK_PX = 8
"""Fewer layers stride in smaller pictures, as in the presets of FD-StackGAN."""

MOST_PROBABILITY = 1 - 1e-4
"""A mask network that is sure has a gradient all the same."""


class AfdStackGan(Restorer):
    """The three generators."""

    has_coarse = True

    @classmethod
    def of(cls, settings: Any, size_px: int) -> AfdStackGan:
        """Return the network of these settings: how often it halves the picture is of its size."""
        return cls(settings, size_px)

    def __init__(self, config: AfdStackGanConfig, size_px: int) -> None:
        super().__init__()
        width, strides = config.width, strides_of(size_px)
        network = NetworkConfig(widths=(width, 2 * width, 4 * width, 8 * width, 8 * width), strides=strides)
        self.mask = Generator(3, network, out_channels=1)
        self.base = Generator(INPUT_CHANNELS, network)
        self.refine = Generator(INPUT_CHANNELS + 3, network)

    def forward(self, occluded_B3HW: Tensor, mask_B1HW: Tensor) -> Restoration:
        """Remove what the network's own mask marks."""
        input_B4HW = self.input(occluded_B3HW, self.find(occluded_B3HW))
        coarse_B3HW: Tensor = self.base(input_B4HW)
        return Restoration(coarse_B3HW, self.refined(input_B4HW, coarse_B3HW))

    def find(self, occluded_B3HW: Tensor) -> Tensor:
        """Return the probability of each pixel to be occluded (B, 1, H, W)."""
        made_B1HW: Tensor = self.mask(occluded_B3HW)
        return made_B1HW.float() * (0.5 * MOST_PROBABILITY) + 0.5

    def input(self, occluded_B3HW: Tensor, probability_B1HW: Tensor) -> Tensor:
        """Return the picture and the binary mask that was found, without a gradient."""
        return torch.cat([occluded_B3HW, (probability_B1HW.detach() > 0.5).to(occluded_B3HW.dtype)], 1)

    def refined(self, input_B4HW: Tensor, coarse_B3HW: Tensor) -> Tensor:
        """Return the final picture."""
        image_B3HW: Tensor = self.refine(torch.cat([input_B4HW, coarse_B3HW], 1))
        return image_B3HW


def strides_of(size_px: int) -> tuple[int, ...]:
    """Return the strides of the five layers of an encoder.

    >>> strides_of(256), strides_of(64)
    ((2, 2, 2, 2, 2), (2, 2, 2, 1, 1))
    """
    n_halved = min(max((size_px // BOTTLENECK_PX).bit_length() - 1, 1), 5)
    return (2,) * n_halved + (1,) * (5 - n_halved)
