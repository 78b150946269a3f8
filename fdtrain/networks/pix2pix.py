"""pix2pix's U-Net, of Isola et al. 2017 (section 6.1): skips between all layers, down to a single pixel and up again.

    encoder  C64-C128-C256-C512-C512-C512-C512-C512
    decoder  CD512-CD512-CD512-C512-C256-C128-C64, each but the first next to the encoder's map of its size

at 256 px; under that, fewer layers of 512. Its discriminator is the 70x70 PatchGAN of `fdtrain.networks.discriminator`.
The condition is the occluded picture as it is, and the mask as a fourth channel.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from fdtrain.config.baselines import Pix2pixConfig
from fdtrain.networks.restorer import Restoration, Restorer

WIDEST = 8
"""Channels double up to 512, as a multiple of 64."""

N_DROPPED = 3
"""The first so many layers of the decoder drop half of their values, in place of noise. Not after training."""


class Pix2pix(Restorer):
    """The generator; the side must be a power of 2."""

    @classmethod
    def of(cls, settings: Any, size_px: int) -> Pix2pix:
        """Return the network of these settings: how often it halves the picture is of its size."""
        return cls(settings, size_px)

    def __init__(self, config: Pix2pixConfig, size_px: int) -> None:
        super().__init__()
        n_layers = size_px.bit_length() - 1
        widths = [config.width * min(2**level, WIDEST) for level in range(n_layers)]
        self.encoder = nn.ModuleList()
        for level, (n_in, n_out) in enumerate(zip([4, *widths], widths, strict=False)):
            ends = level in (0, n_layers - 1)  # neither the first layer nor the single pixel is normalised
            self.encoder.append(
                nn.Sequential(
                    *([nn.LeakyReLU(0.2)] if level else []),
                    nn.Conv2d(n_in, n_out, 4, 2, padding=1),
                    *([] if ends else [nn.BatchNorm2d(n_out)]),
                )
            )
        self.decoder = nn.ModuleList()
        for level in range(n_layers - 1, 0, -1):
            n_in = widths[level] * (1 if level == n_layers - 1 else 2)
            dropped = level >= n_layers - N_DROPPED
            self.decoder.append(
                nn.Sequential(
                    nn.ReLU(),
                    nn.ConvTranspose2d(n_in, widths[level - 1], 4, 2, padding=1),
                    nn.BatchNorm2d(widths[level - 1]),
                    *([nn.Dropout(config.dropout)] if dropped else []),
                )
            )
        self.paint = nn.Sequential(nn.ReLU(), nn.ConvTranspose2d(2 * widths[0], 3, 4, 2, padding=1), nn.Tanh())

    def forward(self, occluded_B3HW: Tensor, mask_B1HW: Tensor) -> Restoration:
        """Translate the occluded picture into the clean one."""
        features, skips = torch.cat([occluded_B3HW, mask_B1HW], 1), []
        for layer in self.encoder:
            features = layer(features)
            skips.append(features)
        features = skips.pop()
        for layer in self.decoder:
            features = torch.cat([layer(features), skips.pop()], 1)
        image_B3HW: Tensor = self.paint(features)
        return Restoration(image_B3HW, image_B3HW)
