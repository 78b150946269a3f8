"""The objective of the editing module of Din et al. 2020: L1 + SSIM, features, and two adversaries in turn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from fdtrain.config.baselines import DinConfig
from fdtrain.config.schema import FitConfig
from fdtrain.networks.din import Din, TwoDiscriminators
from fdtrain.objectives.base import Example, Objective, adversaries, example
from fdtrain.objectives.losses import (
    DiscriminatorScores,
    discriminator_loss,
    generator_loss,
    l1,
    pixel_weights,
    ssim_loss,
)
from fdtrain.objectives.perceptual import PerceptualLoss, true_features
from fdtrain.objectives.stage import Stage


class _Step(NamedTuple):
    example: Example
    clean_features: list[Tensor]
    with_region: bool


class DinObjective(Objective):
    """First the discriminator of the whole face alone, then that of the mask's region with it."""

    def __init__(self, config: FitConfig, settings: DinConfig, perceptual: PerceptualLoss | None) -> None:
        self.config, self.settings, self.perceptual = config, settings, perceptual
        self.model = Din(settings)
        self.judges = TwoDiscriminators(settings)
        self.stages = (adversaries(config, 0, self.model, self.judges),)

    def begin(self, sample: Mapping[str, Any], device: torch.device, images: int, step: int) -> _Step:
        """Return the batch with its true features."""
        batch = example(self.config, sample, device, images, step)
        return _Step(batch, true_features(self.perceptual, batch.clean_B3HW), images >= self.settings.mask_from_images)

    def outputs(self, batch: _Step) -> Tensor:
        """Return the edited pictures, raw."""
        image_B3HW: Tensor = self.model(batch.example.occluded_B3HW, batch.example.mask_B1HW).image_B3HW
        return image_B3HW

    def discriminator_term(self, stage: Stage, batch: _Step, outputs: Tensor) -> Tensor:
        """Return the loss of the whole region's discriminator, and once it takes part of the mask's."""
        given_B4HW = batch.example.input_B4HW
        real = self.judges(given_B4HW, batch.example.clean_B3HW)
        fake = self.judges(given_B4HW, outputs.detach().float())
        losses = [
            discriminator_loss("nonsaturating", DiscriminatorScores(*pair)) for pair in zip(real, fake, strict=True)
        ]
        return losses[0] + (losses[1] if batch.with_region else 0 * losses[1])

    def generator_terms(self, stage: Stage, batch: _Step, outputs: Tensor) -> dict[str, Tensor]:
        """Return reconstruction, perceptual and adversarial terms."""
        settings, clean_B3HW = self.settings, batch.example.clean_B3HW
        even_B1HW = pixel_weights(batch.example.mask_B1HW, 1.0)
        terms = {"l1": l1(outputs, clean_B3HW, even_B1HW), "ssim": ssim_loss(outputs, clean_B3HW, even_B1HW)}
        total = settings.reconstruction * (terms["l1"] + terms["ssim"])
        if self.perceptual is not None:
            terms["perceptual"] = self.perceptual.distance(outputs.float(), batch.clean_features)
            total = total + settings.perceptual * terms["perceptual"]
        whole, region = self.judges(batch.example.input_B4HW, outputs.float())
        terms["adversarial"] = generator_loss("nonsaturating", whole)
        total = total + settings.whole * terms["adversarial"]
        if batch.with_region:
            terms["region_adversarial"] = generator_loss("nonsaturating", region)
            total = total + settings.mask * terms["region_adversarial"]
        return {**terms, "total": total}
