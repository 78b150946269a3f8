"""The objective of SymmFCNet (Li et al. 2018): flow and light of the mirrored half, and a face alike on both halves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own name for it
from torch import Tensor, nn

from fdtrain.config.baselines import SymmFcNetConfig
from fdtrain.config.schema import FitConfig
from fdtrain.faces.conditions import mirror_flow
from fdtrain.networks.baselines.judges import WholeAndHole
from fdtrain.networks.baselines.symmfcnet import SymmFcNet, Warped, warp
from fdtrain.networks.restorer import composite, full_precision
from fdtrain.objectives.base import Example, Objective, adversaries, example, in_hole
from fdtrain.objectives.losses import DiscriminatorScores, discriminator_loss, generator_loss
from fdtrain.objectives.perceptual import PerceptualLoss, true_features
from fdtrain.objectives.stage import Stage


class _Step(NamedTuple):
    example: Example
    flow_B2HW: Tensor
    on_face_B1HW: Tensor
    clean_features: list[Tensor]


class _Made(NamedTuple):
    warped: Warped
    image_B3HW: Tensor
    features_BCHW: Tensor


class SymmFcNetObjective(Objective):
    """Both subnets learn together, end to end."""

    def __init__(self, config: FitConfig, settings: SymmFcNetConfig, perceptual: PerceptualLoss | None) -> None:
        self.config, self.settings, self.perceptual = config, settings, perceptual
        self.model: SymmFcNet = SymmFcNet(settings, config.data.size_px)
        self.judges = WholeAndHole(settings.discriminator_width, config.data.size_px)
        self.stages = (adversaries(config, 0, self.model, self.judges),)

    def called(self) -> Sequence[nn.Module]:
        """Return the three networks, which are called one by one, and what judges the picture."""
        return [self.model.flow, self.model.light, self.model.reconstruction, self.judges]

    def begin(self, sample: Mapping[str, Any], device: torch.device, images: int, step: int) -> _Step:
        """Return the batch with the flow to the mirrored half, and with its true features."""
        flow_B2HW, on_face_B1HW = mirror_flow(sample["points"], self.config.data.size_px)
        batch = example(self.config, sample, device, images, step)
        flow_B2HW = in_mirror_image(flow_B2HW).to(device, non_blocking=True)
        return _Step(
            batch,
            flow_B2HW,
            on_face_B1HW.to(device, non_blocking=True),
            true_features(self.perceptual, batch.clean_B3HW),
        )

    def outputs(self, batch: _Step) -> _Made:
        """Return what both subnets make."""
        given = batch.example
        warped = self.model.warped(given.occluded_B3HW, given.mask_B1HW)
        made = self.model.reconstructed(given.occluded_B3HW, given.mask_B1HW, warped)
        return _Made(warped, torch.tanh(made.raw_BCHW), made.features_BCHW)

    def discriminator_term(self, stage: Stage, batch: _Step, outputs: _Made) -> Tensor:
        """Return the loss of both discriminators."""
        clean_B3HW, mask_B1HW = batch.example.clean_B3HW, batch.example.mask_B1HW
        fake_B3HW = composite(outputs.image_B3HW.detach().float(), clean_B3HW, mask_B1HW)
        pairs = zip(self.judges(clean_B3HW, mask_B1HW), self.judges(fake_B3HW, mask_B1HW), strict=True)
        whole, hole = (discriminator_loss("nonsaturating", DiscriminatorScores(*pair)) for pair in pairs)
        return whole + hole

    def generator_terms(self, stage: Stage, batch: _Step, outputs: _Made) -> dict[str, Tensor]:
        """Return the terms of both subnets."""
        settings, given, warped = self.settings, batch.example, outputs.warped
        image_B3HW = outputs.image_B3HW.float()
        seen_B3HW = composite(image_B3HW, given.clean_B3HW, given.mask_B1HW)
        whole_B1, hole_B1 = self.judges(seen_B3HW, given.mask_B1HW)
        terms = {
            "flow": in_hole((warped.flow_B2HW - batch.flow_B2HW) ** 2, batch.on_face_B1HW),
            "light": in_hole((warped.lit_B3HW - given.clean_B3HW) ** 2, batch.on_face_B1HW * warped.seen_B1HW),
            "smooth": variation(warped.flow_B2HW) + variation(warped.light_B3HW),
            "mse": F.mse_loss(image_B3HW, given.clean_B3HW),
            "symmetry": self._symmetry(batch, outputs),
            "adversarial": generator_loss("nonsaturating", whole_B1),
            "hole_adversarial": generator_loss("nonsaturating", hole_B1),
        }
        total = (
            settings.flow * terms["flow"]
            + settings.light * terms["light"]
            + settings.smooth * terms["smooth"]
            + settings.reconstruction * terms["mse"]
            + settings.symmetry * terms["symmetry"]
            + settings.whole * terms["adversarial"]
            + settings.hole * terms["hole_adversarial"]
        )
        if self.perceptual is not None:
            terms["perceptual"] = self.perceptual.distance(seen_B3HW, batch.clean_features)
            total = total + settings.perceptual * terms["perceptual"]
        return {**terms, "total": total}

    def _symmetry(self, batch: _Step, outputs: _Made) -> Tensor:
        """Return how far features are from their counterparts', where both halves are hidden."""
        features_BCHW, warped = outputs.features_BCHW.float(), outputs.warped
        hidden_B1HW = batch.example.mask_B1HW * (1 - warped.seen_B1HW) * batch.on_face_B1HW
        with full_precision(features_BCHW.device):
            other_BCHW = warp(features_BCHW.flip(3), warped.flow_B2HW)
            return in_hole((features_BCHW - other_BCHW) ** 2, hidden_B1HW)


def in_mirror_image(flow_B2HW: Tensor) -> Tensor:
    """Return the way from pixels to their counterparts in px as that to where these are in the mirror image, in shares.

    >>> still = in_mirror_image(torch.zeros(1, 2, 2, 2))  # a pixel that is its own counterpart
    >>> still[0, 0, 0].tolist(), still[0, 1].abs().max().item()
    ([0.5, -0.5], 0.0)
    """
    side = flow_B2HW.shape[-1]
    places_S = torch.arange(side, device=flow_B2HW.device) + 0.5
    return torch.stack([side - 2 * places_S - flow_B2HW[:, 0], flow_B2HW[:, 1]], 1) / side


def variation(maps_BCHW: Tensor) -> Tensor:
    """Return the mean difference of neighbours, along both axes."""
    return maps_BCHW.diff(dim=2).abs().mean() + maps_BCHW.diff(dim=3).abs().mean()
