"""The objective of GFCM (Li et al. 2017): three phases of L2, a local and a global adversary, and a parsing loss."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own name for it
from torch import Tensor

from fdtrain.config.baselines import GfcmConfig
from fdtrain.config.schema import FitConfig
from fdtrain.faces.conditions import parsing
from fdtrain.networks.baselines.gfcm import Gfcm, GfcmJudges
from fdtrain.networks.restorer import composite
from fdtrain.objectives.base import Example, Objective, adversaries, example
from fdtrain.objectives.losses import DiscriminatorScores, discriminator_loss, generator_loss
from fdtrain.objectives.perceptual import PerceptualLoss
from fdtrain.objectives.stage import Stage


class _Step(NamedTuple):
    example: Example
    labels_BHW: Tensor


class GfcmObjective(Objective):
    """Section 3.2 and 3.3. The network that parses learns alongside, from clean pictures, as discriminators do."""

    def __init__(self, config: FitConfig, settings: GfcmConfig, perceptual: PerceptualLoss | None) -> None:
        self.config, self.settings = config, settings
        self.model = Gfcm(settings, config.data.size_px)
        self.judges = GfcmJudges(settings, config.data.size_px)
        self.stages = (adversaries(config, 0, self.model, self.judges),)

    def begin(self, sample: Mapping[str, Any], device: torch.device, images: int, step: int) -> _Step:
        """Return the batch with the regions of its clean faces."""
        labels_BHW = parsing(sample["points"], self.config.data.size_px)
        return _Step(example(self.config, sample, device, images, step), labels_BHW.to(device, non_blocking=True))

    def outputs(self, batch: _Step) -> Tensor:
        """Return the completed pictures, raw."""
        image_B3HW: Tensor = self.model(batch.example.occluded_B3HW, batch.example.mask_B1HW).image_B3HW
        return image_B3HW

    def discriminator_term(self, stage: Stage, batch: _Step, outputs: Tensor) -> Tensor:
        """Return eq. 2 of both discriminators, as far as they take part, and the cross-entropy of the parsing."""
        given, settings = batch.example, self.settings
        total = F.cross_entropy(self.judges.parsed(given.clean_B3HW), batch.labels_BHW)
        if given.images >= settings.local_from_images:
            fake_B3HW = composite(outputs.detach().float(), given.clean_B3HW, given.mask_B1HW)
            real, fake = (self.judges(image_B3HW, given.mask_B1HW) for image_B3HW in (given.clean_B3HW, fake_B3HW))
            whole, hole = (
                discriminator_loss("nonsaturating", DiscriminatorScores(*pair)) for pair in zip(real, fake, strict=True)
            )
            total = total + hole + (whole if given.images >= settings.whole_from_images else 0 * whole)
        return total

    def generator_terms(self, stage: Stage, batch: _Step, outputs: Tensor) -> dict[str, Tensor]:
        """Return the terms of eq. 4 that the phase has."""
        given, settings = batch.example, self.settings
        image_B3HW = outputs.float()
        terms = {"mse": F.mse_loss(image_B3HW, given.clean_B3HW)}
        total = terms["mse"]
        if given.images >= settings.local_from_images:
            seen_B3HW = composite(image_B3HW, given.clean_B3HW, given.mask_B1HW)
            whole_B1, hole_B1 = self.judges(seen_B3HW, given.mask_B1HW)
            terms["hole_adversarial"] = generator_loss("nonsaturating", hole_B1)
            total = total + settings.local * terms["hole_adversarial"]
            if given.images >= settings.whole_from_images:
                terms["adversarial"] = generator_loss("nonsaturating", whole_B1)
                terms["parsing"] = F.cross_entropy(self.judges.parsed(seen_B3HW), batch.labels_BHW)
                total = total + settings.whole * terms["adversarial"] + settings.parsing * terms["parsing"]
        return {**terms, "total": total}
