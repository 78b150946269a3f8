"""Encoder and decoder of the systems that complete faces by what they know of faces: one shape for all of them.

Their papers give layers in figures, or leave them to others; here they are those of a U-Net as pix2pix has it, with
enlarged pixels in place of transposed convolutions, and 8 px left in the middle. An encoder may have several decoders.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

LAST_PX = 8

MOST_HALVINGS = 5


class Decoded(NamedTuple):
    """What a decoder gives, without an activation, and the features that it is made of, at full size."""

    raw_BCHW: Tensor
    features_BCHW: Tensor


class Encoder(nn.Module):
    """Convolutions of 4x4 that halve the picture; `forward` gives all maps, the largest first."""

    def __init__(self, n_in: int, width: int, size_px: int) -> None:
        super().__init__()
        layers = []
        for place, n_out in enumerate(widths_of(width, size_px)):
            conv = nn.Conv2d(n_in, n_out, 4, 2, padding=1)
            layers.append(nn.Sequential(conv, *([nn.BatchNorm2d(n_out)] if place else []), nn.LeakyReLU(0.2)))
            n_in = n_out
        self.layers = nn.ModuleList(layers)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return the maps."""
        maps = []
        for layer in self.layers:
            x = layer(x)
            maps.append(x)
        return maps


class Decoder(nn.Module):
    """Doubles the last map until it has full size, next to the encoder's map of each size."""

    def __init__(self, n_out: int, width: int, size_px: int) -> None:
        super().__init__()
        *others, n_in = widths_of(width, size_px)
        layers = []
        for beside in reversed(others):
            layers.append(_doubled(n_in, beside))
            n_in = 2 * beside
        self.layers = nn.ModuleList(layers)
        self.last = _doubled(n_in, width)
        self.paint = nn.Conv2d(width, n_out, 3, padding=1)

    def forward(self, maps: list[Tensor]) -> Decoded:
        """Return what is made of the maps of an encoder."""
        *beside, x = maps
        for layer, other in zip(self.layers, reversed(beside), strict=True):
            x = torch.cat([layer(x), other], 1)
        x = self.last(x)
        return Decoded(self.paint(x), x)


class UNet(nn.Module):
    """An encoder and its only decoder."""

    def __init__(self, n_in: int, n_out: int, width: int, size_px: int) -> None:
        super().__init__()
        self.encoder = Encoder(n_in, width, size_px)
        self.decoder = Decoder(n_out, width, size_px)

    def forward(self, x: Tensor) -> Decoded:
        """Return what is made of a map (B, n_in, H, W)."""
        made: Decoded = self.decoder(self.encoder(x))
        return made


def halvings_of(size_px: int) -> int:
    """Return how often a picture is halved.

    >>> [halvings_of(size_px) for size_px in (256, 64, 32)]
    [5, 3, 2]
    """
    return min(max((size_px // LAST_PX).bit_length() - 1, 1), MOST_HALVINGS)


def widths_of(width: int, size_px: int) -> tuple[int, ...]:
    """Return the channels of an encoder's maps.

    >>> widths_of(64, 256)
    (64, 128, 256, 512, 512)
    """
    return tuple(width * min(2**place, 8) for place in range(halvings_of(size_px)))


def _doubled(n_in: int, n_out: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Upsample(scale_factor=2, mode="nearest"),
        nn.Conv2d(n_in, n_out, 3, padding=1),
        nn.BatchNorm2d(n_out),
        nn.ReLU(),
    )
