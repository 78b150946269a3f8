"""Folders to report on: a run, a comparison with rows that are not finished, an ablation; made in this process."""

from __future__ import annotations

import shutil
from pathlib import Path

from fdtrain.comparison.ablation import Ablation, open_table, record
from fdtrain.comparison.plan import Ask, Task
from fdtrain.comparison.runner import Watch, compare
from fdtrain.comparison.task import work
from fdtrain.training.loop import fit
from tests.support.asks import SMALL, ask_of
from tests.support.micro import micro
from tests.support.weights import write_weights

NARROW = (*SMALL, "network.widths=[8,8,16,16,16]", "network.dilations=[1,2]", "discriminator.width=4")

ODD_NAME = "a<b>&\"'µ"
"""The name of a row: a page that does not escape it is another page."""


def write_run(data: Path, folder: Path) -> Path:
    """Train for a moment."""
    fit(micro(data, "training.images=64"), folder)
    return folder


def write_comparison(data: Path, out: Path) -> Path:
    """Compare two references, given weights and one that trains; a second seed of it has begun, another row failed."""
    weights = write_weights(out.parent / "given.safetensors")
    tasks = [
        Task("copy", "reference", "copy"),
        Task("telea", "reference", "telea"),
        Task(ODD_NAME, "weights", str(weights)),
        Task("tiny", "trained", "tiny", 0),
    ]
    begin(tasks, ask_of(data, images=8, limit=9, overrides=NARROW), out)
    shutil.copytree(out / "rows" / "tiny" / "seed-0" / "run", out / "rows" / "tiny" / "seed-1" / "run")
    failed = out / "rows" / "gca" / "seed-0"
    failed.mkdir(parents=True)
    (failed / "error.txt").write_text("Traceback\nMemoryError: too <little>\n", encoding="utf-8")
    return out


def write_ablation(data: Path, out: Path) -> tuple[Path, Ablation]:
    """Train table 2's first row, and not its second."""
    ask = ask_of(data, images=8, limit=9, overrides=NARROW)
    ablation = open_table(2, "tiny", ask)
    begin(ablation.tasks(1)[:1], ask, out)
    record(ablation, out)
    return out, ablation


def begin(tasks: list[Task], ask: Ask, out: Path) -> None:
    """Do tasks as a comparison does them, but in this process: another takes seconds to import torch."""
    quiet = Watch(lambda task, done, of: None, lambda task, moved: None, lambda task, reason: None)
    compare([], ask, out, watch=quiet, asked_to_stop=lambda: False)
    for task in tasks:
        work(task, ask, str(out), str(out / ".stop"), lambda moved: None)
