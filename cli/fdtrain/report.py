"""`fdtrain report`: write one self-contained page of runs, evaluations, comparisons and ablations."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from ..shared.comparison_run import weights_option
from ..shared.fdgen_options import DatasetType, quiet_option
from ..shared.fetched import fetched_dataset
from ..shared.output import Voice, counted
from ..shared.path_types import LocalPath

RECORDS = (".json", ".jsonl", ".safetensors", ".pt", ".csv", ".png")
"""What folders of results hold; no page and no table is called so."""


def _names(ctx: click.Context, parameter: click.Parameter, text: str | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name.strip() for name in (text or "").split(",") if name.strip()))


@click.command("report")
@click.argument("runs", metavar="RUN...", nargs=-1, required=True, type=LocalPath())
@click.option(
    "--out",
    type=LocalPath(dir_okay=False),
    metavar="FILE.html",
    help="File of the page.  [default: report.html]",
)
@click.option(
    "--data",
    type=DatasetType(),
    metavar="DATASET",
    help="Dataset whose test pictures are restored for the page; without it, the page has no pictures.",
)
@weights_option("Weights of a method of which no path is recorded: of an evaluation, or given to a comparison.")
@click.option(
    "--methods", callback=_names, metavar="NAME,...", help="Show pictures by these methods only.  [default: all]"
)
@click.option(
    "--pictures",
    type=click.IntRange(min=1, max=50),
    default=4,
    show_default=True,
    metavar="N",
    help="Number of worst, of median and of best pictures.",
)
@click.option("--title", default="", metavar="TEXT", help="Title of the page.  [default: the names of the folders]")
@click.option(
    "--markdown",
    "markdown_file",
    type=LocalPath(dir_okay=False),
    metavar="FILE",
    help="Write the tables to this Markdown file too.",
)
@click.option(
    "--latex",
    "latex_file",
    type=LocalPath(dir_okay=False),
    metavar="FILE",
    help="Write the tables to this LaTeX file too.",
)
@quiet_option
def command(
    runs: tuple[Path, ...],
    out: Path | None,
    data: str | Path | None,
    weights: dict[str, Path],
    methods: tuple[str, ...],
    pictures: int,
    title: str,
    markdown_file: Path | None,
    latex_file: Path | None,
    quiet: bool,
) -> None:
    """Make one HTML page of all RUNs: folders that `fit`, `eval --out`, `compare` and `ablate` wrote.

    The page has curves, tables with standard errors and paired differences, results by occluder type and coverage, the
    worst and the best pictures under a slider, settings, data, versions and time. It needs no other file and no
    network, and works on a phone, on paper, and without scripts. The same folders give the same bytes.
    """
    from fdtrain.report.pages import build_page, latex, markdown
    from fdtrain.report.sources import read_sources
    from fdtrain.run_files import write_text

    voice = Voice(quiet)
    data = fetched_dataset(data, voice)
    out = out or Path("report.html")
    refuse_overwriting((out, markdown_file, latex_file))
    sources = read_sources(runs)
    if markdown_file is not None:
        write_text(markdown_file, markdown(sources))
    if latex_file is not None:
        write_text(latex_file, latex(sources))
    page = build_page(
        sources,
        title=title,
        data=data,
        weights=weights,
        only=methods,
        n_pictures=pictures,
        on_stage=lambda text: voice.say(f"{text} ..."),
    )
    write_text(out, page)
    size = f"{len(page.encode()) / 1e6:.1f} MB"
    pictured = "with pictures" if data is not None else "without pictures: name the dataset with --data to have them"
    voice.say(f"{out}: {counted(len(sources), 'folder')}, {size}, {pictured}")


def refuse_overwriting(files: Sequence[Path | None]) -> None:
    """Raise `UsageError` where a page or table would take the place of something else, the record of a run say."""
    context = click.get_current_context(silent=True)
    for file in files:
        if file is not None and file.suffix.lower() in RECORDS:
            raise click.UsageError(f"{file} is the name of an input of the report: choose another name", context)
    named = [file.resolve() for file in files if file is not None]
    if len(set(named)) < len(named):
        raise click.UsageError(
            "--out, --markdown and --latex name the same file: name a different file for each", context
        )
