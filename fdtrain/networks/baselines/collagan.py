"""CollaGAN of Liao et al. 2018: one encoder learns to complete a face, to find its landmarks, and to parse it.

    blanked + mask -> encoder -> decoder of the picture, decoder of heat maps, decoder of regions

To restore, the decoder of the picture is enough.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from fdtrain.config.baselines import CollaGanConfig
from fdtrain.config.face_maps import N_HEATS, N_REGIONS
from fdtrain.networks.baselines.encoder_decoder import Decoder, Encoder
from fdtrain.networks.restorer import Restoration, Restorer, blanked


class Collaborated(NamedTuple):
    """What the three decoders make: the picture in [-1, 1], heat maps in [0, 1], the regions as logits."""

    image_B3HW: Tensor
    heats_BKHW: Tensor
    regions_B6HW: Tensor


class CollaGan(Restorer):
    """The encoder and its three decoders. The side must be a power of 2."""

    @classmethod
    def of(cls, settings: Any, size_px: int) -> CollaGan:
        """Return the network of these settings: how often it halves the picture is of its size."""
        return cls(settings, size_px)

    def __init__(self, config: CollaGanConfig, size_px: int) -> None:
        super().__init__()
        self.encoder = Encoder(4, config.width, size_px)
        self.picture = Decoder(3, config.width, size_px)
        self.landmarks = Decoder(N_HEATS, config.width, size_px)
        self.regions = Decoder(N_REGIONS, config.width, size_px)

    def forward(self, occluded_B3HW: Tensor, mask_B1HW: Tensor) -> Restoration:
        """Complete the picture; what lies in the hole is not looked at."""
        image_B3HW = torch.tanh(self.picture(self._maps(occluded_B3HW, mask_B1HW)).raw_BCHW)
        return Restoration(image_B3HW, image_B3HW)

    def all(self, occluded_B3HW: Tensor, mask_B1HW: Tensor) -> Collaborated:
        """Return what all decoders make."""
        maps = self._maps(occluded_B3HW, mask_B1HW)
        image, heats, regions = (part(maps).raw_BCHW for part in (self.picture, self.landmarks, self.regions))
        return Collaborated(torch.tanh(image), heats.sigmoid().float(), regions.float())

    def _maps(self, occluded_B3HW: Tensor, mask_B1HW: Tensor) -> list[Tensor]:
        maps: list[Tensor] = self.encoder(torch.cat([blanked(occluded_B3HW, mask_B1HW), mask_B1HW], 1))
        return maps
