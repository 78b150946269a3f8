"""A step of a config taken apart: the seconds of its parts, its arithmetic, and how often it waits for the device."""

from __future__ import annotations

import contextlib
import statistics
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from torch.profiler import ProfilerActivity, profile, record_function
from torch.utils.flop_counter import FlopCounterMode

from fdtrain.config.schema import FitConfig
from fdtrain.objectives.open_objective import open_objective
from fdtrain.objectives.perceptual import PerceptualLoss
from fdtrain.objectives.step import PARTS, Learners, learn
from fdtrain.runtime.bf16 import finish
from fdtrain.runtime.device import lay_out
from fdtrain.runtime.distributed import Group
from fdtrain.training.step_time import noise, timed_pictures

ROUNDS, ENOUGH_S = 5, 4.0
"""Steps of which the median counts, and the seconds after which one is enough."""

WAITS = tuple(
    f"{prefix}{what}Synchronize" for prefix in ("cuda", "hip") for what in ("Stream", "Device", "Event")
)  # fmt: skip
"""What torch's profiler calls a wait for a GPU. A copy from it into ordinary memory is followed by one of them."""

STEP = "fdtrain step"


@dataclass(frozen=True)
class StepParts:
    """Of a step of `pictures` pictures: median seconds by part, arithmetic operations, and waits for the device.

    `waits` is None where torch's profiler sees none: everywhere but on CUDA.
    """

    pictures: int
    seconds: dict[str, float]
    flops: int
    waits: int | None


def step_parts(config: FitConfig, device: torch.device, perceptual: PerceptualLoss | None, total: int) -> StepParts:
    """Take the last step of a run apart, on noise: every term is on by then that ever is. No random state is touched.

    Args:
        config: Every setting; its precision must be said. A batch goes through the networks at once.
        device: Where it is timed.
        perceptual: The perceptual loss, which is put on the device; None where there is none.
        total: Training images of the whole run.
    """
    n = timed_pictures(config) if device.type == "cpu" else config.training.at_once
    whole = config.training.model_copy(update={"batch": n, "accumulate": 1})
    config = config.model_copy(update={"training": whole})
    clock = _Clock(device)
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(0)
        objective = open_objective(config, device, perceptual, torch.Generator().manual_seed(0))
        lay_out(config, device, objective.model, perceptual, *(stage.discriminator for stage in objective.stages))
        sample = noise(config, n)
        if device.type == "cuda":
            sample = {name: values.pin_memory() for name, values in sample.items()}

        def once(learners: Learners) -> None:
            learn(objective, sample, device, max(total - 1, 0), -1, learners)  # no generator rests in step -1

        plain, timed = Learners(objective, Group()), Learners(objective, Group(), part=clock.part)
        with FlopCounterMode(display=False) as counter:
            once(plain)
        rounds: list[dict[str, float]] = []
        started_s = time.perf_counter()
        while len(rounds) < ROUNDS and (not rounds or time.perf_counter() - started_s < ENOUGH_S):
            clock.seconds.clear()
            once(timed)
            rounds.append(dict(clock.seconds))
        waits = None
        if device.type == "cuda":  # of other devices the profiler reports no waits
            with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as seen:
                with record_function(STEP):
                    once(plain)
                finish(device)
            waits = count_waits((event.name, event.time_range.start, event.time_range.end) for event in seen.events())
    medians = {part: statistics.median(one.get(part, 0.0) for one in rounds) for part in PARTS}
    return StepParts(n, medians, int(counter.get_total_flops()), waits)


def count_waits(events: Iterable[tuple[str, float, float]]) -> int:
    """Return how many events, each a name with its begin and end, are waits for a GPU within a step.

    >>> count_waits([("fdtrain step", 0, 9), ("cudaStreamSynchronize", 3, 4), ("cudaDeviceSynchronize", 10, 11)])
    1
    """
    known = list(events)
    steps = [(begin, end) for name, begin, end in known if name == STEP]
    return sum(
        any(begin <= began and ended <= end for begin, end in steps) for name, began, ended in known if name in WAITS
    )


class _Clock:
    """Seconds by part. Before and after each the device is waited for, without which a clock would time the asking."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.seconds: dict[str, float] = defaultdict(float)

    @contextlib.contextmanager
    def part(self, name: str) -> Iterator[None]:
        finish(self.device)
        started_s = time.perf_counter()
        yield
        finish(self.device)
        self.seconds[name] += time.perf_counter() - started_s
