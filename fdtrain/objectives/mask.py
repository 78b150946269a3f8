"""The objective of the segmentation network: cross-entropy and soft Dice of the silhouette, cross-entropy of kinds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from fdgen.arrays import Image
from fdtrain.config.mask import MaskConfig
from fdtrain.config.schema import FitConfig
from fdtrain.data.tensors import masks_on, pictures_on
from fdtrain.networks.build import build_masknet
from fdtrain.networks.masknet import Found, MaskNet
from fdtrain.objectives import base
from fdtrain.objectives.base import Objective
from fdtrain.objectives.mask_validation import TEMPERATURE, mask_sheet, validate_masks
from fdtrain.objectives.perceptual import PerceptualLoss
from fdtrain.objectives.stage import Stage
from fdtrain.objectives.validation import MASK_SCORE


class _Step(NamedTuple):
    occluded_B3HW: Tensor
    silhouette_B1HW: Tensor
    kinds_BK: Tensor


class MaskObjective(Objective):
    """One stage without an adversary, by AdamW."""

    score = MASK_SCORE

    def __init__(self, config: FitConfig, settings: MaskConfig) -> None:
        self.config, self.settings = config, settings
        self.model: MaskNet = build_masknet(config)
        training = config.training
        optimiser = torch.optim.AdamW(
            self.model.parameters(),
            lr=training.lr_generator,
            betas=(training.betas[0], training.betas[1]),
            weight_decay=settings.weight_decay,
            foreach=True,
        )
        self.stages = (Stage(0, self.model, optimiser, None, None),)

    def compile(self) -> None:
        """Compile what is called of the network, which is not its `forward`."""
        self.model.find = torch.compile(self.model.find, backend=base.COMPILER)  # type: ignore[method-assign]

    def begin(self, sample: Mapping[str, Any], device: torch.device, images: int, step: int) -> _Step:
        """Return the batch, pictures in the layout that the config asks for."""
        channels_last = self.config.training.channels_last
        occluded_B3HW = pictures_on(device, sample["occluded"], channels_last)
        silhouette_B1HW = masks_on(device, sample["silhouette"], channels_last)
        return _Step(occluded_B3HW, silhouette_B1HW, sample["kinds"].to(device, non_blocking=True))

    def outputs(self, batch: _Step) -> Found:
        """Return all logits."""
        return self.model.find(batch.occluded_B3HW)

    def discriminator_term(self, stage: Stage, batch: _Step, outputs: Found) -> None:
        """There is none."""

    def generator_terms(self, stage: Stage, batch: _Step, outputs: Found) -> dict[str, Tensor]:
        """Return cross-entropy, Dice, and where kinds are distinguished theirs."""
        logits_B1HW = outputs.logits_BKHW.float()
        pixels = binary_cross_entropy_with_logits(logits_B1HW, batch.silhouette_B1HW)
        dice = soft_dice_loss(torch.sigmoid(logits_B1HW), batch.silhouette_B1HW)
        terms = {"cross_entropy": pixels, "dice": dice}
        total = pixels + self.settings.dice * dice
        if batch.kinds_BK.shape[1]:
            terms["kinds"] = binary_cross_entropy_with_logits(outputs.kinds_BK.float(), batch.kinds_BK)
            total = total + self.settings.kind * terms["kinds"]
        return {**terms, "total": total}

    def validate(
        self,
        model: nn.Module,
        batches: Iterable[Mapping[str, Any]],
        device: torch.device,
        perceptual: PerceptualLoss | None = None,
    ) -> dict[str, float]:
        """Return IoU and what else there is to know of silhouettes; no network compares them."""
        return validate_masks(model, batches, device)

    def sheet(self, model: nn.Module, samples: Sequence[Mapping[str, Any]], split: str, device: torch.device) -> Image:
        """Return occluded picture, truth and prediction, a row a sample."""
        return mask_sheet(model, samples, split, device)

    def facts(self, values: Mapping[str, float]) -> dict[str, Any]:
        """Return IoU and temperature."""
        return {"val_iou": values.get(MASK_SCORE), "temperature": values.get(TEMPERATURE)}


def soft_dice_loss(found_B1HW: Tensor, truth_B1HW: Tensor) -> Tensor:
    """Return 1 less the Dice coefficient of probabilities, the mean over pictures (Milletari et al. 2016, "V-Net").

    Over those alone that show anything to find: of an empty picture it would be flat but for the last few pixels, and
    cross-entropy says all there is to say. The 1 above and below keeps it finite.
    """
    overlap_B = (found_B1HW * truth_B1HW).sum((1, 2, 3))
    truth_B = truth_B1HW.sum((1, 2, 3))
    both_B = found_B1HW.sum((1, 2, 3)) + truth_B
    shows_B = (truth_B > 0).to(found_B1HW.dtype)
    dice_B = (2 * overlap_B + 1) / (both_B + 1)
    return ((1 - dice_B) * shows_B).sum() / shows_B.sum().clamp(min=1)
