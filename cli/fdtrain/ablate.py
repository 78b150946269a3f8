"""`fdtrain ablate`: the paper's Tables 2 and 3, axes of the architecture, and unseen occluders."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..shared.comparison_options import ask_of, budget_options, places_options, terms_options
from ..shared.comparison_run import settled_terms, tell_plan, worked
from ..shared.errors import FAILED
from ..shared.fdgen_options import json_option, quiet_option
from ..shared.output import Voice, emit, emit_json
from ..shared.progress import Stages

if TYPE_CHECKING:
    from fdtrain.comparison.ablation import Ablation
    from fdtrain.comparison.plan import Ask

AXES = ("ttur", "patch", "strides", "norm", "se", "dilation")
"""As the library has them: the help must not import it."""

SEEDS = 3
"""Of a table; an axis is trained once for each choice unless more is asked."""


@click.command("ablate")
@places_options
@click.option(
    "--table",
    type=click.Choice(["2", "3"]),
    help="Table of the paper. 2: one stage against two. 3: losses of the Base-Net.",
)
@click.option(
    "--axis", type=click.Choice(AXES), help="Or one setting that the paper fixes: train once for each choice."
)
@click.option("--unseen", metavar="KIND", help="Or an occluder type: train with it, and without it.")
@click.option(
    "--preset",
    default="faithful",
    show_default=True,
    metavar="NAME",
    help="Preset to change: faithful, modern, or any other.",
)
@budget_options
@click.option(
    "--seeds",
    type=click.IntRange(min=1),
    metavar="N",
    help=f"Number of trainings for each row.  [default: {SEEDS}; of an axis 1]",
)
@terms_options
@click.option("--dry-run", is_flag=True, help="Print the rows, their settings and times, and do nothing.")
@quiet_option
@json_option
def command(
    data: Path,
    out: Path,
    table: str | None,
    axis: str | None,
    unseen: str | None,
    preset: str,
    images: int | None,
    seconds: float | None,
    seeds: int | None,
    dry_run: bool,
    quiet: bool,
    as_json: bool,
    **terms: Any,
) -> None:
    """Train a preset with parts changed or left out, for an equal budget, and print the effect of each.

    One of --table, --axis and --unseen says what to change. All rows have the same seeds and test pictures: differences
    are paired by both. Tables 2 and 3 report for each ordering in the paper whether it holds here. Text, CSV, JSON,
    Markdown and LaTeX are written to DIR. Running the same command again resumes what is not finished.
    """
    context = click.get_current_context()
    if sum(one is not None for one in (table, axis, unseen)) != 1:
        raise click.UsageError("name what to change: one of --table, --axis and --unseen", context)
    if (images is None) == (seconds is None):
        raise click.UsageError("name one budget: --images N or --seconds S", context)
    voice = Voice(quiet)
    with Stages(voice) as stages:
        stages.wait("starting torch")
        from fdtrain.comparison.ablation import record
        from fdtrain.comparison.ablation_tables import Findings
        from fdtrain.comparison.plan import preset_of
        from fdtrain.comparison.runner import read_asked

        stages.wait("opening the data")
        ask = ask_of(data, images, seconds, **terms)
        stages.wait("measuring a step")
        ask = settled_terms(ask, [preset_of(preset, ask.size_px)], out, voice)
    ablation = _opened(table, axis, unseen, preset, ask)
    tasks = ablation.tasks(seeds or (1 if axis is not None else SEEDS))
    if dry_run:
        tell_plan(tasks, ask, as_json, voice)
        return
    done = worked(tasks, ask, out, voice, lambda folder: record(ablation, folder))
    found = Findings.over(ablation, tasks, done, ask, read_asked(out))
    found.write(out)
    if as_json:
        emit_json(found.json())
    else:
        emit(found.text().rstrip("\n"))
    voice.say(f"tables in {out}: table.txt, .csv, .json, .md, .tex")
    if done.failed:
        sys.exit(FAILED)


def _opened(table: str | None, axis: str | None, unseen: str | None, preset: str, ask: Ask) -> Ablation:
    from fdtrain.comparison.ablation import open_axis, open_table, open_unseen

    if table is not None:
        return open_table(int(table), preset, ask)
    return open_axis(axis, preset, ask) if axis is not None else open_unseen(unseen or "", preset, ask)
