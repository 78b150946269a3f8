"""The moving average of the generators, which is smoother than the last weights and is what is kept."""

from __future__ import annotations

import copy
from typing import TypeVar

import torch
from torch import Tensor, nn

from fdtrain.runtime import waiting

Model = TypeVar("Model", bound=nn.Module)


def averaged(model: Model) -> Model:
    """Return a copy that `follow` will move; it learns nothing by itself."""
    return copy.deepcopy(model).eval().requires_grad_(False)


def ema_decay(longest: float, step: int) -> float:
    """Return the share of the average that step number `step` (from 0) keeps: (1 + t) / (10 + t), at most `longest`.

    Without this warm-up the first weights, which are noise, would weigh for thousands of steps.

    >>> [round(ema_decay(0.999, step), 3) for step in (0, 90, 10**6)]
    [0.1, 0.91, 0.999]
    """
    return min(longest, (1 + step) / (10 + step))


@torch.no_grad()
def follow(average: nn.Module, model: nn.Module, decay: float, moves: Tensor | None = None) -> None:
    """Move the average towards the model: a share of `decay` stays, of weights and of what normalisation has counted.

    The means and variances of a batch normalisation belong to the weights before it: those of the last weights behind
    averaged ones are another network's. `moves` is a scalar on the device: where it is false, the weights stay.
    """
    unseen = moves if moves is not None and waiting.waits(moves.device) else None
    if unseen is None and moves is not None and not bool(moves):
        return
    ours, theirs = ([p.detach() for p in module.parameters()] for module in (average, model))
    for (name, kept), current in zip(average.named_buffers(), model.buffers(), strict=True):
        if name.endswith(("running_mean", "running_var")):
            ours.append(kept)
            theirs.append(current)
        else:
            kept.copy_(current)
    if unseen is None:
        torch._foreach_lerp_(ours, theirs, 1 - decay)
        return
    ways = torch._foreach_sub(theirs, ours)
    torch._foreach_mul_(ways, (1 - decay) * unseen)
    torch._foreach_add_(ours, ways)
