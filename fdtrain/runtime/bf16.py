"""The speed of bf16 on a device: half the width of fp32, and many times slower on a processor that emulates it."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own name for it
from torch import Tensor

PRECISIONS = ("fp32", "bf16")

CHANNELS, SIDE_PX, PICTURES = 64, 32, 4
"""Of the convolution that is timed: 10 ms in fp32 on one core, 180 ms where bf16 is emulated."""

ROUNDS = 5
"""Timings of which the median counts, after one that allocates memory and chooses kernels."""


def convolution_seconds(device: torch.device) -> dict[str, float]:
    """Return the median seconds that a convolution and its gradient take in each precision, taken in turns."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(PICTURES, CHANNELS, SIDE_PX, SIDE_PX, generator=generator).to(device).requires_grad_(True)
    weight = torch.randn(CHANNELS, CHANNELS, 3, 3, generator=generator).to(device).requires_grad_(True)

    def once(precision: str) -> None:
        with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"):
            made: Tensor = F.conv2d(x, weight, padding=1)
        made.float().square().mean().backward()  # type: ignore[no-untyped-call]

    return in_turns(once, device, rounds=ROUNDS)


def in_turns(
    once: Callable[[str], None],
    device: torch.device,
    *,
    rounds: int,
    enough_s: float = float("inf"),
    precisions: tuple[str, ...] = PRECISIONS,
) -> dict[str, float]:
    """Return the median seconds of `once` in each precision, so that other load on the machine meets all of them.

    Args:
        once: What is timed, called with the name of a precision.
        device: What is waited for before and after.
        rounds: Turns that count, at most; one more before them does not count.
        enough_s: Seconds, all together, after which no further turn begins; no limit by default.
        precisions: Names of the precisions, by default both.
    """
    seconds: dict[str, list[float]] = {precision: [] for precision in precisions}
    for turn in range(rounds + 1):
        for precision in precisions:
            finish(device)
            started_s = time.perf_counter()
            once(precision)
            finish(device)
            if turn:
                seconds[precision].append(time.perf_counter() - started_s)
        if turn and sum(map(sum, seconds.values())) > enough_s:
            break
    return {precision: statistics.median(taken) for precision, taken in seconds.items()}


def finish(device: torch.device) -> None:
    """Wait for what a GPU still computes: a clock that does not would time the asking."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def why_never(device: torch.device) -> str | None:
    """Return why bf16 is not even timed on a device; None where it is."""
    if device.type == "cpu":
        return None
    if device.type == "cuda":
        return None if torch.cuda.is_bf16_supported(including_emulation=False) else "this GPU has no bf16"
    return f"bf16 is not tried on {device.type}"


def processor_of(device: torch.device) -> str:
    """Return the kind of a processor, as far as speed in bf16 depends on it: `AVX-512 with bf16`, `AVX2`, a GPU's name.

    As torch's kernels may use it: the environment can take instructions away.
    """
    if device.type != "cpu":
        return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    kind = {"AVX512": "AVX-512"}.get(torch.backends.cpu.get_cpu_capability(), torch.backends.cpu.get_cpu_capability())
    if not torch._C._has_mkldnn or not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        return kind
    return f"{kind} with AMX" if torch.cpu._is_amx_tile_supported() else f"{kind} with bf16"
