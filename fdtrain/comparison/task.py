"""One row of a comparison and one seed: trained if necessary, measured on the test split, its result written last.

rows/NAME/seed-0/run/          the training run, as `fdtrain fit` has it
cpu.jsonl      CPU seconds of training, a line a stretch; lines after a kill add to it
images.csv     every number of every picture
result.json    what the table needs besides; without it the row is not done
rows/NAME/budget.json          images for the budget of seconds, by a measured rate
"""

from __future__ import annotations

import json
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from fdgen.errors import FdError
from fdgen.io.json_file import read_lines, read_object
from fdgen.runtime.scratch import Scratch
from fdtrain.comparison.plan import NEVER, Ask, Task, config_of
from fdtrain.config.schema import FitConfig
from fdtrain.data.triplets import TripletDataset
from fdtrain.errors import RunError
from fdtrain.evaluation.evaluator import evaluate
from fdtrain.evaluation.references import convergence_notes, open_references, reference_notes
from fdtrain.evaluation.summary import people_note
from fdtrain.inference.finish import finish_of_faces, finished
from fdtrain.inference.method import Method
from fdtrain.inference.model_label import ModelLabel, toy_note
from fdtrain.inference.torch_method import ModelMethod
from fdtrain.methods import Finish
from fdtrain.metrics.suite import open_suite
from fdtrain.run_files import append_text, is_locked, make_folder, write_text
from fdtrain.runtime.device import open_device
from fdtrain.training.checkpoint import load_model, read_facts
from fdtrain.training.cost import size_of
from fdtrain.training.loop import fit
from fdtrain.training.stats import Progress, Step
from fdtrain.training.weight_files import find_weights, weights_sha256

RUN, CPU_FILE, IMAGES_FILE, RESULT_FILE, BUDGET_FILE = "run", "cpu.jsonl", "images.csv", "result.json", "budget.json"

TRIAL_STEPS, WARM_UP_STEPS = 16, 3
"""Steps by which the rate of a method is measured, with all its phases in small, after some that allocate memory."""

TIMED = 9
"""Pictures whose restoration is timed, one at a time."""

FACES = ("mean-face", "eigenfaces")
"""References that complete a face and close the edge of the hole by the membrane."""

LOCK_WAIT_S = 120.0
"""A process whose comparison was killed notices within a step, saves and goes; so long the next one waits for it."""


@dataclass(frozen=True)
class Moved:
    """How far a part of a task is, in units by their name; what has none is only waited for.

    `per_s` and `left_s` are those of a training's last steps, 0 where only the clock can show them.
    """

    part: str
    unit: str = ""
    done: int = 0
    total: int | None = None
    per_s: float = 0.0
    left_s: float = 0.0


def work(task: Task, ask: Ask, out: str, stop_file: str, on_moved: Callable[[Moved], None]) -> None:
    """Do a task, or go on with it, in the folder `out`; return without a result where it was asked to stop.

    Args:
        task: The row and seed.
        ask: The terms that all share.
        out: Folder of the comparison.
        stop_file: File that asks for a stop by being there; so does the parent process by being gone.
        on_moved: Called with how far the task is.

    Raises `FdError`.
    """
    torch.set_num_threads(ask.threads)
    parent, folder = os.getppid(), task.place(Path(out))

    def stop() -> bool:
        return os.getppid() != parent or Path(stop_file).exists()

    what = Path(task.what).name if task.kind == "weights" else task.what  # no path is written down
    facts: dict[str, Any] = {"kind": task.kind, "what": what, "seed": task.seed, "notes": []}
    if task.overrides:
        facts["overrides"] = list(task.overrides)
    if task.kind == "trained":
        trained = _trained(task, ask, Path(out), stop, on_moved)
        if trained is None:
            return
        facts |= trained
    on_moved(Moved("opening"))
    method = open_method(task, ask, folder / RUN)
    if task.kind == "reference":
        facts["notes"] = reference_notes([method])
    else:
        path = weights_of(task, folder / RUN)
        facts["parameters"], facts["gmacs"] = size_of(FitConfig.from_dict(read_facts(path)["config"]))
        facts["weights_sha256"] = weights_sha256(path)
        if task.kind == "trained":
            facts["notes"] = [_chosen(path)]
            facts["treated"] = _treated(path)
        if task.kind == "weights":
            facts |= _as_given(task.name, path, TripletDataset(ask.data, "test", size_px=ask.size_px).content_id)
    method.names = (task.name,)

    dataset = TripletDataset(ask.data, "test", size_px=ask.size_px, limit=ask.limit)
    suite = open_suite(ask.size_px, ask.measures)
    on_moved(Moved("measuring", "pictures", 0, len(dataset)))
    frame = evaluate(
        [method], dataset, suite=suite, on_image=lambda done, of: on_moved(Moved("measuring", "pictures", done, of))
    )
    facts["cpu_s_a_picture"] = _cpu_s_a_picture(method, dataset)
    facts["notes"] += [*convergence_notes([method]), *people_note(dataset.table)]
    facts["finish"] = _finish_of(task, ask)
    facts |= {"protocols": dict(suite.protocols), "not_computed": dict(suite.not_computed)}
    write_text(folder / IMAGES_FILE, frame.to_csv(index=False, float_format="%.6g", lineterminator="\n"))
    write_text(folder / RESULT_FILE, json.dumps(facts, indent=2, allow_nan=False) + "\n")


def open_method(task: Task, ask: Ask, run_dir: Path) -> Method:
    """Return what restores pictures for a task; raise `FdError` where its weights are of another size."""
    if task.kind == "reference":
        train = TripletDataset(ask.data, "train", size_px=ask.size_px)
        method = open_references([task.what], lambda: train)[0]
        return finished(method, finish_of_faces(_finish_of(task, ask)))
    path = weights_of(task, run_dir)
    size_px = FitConfig.from_dict(read_facts(path)["config"]).data.size_px
    if size_px != ask.size_px:
        raise FdError(
            f"{path} is of {size_px} px, the comparison of {ask.size_px}", hint="compare each size by itself: --size"
        )
    opened = ModelMethod(load_model(path), name=task.name, stages=False, device=open_device(ask.device))
    return finished(opened, ask.finish)


def _finish_of(task: Task, ask: Ask) -> Finish:
    """Return how a row's pictures are finished: faces that are no network's have the membrane by themselves."""
    if task.kind != "reference":
        return ask.finish
    if task.what not in FACES:
        return "none"
    return "mirror+membrane" if finish_of_faces(ask.finish) == "mirror" else "membrane"


def weights_of(task: Task, run_dir: Path) -> Path:
    """Return the file of weights of a task that has any: of a training, those that its run's folder means.

    A training that was measured already keeps the file that it was measured with: comparisons of before
    `training.best_by` took the last.
    """
    if task.kind == "weights":
        return find_weights(task.what)
    result = run_dir.parent / RESULT_FILE
    if result.exists():
        facts = read_object(result, error=RunError, hint="delete it: the row is measured again")
        for path in sorted((run_dir / "weights").glob("*.safetensors")):
            if weights_sha256(path) == facts.get("weights_sha256"):
                return path
    return find_weights(run_dir)


def images_for(task: Task, ask: Ask, out: Path, on_moved: Callable[[Moved], None] = lambda moved: None) -> int:
    """Return the images that a task trains on; a budget of seconds is turned into images once for all of its seeds."""
    if ask.images is not None:
        return ask.images
    path = task.place(out).parent / BUDGET_FILE
    if not path.exists():
        rate = _rate(task, ask, on_moved)
        batch = config_of(ask, task, 1).training.batch
        images = max(round(rate * (ask.seconds or 0) / batch), 1) * batch
        write_text(path, json.dumps({"images": images, "images_a_cpu_second": round(rate, 4)}, indent=2) + "\n")
    told = read_object(path, error=RunError, hint="delete it: it is measured again").get("images")
    if type(told) is not int or told < 1:
        raise RunError(f"{path} is damaged: it has no number of images", hint="delete it: it is measured again")
    return told


def _rate(task: Task, ask: Ask, on_moved: Callable[[Moved], None]) -> float:
    """Return the images that a CPU second trains on, of a run in small; raise `FdError` where it cannot train."""
    config = config_of(ask, task, 1)
    batch = config.training.batch
    config = config_of(ask, task, (TRIAL_STEPS + WARM_UP_STEPS) * batch)
    output = config.output.model_copy(
        update={"stats_images": batch, "checkpoint_images": NEVER, "validation_images": NEVER}
    )
    seen: list[tuple[int, float]] = []
    with Scratch("timing") as folder:
        fit(
            config.model_copy(update={"output": output}),
            folder,
            on_progress=lambda progress: seen.append((progress.images, time.process_time())),
            on_step=lambda step: on_moved(_of_step("timing", step)),
        )
    # The last line is reported after everything is saved and validated: the one before it ends the training.
    steps = dict(reversed(seen))
    first, last = WARM_UP_STEPS * batch, max(steps)
    return (last - first) / max(steps[last] - steps[first], 1e-9)


def _trained(
    task: Task, ask: Ask, out: Path, stop: Callable[[], bool], on_moved: Callable[[Moved], None]
) -> dict[str, Any] | None:
    """Train a task's run to its end, None where it was stopped before; return what the table reports of it."""
    folder = task.place(out)
    run_dir, cpu_file = folder / RUN, folder / CPU_FILE
    waited_s = 0.0
    while is_locked(run_dir) and waited_s < LOCK_WAIT_S:
        time.sleep(1.0)
        waited_s += 1.0
    images = images_for(task, ask, out, on_moved)
    config = config_of(ask, task, images)
    make_folder(folder)
    last_s = [time.process_time()]

    def count(progress: Progress | None) -> None:
        now_s = time.process_time()
        line = {"images": progress.images if progress else None, "cpu_s": round(now_s - last_s[0], 4)}
        append_text(cpu_file, json.dumps(line) + "\n")
        last_s[0] = now_s

    summary = fit(
        config,
        run_dir,
        on_progress=count,
        on_step=lambda step: on_moved(_of_step("training", step)),
        on_phase=lambda title: on_moved(Moved(title)),
        stop=stop,
    )
    count(None)
    if not summary.finished:
        return None
    validation = {} if summary.score is None else {summary.score_name: summary.score}
    return {"images": summary.images, "cpu_s": cpu_spent_s(cpu_file), "validation": validation}


def _of_step(part: str, step: Step) -> Moved:
    return Moved(part, "images", step.images, step.total, step.images_per_s, step.left_s)


def cpu_spent_s(path: Path) -> float:
    """Return the CPU seconds that a task's training has taken, work that a kill undid included."""
    hint = "delete the odd line"
    spent = [line.get("cpu_s") for line in read_lines(path, error=RunError, hint=hint)] if path.exists() else []
    if not all(isinstance(one, int | float) for one in spent):
        raise RunError(f"{path} is damaged: a line has no CPU seconds", hint=hint)
    return round(sum(float(one or 0) for one in spent), 3)


def _chosen(path: Path) -> str:
    """Say which weights of a training were measured."""
    if path.stem != "best":
        return "of each training the last weights were measured"
    by = read_facts(path).get("best_by", "val/hole_psnr_db")  # as all runs of before there was a choice
    return f"of each training the best weights by {by} on the validation split were measured (training.best_by)"


def _treated(path: Path) -> str:
    """Say how the training pictures of a method were varied, so that rows which differ in it are seen to."""
    data = FitConfig.from_dict(read_facts(path)["config"]).data
    exchanged = f"exchange occluders {data.mix:.0%} of the time" if data.mix else "keep their occluders"
    mirrored = "are not mirrored" if data.augment == "none" else "are mirrored"
    return f"training faces {mirrored} and {exchanged}"


def _as_given(name: str, path: Path, content_id: str) -> dict[str, Any]:
    """Return what a reader must know of weights that were not trained here."""
    held = read_facts(path)
    images, trained_on = held.get("images"), str(held.get("content_id", ""))
    length = f", trained on {images:,} images" if images else ""
    notes = [f"the weights of {name} were given{length}: the budget is not theirs"]
    if toy := toy_note([ModelLabel.of_facts(path, held)]):
        notes.append(toy)
    if trained_on and trained_on != content_id:
        notes.append(
            f"{name} was trained on another dataset ({trained_on[:12]}), whose train split may hold these faces"
        )
    return {"images": images, "notes": notes}


def _cpu_s_a_picture(method: Method, dataset: TripletDataset) -> float:
    """Return the median CPU seconds that one restoration takes, by itself; the first one does not count."""
    seconds = []
    for index in range(min(TIMED + 1, len(dataset))):
        pictures = dataset.pictures(index)
        started_s = time.process_time()
        method.restore([(pictures.occluded_HWC, pictures.mask_HW)])
        seconds.append(time.process_time() - started_s)
    return statistics.median(seconds[1:] or seconds)
