"""What the starter weights are measured by: `fdtrain eval`, and its pictures sorted by kind and by tone of skin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from fdgen.analysis.skin_tone import BINS, ita_deg, tone
from fdgen.contract.manifest import Manifest
from fdgen.dataset.tables import read_landmarks
from fdgen.io.pictures.images import decode_png
from fdtrain.data.pictures import is_grey

GREY = "grey photograph"
"""A photograph without colour: the angle that the classes of skin go by needs some."""

SCORES = {
    "starter": {"psnr_hole": "PSNR in the inpainted region, dB", "stlpips_composited": "ST-LPIPS, lower is better"},
    "starter-mask": {"iou": "IoU"},
}
"""What counts of each network: columns of images.csv, and their titles; ST-LPIPS where it is installed."""

FEWEST = 20
"""Pictures of a kind, or of several kinds together, that have a row."""


@dataclass(frozen=True)
class Cell:
    """A mean over `n` pictures with its standard error."""

    n: int
    mean: float
    error: float

    @classmethod
    def of(cls, values: pd.Series) -> Cell:
        """Return that of some values; the error of a single one is nan."""
        return cls(len(values), float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values))))

    def __str__(self) -> str:
        error = "" if np.isnan(self.error) else f" ± {self.error:.2g}"
        return f"{self.mean:.{2 if self.mean > 2 else 3}f}{error}"


@dataclass(frozen=True)
class Table:
    """Means on one set of pictures: by column (`all`, kinds, tones of skin), then by method."""

    title: str
    score: str
    columns: dict[str, dict[str, Cell]]

    def markdown(self) -> str:
        """Return it with a method a column."""
        methods = list(self.columns["all"])
        lines = [
            f"| {self.title}: {self.score} | pictures | {' | '.join(methods)} |",
            "|---" * (len(methods) + 2) + "|",
        ]
        for name, cells in self.columns.items():
            n = max(cell.n for cell in cells.values())
            row = [str(cells[method]) if method in cells else "" for method in methods]
            lines.append(f"| {name} | {n:,} | {' | '.join(row)} |")
        return "\n".join(lines)


def tables_of(title: str, network: str, images: Path, tones: dict[str, str]) -> list[Table]:
    """Return the means of an `images.csv`, as `fdtrain eval --out` writes it, a table for each score.

    Args:
        title: Name of the set of pictures.
        network: One of `SCORES`.
        images: The file.
        tones: Class of skin by the key of a sample.
    """
    frame = pd.read_csv(images)
    frame["tone"] = frame["key"].map(tones)
    scores = {column: score for column, score in SCORES[network].items() if column in frame}
    return [Table(title, score, _columns(frame, column)) for column, score in scores.items()]


def _columns(frame: pd.DataFrame, column: str) -> dict[str, dict[str, Cell]]:
    columns = {"all": _by_method(frame, column)}
    for kind, rows in frame.groupby("kind"):
        if rows["key"].nunique() >= FEWEST:
            columns[str(kind)] = _by_method(rows, column)
    for name in (*(name for name, _ in BINS), GREY):
        if not (rows := frame[frame["tone"] == name]).empty:
            columns[name if name == GREY else f"skin: {name}"] = _by_method(rows, column)
    return columns


def tones_of(pairs: Path, keys: Sequence[str]) -> dict[str, str]:
    """Return the class of skin that samples of a dataset show, by their keys; those that hardly show any are left out.

    A grey photograph has none: see `GREY`.
    """
    manifest = Manifest.load(pairs)
    points = {source: found.points_px for source, found in read_landmarks(pairs / "landmarks.parquet")}
    source_of = dict(zip(manifest.table["key"], manifest.table["source_sha256"], strict=True))
    tones: dict[str, str] = {}
    for key in keys:
        clean_HWC = decode_png(manifest.read_member(key, "clean.png"), intact=True)
        if is_grey(clean_HWC):
            tones[key] = GREY
        elif (angle := ita_deg(clean_HWC, points[source_of[key]])) is not None:
            tones[key] = tone(angle)
    return tones


def _by_method(rows: pd.DataFrame, column: str) -> dict[str, Cell]:
    return {
        str(method): Cell.of(of_one[column].dropna())
        for method, of_one in rows.groupby("method", sort=False)
        if not of_one[column].dropna().empty
    }
