"""The provenance of results: data, settings, versions, machine, time, as recorded with the results."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from fdgen.contract.manifest import Manifest
from fdgen.settings.toml import flatten
from fdtrain.report.measurements import Grid, Measured
from fdtrain.report.sources import Source, Training

NOT_MEASURED = "not measured"


def data_facts(sources: Sequence[Source], manifest: Manifest | None) -> list[tuple[str, str]]:
    """Return what all of it is of, as pairs of a term and what is known."""
    names = sorted({training.record.dataset for source in sources for training in source.trainings})
    ids = sorted({source.content_id for source in sources})
    if manifest is None:
        return [
            ("dataset", ", ".join(names) or "its name is not recorded"),
            ("content_id", ", ".join(ids)),
            ("spec_id", "not recorded by runs: name the dataset with --data"),
        ]
    dataset = manifest.dataset
    splits = ", ".join(f"{name} {dataset['splits'].get(name, 0):,}" for name in ("train", "val", "test"))
    kinds = ", ".join(f"{name} {count:,}" for name, count in sorted(dataset["kinds"].items()))
    return [
        ("dataset", f"{dataset['name']} {dataset['version']}" + (f" (folder {', '.join(names)})" if names else "")),
        ("content_id", str(dataset["content_id"])),
        ("spec_id", str(dataset["spec_id"])),
        ("generator version", str(dataset["generator"])),
        ("pictures", f"{dataset['recipe']['size_px']} px; {splits}"),
        ("kinds of occluder", kinds),
    ]


def settings_grids(trainings: Sequence[Training]) -> dict[str, Grid]:
    """Return the settings that differ, a column a row of the comparison, and those that all have alike."""
    first = {training.row: training for training in reversed(trainings)}
    rows = list(dict.fromkeys(training.row for training in trainings))
    flat = {row: {key: _said(value) for key, value in flatten(first[row].record.config)} for row in rows}
    keys = list(dict.fromkeys(key for row in rows for key in flat[row] if key != "seed"))
    alike = [key for key in keys if len({flat[row].get(key, "-") for row in rows}) == 1]
    grids = {}
    if different := [key for key in keys if key not in alike]:
        grids["Settings that differ"] = [
            ["setting", *rows],
            *([key, *(flat[row].get(key, "-") for row in rows)] for key in different),
        ]
    if alike:
        title = "Settings" if len(rows) == 1 else "Settings that all have alike"
        grids[title] = [["setting", "value"], *([key, flat[rows[0]][key]] for key in alike)]
    return grids


def environment_grid(trainings: Sequence[Training], measured: Sequence[Measured]) -> Grid:
    """Return versions and, in general terms, the machine: as recorded, not those of who makes the report."""
    found: dict[str, set[str]] = {}
    for training in trainings:
        machine = training.record.config["machine"]
        device, threads = str(machine.get("device")), machine.get("threads")
        found.setdefault("trained on", set()).add(f"{device}, {threads} {'thread' if threads == 1 else 'threads'}")
        found.setdefault("precision", set()).add(str(training.record.config["training"].get("precision")))
        found.setdefault("fdtrain, training", set()).add(training.record.fdtrain)
        found.setdefault("torch, training", set()).add(training.record.torch)
    for one in measured:
        for name, version in one.versions.items():
            found.setdefault(f"{name}, measuring", set()).add(str(version))
    rows = [[name, ", ".join(sorted(values))] for name, values in found.items()]
    return [["", "recorded"], *rows]


def cost_grid(trainings: Sequence[Training]) -> Grid:
    """Return what each training took. Seconds of the clock are those of its steps; nothing here measures energy."""
    head = ["training", "images", "of", "validation", "images/s", "clock s", "CPU s", "parameters M", "energy"]
    return [
        head,
        *(
            [
                one.title,
                f"{one.images:,}",
                f"{one.record.total_images:,}",
                "-" if one.best is None else one.best[1],
                "-" if one.rate is None else f"{one.rate:.1f}",
                "-" if one.training_s is None else f"{one.training_s:,.0f}",
                NOT_MEASURED if one.cpu_s is None else f"{one.cpu_s:,.0f}",
                f"{one.record.parameters / 1e6:.2f}",
                NOT_MEASURED,
            ]
            for one in trainings
        ),
    ]


def _said(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
