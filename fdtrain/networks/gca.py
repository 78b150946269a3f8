"""GCA, the coarse-to-fine network with contextual attention and its two critics, of Yu et al. 2018.

    blanked + mask -> coarse network -> coarse, pasted -+-> dilated branch ---+
                                                        +-> attention branch -+-> decoder -> picture

Layers are those of the supplementary material; exponential linear units, mirrored borders, no normalisation.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own name for it
from torch import Tensor, nn

from fdtrain.config.baselines import GcaConfig
from fdtrain.networks.attention import ContextualAttention
from fdtrain.networks.hole_window import window_at
from fdtrain.networks.restorer import Restoration, Restorer, blanked, composite

HOLE = 1.0
"""Holes are filled with white pixels."""


class Layer(NamedTuple):
    """A convolution; `width` is a multiple of the first layer's. A stride of 1/2 doubles the map before it."""

    kernel: int
    stride: float
    dilation: int
    width: float


_DILATED = tuple(Layer(3, 1, rate, 4) for rate in (2, 4, 8, 16))

_PAINT = (Layer(3, 0.5, 1, 2), Layer(3, 1, 1, 2), Layer(3, 0.5, 1, 1), Layer(3, 1, 1, 0.5))

COARSE = (
    Layer(5, 1, 1, 1),
    Layer(3, 2, 1, 2),
    Layer(3, 1, 1, 2),
    Layer(3, 2, 1, 4),
    Layer(3, 1, 1, 4),
    Layer(3, 1, 1, 4),
    *_DILATED,
    Layer(3, 1, 1, 4),
    Layer(3, 1, 1, 4),
    *_PAINT,
)
DILATED_BRANCH = (
    Layer(5, 1, 1, 1),
    Layer(3, 2, 1, 1),
    Layer(3, 1, 1, 2),
    Layer(3, 2, 1, 2),
    Layer(3, 1, 1, 4),
    Layer(3, 1, 1, 4),
    *_DILATED,
)
ATTENTION_BRANCH = (
    Layer(5, 1, 1, 1),
    Layer(3, 2, 1, 1),
    Layer(3, 1, 1, 2),
    Layer(3, 2, 1, 4),
    Layer(3, 1, 1, 4),
)
BEFORE_ATTENTION = Layer(3, 1, 1, 4)  # a relu in place of the elu: similarities of positive features
AFTER_ATTENTION = (Layer(3, 1, 1, 4), Layer(3, 1, 1, 4))
DECODER = (Layer(3, 1, 1, 4), Layer(3, 1, 1, 4), *_PAINT)

WHOLE_WIDTHS, LOCAL_WIDTHS = (1, 2, 4, 4), (1, 2, 4, 8)
"""Of the critics: four convolutions of 5x5 and stride 2, then one score."""


class Gca(Restorer):
    """The generator: a coarse network and a refinement network of two branches. Sides must be multiples of 8."""

    has_coarse = True

    def __init__(self, config: GcaConfig) -> None:
        super().__init__()
        width = config.width
        self.coarse = nn.Sequential(*_layers(4, COARSE, width), *_picture(width))
        self.dilated = _layers(4, DILATED_BRANCH, width)
        self.attentive = nn.Sequential(
            *_layers(4, ATTENTION_BRANCH, width), *_layers(4 * width, (BEFORE_ATTENTION,), width, nn.ReLU)
        )
        self.attention = ContextualAttention()
        self.attended = _layers(4 * width, AFTER_ATTENTION, width)
        self.decoder = nn.Sequential(*_layers(8 * width, DECODER, width), *_picture(width))

    def forward(self, occluded_B3HW: Tensor, mask_B1HW: Tensor) -> Restoration:
        """Complete the picture; what lies in the hole is not looked at (section 3.1)."""
        white_B3HW = blanked(occluded_B3HW, mask_B1HW, HOLE)
        coarse_B3HW: Tensor = self.coarse(torch.cat([white_B3HW, mask_B1HW], 1))
        seen_B4HW = torch.cat([composite(coarse_B3HW, occluded_B3HW, mask_B1HW), mask_B1HW], 1)
        matched = self.attended(self.attention(self.attentive(seen_B4HW), mask_B1HW))
        image_B3HW: Tensor = self.decoder(torch.cat([self.dilated(seen_B4HW), matched], 1))
        return Restoration(coarse_B3HW, image_B3HW)


class Critics(nn.Module):
    """The global and the local critic of WGAN-GP (section 3.2): two scores of shape (B, 1), higher for real.

    The local one sees a window of half the picture's side around the hole, 128 of 256 px.
    """

    def __init__(self, config: GcaConfig, size_px: int) -> None:
        super().__init__()
        self.window_px = size_px // 2
        self.whole = _critic(config.discriminator_width, WHOLE_WIDTHS, size_px)
        self.local = _critic(config.discriminator_width, LOCAL_WIDTHS, self.window_px)

    def forward(self, image_B3HW: Tensor, mask_B1HW: Tensor) -> tuple[Tensor, Tensor]:
        """Return the scores of whole pictures and of the windows around their holes."""
        return self.whole(image_B3HW), self.local(window_at(image_B3HW, mask_B1HW, self.window_px))


class _Mirrored(nn.Module):
    """Mirror the border, or repeat it where the map is smaller than the mirror would be deep."""

    def __init__(self, padding: int) -> None:
        super().__init__()
        self.padding = padding

    def forward(self, x: Tensor) -> Tensor:
        how = "reflect" if min(x.shape[-2:]) > self.padding else "replicate"
        return F.pad(x, (self.padding,) * 4, mode=how)


def _layers(n_in: int, table: tuple[Layer, ...], width: int, act: type[nn.Module] = nn.ELU) -> nn.Sequential:
    parts: list[nn.Module] = []
    for kernel, stride, dilation, multiple in table:
        n_out = max(int(width * multiple), 1)
        if stride < 1:
            parts.append(nn.Upsample(scale_factor=2, mode="nearest"))
        parts.append(_Mirrored(dilation * (kernel - 1) // 2))
        parts += [nn.Conv2d(n_in, n_out, kernel, max(int(stride), 1), dilation=dilation), act()]
        n_in = n_out
    return nn.Sequential(*parts)


def _picture(width: int) -> tuple[nn.Module, ...]:
    """Return the last layer, whose values are clipped and not squeezed."""
    return _Mirrored(1), nn.Conv2d(max(width // 2, 1), 3, 3), nn.Hardtanh(-1.0, 1.0)


def _critic(width: int, multiples: tuple[int, ...], side_px: int) -> nn.Sequential:
    parts: list[nn.Module] = []
    n_in, side = 3, side_px
    for multiple in multiples:
        parts += [nn.Conv2d(n_in, width * multiple, 5, 2, padding=2), nn.LeakyReLU(0.2)]
        n_in, side = width * multiple, -(-side // 2)
    return nn.Sequential(*parts, nn.Flatten(), nn.Linear(n_in * side * side, 1))
