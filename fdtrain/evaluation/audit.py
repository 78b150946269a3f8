"""Checks whether reported numbers can be true: mean PSNR against mean MSE of the same pictures, and copied values.

PSNR is convex in MSE, so the mean PSNR of pictures is never below the PSNR of their mean MSE (Jensen). How far it lies
above tells how much pictures differ: with PSNRs of pictures spread normally by s dB, mean MSE exceeds the MSE of the
mean PSNR by exp((s ln 10 / 10)² / 2), so the gap is s² ln 10 / 20 dB.
"""

from __future__ import annotations

import csv
import itertools
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from fdgen.errors import in_words
from fdtrain.errors import ConfigError
from fdtrain.metrics.registry import MEASURES

LEAST_SPREAD_DB, MOST_SPREAD_DB = 1.0, 6.0
"""Spread of pictures' PSNR that is believed. Methods of every kind that this package measures lie between 2.3 and 4 dB;
under 1 dB all pictures would be equally hard, over 6 dB one in six would have a fourth of the mean's error, or less."""
TELLING_DIGITS = 4
"""Significant digits from which two methods hardly share a figure by chance."""
OTHERS = ("mae", "l1")
"""Measures that papers report and we do not compute."""
_MISSING = ("", "-", "–", "—", "n/a", "nan", "inf")
"""Cells that say there is no figure; the PSNR of a perfect copy has none either."""
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d{1,2})?", re.ASCII | re.IGNORECASE)
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
        """Where it stands, in words."""
        return ", ".join(part for part in (self.table, self.subset, self.method) if part)


@dataclass(frozen=True)
class Spread:
    """What PSNR and MSE of a row say of each other: the PSNR of the mean MSE, the gap to it, and the spread it implies.

    `least_db` and `most_db` bound the spread by the rounding of both figures; NaN where the gap is negative.
    """

    row: Reported
    metric: str
    psnr_db: float
    of_mean_mse_db: float
    gap_db: float
    spread_db: float
    least_db: float
    most_db: float


@dataclass(frozen=True)
class Finding:
    """One thing that cannot be, or is hard to believe."""

    rule: str
    place: str
    what: str


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

    It has a column `method` and one a metric, as `metrics` begin; or it is long, and has columns `measure` and `value`
    in their place. Where they are, `table` (else all is of `name`) and `subset` (or `stratum`) say what a row belongs
    to, and `model` which model it is of, where tables call it differently. Other columns are passed by.
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


def spreads(rows: Sequence[Reported], *, peak: float = 255.0) -> list[Spread]:
    """Return what each pair of PSNR and MSE implies; `peak` is the value of white that the MSE is measured by."""
    found = []
    for row in rows:
        for metric, cell in row.cells.items():
            mse_cell = row.cells.get(_beside(metric))
            if not metric.lower().startswith("psnr") or mse_cell is None or float(mse_cell) <= 0:
                continue
            psnr, mse = float(cell), float(mse_cell)
            base = _psnr(mse, peak)
            slack = _half_unit(cell) + base - _psnr(mse + _half_unit(mse_cell), peak)
            gap = psnr - base
            low, middle, high = (_spread_db(gap + shift) for shift in (-slack, 0.0, slack))
            least = 0.0 if math.isnan(low) and not math.isnan(high) else low
            found.append(Spread(row, metric, psnr, base, gap, middle, least, high))
    return found


def findings(rows: Sequence[Reported], *, peak: float = 255.0) -> list[Finding]:
    """Return everything in a table that cannot be, or is hard to believe."""
    return [*_out_of_range(rows, peak), *_unlikely(spreads(rows, peak=peak)), *_repeated(rows), *_contradictions(rows)]


def _out_of_range(rows: Iterable[Reported], peak: float) -> list[Finding]:
    """Find figures that no picture gives: below zero, an MSE above that of black for white, an SSIM beyond 1."""
    never_negative = (*(one.name for one in MEASURES.values() if one.never_negative), *OTHERS)
    result = []
    for row in rows:
        for metric, cell in row.cells.items():
            name, value = metric.lower(), float(cell)
            if (
                (value < 0 and name.startswith(never_negative))
                or (value > peak**2 and name.startswith("mse"))
                or (abs(value) > 1 and name.startswith("ssim"))
            ):
                result.append(Finding("impossible", row.place, f"a {metric} of {cell}"))
    return result


def _unlikely(found: Iterable[Spread]) -> list[Finding]:
    result = []
    for spread in found:
        figures = f"{spread.metric} {spread.psnr_db:.3f}, and {spread.of_mean_mse_db:.3f} of its mean MSE"
        if math.isnan(spread.most_db):
            why = "a mean PSNR is never below the PSNR of the mean MSE of the same pictures"
            result.append(Finding("impossible", spread.row.place, f"{figures}: {why}"))
        elif spread.most_db < LEAST_SPREAD_DB:
            why = f"its pictures would differ by {spread.spread_db:.2f} dB only"
            result.append(Finding("spread-too-small", spread.row.place, f"{figures}: {why}"))
        elif spread.least_db > MOST_SPREAD_DB:
            why = f"its pictures would have to differ by {spread.spread_db:.1f} dB"
            result.append(Finding("spread-too-large", spread.row.place, f"{figures}: {why}"))
    return result


def _repeated(rows: Sequence[Reported]) -> list[Finding]:
    """Find figures that two models share to the last digit, once a pair of models."""
    result, told = [], set()
    for first, second in itertools.combinations(rows, 2):
        models = (first.subset, *sorted((first.model, second.model)))
        if first.model == second.model or first.subset != second.subset or models in told:
            continue
        shared = [
            f"{metric} {cell}"
            for metric, cell in first.cells.items()
            if second.cells.get(metric) == cell and _digits(cell) >= TELLING_DIGITS
        ]
        if shared:
            told.add(models)
            result.append(Finding("repeated", second.place, f"the same {', '.join(shared)} as {first.place}"))
    return result


def _contradictions(rows: Sequence[Reported]) -> list[Finding]:
    """Find models that have other figures in another row."""
    result = []
    for first, second in itertools.combinations(rows, 2):
        if (first.model, first.subset) != (second.model, second.subset):
            continue
        other = [
            f"{metric} {second.cells[metric]} for {cell}"
            for metric, cell in first.cells.items()
            if metric in second.cells and not _may_agree(cell, second.cells[metric])
        ]
        if other:
            result.append(Finding("contradiction", second.place, f"{', '.join(other)} in {first.place}: one model"))
    return result


def metrics() -> tuple[str, ...]:
    """Return how columns of metrics begin."""
    return (*MEASURES, *OTHERS)


def _is_metric(column: str) -> bool:
    name = column.lower()
    return name.startswith(metrics()) and not name.endswith(_NO_METRIC)


def _beside(metric: str) -> str:
    """Return the column of MSE that belongs to one of PSNR, in the same capitals."""
    return ("MSE" if metric.startswith("PSNR") else "mse") + metric[len("psnr") :]


def _psnr(mse: float, peak: float) -> float:
    return 10 * math.log10(peak**2 / mse)


def _spread_db(gap_db: float) -> float:
    return math.sqrt(20 * gap_db / math.log(10)) if gap_db >= 0 else math.nan


def _half_unit(cell: str) -> float:
    """Return half of the last digit's worth of a number as it is written."""
    mantissa, _, exponent = cell.lower().partition("e")
    decimals = len(mantissa.partition(".")[2])
    return 0.5 * 10.0 ** (int(exponent or 0) - decimals)


def _digits(cell: str) -> int:
    """Return the significant digits of a number as it is written."""
    return len(cell.lower().partition("e")[0].lstrip("+-").replace(".", "").lstrip("0"))


def _may_agree(first: str, second: str) -> bool:
    """Tell whether two cells may be one number, rounded differently."""
    return abs(float(first) - float(second)) <= (_half_unit(first) + _half_unit(second)) * (1 + 1e-9)
