"""The objective of CollaGAN (Liao et al. 2018): three tasks of one encoder, each with its adversary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own name for it
from torch import Tensor, nn

from fdtrain.config.baselines import CollaGanConfig
from fdtrain.config.face_maps import N_HEATS, N_REGIONS
from fdtrain.config.schema import FitConfig
from fdtrain.faces.conditions import heat_maps, one_hot, parsing
from fdtrain.networks.baselines.collagan import Collaborated, CollaGan
from fdtrain.networks.baselines.judges import Patches
from fdtrain.networks.restorer import blanked, composite
from fdtrain.objectives.base import Example, Objective, adversaries, example, in_hole
from fdtrain.objectives.losses import DiscriminatorScores, discriminator_loss, generator_loss
from fdtrain.objectives.perceptual import PerceptualLoss
from fdtrain.objectives.stage import Stage


class _Step(NamedTuple):
    example: Example
    heats_BKHW: Tensor
    labels_BHW: Tensor


class CollaGanObjective(Objective):
    """All is learnt at once. Of the picture the hole alone counts: what is known need not be given back."""

    def __init__(self, config: FitConfig, settings: CollaGanConfig, perceptual: PerceptualLoss | None) -> None:
        self.config, self.settings = config, settings
        self.model: CollaGan = CollaGan(settings, config.data.size_px)
        self.judges = nn.ModuleList(
            Patches(settings.discriminator_width, channels=channels) for channels in (3, N_HEATS, N_REGIONS)
        )
        self.stages = (adversaries(config, 0, self.model, self.judges),)

    def called(self) -> Sequence[nn.Module]:
        """Return the parts of the network, which is not called as a whole, and all three discriminators."""
        model = self.model
        return [model.encoder, model.picture, model.landmarks, model.regions, *self.judges]

    def begin(self, sample: Mapping[str, Any], device: torch.device, images: int, step: int) -> _Step:
        """Return the batch with the landmarks and regions of its clean faces."""
        points_BK3, size_px = sample["points"], self.config.data.size_px
        heats_BKHW = heat_maps(points_BK3, size_px, self.settings.sigma * size_px)
        batch = example(self.config, sample, device, images, step)
        return _Step(
            batch, heats_BKHW.to(device, non_blocking=True), parsing(points_BK3, size_px).to(device, non_blocking=True)
        )

    def outputs(self, batch: _Step) -> Collaborated:
        """Return what the three decoders make."""
        return self.model.all(batch.example.occluded_B3HW, batch.example.mask_B1HW)

    def discriminator_term(self, stage: Stage, batch: _Step, outputs: Collaborated) -> Tensor:
        """Return the loss of all three discriminators, each given the picture with its hole blanked."""
        true = (batch.example.clean_B3HW, batch.heats_BKHW, one_hot(batch.labels_BHW))
        scores = zip(self._judged(batch, true), self._judged(batch, self._made(batch, outputs, held=True)), strict=True)
        losses = [discriminator_loss("nonsaturating", DiscriminatorScores(*pair)) for pair in scores]
        return torch.stack(losses).sum()

    def generator_terms(self, stage: Stage, batch: _Step, outputs: Collaborated) -> dict[str, Tensor]:
        """Return the terms of the three tasks, and their adversaries'."""
        settings, given = self.settings, batch.example
        image, heats, regions = self._judged(batch, self._made(batch, outputs))
        terms = {
            "l1": in_hole((outputs.image_B3HW.float() - given.clean_B3HW).abs(), given.mask_B1HW),
            "heat": F.mse_loss(outputs.heats_BKHW, batch.heats_BKHW),
            "parsing": F.cross_entropy(outputs.regions_B6HW, batch.labels_BHW),
            "adversarial": generator_loss("nonsaturating", image),
            "heat_adversarial": generator_loss("nonsaturating", heats),
            "parsing_adversarial": generator_loss("nonsaturating", regions),
        }
        total = (
            settings.l1 * terms["l1"]
            + settings.heat * terms["heat"]
            + settings.parsing * terms["parsing"]
            + terms["adversarial"]
            + terms["heat_adversarial"]
            + terms["parsing_adversarial"]
        )
        return {**terms, "total": total}

    def _made(self, batch: _Step, outputs: Collaborated, *, held: bool = False) -> tuple[Tensor, ...]:
        """Return what is judged; `held` without a gradient."""
        given = batch.example
        made = (
            composite(outputs.image_B3HW.float(), given.clean_B3HW, given.mask_B1HW),
            outputs.heats_BKHW,
            outputs.regions_B6HW.softmax(1),
        )
        return tuple(one.detach() for one in made) if held else made

    def _judged(self, batch: _Step, things: tuple[Tensor, ...]) -> list[Tensor]:
        seen_B3HW = blanked(batch.example.occluded_B3HW, batch.example.mask_B1HW)
        return [judge(thing_BCHW, seen_B3HW) for judge, thing_BCHW in zip(self.judges, things, strict=True)]
