"""The device that a run computes on: finding it, settling it, and reporting when it is too small."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

import torch
from torch import nn

from fdtrain.config.schema import FitConfig
from fdtrain.errors import DeviceError
from fdtrain.runtime.distributed import local_rank


def open_device(name: str) -> torch.device:
    """Return the device of that name, `auto` being a GPU if there is one; raise `DeviceError` where it is not there."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "mps" and not torch.backends.mps.is_available():
        raise DeviceError("machine.device: there is no Apple GPU here", hint="use `--device cpu`, or leave it out")
    if name.startswith("cuda"):
        found = torch.cuda.device_count() if torch.cuda.is_available() else 0
        index = int(name.partition(":")[2] or local_rank())
        if index >= found:
            there = f"only {found}" if found else "none that torch can use"
            raise DeviceError(
                f"machine.device: the GPU {name!r} is not there; this machine has {there}",
                hint="use `--device cpu`, or leave it out",
            )
        return torch.device("cuda", index)
    return torch.device(name)


def resolve_machine(config: FitConfig, device: torch.device) -> FitConfig:
    """Return the config with `auto` and 0 threads replaced by what they come to here."""
    threads = config.machine.threads or torch.get_num_threads()
    machine = config.machine.model_copy(update={"device": device.type, "threads": threads})
    return config.model_copy(update={"machine": machine})


@contextlib.contextmanager
def computing(config: FitConfig, device: torch.device) -> Iterator[None]:
    """Compute with the run's threads and repeatable kernels for the block; report in a sentence when memory runs out.

    Two runs of the same settings on one machine give the same bits: sums depend on the number of threads, and some
    fast GPU kernels on timing, so that both are fixed. Without `machine.deterministic` a GPU takes its fastest kernels.
    """
    threads, was_deterministic = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    warned = torch.is_deterministic_algorithms_warn_only_enabled()
    was_timed = torch.backends.cudnn.benchmark
    torch.set_num_threads(config.machine.threads or threads)
    if device.type == "cuda":
        torch.cuda.set_device(device)  # messages between processes go by it
        repeatable = config.machine.deterministic
        if repeatable:
            os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # without it cuBLAS is not repeatable
        torch.use_deterministic_algorithms(repeatable)
        torch.backends.cudnn.benchmark = not repeatable
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        raise DeviceError(
            f"{device} has too little memory for a batch of {config.training.at_once} at {config.data.size_px} px",
            hint=f"run it again with a smaller step: {config.training.smaller_step}; in a new folder, "
            "checkpoints so far are kept",
        ) from error
    finally:
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(was_deterministic, warn_only=warned)
        torch.backends.cudnn.benchmark = was_timed


def lay_out(config: FitConfig, device: torch.device, *modules: nn.Module | None) -> None:
    """Put modules on the device, in the layout that the config asks for."""
    layout = torch.channels_last if config.training.channels_last else torch.contiguous_format
    for module in modules:
        if module is not None:
            module.to(device).to(memory_format=layout)


def autocast(config: FitConfig, device: torch.device) -> contextlib.AbstractContextManager[object]:
    """Return the context in which networks compute, in the precision of the config; it must not be `auto` any more."""
    if config.training.precision == "auto":
        raise ValueError(
            "training.precision must be fp32 or bf16 here, got auto: fdtrain.training.resolve_auto decides"
        )
    if device.type == "meta":  # shapes alone, of no precision
        return contextlib.nullcontext()
    return torch.autocast(device.type, torch.bfloat16, enabled=config.training.precision == "bf16")


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error is memory that ran out, of a GPU or of the machine."""
    text = str(error)
    return (
        isinstance(error, MemoryError | torch.OutOfMemoryError)
        or "out of memory" in text
        or "can't allocate memory" in text
    )


def peak_bytes(device: torch.device) -> int:
    """Return the most memory that this process has had: of the GPU, or on the CPU as the system counts it."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    import resource  # not on Windows

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
