"""What a config costs before anything is computed: parameters, multiplications, memory, bytes of a checkpoint.

Networks are laid out on torch's meta device, which has shapes and no numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from fdtrain.config import FitConfig
from fdtrain.networks.discriminator import PatchDiscriminator
from fdtrain.networks.fdstack import StackedGAN
from fdtrain.perceptual import TRUNKS

RUNTIME_BYTES = 600 * 2**20
"""What torch and the libraries around it take before the first tensor."""

KEPT_TWICE = 2.0
"""A training step holds, beside each layer's output, about as much again in gradients and workspaces (measured)."""


@dataclass(frozen=True)
class Cost:
    """`parameters` of both generators, `gmacs` of both for one picture; memory of a training step; bytes on disk."""

    parameters: int
    discriminator_parameters: int
    gmacs: float
    memory_bytes: int
    checkpoint_bytes: int
    weights_bytes: int


def cost_of(config: FitConfig) -> Cost:
    """Return what a config costs."""
    side, batch = config.data.size_px, config.training.batch
    with torch.device("meta"):
        model, discriminator = StackedGAN(config.network), PatchDiscriminator(config.discriminator)
        occluded, mask = torch.empty(1, 3, side, side), torch.empty(1, 1, side, side)
        outputs = _Outputs(model, discriminator)
        counter = FlopCounterMode(display=False)
        with counter:
            model(occluded, mask)
        gmacs = counter.get_total_flops() / 2e9  # a multiplication and its addition are two
        discriminator(torch.cat([occluded, mask], 1), occluded)
    n_model, n_discriminator = _count(model), _count(discriminator) * sum(gamma > 0 for gamma in config.loss.gamma)
    # The model is passed once; a discriminator sees real and generated, then, when that is freed, generated again.
    values = outputs.of(model) + 2 * outputs.of(discriminator) * any(config.loss.gamma)
    width = 2 if config.training.precision == "bf16" else 4
    average = n_model if config.training.ema_decay is not None else 0
    learnt = 4 * (4 * (n_model + n_discriminator) + average)  # weights, gradients, two moments
    return Cost(
        parameters=n_model,
        discriminator_parameters=n_discriminator,
        gmacs=gmacs,
        memory_bytes=int(
            RUNTIME_BYTES + learnt + batch * (KEPT_TWICE * width * values + 4 * _perceptual_values(config, side))
        ),
        checkpoint_bytes=4 * (3 * (n_model + n_discriminator) + average),
        weights_bytes=4 * n_model,
    )


class _Outputs:
    """Counts the values that layers give, by hooks on the layers that have no layers inside."""

    def __init__(self, *models: nn.Module) -> None:
        self.counts: dict[nn.Module, int] = {}
        for model in models:
            for layer in model.modules():
                if not list(layer.children()):
                    layer.register_forward_hook(self._count)

    def _count(self, layer: nn.Module, given: object, result: Tensor) -> None:
        self.counts[layer] = self.counts.get(layer, 0) + result.numel()

    def of(self, model: nn.Module) -> int:
        return sum(self.counts.get(layer, 0) for layer in model.modules())


def _count(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


def _perceptual_values(config: FitConfig, side: int) -> int:
    """Return the values that the perceptual network's maps hold for one picture, of three passes."""
    if config.loss.perceptual == "off" or not any(config.loss.beta):
        return 0
    blocks = TRUNKS[config.loss.perceptual].blocks
    widths = (64, 128, 256, 512, 512)
    maps = sum(
        2 * n * width * (side >> level) ** 2 for level, (n, width) in enumerate(zip(blocks, widths, strict=True))
    )
    return maps * (1 + sum(beta > 0 for beta in config.loss.beta))
