"""The sources of a report: the folders that `fit`, `eval`, `compare` and `ablate` write, read back and checked."""

from __future__ import annotations

import os
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from fdgen.io.folders import mistaken
from fdtrain.comparison.runner import ASK_FILE
from fdtrain.comparison.task import CPU_FILE, cpu_spent_s
from fdtrain.errors import RunError
from fdtrain.objectives.validation import MASK_SCORE, SCORE
from fdtrain.report.evaluations import read_evaluation
from fdtrain.report.measurements import Measured, read_comparison
from fdtrain.report.records import EVALUATION_FILE, found_tasks
from fdtrain.training.best import criterion_of
from fdtrain.training.run import RUN_FILE, RunRecord, require_run
from fdtrain.training.stats import read_stats

Kind = Literal["run", "evaluation", "comparison", "ablation"]


@dataclass(frozen=True)
class Training:
    """One training: its row and seed in a comparison (a run's own name and no seed), its record, and its log.

    `cpu_s` is what a comparison counted, None where nothing did.
    """

    row: str
    seed: int | None
    folder: Path
    record: RunRecord
    lines: tuple[Mapping[str, Any], ...]
    cpu_s: float | None

    @property
    def title(self) -> str:
        """What it is called."""
        return self.row if self.seed is None else f"{self.row}, seed {self.seed}"

    @property
    def images(self) -> int:
        """How many images it has trained on."""
        return max((int(line["images"]) for line in self.lines), default=0)

    @property
    def finds_occluders(self) -> bool:
        """Return whether it trains a network that finds occluders, and restores nothing."""
        return bool(self.record.config.get("mask"))

    @property
    def best(self) -> tuple[int, str] | None:
        """Its best validation: after how many images, and how good, with its unit. None where there was none."""
        score, sign = criterion_of(self.record.config) or (MASK_SCORE if self.finds_occluders else SCORE, 1)
        found = [(sign * float(line[score]), int(line["images"])) for line in self.lines if line.get(score) is not None]
        if not found:
            return None
        value, images = max(found)
        unit = {MASK_SCORE: "{:.3f} IoU", SCORE: "{:.2f} dB"}.get(score, "{:.4f} perceptual")
        return images, unit.format(sign * value)

    @property
    def rate(self) -> float | None:
        """The median of its images a second, None where none was reported."""
        rates = [line["images_per_s"] for line in self.lines if line.get("images_per_s")]
        return statistics.median(rates) if rates else None

    @property
    def training_s(self) -> float | None:
        """Seconds of the clock spent on steps, by the rates that were reported; saving and validating do not count.

        None where no rate was reported.
        """
        told = [line for line in self.lines if line.get("images_per_s")]
        if not told:
            return None
        starts = [0, *(line["images"] for line in told[:-1])]
        return float(
            sum((line["images"] - start) / line["images_per_s"] for line, start in zip(told, starts, strict=True))
        )


@dataclass(frozen=True)
class Source:
    """One folder that a report is made of. `measured` has its numbers; a run has none of single pictures."""

    name: str
    kind: Kind
    folder: Path
    content_id: str
    trainings: tuple[Training, ...]
    measured: Measured | None


def read_sources(folders: Sequence[Path]) -> list[Source]:
    """Read folders, each with a name of its own; raise `RunError` where one is none of ours, or damaged."""
    resolved = [Path(os.path.realpath(folder)) for folder in folders]
    if twice := next((folder for folder in resolved if resolved.count(folder) > 1), None):
        raise RunError(f"{twice.name} is named twice", hint="name each folder once")
    short = [folder.name for folder in resolved]
    names = [
        name if short.count(name) == 1 else f"{folder.parent.name}/{name}"
        for name, folder in zip(short, resolved, strict=True)
    ]
    return [read_source(folder, name) for folder, name in zip(folders, names, strict=True)]


def read_source(folder: Path, name: str) -> Source:
    """Read one folder; raise `RunError` where it is none of ours, or damaged."""
    if (folder / RUN_FILE).is_file():
        training = _training(name, None, folder, None)
        return Source(name, "run", folder, training.record.content_id, (training,), None)
    if (folder / EVALUATION_FILE).is_file():
        measured = read_evaluation(folder)
        return Source(name, "evaluation", folder, measured.content_id, (), measured)
    if (folder / ASK_FILE).is_file():
        measured = read_comparison(folder)
        trainings = tuple(
            _training(task.name, task.seed, task.place(folder) / "run", task.place(folder) / CPU_FILE)
            for task in found_tasks(folder)
            if (task.place(folder) / "run" / RUN_FILE).is_file()
        )
        return Source(name, measured.kind, folder, measured.content_id, trainings, measured)
    sentence, hint = mistaken(
        folder,
        "is neither a run nor an evaluation nor a comparison",
        f"it has no {RUN_FILE}, {EVALUATION_FILE} or {ASK_FILE}",
        "name a folder that `fdtrain fit`, `eval --out`, `compare` or `ablate` wrote",
    )
    raise RunError(sentence, hint=hint)


def _training(row: str, seed: int | None, folder: Path, cpu_file: Path | None) -> Training:
    record = require_run(folder)
    cpu_s = cpu_spent_s(cpu_file) if cpu_file is not None else None
    return Training(row, seed, folder, record, tuple(read_stats(folder)), cpu_s or None)
