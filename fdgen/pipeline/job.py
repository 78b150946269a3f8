"""A build under way: what is asked, what is there, and the rounds of shards between."""

from __future__ import annotations

import concurrent.futures
import contextlib
import functools
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from fdgen.contract.records import ShardReceipt, sample_key
from fdgen.dataset.checksums import is_listed
from fdgen.dataset.folder import (
    check_space,
    claimed,
    read_dataset,
    receipt_names,
    refuse_foreign,
    refuse_other_spec,
    write_dataset,
)
from fdgen.dataset.naming import Label, check_label, label_of
from fdgen.dataset.parts import Part, other_part_at_work, record_lock
from fdgen.dataset.shards import receipt_name, shard_name
from fdgen.dataset.spec import make_spec, spec_id
from fdgen.dataset.tables import write_sources
from fdgen.faces.cache import FaceCache
from fdgen.faces.detection import KeptWorkers
from fdgen.faces.exclusion import chosen_faces
from fdgen.faces.given_up import GivenUp, with_given_up
from fdgen.faces.sources import FaceSource, OnFile, Source
from fdgen.faces.supervised_pool import TIME_LIMIT_S
from fdgen.io.storage import Place, absolute
from fdgen.io.stores.opening import store_of
from fdgen.networks import DetectorName
from fdgen.pipeline.dry_run import check_arguments, disk_bytes
from fdgen.pipeline.executors import ExecutorPool, OnSetback, Outcome, Pool, Task, WorkerPool, run_here
from fdgen.pipeline.face_queue import FaceQueue, Looked
from fdgen.pipeline.landmark_store import LandmarkStore
from fdgen.pipeline.plan import Planner, ShardPlan, split_rule
from fdgen.pipeline.resume import ShardCheck, check_shard, planned_receipt
from fdgen.pipeline.shard_summary import each_here
from fdgen.pipeline.worker import ShardTask, Steps, tools_digest
from fdgen.recipe.schema import Recipe
from fdgen.recipe.strata import PASSED_OVER
from fdgen.runtime.main_guard import leave_importing_worker

R = TypeVar("R")

WORTH_WORKERS = 2_000
"""Samples to check, or to finish, for which it is worth starting workers: half a second of CPU each."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a build is. `done` counts samples, those of unfinished shards too; `kept` of them were there before."""

    done: int
    total: int
    kept: int
    rejected: int


@dataclass(frozen=True, kw_only=True)
class Order:
    """All that `fdgen.pipeline.builder.build` is asked, which says what each field means; `part` is for one part."""

    recipe: Recipe
    faces: FaceSource
    out: Place
    count: int | None = None
    name: str | None = None
    version: str | None = None
    workers: int = 1
    executor: concurrent.futures.Executor | None = None
    cache: FaceCache | None = None
    detector: DetectorName = "builtin"
    steps: Steps | None = None
    on_file: OnFile | None = None
    on_trial: Callable[[int, int], None] | None = None
    on_face: Callable[[int, int], None] | None = None
    on_shard: Callable[[ShardReceipt], None] | None = None
    on_progress: Callable[[Progress], None] | None = None
    time_limit_s: float | None = TIME_LIMIT_S
    on_setback: OnSetback | None = None
    given_up: GivenUp | None = None
    part: Part | None = None


@contextlib.contextmanager
def begun(order: Order) -> Iterator[Job]:
    """Claim the folder of an order, and have its planner, landmarks and workers ready for the block.

    Raises what `fdgen.pipeline.builder.build` raises at its start.
    """
    leave_importing_worker()
    check_arguments(order.count, order.workers)
    check_label(order.name, order.version)
    recipe, out, cache, workers = order.recipe, order.out, order.cache, order.workers
    steps = order.steps or Steps.real(recipe.assets.packs, order.detector, recipe.faces.max_outside)
    refuse_foreign(out)
    library = steps.load_library()
    recipe.check_assets(library.digests().keys())
    faces = chosen_faces(order.faces, identity=recipe.faces.identity, exclude=recipe.faces.exclude)
    sources = faces.sources(order.on_file)
    rule = split_rule(recipe.splits, sources)
    targets = steps.find_targets(recipe, library, cache=cache, on_trial=order.on_trial)
    spec = make_spec(recipe, order.count, sources, library.digests(), steps.detector_version())
    own = None
    if workers > 1 and order.executor is None:
        own = WorkerPool(workers, faces, order.time_limit_s, order.on_setback)
    with claimed(out, spec, sources, order.part), own or contextlib.nullcontext(), KeptWorkers() as kept:
        pool = own if order.executor is None else ExecutorPool(order.executor, workers, faces)
        found = read_dataset(out)
        if found is None or found["spec_id"] != spec_id(spec):  # another's, which made nothing
            found = None
        trusted = found if "content_id" not in (found or {}) or is_listed(out, "dataset.json") else None
        label = label_of(recipe.name, trusted, name=order.name, version=order.version)
        given_up = GivenUp.of((found or {}).get("given_up")) | (order.given_up or GivenUp())
        record = Record(out, label, spec, sources, given_up, finished="content_id" in (found or {}), part=order.part)
        if not record.finished:
            record.write()
        write_sources(out / "sources.parquet", sources)
        store = LandmarkStore(
            faces, recipe.size_px, cache, workers, steps, pool, order.on_face,
            watching={"time_limit_s": order.time_limit_s, "on_setback": order.on_setback, "kept": kept},
            given_up=given_up, on_given_up=record.update,
        )  # fmt: skip
        with store as landmarks:
            planner = Planner(recipe, FaceQueue(sources, recipe.seed, landmarks), rule, order.count)
            tally = Tally(planner, order.on_shard, order.on_progress, order.part)
            tools = tools_digest(library)
            yield Job(order, record, faces, spec, steps, tools, targets, landmarks, pool, planner, tally)


@dataclass
class Tally:
    """Counts what is there, and reports it to each listener."""

    planner: Planner
    on_shard: Callable[[ShardReceipt], None] | None
    on_progress: Callable[[Progress], None] | None
    part: Part | None = None
    done: int = 0
    kept: int = 0
    shown: int = 0
    rejects: Counter[str] = field(default_factory=Counter)
    """Of candidates, by reason."""

    def add(self, receipt: ShardReceipt, *, kept: bool) -> None:
        self.done += len(receipt.samples)
        self.kept += len(receipt.samples) if kept else 0
        self.note(receipt)
        if self.on_shard is not None:
            self.on_shard(receipt)
        self.tick(0)

    def note(self, receipt: ShardReceipt) -> None:
        """Take in what became of a shard, of another part too: the next round goes by it."""
        self.rejects.update(reject.reason for reject in receipt.rejects)
        passed_over = [reject for reject in receipt.rejects if reject.reason == PASSED_OVER]
        self.planner.note(
            receipt.name,
            {entry.record.key for entry in receipt.samples},
            {sample_key(reject.source_sha256, reject.variant) for reject in passed_over},
        )

    def tick(self, unfinished: int) -> None:
        self.shown = max(self.shown, self.done + unfinished)  # what was reported once is never taken back
        if self.on_progress is not None:
            total = self.planner.target
            if self.part is not None:  # about: its shards may hold some more or fewer
                total = max(self.shown, round(total / self.part.of))
            self.on_progress(Progress(self.shown, total, self.kept, self.rejects.total()))


@dataclass
class Record:
    """The dataset.json of a build that is not finished, which says what is asked and what was given up so far."""

    out: Place
    label: Label
    spec: dict[str, Any]
    sources: Sequence[Source]
    given_up: GivenUp
    finished: bool
    """Whether the one that is there is of a finished dataset, which has changed in nothing yet."""
    part: Part | None = None
    """The part that it is written by, next to others; None where one process makes the whole."""

    @functools.cached_property
    def spec_id(self) -> str:
        """Digest of what the dataset was asked to be."""
        return spec_id(self.spec)

    def head(self) -> dict[str, Any]:
        """Return what dataset.json says from the start: without a content_id, a dataset is not finished."""
        return {"name": self.label.name, "version": self.label.version, "spec_id": self.spec_id, **self.spec}

    def write(self) -> None:
        """Write it: with what other parts have given up, where there are any.

        Raises `MixingError` where another part, of another spec, has written it since this one looked.
        """
        with contextlib.nullcontext() if self.part is None else record_lock(self.out):
            if self.part is not None:
                self._take_in(self.part)
            write_dataset(self.out, with_given_up(self.head(), *self.given_up.rejects(self.sources)))
        self.finished = False

    def _take_in(self, part: Part) -> None:
        """Add what other parts have given up to what this one has."""
        refuse_other_spec(self.out, self.spec, self.sources, barren=not other_part_at_work(self.out, part))
        there = read_dataset(self.out)
        if there is not None and there["spec_id"] == self.spec_id:
            theirs = GivenUp.of(there.get("given_up"))
            self.given_up.faces.update(theirs.faces)
            self.given_up.samples.update(theirs.samples)

    def update(self) -> None:
        """Record what was given up just now."""
        if not self.finished:
            self.write()


@dataclass
class Job:
    """What stays the same through the rounds of a build."""

    order: Order
    record: Record
    faces: FaceSource
    spec: dict[str, Any]
    steps: Steps
    tools: str
    targets: Any
    landmarks: LandmarkStore
    pool: Pool | None
    planner: Planner
    tally: Tally
    names: list[str] = field(default_factory=list)
    """Of the shards planned so far."""
    waiting: int = 0
    """Shards of the last round that other parts have not made yet."""
    _to_check: deque[str] = field(default_factory=deque)
    """Shards of this round that are there: whether they are whole is looked at while nothing is to be made."""
    _checking: set[str] = field(default_factory=set)
    _damaged: set[str] = field(default_factory=set)
    _begun: bool = False

    @property
    def out(self) -> Place:
        """The folder of the dataset, or its URL."""
        return self.order.out

    def make_round(self) -> None:
        """Make the shards of the next round, or those of this part; `waiting` counts what is missing then.

        What is missing is made first. What is there is checked meanwhile, and made again where it is damaged.
        """
        others: list[str] = []
        tasks = self._tasks(_told(self.planner, self.order.on_face), others)
        with contextlib.closing(self._run(tasks)) as outcomes:
            for outcome in outcomes:
                self._take(outcome)
        self.waiting = 0
        for name in others:
            # Whether its tar is whole, their part checks.
            theirs = planned_receipt(self.out, self.planner.plan(name), self.record.spec_id)
            if theirs is None:
                self.waiting += 1
            else:
                self.tally.note(theirs)
        self.planner.end_round()

    def each(self, function: Callable[..., R], arguments: Iterable[tuple[Any, ...]]) -> Iterator[R]:
        """Call a function for each tuple of arguments, in workers where that is worth it; yield results in order."""
        pool = self._helping(self.tally.done)
        return each_here(function, arguments) if pool is None else pool.each(function, arguments)

    def _run(self, tasks: Iterator[Task | Future[Any]]) -> Generator[Outcome]:
        if self.pool is not None:  # one shard alone, too: here it could hang, or die of its photographs
            return self.pool.run(tasks, self.tally.tick)
        return run_here(tasks, self.tally.tick)

    def _helping(self, samples: int) -> Pool | None:
        """Return the workers where they help with so many samples; None where their start alone costs more."""
        return self.pool if self.pool is not None and (self.pool.started or samples >= WORTH_WORKERS) else None

    def _take(self, outcome: Outcome) -> None:
        """Take in the receipt of a shard that was made, or what came of a check."""
        if isinstance(outcome, ShardReceipt):
            self.tally.add(outcome, kept=False)
            return
        self._checking.discard(outcome.name)
        if outcome.receipt is not None:
            self.tally.add(outcome.receipt, kept=True)
        else:
            self._damaged.add(outcome.name)
            self._to_check.appendleft(outcome.name)

    def _tasks(self, plans: Iterator[ShardPlan | Future[Looked]], others: list[str]) -> Iterator[Task | Future[Any]]:
        """Yield what is to be made, as it is planned, and checks where nothing is; a future where both must wait."""
        for plan in self._mine(plans, others):
            if isinstance(plan, Future):
                yield self._next_check() or plan
            elif store_of(self.out).exists(receipt_name(plan.name)):
                self._to_check.append(plan.name)
            else:
                yield self._making(plan)
        nothing_yet: Future[Any] = Future()
        while self._to_check or self._checking:
            if (task := self._next_check()) is not None:
                yield task
            elif self._checking:
                yield nothing_yet

    def _next_check(self) -> Task | None:
        """Return the check of the next shard that is there, or its making where it was found damaged; None for none."""
        while self._to_check:
            plan = self.planner.plan(self._to_check.popleft())
            if plan.name in self._damaged:
                return self._making(plan)
            self._checking.add(plan.name)
            check = ShardCheck(absolute(self.out), plan, self.record.spec_id)
            if self.pool is None or self._helping(self.planner.target) is not None:
                return check
            self._take(check_shard(check))  # here, where a worker would first have to be started
        return None

    def _making(self, plan: ShardPlan) -> ShardTask:
        self._begin(self.planner.target, len(plan.candidates))
        store = store_of(self.out)
        store.remove(receipt_name(plan.name))  # the receipt first: while there is one, there is a whole shard
        store.remove(shard_name(plan.name))
        return self._task(plan)

    def _mine(
        self, plans: Iterator[ShardPlan | Future[Looked]], others: list[str]
    ) -> Iterator[ShardPlan | Future[Looked]]:
        """Leave the shards of other parts out; their names go to `others`."""
        for plan in plans:
            if isinstance(plan, ShardPlan):
                self.names.append(plan.name)
                if self.order.part is not None and not self.order.part.owns(len(self.names) - 1):
                    others.append(plan.name)
                    continue
            yield plan

    def _begin(self, target: int, least: int) -> None:
        """Before the first shard is made: see that there is room, and that the dataset does not count as finished."""
        if self._begun:
            return
        there = len(receipt_names(self.out)) * self.order.recipe.shards.samples
        check_space(self.out, disk_bytes(self.order.recipe, max(target - there, least)))
        self.record.write()
        self._begun = True

    @property
    def _analyses(self) -> Path | None:
        """The cache of analyses, which shards write to: on this machine alone, for others would wait for each other."""
        elsewhere = self.order.part is not None or self.order.executor is not None
        return None if self.order.cache is None or elsewhere else self.order.cache.path

    def _task(self, plan: ShardPlan) -> ShardTask:
        return ShardTask(
            root=absolute(self.out),
            plan=plan,
            spec_id=self.record.spec_id,
            recipe=self.order.recipe,
            tools=self.tools,
            detector=self.spec["landmarks"],
            faces=self.faces,
            landmarks=self.landmarks.packed([candidate.source for candidate in plan.candidates]),
            cache_path=self._analyses,
            steps=self.steps,
            targets=self.targets,
            given_up={
                place: reject
                for place, candidate in enumerate(plan.candidates)
                if (reject := self.record.given_up.sample(candidate.source, candidate.variant)) is not None
            },
        )


def _told(planner: Planner, on_face: Callable[[int, int], None] | None) -> Iterator[ShardPlan | Future[Looked]]:
    """Yield what the planner does, and report how many photographs have been looked at."""
    told = planner.looked_at
    for plan in planner.next_round():
        if on_face is not None and (planner.looked_at > told or isinstance(plan, Future)):
            told = planner.looked_at
            on_face(told, planner.to_look_at)
        yield plan
