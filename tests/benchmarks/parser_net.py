"""The parser's network: a crop of 96 px to a map of 24 x 24 and a score a class, for `train_parser.py`.

    96 --conv--> 48 --conv--> 24 --block--> 24 --conv, block--> 12 --conv, block--> 6 --> scores
                                            24 <------- + <---- 12 <------- + <---- 6
                                            maps

All is fixed to one size, so that OpenCV runs it. Plain convolutions: on one core they cost less, learning and looking,
than the same work in depthwise ones.
"""

from __future__ import annotations

import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from fdgen.analysis.models.accessory_network import CLASSES, INPUT_PX, MAP_PX

N_CLASSES = len(CLASSES)
_MEAN, _SPREAD = 118.0, 64.0
_SHARE_OF_MAP, _SHARE_THERE = -2.5, -1.0
"""Logits of how much of a map is covered, and of how often a class is there: what the network says before it learns."""


def _conv(channels_in: int, channels_out: int, side: int = 3, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, side, stride, side // 2, bias=False), nn.BatchNorm2d(channels_out)
    )


class Block(nn.Module):
    """Two convolutions, and what came in added."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first, self.second = _conv(channels, channels), _conv(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's output."""
        return functional.relu(x + self.second(functional.relu(self.first(x))))


class Parser(nn.Module):
    """Maps and scores, both as logits, of pictures (B, 3, 96, 96) of levels 0 to 255."""

    def __init__(self) -> None:
        super().__init__()
        self.fine = nn.Sequential(_conv(3, 16, 3, 2), nn.ReLU(), _conv(16, 32, 3, 2), nn.ReLU(), Block(32))
        self.middle = nn.Sequential(_conv(32, 56, 3, 2), nn.ReLU(), Block(56))
        self.coarse = nn.Sequential(_conv(56, 80, 3, 2), nn.ReLU(), Block(80))
        self.up_coarse, self.up_middle, self.up_fine = (nn.Conv2d(n, 32, 1) for n in (80, 56, 32))
        self.maps = nn.Conv2d(32, N_CLASSES, 3, padding=1)
        self.score = nn.Conv2d(2 * 80 + N_CLASSES, N_CLASSES, 1)
        nn.init.constant_(self.maps.bias, _SHARE_OF_MAP)
        nn.init.constant_(self.score.bias, _SHARE_THERE)

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Return maps (B, C, 24, 24) and scores (B, C)."""
        fine = self.fine((pictures - _MEAN) / _SPREAD)
        middle = self.middle(fine)
        coarse = self.coarse(middle)
        up = functional.interpolate(self.up_coarse(coarse), scale_factor=2, mode="nearest") + self.up_middle(middle)
        up = functional.interpolate(up, scale_factor=2, mode="nearest") + self.up_fine(fine)
        maps = self.maps(functional.relu(up))
        side = INPUT_PX // 16
        seen = [
            functional.avg_pool2d(coarse, side),
            functional.max_pool2d(coarse, side),
            functional.max_pool2d(functional.avg_pool2d(maps, 4), MAP_PX // 4),
        ]
        return maps, self.score(torch.cat(seen, 1)).flatten(1)
