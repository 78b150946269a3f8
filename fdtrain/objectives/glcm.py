"""The objective of GLCM (Iizuka et al. 2017): algorithm 1, in three phases."""

from __future__ import annotations

from torch import Tensor

from fdtrain.config.baselines import GlcmConfig
from fdtrain.config.schema import FitConfig
from fdtrain.networks.glcm import ContextDiscriminator, Glcm
from fdtrain.networks.restorer import composite
from fdtrain.objectives.base import Example, Objective, adversaries, in_hole
from fdtrain.objectives.losses import DiscriminatorScores, discriminator_loss, generator_loss
from fdtrain.objectives.perceptual import PerceptualLoss
from fdtrain.objectives.stage import Stage


class GlcmObjective(Objective):
    """MSE in the hole alone (eq. 2); then the discriminators alone; then both (eq. 4).

    Eq. 2 is a squared norm; here it is the mean over the values of the hole, of pictures in [0, 1] as in the paper:
    its alpha belongs to that scale.
    """

    def __init__(self, config: FitConfig, settings: GlcmConfig, perceptual: PerceptualLoss | None) -> None:
        self.config, self.settings = config, settings
        self.model = Glcm(settings)
        self.discriminator = ContextDiscriminator(settings, config.data.size_px)
        adadelta = settings.optimiser == "adadelta"
        self.stages = (adversaries(config, 0, self.model, self.discriminator, adadelta=adadelta),)

    def outputs(self, batch: Example) -> Tensor:
        """Return the completed pictures, raw."""
        image_B3HW: Tensor = self.model(batch.occluded_B3HW, batch.mask_B1HW).image_B3HW
        return image_B3HW

    def discriminator_term(self, stage: Stage, batch: Example, outputs: Tensor) -> Tensor | None:
        """Return eq. 3 negated, from the second phase on."""
        if batch.images < self.settings.discriminator_from_images:
            return None
        fake_B3HW = composite(outputs.detach().float(), batch.clean_B3HW, batch.mask_B1HW)
        real = self.discriminator(batch.clean_B3HW, batch.mask_B1HW)
        return discriminator_loss("minimax", DiscriminatorScores(real, self.discriminator(fake_B3HW, batch.mask_B1HW)))

    def generator_terms(self, stage: Stage, batch: Example, outputs: Tensor) -> dict[str, Tensor]:
        """Return eq. 2 in the first phase, eq. 4 in the third."""
        settings = self.settings
        if settings.discriminator_from_images <= batch.images < settings.adversarial_from_images:
            return {}
        terms = {"mse": in_hole(((outputs.float() - batch.clean_B3HW) / 2) ** 2, batch.mask_B1HW)}
        total = terms["mse"]
        if batch.images >= settings.adversarial_from_images:
            seen_B3HW = composite(outputs.float(), batch.clean_B3HW, batch.mask_B1HW)
            terms["adversarial"] = generator_loss("minimax", self.discriminator(seen_B3HW, batch.mask_B1HW))
            total = total + settings.adversarial * terms["adversarial"]
        return {**terms, "total": total}
