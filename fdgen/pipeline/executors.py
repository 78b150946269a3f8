"""Makes and checks shards in this process, in worker processes that also detect landmarks, or on a given executor.

Tasks come as they can be made: where the next one waits for landmarks, the iterator of tasks yields the future that it
waits for in place of a task.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, Protocol, TypeVar

from fdgen.contract.records import Reject, ShardReceipt
from fdgen.errors import DatasetError
from fdgen.faces.sources import FaceSource, Source
from fdgen.faces.supervised_pool import SupervisedPool, WorkersLost
from fdgen.io.counters import Counters
from fdgen.pipeline.face_queue import Looked
from fdgen.pipeline.resume import Checked, ShardCheck, check_shard
from fdgen.pipeline.worker import ShardTask, make_shard
from fdgen.runtime.processes import interrupts_held

R = TypeVar("R")

OnSamples = Callable[[int], None]
"""Called with the number of samples in shards that are still being made."""

OnSetback = Callable[[str], None]
"""Called with a sentence where a worker hung or died, and was replaced."""

Task = ShardTask | ShardCheck
Outcome = ShardReceipt | Checked
"""What comes of a task: the receipt of a shard that was made, or what came of a check."""

Tasks = Iterator[Task | Future[Any]]

Detect = Callable[..., Looked]
"""`Steps.detect`."""

POLL_SECONDS = 0.2


def run_here(tasks: Tasks, on_samples: OnSamples) -> Generator[Outcome]:
    """Do tasks one after the other in this process."""
    for task in tasks:
        if isinstance(task, Future):
            concurrent.futures.wait([task], POLL_SECONDS)
        else:
            yield check_shard(task) if isinstance(task, ShardCheck) else make_shard(task, on_samples)


class Pool(Protocol):
    """Finds landmarks, makes and checks shards, and looks into receipts elsewhere."""

    @property
    def started(self) -> bool:
        """Whether it works already: its start costs nothing more."""

    def look(self, detect: Detect, batch: Sequence[Source], size_px: int) -> Future[Looked]:
        """Begin to find the landmarks of photographs."""

    def run(self, tasks: Tasks, on_samples: OnSamples) -> Generator[Outcome]:
        """Make and check shards; yield what comes of them as it comes."""

    def each(self, function: Callable[..., R], arguments: Iterable[tuple[Any, ...]]) -> Iterator[R]:
        """Call a function of a module for each tuple of arguments; yield the results in order."""

    def tell(self) -> None:
        """Say what has gone wrong with workers since this was called last."""


class ExecutorPool:
    """An executor of the caller's, on this machine or on many: it is given landmarks to find and shards to make.

    One shard waits behind each of `workers` that are being made. Nobody watches the photographs there.
    """

    started = True

    def __init__(self, executor: concurrent.futures.Executor, workers: int, faces: FaceSource) -> None:
        self._executor, self._faces, self._limit = executor, faces, 2 * workers

    def look(self, detect: Detect, batch: Sequence[Source], size_px: int) -> Future[Looked]:
        """Find the landmarks of photographs in a task."""
        return self._executor.submit(_look_elsewhere, detect, self._faces, batch, size_px)

    def run(self, tasks: Tasks, on_samples: OnSamples) -> Generator[Outcome]:
        """Make and check shards, each in a task; yield what comes of them as it comes."""

        def submit(task: Task) -> Future[Any]:
            if isinstance(task, ShardCheck):
                return self._executor.submit(check_shard, task)
            return self._executor.submit(make_shard, task)

        yield from _drain(submit, tasks, [*range(self._limit)])

    def each(self, function: Callable[..., R], arguments: Iterable[tuple[Any, ...]]) -> Iterator[R]:
        """Call a function for each tuple of arguments, each in a task; yield the results in order."""
        return _in_order(lambda one: self._executor.submit(function, *one), arguments, self._limit)

    def tell(self) -> None:
        """Say nothing: an executor replaces its workers itself."""


class WorkerPool:
    """Processes of our own for the life of a build: they find landmarks and make shards. A context manager.

    They are started when there is something for them to do, each keeps its detector and its occluders, and all end with
    the block, however it ends. No photograph may keep one for longer than `time_limit_s`; see
    `fdgen.faces.supervised_pool`.
    """

    def __init__(
        self, workers: int, faces: FaceSource, time_limit_s: float | None, on_setback: OnSetback | None = None
    ) -> None:
        # One shard waits behind each that is being made, so that no worker idles while a receipt is looked at.
        self._slots = [*range(2 * workers)]
        self._pool = SupervisedPool(workers, _prepare, (faces,), limit_s=time_limit_s, n_numbers=len(self._slots))
        self._on_setback = on_setback

    def __enter__(self) -> WorkerPool:
        self._pool.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        try:
            self.tell()
        finally:
            self._pool.__exit__(*error)  # workers give up their shard; the files of finished ones stay

    def look(self, detect: Detect, batch: Sequence[Source], size_px: int) -> Future[Looked]:
        """Find the landmarks of photographs in a worker."""
        with interrupts_held():
            return self._pool.submit(_look, (detect, batch, size_px), [(source, 0) for source in batch])

    @property
    def started(self) -> bool:
        """Whether there are processes already."""
        return self._pool.started > 0

    def run(self, tasks: Tasks, on_samples: OnSamples) -> Generator[Outcome]:
        """Make and check shards; yield what comes of them. `on_samples` is called several times a second meanwhile."""

        def on_tick(busy: set[int]) -> None:
            self.tell()
            if (counters := self._pool.numbers) is None:
                return
            for slot in self._slots:  # free again: what the last shard counted there no longer counts
                if slot not in busy:
                    counters[slot] = 0
            if busy:
                on_samples(sum(counters[slot] for slot in busy))

        def submit(task: Task) -> Future[Any]:
            if isinstance(task, ShardCheck):
                return self._pool.submit(_check, task, [])
            photographs = [(candidate.source, candidate.variant) for candidate in task.plan.candidates]
            return self._pool.submit(_count_shard, task, photographs)

        try:
            yield from _drain(submit, tasks, [*self._slots], on_tick)
        except WorkersLost as error:
            raise lost(error, "a shard was made or checked") from error

    def each(self, function: Callable[..., R], arguments: Iterable[tuple[Any, ...]]) -> Iterator[R]:
        """Call a function in workers for each tuple of arguments; yield the results in order."""
        try:
            yield from _in_order(
                lambda one: self._pool.submit(_call, (function, one), []), arguments, len(self._slots), self.tell
            )
        except WorkersLost as error:
            raise lost(error, "the dataset was finished") from error

    def tell(self) -> None:
        """Say what has gone wrong with workers since this was called last."""
        for sentence in self._pool.setbacks():
            if self._on_setback is not None:
                self._on_setback(sentence)


def lost(error: WorkersLost, when: str) -> DatasetError:
    """Return the error of workers that died, at no photograph in particular, while something was done."""
    return DatasetError(
        f"a worker process died while {when}{error.words}",
        hint="run the same command again, with fewer workers: finished shards are kept, and landmarks in the cache",
    )


def _in_order(
    submit: Callable[[tuple[Any, ...]], Future[R]],
    arguments: Iterable[tuple[Any, ...]],
    limit: int,
    on_tick: Callable[[], None] = lambda: None,
) -> Iterator[R]:
    """Keep `limit` calls in flight; yield their results in the order of the arguments."""
    flying: deque[Future[R]] = deque()
    remaining = iter(arguments)
    try:
        while True:
            while len(flying) < limit and (one := next(remaining, None)) is not None:
                with interrupts_held():
                    flying.append(submit(one))
            if not flying:
                return
            while not flying[0].done():
                concurrent.futures.wait([flying[0]], POLL_SECONDS)
                on_tick()
            yield flying.popleft().result()
    finally:
        for future in flying:
            future.cancel()


def _drain(
    submit: Callable[[Task], Future[Any]],
    tasks: Tasks,
    slots: list[int],
    on_tick: Callable[[set[int]], None] = lambda busy: None,
) -> Generator[Outcome]:
    """Keep one task in flight for each slot; yield what comes of them as it comes, in any order."""
    flying: dict[Future[Any], Task] = {}
    try:
        while True:
            awaited: Future[Any] | None = None
            while slots and awaited is None and (task := next(tasks, None)) is not None:
                if isinstance(task, Future):
                    awaited = task
                    continue
                task = dataclasses.replace(task, slot=slots.pop())
                with interrupts_held():
                    flying[submit(task)] = task
            if not flying and awaited is None:
                return
            futures: list[Future[Any]] = [*flying, *([] if awaited is None else [awaited])]
            concurrent.futures.wait(futures, POLL_SECONDS, concurrent.futures.FIRST_COMPLETED)
            for future in [one for one in flying if one.done()]:
                task = flying.pop(future)
                slots.append(task.slot)
                yield future.result()
            on_tick({task.slot for task in flying.values()})
    finally:
        for future in flying:
            future.cancel()


class _Worker:
    """What a worker process keeps between tasks."""

    counters: Counters  # shared with the parent: samples of each shard under way
    faces: FaceSource


_worker = _Worker()


def _prepare(counters: Counters, faces: FaceSource) -> None:
    _worker.counters, _worker.faces = counters, faces


def _look(
    task: tuple[Detect, Sequence[Source], int], given_up: Mapping[int, Reject], at: Callable[[int], None]
) -> Looked:
    """Find landmarks in this worker, which keeps its detector."""
    detect, batch, size_px = task
    looked: dict[str, Any] = {batch[place].sha256: reject for place, reject in given_up.items()}
    for place, source in enumerate(batch):
        if place not in given_up:
            at(place)
            looked.update(detect(_worker.faces, [source], size_px=size_px, cache=None, workers=0))
    at(-1)
    return looked


def _look_elsewhere(detect: Detect, faces: FaceSource, batch: Sequence[Source], size_px: int) -> Looked:
    """Find landmarks in a process of an executor, or in a thread of this one."""
    return detect(faces, batch, size_px=size_px, cache=None, workers=0)


def _check(check: ShardCheck, given_up: Mapping[int, Reject], at: Callable[[int], None]) -> Checked:
    """Check a shard in a worker of our own pool, which is at no photograph meanwhile."""
    return check_shard(check, at)


def _call(
    task: tuple[Callable[..., R], tuple[Any, ...]], given_up: Mapping[int, Reject], at: Callable[[int], None]
) -> R:
    """Call a function in a worker of our own pool."""
    function, arguments = task
    return function(*arguments)


def _count_shard(task: ShardTask, given_up: Mapping[int, Reject], at: Callable[[int], None]) -> ShardReceipt:
    """Run `make_shard` in a worker of our own pool."""

    def count(done: int) -> None:
        _worker.counters[task.slot] = done

    _worker.counters[task.slot] = 0
    return make_shard(dataclasses.replace(task, given_up={**task.given_up, **given_up}), count, at)
