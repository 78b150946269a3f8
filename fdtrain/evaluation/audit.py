"""Checks whether reported numbers can be true: mean PSNR against mean MSE of the same pictures, and copied values.

PSNR is convex in MSE, so the mean PSNR of pictures is never below the PSNR of their mean MSE (Jensen). How far it lies
above shows how much pictures differ: with PSNRs of pictures spread normally by s dB, mean MSE exceeds the MSE of the
mean PSNR by exp((s ln 10 / 10)² / 2), so the gap is s² ln 10 / 20 dB. Where it is next to nothing, the PSNR is most
likely that of the mean MSE, which many papers report: a note, and no problem.

An RMSE is the root of a mean MSE, or a mean of roots: it is read as whichever of the two fits. L2 is the MSE, as papers
on inpainting have it in per cent of a white of 1; where that does not fit, it is read as an RMSE.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from fdtrain.evaluation.reported.table import (
    OTHERS,
    Reported,
    digits_of,
    half_unit,
    is_per_cent,
    name_of,
    value_of,
)
from fdtrain.metrics.registry import MEASURES

LEAST_SPREAD_DB, MOST_SPREAD_DB = 1.0, 6.0
"""Spread of pictures' PSNR that is believed. Methods of every kind that this package measures lie between 2.3 and 4 dB;
under 1 dB all pictures would be equally hard, over 6 dB one in six would have a fourth of the mean's error, or less."""
TELLING_DIGITS = 4
"""Significant digits from which two methods hardly share a figure by chance."""
WHITES = (255.0, 1.0, 2.0)
"""Whites that papers measure by: of 8 bits, of [0, 1], and of [-1, 1]."""
NOTES = ("psnr-of-mean-mse", "another-white")
"""Rules that report how figures were computed, and find no problem."""


@dataclass(frozen=True)
class Spread:
    """What a PSNR and an error of a row say of each other: the PSNR of the mean error, the gap, the spread it implies.

    `beside` is the column of the error. `least_db` and `most_db` bound the spread by the rounding of both figures; NaN
    where the gap is negative.
    """

    row: Reported
    metric: str
    beside: str
    psnr_db: float
    of_mean_mse_db: float
    gap_db: float
    spread_db: float
    least_db: float
    most_db: float

    @property
    def believable(self) -> bool:
        """Whether the two fit, and pictures differ neither too little nor too much."""
        return self.most_db >= LEAST_SPREAD_DB and self.least_db <= MOST_SPREAD_DB

    @property
    def possible(self) -> bool:
        """Whether the two can be of the same pictures at all."""
        return not math.isnan(self.most_db)


@dataclass(frozen=True)
class Finding:
    """One thing that cannot be, or is hard to believe; or, where `is_note`, how a figure was computed."""

    rule: str
    place: str
    what: str

    @property
    def is_note(self) -> bool:
        """Whether it is no problem."""
        return self.rule in NOTES


def spreads(rows: Sequence[Reported], *, peak: float = 255.0) -> list[Spread]:
    """Return what each pair of PSNR and MSE, RMSE or L2 implies; `peak` is the value of white that errors are of."""
    return [
        next((one for one in readings if one.believable), next((one for one in readings if one.possible), readings[0]))
        for row in rows
        for readings in _pairs(row, peak)
    ]


def _pairs(row: Reported, peak: float) -> Iterator[list[Spread]]:
    """Yield, for each PSNR with an error next to it, what the pair implies by each reading of the error."""
    errors = {name_of(column): column for column in row.cells}
    for metric in row.cells:
        name = name_of(metric)
        if not name.startswith("psnr"):
            continue
        for kind, roots in (("mse", (False,)), ("l2", (False, True)), ("rmse", (True,))):
            column = errors.get(kind + name.removeprefix("psnr"))
            if column is not None and value_of(row.cells[column]) > 0:
                readings = [_spread(row, metric, column, peak, root, 1.0) for root in roots]
                readings += [_spread(row, metric, column, peak, root, 2.0) for root in roots if root]
                yield readings
                break


def _spread(row: Reported, metric: str, column: str, peak: float, root: bool, factor: float) -> Spread:
    cell, error_cell = row.cells[metric], row.cells[column]
    unit = (peak if root else peak**2) / 100 if is_per_cent(column, error_cell) else 1.0

    def psnr_of(error: float) -> float:
        mse = (error * unit) ** 2 if root else error * unit
        return 10 * math.log10(peak**2 / mse)

    psnr, error = value_of(cell), value_of(error_cell)
    base = psnr_of(error)
    slack = half_unit(cell) + base - psnr_of(error + half_unit(error_cell))
    gap = psnr - base
    low, middle, high = (_spread_db((gap + shift) * factor) for shift in (-slack, 0.0, slack))
    least = 0.0 if math.isnan(low) and not math.isnan(high) else low
    return Spread(row, metric, column, psnr, base, gap, middle, least, high)


def findings(rows: Sequence[Reported], *, peak: float = 255.0) -> list[Finding]:
    """Return everything in a table that cannot be, or is hard to believe, and notes on how figures were computed."""
    found = spreads(rows, peak=peak)
    return [*_out_of_range(rows, peak), *_unlikely(found, peak), *_repeated(rows), *_contradictions(rows)]


def _out_of_range(rows: Iterable[Reported], peak: float) -> list[Finding]:
    """Find figures that no picture gives: below zero, an MSE above that of black for white, an SSIM beyond 1."""
    never_negative = (*(one.name for one in MEASURES.values() if one.never_negative), *OTHERS)
    most = {"mse": peak**2, "rmse": peak, "ssim": 1.0}
    result = []
    for row in rows:
        for metric, cell in row.cells.items():
            name, value = name_of(metric), value_of(cell)
            bound = next((bound for start, bound in most.items() if name.startswith(start)), math.inf)
            if is_per_cent(metric, cell):
                bound = 100.0 if bound < math.inf or name.startswith("l2") else math.inf
            too_high = abs(value) > bound if name.startswith("ssim") else value > bound
            if (value < 0 and name.startswith(never_negative)) or too_high:
                result.append(Finding("impossible", row.place, f"a {metric} of {cell}"))
    return result


def _unlikely(found: Sequence[Spread], peak: float) -> list[Finding]:
    result = []
    for spread in found:
        figures = f"{spread.metric} {spread.psnr_db:.3f}, and {spread.of_mean_mse_db:.3f} of its mean {spread.beside}"
        if not spread.possible or spread.least_db > MOST_SPREAD_DB:
            white = _other_white(spread, peak)
            if white is not None:
                what = f"{figures}: {spread.beside} is of a white of {white:g}; `--peak {white:g}` reads it so"
                result.append(Finding("another-white", spread.row.place, what))
            elif not spread.possible:
                why = "a mean PSNR is never below the PSNR of the mean MSE of the same pictures"
                result.append(Finding("impossible", spread.row.place, f"{figures}: {why}"))
            else:
                why = f"its pictures would have to differ by {spread.spread_db:.1f} dB"
                result.append(Finding("spread-too-large", spread.row.place, f"{figures}: {why}"))
        elif spread.most_db < LEAST_SPREAD_DB:
            others = [one for one in found if one.row.table == spread.row.table and one.most_db >= LEAST_SPREAD_DB]
            mixed = "; other rows of this table have a spread" if others else ""
            why = (
                "either it is the PSNR of the mean MSE, or of batches, as many papers report, or its pictures differ "
                f"by {spread.most_db:.2f} dB at most{mixed}"
            )
            result.append(Finding("psnr-of-mean-mse", spread.row.place, f"{figures}: {why}"))
    return result


def _other_white(spread: Spread, peak: float) -> float | None:
    """Return another white by which a pair would be believed, where figures in per cent need none; None without."""
    if is_per_cent(spread.beside, spread.row.cells[spread.beside]):
        return None
    for white in WHITES:
        readings = [one for pair in _pairs(spread.row, white) for one in pair if one.metric == spread.metric]
        if white != peak and any(one.possible and one.least_db <= MOST_SPREAD_DB for one in readings):
            return white
    return None


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
            if second.cells.get(metric) == cell and digits_of(cell) >= TELLING_DIGITS
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


def _spread_db(gap_db: float) -> float:
    return math.sqrt(20 * gap_db / math.log(10)) if gap_db >= 0 else math.nan


def _may_agree(first: str, second: str) -> bool:
    """Return whether two cells may be one number, rounded differently."""
    slack = (half_unit(first) + half_unit(second)) * (1 + 1e-9)
    return abs(value_of(first) - value_of(second)) <= slack
