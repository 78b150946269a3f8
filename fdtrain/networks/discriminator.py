"""The conditional PatchGAN (section 3.2, after Isola et al. 2017): real or generated, window by window."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from fdtrain.config.schema import DiscriminatorConfig
from fdtrain.networks.blocks import normalisation
from fdtrain.networks.fdstack import INPUT_CHANNELS
from fdtrain.networks.restorer import INITIAL_SPREAD

SLOPE = 0.2
"""Of the leaky relu, pix2pix's."""

# (kernel, stride, width as a multiple) of each layer but the last, and the last's kernel.
WINDOWS: dict[str, tuple[tuple[tuple[int, int, int], ...], int]] = {
    "rf32": (((3, 1, 1), (4, 2, 2), (4, 2, 4), (4, 1, 8)), 3),
    "rf34": (((4, 2, 1), (4, 2, 2), (4, 1, 4)), 4),
    "rf70": (((4, 2, 1), (4, 2, 2), (4, 2, 4), (4, 1, 8)), 4),
}


def receptive_field(window: str) -> int:
    """Return the side in pixels of what one output sees, counted from the last layer to the first.

    >>> [receptive_field(window) for window in ("rf32", "rf34", "rf70")]
    [32, 34, 70]
    """
    layers, last = WINDOWS[window]
    side = last
    for kernel, stride, _ in reversed(layers):
        side = (side - 1) * stride + kernel
    return side


class PatchDiscriminator(nn.Module):
    """D_1 or D_2: scores for windows of a picture, given what it was made from.

    `forward(condition_BCHW, image_B3HW)` gives logits (B, 1, H', W'), high for real. The condition is I_o, four
    channels; with `condition_channels` 3 it is a picture. Normalised by instance except in the first and last layer.
    """

    def __init__(self, config: DiscriminatorConfig, *, condition_channels: int = INPUT_CHANNELS) -> None:
        super().__init__()
        layers, last_kernel = WINDOWS[config.window]
        parts: list[nn.Module] = []
        n_in = condition_channels + 3
        for place, (kernel, stride, multiple) in enumerate(layers):
            n_out = min(config.width * multiple, config.most_width)
            parts += _same_size(kernel, stride)
            parts.append(nn.Conv2d(n_in, n_out, kernel, stride))
            if config.norm == "instance" and place > 0:
                parts.append(normalisation(config.norm, n_out))
            parts.append(nn.LeakyReLU(SLOPE))
            n_in = n_out
        parts += [*_same_size(last_kernel, 1), nn.Conv2d(n_in, 1, last_kernel)]
        self.layers = nn.Sequential(*parts)
        self.has_spectral_norm = config.spectral_norm

    def forward(self, condition_BCHW: Tensor, image_B3HW: Tensor) -> Tensor:
        """Return a logit for each window."""
        logits_B1HW: Tensor = self.layers(torch.cat([condition_BCHW, image_B3HW], 1))
        return logits_B1HW


def initialise_discriminator(module: PatchDiscriminator, generator: torch.Generator) -> None:
    """Draw all weights from N(0, 0.02) with `generator`, then bound them by their spectral norm if so configured.

    Parametrising draws the first singular vectors from torch's global state, which is therefore set aside meanwhile.
    """
    for part in module.layers:
        if isinstance(part, nn.Conv2d):
            nn.init.normal_(part.weight, 0.0, INITIAL_SPREAD, generator=generator)
            nn.init.zeros_(part.bias)  # type: ignore[arg-type]
    if module.has_spectral_norm:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(torch.randint(2**31, (), generator=generator)))
            for part in module.layers:
                if isinstance(part, nn.Conv2d):
                    spectral_norm(part)


def _same_size(kernel: int, stride: int) -> list[nn.Module]:
    """Pad so that H becomes H / stride; an even kernel that does not stride needs one more on the right and below."""
    before, after = (kernel - stride) // 2, (kernel - stride + 1) // 2
    return [nn.ZeroPad2d((before, after, before, after))] if kernel > stride else []
