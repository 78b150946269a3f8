"""Validation of a segmentation network in training: numbers on the validation split, a temperature, and a sheet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from fdgen.arrays import Image
from fdtrain.data.sheets import sheet
from fdtrain.data.tensors import to_pictures
from fdtrain.networks.masknet import MaskNet
from fdtrain.objectives.validation import MASK_SCORE

TEMPERATURE = "val/temperature"

MOST_PIXELS = 1_000_000
"""One number is fitted: more pixels than this change its third digit and take seconds."""

TEMPERATURES = (0.25, 8.0)
"""Where a temperature is looked for: that of a network that is right everywhere would go to 0."""


@torch.no_grad()
def validate_masks(model: nn.Module, batches: Iterable[Mapping[str, Any]], device: torch.device) -> dict[str, float]:
    """Return mean IoU at probability 0.5, the share of pictures whose likeliest kind is worn, and the temperature.

    Cross-entropy a pixel is given as it is and at the temperature that makes it smallest here. Without kinds there is
    no share of them.
    """
    net = _net(model)
    net.eval()
    ious, hits, logits, truths = [], [], [], []
    for batch in batches:
        truth_B1HW = batch["silhouette"].to(device)
        found = net.find(batch["occluded"].to(device))
        ious.append(iou_of(found.logits_BKHW > 0, truth_B1HW > 0))
        if found.kinds_BK.shape[1]:
            hits.append(batch["kinds"].to(device).gather(1, found.kinds_BK.argmax(1, keepdim=True)))
        logits.append(found.logits_BKHW.float().flatten().cpu())
        truths.append(truth_B1HW.flatten().cpu())
    every = max(sum(map(len, logits)) // MOST_PIXELS, 1)
    values_N, truth_N = torch.cat(logits)[::every], torch.cat(truths)[::every]
    temperature = fitted_temperature(values_N, truth_N)
    return {
        MASK_SCORE: float(torch.cat(ious).double().mean()),
        **({"val/kind": float(torch.cat(hits).double().mean())} if hits else {}),
        "val/cross_entropy": float(binary_cross_entropy_with_logits(values_N, truth_N)),
        "val/cross_entropy_cooled": float(binary_cross_entropy_with_logits(values_N / temperature, truth_N)),
        TEMPERATURE: temperature,
    }


def iou_of(found_B1HW: Tensor, truth_B1HW: Tensor) -> Tensor:
    """Return intersection over union of each picture (B,), of booleans; 1 where both are empty."""
    union_B = (found_B1HW | truth_B1HW).sum((1, 2, 3))
    shared_B = (found_B1HW & truth_B1HW).sum((1, 2, 3))
    return torch.where(union_B > 0, shared_B / union_B.clamp(min=1), 1.0)


def fitted_temperature(logits_N: Tensor, truth_N: Tensor) -> float:
    """Return what to divide logits by for the smallest cross-entropy, within `TEMPERATURES`, to a hundredth.

    By golden section on its logarithm: cross-entropy has one minimum in 1 / temperature.
    """
    low, high = (float(np.log(edge)) for edge in TEMPERATURES)
    shrink = (5**0.5 - 1) / 2

    def cost(log_temperature: float) -> float:
        return float(binary_cross_entropy_with_logits(logits_N / float(np.exp(log_temperature)), truth_N))

    left, right = high - shrink * (high - low), low + shrink * (high - low)
    at_left, at_right = cost(left), cost(right)
    while high - low > 0.01:
        if at_left < at_right:
            high, right, at_right = right, left, at_left
            left = high - shrink * (high - low)
            at_left = cost(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + shrink * (high - low)
            at_right = cost(right)
    return round(float(np.exp((low + high) / 2)), 3)


@torch.no_grad()
def mask_sheet(model: nn.Module, samples: Sequence[Mapping[str, Any]], split: str, device: torch.device) -> Image:
    """Return a sheet, a row a sample of `split`: occluded picture, silhouette, and the probability, with its IoU."""
    net = _net(model)
    net.eval()
    occluded, truth = (
        torch.stack([sample[name] for sample in samples]).to(device) for name in ("occluded", "silhouette")
    )
    logits = net(occluded).float()
    columns = (occluded, *((part * 2 - 1).expand(-1, 3, -1, -1) for part in (truth, torch.sigmoid(logits))))
    rows = list(zip(*(to_pictures(column) for column in columns), strict=True))
    captions = [[split, "", f"IoU {iou:.3f}"] for iou in iou_of(logits > 0, truth > 0)]
    return sheet(rows, captions, ["occluded", "silhouette", "found"])


def _net(model: nn.Module) -> MaskNet:
    if not isinstance(model, MaskNet):
        raise TypeError(f"not a segmentation network: {type(model).__name__}")
    return model
