"""The cost of a config before anything is computed: parameters, multiplications, memory, bytes of a checkpoint.

Networks are built on torch's meta device, which has shapes and no numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from fdtrain.config.schema import FitConfig, eigenface_px
from fdtrain.faces.face_mesh import N_FACE
from fdtrain.networks.build import blank_inputs, build_model, build_network
from fdtrain.networks.discriminator import PatchDiscriminator
from fdtrain.networks.fdstack import input_channels
from fdtrain.objectives.open_objective import single_objective
from fdtrain.objectives.perceptual import BACKBONES

RUNTIME_BYTES = 600 * 2**20
"""What torch and the libraries around it take before the first tensor."""

KEPT_TWICE = 2.0
"""A training step holds, in addition to each layer's output, about as much again in gradients and workspaces
(measured)."""


@dataclass(frozen=True)
class Cost:
    """`parameters` of all generators, `gmacs` of them for one picture; memory of a training step; bytes on disk."""

    parameters: int
    discriminator_parameters: int
    gmacs: float
    memory_bytes: int
    checkpoint_bytes: int
    weights_bytes: int


def cost_of(config: FitConfig) -> Cost:
    """Return what a config costs; of what is left to `auto`, the dearest it can come to."""
    side, batch = config.data.size_px, config.training.at_once
    parameters, gmacs = size_of(config)
    n_discriminator, values = _stacked_training(config) if config.is_stack else _single_training(config)
    width = 2 if config.training.precision == "bf16" else 4
    average = parameters if config.training.ema_decay is not None else 0
    learnt = 4 * (4 * (parameters + n_discriminator) + average)  # weights, gradients, two moments
    return Cost(
        parameters=parameters,
        discriminator_parameters=n_discriminator,
        gmacs=gmacs,
        memory_bytes=int(
            RUNTIME_BYTES + learnt + batch * (KEPT_TWICE * width * values + 4 * _perceptual_values(config, side))
        ),
        checkpoint_bytes=4 * (3 * (parameters + n_discriminator) + average + 2 * _eigenfaces(config)),
        weights_bytes=4 * (parameters + _eigenfaces(config)),
    )


def size_of(config: FitConfig) -> tuple[int, float]:
    """Return the parameters of the network that is used, and its billions of multiply-adds for one picture.

    What is no matrix product, as the Canny detector of EdgeConnect, is not counted.
    """
    with torch.device("meta"):
        model = build_network(config).eval()
        counter = FlopCounterMode(display=False)
        with counter, torch.no_grad():
            model(*blank_inputs(config))
    return _count(model), counter.get_total_flops() / 2e9  # a multiplication and its addition are two


def _stacked_training(config: FitConfig) -> tuple[int, int]:
    """Return the parameters of the discriminators, and the values that the layers of a step hold for one picture."""
    side = config.data.size_px
    with torch.device("meta"):
        model = build_model(config)
        channels = input_channels(config.network)
        discriminator = PatchDiscriminator(config.discriminator, condition_channels=channels)
        occluded, mask = torch.empty(1, 3, side, side), torch.empty(1, 1, side, side)
        outputs = _Outputs(model, discriminator)
        model(occluded, mask)
        discriminator(torch.empty(1, channels, side, side), occluded)
    # The model is passed once; a discriminator sees real and generated, then, when that is freed, generated again.
    gammas = config.loss.gamma[: config.training.n_stages]
    values = outputs.of(model) + 2 * outputs.of(discriminator) * any(gammas)
    return _count(discriminator) * sum(gamma > 0 for gamma in gammas), values


def _single_training(config: FitConfig) -> tuple[int, int]:
    """Return the same of any other network: everything that is on at the end of its training, passed once."""
    side, pictures = config.data.size_px, 2  # batch normalisation wants two
    with torch.device("meta"):
        objective = single_objective(config, None)
        judges = [stage.discriminator for stage in objective.stages if stage.discriminator is not None]
        outputs = _Outputs(objective.model, *judges)
        picture = torch.empty(pictures, 3, side, side)
        mask, n_kinds = torch.empty(pictures, 1, side, side), len(config.mask.kinds or ()) if config.mask else 0
        sample = {"occluded": picture, "clean": picture, "mask": mask, "silhouette": mask}
        sample |= {"kinds": torch.empty(pictures, n_kinds), "points": torch.empty(pictures, N_FACE, 3)}
        batch = objective.begin(sample, torch.device("meta"), images=0, step=0)
        made = objective.outputs(batch)
        for stage in objective.stages:
            objective.discriminator_term(stage, batch, made)
            objective.generator_terms(stage, batch, made)
    values = sum(outputs.of(module) for module in (objective.model, *judges))
    return sum(map(_count, judges)), values // pictures


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


def _eigenfaces(config: FitConfig) -> int:
    """Return the values of the eigenfaces that a stack keeps."""
    n = config.network.eigenfaces if config.is_stack else 0
    return 3 * eigenface_px(config.data.size_px) ** 2 * (n + 1) if n else 0


def _count(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


def _perceptual_values(config: FitConfig, side: int) -> int:
    """Return the values that the perceptual network's maps hold for one picture, of three passes."""
    betas = config.loss.beta[: config.training.n_stages]
    if config.loss.perceptual == "off" or not any(betas):
        return 0
    passes = 1 + sum(beta > 0 for beta in betas) if config.is_stack else 2
    blocks = BACKBONES["vgg19" if config.loss.perceptual == "auto" else config.loss.perceptual].blocks
    widths = (64, 128, 256, 512, 512)
    maps = sum(
        2 * n * width * (side >> level) ** 2 for level, (n, width) in enumerate(zip(blocks, widths, strict=True))
    )
    return maps * passes
