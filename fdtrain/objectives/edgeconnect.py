"""The objective of EdgeConnect (Nazeri et al. 2019): edges against their discriminator, then pictures along edges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from fdtrain.config.baselines import EdgeConnectConfig
from fdtrain.config.schema import FitConfig
from fdtrain.networks.edgeconnect import EdgeConnect, FeatureDiscriminator, canny_edges, joined_edges
from fdtrain.networks.restorer import luma
from fdtrain.objectives.base import Example, Objective, adversaries, example, in_hole
from fdtrain.objectives.losses import DiscriminatorScores, discriminator_loss, generator_loss
from fdtrain.objectives.perceptual import PerceptualLoss
from fdtrain.objectives.stage import Stage

STYLE_LAYERS = {
    "vgg19": ("relu2_2", "relu3_4", "relu4_4", "relu5_2"),
    "vgg16-stlpips": ("relu2_2", "relu3_3", "relu4_3", "relu5_2"),
    "off": (),
}
"""Section 3.2, by perceptual network: those of VGG-19; a VGG-16 has three convolutions where that has four."""


class _Step(NamedTuple):
    example: Example
    grey_B1HW: Tensor
    edges_B1HW: Tensor
    joint: bool


class _Made(NamedTuple):
    edges_B1HW: Tensor
    image_B3HW: Tensor


class EdgeConnectObjective(Objective):
    """Stage 1 learns edges (eq. 2), stage 2 pictures (eq. 8) along Canny's edges; at the end both from eq. 8 alone.

    The paper's weights belong to pictures in [0, 1] that the VGG sees as they are, as its authors' program shows: with
    ImageNet's normalisation the Gram matrices would be twenty times as large, and the L1 term nothing next to them.
    """

    @classmethod
    def perceptual_layers(cls, config: FitConfig) -> tuple[str, ...]:
        """Return the layers that perceptual and style loss look at, each once."""
        return tuple(dict.fromkeys((*config.loss.perceptual_layers, *STYLE_LAYERS[config.loss.perceptual])))

    def __init__(self, config: FitConfig, settings: EdgeConnectConfig, perceptual: PerceptualLoss | None) -> None:
        self.config, self.settings, self.perceptual = config, settings, perceptual
        self.model: EdgeConnect = EdgeConnect(settings)
        width = settings.discriminator_width
        self.judges = (FeatureDiscriminator(2, width), FeatureDiscriminator(3, width))
        generators = (self.model.edges, self.model.completion)
        self.stages = tuple(
            adversaries(config, place, generator, judge)
            for place, (generator, judge) in enumerate(zip(generators, self.judges, strict=True))
        )

    def set_rates(self, images: int) -> None:
        """Set the rates, a share of them in the joint phase."""
        factor = self.settings.joint_rate if images >= self.settings.joint_from_images else 1.0
        for stage in self.stages:
            stage.set_rates(self.config.training, images, factor)

    def begin(self, sample: Mapping[str, Any], device: torch.device, images: int, step: int) -> _Step:
        """Return the batch with the grey pictures and their true edges."""
        batch = example(self.config, sample, device, images, step)
        grey_B1HW = luma(batch.clean_B3HW)
        # Edges are found by the CPU, where the loader's pictures are, before they leave it.
        given_B3HW = example(self.config, sample, sample["clean"].device, images, step).clean_B3HW
        edges_B1HW = canny_edges(luma(given_B3HW), self.settings.sigma_px).to(device, non_blocking=True)
        return _Step(batch, grey_B1HW, edges_B1HW, images >= self.settings.joint_from_images)

    def outputs(self, batch: _Step) -> _Made:
        """Return the predicted edges and the picture along the true ones, or in the joint phase along the predicted."""
        mask_B1HW = batch.example.mask_B1HW
        made_B1HW = self.model.predict_edges(batch.grey_B1HW, batch.edges_B1HW, mask_B1HW)
        edges_B1HW = joined_edges(batch.edges_B1HW, made_B1HW, mask_B1HW) if batch.joint else batch.edges_B1HW
        return _Made(made_B1HW, self.model.complete(batch.example.occluded_B3HW, edges_B1HW, mask_B1HW))

    def discriminator_term(self, stage: Stage, batch: _Step, outputs: _Made) -> Tensor | None:
        """Return eq. 3 or 5 negated; the discriminator of edges rests in the joint phase."""
        if stage.place == 0 and batch.joint:
            return None
        real, fake = self._pair(stage, batch, outputs)
        judge = self.judges[stage.place]
        return discriminator_loss("nonsaturating", DiscriminatorScores(judge(real)[-1], judge(fake.detach())[-1]))

    def generator_terms(self, stage: Stage, batch: _Step, outputs: _Made) -> dict[str, Tensor]:
        """Return the terms of eq. 2 or 8."""
        if stage.place == 0 and batch.joint:
            return {"total": outputs.edges_B1HW.new_zeros(())}
        real, fake = self._pair(stage, batch, outputs)
        judge, settings = self.judges[stage.place], self.settings
        judged = judge(fake)
        terms = {"adversarial": generator_loss("nonsaturating", judged[-1])}
        if stage.place == 0:
            with torch.no_grad():
                wanted = judge(real)
            terms["feature_matching"] = matching(judged[:-1], wanted[:-1])
            total = terms["adversarial"] + settings.feature_matching * terms["feature_matching"]
            return {**terms, "total": total}
        clean_B3HW, mask_B1HW = batch.example.clean_B3HW, batch.example.mask_B1HW
        made_B3HW, true_B3HW = (picture.float() * 0.5 + 0.5 for picture in (outputs.image_B3HW, clean_B3HW))
        away_B3HW = (made_B3HW - true_B3HW).abs()
        terms["l1"] = away_B3HW.mean() / mask_B1HW.mean().clamp(min=1e-3)  # "normalized by the mask size"
        terms["hole_l1"] = in_hole(away_B3HW.detach(), mask_B1HW)
        total = settings.l1 * terms["l1"] + settings.adversarial * terms["adversarial"]
        if self.perceptual is not None:
            terms["perceptual"] = self._perceptual(made_B3HW, true_B3HW)
            terms["style"] = self._style(made_B3HW * mask_B1HW, true_B3HW * mask_B1HW)
            total = total + settings.perceptual * terms["perceptual"] + settings.style * terms["style"]
        return {**terms, "total": total}

    def _pair(self, stage: Stage, batch: _Step, outputs: _Made) -> tuple[Tensor, Tensor]:
        """Return what a stage's discriminator sees, real and generated: edges next to the grey picture, or pictures."""
        if stage.place == 1:
            return batch.example.clean_B3HW, outputs.image_B3HW.float()
        real, fake = (torch.cat([batch.grey_B1HW, edges], 1) for edges in (batch.edges_B1HW, outputs.edges_B1HW))
        return real, fake

    def _maps(self, image_B3HW: Tensor, names: Sequence[str]) -> list[Tensor]:
        """Return maps by name of pictures in [0, 1], which the network sees without ImageNet's normalisation."""
        if self.perceptual is None:
            return []
        image_B3HW = 2 * (image_B3HW * self.perceptual.std + self.perceptual.mean) - 1
        order = sorted(self.perceptual_layers(self.config))  # relu1_1, relu2_1, relu2_2: by name is by depth
        found = dict(zip(order, self.perceptual.features(image_B3HW), strict=True))
        return [found[name] for name in names]

    def _perceptual(self, image_B3HW: Tensor, clean_B3HW: Tensor) -> Tensor:
        """Return eq. 6 of pictures in [0, 1]."""
        names = self.config.loss.perceptual_layers
        with torch.no_grad():
            wanted = self._maps(clean_B3HW, names)
        return matching(self._maps(image_B3HW, names), wanted)

    def _style(self, image_B3HW: Tensor, clean_B3HW: Tensor) -> Tensor:
        """Return eq. 7 of pictures in [0, 1]."""
        names = STYLE_LAYERS[self.config.loss.perceptual]
        with torch.no_grad():
            wanted = [gram(features) for features in self._maps(clean_B3HW, names)]
        return matching([gram(features) for features in self._maps(image_B3HW, names)], wanted)


def matching(made: Sequence[Tensor], wanted: Sequence[Tensor]) -> Tensor:
    """Return the sum over layers of the mean absolute difference of their maps (eq. 4 and 6)."""
    return torch.stack(
        [(one.float() - other.float()).abs().mean() for one, other in zip(made, wanted, strict=True)]
    ).sum()


def gram(features_BCHW: Tensor) -> Tensor:
    """Return the Gram matrices (B, C, C) of feature maps, over the number of their values."""
    flat_BCN = features_BCHW.float().flatten(2)
    return torch.bmm(flat_BCN, flat_BCN.transpose(1, 2)) / (flat_BCN.shape[1] * flat_BCN.shape[2])
