"""GAFC, geometry-aware face completion (FCENet), of Song et al. 2019.

    blanked + mask -> estimator -> heat maps of five components, parsing
    blanked + mask + heat maps + parsing -> generator -> picture, mask

The geometry is that of the whole face, also where it is hidden. The generator predicts the mask too, whose rank is kept
low.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from fdtrain.config.baselines import GafcConfig
from fdtrain.config.face_maps import N_COMPONENTS, N_REGIONS
from fdtrain.networks.baselines.encoder_decoder import Decoded, UNet
from fdtrain.networks.restorer import Restoration, Restorer, blanked


class Geometry(NamedTuple):
    """Where the parts of a face are: heat maps in [0, 1], and the regions as logits."""

    heats_B5HW: Tensor
    regions_B6HW: Tensor


class Completed(NamedTuple):
    """What the generator makes: the picture in [-1, 1], and the mask as logits."""

    image_B3HW: Tensor
    mask_B1HW: Tensor


class Gafc(Restorer):
    """Estimator and generator. The side must be a power of 2."""

    @classmethod
    def of(cls, settings: Any, size_px: int) -> Gafc:
        """Return the networks of these settings: how often they halve the picture is of its size."""
        return cls(settings, size_px)

    def __init__(self, config: GafcConfig, size_px: int) -> None:
        super().__init__()
        geometry = N_COMPONENTS + N_REGIONS
        self.estimator: nn.Module = UNet(4, geometry, config.width, size_px)
        self.generator: nn.Module = UNet(4 + geometry, 4, config.width, size_px)

    def forward(self, occluded_B3HW: Tensor, mask_B1HW: Tensor) -> Restoration:
        """Complete the picture; what lies in the hole is not looked at."""
        image_B3HW = self.completed(occluded_B3HW, mask_B1HW, self.geometry(occluded_B3HW, mask_B1HW)).image_B3HW
        return Restoration(image_B3HW, image_B3HW)

    def geometry(self, occluded_B3HW: Tensor, mask_B1HW: Tensor) -> Geometry:
        """Return where the parts of the face are."""
        made: Decoded = self.estimator(torch.cat([blanked(occluded_B3HW, mask_B1HW), mask_B1HW], 1))
        return Geometry(made.raw_BCHW[:, :N_COMPONENTS].sigmoid().float(), made.raw_BCHW[:, N_COMPONENTS:].float())

    def completed(self, occluded_B3HW: Tensor, mask_B1HW: Tensor, geometry: Geometry) -> Completed:
        """Return the picture of a face with that geometry, and its mask."""
        known_B11HW = torch.cat([geometry.heats_B5HW, geometry.regions_B6HW.softmax(1)], 1).to(occluded_B3HW.dtype)
        seen = torch.cat([blanked(occluded_B3HW, mask_B1HW), mask_B1HW, known_B11HW], 1)
        made: Decoded = self.generator(seen)
        return Completed(torch.tanh(made.raw_BCHW[:, :3]), made.raw_BCHW[:, 3:].float())
