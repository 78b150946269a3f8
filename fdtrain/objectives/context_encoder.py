"""The objective of the Context Encoder (Pathak et al. 2016, eq. 1 to 3)."""

from __future__ import annotations

from torch import Tensor

from fdtrain.config.baselines import ContextEncoderConfig
from fdtrain.config.schema import FitConfig
from fdtrain.networks.context_encoder import ContextDiscriminator, ContextEncoder
from fdtrain.networks.restorer import composite
from fdtrain.objectives.base import Example, Objective, adversaries, in_hole
from fdtrain.objectives.losses import DiscriminatorScores, discriminator_loss, generator_loss
from fdtrain.objectives.perceptual import PerceptualLoss
from fdtrain.objectives.stage import Stage


class ContextEncoderObjective(Objective):
    """Masked L2 and an adversary that sees the picture with its hole replaced, not conditioned on the input."""

    def __init__(self, config: FitConfig, settings: ContextEncoderConfig, perceptual: PerceptualLoss | None) -> None:
        self.config, self.settings = config, settings
        self.model = ContextEncoder(settings, config.data.size_px)
        self.discriminator = ContextDiscriminator(settings, config.data.size_px)
        self.stages = (adversaries(config, 0, self.model, self.discriminator),)

    def outputs(self, batch: Example) -> Tensor:
        """Return the completed pictures, raw."""
        image_B3HW: Tensor = self.model(batch.occluded_B3HW, batch.mask_B1HW).image_B3HW
        return image_B3HW

    def discriminator_term(self, stage: Stage, batch: Example, outputs: Tensor) -> Tensor:
        """Return eq. 2 negated."""
        fake_B3HW = composite(outputs.detach().float(), batch.clean_B3HW, batch.mask_B1HW)
        scores = DiscriminatorScores(self.discriminator(batch.clean_B3HW), self.discriminator(fake_B3HW))
        return discriminator_loss("nonsaturating", scores)

    def generator_terms(self, stage: Stage, batch: Example, outputs: Tensor) -> dict[str, Tensor]:
        """Return the terms of eq. 3."""
        mse = in_hole((outputs.float() - batch.clean_B3HW) ** 2, batch.mask_B1HW)
        seen_B3HW = composite(outputs.float(), batch.clean_B3HW, batch.mask_B1HW)
        adversarial = generator_loss("nonsaturating", self.discriminator(seen_B3HW))
        total = self.settings.reconstruction * mse + self.settings.adversarial * adversarial
        return {"mse": mse, "adversarial": adversarial, "total": total}
