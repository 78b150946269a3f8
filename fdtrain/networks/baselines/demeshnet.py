"""DeMeshNet of Zhang et al. 2017: a convolutional network that cleans faces without knowing where they are covered.

    occluded -> encoder, decoder -> picture

It learns that the hole counts more, and by features; the mask that is given is not looked at.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from fdtrain.config.baselines import DeMeshNetConfig
from fdtrain.networks.baselines.encoder_decoder import Decoded, UNet
from fdtrain.networks.restorer import Restoration, Restorer


class DeMeshNet(Restorer):
    """The network. The side must be a power of 2."""

    @classmethod
    def of(cls, settings: Any, size_px: int) -> DeMeshNet:
        """Return the network of these settings: how often it halves the picture is of its size."""
        return cls(settings, size_px)

    def __init__(self, config: DeMeshNetConfig, size_px: int) -> None:
        super().__init__()
        self.layers = UNet(3, 3, config.width, size_px)

    def forward(self, occluded_B3HW: Tensor, mask_B1HW: Tensor) -> Restoration:
        """Remove what covers the face."""
        made: Decoded = self.layers(occluded_B3HW)
        image_B3HW = torch.tanh(made.raw_BCHW)
        return Restoration(image_B3HW, image_B3HW)
