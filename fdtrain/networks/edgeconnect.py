"""EdgeConnect, lines first and colours next, of Nazeri et al. 2019: two generators of one shape, two PatchGANs.

    grey, blanked + Canny edges of what is known + mask -> G1 -> edges of the hole
    picture, blanked + known edges, and in the hole G1's  -> G2 -> picture

Layers are those of appendix A. With its 4x4 kernels the last residual block sees 208 px; the 205 of section 3 are what
3x3 kernels would give.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from fdtrain.config.baselines import EdgeConnectConfig
from fdtrain.networks.canny import known_edges
from fdtrain.networks.restorer import Restoration, Restorer, blanked, luma

DILATION = 2
"""Of the first convolution of each residual block (section 3)."""

HOLE = 1.0
"""Holes are filled with white."""

Wrap = Callable[[nn.Module], nn.Module]


class EdgeConnect(Restorer):
    """Both generators. Sides must be multiples of 4."""

    def __init__(self, config: EdgeConnectConfig) -> None:
        super().__init__()
        self.sigma_px = config.sigma_px
        # Section 3.1: spectral normalisation in the edge generator, none in the completion network for its cost.
        self.edges = ResidualGenerator(3, 1, config, spectral_norm, nn.Sigmoid())
        self.completion = ResidualGenerator(4, 3, config, _plain, nn.Tanh())

    def forward(self, occluded_B3HW: Tensor, mask_B1HW: Tensor) -> Restoration:
        """Complete the edges, then the picture; what lies in the hole is not looked at."""
        known_B1HW = canny_edges(luma(occluded_B3HW), self.sigma_px, mask_B1HW)
        return self.along(occluded_B3HW, mask_B1HW, known_B1HW)

    def along(self, occluded_B3HW: Tensor, mask_B1HW: Tensor, known_B1HW: Tensor) -> Restoration:
        """Do the same along edges that were found before: all of it that is a network."""
        made_B1HW = self.predict_edges(luma(occluded_B3HW), known_B1HW, mask_B1HW)
        image_B3HW = self.complete(occluded_B3HW, joined_edges(known_B1HW, made_B1HW, mask_B1HW), mask_B1HW)
        return Restoration(image_B3HW, image_B3HW)

    def predict_edges(self, grey_B1HW: Tensor, edges_B1HW: Tensor, mask_B1HW: Tensor) -> Tensor:
        """Return C_pred (eq. 1): edges in [0, 1] of the whole picture, from those outside the hole."""
        seen_B3HW = torch.cat([blanked(grey_B1HW, mask_B1HW, HOLE), edges_B1HW * (1 - mask_B1HW), mask_B1HW], 1)
        made_B1HW: Tensor = self.edges(seen_B3HW)
        return made_B1HW

    def complete(self, occluded_B3HW: Tensor, edges_B1HW: Tensor, mask_B1HW: Tensor) -> Tensor:
        """Return the picture that G2 paints along whole edges (eq. 4)."""
        image_B3HW: Tensor = self.completion(torch.cat([blanked(occluded_B3HW, mask_B1HW, HOLE), edges_B1HW], 1))
        return image_B3HW


class ResidualGenerator(nn.Module):
    """Down twice, residual blocks, up twice; instance normalisation, relus, mirrored borders (after Johnson et al.)."""

    def __init__(self, n_in: int, n_out: int, config: EdgeConnectConfig, wrap: Wrap, last: nn.Module) -> None:
        super().__init__()
        width = config.width
        self.encoder = nn.Sequential(
            nn.ReflectionPad2d(3),
            wrap(nn.Conv2d(n_in, width, 7)),
            *_normed(width),
            wrap(nn.Conv2d(width, 2 * width, 4, 2, padding=1)),
            *_normed(2 * width),
            wrap(nn.Conv2d(2 * width, 4 * width, 4, 2, padding=1)),
            *_normed(4 * width),
        )
        self.middle = nn.Sequential(*(ResidualBlock(4 * width, wrap) for _ in range(config.blocks)))
        self.decoder = nn.Sequential(
            wrap(nn.ConvTranspose2d(4 * width, 2 * width, 4, 2, padding=1)),
            *_normed(2 * width),
            wrap(nn.ConvTranspose2d(2 * width, width, 4, 2, padding=1)),
            *_normed(width),
            nn.ReflectionPad2d(3),
            nn.Conv2d(width, n_out, 7),
            last,
        )

    def forward(self, seen_BCHW: Tensor) -> Tensor:
        """Return edges or a picture."""
        made_BCHW: Tensor = self.decoder(self.middle(self.encoder(seen_BCHW)))
        return made_BCHW


class ResidualBlock(nn.Module):
    """A dilated and a plain convolution of 3x3, added to what comes in."""

    def __init__(self, channels: int, wrap: Wrap) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.ReflectionPad2d(DILATION),
            wrap(nn.Conv2d(channels, channels, 3, dilation=DILATION)),
            *_normed(channels),
            nn.ReflectionPad2d(1),
            wrap(nn.Conv2d(channels, channels, 3)),
            nn.InstanceNorm2d(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return the sum."""
        made: Tensor = x + self.layers(x)
        return made


class FeatureDiscriminator(nn.Module):
    """The 70x70 PatchGAN of both stages, spectrally normalised, which also gives its feature maps for matching."""

    def __init__(self, n_in: int, width: int) -> None:
        super().__init__()
        layers = []
        for stride, multiple in ((2, 1), (2, 2), (2, 4), (1, 8)):
            conv = spectral_norm(nn.Conv2d(n_in, width * multiple, 4, stride, padding=1, bias=False))
            layers.append(nn.Sequential(conv, nn.LeakyReLU(0.2)))
            n_in = width * multiple
        layers.append(nn.Sequential(spectral_norm(nn.Conv2d(n_in, 1, 4, 1, padding=1, bias=False))))
        self.layers = nn.ModuleList(layers)

    def forward(self, seen_BCHW: Tensor) -> list[Tensor]:
        """Return the activations of all layers; the last are the logits (B, 1, H', W')."""
        maps = []
        for layer in self.layers:
            seen_BCHW = layer(seen_BCHW)
            maps.append(seen_BCHW)
        return maps


def canny_edges(grey_B1HW: Tensor, sigma_px: float, hole_B1HW: Tensor | None = None) -> Tensor:
    """Return binary edges (B, 1, H, W); those in and along a hole are left out where one is given."""
    if grey_B1HW.is_meta:  # shapes only
        return torch.empty_like(grey_B1HW)
    pictures_BHW = grey_B1HW[:, 0].cpu().numpy()
    known = [None] * len(pictures_BHW) if hole_B1HW is None else list(hole_B1HW[:, 0].cpu().numpy() == 0)
    edges = [
        known_edges(picture_HW, sigma_px, known_HW) for picture_HW, known_HW in zip(pictures_BHW, known, strict=True)
    ]
    return torch.from_numpy(np.stack(edges))[:, None].to(grey_B1HW.device)


def joined_edges(known_B1HW: Tensor, made_B1HW: Tensor, mask_B1HW: Tensor) -> Tensor:
    """Return C_comp (section 3.2): the known edges outside the hole, predicted ones in it."""
    return known_B1HW * (1 - mask_B1HW) + made_B1HW * mask_B1HW


def spectral_norm(module: nn.Module) -> nn.Module:
    """Bound a layer by its spectral norm; on the meta device, where weights have no values, leave it alone."""
    return module if torch.get_default_device().type == "meta" else parametrizations.spectral_norm(module)


def _normed(channels: int) -> tuple[nn.Module, nn.Module]:
    return nn.InstanceNorm2d(channels), nn.ReLU()


def _plain(module: nn.Module) -> nn.Module:
    return module
