"""The objective of Maharjan et al. 2020: a conditional GAN for the parsing of the face, and one for the face."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own name for it
from torch import Tensor

from fdtrain.config.baselines import MaharjanConfig
from fdtrain.config.face_maps import N_REGIONS
from fdtrain.config.schema import FitConfig
from fdtrain.faces.conditions import one_hot, parsing
from fdtrain.networks.baselines.judges import Patches
from fdtrain.networks.baselines.maharjan import Maharjan
from fdtrain.objectives.base import Example, Objective, adversaries, example
from fdtrain.objectives.losses import (
    DiscriminatorScores,
    discriminator_loss,
    generator_loss,
    l1,
    pixel_weights,
    ssim_loss,
)
from fdtrain.objectives.perceptual import PerceptualLoss, true_features
from fdtrain.objectives.stage import Stage

SEGMENTATION = 0
"""The place of the segmentation network; the face network follows."""


class _Step(NamedTuple):
    example: Example
    labels_BHW: Tensor
    clean_features: list[Tensor]


class _Made(NamedTuple):
    regions_B6HW: Tensor
    image_B3HW: Tensor


class MaharjanObjective(Objective):
    """Both networks learn in each step, without a gradient from the second to the first."""

    def __init__(self, config: FitConfig, settings: MaharjanConfig, perceptual: PerceptualLoss | None) -> None:
        self.config, self.settings, self.perceptual = config, settings, perceptual
        self.model: Maharjan = Maharjan(settings, config.data.size_px)
        self.judges = (
            Patches(settings.discriminator_width, channels=N_REGIONS),
            Patches(settings.discriminator_width, channels=3),
        )
        generators = (self.model.segmentation, self.model.face)
        self.stages = tuple(
            adversaries(config, place, generator, judge)
            for place, (generator, judge) in enumerate(zip(generators, self.judges, strict=True))
        )

    def begin(self, sample: Mapping[str, Any], device: torch.device, images: int, step: int) -> _Step:
        """Return the batch with the regions of its clean faces, and with its true features."""
        labels_BHW = parsing(sample["points"], self.config.data.size_px).to(device, non_blocking=True)
        batch = example(self.config, sample, device, images, step)
        return _Step(batch, labels_BHW, true_features(self.perceptual, batch.clean_B3HW))

    def outputs(self, batch: _Step) -> _Made:
        """Return the regions, as logits, and the picture that was made with them."""
        occluded_B3HW = batch.example.occluded_B3HW
        regions_B6HW = self.model.regions(occluded_B3HW)
        return _Made(regions_B6HW, self.model.restored(occluded_B3HW, regions_B6HW.detach().softmax(1)))

    def discriminator_term(self, stage: Stage, batch: _Step, outputs: _Made) -> Tensor:
        """Return the loss of the discriminator of regions, or of pictures, given the occluded picture."""
        return discriminator_loss(
            "nonsaturating",
            DiscriminatorScores(
                self._judged(stage, batch, self._true(stage, batch)),
                self._judged(stage, batch, self._made(stage, outputs).detach()),
            ),
        )

    def generator_terms(self, stage: Stage, batch: _Step, outputs: _Made) -> dict[str, Tensor]:
        """Return the terms of the segmentation network, or of the face network."""
        settings, clean_B3HW = self.settings, batch.example.clean_B3HW
        fake = self._judged(stage, batch, self._made(stage, outputs))
        terms = {"adversarial": generator_loss("nonsaturating", fake)}
        total = terms["adversarial"]
        if stage.place == SEGMENTATION:
            terms["cross_entropy"] = F.cross_entropy(outputs.regions_B6HW, batch.labels_BHW)
            return {**terms, "total": total + settings.segmentation * terms["cross_entropy"]}
        even_B1HW = pixel_weights(batch.example.mask_B1HW, 1.0)
        terms |= {
            "l1": l1(outputs.image_B3HW, clean_B3HW, even_B1HW),
            "ssim": ssim_loss(outputs.image_B3HW, clean_B3HW, even_B1HW),
        }
        total = total + settings.reconstruction * (terms["l1"] + terms["ssim"])
        if self.perceptual is not None:
            terms["perceptual"] = self.perceptual.distance(outputs.image_B3HW.float(), batch.clean_features)
            total = total + settings.perceptual * terms["perceptual"]
        return {**terms, "total": total}

    def _true(self, stage: Stage, batch: _Step) -> Tensor:
        return one_hot(batch.labels_BHW) if stage.place == SEGMENTATION else batch.example.clean_B3HW

    def _made(self, stage: Stage, outputs: _Made) -> Tensor:
        return outputs.regions_B6HW.softmax(1) if stage.place == SEGMENTATION else outputs.image_B3HW.float()

    def _judged(self, stage: Stage, batch: _Step, thing_BCHW: Tensor) -> Tensor:
        logits: Tensor = self.judges[stage.place](thing_BCHW, batch.example.occluded_B3HW)
        return logits
