"""Builds a dataset: rounds of shards until the count is made, then the tables next to them.

Running the same build again resumes it: a shard whose receipt and tar account for every byte is kept, any other is
made again. The result is the same bytes after any kill, and with any number of workers.
"""

from __future__ import annotations

import concurrent.futures
import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from fdgen.contract.manifest import Manifest, read_finished
from fdgen.contract.records import SPLITS, Reject, ShardReceipt
from fdgen.dataset.parts import Part
from fdgen.errors import DatasetError
from fdgen.faces.cache import FaceCache
from fdgen.faces.given_up import GivenUp
from fdgen.faces.sources import FaceSource, OnFile
from fdgen.faces.supervised_pool import TIME_LIMIT_S
from fdgen.io.storage import Place, open_place
from fdgen.networks import DetectorName
from fdgen.pipeline.dry_run import BuildPlan, plan_build
from fdgen.pipeline.executors import OnSetback
from fdgen.pipeline.finish import finish
from fdgen.pipeline.job import Order, Progress, begun
from fdgen.pipeline.worker import Steps
from fdgen.recipe.schema import Recipe

__all__ = ["BuildPlan", "Part", "PartDone", "Progress", "build", "build_part", "plan_build"]


def build(
    recipe: Recipe,
    faces: FaceSource,
    out: str | Place,
    *,
    count: int | None = None,
    name: str | None = None,
    version: str | None = None,
    workers: int = 1,
    executor: concurrent.futures.Executor | None = None,
    cache: FaceCache | None = None,
    detector: DetectorName = "builtin",
    steps: Steps | None = None,
    on_file: OnFile | None = None,
    on_trial: Callable[[int, int], None] | None = None,
    on_face: Callable[[int, int], None] | None = None,
    on_shard: Callable[[ShardReceipt], None] | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    time_limit_s: float | None = TIME_LIMIT_S,
    on_setback: OnSetback | None = None,
    given_up: GivenUp | None = None,
) -> Manifest:
    """Make the dataset that a recipe asks for in the folder `out`, or finish one begun there; return it, opened.

    Processes import the script that calls this, which must therefore do so under `if __name__ == "__main__":`; with one
    worker too, for landmarks are found in a process.

    Args:
        recipe: What is asked for: kinds, sizes in px, splits, seed.
        faces: The photographs.
        out: The folder of the dataset, made where it is missing; or a URL, `s3://`, `gs://` or `az://`.
        count: Number of samples, below or above that of the faces; None is one of each usable face.
        name: What the dataset is called, and no part of its ids; another one renames it. None keeps that of an earlier
            run, else takes the recipe's.
        version: Its version, and no part of its ids either; None keeps that of an earlier run, else there is none.
        workers: Processes of our own that work; 1 makes shards in this process. With an `executor`, how many shards are
            made at once.
        executor: What finds landmarks and makes shards instead of our own processes, on other machines too, which see
            photographs and `out` under the same paths, or on threads; None for none.
        cache: Keeps landmarks, trials and analyses between builds; None keeps none.
        detector: Whose networks find landmarks: ours, or those of mediapipe itself. It is a part of the spec.
        steps: The steps that know faces and occluders; None takes the real ones, with `detector`.
        on_file: Called as (done, of) while photographs are listed.
        on_trial: Called as (done, of) while occluders are tried on for strata.
        on_face: Called as (done, of) while landmarks are found.
        on_shard: Called with the receipt of each shard, made or kept.
        on_progress: Called with how far the build is.
        time_limit_s: Seconds after which a photograph that keeps a worker is given up, once it has done so twice or has
            killed a worker twice. It is recorded as a reject, so that the same build leaves it out when it is run
            again, and `reproduce` does. None is no limit; there is none where this process, or an executor, makes the
            shards.
        on_setback: Called with a sentence each time that a worker is lost to a photograph.
        given_up: Other photographs to leave out; None for none.

    Raises `MixingError` where `out` holds another dataset, `DatasetError` where it cannot be written or no face gives a
    sample, `FacesError`, `RecipeError`, `AssetError`. Finished shards stay through any of these, Ctrl-C and kills.
    """
    order = Order(
        recipe=recipe, faces=faces, out=open_place(out), count=count, name=name, version=version, workers=workers,
        executor=executor, cache=cache, detector=detector, steps=steps, on_file=on_file, on_trial=on_trial,
        on_face=on_face, on_shard=on_shard, on_progress=on_progress, time_limit_s=time_limit_s, on_setback=on_setback,
        given_up=given_up,
    )  # fmt: skip
    with begun(order) as job:
        planner = job.planner
        while planner.wants_more():
            job.make_round()

        def rejects() -> Iterator[Reject]:
            return itertools.chain(job.faces.rejects(), planner.passed_over())

        if not planner.made:
            raise _nothing_made(job.faces, job.tally.rejects + Counter(reject.reason for reject in rejects()))
        finish(
            job.out,
            head=job.record.head(),
            label=job.record.label,
            kind=job.faces.kind,
            names=sorted(job.names, key=lambda name: (SPLITS.index(name.partition("-")[0]), name)),
            sources=job.record.sources,
            landmarks=job.landmarks.unpacked,
            rejects=rejects,
            basis=planner.rule.basis,
            notes=(planner.rule.note, *job.faces.notes),
            asked=planner.target,
            each=job.each,
        )
        return Manifest(job.out, read_finished(job.out))  # its table, of 20 kB a sample, for whoever asks for it


@dataclass(frozen=True, slots=True)
class PartDone:
    """What a part of a build came to.

    `shards` and `samples` are those of this part that are there now, `kept` the samples that were there before;
    `waiting` counts the shards that other parts have not made yet.
    """

    part: Part
    shards: int
    samples: int
    kept: int
    waiting: int


def build_part(part: Part, recipe: Recipe, faces: FaceSource, out: str | Place, **options: Any) -> PartDone:
    """Make those shards of a dataset that fall to one part, next to what other parts make in the same folder `out`.

    Parts may run at the same time, on a file system that all of them see, and be killed and run again. Where samples
    were rejected, more shards follow once all parts have made theirs: a part that finds them there goes on, and so does
    `build`, which makes all that is missing and finishes the dataset, with the bytes that it has without parts.

    Args:
        part: Which one; all must have the same number of parts.
        recipe: As `build` takes it, the same for all parts.
        faces: The photographs, the same for all parts.
        out: The folder of the dataset, or its URL.
        options: The others of `build`, by name. What parts find in the `cache` they need not look for again.

    Raises what `build` raises, and `DatasetError` where the same part, a part of another number of parts or a whole
    build is at work in `out`. That no face gives a sample is left to `build` to say.
    """
    with begun(Order(recipe=recipe, faces=faces, out=open_place(out), part=part, **options)) as job:
        while not job.waiting and job.planner.wants_more():
            job.make_round()
        shards = sum(part.owns(number) for number in range(len(job.names)))
        return PartDone(part, shards, job.tally.done, job.tally.kept, job.waiting)


def _nothing_made(faces: FaceSource, reasons: Counter[str]) -> DatasetError:
    told = ", ".join(f"{reason} {number}" for reason, number in sorted(reasons.items()))
    return DatasetError(
        f"no face in {faces.root} gave a sample ({told})",
        hint="`fdgen landmarks` reports which faces are found; the limits of pose and coverage are in the recipe",
    )
