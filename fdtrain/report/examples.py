"""The pictures that a report shows: those restored worst, in the middle, and best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fdtrain.report.measurements import Grid, Measured, shown


@dataclass(frozen=True)
class Case:
    """One test picture: its scores by method, in the measure that it is ranked by, are means over seeds."""

    key: str
    kind: str
    coverage: float
    scores: Mapping[str, float]


def cases_of(measured: Measured, n: int) -> dict[str, list[Case]]:
    """Return n median, n worst and n best pictures of the method in focus; none where it was not measured.

    They are ranked by PSNR inside the mask, or by IoU where occluders were looked for. A picture is in one group only;
    one that was restored exactly has no PSNR, and is in none.
    """
    if measured.focus is None or measured.ranked_by not in measured.values[measured.focus]:
        return {}
    by_picture = measured.values[measured.focus][measured.ranked_by].mean(0)
    known = np.flatnonzero(np.isfinite(by_picture))
    keys = measured.pictures.index
    order = sorted(known.tolist(), key=lambda place: (by_picture[place], keys[place]))
    n = min(n, len(order) // 3) or min(n, len(order))
    middle = (len(order) - n) // 2
    chosen = {"Median": order[middle : middle + n], "Worst": order[:n], "Best": order[::-1][:n]}
    seen: set[int] = set()
    found = {}
    for title, places in chosen.items():
        found[title] = [_case(measured, place) for place in places if place not in seen]
        seen |= set(places)
    return {title: cases for title, cases in found.items() if cases}


def case_grid(measured: Measured, groups: Mapping[str, Sequence[Case]]) -> Grid:
    """Return the numbers of these pictures: a head, then a row a picture, by the method in focus."""
    there = measured.values[measured.focus or ""]
    columns = [one for name, one in shown().items() if name in there]
    grid = [["picture", "among the", "kind", "coverage", *(column.head for column in columns)]]
    places = {key: place for place, key in enumerate(measured.pictures.index)}
    for title, cases in groups.items():
        for case in cases:
            numbers = [there[column.name].mean(0)[places[case.key]] for column in columns]
            cells = [f"{value:.{column.digits}f}" for column, value in zip(columns, numbers, strict=True)]
            grid.append([case.key, title.lower(), case.kind, f"{case.coverage:.0%}", *cells])
    return grid


def _case(measured: Measured, place: int) -> Case:
    row = measured.pictures.iloc[place]
    ranked_by = measured.ranked_by
    scores = {
        name: float(there[ranked_by].mean(0)[place]) for name, there in measured.values.items() if ranked_by in there
    }
    return Case(str(measured.pictures.index[place]), str(row["kind"]), float(row["coverage"]), scores)
