"""The interface of a method to the loop: a model in stages, and the losses of either side of a stage.

The loop knows no loss and no phase. It asks for terms: none for a discriminator means that it rests in this step, none
for a generator means the same.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from fdgen.arrays import Image
from fdtrain.config.schema import FitConfig
from fdtrain.data.tensors import masks_on, pictures_on
from fdtrain.objectives.perceptual import PerceptualLoss
from fdtrain.objectives.stage import Stage
from fdtrain.objectives.validation import SCORE, sample_sheet, validate

COMPILER: Any = "inductor"
"""The backend of `torch.compile`, its own."""


@dataclass(frozen=True)
class Example:
    """A batch on the device: pictures in [-1, 1], masks of 0 and 1, and how far the run was when its step began."""

    occluded_B3HW: Tensor
    clean_B3HW: Tensor
    mask_B1HW: Tensor
    images: int
    step: int

    @property
    def input_B4HW(self) -> Tensor:
        """The occluded picture and its mask."""
        return torch.cat([self.occluded_B3HW, self.mask_B1HW], 1)


def example(config: FitConfig, sample: Mapping[str, Any], device: torch.device, images: int, step: int) -> Example:
    """Put a batch on the device, in the layout that the config asks for.

    Args:
        config: Every setting; `training.channels_last` decides on the layout.
        sample: `occluded` and `clean` (B, 3, H, W) in [-1, 1] or as bytes, `mask` (B, 1, H, W) of 0 and 1.
        device: Where the batch goes.
        images: Training images before this step, over all processes.
        step: Number of the step.
    """
    channels_last = config.training.channels_last
    occluded, clean = (pictures_on(device, sample[name], channels_last) for name in ("occluded", "clean"))
    return Example(occluded, clean, masks_on(device, sample["mask"], channels_last), images, step)


class Objective(ABC):
    """What a model and its adversaries minimise. What `begin` and `outputs` return is for the other methods alone."""

    config: FitConfig
    model: nn.Module
    stages: tuple[Stage, ...]

    score: ClassVar[str] = SCORE
    """The value of `validate` that decides which weights are the best; higher is better."""

    @classmethod
    def perceptual_layers(cls, config: FitConfig) -> tuple[str, ...]:
        """Return the layers of the perceptual network that its losses look at."""
        return config.loss.perceptual_layers

    def called(self) -> Sequence[nn.Module]:
        """Return all that learns as the modules that a step calls: torch compiles what is called, and no other way."""
        networks = [network for stage in self.stages for network in (stage.generator, stage.discriminator)]
        return [network for network in networks if network is not None]

    def compile(self) -> None:
        """Have torch compile the networks that learn when they are first called; names of weights stay."""
        for network in self.called():
            network.compile(backend=COMPILER)

    def set_rates(self, images: int) -> None:
        """Set the learning rates for the step that begins after `images` images."""
        for stage in self.stages:
            stage.set_rates(self.config.training, images)

    def begin(self, sample: Mapping[str, Any], device: torch.device, images: int, step: int) -> Any:
        """Return the batch of a step, on the device, from what the loader gave: an `Example`, or what holds one."""
        return example(self.config, sample, device, images, step)

    @abstractmethod
    def outputs(self, batch: Any) -> Any:
        """Return what all generators make of it; gradients flow where a stage may learn."""

    @abstractmethod
    def discriminator_term(self, stage: Stage, batch: Any, outputs: Any) -> Tensor | None:
        """Return what the discriminator of a stage minimises; None where it has none, or rests."""

    @abstractmethod
    def generator_terms(self, stage: Stage, batch: Any, outputs: Any) -> dict[str, Tensor]:
        """Return the terms of a stage's generator by name, unweighted, and their weighted sum as `total`.

        Nothing where the generator rests; a `total` of 0 where it learns from another stage's terms alone.
        """

    # What is looked at while training. `model` is the one that learns or its average, in any mode.

    def validate(
        self,
        model: nn.Module,
        batches: Iterable[Mapping[str, Any]],
        device: torch.device,
        perceptual: PerceptualLoss | None = None,
    ) -> dict[str, float]:
        """Return numbers on the validation split by name, `score` among them; by `perceptual` too where it is given."""
        return validate(model, batches, device, perceptual)

    def sheet(self, model: nn.Module, samples: Sequence[Mapping[str, Any]], split: str, device: torch.device) -> Image:
        """Return a sheet of samples of `split`, a row each."""
        return sample_sheet(model, samples, split, device)

    def facts(self, values: Mapping[str, float]) -> dict[str, Any]:
        """Return what of a validation is kept next to the weights in their file; there may have been none."""
        return {"val_hole_psnr_db": values.get(SCORE)}


def adversaries(
    config: FitConfig, place: int, generator: nn.Module, discriminator: nn.Module, *, adadelta: bool = False
) -> Stage:
    """Return a stage of two networks with their optimisers.

    Args:
        config: Every setting; `training` has learning rates and betas.
        place: Number of the stage, from 0.
        generator: The network that restores.
        discriminator: The network that judges it.
        adadelta: Whether ADADELTA optimises both; else Adam does.
    """
    rates = config.training.lr_generator, config.training.lr_discriminator
    first, second = (
        torch.optim.Adadelta(module.parameters(), lr=rate, foreach=True) if adadelta else _adam(config, module, rate)
        for module, rate in zip((generator, discriminator), rates, strict=True)
    )
    return Stage(place, generator, first, discriminator, second)


def alone(config: FitConfig, place: int, generator: nn.Module) -> Stage:
    """Return a stage that nothing judges, with its optimiser."""
    return Stage(place, generator, _adam(config, generator, config.training.lr_generator), None, None)


def _adam(config: FitConfig, module: nn.Module, rate: float) -> torch.optim.Optimizer:
    betas = (config.training.betas[0], config.training.betas[1])
    return torch.optim.Adam(module.parameters(), lr=rate, betas=betas, foreach=True)


def in_hole(values_BCHW: Tensor, mask_B1HW: Tensor) -> Tensor:
    """Return the mean of a map over the pixels of all holes of a batch; 0 where there are none."""
    n_values = (mask_B1HW.sum() * values_BCHW.shape[1]).clamp(min=1)
    return (values_BCHW * mask_B1HW).sum() / n_values
