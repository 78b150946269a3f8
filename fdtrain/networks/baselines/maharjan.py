"""The two networks of Maharjan et al. 2020: first the parsing of the whole face, then the face.

    occluded -> segmentation network -> regions of the face, also where it is hidden
    occluded + regions -> face network -> picture

The mask that is given is not looked at.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from fdtrain.config.baselines import MaharjanConfig
from fdtrain.config.face_maps import N_REGIONS
from fdtrain.networks.baselines.encoder_decoder import Decoded, UNet
from fdtrain.networks.restorer import Restoration, Restorer


class Maharjan(Restorer):
    """Both networks. The side must be a power of 2."""

    @classmethod
    def of(cls, settings: Any, size_px: int) -> Maharjan:
        """Return the networks of these settings: how often they halve the picture is of its size."""
        return cls(settings, size_px)

    def __init__(self, config: MaharjanConfig, size_px: int) -> None:
        super().__init__()
        self.segmentation: nn.Module = UNet(3, N_REGIONS, config.width, size_px)
        self.face: nn.Module = UNet(3 + N_REGIONS, 3, config.width, size_px)

    def forward(self, occluded_B3HW: Tensor, mask_B1HW: Tensor) -> Restoration:
        """Remove what hides the face."""
        image_B3HW = self.restored(occluded_B3HW, self.regions(occluded_B3HW).softmax(1))
        return Restoration(image_B3HW, image_B3HW)

    def regions(self, occluded_B3HW: Tensor) -> Tensor:
        """Return the regions of the whole face, as logits (B, 6, H, W)."""
        made: Decoded = self.segmentation(occluded_B3HW)
        return made.raw_BCHW.float()

    def restored(self, occluded_B3HW: Tensor, regions_B6HW: Tensor) -> Tensor:
        """Return the picture, given the probability of each region."""
        made: Decoded = self.face(torch.cat([occluded_B3HW, regions_B6HW.to(occluded_B3HW.dtype)], 1))
        return torch.tanh(made.raw_BCHW)
