"""The tables of a comparison: numbers once, then as text, CSV, JSON, Markdown and LaTeX."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from fdgen.runtime.installed import installed_version
from fdtrain.comparison.image_table import read_images
from fdtrain.comparison.markup import (
    NO_TEST,
    aligned,
    difference_cells,
    latex_table,
    markdown_table,
    mean_cell,
    number,
    p_value,
)
from fdtrain.comparison.plan import Ask, Task
from fdtrain.comparison.runner import Done, read_result
from fdtrain.comparison.statistics import Difference, Mean, Values, differences, mean_of
from fdtrain.comparison.task import IMAGES_FILE
from fdtrain.evaluation.results import PACKAGES
from fdtrain.methods import LEARNED, REFERENCES
from fdtrain.metrics.registry import MEASURES, better, columns_compared, columns_tested
from fdtrain.run_files import write_text

FILES = ("table.txt", "table.csv", "table.json", "table.md", "table.tex")


@dataclass(frozen=True)
class Row:
    """One method: its means by measure, and facts; or the reason why there is none."""

    name: str
    learned: bool
    means: Mapping[str, Mean]
    seeds: int
    images: int | None
    cpu_s: float | None
    parameters: int | None
    gmacs: float | None
    cpu_s_a_picture: float | None
    failed: str | None
    finish: str | None = None


@dataclass(frozen=True)
class Tables:
    """The rows of a comparison, and how each differs from the method `against`, by measure."""

    rows: tuple[Row, ...]
    against: str | None
    tests: Mapping[str, Mapping[str, Difference]]
    facts: Mapping[str, Any]

    tested_by: ClassVar[str] = (
        "mean, its 95 % interval, and p adjusted after Holm for the rows; Student's, with the error of pictures and of "
        "each method's seeds"
    )

    @classmethod
    def of(cls, tasks: Sequence[Task], done: Done, ask: Ask, asked: Mapping[str, Any], against: str | None) -> Tables:
        """Read every result and sum it up.

        Args:
            tasks: All rows and seeds.
            done: Which of them have results, and which failed.
            ask: The terms that all share.
            asked: Those terms as facts, for the tables.
            against: Name of the row that the others are tested against; None is `modern`, or the first that learnt.

        Raises what reading a result raises.
        """
        names = list(dict.fromkeys(task.name for task in tasks))
        results = {task: read_result(folder) for task, folder in done.results.items()}
        values = {name: _values(name, done) for name in names}
        rows = tuple(_row(name, tasks, results, values[name], done) for name in names)
        learnt = [row.name for row in rows if row.learned and row.failed is None]
        if against is None:
            against = "modern" if "modern" in learnt else next(iter(learnt), None)
        learned = {row.name for row in rows if row.learned}
        there = {name: found for name, found in values.items() if found}
        tests: dict[str, Mapping[str, Difference]] = {}
        if against in there:
            for measure in columns_tested():
                by_name = {name: found[measure] for name, found in there.items() if measure in found}
                if against in by_name and len(by_name) > 1:
                    tests[measure] = differences(by_name, against, learned)
        notes = list(dict.fromkeys(note for facts in results.values() for note in facts["notes"]))
        notes += finishes(rows)
        notes += treatments({task.name: facts.get("treated") for task, facts in results.items()})
        facts = {
            **asked,
            "pictures": max((one.pictures for row in rows for one in row.means.values()), default=0),
            "protocols": _joined(results, "protocols"),
            "not_computed": _joined(results, "not_computed"),
            "notes": notes,
            "cpu_s": round(sum(row.cpu_s or 0 for row in rows), 1),
            "versions": {name: installed_version(name) for name in PACKAGES},
            "unfinished": sorted(
                task.name if task.seed is None else f"{task.name} seed {task.seed}"
                for task in tasks
                if task not in results and task not in done.failed
            ),
        }
        return cls(rows, against, tests, facts)

    @property
    def title(self) -> str:
        """What the table of means is called."""
        return "Table 1"

    def grid(self) -> list[list[str]]:
        """Return the table of means: a head, then a row a method. Columns without any number are left out."""
        shown = [column for name, column in columns_compared().items() if any(name in row.means for row in self.rows)]
        lines = [["method", *(column.head for column in shown)]]
        lines += [
            [row.name, *(mean_cell(row.means.get(one.name), one.digits) for one in shown)]
            for row in self.rows
            if row.means
        ]
        return lines

    def cost_grid(self) -> list[list[str]]:
        """Return what each method took and has: training, size, and one restoration."""
        lines = [
            ["method", "seeds", "images each", "CPU s in all", "parameters M", "GMACs", "CPU ms a picture", "finish"]
        ]
        lines += [
            [
                row.name,
                str(row.seeds) if row.images is not None else "-",
                number(row.images, "{:,}"),
                number(row.cpu_s, "{:,.0f}"),
                number(row.parameters, "{:.2f}", 1e-6),
                number(row.gmacs, "{:.2f}"),
                number(row.cpu_s_a_picture, "{:.1f}", 1e3),
                row.finish or "-",
            ]
            for row in self.rows
            if row.means
        ]
        return lines

    def grids(self) -> dict[str, list[list[str]]]:
        """Return every table by its title."""
        found = {self.title: self.grid(), "Cost": self.cost_grid()}
        return found | ({f"Against {self.against}": self.test_grid()} if self.tests else {})

    def test_grid(self) -> list[list[str]]:
        """Return the differences from `against`: by measure the mean, its interval, and p."""
        columns = columns_compared()
        lines = [["method", *(text for name in self.tests for text in (columns[name].head, "p"))]]
        for row in self.rows:
            cells = []
            for name, found in self.tests.items():
                one, digits = found.get(row.name), columns[name].digits
                cells += difference_cells(one, digits)
            if any(cell != "-" for cell in cells):
                lines.append([row.name, *cells])
        return lines

    def sentences(self) -> list[str]:
        """Return what a reader must know, and who leads."""
        facts = self.facts
        trained = [row for row in self.rows if row.cpu_s is not None]
        budget = f"{facts['images']:,} images" if facts["images"] else f"{facts['seconds'] or 0:g} CPU seconds"
        seeds = max((row.seeds for row in trained), default=0)
        training = (
            f"; a budget of {budget} a training, {seeds} {'seed' if seeds == 1 else 'seeds'}; "
            f"{facts['cpu_s']:,.0f} CPU seconds of training in all"
        )
        found = [
            f"{facts['pictures']:,} pictures of the test split {facts['test_sha256'][:16]} of dataset "
            f"{facts['content_id'][:12]}, at {facts['size_px']} px{training if trained else ''}",
            "± is the standard error over pictures and, where there are several, seeds; CPU s is of all seeds, with "
            "what a kill undid; CPU ms is of one restoration by itself",
        ]
        if self.tests:
            found.append(f"differences are those of the same pictures, method minus {self.against}: {self.tested_by}")
            found += self.untested()
            found += self.findings()
        found += [f"row {row.name} failed: {row.failed}" for row in self.rows if row.failed]
        found += [f"not finished yet: {name}" for name in facts["unfinished"]]
        found += [f"{name}: {protocol}" for name, protocol in facts["protocols"].items()]
        found += [f"{name}: not computed, because {reason}" for name, reason in facts["not_computed"].items()]
        return [*found, *facts["notes"]]

    def untested(self) -> list[str]:
        """Say where one seed of a training leaves nothing to test."""
        names = [row.name for row in self.rows if row.learned and row.seeds == 1 and row.means]
        return [
            f"{NO_TEST} of {', '.join(names)}: how far another training would be from it is not known, and no interval "
            "over pictures holds it"
        ] * bool(names)

    def findings(self) -> list[str]:
        """Say by measure whether `against` leads every method that learnt, and where it does not, by how much."""
        learnt = {row.name for row in self.rows if row.learned}
        titles = {name: one.title for name, one in columns_compared().items()}
        found = []
        for name, tests in self.tests.items():
            sign = 1 if better(name) == "↑" else -1
            others = {other: one for other, one in tests.items() if other in learnt}
            ahead = {other: one for other, one in others.items() if sign * one.value > 0}
            if ahead:
                listed = ", ".join(f"{other} by {abs(one.value):.3g} ({_told(one)})" for other, one in ahead.items())
                found.append(f"by {titles[name]}, {self.against} does not lead: ahead are {listed}")
            elif others:
                unsure = [other for other, one in others.items() if not sign * one.low < 0 > sign * one.high]
                but = f"; not tested, or not distinguished at 95 %, from {', '.join(unsure)}" if unsure else ""
                found.append(f"by {titles[name]}, {self.against} leads every method that learnt in the mean{but}")
        return found

    def text(self) -> str:
        """Return the tables with all that is needed to read them."""
        tables = ["\n".join([title, *aligned(grid)]) for title, grid in self.grids().items()]
        notes = "\n".join(f"{with_capital(sentence)}." for sentence in self.sentences())
        return "\n\n".join([*tables, notes]) + "\n"

    def markdown(self) -> str:
        """Return the same as Markdown."""
        tables = [f"**{title}**\n\n{markdown_table(grid)}" for title, grid in self.grids().items()]
        return "\n\n".join([*tables, "\n".join(f"- {with_capital(one)}." for one in self.sentences())]) + "\n"

    def latex(self) -> str:
        """Return the tables as LaTeX, for `booktabs`; titles and sentences are comments."""
        comments = "".join(f"% {sentence}.\n" for sentence in self.sentences())
        return comments + "\n".join(f"% {title}\n{latex_table(grid)}" for title, grid in self.grids().items())

    def frame(self) -> pd.DataFrame:
        """Return every number: a row a method and measure."""
        lines = []
        for row in self.rows:
            facts = {name: value for name, value in asdict(row).items() if name not in ("means", "name", "seeds")}
            for measure, mean in row.means.items():
                test = self.tests.get(measure, {}).get(row.name)
                against = (
                    {f"minus_{self.against}_{name}": value for name, value in asdict(test).items()} if test else {}
                )
                lines.append({"method": row.name, "measure": measure, **asdict(mean), **against, **facts})
            if not row.means:
                lines.append({"method": row.name, **facts})
        return pd.DataFrame(lines)

    def json(self) -> dict[str, Any]:
        """Return everything as JSON holds it; a number that there is none of is null."""
        rows = [{**asdict(row), "means": {name: asdict(one) for name, one in row.means.items()}} for row in self.rows]
        tests = {name: {other: asdict(one) for other, one in found.items()} for name, found in self.tests.items()}
        plain: dict[str, Any] = finite({**self.facts, "against": self.against, "rows": rows, "tests": tests})
        return plain

    def write(self, out: Path) -> None:
        """Write table.txt, table.csv, table.json, table.md and table.tex, each whole."""
        write_text(out / "table.txt", self.text())
        write_text(out / "table.csv", self.frame().to_csv(index=False, float_format="%.6g", lineterminator="\n"))
        write_text(out / "table.json", json.dumps(self.json(), indent=2, allow_nan=False) + "\n")
        write_text(out / "table.md", self.markdown())
        write_text(out / "table.tex", self.latex())


def _values(name: str, done: Done) -> dict[str, Values]:
    """Return the values of a method by measure: seeds by pictures, in the order of keys."""
    seeds = [folder for task, folder in done.results.items() if task.name == name]
    frames = [read_images(folder / IMAGES_FILE, ("key",)).set_index("key") for folder in seeds]
    if not frames:
        return {}
    keys = frames[0].index
    wanted = [column for column in columns_compared() if all(column in frame for frame in frames)]
    return {
        column: np.stack([frame.loc[keys, column].to_numpy(np.float64) for frame in frames])
        for column in wanted
        if not all(frame[column].isna().all() for frame in frames)
    }


def _row(
    name: str,
    tasks: Sequence[Task],
    results: Mapping[Task, Mapping[str, Any]],
    values: Mapping[str, Values],
    done: Done,
) -> Row:
    own = [facts for task, facts in results.items() if task.name == name]
    reasons = list(dict.fromkeys(reason for task, reason in done.failed.items() if task.name == name))
    trained = [facts for facts in own if facts["kind"] == "trained"]
    first: Mapping[str, Any] = own[0] if own else {}
    taken = [facts["cpu_s_a_picture"] for facts in own]
    return Row(
        name=name,
        learned=next(task for task in tasks if task.name == name).kind != "reference",
        means={measure: mean_of(found) for measure, found in values.items()},
        seeds=len(own),
        images=first.get("images"),
        cpu_s=round(sum(facts["cpu_s"] for facts in trained), 1) if trained else None,
        parameters=first.get("parameters"),
        gmacs=first.get("gmacs"),
        cpu_s_a_picture=float(np.median(taken)) if taken else None,
        failed="; ".join(reasons) or None,
        finish=first.get("finish"),
    )


def _joined(results: Mapping[Task, Mapping[str, Any]], name: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for facts in results.values():
        found |= facts[name]
    return found


def finishes(rows: Sequence[Row]) -> list[str]:
    """Return a sentence on rows of faces that were not finished alike; nothing where all were, or none says how."""
    found: dict[str, list[str]] = {}
    for row in rows:
        if row.finish is not None and (row.learned or row.finish != "none"):
            found.setdefault(row.finish, []).append(row.name)
    if len(found) < 2:
        return []
    listed = "; ".join(f"{finish} ({', '.join(names)})" for finish, names in found.items())
    return [f"rows are not finished alike: {listed}; with `--finish membrane` they are"]


def treatments(treated: Mapping[str, str | None]) -> list[str]:
    """Return a sentence on how the training pictures of rows were varied, by name; nothing where none is known.

    >>> treatments({"a": "faces are mirrored", "b": "faces are not"})
    ['rows are not treated alike: faces are mirrored (a); faces are not (b)']
    """
    rows: dict[str, list[str]] = {}
    for name, how in treated.items():
        if how is not None:
            rows.setdefault(how, []).append(name)
    if len(rows) < 2:
        return list(rows)
    listed = "; ".join(f"{how} ({', '.join(names)})" for how, names in rows.items())
    return [f"rows are not treated alike: {listed}"]


def with_capital(sentence: str) -> str:
    """Begin a sentence with a capital, unless it begins with the name of a row, measure or file."""
    first = sentence.partition(" ")[0].rstrip(":")
    known = (*LEARNED, *REFERENCES, *MEASURES)
    return sentence if first.rstrip(",") in known or "." in first.rstrip(".") else sentence[:1].upper() + sentence[1:]


def _told(one: Difference) -> str:
    return f"p {p_value(one.p)}" if one.tested else NO_TEST


def finite(value: Any) -> Any:
    """Return what JSON holds of a value: a number that there is none of is null."""
    if isinstance(value, Mapping):
        return {name: finite(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
