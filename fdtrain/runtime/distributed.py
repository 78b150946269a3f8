"""Several processes that train one model: each reads its share of a batch, gradients are averaged while they come.

Start them with `torchrun --nproc-per-node N -m fdcli.fdtrain.main fit ...`, on each machine once, which sets the
variables read here.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from fdgen.runtime.native_stderr import native_stderr
from fdtrain.errors import ConfigError, DeviceError

TOGETHER = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
"""Only where all of these are set do several processes train one model: schedulers set some of them by themselves."""

BACKENDS = {"cuda": "cpu:gloo,cuda:nccl"}
"""By type of device: gradients go the GPUs' way. What processes report to each other goes past the GPUs, so that none
is waited for. Elsewhere all goes by gloo."""

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
        """Return whether this process is the one that writes."""
        return self.rank == 0

    def wait(self) -> None:
        """Return when every process has come here."""
        if self.world > 1:
            dist.all_reduce(torch.zeros(1))

    def shared(self, networks: Iterable[nn.Module]) -> SharedGradients:
        """Return what gives networks, alike in all processes, the mean of the gradients over all processes."""
        return SharedGradients(networks, together=self.world > 1)

    def mean(self, values: Tensor) -> Tensor:
        """Return the mean of `values`, on the CPU, over all processes."""
        if self.world > 1:
            values = values.to("cpu", copy=True)
            dist.all_reduce(values)
            values /= self.world
        return values

    def any(self, flag: bool) -> bool:
        """Return whether any process says so: what one decides alone, all must do together."""
        if self.world == 1:
            return flag
        said = torch.tensor(float(flag))
        dist.all_reduce(said)
        return bool(said > 0)

    def gather(self, value: object) -> list[object]:
        """Return the value of every process, by rank."""
        if self.world == 1:
            return [value]
        values: list[object] = [None] * self.world
        dist.all_gather_object(values, value)
        return values


class SharedGradients:
    """Networks that learn from terms; of several processes each gets the mean of their gradients.

    By torch's `DistributedDataParallel`: messages go in buckets while the backward pass computes the next. Those of a
    run and of a resumed one are the same, and so are the bits: buckets are never arranged again, since it is looked up
    for each term which parameters it reaches (a stage may rest). Buffers stay each process's own; the first's are kept.

    Args:
        networks: All that learn from one backward pass. Their weights become those of the first process.
        together: Whether there are other processes.
    """

    def __init__(self, networks: Iterable[nn.Module], *, together: bool) -> None:
        self._together = DistributedDataParallel(_Reached(networks), find_unused_parameters=True) if together else None
        self._was_advised = False

    def learn_from(self, term: Tensor, *, complete: bool = True) -> None:
        """Add the gradients of a term to those that are there.

        Args:
            term: A scalar, however it was computed from the networks.
            complete: Whether it is the step's last: then all are averaged. Else other parts of the batch follow.
        """
        if self._together is None:
            term.backward()  # type: ignore[no-untyped-call]
            return
        with contextlib.nullcontext() if complete else self._together.no_sync():
            with contextlib.nullcontext() if self._was_advised else _without_advice():
                sent = self._together(term)
            self._was_advised = True
            sent.backward()


@contextlib.contextmanager
def _without_advice() -> Iterator[None]:
    """Leave out what torch says once, past Python, against the very thing that makes buckets repeatable."""
    with contextlib.ExitStack() as at_end:
        said = at_end.enter_context(native_stderr())
        try:
            yield
        finally:
            at_end.close()
            told = [line for line in said.text.splitlines(True) if "find_unused_parameters" not in line]
            sys.stderr.write("".join(told))


class _Reached(nn.Module):
    """Passes a term on: from it `DistributedDataParallel` finds which of the parameters will have a gradient."""

    def __init__(self, networks: Iterable[nn.Module]) -> None:
        super().__init__()
        self.parameters_of_all = nn.ParameterList(p for network in networks for p in network.parameters())

    def forward(self, term: Tensor) -> Tensor:
        """Return the term."""
        return term


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
        dist.init_process_group(BACKENDS.get(device.type, "gloo"))
    except (dist.DistError, ValueError, OSError) as error:
        where = ":".join(os.environ[name] for name in ("MASTER_ADDR", "MASTER_PORT"))
        raise DeviceError(
            f"process {rank} of {world} did not meet the others at {where}: {str(error).splitlines()[0]}",
            hint="start all of them by one `torchrun`, or on each machine one with the same --rdzv-endpoint",
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
    """Return this process's number on its machine: which GPU it takes. Alone it is 0, also under a scheduler."""
    if place_in_group()[1] == 1:
        return 0
    return next((_number(name) for name in ("LOCAL_RANK", "SLURM_LOCALID") if os.environ.get(name)), 0)


def local_world() -> int:
    """Return how many processes of the group are on this machine; all of them where nobody says it."""
    world = place_in_group()[1]
    return _number("LOCAL_WORLD_SIZE") if world > 1 and os.environ.get("LOCAL_WORLD_SIZE") else world


def _number(name: str) -> int:
    text = os.environ[name].strip()
    if not text.isdecimal():
        raise ConfigError(f"{name}={text} is set, and is no number from 0 on", hint=_ALONE)
    return int(text)
