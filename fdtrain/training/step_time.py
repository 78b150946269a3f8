"""How long a step of a config takes: the networks and losses of the loop, on pictures of noise, timed."""

from __future__ import annotations

import torch
from torch import Tensor

from fdtrain.config.schema import FitConfig
from fdtrain.faces.face_mesh import N_FACE
from fdtrain.objectives.base import Objective
from fdtrain.objectives.open_objective import open_objective
from fdtrain.objectives.perceptual import PerceptualLoss
from fdtrain.runtime.bf16 import PRECISIONS, in_turns
from fdtrain.runtime.device import autocast, lay_out

MOST_PIXELS = 2 * 256 * 256
"""A step is timed on no more than these, 32 pictures of 64 px: at 256 px a whole batch may take minutes."""

LEAST_PICTURES = 2
"""Batch normalisation wants two."""

ROUNDS, ENOUGH_S = 3, 2.0
"""Steps of each precision of which the median counts, and the seconds after which one is enough."""


def timed_pictures(config: FitConfig) -> int:
    """Return on how many pictures a step of a config is timed."""
    fitting = MOST_PIXELS // config.data.size_px**2
    return max(min(config.training.at_once, fitting), LEAST_PICTURES)


def step_seconds(
    config: FitConfig,
    device: torch.device,
    perceptual: PerceptualLoss | None,
    total: int,
    precisions: tuple[str, ...] = PRECISIONS,
) -> dict[str, float]:
    """Return the median seconds of a step on `timed_pictures` in each precision.

    It is the last step of the run: every term is on by then that ever is, and all networks learn. No file and no random
    state is touched.

    Args:
        config: Every setting.
        device: Where it is timed.
        perceptual: The perceptual loss, which is put on the device; None where there is none.
        total: Training images of the whole run.
        precisions: Names of the precisions, by default both.
    """
    n = timed_pictures(config)
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(0)
        objective = open_objective(config, device, perceptual, torch.Generator().manual_seed(0))
        lay_out(config, device, objective.model, perceptual, *(stage.discriminator for stage in objective.stages))
        objective.model.train()
        sample = noise(config, n)

        def once(precision: str) -> None:
            _step(at_precision(config, precision), objective, sample, device, max(total - 1, 0))

        return in_turns(once, device, rounds=ROUNDS, enough_s=ENOUGH_S, precisions=precisions)


def at_precision(config: FitConfig, precision: str) -> FitConfig:
    """Return the config with another precision."""
    return config.model_copy(update={"training": config.training.model_copy(update={"precision": precision})})


def _step(
    config: FitConfig, objective: Objective, sample: dict[str, Tensor], device: torch.device, images: int
) -> None:
    """Do what the loop does in a step, but for the optimisers: what they take is small, and the same for both."""
    objective.config = config  # true features are computed by the objective, in the precision of its own config
    batch = objective.begin(sample, device, images, step=-1)  # a multiple of any, less one: no generator rests
    with autocast(config, device):
        outputs = objective.outputs(batch)
    for stage in objective.stages:
        if stage.discriminator is None:
            continue
        with autocast(config, device):
            term = objective.discriminator_term(stage, batch, outputs)
        if term is not None:
            stage.discriminator.zero_grad(set_to_none=True)
            term.backward()  # type: ignore[no-untyped-call]
        stage.discriminator.requires_grad_(False)
    totals = []
    for stage in objective.stages:
        with autocast(config, device):
            parts = objective.generator_terms(stage, batch, outputs)
        if parts:
            totals.append(parts["total"])
        stage.generator.zero_grad(set_to_none=True)
    if totals:
        torch.stack(totals).sum().backward()  # type: ignore[no-untyped-call]
    for stage in objective.stages:
        if stage.discriminator is not None:
            stage.discriminator.requires_grad_(True)


def noise(config: FitConfig, n: int) -> dict[str, Tensor]:
    """Return what the loader gives of `n` samples, of noise with a hole of a quarter."""
    side = config.data.size_px
    generator = torch.Generator().manual_seed(0)
    clean, occluded = (torch.rand(n, 3, side, side, generator=generator) * 2 - 1 for _ in range(2))
    mask = torch.zeros(n, 1, side, side)
    mask[..., side // 4 : side * 3 // 4, side // 4 : side * 3 // 4] = 1
    kinds = torch.zeros(n, len(config.mask.kinds or ()) if config.mask is not None else 0)
    coloured = torch.ones(n, 1, 1, 1)
    return {
        "clean": clean,
        "occluded": occluded,
        "mask": mask,
        "silhouette": mask,
        "kinds": kinds,
        "coloured": coloured,
        "points": torch.rand(n, N_FACE, 3, generator=generator) * side,
        "landmark_maps": torch.zeros(n, config.network.n_maps, side, side, dtype=torch.uint8),
    }
