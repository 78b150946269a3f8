"""The log of a run: means over a stretch of images, to stats.jsonl and, on request, a tracker."""

from __future__ import annotations

import json
import math
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import torch
from torch import Tensor

from fdgen.io.json_file import read_lines
from fdtrain.errors import RunError
from fdtrain.run_files import append_text, write_text
from fdtrain.training.run import STATS_FILE
from fdtrain.training.trackers.tracker import Tracker

RECENT_S, LEAST_STEPS = 10.0, 5
"""The rate is that of the last so many seconds, and of so many steps where they take longer."""


@dataclass(frozen=True)
class Step:
    """How far a run is after a step, how fast its last steps were, and how long the rest takes; 0 before the first."""

    images: int
    total: int
    images_per_s: float
    left_s: float


@dataclass(frozen=True)
class Progress(Step):
    """The same with the means of a stretch, or what a validation found.

    `loader_share` is the share of the stretch's time that was spent waiting for pictures.
    """

    loader_share: float
    values: Mapping[str, float]


class Pace:
    """How fast the last steps were, and how long the rest takes with all that happens between steps."""

    def __init__(self, images: int, total: int) -> None:
        self.images, self.total = images, total
        self.n_steps = 0
        self.stepped_s = self.recent_s = 0.0
        self.recent: deque[tuple[int, float]] = deque()
        self.started_s = time.perf_counter()

    def add(self, images: int, seconds: float) -> None:
        """Count one step of so many images."""
        self.images += images
        self.n_steps += 1
        self.stepped_s += seconds
        if self.n_steps == 2:  # the first one starts workers and chooses kernels: it says nothing of those to come
            self.recent.clear()
            self.recent_s = 0.0
        self.recent.append((images, seconds))
        self.recent_s += seconds
        while len(self.recent) > LEAST_STEPS and self.recent_s - self.recent[0][1] > RECENT_S:
            self.recent_s -= self.recent.popleft()[1]

    @property
    def step(self) -> Step:
        """Where the run is now."""
        if not self.recent:
            return Step(self.images, self.total, 0.0, 0.0)
        rate = sum(images for images, _ in self.recent) / max(self.recent_s, 1e-9)
        between = max((time.perf_counter() - self.started_s) / max(self.stepped_s, 1e-9), 1.0)
        return Step(self.images, self.total, rate, (self.total - self.images) / rate * between)

    def told(self, stretch: Stretch, values: Mapping[str, float]) -> Progress:
        """Return where the run is now, with these values of a stretch."""
        return Progress(**vars(self.step), loader_share=stretch.waited_s / stretch.seconds, values=values)


class Stretch:
    """Means of the terms since the last line, and where the time went."""

    def __init__(self) -> None:
        self.sums: dict[str, Tensor] = {}
        self.counts: dict[str, int] = {}
        self.images = 0
        self.waited_s = 0.0
        self.started_s = time.perf_counter()

    def add(self, terms: Mapping[str, Tensor], images: int) -> None:
        """Count one step; nothing is waited for, also on a GPU."""
        for name, value in terms.items():
            self.sums[name] = self.sums[name] + value.detach() if name in self.sums else value.detach()
            self.counts[name] = self.counts.get(name, 0) + 1
        self.images += images

    def means(self) -> dict[str, float]:
        """Return the means so far, by name; a GPU is waited for, once."""
        if not self.sums:
            return {}
        names = sorted(self.sums)
        totals: list[float] = torch.stack([self.sums[name].double() for name in names]).tolist()
        return {name: total / self.counts[name] for name, total in zip(names, totals, strict=True)}

    @property
    def seconds(self) -> float:
        """Seconds since the stretch began."""
        return max(time.perf_counter() - self.started_s, 1e-9)


class Log:
    """The log of a run, a context: what is held back is written out at its end, also where that is an error.

    Lines after `images`, which a killed run had written, are dropped: they will come again.
    """

    def __init__(self, run_dir: Path, images: int, tracker: Tracker | None = None) -> None:
        self.path = run_dir / STATS_FILE
        kept = [line for line in read_stats(run_dir) if line["images"] <= images]
        write_text(self.path, "".join(json.dumps(line) + "\n" for line in kept))
        self.tracker = tracker

    def write(self, images: int, values: Mapping[str, float]) -> None:
        """Append one line: `images` and the values; what is no number becomes null, as JSON has none for it."""
        line = {name: value if math.isfinite(value) else None for name, value in values.items()}
        append_text(self.path, json.dumps({"images": images, **line}) + "\n")
        if self.tracker is not None:
            self.tracker.write(images, values)

    def picture(self, images: int, sheet_HWC: Any) -> None:
        """Show a sheet of samples in the tracker."""
        if self.tracker is not None:
            self.tracker.picture(images, sheet_HWC)

    def __enter__(self) -> Log:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self.tracker is not None:
            self.tracker.close(failed=kind is not None)


def read_stats(run_dir: Path) -> list[dict[str, Any]]:
    """Return the lines of a run's log; one that a kill cut short is left out.

    Raises `RunError` where one is not `images` and numbers.
    """
    path = run_dir / STATS_FILE
    if not path.exists():
        return []
    hint = "delete the odd line"
    lines = read_lines(path, within=run_dir, error=RunError, hint=hint)
    for line in lines:
        images = line.get("images")
        if type(images) is not int or images < 0 or not all(_is_value(value) for value in line.values()):
            raise RunError(f"{path} is damaged: a line is not images and numbers", hint=hint)
    return lines


def _is_value(value: Any) -> bool:
    return value is None or type(value) in (int, float)
