"""The objective of GCA (Yu et al. 2018): discounted L1 of both outputs, and two critics with a gradient penalty."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from fdtrain.config.baselines import GcaConfig
from fdtrain.config.schema import FitConfig
from fdtrain.networks.gca import Critics, Gca
from fdtrain.networks.hole_window import depths_px
from fdtrain.networks.restorer import Restoration, composite, full_precision
from fdtrain.objectives.base import Example, Objective, adversaries, example, in_hole
from fdtrain.objectives.perceptual import PerceptualLoss
from fdtrain.objectives.stage import Stage


@dataclass(frozen=True)
class _Step(Example):
    """A batch with how deep in the hole each pixel lies; None in steps in which the generator rests."""

    depths_B1HW: Tensor | None


class GcaObjective(Objective):
    """Section 3.2: WGAN-GP, several steps of the critics for one of the generator (algorithm 1)."""

    def __init__(self, config: FitConfig, settings: GcaConfig, perceptual: PerceptualLoss | None) -> None:
        self.config, self.settings = config, settings
        self.model = Gca(settings)
        self.critics = Critics(settings, config.data.size_px)
        self.stages = (adversaries(config, 0, self.model, self.critics),)

    def begin(self, sample: Mapping[str, Any], device: torch.device, images: int, step: int) -> _Step:
        """Return the batch with depths, which are found by the CPU before the masks leave it."""
        learns = (step + 1) % self.settings.critic_steps == 0
        depths_B1HW = depths_px(sample["mask"]).to(device, non_blocking=True) if learns else None
        return _Step(**vars(example(self.config, sample, device, images, step)), depths_B1HW=depths_B1HW)

    def outputs(self, batch: _Step) -> Restoration:
        """Return the coarse and the final picture, raw."""
        restored: Restoration = self.model(batch.occluded_B3HW, batch.mask_B1HW)
        return restored

    def discriminator_term(self, stage: Stage, batch: _Step, outputs: Restoration) -> Tensor:
        """Return eq. 3 negated for both critics, with the penalty of eq. 5 on gradients in the hole."""
        real_B3HW, mask_B1HW = batch.clean_B3HW, batch.mask_B1HW
        fake_B3HW = composite(outputs.image_B3HW.detach().float(), real_B3HW, mask_B1HW)
        share_B111 = torch.rand(len(real_B3HW), 1, 1, 1, device=real_B3HW.device)
        between_B3HW = torch.lerp(real_B3HW, fake_B3HW, share_B111).requires_grad_()
        # The gradient of a gradient is taken in full precision.
        with full_precision(real_B3HW.device):
            real, fake = self.critics(real_B3HW, mask_B1HW), self.critics(fake_B3HW, mask_B1HW)
            total: Tensor = fake[0].mean() - real[0].mean() + fake[1].mean() - real[1].mean()
            for scores in self.critics(between_B3HW, mask_B1HW):
                (slope_B3HW,) = torch.autograd.grad(scores.sum(), between_B3HW, create_graph=True)
                norms_B = (slope_B3HW * mask_B1HW).flatten(1).norm(dim=1)
                total = total + self.settings.gradient_penalty * ((norms_B - 1) ** 2).mean()
        return total

    def generator_terms(self, stage: Stage, batch: _Step, outputs: Restoration) -> dict[str, Tensor]:
        """Return the terms of the generator, in every `critic_steps`-th step."""
        settings, clean_B3HW, mask_B1HW = self.settings, batch.clean_B3HW, batch.mask_B1HW
        if batch.depths_B1HW is None:
            return {}
        weights_B1HW = settings.discount**batch.depths_B1HW
        away, coarse_away = ((picture.float() - clean_B3HW).abs() for picture in outputs[::-1])
        terms = {
            "l1": in_hole(away * weights_B1HW, mask_B1HW),
            "coarse_l1": in_hole(coarse_away * weights_B1HW, mask_B1HW),
            "known_l1": in_hole(away + coarse_away, 1 - mask_B1HW),
        }
        scores = self.critics(composite(outputs.image_B3HW.float(), clean_B3HW, mask_B1HW), mask_B1HW)
        terms["adversarial"] = -scores[0].mean() - scores[1].mean()
        total = (
            settings.l1 * terms["l1"]
            + settings.coarse * terms["coarse_l1"]
            + settings.known * terms["known_l1"]
            + settings.adversarial * terms["adversarial"]
        )
        return {**terms, "total": total}
