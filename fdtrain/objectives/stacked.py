"""The stack of the FD-StackGAN paper: both stages in each step, one after the other (sections 3.3, 3.5 and 4.1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from fdtrain.config.schema import FitConfig
from fdtrain.networks.build import build_stack
from fdtrain.networks.fdstack import BaseNet, StackedGAN, initialise
from fdtrain.networks.preparation.eigen_fill import CrossFills
from fdtrain.objectives import base
from fdtrain.objectives.base import Objective
from fdtrain.objectives.perceptual import PerceptualLoss
from fdtrain.objectives.stage import Batch, Stage, discriminator_term, generator_terms, make_batch, make_stages


class _Step(NamedTuple):
    batch: Batch
    compared: PerceptualLoss | None
    adversarial: bool


class StackedObjective(Objective):
    """Eq. 2 and 8. Stage II sees what stage I saw and made; its gradient ends there unless they are trained jointly.

    The Base-Net alone minimises eq. 2 and nothing else.
    """

    def __init__(
        self, config: FitConfig, device: torch.device, perceptual: PerceptualLoss | None, rng: torch.Generator
    ) -> None:
        self.config, self.perceptual = config, perceptual
        self.model: BaseNet = build_stack(config)
        initialise(self.model, rng)
        self.model.to(device)
        self.cross_fills: CrossFills | None = None  # what training fills holes with, once it is learnt
        self.stages = make_stages(config, self.model, device, rng)

    def compile(self) -> None:
        """Compile the stages, and what compares features, which is half of a step."""
        super().compile()
        if self.perceptual is not None:
            features = torch.compile(self.perceptual.features, backend=base.COMPILER)
            self.perceptual.features = features  # type: ignore[method-assign]

    def begin(self, sample: Mapping[str, Any], device: torch.device, images: int, step: int) -> _Step:
        """Return the batch, with true features once they count."""
        loss = self.config.loss
        compared = self.perceptual if images >= loss.perceptual_from_images else None
        batch = make_batch(self.config, device, self.model, compared, sample, self.cross_fills)
        return _Step(batch, compared, images >= loss.adversarial_from_images)

    def outputs(self, batch: _Step) -> tuple[Tensor, Tensor]:
        """Return the picture of stage I and that of stage II; of one stage, its picture twice."""
        pictures = batch.batch
        coarse = self.model.coarse(pictures.occluded_B3HW, pictures.mask_B1HW, pictures.maps_BMHW)
        if not isinstance(self.model, StackedGAN):
            return coarse, coarse
        shown_coarse = coarse if self.config.training.stages == "joint" else coarse.detach()
        refined = self.model.refined(pictures.occluded_B3HW, pictures.mask_B1HW, shown_coarse, pictures.maps_BMHW)
        return coarse, refined

    def discriminator_term(self, stage: Stage, batch: _Step, outputs: tuple[Tensor, Tensor]) -> Tensor | None:
        """Return eq. 7 or 9 for the discriminator, from the image on at which it begins."""
        if stage.discriminator is None or not batch.adversarial:
            return None
        return discriminator_term(stage, self.config, batch.batch, outputs[0], outputs[stage.place])

    def generator_terms(self, stage: Stage, batch: _Step, outputs: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
        """Return the terms of eq. 2 or 8."""
        return generator_terms(
            stage,
            self.config,
            batch.batch,
            outputs[0],
            outputs[stage.place],
            batch.compared,
            adversarial=batch.adversarial,
        )
