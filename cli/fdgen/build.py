"""`fdgen build`: make a dataset, or resume one that was stopped."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from ..shared.build_progress import Trials, Watch
from ..shared.fdgen_options import (
    DatasetType,
    cache_options,
    check_occluders,
    detector_option,
    faces_option,
    json_option,
    quiet_option,
    recipe_options,
    resolve_recipe,
    time_limit_option,
    workers_option,
)
from ..shared.output import Voice, aligned, by_count, counted, duration, emit, emit_json
from ..shared.prepare import prepare
from ..shared.progress import starting

if TYPE_CHECKING:
    from fdgen.contract.manifest import Manifest
    from fdgen.dataset.parts import Part
    from fdgen.io.storage import Place
    from fdgen.networks import DetectorName
    from fdgen.pipeline.builder import PartDone
    from fdgen.pipeline.dry_run import BuildPlan
    from fdgen.pipeline.engines import EngineName
    from fdgen.recipe.schema import Recipe
    from fdgen.runtime.step_times import StepTime


def _part(text: str | None) -> Part | None:
    if text is None:
        return None
    from fdgen.dataset.parts import Part
    from fdgen.errors import RecipeError

    try:
        return Part.parse(text)
    except RecipeError as error:
        raise click.BadParameter(error.message) from error


def _engine(text: str | None) -> EngineName | None:
    if text is None:
        return None
    from fdgen.errors import FdError
    from fdgen.pipeline.engines import EngineName

    try:
        return EngineName.parse(text)
    except FdError as error:
        raise click.BadParameter(error.message) from error


def _absolute(faces: str | None) -> str | None:
    """Return the path of a folder of faces in full; `samples` means those that come with fdgen."""
    return faces if not faces or faces == "samples" or "://" in faces else str(Path(faces).expanduser().absolute())


@click.command("build")
@click.option(
    "--out",
    type=DatasetType(),
    required=True,
    metavar="FOLDER",
    help="Folder to write the dataset to, or a URL: s3://, gs:// or az://.",
)
@faces_option
@click.option(
    "--count",
    type=click.IntRange(min=1),
    metavar="N",
    help="Number of samples to make.  [default: one for each usable face]",
)
@recipe_options
@click.option("--name", metavar="NAME", help="Name of the dataset.  [default: as before, else the recipe's name]")
@click.option(
    "--version", metavar="X.Y.Z", help="Version of the dataset, as in semver.org.  [default: as before, else none]"
)
@detector_option
@workers_option
@click.option(
    "--executor",
    metavar="KIND",
    callback=lambda ctx, parameter, text: _engine(text),
    help="What works: local:N processes, dask:ADDRESS, dask:local:N, ray:ADDRESS or ray:local:N.  [default: --workers]",
)
@time_limit_option
@click.option(
    "--part",
    metavar="I/N",
    callback=lambda ctx, parameter, text: _part(text),
    help="Make only part I of N, from 0 to N - 1, of the shards, as a task of an array of jobs; build without it last.",
)
@cache_options
@click.option("--dry-run", is_flag=True, help="Print what would be made, and write nothing.")
@click.option("--profile", is_flag=True, help="Print the CPU time of each step, in all processes, when it is done.")
@quiet_option
@json_option
def command(
    out: str | Path,
    faces: str | None,
    count: int | None,
    recipe: str,
    overrides: tuple[str, ...],
    seed: int | None,
    size_px: int | None,
    packs: tuple[Path, ...],
    name: str | None,
    version: str | None,
    detector: DetectorName,
    workers: int,
    executor: EngineName | None,
    time_limit_s: float | None,
    part: Part | None,
    cache: Path | None,
    no_cache: bool,
    dry_run: bool,
    profile: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Make a dataset of occluded faces in FOLDER, or at a URL, or resume one that was stopped.

    Running the same command again resumes: finished shards are checked and kept. Other settings in the same folder are
    refused; another --name or --version renames it. The result is the same bytes for any number of workers.
    """
    if dry_run and profile:
        raise click.UsageError("--profile times a build, and --dry-run makes none")
    if part is not None and (dry_run or profile):
        raise click.UsageError(
            f"--part makes a part of a build: {'--dry-run' if dry_run else '--profile'} is of a whole"
        )
    if executor is not None:
        if click.get_current_context().get_parameter_source("workers") is ParameterSource.COMMANDLINE:
            raise click.UsageError("--executor says how many work, and so does --workers: give one of them")
        if profile and executor.kind != "local":
            raise click.UsageError("--profile times processes of this machine, and --executor names others")
        faces = _absolute(faces)  # workers elsewhere have other folders to start from
    voice = Voice(quiet)
    with starting(voice):
        from fdgen.io.storage import open_place

        place = open_place(out)
        if executor is not None and isinstance(place, Path):
            place = place.absolute()
        from fdgen.dataset.folder import read_dataset, refuse_foreign
        from fdgen.dataset.naming import check_label
        from fdgen.pipeline.builder import build, build_part
        from fdgen.pipeline.dry_run import plan_build
        from fdgen.pipeline.engines import EngineName, running
        from fdgen.runtime.step_times import recorded_steps

        check_label(name, version)
        resolved = resolve_recipe(recipe, overrides, seed=seed, size_px=size_px, packs=packs)
        check_occluders(resolved)
        refuse_foreign(place)
    with prepare(faces, voice, cache, no_cache, planned=resolved if dry_run else None) as ready:
        source, opened, on_file = ready.source, ready.cache, ready.listing.update
        if dry_run:
            on_trial = Trials(ready.stages).update
            plan = plan_build(
                resolved,
                source,
                place,
                count=count,
                cache=opened,
                detector=detector,
                on_file=on_file,
                on_trial=on_trial,
            )
            ready.stages.close()
            tell_plan(plan, resolved, place, as_json)
            return
        watch = Watch(ready.stages)
        before = read_dataset(place)
        started_s = time.monotonic()
        with (
            running(executor or EngineName("local", workers)) as engine,
            recorded_steps() if profile else contextlib.nullcontext() as read_steps,
            watch.telling_what_is_kept(place, landmarks_too=opened is not None),
        ):
            options: dict[str, Any] = {
                "count": count,
                "name": name,
                "version": version,
                "workers": engine.workers,
                "executor": engine.executor,
                "time_limit_s": time_limit_s,
                "cache": opened,
                "detector": detector,
                "on_file": on_file,
                **watch.hooks(),
            }
            if part is not None:
                done = build_part(part, resolved, source, place, **options)
                ready.stages.close()
                tell_part(done, place, voice, as_json)
                return
            manifest = build(resolved, source, place, **options)
            steps = read_steps() if read_steps is not None else []
    summary = summarise(manifest, watch, time.monotonic() - started_s)
    if profile:
        summary["profile"] = [dataclasses.asdict(row) for row in steps]
    if as_json:
        emit_json(summary)
    tell_summary(summary, voice)
    if profile and not as_json:
        for line in step_table(steps, watch.made):
            emit(line)
    if before is not None and before["spec_id"] == summary["spec_id"] and "content_id" in before:
        old, new = title(before), title(manifest.dataset)
        if old != new:
            voice.say(f"note: it was called {old} before, and is called {new} now")


def tell_part(done: PartDone, out: Place, voice: Voice, as_json: bool) -> None:
    """Say what a part of a build came to."""
    if as_json:
        emit_json({"dataset": str(out), **dataclasses.asdict(done), "part": str(done.part)})
    kept = f", {done.kept:,} of them kept" if done.kept else ""
    voice.say(f"part {done.part}   {counted(done.samples, 'sample')} in {counted(done.shards, 'shard')}{kept}")
    if done.waiting:
        voice.say(f"waiting    {counted(done.waiting, 'shard')} of other parts are still to be made")
    else:
        voice.say("waiting    for nothing: all parts are there")
    voice.say("run the same command without --part when all parts have ended: it finishes the dataset")


def step_table(steps: Sequence[StepTime], samples: int) -> Iterator[str]:
    """Yield the lines of a table: CPU time of each step in all processes, its share, and a sample's part of it."""
    total_s = sum(row.cpu_s for row in steps)
    yield f"{'step':<28}{'calls':>10}{'CPU s':>10}{'share':>8}{'ms a sample':>13}"
    for row in steps:
        each = f"{1000 * row.cpu_s / samples:>13.2f}" if samples else f"{'':>13}"
        yield f"{row.step:<28}{row.calls or '':>10}{row.cpu_s:>10.2f}{row.cpu_s / max(total_s, 1e-9):>8.1%}{each}"
    each = f"{1000 * total_s / samples:>13.2f}" if samples else ""
    yield f"{'all':<28}{'':>10}{total_s:>10.2f}{1:>8.1%}{each}"


def title(dataset: Mapping[str, Any]) -> str:
    """Return what a dataset is called: name and version."""
    return f"{dataset.get('name')} {dataset.get('version')}"


def summarise(manifest: Manifest, watch: Watch, elapsed_s: float) -> dict[str, Any]:
    """Return what a build reports when it is done, as JSON holds it."""
    from fdgen.dataset.split_size_warnings import remarks

    dataset = manifest.dataset
    notes, warnings = remarks(dataset)
    pairs_s = time.monotonic() - watch.began_s if watch.began_s is not None and watch.made else None
    return {
        "dataset": str(manifest.root),
        "name": dataset["name"],
        "version": dataset["version"],
        "samples": len(manifest),
        "made_now": watch.made,
        "splits": {name: number for name, number in dataset["splits"].items() if name != "basis"},
        "kinds": dict(dataset["kinds"]),
        "rejects": dict(dataset["rejects"]),
        "warnings": warnings,
        "notes": notes,
        "seconds": round(elapsed_s, 2),
        "pairs_per_second": round(watch.made / pairs_s, 2) if pairs_s else None,
        "sheet": str(manifest.root / "preview.jpg"),
        "spec_id": dataset["spec_id"],
        "content_id": dataset["content_id"],
    }


def tell_summary(summary: dict[str, Any], voice: Voice) -> None:
    """Say how a build ended."""
    voice.say(f"{counted(summary['samples'], 'sample')} in {summary['dataset']}: {by_count(summary['kinds'])}")
    voice.say(f"splits      {by_count(summary['splits'])}")
    rejects = summary["rejects"]
    voice.say(f"rejects     {by_count(rejects)} (see rejects.csv)" if rejects else "rejects     none")
    if summary["made_now"]:
        rate = f", {summary['pairs_per_second']:.1f} pairs/s" if summary["pairs_per_second"] else ""
        voice.say(f"made        {summary['made_now']:,} in {duration(summary['seconds'])}{rate}")
    else:
        voice.say("made        nothing: all of it was there")
    voice.say(f"called      {title(summary)}")
    voice.say(f"sheet       {summary['sheet']}")
    voice.say(f"spec_id     {summary['spec_id']}")
    voice.say(f"content_id  {summary['content_id']}")
    for name in ("notes", "warnings"):
        for text in summary[name]:
            voice.say(f"{name[:-1]}: {text}")


def tell_plan(plan: BuildPlan, recipe: Recipe, out: Place, as_json: bool) -> None:
    """Write what a build would do to standard output."""
    facts = {
        "out": str(out),
        "photographs": plan.photographs,
        "count": plan.count,
        "samples": plan.samples,
        "shards": plan.shards,
        "shards_done": plan.shards_done,
        "kinds": plan.kinds,
        "size_px": plan.size_px,
        "bytes": plan.bytes,
        "spec_id": plan.spec_id,
        "notes": list(plan.notes),
    }
    if as_json:
        emit_json({**facts, "recipe": recipe.as_dict()})
        return
    rows = [
        ("out", f"{out}, {counted(plan.shards_done, 'shard')} done"),
        ("photographs", f"{plan.photographs:,}"),
        ("samples", f"{plan.count:,}: {by_count(plan.samples)}"),
        ("shards", by_count(plan.shards)),
        ("kinds", ", ".join(f"{kind} {share:.1%}" for kind, share in plan.kinds.items())),
        ("disk", f"about {plan.bytes / 1e6:,.0f} MB"),
        ("spec_id", plan.spec_id),
        *(("note", note) for note in plan.notes),
        *((f"recipe.{key}", value) for key, value in recipe.flat().items()),
    ]
    for line in aligned(rows):
        emit(line)
