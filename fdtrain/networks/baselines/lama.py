"""LaMa, large masks by Fourier convolutions, of Suvorov et al. 2022 ("Resolution-robust Large Mask Inpainting").

    blanked + mask -> 7x7 -> down, down, down -> residual blocks of Fourier convolutions -> up, up, up -> 7x7 -> picture

From the last layer down on three quarters of the channels are global: they pass through the spectrum of the whole map,
so that one layer sees all of the picture. Pictures are in [0, 1] within, as the paper's; this is LaMa-Fourier, without
the local Fourier units of the first Fourier convolutions.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from fdtrain.config.baselines import LamaConfig
from fdtrain.networks.restorer import Restoration, Restorer, blanked

GLOBAL_SHARE = 0.75
"""Of the channels in the residual blocks (section 2.1)."""

HALVINGS = 3


class Branches(NamedTuple):
    """Features that see their surroundings, and features that see everything."""

    local_BCHW: Tensor
    global_BCHW: Tensor


class Lama(Restorer):
    """The generator. Sides must be multiples of 8."""

    def __init__(self, config: LamaConfig) -> None:
        super().__init__()
        width = config.width
        deep = width * 2**HALVINGS
        self.encoder = nn.Sequential(
            nn.ReflectionPad2d(3),
            nn.Conv2d(4, width, 7, bias=False),
            *_normed(width),
            *_down(width, 2 * width),
            *_down(2 * width, 4 * width),
        )
        self.parting = Parting(4 * width, deep)
        self.middle = nn.ModuleList(FourierBlock(deep) for _ in range(config.blocks))
        self.decoder = nn.Sequential(
            *_up(deep, 4 * width),
            *_up(4 * width, 2 * width),
            *_up(2 * width, width),
            nn.ReflectionPad2d(3),
            nn.Conv2d(width, 3, 7),
            nn.Sigmoid(),
        )

    def forward(self, occluded_B3HW: Tensor, mask_B1HW: Tensor) -> Restoration:
        """Complete the picture; what lies in the hole is not looked at."""
        seen_B4HW = torch.cat([blanked(occluded_B3HW * 0.5 + 0.5, mask_B1HW), mask_B1HW], 1)
        branches: Branches = self.parting(self.encoder(seen_B4HW))
        for block in self.middle:
            branches = block(branches)
        image_B3HW: Tensor = 2 * self.decoder(torch.cat(branches, 1)) - 1
        return Restoration(image_B3HW, image_B3HW)


class Parting(nn.Module):
    """The last layer down, which gives both kinds of features from local ones alone."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        n_local, n_global = parted(n_out)
        self.to_local = nn.Sequential(_mirrored(n_in, n_local, stride=2), *_normed(n_local))
        self.to_global = nn.Sequential(_mirrored(n_in, n_global, stride=2), *_normed(n_global))

    def forward(self, x: Tensor) -> Branches:
        """Return both, half as large."""
        return Branches(self.to_local(x), self.to_global(x))


class FourierConvolution(nn.Module):
    """A fast Fourier convolution with batch normalisation and relus (figure 2 of the paper, Chi et al. 2020)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        n_local, n_global = parted(channels)
        self.local_to_local = _mirrored(n_local, n_local)
        self.local_to_global = _mirrored(n_local, n_global)
        self.global_to_local = _mirrored(n_global, n_local)
        self.global_to_global = SpectralTransform(n_global)
        self.norm_local, self.norm_global = nn.Sequential(*_normed(n_local)), nn.Sequential(*_normed(n_global))

    def forward(self, branches: Branches) -> Branches:
        """Return both kinds of features, each made of both."""
        near, far = branches
        return Branches(
            self.norm_local(self.local_to_local(near) + self.global_to_local(far)),
            self.norm_global(self.local_to_global(near) + self.global_to_global(far)),
        )


class FourierBlock(nn.Module):
    """Two Fourier convolutions, added to what comes in."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(FourierConvolution(channels), FourierConvolution(channels))

    def forward(self, branches: Branches) -> Branches:
        """Return the sum."""
        made: Branches = self.layers(branches)
        return Branches(branches.local_BCHW + made.local_BCHW, branches.global_BCHW + made.global_BCHW)


class SpectralTransform(nn.Module):
    """1x1 to half of the channels, a Fourier unit next to the identity, 1x1 back."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        half = max(channels // 2, 1)
        self.squeeze = nn.Sequential(nn.Conv2d(channels, half, 1, bias=False), *_normed(half))
        self.unit = FourierUnit(half)
        self.widen = nn.Conv2d(half, channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return features that have seen the whole map."""
        x = self.squeeze(x)
        seen: Tensor = self.widen(x + self.unit(x))
        return seen


class FourierUnit(nn.Module):
    """A 1x1 convolution of the spectrum of a map, real and imaginary parts as channels, orthonormal both ways."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(2 * channels, 2 * channels, 1, bias=False), *_normed(2 * channels))

    def forward(self, x: Tensor) -> Tensor:
        """Return the map of the convolved spectrum."""
        height, width = x.shape[-2:]
        spectrum = torch.view_as_real(torch.fft.rfft2(x.float(), norm="ortho"))  # (B, C, H, W / 2 + 1, 2)
        made = self.layers(spectrum.permute(0, 1, 4, 2, 3).flatten(1, 2)).float()
        made = made.unflatten(1, (-1, 2)).permute(0, 1, 3, 4, 2).contiguous()
        back: Tensor = torch.fft.irfft2(torch.view_as_complex(made), s=(height, width), norm="ortho")
        return back


class LamaDiscriminator(nn.Module):
    """The PatchGAN of pix2pixHD with four layers that stride; it also gives its maps, for feature matching.

    `forward(image_B3HW)` of pictures in [0, 1] gives the maps of all layers; the last are the logits, high for real.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        layers = [nn.Sequential(nn.Conv2d(3, width, 4, 2, padding=2), nn.LeakyReLU(0.2))]
        n_in = width
        for stride, multiple in ((2, 2), (2, 4), (2, 8), (1, 8)):
            n_out = width * multiple
            conv = nn.Conv2d(n_in, n_out, 4, stride, padding=2)
            layers.append(nn.Sequential(conv, nn.BatchNorm2d(n_out), nn.LeakyReLU(0.2)))
            n_in = n_out
        layers.append(nn.Sequential(nn.Conv2d(n_in, 1, 4, 1, padding=2)))
        self.layers = nn.ModuleList(layers)

    def forward(self, image_B3HW: Tensor) -> list[Tensor]:
        """Return all maps."""
        maps = []
        for layer in self.layers:
            image_B3HW = layer(image_B3HW)
            maps.append(image_B3HW)
        return maps


def parted(channels: int) -> tuple[int, int]:
    """Return how many of the channels are local, and how many global.

    >>> parted(512)
    (128, 384)
    """
    n_global = int(GLOBAL_SHARE * channels)
    return channels - n_global, n_global


def _mirrored(n_in: int, n_out: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(n_in, n_out, 3, stride, padding=1, bias=False, padding_mode="reflect")


def _normed(channels: int) -> tuple[nn.Module, nn.Module]:
    return nn.BatchNorm2d(channels), nn.ReLU()


def _down(n_in: int, n_out: int) -> tuple[nn.Module, ...]:
    return _mirrored(n_in, n_out, stride=2), *_normed(n_out)


def _up(n_in: int, n_out: int) -> tuple[nn.Module, ...]:
    return nn.ConvTranspose2d(n_in, n_out, 3, 2, padding=1, output_padding=1), *_normed(n_out)
