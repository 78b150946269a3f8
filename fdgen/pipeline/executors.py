"""Runs shards in this process, in worker processes that also detect landmarks, or on a given executor.

Tasks come as they can be made: where the next one waits for landmarks, the iterator of tasks yields the future that it
waits for in place of a task.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, Protocol

from fdgen.contract.records import Reject, ShardReceipt
from fdgen.errors import DatasetError
from fdgen.faces.sources import FaceSource, Source
from fdgen.faces.supervised_pool import SupervisedPool, WorkersLost
from fdgen.io.counters import Counters
from fdgen.pipeline.plan import Looked
from fdgen.pipeline.worker import ShardTask, make_shard
from fdgen.runtime.processes import interrupts_held

OnSamples = Callable[[int], None]
"""Called with the number of samples in shards that are still being made."""

OnSetback = Callable[[str], None]
"""Called with a sentence where a worker hung or died, and was replaced."""

Tasks = Iterator[ShardTask | Future[Looked]]

Detect = Callable[..., Looked]
"""`Steps.detect`."""

POLL_SECONDS = 0.2


def run_here(tasks: Tasks, on_samples: OnSamples) -> Generator[ShardReceipt]:
    """Make shards one after the other in this process."""
    for task in tasks:
        if isinstance(task, Future):
            concurrent.futures.wait([task], POLL_SECONDS)
        else:
            yield make_shard(task, on_samples)


class Pool(Protocol):
    """Finds landmarks and makes shards elsewhere."""

    def look(self, detect: Detect, batch: Sequence[Source], size_px: int) -> Future[Looked]:
        """Begin to find the landmarks of photographs."""

    def run(self, tasks: Tasks, on_samples: OnSamples) -> Generator[ShardReceipt]:
        """Make shards; yield receipts as they come."""

    def tell(self) -> None:
        """Say what has gone wrong with workers since this was called last."""


class ExecutorPool:
    """An executor of the caller's, on this machine or on many: it is given landmarks to find and shards to make.

    One shard waits behind each of `workers` that are being made. Nobody watches the photographs there.
    """

    def __init__(self, executor: concurrent.futures.Executor, workers: int, faces: FaceSource) -> None:
        self._executor, self._faces, self._limit = executor, faces, 2 * workers

    def look(self, detect: Detect, batch: Sequence[Source], size_px: int) -> Future[Looked]:
        """Find the landmarks of photographs in a task."""
        return self._executor.submit(_look_elsewhere, detect, self._faces, batch, size_px)

    def run(self, tasks: Tasks, on_samples: OnSamples) -> Generator[ShardReceipt]:
        """Make shards, each in a task; yield receipts as they come."""
        yield from _drain(lambda task: self._executor.submit(make_shard, task), tasks, [*range(self._limit)])

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

    def run(self, tasks: Tasks, on_samples: OnSamples) -> Generator[ShardReceipt]:
        """Make shards; yield receipts as they come. `on_samples` is called several times a second meanwhile."""

        def on_tick(busy: set[int]) -> None:
            self.tell()
            if (counters := self._pool.numbers) is None:
                return
            for slot in self._slots:  # free again: what the last shard counted there no longer counts
                if slot not in busy:
                    counters[slot] = 0
            if busy:
                on_samples(sum(counters[slot] for slot in busy))

        def submit(task: ShardTask) -> Future[ShardReceipt]:
            photographs = [(candidate.source, candidate.variant) for candidate in task.plan.candidates]
            return self._pool.submit(_count_shard, task, photographs)

        try:
            yield from _drain(submit, tasks, [*self._slots], on_tick)
        except WorkersLost as error:
            raise lost(error, "a shard was made") from error

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


def _drain(
    submit: Callable[[ShardTask], Future[ShardReceipt]],
    tasks: Tasks,
    slots: list[int],
    on_tick: Callable[[set[int]], None] = lambda busy: None,
) -> Generator[ShardReceipt]:
    """Keep one task in flight for each slot; yield receipts as they come, whatever their order."""
    flying: dict[Future[ShardReceipt], ShardTask] = {}
    try:
        while True:
            awaited: Future[Looked] | None = None
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


def _count_shard(task: ShardTask, given_up: Mapping[int, Reject], at: Callable[[int], None]) -> ShardReceipt:
    """Run `make_shard` in a worker of our own pool."""

    def count(done: int) -> None:
        _worker.counters[task.slot] = done

    _worker.counters[task.slot] = 0
    return make_shard(dataclasses.replace(task, given_up={**task.given_up, **given_up}), count, at)
