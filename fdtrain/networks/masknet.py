"""A small segmentation network for occluders: a U-Net of 1.6 million parameters, minutes to train on a CPU.

    picture_B3HW --> half size --> down, down, down --> up, up, up --> four logits a cell --> logits_BKHW
                                      '--- skips ---'
                                          deepest --> mean over the picture --> logits of the kinds that are worn

It works at half the picture's size and puts four pixels into one cell at the end: a quarter of the arithmetic of a
U-Net at full size, and an outline as fine. Nothing in it that opencv's dnn cannot run.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn

WIDTHS = (32, 64, 128, 192)
"""Channels at 1/2, 1/4, 1/8 and 1/16 of the size: 1.55 M parameters, the deepest sees the whole of a 96 px crop."""


def _twice(n_in: int, n_out: int) -> nn.Sequential:
    """Return two 3x3 convolutions, each with batch normalisation and a relu."""
    return nn.Sequential(
        nn.Conv2d(n_in, n_out, 3, padding=1, bias=False),
        nn.BatchNorm2d(n_out),
        nn.ReLU(),
        nn.Conv2d(n_out, n_out, 3, padding=1, bias=False),
        nn.BatchNorm2d(n_out),
        nn.ReLU(),
    )


class Found(NamedTuple):
    """Logits of each pixel's classes (B, classes, H, W), and of each kind to be worn (B, kinds), maybe none."""

    logits_BKHW: Tensor
    kinds_BK: Tensor


class MaskNet(nn.Module):
    """Logits of `classes` masks, one channel each, of a picture in [-1, 1]; and of `kinds` kinds, each by itself.

    `widths` are the channels from half the size downwards; the picture's sides must be multiples of 2 ** len(widths).
    """

    def __init__(self, *, classes: int = 1, kinds: int = 0, widths: Sequence[int] = WIDTHS) -> None:
        super().__init__()
        self.multiple = 2 ** len(widths)
        self.stem = nn.Conv2d(3, widths[0], 4, 2, padding=1)
        self.encoders = nn.ModuleList([_twice(widths[0], widths[0])])
        self.encoders.extend(_twice(n_in, n_out) for n_in, n_out in pairwise(widths))
        ascending = list(pairwise(widths[::-1]))
        self.decoders = nn.ModuleList([_twice(deep + here, here) for deep, here in ascending])
        self.shrink, self.enlarge = nn.MaxPool2d(2), nn.Upsample(scale_factor=2, mode="nearest")
        self.head = nn.Conv2d(widths[0], 4 * classes, 1)
        self.spread = nn.PixelShuffle(2)
        self.kinds = nn.Linear(widths[-1], kinds) if kinds else None

    def forward(self, picture_B3HW: Tensor) -> Tensor:
        """Return logits (B, classes, H, W); raise `ValueError` where a side is no multiple of `multiple`."""
        return self.find(picture_B3HW).logits_BKHW

    def find(self, picture_B3HW: Tensor) -> Found:
        """Return all logits; raise `ValueError` where a side is no multiple of `multiple`."""
        height, width = picture_B3HW.shape[-2:]
        if height % self.multiple or width % self.multiple:
            raise ValueError(f"sides must be multiples of {self.multiple} px, got {height}x{width}")
        seen = self.encoders[0](self.stem(picture_B3HW))
        skips = []
        for encoder in self.encoders[1:]:
            skips.append(seen)
            seen = encoder(self.shrink(seen))
        kinds_BK = self.kinds(seen.mean((2, 3))) if self.kinds is not None else seen.new_zeros(len(seen), 0)
        for decoder in self.decoders:
            seen = decoder(torch.cat([self.enlarge(seen), skips.pop()], 1))
        return Found(self.spread(self.head(seen)), kinds_BK)


class CalibratedMaskNet(nn.Module):
    """A trained network as it is used: a picture in [-1, 1] becomes probabilities, softened by a temperature.

    The logits of pixels are divided by `temperature` (Guo et al. 2017, "On Calibration of Modern Neural Networks").
    """

    def __init__(self, net: MaskNet, temperature: float = 1.0) -> None:
        super().__init__()
        self.net, self.temperature = net, temperature

    def forward(self, picture_B3HW: Tensor) -> tuple[Tensor, Tensor]:
        """Return the probability of each pixel (B, 1, H, W) to show an occluder, and of each kind (B, kinds)."""
        found = self.net.find(picture_B3HW)
        return torch.sigmoid(found.logits_BKHW.float() / self.temperature), torch.sigmoid(found.kinds_BK.float())
