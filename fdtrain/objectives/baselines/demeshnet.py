"""The objective of DeMeshNet (Zhang et al. 2017): squared errors of pixels, more in the hole, and of features."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own name for it
from torch import Tensor

from fdtrain.config.baselines import DeMeshNetConfig
from fdtrain.config.schema import FitConfig
from fdtrain.networks.baselines.demeshnet import DeMeshNet
from fdtrain.objectives.base import Objective, alone, in_hole
from fdtrain.objectives.baselines.featured import Featured, featured
from fdtrain.objectives.perceptual import PerceptualLoss
from fdtrain.objectives.stage import Stage


class DeMeshNetObjective(Objective):
    """Nothing judges it. The feature term is called after what it uses: a perceptual network, of no identities."""

    def __init__(self, config: FitConfig, settings: DeMeshNetConfig, perceptual: PerceptualLoss | None) -> None:
        self.config, self.settings, self.perceptual = config, settings, perceptual
        self.model: DeMeshNet = DeMeshNet(settings, config.data.size_px)
        self.stages = (alone(config, 0, self.model),)

    def begin(self, sample: Mapping[str, Any], device: torch.device, images: int, step: int) -> Featured:
        """Return the batch with its true features."""
        return featured(self.config, self.perceptual, sample, device, images, step)

    def outputs(self, batch: Featured) -> Tensor:
        """Return the cleaned pictures, raw."""
        image_B3HW: Tensor = self.model(batch.example.occluded_B3HW, batch.example.mask_B1HW).image_B3HW
        return image_B3HW

    def discriminator_term(self, stage: Stage, batch: Featured, outputs: Tensor) -> None:
        """Return nothing."""
        return

    def generator_terms(self, stage: Stage, batch: Featured, outputs: Tensor) -> dict[str, Tensor]:
        """Return the terms of pixels and of features."""
        settings, given = self.settings, batch.example
        squares_B3HW = (outputs.float() - given.clean_B3HW) ** 2
        terms = {"mse": squares_B3HW.mean(), "hole_mse": in_hole(squares_B3HW, given.mask_B1HW)}
        total = terms["mse"] + settings.hole * terms["hole_mse"]
        if self.perceptual is not None:
            pairs = zip(self.perceptual.features(outputs.float()), batch.clean_features, strict=True)
            terms["perceptual"] = torch.stack([F.mse_loss(made.float(), true.float()) for made, true in pairs]).sum()
            total = total + settings.perceptual * terms["perceptual"]
        return {**terms, "total": total}
