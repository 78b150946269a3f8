"""What a card reports of measured pictures: means by kind of occluder and by tone of skin, with their errors."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import t as student

from fdtrain.comparison.image_table import read_images
from fdtrain.evaluation.summary import mean_and_error

SCORES = {
    "restore": {"psnr_hole": "PSNR in the inpainted region, dB", "stlpips_composited": "ST-LPIPS, lower is better"},
    "mask": {"iou": "IoU"},
}
"""What counts by the task of a network: columns of images.csv, and their titles; a measure that was not taken is
left out."""

FEWEST = 20
"""Pictures of a kind, or of several kinds together, that have a row."""

GREY = "grey photograph"
"""A photograph without colour: the angle that the classes of skin go by needs some."""

LEVEL = 0.95
"""Share of all intervals that hold the mean which they are of."""


@dataclass(frozen=True)
class Cell:
    """A mean over the `n` pictures that have the score, with its standard error, nan of a single one."""

    n: int
    mean: float
    error: float

    @classmethod
    def of(cls, values: pd.Series[float]) -> Cell:
        """Return that of some values."""
        return cls(int(np.isfinite(values.to_numpy(float)).sum()), *mean_and_error(values))

    def __str__(self) -> str:
        error = "" if math.isnan(self.error) else f" ± {self.error:.2g}"
        return f"{self.mean:.{self.digits}f}{error}"

    @property
    def digits(self) -> int:
        """Decimals that are worth showing."""
        return 2 if self.mean > 2 else 3

    def with_interval(self) -> str:
        """Return the mean with its 95 % interval by Student's t, which is wide where pictures are few.

        >>> Cell(100, 20.13, 0.084).with_interval(), Cell(1, 0.5, math.nan).with_interval()
        ('20.13 [19.96, 20.30]', '0.500')
        >>> Cell(2, 20.0, 0.5).with_interval()
        '20.00 [13.65, 26.35]'
        """
        if math.isnan(self.error):
            return f"{self.mean:.{self.digits}f}"
        half = float(student.ppf((1 + LEVEL) / 2, self.n - 1)) * self.error
        low, high = self.mean - half, self.mean + half
        return f"{self.mean:.{self.digits}f} [{low:.{self.digits}f}, {high:.{self.digits}f}]"


@dataclass(frozen=True)
class Table:
    """Means on one set of pictures: by row (`all`, kinds, tones of skin), then by method."""

    title: str
    score: str
    columns: Mapping[str, Mapping[str, Cell]]

    def markdown(self, *, intervals: bool = False) -> str:
        """Return it with a method a column, each mean with its standard error or its 95 % interval."""
        methods = list(self.columns["all"])
        lines = [
            f"| {self.title}: {self.score} | pictures | {' | '.join(methods)} |",
            "|---" * (len(methods) + 2) + "|",
        ]
        for name, cells in self.columns.items():
            n = max(cell.n for cell in cells.values())
            told = {method: cell.with_interval() if intervals else str(cell) for method, cell in cells.items()}
            lines.append(f"| {name} | {n:,} | {' | '.join(told.get(method, '') for method in methods)} |")
        return "\n".join(lines)

    def json(self) -> dict[str, Any]:
        """Return it as JSON holds it: a cell is (pictures, mean, standard error or null)."""
        rows = {
            name: {
                method: [cell.n, cell.mean, None if math.isnan(cell.error) else cell.error]
                for method, cell in cells.items()
            }
            for name, cells in self.columns.items()
        }
        return {"title": self.title, "score": self.score, "columns": rows}

    @classmethod
    def of_json(cls, values: Mapping[str, Any]) -> Table:
        """Read back what `json` gave."""
        rows = {
            name: {
                method: Cell(n, mean, math.nan if error is None else error)
                for method, (n, mean, error) in cells.items()
            }
            for name, cells in values["columns"].items()
        }
        return cls(values["title"], values["score"], rows)


def tables_of(title: str, task: str, images: Path, tones: Mapping[str, str], tone_order: Sequence[str]) -> list[Table]:
    """Return the means of an `images.csv`, as `fdtrain eval --out` writes it, a table for each score.

    Args:
        title: Name of the set of pictures.
        task: One of `SCORES`.
        images: The file.
        tones: Class of skin, or `GREY`, by the key of a sample; empty where nobody looked.
        tone_order: The classes in the order of their rows.

    Raises `RunError` where the file is none, or lacks every score.
    """
    frame = read_images(images, ("method", "key", "kind"))
    frame["tone"] = frame["key"].map(dict(tones))
    scores = {column: score for column, score in SCORES[task].items() if column in frame}
    return [Table(title, score, _rows(frame, column, tone_order)) for column, score in scores.items()]


def _rows(frame: pd.DataFrame, column: str, tone_order: Sequence[str]) -> dict[str, dict[str, Cell]]:
    rows = {"all": _by_method(frame, column)}
    for kind, of_kind in frame.groupby("kind"):
        if of_kind["key"].nunique() >= FEWEST:
            rows[str(kind)] = _by_method(of_kind, column)
    for name in (*tone_order, GREY):
        if not (of_tone := frame[frame["tone"] == name]).empty:
            rows[name if name == GREY else f"skin: {name}"] = _by_method(of_tone, column)
    return {name: cells for name, cells in rows.items() if cells or name == "all"}


def _by_method(frame: pd.DataFrame, column: str) -> dict[str, Cell]:
    cells = {str(method): Cell.of(of_one[column]) for method, of_one in frame.groupby("method", sort=False)}
    return {method: cell for method, cell in cells.items() if cell.n and math.isfinite(cell.mean)}
