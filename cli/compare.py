"""`fdtrain compare`: the paper's Table 1 on one's own data."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from .evaluate import REFERENCES
from .fit import asked_to_stop, show_step
from .forecast import doubt
from .output import Voice, aligned, counted, duration, emit, emit_json
from .progress import Stages
from .reporting import FAILED, Interrupted
from .settings import json_option, quiet_option
from .terms import ask_of, budget_options, places_options, terms_options

if TYPE_CHECKING:
    from fdtrain.comparison.compare import Done
    from fdtrain.comparison.plan import Ask, Task
    from fdtrain.comparison.work import Moved
    from fdtrain.config import FitConfig

Function = TypeVar("Function", bound=Callable[..., Any])

LEARNED = ("faithful", "modern", "glcm", "gca", "edgeconnect", "context-encoder", "pix2pix", "din")
"""As the library has them: the help must not import it."""


def _methods(ctx: click.Context, parameter: click.Parameter, text: str) -> tuple[str, ...]:
    if text in ("all", "none"):
        return (*REFERENCES, *LEARNED) if text == "all" else ()
    return tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))


def _weights(ctx: click.Context, parameter: click.Parameter, texts: tuple[str, ...]) -> dict[str, Path]:
    found = {}
    for text in texts:
        name, equals, path = text.partition("=")
        if not equals or not name or not path:
            raise click.BadParameter(f"{text!r} is not of the form NAME=FILE", ctx, parameter)
        if name in found:
            raise click.BadParameter(f"two rows are both called {name!r}", ctx, parameter)
        found[name] = Path(path)
    return found


def weights_option(words: str) -> Callable[[Function], Function]:
    """Return the option `--weights`, which gives files by name."""
    return click.option("--weights", callback=_weights, multiple=True, metavar="NAME=FILE", help=words)


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
@weights_option("A row of weights that exist.")
@budget_options
@click.option("--seeds", type=click.IntRange(min=1), default=3, show_default=True, metavar="N", help="Trainings each.")
@click.option("--against", metavar="NAME", help="Row that the others are tested against.  [default: modern]")
@terms_options
@click.option("--real", type=click.Path(path_type=Path), metavar="DIR", help="Restore these photographs by all, too.")
@click.option("--dry-run", is_flag=True, help="Print the rows, what each trains with and how long, and do nothing.")
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

    Means with standard errors, paired tests, seconds a picture, parameters and GMACs; as text, CSV, JSON, Markdown and
    LaTeX in DIR. Running the same command again goes on with what is not finished, whatever interrupted it. A row that
    fails is told of with its reason and loses no other. With --real, occluded photographs (NAME.jpg beside
    NAME.mask.png) are restored by every method into DIR/real, with a sheet of all.
    """
    context = click.get_current_context()
    if images is not None and seconds is not None:
        raise click.UsageError("--images and --seconds are two budgets: give one", context)
    trains = any(name not in REFERENCES for name in methods)
    if trains and images is None and seconds is None:
        raise click.UsageError("a budget is missing: --images N or --seconds S", context)
    if not methods and not weights:
        raise click.UsageError("there is nothing to compare: name --methods or --weights", context)
    voice = Voice(quiet)
    with Stages(voice) as stages:
        stages.wait("starting torch")
        from fdtrain.comparison.compare import read_asked
        from fdtrain.comparison.photographs import read_photographs, restore_photographs
        from fdtrain.comparison.plan import make_tasks
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
            real, tasks, done, ask, out, on_method=lambda name: voice.say(f"photographs by {name} ...")
        )
        if not as_json:
            emit("")
            for line in aligned([("photographs", *found.grid[0][1:]), *map(tuple, found.grid[1:])]):
                emit(line)
        for measure, reason in found.not_computed.items():
            voice.say(f"{measure}: not computed, because {reason}")
        for name, reason in found.skipped.items():
            voice.say(f"note: {name} is left out: {reason}")
        voice.say(f"{counted(found.n, 'photograph')} restored by all in {out / 'real'}; see sheet.png there")
    voice.say(f"tables in {out}: table.txt, .csv, .json, .md, .tex")
    if done.failed:
        sys.exit(FAILED)


def settled_terms(ask: Ask, presets: list[str], out: Path, voice: Voice) -> Ask:
    """Return the terms with what `auto` comes to for all rows, and say why."""
    from fdtrain.comparison.auto import settled
    from fdtrain.comparison.compare import ASK_FILE

    ask = settled(ask, presets, out / ASK_FILE)
    for sentence in ask.auto.why if ask.auto is not None else ():
        voice.say(f"note: {sentence}")
    return ask


def worked(
    tasks: list[Task], ask: Ask, out: Path, voice: Voice, on_folder: Callable[[Path], None] | None = None
) -> Done:
    """Do all tasks, telling how far they are; raise `Interrupted` where they were stopped."""
    from fdtrain.atomic import make_folder
    from fdtrain.comparison.compare import Watch, compare

    make_folder(out)
    with asked_to_stop() as asked, Stages(voice) as stages:
        watch = Told(stages, voice)
        done = compare(
            tasks,
            ask,
            out,
            watch=Watch(watch.on_begin, watch.on_moved, watch.on_end),
            asked_to_stop=lambda: bool(asked),
            on_folder=on_folder,
        )
    if done.stopped:
        raise Interrupted(
            f"{len(done.results)} of {counted(len(tasks), 'training or row', 'trainings and rows')} are done and kept "
            f"in {out}; run the same command again to go on"
        )
    return done


class Told:
    """Tells how far a comparison is."""

    def __init__(self, stages: Stages, voice: Voice) -> None:
        self.stages, self.voice = stages, voice

    def on_begin(self, task: Task, n_done: int, n_tasks: int) -> None:
        self.stages.close()
        self.voice.say(f"[{n_done + 1}/{n_tasks}] {called(task)}")
        self.stages.wait("starting")

    def on_moved(self, task: Task, moved: Moved) -> None:
        if not moved.unit:
            self.stages.wait(moved.part)
            return
        meter = self.stages.stage(f"{moved.part} {called(task)}", moved.unit, moved.total)
        if moved.unit == "images":
            show_step(meter, moved.done, moved.per_s, moved.left_s)
        else:
            meter.update(moved.done)

    def on_end(self, task: Task, reason: str | None) -> None:
        self.stages.close()
        if reason is not None:
            self.voice.say(f"failed: {task.name}: {reason}")


def called(task: Task) -> str:
    """Return what a task is called: its row, and its seed where it trains."""
    return task.name if task.seed is None else f"{task.name} seed {task.seed}"


def tell_plan(tasks: list[Task], ask: Ask, as_json: bool, voice: Voice) -> None:
    """Write the rows to standard output: of those that train, what with, how large they are and how long they take.

    By a budget of images, a step of each is measured now; by one of seconds, the budget is the time.
    """
    from fdtrain.comparison.plan import config_of
    from fdtrain.cost import size_of

    rows, all_s = [], 0.0
    for name in dict.fromkeys(task.name for task in tasks):
        own = [task for task in tasks if task.name == name]
        row: dict[str, Any] = {"row": name, "kind": own[0].kind, "what": Path(own[0].what).name, "seeds": len(own)}
        if own[0].kind == "trained":
            config = config_of(ask, own[0], ask.images or 1)
            parameters, gmacs = size_of(config)
            row |= {"parameters": parameters, "gmacs": round(gmacs, 3), "batch": config.training.batch}
            took_s = ask.seconds if ask.images is None else _seconds_of(config, name, voice)
            row["seconds"] = None if took_s is None else round(took_s * len(own), 1)
            all_s += (took_s or 0.0) * len(own)
        rows.append(row)
    budget = {"images": ask.images} if ask.images is not None else {"cpu_seconds": ask.seconds}
    doubt(all_s, voice, "give a smaller budget, fewer --seeds, or use a GPU (--device)")
    if as_json:
        emit_json({"budget": budget, "seconds": round(all_s, 1), "rows": rows})
        return
    head = ("row", "kind", "preset or file", "trainings", "parameters M", "GMACs", "time of all")
    emit(f"budget of a training: {next(iter(budget.values())):,} {next(iter(budget)).replace('_', ' ')}")
    table = [
        (
            str(row["row"]),
            str(row["kind"]),
            str(row["what"]),
            str(row["seeds"] if row["kind"] == "trained" else "-"),
            f"{float(row['parameters']) / 1e6:.2f}" if "parameters" in row else "-",
            f"{float(row['gmacs']):.2f}" if "gmacs" in row else "-",
            duration(row["seconds"]) if row.get("seconds") is not None else "-",
        )
        for row in rows
    ]
    for line in aligned([head, *table]):
        emit(line)
    emit(f"training takes about {duration(all_s)} on this machine, measuring not counted")


def _seconds_of(config: FitConfig, row: str, voice: Voice) -> float | None:
    """Return how long a row trains, by a step measured now; None, said why, where it would not begin."""
    from fdtrain.errors import PerceptualError
    from fdtrain.training.duration import forecast

    try:
        return forecast(config, config.training.images or 1).seconds
    except PerceptualError as error:
        voice.say(f"warning: {row} would not train: {error.message}; {error.hint}")
        return None
