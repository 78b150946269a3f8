"""Builds a dataset: rounds of shards until the count is made, then the tables next to them.

Running the same build again resumes it: a shard whose receipt and tar account for every byte is kept, any other is
made again. The result is the same bytes after any kill, and with any number of workers.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fdgen.contract.manifest import Manifest
from fdgen.contract.records import SPLITS, Reject, ShardReceipt, sample_key
from fdgen.dataset.checksums import is_listed
from fdgen.dataset.folder import check_space, claimed, read_dataset, refuse_foreign, write_dataset
from fdgen.dataset.naming import Label, check_label, label_of
from fdgen.dataset.shards import receipt_path, shard_path
from fdgen.dataset.spec import make_spec, spec_id
from fdgen.dataset.tables import write_sources
from fdgen.errors import DatasetError
from fdgen.faces.cache import FaceCache
from fdgen.faces.given_up import GivenUp, with_given_up
from fdgen.faces.identities import with_people
from fdgen.faces.sources import FaceSource, OnFile, Source
from fdgen.faces.supervised_pool import TIME_LIMIT_S
from fdgen.io.atomic import remove
from fdgen.networks import DetectorName
from fdgen.pipeline.dry_run import BuildPlan, check_arguments, disk_bytes, plan_build
from fdgen.pipeline.executors import OnSetback, WorkerPool, run_here, run_on
from fdgen.pipeline.finish import finish
from fdgen.pipeline.landmark_store import LandmarkStore
from fdgen.pipeline.plan import FaceQueue, Looked, Planner, ShardPlan, split_rule
from fdgen.pipeline.resume import finished_shard
from fdgen.pipeline.worker import ShardTask, Steps, tools_digest
from fdgen.recipe.schema import Recipe
from fdgen.recipe.strata import PASSED_OVER
from fdgen.runtime.main_guard import leave_importing_worker

__all__ = ["BuildPlan", "Progress", "build", "plan_build"]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a build is. `done` counts samples, those of unfinished shards too; `kept` of them were there before."""

    done: int
    total: int
    kept: int
    rejected: int


def build(
    recipe: Recipe,
    faces: FaceSource,
    out: str | Path,
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
        out: The folder of the dataset, made where it is missing.
        count: Number of samples, below or above that of the faces; None is one of each usable face.
        name: What the dataset is called, and no part of its ids; another one renames it. None keeps that of an earlier
            run, else takes the recipe's.
        version: Its version, and no part of its ids either; None keeps that of an earlier run, else there is none.
        workers: Processes of our own that work; 1 makes shards in this process. With an `executor`, how many shards are
            made at once.
        executor: What makes the shards instead of our own processes; None for none.
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
    leave_importing_worker()
    check_arguments(count, workers)
    check_label(name, version)
    steps, out = steps or Steps.real(recipe.assets.packs, detector, recipe.faces.max_outside), Path(out)
    refuse_foreign(out)
    library = steps.load_library()
    recipe.check_assets(library.digests().keys())
    faces = with_people(recipe.faces.identity, faces)
    sources = faces.sources(on_file)
    rule = split_rule(recipe.splits, sources)
    targets = steps.find_targets(recipe, library, cache=cache, on_trial=on_trial)
    spec = make_spec(recipe, count, sources, library.digests(), steps.detector_version())
    own = WorkerPool(workers, faces, time_limit_s, on_setback) if workers > 1 and executor is None else None
    with claimed(out, spec, sources), own or contextlib.nullcontext() as pool:
        found = read_dataset(out)
        if found is None or found["spec_id"] != spec_id(spec):  # another's, which made nothing
            found = None
        trusted = found if "content_id" not in (found or {}) or is_listed(out, "dataset.json") else None
        label = label_of(recipe.name, trusted, name=name, version=version)
        given_up = GivenUp.of((found or {}).get("given_up")) | (given_up or GivenUp())
        record = _Record(out, label, spec, sources, given_up, finished="content_id" in (found or {}))
        if not record.finished:
            record.write()
        write_sources(out / "sources.parquet", sources)
        landmarks = LandmarkStore(
            faces, recipe.size_px, cache, workers, steps, pool, on_face,
            watching={"time_limit_s": time_limit_s, "on_setback": on_setback}, given_up=given_up,
            on_given_up=record.update,
        )  # fmt: skip
        planner = Planner(recipe, FaceQueue(sources, recipe.seed, landmarks), rule, count)
        job = _Job(
            recipe, record, faces, out, spec, steps, tools_digest(library), targets, landmarks, cache, workers,
            executor, pool,
        )  # fmt: skip
        tally = _Tally(planner, on_shard, on_progress)
        while planner.wants_more():
            with contextlib.closing(job.make(_told(planner, on_face), tally)) as receipts:
                for receipt in receipts:
                    tally.add(receipt, kept=False)
            planner.record(*tally.end_round())
        rejects = [*faces.rejects(), *planner.passed_over()]
        if not planner.made:
            raise _nothing_made(faces, rejects + tally.rejects)
        finish(
            out,
            head=record.head(),
            label=label,
            kind=faces.kind,
            names=sorted(job.names, key=lambda name: (SPLITS.index(name.partition("-")[0]), name)),
            sources=sources,
            landmarks=landmarks.unpacked,
            rejects=rejects,
            basis=rule.basis,
            notes=(rule.note, *faces.notes),
            asked=planner.target,
        )
        return Manifest.load(out)


@dataclass
class _Tally:
    """Counts what is there, and tells whoever listens."""

    planner: Planner
    on_shard: Callable[[ShardReceipt], None] | None
    on_progress: Callable[[Progress], None] | None
    done: int = 0
    kept: int = 0
    shown: int = 0
    rejects: list[Reject] = field(default_factory=list)
    _made: set[str] = field(default_factory=set)
    _passed_over: set[str] = field(default_factory=set)

    def add(self, receipt: ShardReceipt, *, kept: bool) -> None:
        self.done += len(receipt.samples)
        self.kept += len(receipt.samples) if kept else 0
        self.rejects += receipt.rejects
        self._made |= {entry.record.key for entry in receipt.samples}
        passed_over = [reject for reject in receipt.rejects if reject.reason == PASSED_OVER]
        self._passed_over |= {sample_key(reject.source_sha256, reject.variant) for reject in passed_over}
        if self.on_shard is not None:
            self.on_shard(receipt)
        self.tick(0)

    def tick(self, unfinished: int) -> None:
        self.shown = max(self.shown, self.done + unfinished)  # what was told once is never taken back
        if self.on_progress is not None:
            self.on_progress(Progress(self.shown, self.planner.target, self.kept, len(self.rejects)))

    def end_round(self) -> tuple[set[str], set[str]]:
        """Return the keys of the samples of a round, and of those that were passed over for their pose."""
        outcome = self._made, self._passed_over
        self._made, self._passed_over = set(), set()
        return outcome


@dataclass
class _Record:
    """The dataset.json of a build that is not finished, which says what is asked and what was given up so far."""

    out: Path
    label: Label
    spec: dict[str, Any]
    sources: Sequence[Source]
    given_up: GivenUp
    finished: bool
    """Whether the one that is there is of a finished dataset, which has changed in nothing yet."""

    def head(self) -> dict[str, Any]:
        """Return what dataset.json says from the start: without a content_id, a dataset is not finished."""
        return {"name": self.label.name, "version": self.label.version, "spec_id": spec_id(self.spec), **self.spec}

    def write(self) -> None:
        """Write it."""
        write_dataset(self.out, with_given_up(self.head(), *self.given_up.rejects(self.sources)))
        self.finished = False

    def update(self) -> None:
        """Record what was given up just now."""
        if not self.finished:
            self.write()


@dataclass
class _Job:
    """What stays the same through the rounds of a build."""

    recipe: Recipe
    record: _Record
    faces: FaceSource
    out: Path
    spec: dict[str, Any]
    steps: Steps
    tools: str
    targets: Any
    landmarks: LandmarkStore
    cache: FaceCache | None
    workers: int
    executor: concurrent.futures.Executor | None
    pool: WorkerPool | None
    names: list[str] = field(default_factory=list)
    """Of the shards planned so far."""
    _begun: bool = False

    def make(self, plans: Iterator[ShardPlan | Future[Looked]], tally: _Tally) -> Generator[ShardReceipt]:
        """Yield the receipts of the shards of a round that are made; those that are there go to the tally."""
        tasks = self._tasks(plans, tally)
        if self.executor is not None:
            yield from run_on(self.executor, tasks, 2 * self.workers)
            return
        if self.pool is not None:  # one shard alone, too: here it could hang, or die of its photographs
            yield from self.pool.run(tasks, tally.tick)
            return
        yield from run_here(tasks, tally.tick)

    def _tasks(
        self, plans: Iterator[ShardPlan | Future[Looked]], tally: _Tally
    ) -> Iterator[ShardTask | Future[Looked]]:
        for plan in plans:
            if isinstance(plan, Future):
                yield plan
                continue
            self.names.append(plan.name)
            receipt = finished_shard(self.out, plan, spec_id(self.spec))
            if receipt is not None:
                tally.add(receipt, kept=True)
                continue
            self._begin(tally.planner.target, len(plan.candidates))
            remove(receipt_path(self.out, plan.name))  # the receipt first: while there is one, there is a whole shard
            remove(shard_path(self.out, plan.name))
            yield self._task(plan)

    def _begin(self, target: int, least: int) -> None:
        """Before the first shard is made: see that there is room, and that the dataset is not taken for finished."""
        if self._begun:
            return
        there = sum(1 for _ in (self.out / "shards").glob("*.json")) * self.recipe.shards.samples
        check_space(self.out, disk_bytes(self.recipe, max(target - there, least)))
        self.record.write()
        self._begun = True

    def _task(self, plan: ShardPlan) -> ShardTask:
        return ShardTask(
            root=self.out.absolute(),
            plan=plan,
            spec_id=spec_id(self.spec),
            recipe=self.recipe,
            tools=self.tools,
            detector=self.spec["landmarks"],
            faces=self.faces,
            landmarks=self.landmarks.packed([candidate.source for candidate in plan.candidates]),
            cache_path=None if self.cache is None else self.cache.path,
            steps=self.steps,
            targets=self.targets,
            given_up={
                place: reject
                for place, candidate in enumerate(plan.candidates)
                if (reject := self.record.given_up.sample(candidate.source, candidate.variant)) is not None
            },
        )


def _told(planner: Planner, on_face: Callable[[int, int], None] | None) -> Iterator[ShardPlan | Future[Looked]]:
    """Yield what the planner does, and tell how many photographs have been looked at."""
    told = planner.looked_at
    for plan in planner.next_round():
        if on_face is not None and (planner.looked_at > told or isinstance(plan, Future)):
            told = planner.looked_at
            on_face(told, planner.to_look_at)
        yield plan


def _nothing_made(faces: FaceSource, rejects: Sequence[Reject]) -> DatasetError:
    reasons = Counter(reject.reason for reject in rejects)
    told = ", ".join(f"{reason} {number}" for reason, number in sorted(reasons.items()))
    return DatasetError(
        f"no face in {faces.root} gave a sample ({told})",
        hint="`fdgen landmarks` reports which faces are found; the limits of pose and coverage are in the recipe",
    )
