"""The objective of pix2pix (Isola et al. 2017, eq. 1 to 4)."""

from __future__ import annotations

from torch import Tensor

from fdtrain.config.baselines import Pix2pixConfig
from fdtrain.config.schema import DiscriminatorConfig, FitConfig
from fdtrain.networks.discriminator import PatchDiscriminator
from fdtrain.networks.pix2pix import Pix2pix
from fdtrain.objectives.base import Example, Objective, adversaries
from fdtrain.objectives.losses import DiscriminatorScores, discriminator_loss, generator_loss
from fdtrain.objectives.perceptual import PerceptualLoss
from fdtrain.objectives.stage import Stage


class Pix2pixObjective(Objective):
    """L1 of the whole picture and a conditional PatchGAN of 70x70, whose loss is halved (section 3.3)."""

    def __init__(self, config: FitConfig, settings: Pix2pixConfig, perceptual: PerceptualLoss | None) -> None:
        self.config, self.settings = config, settings
        self.model = Pix2pix(settings, config.data.size_px)
        width = settings.discriminator_width
        self.discriminator = PatchDiscriminator(DiscriminatorConfig(window="rf70", width=width, most_width=8 * width))
        self.stages = (adversaries(config, 0, self.model, self.discriminator),)

    def outputs(self, batch: Example) -> Tensor:
        """Return the translated pictures, raw."""
        image_B3HW: Tensor = self.model(batch.occluded_B3HW, batch.mask_B1HW).image_B3HW
        return image_B3HW

    def discriminator_term(self, stage: Stage, batch: Example, outputs: Tensor) -> Tensor:
        """Return half of eq. 1 negated."""
        real = self.discriminator(batch.input_B4HW, batch.clean_B3HW)
        fake = self.discriminator(batch.input_B4HW, outputs.detach().float())
        return 0.5 * discriminator_loss("nonsaturating", DiscriminatorScores(real, fake))

    def generator_terms(self, stage: Stage, batch: Example, outputs: Tensor) -> dict[str, Tensor]:
        """Return the terms of eq. 4."""
        l1 = (outputs.float() - batch.clean_B3HW).abs().mean()
        adversarial = generator_loss("nonsaturating", self.discriminator(batch.input_B4HW, outputs.float()))
        return {"l1": l1, "adversarial": adversarial, "total": self.settings.l1 * l1 + adversarial}
