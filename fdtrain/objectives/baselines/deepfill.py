"""The objective of DeepFillv2 (Yu et al. 2019): L1 of both outputs and the hinge loss of SN-PatchGAN, one to one."""

from __future__ import annotations

from torch import Tensor

from fdtrain.config.baselines import DeepFillConfig
from fdtrain.config.schema import FitConfig
from fdtrain.networks.baselines.deepfill import DeepFill, SpectralPatchGan
from fdtrain.networks.restorer import Restoration, composite
from fdtrain.objectives.base import Example, Objective, adversaries
from fdtrain.objectives.losses import DiscriminatorScores, discriminator_loss, generator_loss
from fdtrain.objectives.perceptual import PerceptualLoss
from fdtrain.objectives.stage import Stage


class DeepFillObjective(Objective):
    """Section 3.3. What is judged is the completed picture, with its mask."""

    def __init__(self, config: FitConfig, settings: DeepFillConfig, perceptual: PerceptualLoss | None) -> None:
        self.config, self.settings = config, settings
        self.model = DeepFill(settings)
        self.judge = SpectralPatchGan(settings)
        self.stages = (adversaries(config, 0, self.model, self.judge),)

    def outputs(self, batch: Example) -> Restoration:
        """Return the coarse and the final picture, raw."""
        restored: Restoration = self.model(batch.occluded_B3HW, batch.mask_B1HW)
        return restored

    def discriminator_term(self, stage: Stage, batch: Example, outputs: Restoration) -> Tensor:
        """Return the hinge loss of real and of completed pictures."""
        fake_B3HW = composite(outputs.image_B3HW.detach().float(), batch.clean_B3HW, batch.mask_B1HW)
        real = self.judge(batch.clean_B3HW, batch.mask_B1HW)
        return discriminator_loss("hinge", DiscriminatorScores(real, self.judge(fake_B3HW, batch.mask_B1HW)))

    def generator_terms(self, stage: Stage, batch: Example, outputs: Restoration) -> dict[str, Tensor]:
        """Return both L1 terms, of the whole pictures, and the adversarial one."""
        settings, clean_B3HW = self.settings, batch.clean_B3HW
        fake_B3HW = composite(outputs.image_B3HW.float(), clean_B3HW, batch.mask_B1HW)
        terms = {
            "l1": (outputs.image_B3HW.float() - clean_B3HW).abs().mean(),
            "coarse_l1": (outputs.coarse_B3HW.float() - clean_B3HW).abs().mean(),
            "adversarial": generator_loss("hinge", self.judge(fake_B3HW, batch.mask_B1HW)),
        }
        total = (
            settings.l1 * terms["l1"]
            + settings.coarse * terms["coarse_l1"]
            + settings.adversarial * terms["adversarial"]
        )
        return {**terms, "total": total}
