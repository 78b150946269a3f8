"""The objective of LaMa (Suvorov et al. 2022): an adversary with R1, its features matched, a perceptual loss."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own name for it
from torch import Tensor

from fdtrain.config.baselines import LamaConfig
from fdtrain.config.schema import FitConfig
from fdtrain.networks.baselines.lama import Lama, LamaDiscriminator
from fdtrain.networks.restorer import full_precision
from fdtrain.objectives.base import Objective, adversaries
from fdtrain.objectives.baselines.featured import Featured, featured
from fdtrain.objectives.losses import generator_loss
from fdtrain.objectives.perceptual import PerceptualLoss
from fdtrain.objectives.stage import Stage


class LamaObjective(Objective):
    """Section 2.2, and the L1 outside the hole that the authors' program has. What is judged is the raw output."""

    def __init__(self, config: FitConfig, settings: LamaConfig, perceptual: PerceptualLoss | None) -> None:
        self.config, self.settings, self.perceptual = config, settings, perceptual
        self.model = Lama(settings)
        self.judge = LamaDiscriminator(settings.discriminator_width)
        self.stages = (adversaries(config, 0, self.model, self.judge),)

    def begin(self, sample: Mapping[str, Any], device: torch.device, images: int, step: int) -> Featured:
        """Return the batch with its true features."""
        return featured(self.config, self.perceptual, sample, device, images, step)

    def outputs(self, batch: Featured) -> Tensor:
        """Return the completed pictures, raw."""
        image_B3HW: Tensor = self.model(batch.example.occluded_B3HW, batch.example.mask_B1HW).image_B3HW
        return image_B3HW

    def discriminator_term(self, stage: Stage, batch: Featured, outputs: Tensor) -> Tensor:
        """Return eq. 4: real everywhere, and of a fake only what the hole touches is one; with R1 (eq. 6)."""
        real_B3HW = _unit(batch.example.clean_B3HW).detach().requires_grad_()
        # The gradient of a gradient is taken in full precision.
        with full_precision(real_B3HW.device):
            real, fake = self.judge(real_B3HW)[-1], self.judge(_unit(outputs.detach()))[-1]
            (slope_B3HW,) = torch.autograd.grad(real.sum(), real_B3HW, create_graph=True)
            penalty = slope_B3HW.flatten(1).square().sum(1).mean()
            touched_B1HW = F.interpolate(batch.example.mask_B1HW, fake.shape[-2:], mode="nearest")
            of_fake = F.softplus(fake) * touched_B1HW + F.softplus(-fake) * (1 - touched_B1HW)
            return F.softplus(-real).mean() + of_fake.mean() + self.settings.gradient_penalty * penalty

    def generator_terms(self, stage: Stage, batch: Featured, outputs: Tensor) -> dict[str, Tensor]:
        """Return the terms of eq. 7."""
        settings, clean_B3HW = self.settings, batch.example.clean_B3HW
        away_B3HW = (_unit(outputs) - _unit(clean_B3HW)).abs()
        judged = self.judge(_unit(outputs))
        with torch.no_grad():
            wanted = self.judge(_unit(clean_B3HW))
        matched = [F.mse_loss(made.float(), true.float()) for made, true in zip(judged[:-1], wanted[:-1], strict=True)]
        terms = {
            "known_l1": (away_B3HW * (1 - batch.example.mask_B1HW)).mean(),
            "adversarial": generator_loss("nonsaturating", judged[-1]),
            "feature_matching": torch.stack(matched).mean(),
        }
        total = (
            settings.known * terms["known_l1"]
            + settings.adversarial * terms["adversarial"]
            + settings.feature_matching * terms["feature_matching"]
        )
        if self.perceptual is not None:
            pairs = zip(self.perceptual.features(outputs.float()), batch.clean_features, strict=True)
            terms["perceptual"] = torch.stack([F.mse_loss(made.float(), true.float()) for made, true in pairs]).sum()
            total = total + settings.perceptual * terms["perceptual"]
        return {**terms, "total": total}


def _unit(image_B3HW: Tensor) -> Tensor:
    """Return pictures in [0, 1], which the weights of the paper belong to."""
    return image_B3HW.float() * 0.5 + 0.5
