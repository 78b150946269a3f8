"""Networks compiled by torch, on request: the first steps take a minute, the others less than before."""

from __future__ import annotations

from typing import Any

import torch

from fdtrain.objectives.base import Objective
from fdtrain.objectives.perceptual import PerceptualLoss

BACKEND: Any = "inductor"
"""Torch's own."""


def compile_networks(objective: Objective, perceptual: PerceptualLoss | None) -> None:
    """Have the networks of all stages, and the one that compares features, compiled when they are first used.

    Names of weights stay, and so do checkpoints. Sums are added in another order: bits are not those of before.
    """
    objective.compile(BACKEND)
    if perceptual is not None:
        perceptual.features = torch.compile(perceptual.features, backend=BACKEND)  # type: ignore[method-assign]
