"""`fdtrain fit`: train, or resume a run that was stopped."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..shared.errors import Interrupted
from ..shared.fdgen_options import DatasetType, json_option, quiet_option
from ..shared.fdtrain_options import config_options, data_flags, on_the_fly_options, require_data, resolve_config
from ..shared.fetched import fetched_dataset
from ..shared.output import Voice, aligned, counted, duration, emit, emit_json
from ..shared.path_types import LocalPath
from ..shared.progress import Stages
from ..shared.training_progress import asked_to_stop, show_step, warn_if_long

if TYPE_CHECKING:
    from fdtrain.config.schema import FitConfig
    from fdtrain.training.run import RunSummary
    from fdtrain.training.stats import Progress, Step


@click.command("fit")
@click.option("--data", type=DatasetType(), metavar="DATASET", help="Folder that `fdgen build` wrote, or its URL.")
@on_the_fly_options
@click.option("--out", type=LocalPath(), required=True, metavar="RUN", help="Folder of the run.")
@config_options
@click.option("--dry-run", is_flag=True, help="Print every setting, the cost and the time, and train nothing.")
@quiet_option
@json_option
def command(
    data: str | Path | None,
    faces: str | None,
    recipe: str | None,
    out: Path,
    preset: str,
    file: Path | None,
    overrides: tuple[str, ...],
    seed: int | None,
    device: str | None,
    perceptual_weights: str | None,
    dry_run: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Train on DATASET in the folder RUN, or resume the run in it.

    With --faces no dataset is needed: each epoch puts another occluder on each photograph, as --recipe says.

    Running the same command again resumes from the last checkpoint; a run that was killed and resumed ends with the
    same weights as a run never stopped. Other settings or another dataset in the same folder are refused.
    """
    voice = Voice(quiet)
    data = fetched_dataset(data, voice)
    flags = {
        **data_flags(data, faces, recipe),
        "seed": seed,
        "machine.device": device,
        "loss.perceptual_weights": perceptual_weights,
    }
    config = resolve_config(preset, file, overrides, flags)
    require_data(config)
    if dry_run:
        tell_plan(config, out, as_json, voice)
        return
    with Stages(voice) as stages:
        stages.stage("starting torch", "")
        from fdtrain.training.loop import fit

        with asked_to_stop() as asked:
            watch = _Watch(stages, voice)
            summary = fit(
                config,
                out,
                on_progress=watch.on_progress,
                on_step=watch.on_step,
                on_phase=watch.on_phase,
                on_face=watch.on_face,
                on_note=watch.on_note,
                stop=lambda: bool(asked),
            )
    if as_json:
        emit_json(as_facts(summary))
    if not summary.finished:
        raise Interrupted(
            f"{summary.images:,} of {summary.total:,} images are done and kept in {out}; "
            "run the same command again to resume"
        )
    tell_summary(summary, voice)


class _Watch:
    """Shows how far training is."""

    def __init__(self, stages: Stages, voice: Voice) -> None:
        self.stages, self.voice = stages, voice

    def on_phase(self, title: str) -> None:
        self.stages.stage(title, "photographs" if title == "finding landmarks" else "")

    def on_face(self, done: int, of: int) -> None:
        self.stages.stage("finding landmarks", "photographs", of).update(done, of)

    def on_step(self, step: Step) -> None:
        meter = self.stages.stage("training", "images", step.total)
        show_step(meter, step.images, step.images_per_s, step.left_s)

    def on_progress(self, progress: Progress) -> None:
        self.stages.stage("training", "images", progress.total).line(line_of(progress))

    def on_note(self, sentence: str) -> None:
        self.voice.say(f"note: {sentence}")


def line_of(progress: Progress) -> str:
    """Return one line on how training goes: how far, how fast, how long, the losses of both stages or a validation."""
    values = progress.values
    head = f"{progress.images:,} of {progress.total:,} images"
    if "val/hole_psnr_db" in values:
        coarse = f" (stage I {values['val/coarse_hole_psnr_db']:.2f})" if "val/coarse_hole_psnr_db" in values else ""
        seen = f", perceptual {values['val/perceptual']:.4f}" if "val/perceptual" in values else ""
        return (
            f"{head}  validation: hole-only PSNR {values['val/hole_psnr_db']:.2f} dB{coarse}, "
            f"SSIM {values['val/ssim']:.4f}{seen}"
        )
    if "val/iou" in values:
        kind = f", kind right {values['val/kind']:.1%}" if "val/kind" in values else ""
        return f"{head}  validation: IoU {values['val/iou']:.4f}{kind}"
    # A baseline may have no such term, or no generator that learns just now.
    known = ("l1", "mse", "cross_entropy", "discriminator")
    name = next((name for name in known if any(key.endswith(f"/{name}") for key in values)), "")
    found = [f"{value:.4f}" for key, value in sorted(values.items()) if key in (f"stage1/{name}", f"stage2/{name}")]
    return (
        f"{head}  {progress.images_per_s:.1f} images/s, {duration(progress.left_s)} left, "
        f"loader {progress.loader_share:.0%}, {name} {' and '.join(found)}"
    )


def as_facts(summary: RunSummary) -> dict[str, Any]:
    """Return a summary as JSON holds it."""
    return {
        "run": str(summary.run_dir),
        "images": summary.images,
        "total_images": summary.total,
        "finished": summary.finished,
        "gave_up": summary.gave_up,
        "made_now": summary.made_now,
        "seconds": round(summary.seconds, 2),
        "images_per_second": round(summary.made_now / summary.seconds, 2) if summary.made_now else None,
        f"best_{summary.score_name.replace('/', '_')}": summary.score,
        "weights": str(summary.weights),
        "sheet": str(summary.sheet),
    }


def tell_summary(summary: RunSummary, voice: Voice) -> None:
    """Say how a run ended."""
    if summary.made_now:
        rate = summary.made_now / summary.seconds
        voice.say(f"trained   {summary.made_now:,} images in {duration(summary.seconds)}, {rate:.1f} images/s")
    else:
        voice.say("trained   nothing: all of it was there")
    if summary.gave_up:
        voice.say(f"stopped   after {summary.images:,} images: training.patience_images without a better validation")
    if summary.score is not None:
        words = {"val/iou": "IoU {:.4f}", "val/hole_psnr_db": "hole-only PSNR {:.2f} dB"}
        best = words.get(summary.score_name, "perceptual distance {:.4f}").format(summary.score)
        voice.say(f"best      {best} on the validation split")
    voice.say(f"weights   {summary.weights}")
    voice.say(f"sheet     {summary.sheet}")


def tell_plan(config: FitConfig, out: Path, as_json: bool, voice: Voice) -> None:
    """Write what a run would do to standard output, and how long it would take by a step that is measured now.

    Args:
        config: Every setting.
        out: Folder of the run.
        as_json: Whether it is written as JSON; else as a table.
        voice: Where notes and warnings go.

    Raises `FdError` where the dataset or the run cannot be read.
    """
    from fdtrain.errors import PerceptualError
    from fdtrain.training.cost import cost_of
    from fdtrain.training.duration import forecast
    from fdtrain.training.run import read_record

    n_train = _train_samples(config)
    images = config.training.total_images(n_train)
    speed: dict[str, float | None] = {"images_per_second": None, "seconds": None}
    time = "not measured"
    try:
        found = forecast(config, images, read_record(out))
    except PerceptualError as error:
        voice.say(f"warning: this run would not start: {error.message}; {error.hint}")
    else:
        config = found.config
        speed = {"images_per_second": round(found.images_per_s, 3), "seconds": round(found.seconds, 1)}
        time = f"about {duration(found.seconds)}, at {found.images_per_s:.1f} images/s in {config.training.precision}"
        for note in found.notes:
            voice.say(f"note: {note}")
        warn_if_long(
            found.seconds, voice, "train on fewer images (--set training.images=N), by a smaller preset, or on a GPU"
        )
    cost = cost_of(config)
    facts = {
        "out": str(out),
        "train_samples": n_train,
        "images": images,
        **speed,
        "parameters": cost.parameters,
        "gmacs": round(cost.gmacs, 3),
        "memory_bytes": cost.memory_bytes,
        "checkpoint_bytes": cost.checkpoint_bytes,
    }
    if as_json:
        emit_json({**facts, "config": config.as_dict()})
        return
    rows = [
        ("out", str(out)),
        ("train split", counted(n_train, "photograph" if config.data.is_on_the_fly else "sample")),
        ("images", f"{images:,}"),
        ("time", time),
        ("generators", f"{cost.parameters / 1e6:.1f} M parameters, {cost.gmacs:.2f} GMACs a picture"),
        ("memory", f"about {cost.memory_bytes / 1e9:.1f} GB"),
        ("checkpoint", f"{cost.checkpoint_bytes / 1e6:,.0f} MB"),
        *((key, str(value)) for key, value in config.flat().items()),
    ]
    for line in aligned(rows):
        emit(line)


def _train_samples(config: FitConfig) -> int:
    """Return the size of the train split; of photographs on the fly, those without a face are among them."""
    if config.data.is_on_the_fly:
        from fdtrain.data.on_the_fly.faces import count_photographs

        return count_photographs(config.data.on_the_fly)["train"]
    from fdgen.contract.manifest import Manifest

    return len(Manifest.load(config.data.root, columns=("split",)).samples("train"))
