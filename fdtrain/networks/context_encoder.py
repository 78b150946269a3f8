"""The Context Encoder and its discriminator, of Pathak et al. 2016 (section 3 and figure 9 a).

    occluded, blanked -> convolutions of 4x4, stride 2 -> 4x4 -> bottleneck of 1x1 -> deconvolutions -> picture

The paper's network for inpainting takes 128 px and gives the 64 px in its middle; holes here lie anywhere, so one more
deconvolution gives the whole picture, as for the paper's random regions. Other sizes have another number of layers.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from fdtrain.config.baselines import ContextEncoderConfig
from fdtrain.networks.restorer import Restoration, Restorer, blanked

LAST_PX = 4

WIDTHS = (1, 1, 2, 4, 8)
"""Channels as multiples of 64: 64, 64, 128, 256 and 512 between 128 px and 4 px."""


class ContextEncoder(Restorer):
    """Encoder, bottleneck and decoder. The side must be a power of 2; the mask itself is not an input (section 3.1)."""

    @classmethod
    def of(cls, settings: Any, size_px: int) -> ContextEncoder:
        """Return the network of these settings: how often it halves the picture is of its size."""
        return cls(settings, size_px)

    def __init__(self, config: ContextEncoderConfig, size_px: int) -> None:
        super().__init__()
        widths = [config.width * multiple for multiple in widths_of(size_px)]
        parts: list[nn.Module] = []
        for place, (n_in, n_out) in enumerate(zip([3, *widths], widths, strict=False)):
            parts.append(nn.Conv2d(n_in, n_out, 4, 2, padding=1))
            parts += [*([nn.BatchNorm2d(n_out)] if place else []), nn.LeakyReLU(0.2)]
        self.encoder = nn.Sequential(*parts)
        self.bottleneck = nn.Sequential(
            nn.Conv2d(widths[-1], config.bottleneck, LAST_PX), nn.BatchNorm2d(config.bottleneck), nn.LeakyReLU(0.2)
        )
        n_in = widths[-1]
        parts = [nn.ConvTranspose2d(config.bottleneck, n_in, LAST_PX), nn.BatchNorm2d(n_in), nn.ReLU()]
        for n_out in widths[-2::-1]:
            parts += [nn.ConvTranspose2d(n_in, n_out, 4, 2, padding=1), nn.BatchNorm2d(n_out), nn.ReLU()]
            n_in = n_out
        self.decoder = nn.Sequential(*parts, nn.ConvTranspose2d(n_in, 3, 4, 2, padding=1), nn.Tanh())

    def forward(self, occluded_B3HW: Tensor, mask_B1HW: Tensor) -> Restoration:
        """Complete the picture; what lies in the hole is not looked at."""
        features = self.bottleneck(self.encoder(blanked(occluded_B3HW, mask_B1HW)))
        image_B3HW: Tensor = self.decoder(features)
        return Restoration(image_B3HW, image_B3HW)


class ContextDiscriminator(nn.Module):
    """One logit (B, 1) for a whole picture."""

    def __init__(self, config: ContextEncoderConfig, size_px: int) -> None:
        super().__init__()
        self.layers = dcgan(config.discriminator_width, size_px)

    def forward(self, image_B3HW: Tensor) -> Tensor:
        """Return how real a picture looks."""
        logits_B1: Tensor = self.layers(image_B3HW)
        return logits_B1


def dcgan(width: int, side_px: int) -> nn.Sequential:
    """Return the discriminator of DCGAN: convolutions of 4x4 and stride 2 down to 4x4, and a logit (B, 1)."""
    parts: list[nn.Module] = []
    n_in, side, multiple = 3, side_px, 1
    while side > LAST_PX:
        n_out = width * multiple
        parts.append(nn.Conv2d(n_in, n_out, 4, 2, padding=1))
        parts += [*([nn.BatchNorm2d(n_out)] if n_in > 3 else []), nn.LeakyReLU(0.2)]
        n_in, side, multiple = n_out, side // 2, min(2 * multiple, 8)
    return nn.Sequential(*parts, nn.Conv2d(n_in, 1, LAST_PX), nn.Flatten())


def widths_of(size_px: int) -> tuple[int, ...]:
    """Return the channels of the encoder, as multiples, for a side: at 128 px the paper's five layers.

    >>> widths_of(128), widths_of(64), widths_of(256)
    ((1, 1, 2, 4, 8), (1, 2, 4, 8), (1, 1, 1, 2, 4, 8))
    """
    n_layers = size_px.bit_length() - LAST_PX.bit_length()
    return (1,) * max(n_layers - len(WIDTHS), 0) + WIDTHS[-n_layers:]
