"""The losses of sections 3.3 and 3.5, each a mean over the images of a batch.

`B3HW` is pictures in [-1, 1], `B1HW` weights or masks. Everything is computed in float32, regardless of the networks'
precision.
"""

from __future__ import annotations

import functools
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own name for it
from torch import Tensor

from fdtrain.networks.restorer import full_precision, luma

Adversarial = Literal["minimax", "nonsaturating", "hinge", "lsgan"]

SSIM_WINDOW, SSIM_SIGMA = 11, 1.5
"""Gaussian window of Wang et al. 2004, the paper's [26]."""

SSIM_C1, SSIM_C2 = 0.01**2, 0.03**2
"""Its constants for a range of 1."""


def pixel_weights(mask_B1HW: Tensor, hole_weight: float) -> Tensor:
    """Return weights (B, 1, H, W) with a mean of 1 in each image: `hole_weight` in the hole against 1 outside."""
    weights_B1HW = 1 + (hole_weight - 1) * mask_B1HW
    return weights_B1HW / weights_B1HW.mean((1, 2, 3), keepdim=True)


def without_chroma(image_B3HW: Tensor, coloured_B111: Tensor) -> Tensor:
    """Return the pictures, those whose `coloured` is 0 as their luma in all three channels: chroma gets no gradient."""
    return torch.where(coloured_B111 > 0, image_B3HW, luma(image_B3HW))


def l1(image_B3HW: Tensor, clean_B3HW: Tensor, weights_B1HW: Tensor) -> Tensor:
    """Return the pixel-wise reconstruction loss (eq. 4), weighted."""
    return ((image_B3HW.float() - clean_B3HW).abs() * weights_B1HW).mean()


def ssim_loss(image_B3HW: Tensor, clean_B3HW: Tensor, weights_B1HW: Tensor) -> Tensor:
    """Return the structure-level similarity loss 1 - SSIM (eq. 5), its map weighted."""
    similarity_B3HW = ssim_map(image_B3HW.float() * 0.5 + 0.5, clean_B3HW * 0.5 + 0.5)
    return 1 - (similarity_B3HW * weights_B1HW).mean()


def ssim(a_B3HW: Tensor, b_B3HW: Tensor) -> Tensor:
    """Return the mean SSIM of two batches in [0, 1] as a scalar; differentiable.

    Gaussian window of 11, sigma 1.5, each channel by itself, covariance without the sample correction, borders by
    reflection: scikit-image's, except that it crops the border of 5 pixels from the mean.
    """
    return ssim_map(a_B3HW, b_B3HW).mean()


def ssim_map(a_B3HW: Tensor, b_B3HW: Tensor) -> Tensor:
    """Return SSIM at every pixel and channel of two batches in [0, 1]."""
    # Five blurs as one: the means of a, b, a², b² and ab.
    parts = torch.cat([a_B3HW, b_B3HW, a_B3HW * a_B3HW, b_B3HW * b_B3HW, a_B3HW * b_B3HW], 1)
    a, b, aa, bb, ab = blur(parts).chunk(5, 1)
    covariance = ab - a * b
    variances = (aa - a * a) + (bb - b * b)
    return ((2 * a * b + SSIM_C1) * (2 * covariance + SSIM_C2)) / ((a * a + b * b + SSIM_C1) * (variances + SSIM_C2))


def blur(images_BCHW: Tensor) -> Tensor:
    """Blur every channel with SSIM's window, reflecting at the border; float32, also inside an autocast."""
    n_channels, radius = images_BCHW.shape[1], SSIM_WINDOW // 2
    kernel = _gaussian(images_BCHW.device).repeat(n_channels, 1, 1, 1)
    with full_precision(images_BCHW.device):
        padded = F.pad(images_BCHW.float(), (radius,) * 4, mode="reflect")
        rows = F.conv2d(padded, kernel, groups=n_channels)
        return F.conv2d(rows, kernel.transpose(2, 3), groups=n_channels)


@functools.lru_cache(maxsize=4)
def _gaussian(device: torch.device) -> Tensor:
    places = torch.arange(SSIM_WINDOW, dtype=torch.float64) - SSIM_WINDOW // 2
    weights = torch.exp(-(places**2) / (2 * SSIM_SIGMA**2))
    return (weights / weights.sum()).float().view(1, 1, 1, SSIM_WINDOW).to(device, non_blocking=True)


class DiscriminatorScores(NamedTuple):
    """A discriminator's logits for real and for generated windows."""

    real_B1HW: Tensor
    fake_B1HW: Tensor


def discriminator_loss(kind: Adversarial, scores: DiscriminatorScores) -> Tensor:
    """Return what a discriminator minimises (eq. 7 and 9, negated; or the hinge or least-squares form)."""
    real, fake = scores.real_B1HW.float(), scores.fake_B1HW.float()
    if kind == "hinge":
        return F.relu(1 - real).mean() + F.relu(1 + fake).mean()
    if kind == "lsgan":
        return ((real - 1) ** 2).mean() + (fake**2).mean()
    return F.softplus(-real).mean() + F.softplus(fake).mean()  # -log D(real) - log(1 - D(fake))


def generator_loss(kind: Adversarial, fake_B1HW: Tensor) -> Tensor:
    """Return the adversarial term of a generator (eq. 7 and 9).

    `minimax` is the paper's log(1 - D(G)), whose gradient vanishes where the discriminator is sure; `nonsaturating`
    is -log D(G).
    """
    fake = fake_B1HW.float()
    if kind == "minimax":
        return -F.softplus(fake).mean()
    if kind == "nonsaturating":
        return F.softplus(-fake).mean()
    if kind == "hinge":
        return -fake.mean()
    return ((fake - 1) ** 2).mean()
