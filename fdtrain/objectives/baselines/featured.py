"""A batch with the features of its true pictures, for objectives that compare features and need nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from fdtrain.config.schema import FitConfig
from fdtrain.objectives.base import Example, example
from fdtrain.objectives.perceptual import PerceptualLoss, true_features


class Featured(NamedTuple):
    """A batch, and the features of its clean pictures, which nothing learns from; none without a perceptual loss."""

    example: Example
    clean_features: list[Tensor]


def featured(
    config: FitConfig,
    perceptual: PerceptualLoss | None,
    sample: Mapping[str, Any],
    device: torch.device,
    images: int,
    step: int,
) -> Featured:
    """Put a batch on the device, as `example` does, with its features.

    Args:
        config: Every setting.
        perceptual: Whose features these are; None for none.
        sample: The batch, as `example` takes it.
        device: Where it goes.
        images: Training images before this step, over all processes.
        step: Number of the step.
    """
    batch = example(config, sample, device, images, step)
    return Featured(batch, true_features(perceptual, batch.clean_B3HW))
