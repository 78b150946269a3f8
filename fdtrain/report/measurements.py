"""The numbers of an evaluation or of a comparison: all its tables, those by kind and by coverage among them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from fdtrain.comparison.ablation_tables import Findings
from fdtrain.comparison.image_table import read_images
from fdtrain.comparison.markup import mean_cell
from fdtrain.comparison.plan import Ask, Task
from fdtrain.comparison.runner import Done, read_result
from fdtrain.comparison.statistics import Difference, Values, mean_of
from fdtrain.comparison.tables import Tables, with_capital
from fdtrain.comparison.task import IMAGES_FILE
from fdtrain.errors import RunError
from fdtrain.evaluation.summary import strata
from fdtrain.metrics.registry import SILHOUETTES, Column, columns_by_stratum, columns_compared, columns_of_silhouettes
from fdtrain.report.records import found_tasks, read_ablation, read_against, read_ask, read_done, read_versions

Grid = list[list[str]]


def shown() -> dict[str, Column]:
    """Return by name the columns of what restores, then of what finds occluders."""
    return columns_compared() | columns_of_silhouettes()


@dataclass(frozen=True)
class Given:
    """How a method of an evaluation or a row of a comparison can be run again. `sha256` is that of the weights used."""

    name: str
    task: Task | None
    folder: Path | None
    sha256: str | None


@dataclass(frozen=True)
class Measured:
    """Numbers of every picture, and what is reported of them.

    `values` has, by method and measure, a row a seed and a column a picture, in the order of `pictures` (index key;
    kind and coverage). `focus` is the method that pictures are ranked by, in the measure `ranked_by`; `tests` how
    others differ from `against`; `calibration`, of networks that find occluders, predicted and true shares by bin.
    """

    kind: Literal["evaluation", "comparison", "ablation"]
    title: str
    lead: str
    content_id: str
    split: str
    size_px: int
    focus: str | None
    against: str | None
    grids: Mapping[str, Grid]
    strata: Mapping[str, Grid]
    findings: Sequence[str]
    notes: Sequence[str]
    tests: Mapping[str, Mapping[str, Difference]]
    values: Mapping[str, Mapping[str, Values]]
    pictures: pd.DataFrame
    given: Sequence[Given]
    versions: Mapping[str, str]
    unfinished: Sequence[str]
    failed: Mapping[str, str]
    ranked_by: str = "psnr_hole"
    calibration: Mapping[str, Sequence[tuple[float, float]]] = field(default_factory=dict)

    @property
    def finds_occluders(self) -> bool:
        """Return whether it is of networks that find occluders, and restore nothing."""
        return self.ranked_by == "iou"


def read_comparison(folder: Path) -> Measured:
    """Read what `fdtrain compare` or `ablate` wrote so far; raise `RunError` where it is damaged or holds no row."""
    ask, asked = read_ask(folder)
    tasks = found_tasks(folder)
    if not tasks:
        raise RunError(f"{folder} has no row yet", hint="run the same `fdtrain compare` or `ablate` until one is done")
    ablation = read_ablation(folder)
    done = read_done(folder, tasks)
    tables: Tables
    if ablation is not None:
        names = [*ablation.beside, *(one.name for one in ablation.variants)]
        tasks = [task for name in names for task in tasks if task.name == name]
        done = Done({task: done.results[task] for task in tasks if task in done.results}, done.failed, stopped=False)
        tables = Findings.over(ablation, tasks, done, ask, asked)
    else:
        tables = Tables.of(tasks, done, ask, asked, _known(read_against(folder), done))
    first = {name: [f for t, f in done.results.items() if t.name == name] for name in dict.fromkeys(_names(tasks))}
    frames = {name: [read_images(f / IMAGES_FILE).set_index("key") for f in there] for name, there in first.items()}
    values = values_of({name: there for name, there in frames.items() if there})
    some = next((there[0] for there in frames.values() if there), None)
    pictures = some[["kind", "coverage"]] if some is not None else pd.DataFrame({"kind": [], "coverage": []})
    grids = {title: grid for title, grid in tables.grids().items() if len(grid) > 1}
    if changed := _changes(tasks):
        grids["What the rows change"] = changed
    focus = tables.against if ablation is None else None
    findings = tables.findings() if tables.tests else []
    return Measured(
        kind="comparison" if ablation is None else "ablation",
        title="Comparison" if ablation is None else tables.title,
        lead=_lead(tables, ask, done),
        content_id=str(asked["content_id"]),
        split="test",
        size_px=ask.size_px,
        against=tables.against if tables.tests else None,
        focus=focus if focus in values else next(iter(reversed(values)), None),
        grids=grids,
        strata=strata_grids(values, pictures),
        findings=[with_capital(one) for one in findings],
        notes=[with_capital(one) for one in tables.sentences() if one not in findings],
        tests=tables.tests,
        values=values,
        pictures=pictures,
        given=_given(tasks, done),
        versions=read_versions(folder),
        unfinished=tables.facts["unfinished"],
        failed={row.name: row.failed for row in tables.rows if row.failed},
    )


def strata_grids(values: Mapping[str, Mapping[str, Values]], pictures: pd.DataFrame) -> dict[str, Grid]:
    """Return means with errors by kind of occluder and by coverage: by title a head and a row a method."""
    grids: dict[str, Grid] = {}
    parts = {name: inside.to_numpy(bool) for name, inside in strata(pictures).items() if name != "all"}
    for measure in (*columns_by_stratum(), *columns_by_stratum(SILHOUETTES)):
        column = shown()[measure]
        for what, words in (("kind", "by kind of occluder"), ("coverage", "by coverage of the picture")):
            own = {name: inside for name, inside in parts.items() if name.startswith(f"{what} ")}
            head = [
                "method",
                *(f"{name.removeprefix(what).strip()} ({inside.sum():,})" for name, inside in own.items()),
            ]
            lines = [
                [name, *(mean_cell(mean_of(there[measure][:, inside]), column.digits) for inside in own.values())]
                for name, there in values.items()
                if measure in there
            ]
            if lines:
                grids[f"{column.head}, {words} (pictures)"] = [head, *lines]
    return grids


def values_of(frames: Mapping[str, Sequence[pd.DataFrame]]) -> dict[str, dict[str, Values]]:
    """Return the values by method and measure: seeds by pictures, all in the order of the first method's keys.

    Raises `RunError` where methods were measured on different pictures.
    """
    if not frames:
        return {}
    keys = next(iter(frames.values()))[0].index
    every: dict[str, dict[str, Values]] = {}
    for name, seeds in frames.items():
        if any(not seed.index.is_unique or set(seed.index) != set(keys) for seed in seeds):
            raise RunError(f"{name} was measured on other pictures than the other rows", hint="measure again")
        every[name] = {
            measure: np.stack([seed.loc[keys, measure].to_numpy(np.float64) for seed in seeds])
            for measure in shown()
            if all(measure in seed and not seed[measure].isna().all() for seed in seeds)
        }
    return every


def _lead(tables: Tables, ask: Ask, done: Done) -> str:
    budget = f"{ask.images:,} images" if ask.images else f"{ask.seconds or 0:g} CPU seconds"
    trained = any(task.kind == "trained" for task in done.results)
    rows = sum(1 for row in tables.rows if row.means)
    return (
        f"{rows} of {len(tables.rows)} rows on {tables.facts['pictures']:,} pictures of the test split, at "
        f"{ask.size_px} px" + (f"; {budget} of training each" if trained else "")
    )


def _names(tasks: Sequence[Task]) -> list[str]:
    return [task.name for task in tasks]


def _known(against: str | None, done: Done) -> str | None:
    return against if against in {task.name for task in done.results} else None


def _changes(tasks: Sequence[Task]) -> Grid:
    changed = {task.name: "; ".join(task.overrides) for task in tasks if task.overrides}
    rows = [[name, changed.get(name, "-")] for name in dict.fromkeys(_names(tasks))]
    return [["row", "settings changed"], *rows] if changed else []


def _given(tasks: Sequence[Task], done: Done) -> list[Given]:
    """Return, of each row that is done, its first seed."""
    given: dict[str, Given] = {}
    for task in tasks:
        if task in done.results and task.name not in given:
            folder = done.results[task]
            given[task.name] = Given(task.name, task, folder, read_result(folder).get("weights_sha256"))
    return list(given.values())
