"""`fdtrain compare`: the paper's Table 1 on your own data."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fdtrain.methods import LEARNED, REFERENCES

from ..shared.comparison_options import ask_of, budget_options, places_options, terms_options
from ..shared.comparison_run import settled_terms, tell_plan, weights_option, worked
from ..shared.errors import FAILED
from ..shared.fdgen_options import json_option, quiet_option
from ..shared.output import Voice, aligned, counted, emit, emit_json
from ..shared.path_types import LocalPath
from ..shared.progress import Stages

if TYPE_CHECKING:
    pass


def _methods(ctx: click.Context, parameter: click.Parameter, text: str) -> tuple[str, ...]:
    if text in ("all", "none"):
        return (*REFERENCES, *LEARNED) if text == "all" else ()
    return tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))


@click.command("compare")
@places_options
@click.option(
    "--methods",
    callback=_methods,
    default="all",
    show_default=True,
    metavar="NAME,...",
    help=f"Rows: all, none, or some of {', '.join((*REFERENCES, *LEARNED))}, and any preset.",
)
@weights_option("Add a row of existing weights.")
@budget_options
@click.option(
    "--seeds",
    type=click.IntRange(min=1),
    default=3,
    show_default=True,
    metavar="N",
    help="Number of trainings for each row.",
)
@click.option("--against", metavar="NAME", help="Row against which the others are tested.  [default: modern]")
@terms_options
@click.option("--real", type=LocalPath(), metavar="DIR", help="Restore these photographs by all methods too.")
@click.option("--dry-run", is_flag=True, help="Print the rows, their settings and times, and do nothing.")
@quiet_option
@json_option
def command(
    data: Path,
    out: Path,
    methods: tuple[str, ...],
    weights: dict[str, Path],
    images: int | None,
    seconds: float | None,
    seeds: int,
    against: str | None,
    real: Path | None,
    dry_run: bool,
    quiet: bool,
    as_json: bool,
    **terms: Any,
) -> None:
    """Train methods on DATASET for an equal budget, measure all on its test split, and print the paper's Table 1.

    The table has means with standard errors, paired tests, seconds per picture, parameters and GMACs. It is written to
    DIR as text, CSV, JSON, Markdown and LaTeX. Running the same command again resumes what is not finished. A row that
    fails is reported with its reason; the other rows are kept. With --real, every method restores occluded photographs
    (NAME.jpg next to NAME.mask.png) into DIR/real, with a sheet of all.
    """
    context = click.get_current_context()
    if images is not None and seconds is not None:
        raise click.UsageError("--images and --seconds are two budgets: name one", context)
    trains = any(name not in REFERENCES for name in methods)
    if trains and images is None and seconds is None:
        raise click.UsageError("a budget is missing: --images N or --seconds S", context)
    if not methods and not weights:
        raise click.UsageError("there is nothing to compare: name --methods or --weights", context)
    voice = Voice(quiet)
    with Stages(voice) as stages:
        stages.wait("starting torch")
        from fdtrain.comparison.plan import make_tasks
        from fdtrain.comparison.real_photographs import read_photographs, restore_photographs
        from fdtrain.comparison.runner import read_asked
        from fdtrain.comparison.tables import Tables

        stages.wait("opening the data")
        ask = ask_of(data, images, seconds, **terms)
    resolved = {name: path.resolve() for name, path in weights.items()}
    tasks = make_tasks(methods, resolved, seeds=seeds, size_px=ask.size_px)
    if against is not None and against not in {task.name for task in tasks}:
        raise click.UsageError(f"--against {against}: there is no such row", context)
    if real is not None:
        read_photographs(real)  # an hour later a wrong folder would cost an hour
    with Stages(voice) as stages:
        stages.wait("measuring a step")
        ask = settled_terms(ask, [task.what for task in tasks if task.kind == "trained"], out, voice)
    if dry_run:
        tell_plan(tasks, ask, as_json, voice)
        return
    done = worked(tasks, ask, out, voice)
    tables = Tables.of(tasks, done, ask, read_asked(out), against)
    tables.write(out)
    if as_json:
        emit_json(tables.json())
    else:
        emit(tables.text().rstrip("\n"))
    if real is not None:
        found = restore_photographs(
            real, tasks, done, ask, out, on_method=lambda name: voice.say(f"restoring photographs with {name} ...")
        )
        if not as_json:
            emit("")
            for line in aligned([("photographs", *found.grid[0][1:]), *map(tuple, found.grid[1:])]):
                emit(line)
        for measure, reason in found.not_computed.items():
            voice.say(f"{measure}: not computed, because {reason}")
        for name, reason in found.skipped.items():
            voice.say(f"note: {name} is left out: {reason}")
        voice.say(f"{counted(found.n, 'photograph')} restored by all methods in {out / 'real'}; see sheet.png there")
    voice.say(f"tables in {out}: table.txt, .csv, .json, .md, .tex")
    if done.failed:
        sys.exit(FAILED)
