"""DeepFillv2, gated convolutions from coarse to fine, of Yu et al. 2019, "Free-Form Image Inpainting".

    blanked + ones + mask -> coarse network -> coarse, pasted -+-> dilated branch ---+
                                                               +-> attention branch -+-> decoder -> picture

Layers are those of GCA, by the same authors, with three differences: each convolution is gated, borders are padded with
zeros, and the refinement sees the picture alone. Nothing is normalised.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from fdtrain.config.baselines import DeepFillConfig
from fdtrain.networks.attention import ContextualAttention
from fdtrain.networks.edgeconnect import spectral_norm
from fdtrain.networks.gca import (
    AFTER_ATTENTION,
    ATTENTION_BRANCH,
    BEFORE_ATTENTION,
    COARSE,
    DECODER,
    DILATED_BRANCH,
    Layer,
)
from fdtrain.networks.restorer import Restoration, Restorer, blanked, composite

JUDGE_WIDTHS = (1, 2, 4, 4, 4, 4)
"""Of SN-PatchGAN: six convolutions of 5x5 and stride 2 (section 3.3)."""


class DeepFill(Restorer):
    """The generator: a coarse network and a refinement network of two branches. Sides must be multiples of 8."""

    has_coarse = True

    def __init__(self, config: DeepFillConfig) -> None:
        super().__init__()
        width = config.width
        self.coarse = nn.Sequential(_gated(5, COARSE, width), *_picture(width))
        self.dilated = _gated(3, DILATED_BRANCH, width)
        self.attentive = nn.Sequential(
            _gated(3, ATTENTION_BRANCH, width), GatedConv(2 * width, BEFORE_ATTENTION, width, nn.ReLU())
        )
        self.attention = ContextualAttention()
        self.attended = _gated(2 * width, AFTER_ATTENTION, width)
        self.decoder = nn.Sequential(_gated(4 * width, DECODER, width), *_picture(width))

    def forward(self, occluded_B3HW: Tensor, mask_B1HW: Tensor) -> Restoration:
        """Complete the picture; what lies in the hole is not looked at."""
        # The channel of ones shows a convolution where the padding begins.
        seen_B5HW = torch.cat([blanked(occluded_B3HW, mask_B1HW), torch.ones_like(mask_B1HW), mask_B1HW], 1)
        coarse_B3HW: Tensor = self.coarse(seen_B5HW)
        pasted_B3HW = composite(coarse_B3HW, occluded_B3HW, mask_B1HW)
        matched = self.attended(self.attention(self.attentive(pasted_B3HW), mask_B1HW))
        image_B3HW: Tensor = self.decoder(torch.cat([self.dilated(pasted_B3HW), matched], 1))
        return Restoration(coarse_B3HW, image_B3HW)


class GatedConv(nn.Module):
    """A convolution half of whose channels gate the other half: activation(features) * sigmoid(gates), section 3.1.

    `layer.width * width` counts both halves, as the authors' 48 do; half as many channels come out.
    """

    def __init__(self, n_in: int, layer: Layer, width: int, act: nn.Module | None = None) -> None:
        super().__init__()
        self.enlarge = nn.Upsample(scale_factor=2, mode="nearest") if layer.stride < 1 else nn.Identity()
        self.conv = nn.Conv2d(
            n_in,
            2 * gated_channels(layer, width),
            layer.kernel,
            max(int(layer.stride), 1),
            padding=layer.dilation * (layer.kernel - 1) // 2,
            dilation=layer.dilation,
        )
        self.act = act or nn.ELU()

    def forward(self, x: Tensor) -> Tensor:
        """Return the gated features."""
        features, gates = self.conv(self.enlarge(x)).chunk(2, 1)
        gated: Tensor = self.act(features) * torch.sigmoid(gates)
        return gated


class SpectralPatchGan(nn.Module):
    """SN-PatchGAN (section 3.3): each value of its last map is a judgement of its own, of a place and a channel.

    `forward(image_B3HW, mask_B1HW)` gives (B, 4 * width, H / 64, W / 64), at least one place, high for real.
    """

    def __init__(self, config: DeepFillConfig) -> None:
        super().__init__()
        parts: list[nn.Module] = []
        n_in = 4
        for multiple in JUDGE_WIDTHS:
            n_out = config.discriminator_width * multiple
            parts += [spectral_norm(nn.Conv2d(n_in, n_out, 5, 2, padding=2)), nn.LeakyReLU(0.2)]
            n_in = n_out
        self.layers = nn.Sequential(*parts)

    def forward(self, image_B3HW: Tensor, mask_B1HW: Tensor) -> Tensor:
        """Return the judgements."""
        judged: Tensor = self.layers(torch.cat([image_B3HW, mask_B1HW], 1))
        return judged


def gated_channels(layer: Layer, width: int) -> int:
    """Return how many channels come out of a gated convolution."""
    return max(int(layer.width * width) // 2, 1)


def _gated(n_in: int, table: tuple[Layer, ...], width: int) -> nn.Sequential:
    parts = []
    for layer in table:
        parts.append(GatedConv(n_in, layer, width))
        n_in = gated_channels(layer, width)
    return nn.Sequential(*parts)


def _picture(width: int) -> tuple[nn.Module, ...]:
    return nn.Conv2d(max(width // 4, 1), 3, 3, padding=1), nn.Tanh()
