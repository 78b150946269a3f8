"""The objective of GAFC (Song et al. 2019): geometry, then the face, two adversaries and a mask of low rank."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own name for it
from torch import Tensor

from fdtrain.config.baselines import GafcConfig
from fdtrain.config.schema import FitConfig
from fdtrain.faces.conditions import component_maps, parsing
from fdtrain.networks.baselines.gafc import Completed, Gafc, Geometry
from fdtrain.networks.baselines.judges import WholeAndHole
from fdtrain.networks.restorer import composite, full_precision
from fdtrain.objectives.base import Example, Objective, adversaries, alone, example
from fdtrain.objectives.losses import DiscriminatorScores, discriminator_loss, generator_loss
from fdtrain.objectives.perceptual import PerceptualLoss
from fdtrain.objectives.stage import Stage

ESTIMATOR = 0
"""The place of the estimator; the generator follows."""


class _Step(NamedTuple):
    example: Example
    heats_B5HW: Tensor
    labels_BHW: Tensor


class _Made(NamedTuple):
    geometry: Geometry
    completed: Completed


class GafcObjective(Objective):
    """Both networks learn in each step; the generator sees the geometry that is found, without a gradient to it."""

    def __init__(self, config: FitConfig, settings: GafcConfig, perceptual: PerceptualLoss | None) -> None:
        self.config, self.settings = config, settings
        self.model: Gafc = Gafc(settings, config.data.size_px)
        self.judges = WholeAndHole(settings.discriminator_width, config.data.size_px)
        self.stages = (
            alone(config, ESTIMATOR, self.model.estimator),
            adversaries(config, 1, self.model.generator, self.judges),
        )

    def begin(self, sample: Mapping[str, Any], device: torch.device, images: int, step: int) -> _Step:
        """Return the batch with the geometry of its clean faces."""
        points_BK3, size_px = sample["points"], self.config.data.size_px
        heats_B5HW = component_maps(points_BK3, size_px, self.settings.sigma * size_px)
        batch = example(self.config, sample, device, images, step)
        return _Step(
            batch, heats_B5HW.to(device, non_blocking=True), parsing(points_BK3, size_px).to(device, non_blocking=True)
        )

    def outputs(self, batch: _Step) -> _Made:
        """Return the geometry, and the picture and mask that were made with it."""
        given = batch.example
        geometry = self.model.geometry(given.occluded_B3HW, given.mask_B1HW)
        known = Geometry(*(part.detach() for part in geometry))
        return _Made(geometry, self.model.completed(given.occluded_B3HW, given.mask_B1HW, known))

    def discriminator_term(self, stage: Stage, batch: _Step, outputs: _Made) -> Tensor | None:
        """Return the loss of both discriminators of the generator's pictures; the estimator has none."""
        if stage.place == ESTIMATOR:
            return None
        clean_B3HW, mask_B1HW = batch.example.clean_B3HW, batch.example.mask_B1HW
        fake_B3HW = composite(outputs.completed.image_B3HW.detach().float(), clean_B3HW, mask_B1HW)
        pairs = zip(self.judges(clean_B3HW, mask_B1HW), self.judges(fake_B3HW, mask_B1HW), strict=True)
        whole, hole = (discriminator_loss("nonsaturating", DiscriminatorScores(*pair)) for pair in pairs)
        return whole + hole

    def generator_terms(self, stage: Stage, batch: _Step, outputs: _Made) -> dict[str, Tensor]:
        """Return the terms of the estimator, or of the generator."""
        settings, given = self.settings, batch.example
        if stage.place == ESTIMATOR:
            found = outputs.geometry
            terms = {
                "heat": F.mse_loss(found.heats_B5HW, batch.heats_B5HW),
                "parsing": F.cross_entropy(found.regions_B6HW, batch.labels_BHW),
            }
            return {**terms, "total": settings.heat * terms["heat"] + settings.parsing * terms["parsing"]}
        image_B3HW, mask_B1HW = outputs.completed.image_B3HW.float(), outputs.completed.mask_B1HW
        whole_B1, hole_B1 = self.judges(composite(image_B3HW, given.clean_B3HW, given.mask_B1HW), given.mask_B1HW)
        terms = {
            "l1": (image_B3HW - given.clean_B3HW).abs().mean(),
            "mask": F.binary_cross_entropy_with_logits(mask_B1HW, given.mask_B1HW),
            "low_rank": nuclear_norm(mask_B1HW.sigmoid()),
            "adversarial": generator_loss("nonsaturating", whole_B1),
            "hole_adversarial": generator_loss("nonsaturating", hole_B1),
        }
        total = (
            settings.l1 * terms["l1"]
            + settings.mask * terms["mask"]
            + settings.low_rank * terms["low_rank"]
            + settings.whole * terms["adversarial"]
            + settings.hole * terms["hole_adversarial"]
        )
        return {**terms, "total": total}


def nuclear_norm(maps_B1HW: Tensor) -> Tensor:
    """Return the sum of the singular values of maps, over their side, the mean over maps: less for a lower rank.

    >>> round(nuclear_norm(torch.eye(4)[None, None]).item(), 6), round(nuclear_norm(torch.ones(1, 1, 4, 4)).item(), 6)
    (1.0, 1.0)
    """
    if maps_B1HW.is_meta:
        return maps_B1HW.mean()
    with full_precision(maps_B1HW.device):
        norms_B: Tensor = torch.linalg.matrix_norm(maps_B1HW[:, 0].float(), "nuc")
        return norms_B.mean() / maps_B1HW.shape[-1]
