"""The objective of Yeh et al. 2017: DCGAN, of clean faces; holes come into play when pictures are restored."""

from __future__ import annotations

import torch
from torch import Tensor

from fdtrain.config.baselines import YehConfig
from fdtrain.config.schema import FitConfig
from fdtrain.networks.baselines.yeh import Yeh
from fdtrain.objectives.base import Example, Objective, adversaries
from fdtrain.objectives.losses import DiscriminatorScores, discriminator_loss, generator_loss
from fdtrain.objectives.perceptual import PerceptualLoss
from fdtrain.objectives.stage import Stage


class YehObjective(Objective):
    """Generator and discriminator are both parts of the model, which needs both to restore."""

    def __init__(self, config: FitConfig, settings: YehConfig, perceptual: PerceptualLoss | None) -> None:
        self.config, self.settings = config, settings
        self.model: Yeh = Yeh(settings, config.data.size_px)
        self.stages = (adversaries(config, 0, self.model.generator, self.model.judge),)

    def outputs(self, batch: Example) -> Tensor:
        """Return as many faces of drawn z as there are pictures."""
        z_BZ = torch.rand(len(batch.clean_B3HW), self.settings.latent, device=batch.clean_B3HW.device) * 2 - 1
        image_B3HW: Tensor = self.model.generator(z_BZ)
        return image_B3HW

    def discriminator_term(self, stage: Stage, batch: Example, outputs: Tensor) -> Tensor:
        """Return the loss of the discriminator."""
        real, fake = self.model.judge(batch.clean_B3HW), self.model.judge(outputs.detach().float())
        return discriminator_loss("nonsaturating", DiscriminatorScores(real, fake))

    def generator_terms(self, stage: Stage, batch: Example, outputs: Tensor) -> dict[str, Tensor]:
        """Return the term of the generator."""
        adversarial = generator_loss("nonsaturating", self.model.judge(outputs.float()))
        return {"adversarial": adversarial, "total": adversarial}
