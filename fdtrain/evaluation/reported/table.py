"""Tables of reported numbers, read from CSV, and what their cells say: a value, its rounding, its unit."""

from __future__ import annotations

import csv
import itertools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from fdgen.errors import in_words
from fdtrain.errors import ConfigError
from fdtrain.metrics.registry import MEASURES

OTHERS = ("mae", "l1", "l2", "rmse")
"""Measures that papers report and we do not compute."""
_MISSING = ("", "-", "–", "—", "n/a", "nan", "inf")
"""Cells that say there is no figure; the PSNR of a perfect copy has none either."""
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d{1,2})?(\s*%)?", re.ASCII | re.IGNORECASE)
_PER_CENT = re.compile(r"%|\bper ?cent\b", re.IGNORECASE)
_NO_NAME = re.compile(r"%|\bper ?cent\b|\bdb\b|[↑↓()\[\]]|\b(loss|error|err)\b|\s", re.IGNORECASE)
"""What a head has in addition to the name of its metric: a unit, an arrow, `loss`."""
_BEFORE = re.compile(r"^(mean|avg\.?|average)\s+", re.IGNORECASE)
_NO_METRIC = ("_se", "_of_mean_mse")
"""Ends of columns that go with a metric and are none: standard errors, and what is computed here."""


@dataclass(frozen=True)
class Reported:
    """One row of a table: which pictures it is of (`subset`), which model, and its cells as they were written."""

    table: str
    subset: str
    method: str
    model: str
    cells: Mapping[str, str]

    @property
    def place(self) -> str:
        """Where it is, in words."""
        return ", ".join(part for part in (self.table, self.subset, self.method) if part)


def paper_table() -> list[Reported]:
    """Return the tables of the FD-StackGAN paper."""
    text = resources.files("fdtrain.evaluation.reported").joinpath("fd-stackgan.csv").read_text(encoding="utf-8")
    return parse(text.splitlines(), "fd-stackgan.csv")


def read_table(path: Path) -> list[Reported]:
    """Read a CSV of reported numbers; raise `ConfigError` where it is none."""
    try:
        return parse(path.read_text(encoding="utf-8-sig").splitlines(), path.name)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {in_words(error)}", hint="name a CSV file") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is no text in UTF-8", hint="save the table as CSV") from error


def parse(lines: Iterable[str], name: str) -> list[Reported]:
    """Read the rows of a CSV; raise `ConfigError` where it is no table of means.

    It has a column `method` and one a metric, known by how its name begins (`PSNR`, `mse_test`); or it is long, and has
    columns `measure` and `value` in their place. Where they are, `table` (else all is of `name`) and `subset` (or
    `stratum`) say what a row belongs to, and `model` which model it is of, where tables call it differently. Other
    columns are passed by.
    """
    columns, records = _records(lines, name)
    metrics = [column for column in columns if _is_metric(column)]
    long = {"measure", "value"} <= set(columns)
    if "method" not in columns or not (metrics or long):
        raise ConfigError(
            f"{name} has no table of methods: its first line needs a column `method` and one such as PSNR or MSE",
            hint="`fdtrain audit --help` describes a table",
        )
    if "key" in columns:
        raise ConfigError(f"{name} has a row a picture, not one a method", hint="audit the table of their means")
    cells: dict[tuple[str, str, str, str], dict[str, str]] = {}
    for number, record in enumerate(records, 1):
        identity = (
            record.get("table") or name,
            record.get("subset") or record.get("stratum") or "",
            record["method"],
            record.get("model") or record["method"],
        )
        own = {metric: record[metric] for metric in metrics}
        if long and _is_metric(record["measure"]):
            own[record["measure"]] = record["value"]
        row = cells.setdefault(identity, {})
        for metric, cell in own.items():
            if cell.lower() in _MISSING:
                continue
            if not _NUMBER.fullmatch(cell):
                raise ConfigError(
                    f"{name}, row {number}: {metric} is {cell!r}, which is not a number",
                    hint="leave the cell empty where there is none",
                )
            if row.setdefault(metric, cell) != cell:
                raise ConfigError(
                    f"{name}, row {number}: {record['method']} has the {metric} {cell}, and {row[metric]} before",
                    hint="distinguish rows by a column `subset`, or `model`",
                )
    return [Reported(*identity, row) for identity, row in cells.items()]


def _records(lines: Iterable[str], name: str) -> tuple[list[str], list[dict[str, str]]]:
    """Return the columns of a CSV and its rows, without blanks round a cell; cells that are missing are empty."""
    try:
        table = [[cell.strip() for cell in row] for row in csv.reader(lines, strict=True) if row]
    except csv.Error as error:
        raise ConfigError(f"{name} is no CSV: {error}", hint="save the table as CSV") from error
    if not all(cell.isprintable() for row in table for cell in row):
        raise ConfigError(f"{name} is no CSV: there are control characters in it", hint="save the table as CSV")
    columns = table[0] if table else []
    if twice := {column for column in columns if columns.count(column) > 1}:
        raise ConfigError(f"{name} has the column {min(twice)!r} twice", hint="give each column a name of its own")
    for row in table[1:]:
        if len(row) > len(columns):
            raise ConfigError(
                f"{name} has a row of {len(row)} cells under {len(columns)} columns", hint="correct that row"
            )
    return columns, [dict(itertools.zip_longest(columns, row, fillvalue="")) for row in table[1:]]


def name_of(column: str) -> str:
    """Return the name of a column's metric in small letters, without unit, arrow and blanks.

    >>> [name_of(head) for head in ("PSNR (dB) ↑", "Mean L2 loss (%)", "mse_hole")]
    ['psnr', 'l2', 'mse_hole']
    """
    return _NO_NAME.sub("", _BEFORE.sub("", column.strip())).lower().replace("ℓ", "l")


def is_per_cent(column: str, cell: str) -> bool:
    """Return whether a cell is in per cent, by itself or by the head of its column."""
    return bool(_PER_CENT.search(column)) or cell.endswith("%")


def value_of(cell: str) -> float:
    """Return the number of a cell, as it is written: per cent stay so."""
    return float(cell.rstrip("%").rstrip())


def half_unit(cell: str) -> float:
    """Return half of the last digit's worth of a number as it is written."""
    mantissa, _, exponent = cell.lower().rstrip("%").rstrip().partition("e")
    decimals = len(mantissa.partition(".")[2])
    return 0.5 * 10.0 ** (int(exponent or 0) - decimals)


def digits_of(cell: str) -> int:
    """Return the significant digits of a number as it is written."""
    return len(cell.lower().rstrip("%").rstrip().partition("e")[0].lstrip("+-").replace(".", "").lstrip("0"))


def _is_metric(column: str) -> bool:
    name = name_of(column)
    return name.startswith((*MEASURES, *OTHERS)) and not name.endswith(_NO_METRIC)
