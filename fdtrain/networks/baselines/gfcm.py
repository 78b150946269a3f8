"""GFCM, generative face completion, of Li et al. 2017: a VGG that encodes, and its mirror image that decodes.

    blanked -> blocks of 3x3 convolutions, each pooled -> 8 x 8 -> all connected -> blocks, each enlarged -> picture

While it learns, two discriminators look at the picture and at its hole, and a network that parses faces looks whether
each region of the face is where it is to be.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from fdtrain.config.baselines import GfcmConfig
from fdtrain.config.face_maps import N_REGIONS
from fdtrain.networks.baselines.encoder_decoder import LAST_PX, Decoded, UNet, halvings_of
from fdtrain.networks.baselines.judges import Judged, WholeAndHole
from fdtrain.networks.restorer import Restoration, Restorer, blanked

BLOCKS = ((2, 1), (2, 2), (4, 4), (2, 8), (2, 8))
"""Convolutions of each block, and their width as a multiple: VGG-19 to its third pooling, two more convolutions and a
pooling for 128 px as in section 3.1; the last block is for 256 px."""


class Gfcm(Restorer):
    """The generator. The side must be a power of 2; the mask itself is not an input."""

    @classmethod
    def of(cls, settings: Any, size_px: int) -> Gfcm:
        """Return the network of these settings: how often it halves the picture is of its size."""
        return cls(settings, size_px)

    def __init__(self, config: GfcmConfig, size_px: int) -> None:
        super().__init__()
        blocks = [(n_layers, config.width * multiple) for n_layers, multiple in BLOCKS[: halvings_of(size_px)]]
        parts: list[nn.Module] = []
        n_in = 3
        for n_layers, n_out in blocks:
            for _ in range(n_layers):
                parts += _layer(n_in, n_out)
                n_in = n_out
            parts.append(nn.MaxPool2d(2))
        self.encoder = nn.Sequential(*parts)
        n_values = n_in * LAST_PX**2
        self.connected = nn.Sequential(
            nn.Flatten(),
            nn.Linear(n_values, config.bottleneck),
            nn.ReLU(),
            nn.Linear(config.bottleneck, n_values),
            nn.ReLU(),
            nn.Unflatten(1, (n_in, LAST_PX, LAST_PX)),
        )
        parts = []
        for n_layers, n_out in reversed(blocks):
            parts.append(nn.Upsample(scale_factor=2, mode="nearest"))
            for _ in range(n_layers):
                parts += _layer(n_in, n_out)
                n_in = n_out
        self.decoder = nn.Sequential(*parts, nn.Conv2d(n_in, 3, 3, padding=1), nn.Tanh())

    def forward(self, occluded_B3HW: Tensor, mask_B1HW: Tensor) -> Restoration:
        """Complete the picture; what lies in the hole is not looked at."""
        image_B3HW: Tensor = self.decoder(self.connected(self.encoder(blanked(occluded_B3HW, mask_B1HW))))
        return Restoration(image_B3HW, image_B3HW)


class GfcmJudges(nn.Module):
    """Both discriminators, and the network that parses faces: logits of the regions (B, 6, H, W)."""

    def __init__(self, config: GfcmConfig, size_px: int) -> None:
        super().__init__()
        self.both = WholeAndHole(config.discriminator_width, size_px)
        self.parser = UNet(3, N_REGIONS, config.discriminator_width, size_px)

    def forward(self, image_B3HW: Tensor, mask_B1HW: Tensor) -> Judged:
        """Return what the discriminators say of a picture."""
        judged: Judged = self.both(image_B3HW, mask_B1HW)
        return judged

    def parsed(self, image_B3HW: Tensor) -> Tensor:
        """Return the parsing of a picture, as logits."""
        made: Decoded = self.parser(image_B3HW)
        return made.raw_BCHW.float()


def _layer(n_in: int, n_out: int) -> tuple[nn.Module, ...]:
    return nn.Conv2d(n_in, n_out, 3, padding=1), nn.BatchNorm2d(n_out), nn.ReLU()
