"""Optimisers as a device has them, and steps that are taken where gradients are finite, without waiting for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from fdtrain.runtime import waiting

FUSED = ("cuda",)
"""Where Adam is one kernel, which also leaves a step out by itself. On the CPU its last bits would be others; on
Apple's GPUs it was never measured."""


def settle(optimiser: Optimizer, device: torch.device) -> None:
    """Have an optimiser compute as is fastest on a device; on the CPU it stays as it was made."""
    if device.type in FUSED and isinstance(optimiser, torch.optim.Adam | torch.optim.AdamW):
        for group in optimiser.param_groups:
            group.update(fused=True, foreach=False)


def load_optimiser(optimiser: Optimizer, state: Mapping[str, Any]) -> None:
    """Take up the state of an optimiser that may have been on another kind of device; how it computes stays its own."""
    how = [{name: group[name] for name in ("fused", "foreach") if name in group} for group in optimiser.param_groups]
    groups = [{**theirs, **ours} for theirs, ours in zip(state["param_groups"], how, strict=True)]
    optimiser.load_state_dict({**state, "param_groups": groups})


def all_finite(values: list[Tensor], device: torch.device) -> Tensor:
    """Return whether all of these scalars are numbers, as a scalar on the device."""
    return torch.isfinite(torch.stack(values)).all() if values else torch.ones((), dtype=torch.bool, device=device)


def step_if(is_finite: Tensor, *optimisers: Optimizer) -> None:
    """Let optimisers make their steps where a scalar, on their device, is true; else leave all as it is.

    On the CPU the scalar is looked at. Elsewhere nothing is waited for: a fused Adam looks at it itself, and what
    another optimiser has changed is put back.
    """
    if not waiting.waits(is_finite.device):
        for optimiser in optimisers if bool(is_finite) else ():
            optimiser.step()
        return
    for optimiser in optimisers:
        if all(group.get("fused") for group in optimiser.param_groups):
            optimiser.grad_scale, optimiser.found_inf = None, (~is_finite).float()  # type: ignore[attr-defined]
            optimiser.step()
        else:
            _step_or_put_back(is_finite, optimiser)


def _step_or_put_back(is_finite: Tensor, optimiser: Optimizer) -> None:
    before = {place: value.clone() for place, value in _changing(optimiser, is_finite.device)}
    optimiser.step()
    with torch.no_grad():
        for place, value in _changing(optimiser, is_finite.device):
            # What an optimiser keeps begins with zeros, in its first step.
            value.copy_(torch.where(is_finite, value, before.get(place, torch.zeros((), device=value.device))))


def _changing(optimiser: Optimizer, device: torch.device) -> Iterator[tuple[tuple[int, str], Tensor]]:
    """Yield all that a step changes on a device, by the number of the parameter and a name."""
    for number, p in enumerate(p for group in optimiser.param_groups for p in group["params"] if p.grad is not None):
        yield (number, ""), p.detach()
        for name, value in optimiser.state[p].items():
            if isinstance(value, Tensor) and value.device == device:
                yield (number, name), value
