"""The training loop of every method: `fit`.

    batch -> all stages see it -> discriminators learn -> generators learn -> average follows

What the networks are and what they minimise is the objective's (`fdtrain.objectives`), and so is the step (`learn` in
`fdtrain/objectives/step.py`); here is when, and what follows from it.
Progress is counted in training images over all processes. To resume, call `fit` again with the same folder.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from fdgen.contract.digests import digest_json
from fdgen.contract.manifest import Manifest
from fdgen.runtime.main_guard import leave_importing_worker
from fdgen.settings.toml import parse_tables
from fdtrain.config.schema import FitConfig
from fdtrain.data.loader import Batches, check_shared_memory, workers_for, workers_told
from fdtrain.data.on_the_fly.barren_faces import BarrenFaces
from fdtrain.data.on_the_fly.faces import FacesOnTheFly, find_faces
from fdtrain.data.open_samples import open_samples, resolve_kinds
from fdtrain.data.pictures import encode_png
from fdtrain.data.sampler import EpochSampler
from fdtrain.data.stored_samples import StoredSamples
from fdtrain.errors import CheckpointError, ConfigError, RunError
from fdtrain.objectives.open_objective import open_objective, open_perceptual
from fdtrain.objectives.step import Learners, learn
from fdtrain.objectives.validation import PERCEPTUAL_SCORE
from fdtrain.run_files import folder_lock, write_bytes
from fdtrain.runtime.device import computing, lay_out, open_device, resolve_machine
from fdtrain.runtime.distributed import Group, group_notes, joined, local_world
from fdtrain.runtime.left_out import LeftOut
from fdtrain.runtime.torch_rng import own_randomness, random_state, set_random_state
from fdtrain.training.beginning.eigen_fills import learn_fills
from fdtrain.training.beginning.start_from import begun_with
from fdtrain.training.best import Best, criterion_of
from fdtrain.training.checkpoint import Receipt, load_state, prune, receipts, save_model, save_state
from fdtrain.training.ema import averaged, ema_decay, follow
from fdtrain.training.precision import slow_here
from fdtrain.training.preflight import check_data, check_room
from fdtrain.training.resolve_auto import resolve_perceptual, resolve_precision
from fdtrain.training.run import (
    CHECKPOINTS,
    RUN_FILE,
    SAMPLES,
    SHEET_FILE,
    WEIGHTS,
    RunRecord,
    RunSummary,
    as_recorded,
    read_record,
    refuse_occupied,
    refuse_other,
    write_record,
)
from fdtrain.training.stats import Log, Pace, Progress, Step, Stretch
from fdtrain.training.trackers.open_tracker import open_tracker


def fit(
    config: FitConfig,
    run_dir: str | Path,
    *,
    on_progress: Callable[[Progress], None] | None = None,
    on_step: Callable[[Step], None] | None = None,
    on_phase: Callable[[str], None] | None = None,
    on_face: Callable[[int, int], None] | None = None,
    on_note: Callable[[str], None] | None = None,
    stop: Callable[[], bool] | None = None,
) -> RunSummary:
    """Train as `config` says in the folder `run_dir`, or go on where the last checkpoint there was written.

    A run killed at any moment and called again ends with the weights, bit for bit, of one never stopped, on the same
    machine with the same versions and number of processes.

    Args:
        config: Every setting; `config.data.root` names the dataset, or `config.data.on_the_fly` photographs.
        run_dir: Folder of the run, made where it is missing.
        on_progress: Called every `output.stats_images` images.
        on_step: Called before the first step and after each.
        on_phase: Called with what is done before the first step.
        on_face: Called as (done, of) while landmarks of photographs are found, where there is no dataset.
        on_note: Called with sentences that a user should know.
        stop: Asked after each step; on True a checkpoint is written and the call returns. None trains to the end.

    Raises `RunError` where the folder holds another run, `DatasetError` for the data, `PerceptualError`,
    `CheckpointError`, `DeviceError`, `LoaderError`, and `TrainingError` where the numbers stop being finite.
    """
    leave_importing_worker()
    run_dir = Path(run_dir)
    recorded = read_record(run_dir)
    if recorded is None:
        refuse_occupied(run_dir, "a run of `fdtrain fit`")
    keeps = recorded is not None and config.training.precision == "auto"
    config = as_recorded(config, recorded)
    device = open_device(config.machine.device)
    config = resolve_kinds(resolve_machine(config, device))
    with (
        joined(device) as group,
        _owned(run_dir, group),
        computing(config, device),
        own_randomness(config.seed, group, device),
        workers_told(),
        contextlib.ExitStack() as at_end,
    ):
        note = on_note if on_note is not None and group.is_first else _ignore
        phase = on_phase if on_phase is not None and group.is_first else _ignore

        # All processes see one folder: what they decide from it, and so what they wait for, is the same.
        found = receipts(run_dir / CHECKPOINTS)
        _refuse_other_folders(run_dir, recorded, found, group)

        # The data.
        phase("opening the data")
        training, output = config.training, config.output
        faces = find_faces(config, on_phase=phase, on_face=on_face) if config.data.is_on_the_fly else None
        train = open_samples(config, "train", levels=True, faces=faces)
        sampler = EpochSampler(len(train), seed=config.seed, rank=group.rank, world=group.world)
        if faces is not None:
            phase("drawing the validation split")
        validation = _fixed(config, "val", output.validation_limit, faces)
        shown = validation or open_samples(config, "train", fixed=True, limit=output.samples, faces=faces)
        fixed_samples = [shown[index] for index in range(min(output.samples, len(shown)))]
        total = training.total_images(len(train))

        # Networks, the same in every process: all their first weights come from one generator.
        phase("making the networks")
        rng = torch.Generator().manual_seed(config.seed)
        config, of_features = resolve_perceptual(config, group, note)
        perceptual = open_perceptual(config)
        config, of_precision = resolve_precision(config, device, perceptual, total, group, note)
        objective = open_objective(config, device, perceptual, rng)
        model, stages = objective.model, objective.stages
        begun_from = recorded.started_from if recorded is not None else None
        started = begun_with(model, training.start_from, begun_from, bool(found), note)
        fills = learn_fills(config, objective, train, run_dir, group, phase)
        average = averaged(model) if training.ema_decay is not None else model
        lay_out(config, device, model, average, perceptual, *(stage.discriminator for stage in stages))

        own_batch = training.batch // group.world
        config, workers = _with_workers(config, train, device, own_batch)

        # What this run is, or was begun as; then whether it can work at all.
        record = RunRecord(
            config=config.as_dict(),
            content_id=train.content_id,
            dataset=train.name,
            n_train=len(train),
            total_images=total,
            perceptual_sha256=perceptual.sha256 if perceptual else None,
            parameters=sum(p.numel() for p in model.parameters()),
            torch=torch.__version__,
            decided=recorded.decided if recorded is not None else {**of_features, **of_precision},
            started_from=started,
            on_the_fly=None if faces is None else faces.facts(),
            origin=train.origin,
        )
        if recorded is not None:
            refuse_other(run_dir, recorded, record)
            if recorded.torch != record.torch:
                note(f"the run began with torch {recorded.torch}, this is {record.torch}: not the same bits")
            if group.is_first and (slow := slow_here(config.training.precision, device)) is not None:
                note(slow)
        if training.batch % group.world:
            raise ConfigError(f"training.batch must be a multiple of the {group.world} processes, got {training.batch}")
        if training.batch // group.world % training.accumulate:
            share = f"the {training.batch // group.world} pictures of each process"
            raise ConfigError(f"training.accumulate must divide {share}, got {training.accumulate}")
        phase("checking the data")
        told = faces.notes() if faces is not None else []
        for sentence in (*group_notes(), *told, *check_data(train.root, train), *check_room(config, run_dir, device)):
            note(sentence)
        check_shared_memory(train, batch=own_batch, workers=workers, processes=local_world())
        if group.is_first:
            write_record(run_dir, record)
            if faces is not None:
                faces.write_rejects(run_dir)
        group.wait()

        # Resume.
        images = step = 0
        left_out, barren = LeftOut(0, note), BarrenFaces(train, note)
        best = Best(criterion_of(config.as_dict()), training.patience_images)
        if found:
            phase("reading the checkpoint")
            state = load_state(found[-1])
            try:
                begun = FitConfig.from_dict(parse_tables(state["config"]))
                if (begun.digest(), state["content_id"], state.get("eigenfaces")) != (
                    config.digest(),
                    train.content_id,
                    fills,
                ):
                    raise ValueError("of another run")
                model.load_state_dict(state["model"])
                average.load_state_dict(state["average"] or state["model"])
                for stage, held in zip(stages, state["stages"], strict=True):
                    stage.load_state_dict(held)
            except (ConfigError, RuntimeError, ValueError, KeyError) as error:
                raise CheckpointError(
                    f"the checkpoint {found[-1].path} is of another architecture, or other settings, than "
                    f"{run_dir / RUN_FILE} says",
                    hint="put back the run.json that belongs to it, or name another folder with --out",
                ) from error
            sampler.load_state_dict(state["sampler"])
            if group.is_first:  # what stopped the run may have stopped it before older states were deleted
                prune(run_dir / CHECKPOINTS, output.keep)
            images, step, left_out.in_a_row = state["images"], state["step"], state["bad_steps"]
            best.load_state_dict(state)
            if len(state["random"]) == group.world:
                set_random_state(state["random"][group.rank])
            else:
                note(f"the run had {len(state['random'])} processes, now {group.world}: not the same bits")
            kept = f", in {config.training.precision} as it began" if keeps else ""
            note(f"going on after {images:,} of {total:,} images{kept}")
        if config.machine.compile:
            objective.compile()
        learners = Learners(objective, group)
        gave_up = best.given_up()
        begun_images, begun_s = images, time.perf_counter()
        log = None
        if group.is_first:
            tracker = open_tracker(output.tracks, run_dir, images, config.flat())
            log = at_end.enter_context(Log(run_dir, images, tracker))

        batches: Iterator[Any] = iter(
            Batches(train, sampler, batch=own_batch, workers=workers) if images < total and not gave_up else ()
        )
        stretch, pace = Stretch(), Pace(images, total)
        if on_step is not None and group.is_first and images < total:
            on_step(pace.step)
        stopped = False
        while images < total and not stopped and not gave_up:
            # Read.
            waiting_s = time.perf_counter()
            sample = next(batches)
            stretch.waited_s += time.perf_counter() - waiting_s

            # Discriminators learn, then generators; the average follows them, where the step was not left out.
            learnt = learn(objective, sample, device, images, step, learners)
            if learnt.learning and training.ema_decay is not None:
                follow(average, model, ema_decay(training.ema_decay, step), learnt.is_finite)
            left_out.add(images, learnt.is_finite)

            # Count.
            before, images, step = images, images + training.batch, step + 1
            sampler.advance(training.batch)
            barren.add(sample)
            stretch.add(learnt.terms, training.batch)
            pace.add(training.batch, time.perf_counter() - waiting_s)
            if on_step is not None and group.is_first:
                on_step(pace.step)
            stopped = group.any(stop is not None and stop())
            ends = images >= total or stopped

            # Report progress.
            saves = ends or _due(output.checkpoint_images, before, images)
            if saves or _due(output.stats_images, before, images):
                left_out.read()
                values = _means(stretch, group)
                progress = pace.told(stretch, values)
                if log is not None:
                    log.write(images, {**values, "images_per_s": stretch.images / stretch.seconds,
                                       "loader_share": progress.loader_share,
                                       "lr": stages[0].generator_optimiser.param_groups[0]["lr"]})  # fmt: skip
                if on_progress is not None and group.is_first:
                    on_progress(progress)
                stretch = Stretch()

            # Validate, and show.
            score: float | None = None
            found_values: dict[str, float] = {}
            if validation is not None and (images >= total or _due(output.validation_images, before, images)):
                left_out.read()
                if log is not None:
                    compared = perceptual if best.name == PERCEPTUAL_SCORE else None
                    checked = Batches(validation, batch=training.batch)
                    found_values = objective.validate(average, checked, device, compared)
                    log.write(images, found_values)
                    score = best.score(found_values)
                    if on_progress is not None:
                        on_progress(pace.told(stretch, found_values))
                    if best.improved(found_values, images):
                        facts = record.facts(images, best.name, objective.facts(found_values))
                        save_model(run_dir / WEIGHTS / "best.safetensors", average, facts)
                gave_up = group.any(group.is_first and best.given_up())  # the one that validates knows
                saves = True
            if log is not None and (ends or gave_up or _due(output.sample_images, before, images)):
                sheet_HWC = objective.sheet(average, fixed_samples, shown.split, device)
                of_now = [run_dir / SAMPLES / f"{images:012d}.png", run_dir / SHEET_FILE]
                if stopped and images < total and not _due(output.sample_images, before, images):
                    del of_now[0]  # a stop leaves no picture that an undisturbed run would not have
                for path in of_now:
                    write_bytes(path, encode_png(sheet_HWC))
                log.picture(images, sheet_HWC)

            # Save a checkpoint: everything that decides the future.
            if saves:
                random_states = group.gather(random_state(device))
                if group.is_first:
                    facts = record.facts(images, best.name, objective.facts(found_values))
                    save_model(run_dir / WEIGHTS / "last.safetensors", average, facts)
                    save_state(
                        run_dir / CHECKPOINTS,
                        images,
                        {
                            "images": images,
                            "step": step,
                            "bad_steps": left_out.in_a_row,
                            **best.state_dict(),
                            "model": model.state_dict(),
                            "average": None if average is model else average.state_dict(),
                            "stages": [stage.state_dict() for stage in stages],
                            "sampler": sampler.state_dict(),
                            "random": random_states,
                            "config": config.to_toml(),
                            "content_id": train.content_id,
                            "eigenfaces": fills,
                        },
                        score=score,
                        keep=output.keep,
                    )
                group.wait()
        barren.tell()
    return RunSummary(
        run_dir=run_dir,
        images=images,
        total=total,
        made_now=images - begun_images,
        seconds=time.perf_counter() - begun_s,
        score=best.value,
        score_name=best.name,
        weights=run_dir / WEIGHTS / ("last.safetensors" if best.value is None else "best.safetensors"),
        gave_up=gave_up,
        sheet=run_dir / SHEET_FILE,
    )


@contextlib.contextmanager
def _owned(run_dir: Path, group: Group) -> Iterator[None]:
    """Hold the run's folder, in the one process that writes; the others begin when it is there."""
    with folder_lock(run_dir) if group.is_first else contextlib.nullcontext():
        group.wait()
        yield


def _refuse_other_folders(run_dir: Path, recorded: RunRecord | None, found: list[Receipt], group: Group) -> None:
    """Raise `RunError` where processes, maybe on several machines, do not find the same record and checkpoint."""
    record = digest_json(asdict(recorded)) if recorded is not None else None
    seen = group.gather((record, found[-1].sha256 if found else None))
    if other := [rank for rank, there in enumerate(seen) if there != seen[0]]:
        raise RunError(
            f"process {other[0]} does not find in {run_dir} what the first process finds there",
            hint="name with --out a folder that all machines share",
        )


def _fixed(config: FitConfig, split: str, limit: int, faces: FacesOnTheFly | None) -> StoredSamples[Any] | None:
    """Return a fixed set of a split, without augmentation; None where the split holds nothing."""
    there = (
        faces.has(split)
        if faces is not None
        else not Manifest.load(config.data.root, columns=("split",)).samples(split).empty
    )
    return open_samples(config, split, fixed=True, limit=limit, faces=faces) if there else None


def _with_workers(
    config: FitConfig, train: StoredSamples[Any], device: torch.device, batch: int
) -> tuple[FitConfig, int]:
    """Return the config with its number of loader workers said, and that number."""
    if (asked := config.machine.workers) is not None:
        return config, asked
    n = workers_for(train, device, batch=batch, processes=local_world())
    return config.model_copy(update={"machine": config.machine.model_copy(update={"workers": n})}), n


def _due(every_images: int, before: int, after: int) -> bool:
    return before // every_images != after // every_images


def _means(stretch: Stretch, group: Group) -> dict[str, float]:
    values = stretch.means()
    if group.world > 1:
        values = dict(zip(values, group.mean(torch.tensor(list(values.values()))).tolist(), strict=True))
    return values


def _ignore(sentence: str) -> None:
    return None
