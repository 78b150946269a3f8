"""The step of training: discriminators learn, then generators; `fit` says when, and what follows from it.

A batch that does not fit into memory goes through the networks in parts (`training.accumulate`), whose gradients add up
to those of the whole. Generators are judged by discriminators that have learnt from the whole batch, so that all parts
are seen twice: by the discriminators, for which the generators' outputs need no gradient, then by the generators.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from fdtrain.objectives.base import Objective
from fdtrain.objectives.stage import Stage
from fdtrain.runtime.device import autocast
from fdtrain.runtime.distributed import Group, SharedGradients
from fdtrain.runtime.optimiser import all_finite, step_if
from fdtrain.runtime.torch_rng import random_state, set_random_state

FORWARD, BACKWARD, OPTIMISER = PARTS = ("forward", "backward", "optimiser")
"""The parts of a step: networks and losses, gradients, and what is done with these."""


def _unwatched(part: str) -> contextlib.AbstractContextManager[None]:
    return contextlib.nullcontext()


@dataclass(frozen=True)
class Learnt:
    """What a step found: terms by name, and the stages whose generators have learnt.

    `is_finite`, a scalar on the device, is false where a gradient of theirs was no number and their step was left out.
    """

    terms: Mapping[str, Tensor]
    learning: tuple[Stage, ...]
    is_finite: Tensor


class Learners:
    """The networks of an objective that learn, over all processes: the generators together, each discriminator alone.

    Made when their weights are those that training goes on with. `part` is called with the name of each part of a step
    and gives the context that it runs in: a clock, for who measures.
    """

    def __init__(
        self,
        objective: Objective,
        group: Group,
        part: Callable[[str], contextlib.AbstractContextManager[None]] = _unwatched,
    ) -> None:
        self.part = part
        self.generators = group.shared([stage.generator for stage in objective.stages])
        self.discriminators: dict[int, SharedGradients] = {
            stage.place: group.shared([stage.discriminator])
            for stage in objective.stages
            if stage.discriminator is not None
        }


def learn(
    objective: Objective, sample: Mapping[str, Any], device: torch.device, images: int, step: int, learners: Learners
) -> Learnt:
    """Let discriminators learn from a batch, then generators; a step whose gradient is no number is left out.

    Nothing in it waits for the device.

    Args:
        objective: The networks and what they minimise; its config says in how many parts the batch goes through them.
        sample: This process's share of the batch, as the loader gives it.
        device: Where it is computed.
        images: Training images before this step, over all processes.
        step: Number of the step.
        learners: The networks of the objective, over all processes that learn together.
    """
    samples = _parts(sample, objective.config.training.accumulate)
    n_parts = len(samples)
    objective.set_rates(images)
    objective.model.train()
    for stage in objective.stages:
        if stage.discriminator_optimiser is not None:
            stage.discriminator_optimiser.zero_grad(set_to_none=True)

    # Discriminators learn, then they hold still for the generators' turn.
    terms: dict[str, Tensor] = {}
    drawn: list[dict[str, Tensor | None]] = []
    seen = _see(objective, sample, device, images, step, learners) if n_parts == 1 else None
    if seen is not None:
        _add(terms, _judge(objective, seen, learners, n_parts, last=True), n_parts)
    else:
        drawn = _judge_parts(objective, samples, device, images, step, learners, terms)
    with learners.part(OPTIMISER):
        _discriminators_learn(objective, terms)

    # Generators learn.
    learning: list[Stage] = []
    for stage in objective.stages:
        stage.generator_optimiser.zero_grad(set_to_none=True)
    for number, part in enumerate(samples):
        if number < len(drawn):
            set_random_state(drawn[number])  # what is dropped is what the discriminators saw dropped
        with _power_iterations_rest(objective, number > 0):
            again = seen if seen is not None else _see(objective, part, device, images, step, learners)
            found, learning = _improve(objective, again, learners, n_parts, last=number == n_parts - 1)
        _add(terms, found, n_parts)
    with learners.part(OPTIMISER):
        norms = [_clip(stage.generator, objective.config.training.clip_norm) for stage in learning]
        is_finite = all_finite(norms, device)
        step_if(is_finite, *(stage.generator_optimiser for stage in learning))
    terms |= {f"stage{stage.place + 1}/gradient": norm for stage, norm in zip(learning, norms, strict=True)}
    for stage in objective.stages:
        if stage.discriminator is not None:
            stage.discriminator.requires_grad_(True)
    return Learnt(terms, tuple(learning), is_finite)


def _see(
    objective: Objective, sample: Mapping[str, Any], device: torch.device, images: int, step: int, learners: Learners
) -> _Seen:
    """Put a batch, or a part of one, on the device, and let all stages see it."""
    with learners.part(FORWARD):
        batch = objective.begin(sample, device, images, step)
        with autocast(objective.config, device):
            return _Seen(batch, objective.outputs(batch), device)


@dataclass(frozen=True)
class _Seen:
    batch: Any
    outputs: Any
    device: torch.device


def _judge(objective: Objective, seen: _Seen, learners: Learners, n_parts: int, *, last: bool) -> dict[str, Tensor]:
    """Add the gradients of the discriminators' terms; return these by name. One that rests has none.

    `last` says that the part that was seen is the last of `n_parts`.
    """
    terms = {}
    for stage in objective.stages:
        if stage.discriminator is None or stage.discriminator_optimiser is None:
            continue
        with learners.part(FORWARD), autocast(objective.config, seen.device):
            term = objective.discriminator_term(stage, seen.batch, seen.outputs)
        if term is not None:
            with learners.part(BACKWARD):
                learners.discriminators[stage.place].learn_from(_share(term, n_parts), complete=last)
            terms[_of_discriminator(stage)] = term
    return terms


def _judge_parts(
    objective: Objective,
    samples: Sequence[Mapping[str, Any]],
    device: torch.device,
    images: int,
    step: int,
    learners: Learners,
    terms: dict[str, Tensor],
) -> list[dict[str, Tensor | None]]:
    """Let the discriminators judge all parts, and leave the generators as they were, with what they have counted.

    Returns the random state before each part that was seen: where all discriminators rest, that is the first at most.
    """
    drawn: list[dict[str, Tensor | None]] = []
    if all(stage.discriminator is None for stage in objective.stages):
        return drawn
    counted = [kept.clone() for kept in objective.model.buffers()]
    for number, part in enumerate(samples):
        drawn.append(random_state(device))
        with _power_iterations_rest(objective, number > 0):
            with torch.no_grad():
                seen = _see(objective, part, device, images, step, learners)
            found = _judge(objective, seen, learners, len(samples), last=number == len(samples) - 1)
        _add(terms, found, len(samples))
        if not found:
            break
    with torch.no_grad():
        for kept, before in zip(objective.model.buffers(), counted, strict=True):
            kept.copy_(before)
    return drawn


def _discriminators_learn(objective: Objective, terms: Mapping[str, Tensor]) -> None:
    """Let those discriminators make their step that have a term; then all hold still for the generators' turn."""
    for stage in objective.stages:
        if stage.discriminator is None or stage.discriminator_optimiser is None:
            continue
        if _of_discriminator(stage) in terms:
            norm = _clip(stage.discriminator, objective.config.training.clip_norm)
            step_if(all_finite([norm], norm.device), stage.discriminator_optimiser)
        stage.discriminator.requires_grad_(False)


def _improve(
    objective: Objective, seen: _Seen, learners: Learners, n_parts: int, *, last: bool
) -> tuple[dict[str, Tensor], list[Stage]]:
    """Add the gradients of the generators' terms; return these by name, and the stages that learn.

    All come from one backward pass: where stages are detached, their graphs do not touch. `last` says that the part
    that was seen is the last of `n_parts`.
    """
    terms: dict[str, Tensor] = {}
    learning, totals = [], []
    for stage in objective.stages:
        with learners.part(FORWARD), autocast(objective.config, seen.device):
            parts = objective.generator_terms(stage, seen.batch, seen.outputs)
        if parts:
            learning.append(stage)
            totals.append(parts["total"])
            terms |= {f"stage{stage.place + 1}/{name}": value for name, value in parts.items()}
    if learning:
        with learners.part(BACKWARD):
            learners.generators.learn_from(_share(torch.stack(totals).sum(), n_parts), complete=last)
    return terms, learning


def _share(term: Tensor, n_parts: int) -> Tensor:
    """Return what a part's term counts of the batch's."""
    return term / n_parts if n_parts > 1 else term


def _parts(sample: Mapping[str, Any], n_parts: int) -> list[Mapping[str, Any]]:
    """Cut a batch as the loader gives it into parts of equal size."""
    if n_parts == 1:
        return [sample]
    size = len(next(iter(sample.values()))) // n_parts
    return [
        {name: values[start : start + size] for name, values in sample.items()}
        for start in range(0, n_parts * size, size)
    ]


def _add(terms: dict[str, Tensor], found: Mapping[str, Tensor], n_parts: int) -> None:
    """Add the terms of a part to their means over the batch."""
    for name, value in found.items():
        share = value.detach() / n_parts if n_parts > 1 else value
        terms[name] = terms[name] + share if name in terms else share


@contextlib.contextmanager
def _power_iterations_rest(objective: Objective, rest: bool) -> Iterator[None]:
    """Keep the spectral norms that the first part was seen with: each pass, over any part, would move them."""
    judges = [stage.discriminator for stage in objective.stages if stage.discriminator is not None]
    norms = [
        module
        for network in (objective.model, *judges)
        for module in network.modules()
        if isinstance(module, nn.utils.parametrize.ParametrizationList) and module.training
    ]
    try:
        for module in norms if rest else ():
            module.eval()
        yield
    finally:
        for module in norms if rest else ():
            module.train()


def _of_discriminator(stage: Stage) -> str:
    return f"stage{stage.place + 1}/discriminator"


def _clip(module: nn.Module, largest: float | None) -> Tensor:
    """Return the norm of a network's gradient, and shorten it where it is longer than allowed."""
    return nn.utils.clip_grad_norm_(module.parameters(), largest if largest is not None else torch.inf, foreach=True)
