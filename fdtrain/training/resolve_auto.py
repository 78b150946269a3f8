"""Settings left to `auto`, decided once before the first step: by one process for all, and then recorded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import torch

from fdtrain.config.schema import FitConfig
from fdtrain.objectives.perceptual import PerceptualLoss, best_at_hand
from fdtrain.runtime.distributed import Group
from fdtrain.training import precision
from fdtrain.training.step_time import at_precision

Decision = TypeVar("Decision")


def resolve_perceptual(
    config: FitConfig, group: Group, note: Callable[[str], None]
) -> tuple[FitConfig, dict[str, Any]]:
    """Return the config with its perceptual network said, and how that was decided, by setting, as JSON holds it.

    Raises `PerceptualError` where a file given for it holds none.
    """
    if config.loss.perceptual != "auto":
        return config, {}
    name, sentence = _by_the_first(group, lambda: best_at_hand(config.loss.perceptual_weights))
    note(sentence)
    settled = config.model_copy(update={"loss": config.loss.model_copy(update={"perceptual": name})})
    return settled, {"loss.perceptual": {"asked": "auto", "taken": name}}


def resolve_precision(
    config: FitConfig,
    device: torch.device,
    perceptual: PerceptualLoss | None,
    total: int,
    group: Group,
    note: Callable[[str], None],
) -> tuple[FitConfig, dict[str, Any]]:
    """Return the config with its precision said, and how that was decided, by setting, as JSON holds it.

    Args:
        config: Every setting; one with a precision other than `auto` is returned as it is.
        device: Where training runs.
        perceptual: The perceptual loss; None where there is none.
        total: Training images of the whole run.
        group: The processes, of which the first decides for all.
        note: Called with a sentence on the decision.
    """
    if config.training.precision != "auto":
        return config, {}
    found = _by_the_first(group, lambda: precision.decide(config, device, perceptual, total))
    note(found.sentence())
    return at_precision(config, found.taken), {"training.precision": found.recorded()}


def _by_the_first(group: Group, decide: Callable[[], Decision]) -> Decision:
    """Return what the first process decides: others may sit on other machines, and all must compute alike."""
    decided: Any = group.gather(decide() if group.is_first else None)[0]
    return decided  # type: ignore[no-any-return]
