"""The objective that a config asks for, its networks drawn from the run's seed."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import is_parametrized

from fdgen.runtime.load_by_name import load_by_name
from fdtrain.config.schema import FitConfig
from fdtrain.methods import LEARNED
from fdtrain.networks.restorer import INITIAL_SPREAD
from fdtrain.objectives.base import Objective
from fdtrain.objectives.mask import MaskObjective
from fdtrain.objectives.perceptual import PerceptualLoss, load_perceptual
from fdtrain.objectives.stacked import StackedObjective


def open_objective(
    config: FitConfig, device: torch.device, perceptual: PerceptualLoss | None, rng: torch.Generator
) -> Objective:
    """Return the objective with its networks on the device, first weights drawn from `rng`: alike in every process."""
    own = config.baseline or config.mask
    if own is None:
        objective: Objective = StackedObjective(config, device, perceptual, rng)
    else:
        objective = _drawn(config, device, perceptual, rng, glorot=own.glorot)
    for stage in objective.stages:
        stage.settle(device)
    return objective


def _drawn(
    config: FitConfig, device: torch.device, perceptual: PerceptualLoss | None, rng: torch.Generator, *, glorot: bool
) -> Objective:
    """Return the objective of a config that is no stack, on the device."""
    # Constructors and parametrisations draw from torch's global state, which is set aside meanwhile.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(torch.randint(2**31, (), generator=rng)))
        objective = single_objective(config, perceptual)
        for stage in objective.stages:
            for module in (stage.generator, stage.discriminator):
                if module is not None:
                    _draw(module, glorot=glorot)
    objective.model.to(device)
    for stage in objective.stages:
        if stage.discriminator is not None:
            stage.discriminator.to(device)
    return objective


def open_perceptual(config: FitConfig) -> PerceptualLoss | None:
    """Return the perceptual network of a config, with all layers that its losses look at."""
    loss = config.loss
    layers = (_objective_of(config) if config.baseline else Objective).perceptual_layers(config)
    return load_perceptual(loss.perceptual, loss.perceptual_weights, layers, relative=loss.perceptual_relative)


def single_objective(config: FitConfig, perceptual: PerceptualLoss | None) -> Objective:
    """Return the objective of a config that is no stack, wherever torch makes tensors by default."""
    return MaskObjective(config, config.mask) if config.mask is not None else baseline_objective(config, perceptual)


def baseline_objective(config: FitConfig, perceptual: PerceptualLoss | None) -> Objective:
    """Return the objective of a baseline, wherever torch makes tensors by default."""
    objective: Objective = _objective_of(config)(config, config.baseline, perceptual)
    return objective


def _objective_of(config: FitConfig) -> Any:
    """Return the class of the objective of a baseline."""
    if config.baseline is None:
        raise TypeError("no baseline without a table of settings for it")
    return load_by_name(LEARNED[config.baseline.method].objective)


def _draw(module: nn.Module, *, glorot: bool) -> None:
    """Draw weights: after Glorot where the paper says nothing, else from N(0, 0.02) as DCGAN and pix2pix; shifts 0."""
    for part in module.modules():
        if isinstance(part, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            weight: Tensor = part.weight
            if is_parametrized(part):  # the weight is then worked out from another
                weight = part.get_parameter("parametrizations.weight.original")
            if glorot:
                nn.init.xavier_uniform_(weight)
            else:
                nn.init.normal_(weight, 0.0, INITIAL_SPREAD)
            if part.bias is not None:
                nn.init.zeros_(part.bias)
