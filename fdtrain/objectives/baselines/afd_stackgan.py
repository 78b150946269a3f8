"""The objective of AFD-StackGAN (Jabbar et al. 2022): a GAN for the mask, and one for each face generator."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own name for it
from torch import Tensor

from fdtrain.config.baselines import AfdStackGanConfig
from fdtrain.config.schema import DiscriminatorConfig, FitConfig
from fdtrain.networks.baselines.afd_stackgan import AfdStackGan
from fdtrain.networks.discriminator import PatchDiscriminator
from fdtrain.networks.fdstack import INPUT_CHANNELS
from fdtrain.networks.restorer import full_precision
from fdtrain.objectives.base import Objective, adversaries
from fdtrain.objectives.baselines.featured import Featured, featured
from fdtrain.objectives.losses import (
    DiscriminatorScores,
    discriminator_loss,
    generator_loss,
    l1,
    pixel_weights,
    ssim_loss,
)
from fdtrain.objectives.perceptual import PerceptualLoss
from fdtrain.objectives.stage import Stage

MASK = 0
"""The place of the mask network; Base-Net and Refine-Net follow."""


class _Made(NamedTuple):
    probability_B1HW: Tensor
    input_B4HW: Tensor
    images: tuple[Tensor, Tensor]


class AfdStackGanObjective(Objective):
    """All three learn in each step, without a gradient from one to the one before."""

    def __init__(self, config: FitConfig, settings: AfdStackGanConfig, perceptual: PerceptualLoss | None) -> None:
        self.config, self.settings, self.perceptual = config, settings, perceptual
        self.model: AfdStackGan = AfdStackGan(settings, config.data.size_px)
        judged = DiscriminatorConfig(width=settings.discriminator_width, most_width=8 * settings.discriminator_width)
        channels = (1, INPUT_CHANNELS, INPUT_CHANNELS)
        self.judges = tuple(PatchDiscriminator(judged, condition_channels=n) for n in channels)
        generators = (self.model.mask, self.model.base, self.model.refine)
        self.stages = tuple(
            adversaries(config, place, generator, judge)
            for place, (generator, judge) in enumerate(zip(generators, self.judges, strict=True))
        )

    def begin(self, sample: Mapping[str, Any], device: torch.device, images: int, step: int) -> Featured:
        """Return the batch with its true features."""
        return featured(self.config, self.perceptual, sample, device, images, step)

    def outputs(self, batch: Featured) -> _Made:
        """Return the mask that was found, and both pictures that were made with it."""
        occluded_B3HW = batch.example.occluded_B3HW
        found_B1HW = self.model.find(occluded_B3HW)
        input_B4HW = self.model.input(occluded_B3HW, found_B1HW)
        coarse_B3HW: Tensor = self.model.base(input_B4HW)
        return _Made(found_B1HW, input_B4HW, (coarse_B3HW, self.model.refined(input_B4HW, coarse_B3HW.detach())))

    def discriminator_term(self, stage: Stage, batch: Featured, outputs: _Made) -> Tensor:
        """Return the loss of the discriminator of masks, or of pictures, given what they were made of."""
        return discriminator_loss(
            "minimax",
            DiscriminatorScores(
                self._judged(stage, batch, outputs, real=True),
                self._judged(stage, batch, outputs, real=False, detached=True),
            ),
        )

    def generator_terms(self, stage: Stage, batch: Featured, outputs: _Made) -> dict[str, Tensor]:
        """Return the terms of the mask network, or of a face generator (eq. 2 and 8 of FD-StackGAN)."""
        terms = {"adversarial": generator_loss("minimax", self._judged(stage, batch, outputs, real=False))}
        total = terms["adversarial"]
        if stage.place == MASK:
            with full_precision(outputs.probability_B1HW.device):
                terms["cross_entropy"] = F.binary_cross_entropy(outputs.probability_B1HW, batch.example.mask_B1HW)
            return {**terms, "total": total + self.settings.mask * terms["cross_entropy"]}
        image_B3HW, clean_B3HW = outputs.images[stage.place - 1], batch.example.clean_B3HW
        even_B1HW = pixel_weights(batch.example.mask_B1HW, 1.0)
        terms |= {"l1": l1(image_B3HW, clean_B3HW, even_B1HW), "ssim": ssim_loss(image_B3HW, clean_B3HW, even_B1HW)}
        total = total + self.settings.alpha[stage.place - 1] * (terms["l1"] + terms["ssim"])
        if self.perceptual is not None:
            terms["perceptual"] = self.perceptual.distance(image_B3HW.float(), batch.clean_features)
            total = total + self.settings.beta[stage.place - 1] * terms["perceptual"]
        return {**terms, "total": total}

    def _judged(self, stage: Stage, batch: Featured, outputs: _Made, *, real: bool, detached: bool = False) -> Tensor:
        """Return the judgement of the true mask or picture, or of the one that was made."""
        given = batch.example
        condition = outputs.input_B4HW
        if stage.place == MASK:
            condition, made = (given.mask_B1HW if real else outputs.probability_B1HW), given.occluded_B3HW
        else:
            made = given.clean_B3HW if real else outputs.images[stage.place - 1].float()
        parts = (part.detach() if detached else part for part in (condition, made))
        logits: Tensor = self.judges[stage.place](*parts)
        return logits
