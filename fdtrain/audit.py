"""Can reported numbers be true? What mean PSNR and mean MSE of the same pictures say of each other, and of copying.

PSNR is convex in MSE, so the mean PSNR of pictures is never below the PSNR of their mean MSE (Jensen). How far it lies
above tells how much pictures differ: with PSNRs of pictures spread normally by s dB, mean MSE exceeds the MSE of the
mean PSNR by exp((s ln 10 / 10)² / 2), so the gap is s² ln 10 / 20 dB.
"""

from __future__ import annotations

import csv
import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from fdtrain.errors import ConfigError

LEAST_SPREAD_DB, MOST_SPREAD_DB = 1.0, 6.0
"""Spread of pictures' PSNR that is believed. Methods of every kind that this package measures lie between 2.3 and 4 dB;
under 1 dB all pictures would be equally hard, over 6 dB one in six would have a fourth of the mean's error, or less."""
TELLING_DIGITS = 4
"""Significant digits from which two methods hardly share a figure by chance."""
METRICS = ("psnr", "ssim", "mse", "mae", "l1", "niqe", "brisque", "lpips", "stlpips", "fid", "kid", "identity")
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
    text = resources.files("fdtrain.reported").joinpath("fd-stackgan.csv").read_text(encoding="utf-8")
    return parse(text.splitlines(), "fd-stackgan.csv")


def read_table(path: Path) -> list[Reported]:
    """Read a CSV of reported numbers; raise `ConfigError` where it is none."""
    try:
        return parse(path.read_text(encoding="utf-8-sig").splitlines(), str(path))
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}", hint="name a CSV file") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is no text in UTF-8", hint="save the table as CSV") from error


def parse(lines: Iterable[str], name: str) -> list[Reported]:
    """Read rows of a CSV with a column `method` and one a metric, as `METRICS` begin.

    Where they are, `table` and `subset` (or `stratum`) say what a row belongs to, and `model` which model it is of,
    where tables call it differently. Other columns, empty cells and cells that are no finite number are passed by.
    """
    reader = csv.DictReader(lines, strict=True)
    try:
        records = [{(key or "").strip(): value for key, value in record.items()} for record in reader]
    except csv.Error as error:
        raise ConfigError(f"{name} is no CSV: {error}", hint="save the table as CSV") from error
    columns = [column.strip() for column in reader.fieldnames or ()]
    metrics = [column for column in columns if _is_metric(column)]
    if "method" not in columns or not metrics:
        raise ConfigError(
            f"{name} has no table of methods: its first line needs a column `method` and one such as PSNR or MSE",
            hint="`fdtrain audit --help` tells what a table holds",
        )
    rows = []
    for record in records:
        text = {column: (record.get(column) or "").strip() for column in columns}
        cells = {metric: text[metric] for metric in metrics if _number(text[metric]) is not None}
        subset = text.get("subset") or text.get("stratum") or ""
        rows.append(Reported(text.get("table", ""), subset, text["method"], text.get("model") or text["method"], cells))
    return rows


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
    return [*_unlikely(spreads(rows, peak=peak)), *_repeated(rows), *_contradictions(rows)]


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
    """Find models that have other figures in another table."""
    result = []
    for first, second in itertools.combinations(rows, 2):
        if (first.model, first.subset) != (second.model, second.subset) or first.table == second.table:
            continue
        other = [
            f"{metric} {second.cells[metric]} for {cell}"
            for metric, cell in first.cells.items()
            if metric in second.cells and not _may_agree(cell, second.cells[metric])
        ]
        if other:
            result.append(Finding("contradiction", second.place, f"{', '.join(other)} in {first.place}: one model"))
    return result


def _is_metric(column: str) -> bool:
    name = column.lower()
    return name.startswith(METRICS) and not name.endswith(_NO_METRIC)


def _number(cell: str) -> float | None:
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


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
