"""Builds a dataset: rounds of shards until the count is made, then the tables beside them.

Running the same build again resumes it: a shard whose receipt and tar account for every byte is kept, anything else is
made anew. The result is the same bytes whatever was killed, and however many workers there were.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fdgen.cache import FaceCache
from fdgen.contract import SPLITS, Manifest, Reject, ShardReceipt, sample_key
from fdgen.errors import DatasetError
from fdgen.finish import finish
from fdgen.folder import check_space, claimed, read_dataset, refuse_foreign, remove, write_dataset
from fdgen.forecast import BuildPlan, check_arguments, disk_bytes, plan_build
from fdgen.labels import Label, check_label, label_of
from fdgen.plan import FaceQueue, Planner, ShardPlan, split_rule
from fdgen.points import Landmarks
from fdgen.pool import run_here, run_on, run_workers
from fdgen.recipe import Recipe
from fdgen.resume import finished_shard
from fdgen.shards import receipt_path, shard_path
from fdgen.sources import PASSING_REASONS, FaceSource, OnFile, Source
from fdgen.spec import make_spec, spec_id
from fdgen.strata import PASSED_OVER
from fdgen.sums import is_listed
from fdgen.tables import write_sources
from fdgen.worker import ShardTask, Steps, tools_digest, went_missing

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
    steps: Steps | None = None,
    on_file: OnFile | None = None,
    on_face: Callable[[int, int], None] | None = None,
    on_shard: Callable[[ShardReceipt], None] | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> Manifest:
    """Make the dataset that a recipe asks for in the folder `out`, or finish one begun there; return it, opened.

    `count` is the number of samples, below or above that of the faces; None is one of each usable face. `name` and
    `version` are what it is called, and no part of its ids: None keeps what an earlier run was told (else the recipe
    gives the name), others rename the dataset. Work is done by `workers` processes of our own (1: in this one), or on
    `executor`, where `workers` says for how many at once.
    `cache` keeps landmarks and analyses between builds. `on_file`, `on_face` are called as (done, of) while photographs
    are listed and looked at, `on_shard` with each receipt, made or kept.

    Raises `MixingError` where `out` holds another dataset, `DatasetError` where it cannot be written or no face gives a
    sample, `FacesError`, `RecipeError`, `AssetError`. Finished shards stay through any of these, Ctrl-C and kills.
    """
    check_arguments(count, workers)
    check_label(name, version)
    steps, out = steps or Steps.real(recipe.assets.packs), Path(out)
    refuse_foreign(out)
    sources = faces.sources(on_file)
    rule = split_rule(recipe.splits, sources)
    library = steps.load_library()
    recipe.check_assets(library.digests().keys())
    targets = steps.find_targets(recipe, library)
    spec = make_spec(recipe, count, sources, library.digests(), steps.detector_version())
    with claimed(out, spec, sources):
        found = read_dataset(out)
        if found is None or found["spec_id"] != spec_id(spec):  # another's, which made nothing
            found = None
        trusted = found if "content_id" not in (found or {}) or is_listed(out, "dataset.json") else None
        label = label_of(recipe.name, trusted, name=name, version=version)
        if "content_id" not in (found or {}):
            write_dataset(out, _unfinished(label, spec))
        write_sources(out / "sources.parquet", sources)
        landmarks = _LandmarkStore(faces, recipe.size_px, cache, workers, steps, on_face)
        planner = Planner(recipe, FaceQueue(sources, recipe.seed, landmarks.look), rule, count)
        job = _Job(
            recipe, label, faces, out, spec, steps, tools_digest(library), targets, landmarks, cache, workers, executor
        )
        tally = _Tally(planner.target, on_shard, on_progress)
        names = []
        while plans := planner.next_round():
            with contextlib.closing(job.make(plans, tally)) as receipts:
                planner.record(*_outcome(receipts))
            names += [plan.name for plan in plans]
        rejects = [*faces.rejects(), *planner.passed_over()]
        if not planner.made:
            raise _nothing_made(faces, rejects + tally.rejects)
        finish(
            out,
            head=_unfinished(label, spec),
            label=label,
            kind=faces.kind,
            names=sorted(names, key=lambda name: (SPLITS.index(name.partition("-")[0]), name)),
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

    total: int
    on_shard: Callable[[ShardReceipt], None] | None
    on_progress: Callable[[Progress], None] | None
    done: int = 0
    kept: int = 0
    shown: int = 0
    rejects: list[Reject] = field(default_factory=list)

    def add(self, receipt: ShardReceipt, *, kept: bool) -> None:
        self.done += len(receipt.samples)
        self.kept += len(receipt.samples) if kept else 0
        self.rejects += receipt.rejects
        if self.on_shard is not None:
            self.on_shard(receipt)
        self.tick(0)

    def tick(self, unfinished: int) -> None:
        self.shown = max(self.shown, self.done + unfinished)  # what was told once is never taken back
        if self.on_progress is not None:
            self.on_progress(Progress(self.shown, self.total, self.kept, len(self.rejects)))


@dataclass
class _Job:
    """What stays the same through the rounds of a build."""

    recipe: Recipe
    label: Label
    faces: FaceSource
    out: Path
    spec: dict[str, Any]
    steps: Steps
    tools: str
    targets: Any
    landmarks: _LandmarkStore
    cache: FaceCache | None
    workers: int
    executor: concurrent.futures.Executor | None

    def make(self, plans: Sequence[ShardPlan], tally: _Tally) -> Generator[ShardReceipt]:
        """Yield the receipts of all the shards of a round: first those that are there, then those that are made."""
        missing = []
        for plan in plans:
            receipt = finished_shard(self.out, plan, spec_id(self.spec))
            if receipt is None:
                missing.append(plan)
            else:
                tally.add(receipt, kept=True)
                yield receipt
        if not missing:
            return
        check_space(self.out, disk_bytes(self.recipe, sum(len(plan.candidates) for plan in missing)))
        write_dataset(self.out, _unfinished(self.label, self.spec))
        for plan in missing:  # the receipt first: while there is one, there is a whole shard
            remove(receipt_path(self.out, plan.name))
            remove(shard_path(self.out, plan.name))
        with contextlib.closing(self._run(map(self._task, missing), len(missing), tally)) as receipts:
            for receipt in receipts:
                tally.add(receipt, kept=False)
                yield receipt

    def _run(self, tasks: Iterator[ShardTask], n_tasks: int, tally: _Tally) -> Generator[ShardReceipt]:
        if self.executor is not None:
            return run_on(self.executor, tasks, 2 * self.workers)
        if self.workers == 1 or n_tasks == 1:
            return run_here(tasks, tally.tick)
        return run_workers(min(self.workers, n_tasks), tasks, tally.tick)

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
        )


class _LandmarkStore:
    """Landmarks of usable faces: looked up in the cache again where there is one, else kept, about 2 kB a face."""

    def __init__(
        self,
        faces: FaceSource,
        size_px: int,
        cache: FaceCache | None,
        workers: int,
        steps: Steps,
        on_face: Callable[[int, int], None] | None,
    ) -> None:
        self._faces, self._size_px, self._cache = faces, size_px, cache
        self._workers, self._steps, self._on_face = workers, steps, on_face
        self._kept: dict[str, bytes] = {}
        self._seen = 0

    def look(self, batch: Sequence[Source]) -> dict[str, Landmarks | Reject]:
        found = dict(
            self._steps.detect(
                self._faces,
                batch,
                size_px=self._size_px,
                cache=self._cache,
                workers=self._workers,
                on_face=lambda done, of: self._on_face and self._on_face(self._seen + done, self._seen + of),
            )
        )
        self._seen += len(batch)
        for one in found.values():
            if isinstance(one, Reject) and one.reason in PASSING_REASONS:
                raise went_missing(one.detail)
        if self._cache is None:
            self._kept |= {sha256: one.to_bytes() for sha256, one in found.items() if isinstance(one, Landmarks)}
        return found

    def packed(self, sources: Sequence[Source]) -> list[bytes]:
        """Return the landmarks of sources that were found usable, as `Landmarks.to_bytes` packs them."""
        if self._cache is None:
            return [self._kept[source.sha256] for source in sources]
        found = self._steps.detect(
            self._faces, sources, size_px=self._size_px, cache=self._cache, workers=self._workers
        )
        return [one.to_bytes() for source in sources if isinstance(one := found[source.sha256], Landmarks)]

    def unpacked(self, sources: Sequence[Source]) -> list[Landmarks]:
        return [Landmarks.from_bytes(data) for data in self.packed(sources)]


def _outcome(receipts: Iterable[ShardReceipt]) -> tuple[set[str], set[str]]:
    """Return the keys of the samples made, and of those that were passed over for their pose."""
    made, passed_over = set(), set()
    for receipt in receipts:
        made |= {entry.record.key for entry in receipt.samples}
        passed_over |= {
            sample_key(reject.source_sha256, reject.variant)
            for reject in receipt.rejects
            if reject.reason == PASSED_OVER
        }
    return made, passed_over


def _unfinished(label: Label, spec: dict[str, Any]) -> dict[str, Any]:
    """Return what dataset.json says from the start: without a content_id, a dataset is not finished."""
    return {"name": label.name, "version": label.version, "spec_id": spec_id(spec), **spec}


def _nothing_made(faces: FaceSource, rejects: Sequence[Reject]) -> DatasetError:
    reasons = Counter(reject.reason for reject in rejects)
    told = ", ".join(f"{reason} {number}" for reason, number in sorted(reasons.items()))
    return DatasetError(
        f"no face of {faces.root} gave a sample ({told})",
        hint="`fdgen landmarks` tells which faces are found; the limits of pose and coverage stand in the recipe",
    )
