"""Several processes that train one model: each reads its share of a batch, gradients are averaged.

Start them with `torchrun --nproc-per-node N -m fdcli.fdtrain.main fit ...`, which sets the variables read here.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn

from fdtrain.errors import ConfigError, DeviceError

TOGETHER = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
"""Only where all of these are set do several processes train one model: schedulers set some of them by themselves."""

_LAUNCHERS = {"SLURM_STEP_NUM_TASKS": "Slurm", "OMPI_COMM_WORLD_SIZE": "Open MPI"}
"""What starts a command several times, and the variable in which it says how often."""

_ALONE = "start it with `torchrun`, which sets it, or unset WORLD_SIZE to train with one process"


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
    """Join the processes that `torchrun` started, or be alone; leave them when the block ends.

    Raises `ConfigError` where a variable that decides it has no sense, `DeviceError` where the others are not met.
    """
    rank, world = place_in_group()
    if world == 1:
        yield Group()
        return
    try:
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    except (dist.DistError, ValueError, OSError) as error:
        where = ":".join(os.environ[name] for name in ("MASTER_ADDR", "MASTER_PORT"))
        raise DeviceError(
            f"process {rank} of {world} did not meet the others at {where}: {str(error).splitlines()[0]}",
            hint="start all of them by one `torchrun`; it sets MASTER_ADDR and MASTER_PORT",
        ) from error
    try:
        yield Group(dist.get_rank(), world)
    finally:
        dist.destroy_process_group()


def place_in_group() -> tuple[int, int]:
    """Return this process's rank, and of how many processes; (0, 1) unless all variables of a group are set."""
    if any(not os.environ.get(name) for name in TOGETHER):
        return 0, 1
    world, rank, port = (_number(name) for name in ("WORLD_SIZE", "RANK", "MASTER_PORT"))
    if world < 1 or rank >= world:
        raise ConfigError(
            f"RANK={rank} and WORLD_SIZE={world} do not go together: ranks are 0 to WORLD_SIZE - 1", hint=_ALONE
        )
    if not 0 < port < 2**16:
        raise ConfigError(f"MASTER_PORT={port} is no port: it must be 1 to 65535", hint=_ALONE)
    return rank, world


def group_notes() -> list[str]:
    """Return what a user should know of variables that look like several processes where there is only this one."""
    if place_in_group()[1] > 1:
        return []
    if os.environ.get("WORLD_SIZE", "1") not in ("", "1"):
        missing = [name for name in TOGETHER if not os.environ.get(name)]
        return [
            f"WORLD_SIZE={os.environ['WORLD_SIZE']} is set, and {', '.join(missing)} "
            f"{'is' if len(missing) == 1 else 'are'} not: this process trains alone (`torchrun` sets all of them)"
        ]
    for name, launcher in _LAUNCHERS.items():
        tasks = os.environ.get(name, "1")
        if tasks.isdecimal() and int(tasks) > 1:
            return [
                f"{launcher} runs this command {tasks} times at once ({name}), and each trains alone: "
                "let it start one, and that one `torchrun`"
            ]
    return []


def local_rank() -> int:
    """Return this process's number on its machine: which GPU it takes. Alone it is 0, whatever a scheduler says."""
    if place_in_group()[1] == 1:
        return 0
    return next((_number(name) for name in ("LOCAL_RANK", "SLURM_LOCALID") if os.environ.get(name)), 0)


def _number(name: str) -> int:
    text = os.environ[name].strip()
    if not text.isdecimal():
        raise ConfigError(f"{name}={text} is set, and is no number from 0 on", hint=_ALONE)
    return int(text)


def _message_device() -> torch.device:
    return torch.device("cuda", local_rank()) if dist.get_backend() == "nccl" else torch.device("cpu")
