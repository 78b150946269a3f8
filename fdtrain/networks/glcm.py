"""GLCM, the completion network and the two context discriminators of Iizuka et al. 2017 (tables 1 and 2).

    occluded, blanked + mask -> conv ... dilated 2, 4, 8, 16 ... deconv -> picture
    picture ----------------> global discriminator --+
    picture around the hole -> local discriminator ---+-> one logit

The paper's third step, Poisson blending of the hole with its surroundings, changes no network and is left out: the
hole is pasted, as for every other method.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from fdtrain.config.baselines import GlcmConfig
from fdtrain.networks.hole_window import window_at
from fdtrain.networks.restorer import Restoration, Restorer, blanked


class Layer(NamedTuple):
    """A row of table 1. `width` is a multiple of the first layer's; a stride of 1/2 is a transposed convolution."""

    kernel: int
    dilation: int
    stride: float
    width: float


COMPLETION: tuple[Layer, ...] = (
    Layer(5, 1, 1, 1),
    Layer(3, 1, 2, 2),
    Layer(3, 1, 1, 2),
    Layer(3, 1, 2, 4),
    Layer(3, 1, 1, 4),
    Layer(3, 1, 1, 4),
    Layer(3, 2, 1, 4),
    Layer(3, 4, 1, 4),
    Layer(3, 8, 1, 4),
    Layer(3, 16, 1, 4),
    Layer(3, 1, 1, 4),
    Layer(3, 1, 1, 4),
    Layer(4, 1, 0.5, 2),
    Layer(3, 1, 1, 2),
    Layer(4, 1, 0.5, 1),
    Layer(3, 1, 1, 0.5),
)
"""Table 1 but for its last row, which gives the picture: 5x5 to 64 channels, and so on."""

DISCRIMINATOR_WIDTHS = (1, 2, 4, 8, 8, 8)
"""Tables 2a and 2b: the local discriminator has the first five, the global one all six, of 5x5 and stride 2."""

LAST_PX, JOINED = 4, 1024
"""Each discriminator halves its picture until a map of 4x4 is left, then gives a vector of 1,024 values."""


class Glcm(Restorer):
    """The completion network C(x, M_c). H and W must be multiples of 4."""

    def __init__(self, config: GlcmConfig) -> None:
        super().__init__()
        parts: list[nn.Module] = []
        n_in = 4
        for kernel, dilation, stride, width in COMPLETION:
            n_out = max(int(config.width * width), 1)
            if stride < 1:
                parts.append(nn.ConvTranspose2d(n_in, n_out, kernel, 2, padding=1))
            else:
                padding = dilation * (kernel - 1) // 2
                parts.append(nn.Conv2d(n_in, n_out, kernel, int(stride), padding, dilation))
            parts += [nn.BatchNorm2d(n_out), nn.ReLU()]
            n_in = n_out
        # Table 1 ends in a sigmoid on [0, 1]: the same curve on [-1, 1] is a tanh.
        parts += [nn.Conv2d(n_in, 3, 3, padding=1), nn.Tanh()]
        self.layers = nn.Sequential(*parts)

    def forward(self, occluded_B3HW: Tensor, mask_B1HW: Tensor) -> Restoration:
        """Complete the picture; what lies in the hole is not looked at (section 3.2)."""
        seen_B4HW = torch.cat([blanked(occluded_B3HW, mask_B1HW), mask_B1HW], 1)
        image_B3HW: Tensor = self.layers(seen_B4HW)
        return Restoration(image_B3HW, image_B3HW)


class ContextDiscriminator(nn.Module):
    """Both discriminators joined (section 3.3): one logit (B, 1) for a picture and the window around its hole.

    The window is half as wide as the picture, 128 of 256 px. Under 256 px fewer layers stride, so that 4x4 is left.
    """

    def __init__(self, config: GlcmConfig, size_px: int) -> None:
        super().__init__()
        self.window_px = size_px // 2
        self.whole = _encoder(config.discriminator_width, size_px)
        self.local = _encoder(config.discriminator_width, self.window_px)
        self.join = nn.Linear(2 * JOINED, 1)

    def forward(self, image_B3HW: Tensor, mask_B1HW: Tensor) -> Tensor:
        """Return how real a picture looks that was completed where the mask is 1."""
        around_B3hw = window_at(image_B3HW, mask_B1HW, self.window_px)
        logits_B1: Tensor = self.join(torch.cat([self.whole(image_B3HW), self.local(around_B3hw)], 1))
        return logits_B1


def _encoder(width: int, side_px: int) -> nn.Sequential:
    parts: list[nn.Module] = []
    n_in, side = 3, side_px
    for multiple in DISCRIMINATOR_WIDTHS:
        if side <= LAST_PX:
            break
        parts += [nn.Conv2d(n_in, width * multiple, 5, 2, padding=2), nn.BatchNorm2d(width * multiple), nn.ReLU()]
        n_in, side = width * multiple, -(-side // 2)
    return nn.Sequential(*parts, nn.Flatten(), nn.Linear(n_in * side * side, JOINED), nn.ReLU())
