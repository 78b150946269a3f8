"""The step of training: discriminators learn, then generators; `fit` says when, and what follows from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from fdtrain.objectives.base import Objective
from fdtrain.objectives.stage import Stage
from fdtrain.runtime.device import autocast
from fdtrain.runtime.distributed import Group


@dataclass(frozen=True)
class Learnt:
    """What a step found: terms by name, the stages whose generators have a gradient now, and whether all are finite.

    Discriminators have made their step; the generators' optimisers have not, which is for whoever looks at `finite`.
    """

    terms: Mapping[str, Tensor]
    learning: tuple[Stage, ...]
    finite: bool


def learn(
    objective: Objective, sample: Mapping[str, Any], device: torch.device, images: int, step: int, group: Group
) -> Learnt:
    """Let discriminators learn from a batch, and give the generators their gradients.

    Args:
        objective: The networks and what they minimise.
        sample: This process's share of the batch, as the loader gives it.
        device: Where it is computed.
        images: Training images before this step, over all processes.
        step: Number of the step.
        group: The processes that learn together.
    """
    config, stages = objective.config, objective.stages
    clip_norm = config.training.clip_norm
    batch = objective.begin(sample, device, images, step)
    objective.set_rates(images)

    # All stages see it.
    objective.model.train()
    with autocast(config, device):
        outputs = objective.outputs(batch)

    # Discriminators learn, then they hold still for the generators' turn.
    terms: dict[str, Tensor] = {}
    for stage in stages:
        if stage.discriminator is None or stage.discriminator_optimiser is None:
            continue
        with autocast(config, device):
            term = objective.discriminator_term(stage, batch, outputs)
        if term is not None:
            stage.discriminator_optimiser.zero_grad(set_to_none=True)
            term.backward()  # type: ignore[no-untyped-call]
            group.average_gradients([stage.discriminator])
            norm = _clip(stage.discriminator, clip_norm)
            if finite([norm]):
                stage.discriminator_optimiser.step()
            terms[f"stage{stage.place + 1}/discriminator"] = term
        stage.discriminator.requires_grad_(False)

    # Generators learn, all from one backward pass: where they are detached, their graphs do not touch.
    learning, totals = [], []
    for stage in stages:
        with autocast(config, device):
            parts = objective.generator_terms(stage, batch, outputs)
        if parts:
            learning.append(stage)
            totals.append(parts["total"])
            terms |= {f"stage{stage.place + 1}/{name}": value for name, value in parts.items()}
        stage.generator_optimiser.zero_grad(set_to_none=True)
    if learning:
        torch.stack(totals).sum().backward()  # type: ignore[no-untyped-call]
    group.average_gradients([stage.generator for stage in learning])
    norms = [_clip(stage.generator, clip_norm) for stage in learning]
    terms |= {f"stage{stage.place + 1}/gradient": norm for stage, norm in zip(learning, norms, strict=True)}
    for stage in stages:
        if stage.discriminator is not None:
            stage.discriminator.requires_grad_(True)
    return Learnt(terms, tuple(learning), finite(norms))


def _clip(module: nn.Module, largest: float | None) -> Tensor:
    """Return the norm of a network's gradient, and shorten it where it is longer than allowed."""
    return nn.utils.clip_grad_norm_(module.parameters(), largest if largest is not None else torch.inf, foreach=True)


def finite(values: list[Tensor]) -> bool:
    """Tell whether all of these scalars are numbers."""
    return bool(torch.isfinite(torch.stack(values)).all()) if values else True
