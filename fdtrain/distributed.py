"""Several processes that train one model: each reads its share of a batch, gradients are averaged.

Start them with `torchrun --nproc-per-node N -m fdcli.fdtrain_main fit ...`, which sets the variables read here.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn


@dataclass(frozen=True)
class Group:
    """The processes of a run, and which of them this is. Rank 0 writes files and speaks."""

    rank: int = 0
    world: int = 1

    @property
    def is_first(self) -> bool:
        """Tell whether this process is the one that writes."""
        return self.rank == 0

    def wait(self) -> None:
        """Return when every process has come here."""
        if self.world > 1:
            dist.barrier()

    def average_gradients(self, modules: Iterable[nn.Module]) -> None:
        """Replace gradients by their mean over all processes, in one message."""
        if self.world == 1:
            return
        gradients = [p.grad for module in modules for p in module.parameters() if p.grad is not None]
        if gradients:
            flat = torch.cat([gradient.flatten() for gradient in gradients])
            dist.all_reduce(flat)
            flat /= self.world
            parts = torch.split(flat, [gradient.numel() for gradient in gradients])
            for gradient, part in zip(gradients, parts, strict=True):
                gradient.copy_(part.view_as(gradient))

    def mean(self, values: Tensor) -> Tensor:
        """Return the mean of `values` over all processes."""
        if self.world > 1:
            values = values.to(_message_device(), copy=True)
            dist.all_reduce(values)
            values /= self.world
        return values

    def any(self, flag: bool) -> bool:
        """Tell whether any process says so: what one decides alone, all must do together."""
        if self.world == 1:
            return flag
        said = torch.tensor(float(flag), device=_message_device())
        dist.all_reduce(said)
        return bool(said > 0)

    def gather(self, value: object) -> list[object]:
        """Return the value of every process, by rank."""
        if self.world == 1:
            return [value]
        values: list[object] = [None] * self.world
        dist.all_gather_object(values, value)
        return values


@contextlib.contextmanager
def joined(device: torch.device) -> Iterator[Group]:
    """Join the processes that `torchrun` started, or be alone; leave them when the block ends."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world == 1:
        yield Group()
        return
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Group(dist.get_rank(), world)
    finally:
        dist.destroy_process_group()


def local_rank() -> int:
    """Return this process's number on its machine: which GPU it takes."""
    return int(os.environ.get("LOCAL_RANK", "0"))


def _message_device() -> torch.device:
    return torch.device("cuda", local_rank()) if dist.get_backend() == "nccl" else torch.device("cpu")
