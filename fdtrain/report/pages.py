"""The report itself: the sources in the template, and its tables as Markdown and LaTeX."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import jinja2
from markupsafe import Markup, escape

from fdgen.contract.manifest import Manifest
from fdtrain.comparison.markup import latex_table, markdown_table
from fdtrain.comparison.tables import with_capital
from fdtrain.errors import RunError
from fdtrain.report import mask_gallery
from fdtrain.report.charts import Interval, Line, interval_chart, legend_sample, line_chart
from fdtrain.report.curves import Curves, Panel, curves_of
from fdtrain.report.examples import case_grid, cases_of
from fdtrain.report.gallery import Gallery, require_same_data, restored, sampled
from fdtrain.report.measurements import Grid, Measured, shown
from fdtrain.report.provenance import NOT_MEASURED, cost_grid, data_facts, environment_grid, settings_grids
from fdtrain.report.sources import Source

N_PICTURES = 4
"""Of each group: median, worst and best."""

NUMBER = re.compile(r"[+-]?\d[\d,]*\.?\d*")

HYPHEN = re.compile(r"(?<![\w.-])-(?=\d)")


@dataclass(frozen=True)
class Cell:
    """A cell of a table: a value, its error in smaller type, whether it is the best of its column."""

    value: str
    error: str = ""
    best: bool = False


@dataclass(frozen=True)
class Table:
    """A table for the page; `numbers`: which columns are set to the right."""

    title: str
    head: Sequence[str]
    rows: Sequence[tuple[str, Sequence[Cell]]]
    numbers: Sequence[bool]
    best: bool


@dataclass(frozen=True)
class Part:
    """What is reported of one source, in addition to what all share."""

    source: Source
    anchor: str
    tables: Sequence[Table]
    strata: Sequence[Table]
    charts: Sequence[Panel]
    cases: Table | None
    gallery: Gallery | None


def build_page(
    sources: Sequence[Source],
    *,
    title: str = "",
    data: str | Path | None = None,
    weights: Mapping[str, Path] | None = None,
    only: Sequence[str] = (),
    n_pictures: int = N_PICTURES,
    on_stage: Callable[[str], None] | None = None,
) -> str:
    """Return the page as HTML: the same sources give the same text.

    Args:
        sources: Runs, evaluations and comparisons, in their order.
        title: Title of the page; empty takes the names of the sources.
        data: The dataset of all sources, for restored pictures: a folder or URL. None leaves them out.
        weights: Files of the methods whose place nothing recorded, by name; None for none.
        only: Methods with pictures; empty shows all.
        n_pictures: Worst, median and best pictures, each.
        on_stage: Called with what is being done; None for none.

    Raises `RunError` where `data` is another dataset or no source has such a method, and what reading it raises.
    """
    there = list(dict.fromkeys(name for source in sources if source.measured for name in source.measured.values))
    if unknown := [name for name in only if name not in there]:
        raise RunError(f"nothing here is a method {unknown[0]!r}", hint=f"there are {', '.join(there) or 'none'}")
    manifest = Manifest.load(data) if data is not None else None
    known = {source.name: source.folder for source in sources if source.kind == "run"} | dict(weights or {})
    if manifest is not None:
        for source in sources:
            require_same_data(source, manifest)
    parts = []
    for number, source in enumerate(sources):
        if on_stage is not None and data is not None:
            on_stage(f"pictures of {source.name}")
        parts.append(_part(source, f"source-{number + 1}", sources, data, known, only, n_pictures, on_stage))
    trainings = [training for source in sources for training in source.trainings]
    measured = [source.measured for source in sources if source.measured is not None]
    return _template().render(
        title=title or ", ".join(source.name for source in sources),
        parts=parts,
        curves=curves_of(trainings) if trainings else Curves({}, []),
        facts=data_facts(sources, manifest),
        data_notes=[with_capital(str(note)) for note in manifest.dataset["notes"]] if manifest is not None else [],
        settings=[_table(name, grid) for name, grid in settings_grids(trainings).items()],
        environment=_table("Environment", environment_grid(trainings, measured)),
        cost=_table("Time and energy", cost_grid(trainings)) if trainings else None,
        with_pictures=data is not None,
        style=Markup(_asset("page.css")),  # noqa: S704 - a file of this package, not of a user
        script=Markup(_asset("page.js")),  # noqa: S704 - the same
    )


def grids_of(sources: Sequence[Source]) -> Iterator[tuple[str, Grid]]:
    """Yield every table of results by its title."""
    for source in sources:
        if source.measured is not None:
            for title, grid in {**source.measured.grids, **source.measured.strata}.items():
                yield (f"{source.name}: {title}" if len(sources) > 1 else title), grid
    trainings = [training for source in sources for training in source.trainings]
    if trainings:
        yield "Time and energy", cost_grid(trainings)


def markdown(sources: Sequence[Source]) -> str:
    """Return the tables and what a reader must know as Markdown."""
    parts = [f"**{title}**\n\n{markdown_table(grid)}" for title, grid in grids_of(sources)]
    return "\n\n".join([*parts, "\n".join(f"- {one}." for one in _sentences(sources))]).rstrip() + "\n"


def latex(sources: Sequence[Source]) -> str:
    """Return the tables as LaTeX for `booktabs`; titles and sentences are comments."""
    comments = "".join(f"% {one}.\n" for one in _sentences(sources))
    return comments + "\n".join(f"% {title}\n{latex_table(grid)}" for title, grid in grids_of(sources))


def _part(
    source: Source,
    anchor: str,
    sources: Sequence[Source],
    data: str | Path | None,
    weights: Mapping[str, Path],
    only: Sequence[str],
    n_pictures: int,
    on_stage: Callable[[str], None] | None,
) -> Part:
    measured = source.measured
    if measured is None:
        shown_elsewhere = any(source.name in one.measured.values for one in sources if one.measured is not None)
        gallery = None
        if data is not None and not shown_elsewhere:
            sample = mask_gallery.sampled if source.trainings[0].finds_occluders else sampled
            gallery = sample(source, 3 * n_pictures, data)
        return Part(source, anchor, [], [], [], None, gallery)
    groups = cases_of(measured, n_pictures)
    gallery = None
    if data is not None and groups and (not only or any(name in measured.values for name in only)):
        if measured.finds_occluders:
            gallery = mask_gallery.found(measured, groups, data, weights=weights, only=only)
        else:
            gallery = restored(source, groups, data, weights=weights, only=only, on_stage=on_stage)
    return Part(
        source=source,
        anchor=anchor,
        tables=[_table(title, grid) for title, grid in measured.grids.items()],
        strata=[_table(title, grid) for title, grid in measured.strata.items()],
        charts=[*_forests(measured), *_reliability(measured)],
        cases=_table(f"Median, worst and best by {measured.focus}", case_grid(measured, groups), ranked=False)
        if groups
        else None,
        gallery=gallery,
    )


def _forests(measured: Measured) -> list[Panel]:
    """Draw how the others differ from the method that they were tested against."""
    against = measured.against
    panels = []
    for measure, tests in measured.tests.items():
        rows = [Interval(name, one.value, one.low, one.high) for name, one in tests.items()]
        name = shown()[measure].title
        title = f"{name}: difference from {against}, 95 % interval"
        arrow = "better to the right" if shown()[measure].better == "↑" else "better to the left"
        if svg := interval_chart(title, rows, x_title=f"{name} minus {against}'s ({arrow})"):
            panels.append(Panel(title, svg))
    return panels


def _reliability(measured: Measured) -> list[Panel]:
    """Draw the true share of occluder against the predicted one; a calibrated network's line is the dotted one."""
    if not measured.calibration:
        return []
    title = "True share of occluder against its probability, by network"
    lines = [Line(name, place, points) for place, (name, points) in enumerate(measured.calibration.items())]
    lines.append(Line("as predicted", len(lines), [(0.0, 0.0), (1.0, 1.0)]))
    legend = [(line.name, legend_sample(line.style)) for line in lines]
    return [Panel(title, line_chart(title, lines, x_title="probability"), legend)]


def _sentences(sources: Sequence[Source]) -> list[str]:
    return [
        one
        for source in sources
        if source.measured is not None
        for one in (*source.measured.findings, *source.measured.notes)
    ]


def _table(title: str, grid: Grid, *, ranked: bool = True) -> Table:
    """Make a grid a table of the page, errors apart; where `ranked`, an arrow shows what is best in a column."""
    head, *lines = grid
    arrow = next((sign for sign in "↑↓" if sign in title), "")
    columns = [[line[place] for line in lines] for place in range(1, len(head))]
    best = [
        _best(cells, next((sign for sign in "↑↓" if sign in name), arrow)) if ranked and "p" not in head else set()
        for name, cells in zip(head[1:], columns, strict=True)
    ]
    rows = [(line[0], [_cell(text, text in good) for text, good in zip(line[1:], best, strict=True)]) for line in lines]
    numbers = [
        all(NUMBER.match(cell.lstrip("<")) or cell in ("-", NOT_MEASURED) for cell in cells) for cells in columns
    ]
    return Table(title, head, rows, numbers, any(best))


def _best(cells: Sequence[str], arrow: str) -> set[str]:
    """Return the cells of a column with the best value, as it is printed; none where nothing says what is better."""
    values = {cell: float(match[0].replace(",", "")) for cell in cells if (match := NUMBER.match(cell))}
    if not arrow or len(values) < 2:
        return set()
    good = (max if arrow == "↑" else min)(values.values())
    return {cell for cell, value in values.items() if value == good}


def _cell(text: str, best: bool) -> Cell:
    text = HYPHEN.sub("−", text)
    value, sign, error = text.partition(" ±")
    if sign:
        return Cell(value, f"±{error}", best)
    value, bracket, rest = text.partition(" [")
    return Cell(value, f"[{rest}" if bracket else "", best)


def _with_code(sentence: str) -> Markup:
    """Set what is between backticks as code."""
    parts = [escape(part) for part in sentence.split("`")]
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if place % 2 and place < len(parts) - 1 else part
        for place, part in enumerate(parts)
    )


def _asset(name: str) -> str:
    return resources.files("fdtrain.report").joinpath(name).read_text(encoding="utf-8")


def _template() -> jinja2.Template:
    """Open the template; any value in it is escaped, and what is missing is an error."""
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["code"] = _with_code
    return environment.from_string(_asset("page.html"))
