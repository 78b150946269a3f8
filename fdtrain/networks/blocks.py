"""The parts of the generators: normalised convolutions up and down, dilation, squeeze-and-excitation.

Tensors are `B` images, `C` channels, `H` rows, `W` columns. Normalisation is of instances: each channel of each image
by its own mean and variance, with a learnt scale and shift; or there is none.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

Norm = Literal["instance", "none"]
Order = Literal["act-conv-norm", "conv-norm-act"]
Activation = Literal["relu", "tanh"]
Upsample = Literal["deconv", "nearest"]


def normalisation(norm: Norm, channels: int) -> nn.Module:
    """Return an instance normalisation, or nothing.

    Written as a group normalisation of one channel a group: the same arithmetic, and the fastest of three on a CPU
    (in the usual layout; channels_last is half as fast).
    """
    return nn.GroupNorm(channels, channels) if norm == "instance" else nn.Identity()


def activation(name: Activation) -> nn.Module:
    """Return a relu or a tanh. Not in place: before a convolution, what it acts on is also a skip connection."""
    return nn.Tanh() if name == "tanh" else nn.ReLU()


def down(n_in: int, n_out: int, *, stride: int, norm: Norm, order: Order, act: Activation) -> nn.Sequential:
    """Return an encoder layer (section 3.2): activation, convolution and normalisation, in that order or not.

    (B, n_in, H, W) to (B, n_out, H / stride, W / stride). The kernel is 4 where it strides, so that every input pixel
    counts equally often, and 3 where it does not.

    Args:
        n_in: Channels in.
        n_out: Channels out.
        stride: 1, or 2 to halve the sides.
        norm: Kind of normalisation, or none.
        order: Whether the activation comes first or last.
        act: Kind of activation.
    """
    kernel = 4 if stride == 2 else 3
    return _in_order(order, nn.Conv2d(n_in, n_out, kernel, stride, padding=1), normalisation(norm, n_out), act)


def up(n_in: int, n_out: int, *, stride: int, norm: Norm, order: Order, upsample: Upsample) -> nn.Sequential:
    """Return a decoder layer (section 3.2): as `down`, with a de-convolution in place of the convolution.

    (B, n_in, H, W) to (B, n_out, H * stride, W * stride).

    Args:
        n_in: Channels in.
        n_out: Channels out.
        stride: 1, or 2 to double the sides.
        norm: Kind of normalisation, or none.
        order: Whether the activation, a ReLU, comes first or last.
        upsample: How the sides are enlarged.
    """
    enlarging = upsampling(n_in, n_out, stride=stride, upsample=upsample)
    return _in_order(order, enlarging, normalisation(norm, n_out), "relu")


def upsampling(n_in: int, n_out: int, *, stride: int, upsample: Upsample) -> nn.Module:
    """Return what enlarges: a transposed convolution, or repeated pixels and a convolution (no checkerboard)."""
    if stride == 1:
        return nn.Conv2d(n_in, n_out, 3, padding=1)
    if upsample == "deconv":
        return nn.ConvTranspose2d(n_in, n_out, 4, 2, padding=1)
    return nn.Sequential(nn.Upsample(scale_factor=2, mode="nearest"), nn.Conv2d(n_in, n_out, 3, padding=1))


def _in_order(order: Order, conv: nn.Module, norm: nn.Module, act: Activation) -> nn.Sequential:
    if order == "act-conv-norm":
        return nn.Sequential(activation(act), conv, norm)
    return nn.Sequential(conv, norm, activation(act))


class SqueezeExcitation(nn.Module):
    """Weigh channels by what the whole map holds (section 3.2, after Hu et al. 2018).

    (B, C, H, W) to the same shape. It must follow an activation: straight after instance normalisation the mean of
    every channel is the learnt shift, for any image.
    """

    def __init__(self, channels: int, ratio: int) -> None:
        super().__init__()
        squeezed = max(channels // ratio, 4)
        self.squeeze = nn.Conv2d(channels, squeezed, 1)
        self.excite = nn.Conv2d(squeezed, channels, 1)

    def forward(self, features_BCHW: Tensor) -> Tensor:
        """Return the features, each channel times a weight in (0, 1)."""
        pooled_BC11 = features_BCHW.mean((2, 3), keepdim=True)
        return features_BCHW * torch.sigmoid(self.excite(torch.relu(self.squeeze(pooled_BC11))))


class DilatedBlock(nn.Module):
    """One dilated convolution with squeeze-and-excitation, in the middle of a generator (section 3.2).

    (B, C, H, W) to the same shape. `residual` adds the result to the input; a `se_ratio` of 0 leaves the squeezing out.
    """

    def __init__(self, channels: int, *, dilation: int, se_ratio: int, norm: Norm, residual: bool) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=dilation, dilation=dilation)
        self.norm = normalisation(norm, channels)
        self.recalibrate = SqueezeExcitation(channels, se_ratio) if se_ratio else nn.Identity()
        self.residual = residual

    def forward(self, features_BCHW: Tensor) -> Tensor:
        """Return the features, seen more widely."""
        seen_BCHW: Tensor = self.recalibrate(torch.relu(self.norm(self.conv(features_BCHW))))
        return features_BCHW + seen_BCHW if self.residual else seen_BCHW
