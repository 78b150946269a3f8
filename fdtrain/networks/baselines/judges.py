"""Discriminators of face completion: one of the whole picture, one of the window around its hole, as DCGAN's."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn

from fdtrain.config.schema import DiscriminatorConfig
from fdtrain.networks.context_encoder import dcgan
from fdtrain.networks.discriminator import PatchDiscriminator
from fdtrain.networks.hole_window import window_at


class Judged(NamedTuple):
    """How real a picture looks as a whole, and around its hole: a logit each (B, 1)."""

    whole_B1: Tensor
    hole_B1: Tensor


class WholeAndHole(nn.Module):
    """Both discriminators. The window is half as wide as the picture."""

    def __init__(self, width: int, size_px: int) -> None:
        super().__init__()
        self.window_px = size_px // 2
        self.whole = dcgan(width, size_px)
        self.hole = dcgan(width, self.window_px)

    def forward(self, image_B3HW: Tensor, mask_B1HW: Tensor) -> Judged:
        """Return what both say of a picture."""
        return Judged(self.whole(image_B3HW), self.hole(window_at(image_B3HW, mask_B1HW, self.window_px)))


class Patches(PatchDiscriminator):
    """pix2pix's PatchGAN of 70x70, of what was made of a picture: of a map with so many channels, given the picture."""

    def __init__(self, width: int, *, channels: int) -> None:
        config = DiscriminatorConfig(window="rf70", width=width, most_width=8 * width)
        # It takes all of them together.
        super().__init__(config, condition_channels=channels)
