"""The editing module of Din et al. 2020, with one discriminator for the whole face and one for the mask's region.

    occluded + mask -> U-Net with squeeze-and-excitation, dilated 2, 4, 8, 16 in the middle -> picture

The paper's first stage, the map module, finds the mask; masks are given here, as they are to every other method, so
only the second stage is here. The paper leaves kernels and widths to a figure: they are read as pix2pix's.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from fdtrain.config.baselines import DinConfig
from fdtrain.config.schema import DiscriminatorConfig
from fdtrain.networks.blocks import SqueezeExcitation, normalisation
from fdtrain.networks.discriminator import PatchDiscriminator
from fdtrain.networks.restorer import Restoration, Restorer

RATES = (2, 4, 8, 16)
"""Of the dilated convolutions between encoder and decoder."""

SE_RATIO = 16

WIDEST = 4
"""Channels double up to 256, as a multiple of 64."""


class Din(Restorer):
    """The editing module's generator. Sides must be multiples of 2 ** `config.halvings`."""

    def __init__(self, config: DinConfig) -> None:
        super().__init__()
        widths = [config.width * min(2**level, WIDEST) for level in range(config.halvings + 1)]
        self.stem = nn.Sequential(nn.Conv2d(4, widths[0], 3, padding=1), *_normed(widths[0]))
        self.encoder = nn.ModuleList(
            nn.Sequential(nn.Conv2d(n_in, n_out, 4, 2, padding=1), *_normed(n_out), SqueezeExcitation(n_out, SE_RATIO))
            for n_in, n_out in pairwise(widths)
        )
        deep = widths[-1]
        self.middle = nn.Sequential(
            *(nn.Sequential(nn.Conv2d(deep, deep, 3, padding=rate, dilation=rate), *_normed(deep)) for rate in RATES)
        )
        # The deepest layer sees the middle alone, the others the encoder's map next to the layer below.
        levels = range(config.halvings - 1, -1, -1)
        beside = [1, *[2] * (config.halvings - 1)]
        self.decoder = nn.ModuleList(
            nn.Sequential(
                nn.ConvTranspose2d(widths[level + 1] * times, widths[level], 4, 2, padding=1),
                *_normed(widths[level]),
                SqueezeExcitation(widths[level], SE_RATIO),
            )
            for level, times in zip(levels, beside, strict=True)
        )
        self.paint = nn.Sequential(nn.Conv2d(2 * widths[0], 3, 3, padding=1), nn.Tanh())

    def forward(self, occluded_B3HW: Tensor, mask_B1HW: Tensor) -> Restoration:
        """Edit the picture where the mask is 1."""
        features = self.stem(torch.cat([occluded_B3HW, mask_B1HW], 1))
        skips = []
        for layer in self.encoder:
            skips.append(features)
            features = layer(features)
        features = self.middle(features)
        for layer in self.decoder:
            features = torch.cat([layer(features), skips.pop()], 1)
        image_B3HW: Tensor = self.paint(features)
        return Restoration(image_B3HW, image_B3HW)


class TwoDiscriminators(nn.Module):
    """D of the whole region and D of the mask's region: 70x70 PatchGANs, given the occluded picture and the mask."""

    def __init__(self, config: DinConfig) -> None:
        super().__init__()
        one = DiscriminatorConfig(window="rf70", width=config.discriminator_width)
        self.whole, self.region = PatchDiscriminator(one), PatchDiscriminator(one)

    def forward(self, input_B4HW: Tensor, image_B3HW: Tensor) -> tuple[Tensor, Tensor]:
        """Return the logits of both; the second sees nothing outside the mask."""
        mask_B1HW = input_B4HW[:, 3:]
        seen_B4HW = torch.cat([input_B4HW[:, :3] * mask_B1HW, mask_B1HW], 1)
        return self.whole(input_B4HW, image_B3HW), self.region(seen_B4HW, image_B3HW * mask_B1HW)


def _normed(channels: int) -> tuple[nn.Module, nn.Module]:
    return normalisation("instance", channels), nn.ReLU()
