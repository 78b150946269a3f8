"""The results of an evaluation as files: every number, the tables, and the facts needed to interpret them."""

from __future__ import annotations

import json
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fdgen.runtime.installed import installed_version
from fdtrain.data.triplets import TripletDataset
from fdtrain.evaluation.summary import BASELINE, columns_of, main_table, strata_table, summarise
from fdtrain.inference.model_label import ModelLabel
from fdtrain.metrics.suite import Suite
from fdtrain.run_files import write_text

if TYPE_CHECKING:
    import pandas as pd

PACKAGES = ("fd-stackgan", "numpy", "opencv-python", "scipy", "torch")

FILES = ("images.csv", "summary.csv", "table.txt", "eval.json")


@dataclass(frozen=True)
class Evaluation(ABC):
    """A row a picture and method, a row a stratum and method, and the facts that both rest on."""

    images: pd.DataFrame
    summary: pd.DataFrame
    facts: Mapping[str, Any]

    @abstractmethod
    def grids(self) -> dict[str, list[list[str]]]:
        """Return the tables over all pictures by their titles: a head, then a row a method."""

    @abstractmethod
    def strata_grids(self) -> dict[str, list[list[str]]]:
        """Return the same for parts of the pictures."""

    @abstractmethod
    def sentences(self) -> list[str]:
        """Return what a reader must know."""

    def text(self) -> str:
        """Return the tables with all that is needed to read them."""
        lines = [self.head()]
        for title, rows in (self.grids() | self.strata_grids()).items():
            lines += table_lines(title, rows)
        return "\n".join([*lines, "", *(f"{sentence}." for sentence in self.sentences())]) + "\n"

    def head(self) -> str:
        """Return the line over all tables: which pictures."""
        dataset = self.facts["dataset"]
        return (
            f"{dataset['pictures']:,} pictures, {_origin(dataset)}, "
            f"at {self.facts['size_px']} px: mean ± standard error over pictures"
        )

    def json(self) -> dict[str, Any]:
        """Return facts and summary as JSON; a number that there is none of is null."""
        return {**self.facts, "summary": [plain(row) for row in self.summary.to_dict("records")]}

    def write(self, folder: Path) -> None:
        """Write images.csv, summary.csv, table.txt and eval.json, each whole; raise `FdError` where that fails."""
        write_text(folder / "images.csv", self.images.to_csv(index=False, float_format="%.6g", lineterminator="\n"))
        write_text(folder / "summary.csv", self.summary.to_csv(index=False, float_format="%.6g", lineterminator="\n"))
        write_text(folder / "table.txt", self.text())
        write_text(folder / "eval.json", json.dumps(self.json(), indent=2, allow_nan=False) + "\n")


class Results(Evaluation):
    """An evaluation of what restores."""

    @classmethod
    def of(
        cls,
        images: pd.DataFrame,
        dataset: TripletDataset,
        suite: Suite,
        notes: Sequence[str] = (),
        *,
        sets: pd.DataFrame | None = None,
        labels: Sequence[ModelLabel] = (),
    ) -> Results:
        """Sum up what `evaluate`, and `compare_sets`, returned.

        Args:
            images: A row for each picture and method.
            dataset: What was measured on.
            suite: The measures.
            notes: Sentences that a reader must know.
            sets: A row for each method, of measures of whole sets; None where there are none.
            labels: Those of the models that were measured.
        """
        summary = summarise(images)
        if sets is not None and len(sets):
            summary = summary.merge(sets.assign(stratum="all"), how="left", on=["method", "stratum"])
        whole = summary[summary["stratum"] == "all"]
        exact = [
            f"{row['method']}: {row['exact']} of {row['n']} pictures are restored exactly and left out of mean PSNR"
            for _, row in whole.iterrows()
            if row["exact"]
        ]
        facts = {
            "dataset": {"content_id": dataset.content_id, "split": dataset.split, "pictures": len(dataset)},
            "size_px": dataset.size_px,
            "methods": images["method"].drop_duplicates().tolist(),
            "models": [label.json() for label in labels],
            "protocols": dict(suite.protocols),
            "not_computed": dict(suite.not_computed),
            "notes": [*notes, *exact],
            "versions": {name: installed_version(name) for name in PACKAGES},
        }
        return cls(images, summary, facts)

    def grids(self) -> dict[str, list[list[str]]]:
        """Return the tables over all pictures by their titles: a head, then a row a method."""
        return {
            "Inside the mask: masked pixels alone": main_table(self.summary, columns_of("hole")),
            "Composited: the output inside the mask, the input outside": main_table(
                self.summary, columns_of("composited")
            ),
            "Raw output: whole pictures as the network puts them out": main_table(self._unpasted(), columns_of("raw")),
        }

    def strata_grids(self) -> dict[str, list[list[str]]]:
        """Return the same for parts of the pictures."""
        return {
            "PSNR inside the mask, by occluder type (pictures)": strata_table(self.summary, "kind"),
            "PSNR inside the mask, by coverage (pictures)": strata_table(self.summary, "coverage"),
        }

    def sentences(self) -> list[str]:
        """Return what a reader must know."""
        found = []
        if BASELINE in self.facts["methods"]:
            found.append(f"Over {BASELINE}: the mean of the differences in PSNR inside the mask, picture by picture")
        found += [f"{name}: {protocol}" for name, protocol in self.facts["protocols"].items()]
        found += [f"{name}: not computed, because {reason}" for name, reason in self.facts["not_computed"].items()]
        return found + [f"Note: {note}" for note in self.facts["notes"]]

    def _unpasted(self) -> pd.DataFrame:
        """Return the rows of methods that change pixels outside the hole; of the others the table above holds all."""
        return self.summary[self.summary["mse_raw"] != self.summary["mse_composited"]]


def table_lines(title: str, rows: Sequence[Sequence[str]]) -> list[str]:
    """Format a table under its title: names to the left, numbers to the right; nothing where there is only a head."""
    if len(rows) < 2:
        return []
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return ["", title] + [
        "  " + "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]).rstrip() for row in rows
    ]


def plain(row: Mapping[Any, Any]) -> dict[str, Any]:
    """Return a row as JSON holds it: what is no finite number is null."""
    return {
        str(name): None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in row.items()
    }


def _origin(dataset: Mapping[str, Any]) -> str:
    """Return in words where pictures are from: photographs of somebody else's have no content_id."""
    if not dataset["content_id"]:
        return "photographs of a folder"
    return f"{dataset['split']} split of dataset {dataset['content_id'][:12]}"
