"""Torch's global random state, which constructors draw from: the run's own while it trains, and saved with it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from fdtrain.runtime.distributed import Group


@contextlib.contextmanager
def own_randomness(seed: int, group: Group, device: torch.device) -> Iterator[None]:
    """Seed the state for the block, each process otherwise, and put the caller's back."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed * 1_000_003 + group.rank)
        yield


def random_state(device: torch.device) -> dict[str, Tensor | None]:
    """Return the state of the CPU and, where it is used, of the GPU."""
    return {"cpu": torch.get_rng_state(), "cuda": torch.cuda.get_rng_state(device) if device.type == "cuda" else None}


def set_random_state(state: Mapping[str, Tensor | None]) -> None:
    """Take up what `random_state` gave."""
    if state["cpu"] is not None:
        torch.set_rng_state(state["cpu"])
    if state["cuda"] is not None and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"])
