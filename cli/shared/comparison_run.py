"""What compare and ablate do alike: settle the terms, work, and report the progress."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..shared.errors import Interrupted
from ..shared.output import Voice, aligned, counted, duration, emit, emit_json
from ..shared.progress import Stages
from ..shared.training_progress import asked_to_stop, show_step, warn_if_long
from .model_options import Function

if TYPE_CHECKING:
    from fdtrain.comparison.plan import Ask, Task
    from fdtrain.comparison.runner import Done
    from fdtrain.comparison.task import Moved
    from fdtrain.config.schema import FitConfig


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


def settled_terms(ask: Ask, presets: list[str], out: Path, voice: Voice) -> Ask:
    """Return the terms with what `auto` comes to for all rows, and say why.

    Raises `PerceptualError` where the perceptual network that was asked for has no weights here.
    """
    from fdtrain.comparison.resolve_auto import check_perceptual, resolve_auto
    from fdtrain.comparison.runner import ASK_FILE

    check_perceptual(ask, presets, out / ASK_FILE)  # half an hour later it would cost half an hour
    ask = resolve_auto(ask, presets, out / ASK_FILE)
    for sentence in ask.auto.why if ask.auto is not None else ():
        voice.say(f"note: {sentence}")
    return ask


def worked(
    tasks: list[Task], ask: Ask, out: Path, voice: Voice, on_folder: Callable[[Path], None] | None = None
) -> Done:
    """Do all tasks, reporting how far they are.

    Args:
        tasks: All rows and seeds.
        ask: The terms that all share.
        out: Folder of the comparison, made where it is missing.
        voice: Where progress is shown.
        on_folder: Called once the folder is known to be this comparison's; None for none.

    Raises `Interrupted` where they were stopped, and what `compare` raises.
    """
    from fdtrain.comparison.runner import Watch, compare
    from fdtrain.run_files import make_folder

    make_folder(out)
    with asked_to_stop() as asked, Stages(voice) as stages:
        watch = ComparisonProgress(stages, voice)
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
            f"in {out}; run the same command again to resume"
        )
    return done


class ComparisonProgress:
    """Reports how far a comparison is."""

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
    from fdtrain.training.cost import size_of

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
    warn_if_long(all_s, voice, "give a smaller budget, fewer --seeds, or use a GPU (--device)")
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
    emit(f"training takes about {duration(all_s)} on this machine, without the time to measure")


def _seconds_of(config: FitConfig, row: str, voice: Voice) -> float | None:
    """Return how long a row trains, by a step measured now; None, said why, where it would not begin."""
    from fdtrain.errors import PerceptualError
    from fdtrain.training.duration import forecast

    try:
        return forecast(config, config.training.images or 1).seconds
    except PerceptualError as error:
        voice.say(f"warning: {row} would not train: {error.message}; {error.hint}")
        return None
