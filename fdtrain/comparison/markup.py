"""The layout of tables: cells, and a grid of them as text, Markdown and LaTeX."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from fdtrain.comparison.statistics import Difference, Mean

NO_TEST = "one seed: no test"
"""In place of p: how far another training would be from this one is not known."""


def mean_cell(mean: Mean | None, digits: int) -> str:
    """Return a mean with its error, or a dash."""
    if mean is None or not math.isfinite(mean.value):
        return "-"
    text = f"{mean.value:.{digits}f}"
    return f"{text} ±{mean.error:.{digits}f}" if math.isfinite(mean.error) else text


def interval(one: Difference, digits: int) -> str:
    """Return a difference with its interval where it has one, or a dash."""
    if not math.isfinite(one.value):
        return "-"
    if not one.tested:
        return f"{one.value:+.{digits}f}"
    return f"{one.value:+.{digits}f} [{one.low:+.{digits}f}, {one.high:+.{digits}f}]"


def p_value(p: float) -> str:
    """Return p, to three digits."""
    return "-" if not math.isfinite(p) else "<0.001" if p < 0.001 else f"{p:.3f}"


def difference_cells(one: Difference | None, digits: int) -> list[str]:
    """Return the cells of a difference: it with its interval, and p, or why there is none."""
    if one is None or not math.isfinite(one.value):
        return ["-", "-"]
    return [interval(one, digits), p_value(one.p) if one.tested or one.pictures < 2 else NO_TEST]


def number(value: float | None, form: str, factor: float = 1.0) -> str:
    """Return a number times `factor`, or a dash where there is none."""
    return "-" if value is None else form.format(value * factor if factor != 1.0 else value)


def aligned(grid: Sequence[Sequence[str]]) -> list[str]:
    """Format a table for a terminal: names to the left, numbers to the right."""
    widths = [max(len(row[place]) for row in grid) for place in range(len(grid[0]))]
    return ["  " + "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]).rstrip() for row in grid]


def markdown_table(grid: Sequence[Sequence[str]]) -> str:
    """Return a table as Markdown."""
    lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in grid]
    return "\n".join([lines[0], "|---|" + "---:|" * (len(grid[0]) - 1), *lines[1:]])


_LATEX = {"%": r"\%", "&": r"\&", "_": r"\_", "#": r"\#", "±": r"$\pm$", "↑": r"$\uparrow$", "↓": r"$\downarrow$"}


def latex_table(grid: Sequence[Sequence[str]]) -> str:
    """Return a table as LaTeX, for `booktabs`."""

    def escaped(cell: str) -> str:
        signed = re.sub(r"(?<!\w)-(?=\d)", "$-$", cell.replace("<", "$<$"))
        return "".join(_LATEX.get(letter, letter) for letter in signed)

    lines = [" & ".join(map(escaped, row)) + r" \\" for row in grid]
    return "\n".join(
        [
            r"\begin{tabular}{l" + "r" * (len(grid[0]) - 1) + "}",
            r"\toprule",
            lines[0],
            r"\midrule",
            *lines[1:],
            r"\bottomrule",
            r"\end{tabular}",
            "",
        ]
    )
