"""Semantic inpainting of Yeh et al. 2017: a generator of faces; then, for each picture, a search for its face.

    z -> DCGAN's generator -> a face;  for a picture, the z whose face is nearest to what is known of it, and likely

The search takes `steps` passes forward and back for each picture: no graph of it can be exported.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - torch's own name for it
from torch import Tensor, nn

from fdtrain.config.baselines import YehConfig
from fdtrain.networks.context_encoder import dcgan
from fdtrain.networks.restorer import Restoration, Restorer

FIRST_PX = 4

_SEED = 13
"""Of where each search begins: at the same place, so that a picture's result depends on nothing else."""


class Yeh(Restorer):
    """The generator, the discriminator that says how likely a face is, and the search. The side is a power of 2."""

    one_pass: ClassVar[bool] = False

    @classmethod
    def of(cls, settings: Any, size_px: int) -> Yeh:
        """Return the networks of these settings: how often the generator doubles its map is of the size."""
        return cls(settings, size_px)

    def __init__(self, config: YehConfig, size_px: int) -> None:
        super().__init__()
        self.config = config
        self.generator: nn.Module = FaceGenerator(config.latent, config.width, size_px)
        self.judge: nn.Module = dcgan(config.discriminator_width, size_px)

    def forward(self, occluded_B3HW: Tensor, mask_B1HW: Tensor) -> Restoration:
        """Return the face that is found for each picture; what lies in the hole is not looked at."""
        start_1Z = np.random.default_rng(_SEED).uniform(-1, 1, (1, self.config.latent)).astype(np.float32)
        z_BZ = torch.from_numpy(start_1Z).to(occluded_B3HW.device).repeat(len(occluded_B3HW), 1)
        if not occluded_B3HW.is_meta:  # shapes only
            z_BZ = self.search(z_BZ, occluded_B3HW, mask_B1HW)
        image_B3HW: Tensor = self.generator(z_BZ)
        return Restoration(image_B3HW, image_B3HW)

    def search(self, start_BZ: Tensor, occluded_B3HW: Tensor, mask_B1HW: Tensor) -> Tensor:
        """Return the z in [-1, 1] that the search ends at, of each picture (section 3.2 and 3.3)."""
        # What was made in inference mode can be in no graph; copies can.
        with torch.inference_mode(False), torch.enable_grad():
            z_BZ = start_BZ.clone().requires_grad_()
            known_B3HW = occluded_B3HW.float().clone()
            weights_B1HW = context_weights(mask_B1HW.float().clone(), self.config.window_px)
            optimiser = torch.optim.Adam([z_BZ], lr=self.config.rate)
            for _ in range(self.config.steps):
                face_B3HW = self.generator(z_BZ).float()
                context = (weights_B1HW * (face_B3HW - known_B3HW).abs()).sum()
                prior = -F.softplus(self.judge(face_B3HW).float()).sum()  # log(1 - D)
                (z_BZ.grad,) = torch.autograd.grad(context + self.config.prior * prior, z_BZ)
                optimiser.step()
                with torch.no_grad():
                    z_BZ.clamp_(-1, 1)
        return z_BZ.detach()


class FaceGenerator(nn.Module):
    """DCGAN's generator: z (B, latent) to pictures in [-1, 1]."""

    def __init__(self, latent: int, width: int, size_px: int) -> None:
        super().__init__()
        n_doubled = (size_px // FIRST_PX).bit_length() - 1
        widths = [width * min(2**place, 16) for place in range(n_doubled, 0, -1)]
        parts: list[nn.Module] = [nn.ConvTranspose2d(latent, widths[0], FIRST_PX)]
        for n_in, n_out in zip(widths, [*widths[1:], 3], strict=True):
            parts += [nn.BatchNorm2d(n_in), nn.ReLU(), nn.ConvTranspose2d(n_in, n_out, 4, 2, padding=1)]
        self.layers = nn.Sequential(*parts, nn.Tanh())

    def forward(self, z_BZ: Tensor) -> Tensor:
        """Return a face for each z."""
        image_B3HW: Tensor = self.layers(z_BZ[..., None, None])
        return image_B3HW


def context_weights(mask_B1HW: Tensor, window_px: int) -> Tensor:
    """Return how much each known pixel counts: the share of its window that is hidden; hidden pixels count nothing.

    >>> context_weights(torch.tensor([[[[0.0, 0.0, 1.0, 1.0, 1.0]]]]), 3)[0, 0, 0].round(decimals=2).tolist()
    [0.0, 0.33000001311302185, 0.0, 0.0, 0.0]
    """
    pad = window_px // 2
    hidden_B1HW = F.avg_pool2d(mask_B1HW, 2 * pad + 1, 1, pad, count_include_pad=False)
    return hidden_B1HW * (1 - mask_B1HW)
