"""Runs shards in this process, in worker processes that also look for landmarks, or on an executor that is handed in.

Tasks come as they can be made: where the next one waits for landmarks, the iterator of tasks yields the future that it
waits for in place of a task.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import faulthandler
import os
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

from fdgen.contract.records import ShardReceipt
from fdgen.errors import DatasetError, FdError
from fdgen.faces.sources import FaceSource, Source
from fdgen.io.counters import Counters
from fdgen.pipeline.plan import Looked
from fdgen.pipeline.worker import ShardTask, make_shard
from fdgen.runtime.main_guard import MainGuard
from fdgen.runtime.native_stderr import STDERR_FD
from fdgen.runtime.processes import interrupts_held, last_words, settle_worker
from fdgen.runtime.scratch import Scratch
from fdgen.runtime.worker_processes import WorkerProcesses

OnSamples = Callable[[int], None]
"""Called with the number of samples in shards that are still being made."""

Tasks = Iterator[ShardTask | Future[Looked]]

Detect = Callable[..., Looked]
"""`Steps.detect`."""

POLL_SECONDS = 0.2


class Stopped(Exception):  # noqa: N818 - not an error: the parent asked for it
    """Raised in a worker whose parent wants no more."""


def run_here(tasks: Tasks, on_samples: OnSamples) -> Generator[ShardReceipt]:
    """Make shards one after the other in this process."""
    for task in tasks:
        if isinstance(task, Future):
            concurrent.futures.wait([task], POLL_SECONDS)
        else:
            yield make_shard(task, on_samples)


def run_on(executor: concurrent.futures.Executor, tasks: Tasks, limit: int) -> Generator[ShardReceipt]:
    """Make shards on an executor of the caller's, `limit` in flight; yield receipts as they come."""
    yield from _drain(executor, make_shard, tasks, [*range(limit)])


class WorkerPool:
    """Processes of our own for the life of a build: they find landmarks and make shards. A context manager.

    They are started when there is something for them to do, each keeps its detector and its occluders, and all end with
    the block, however it ends.
    """

    def __init__(self, workers: int, faces: FaceSource) -> None:
        self.workers, self._faces = workers, faces
        # One shard waits behind each that is being made, so that no worker idles while a receipt is looked at.
        self._slots = [*range(1, 2 * workers + 1)]
        self._executor: WorkerProcesses | None = None
        self._counters: Counters | None = None
        self._guard = MainGuard()
        self._scratch: Scratch | None = None

    def __enter__(self) -> WorkerPool:
        self._guard.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        if self._counters is not None:
            self._counters[0] = 1  # workers give up their shard at the next sample; the files of finished ones stay
        if self._executor is not None:
            self._executor.shutdown(wait=True, cancel_futures=True)
        if self._counters is not None:
            self._counters.close()
        if self._scratch is not None:
            self._scratch.close()
        self._guard.__exit__()

    def look(self, detect: Detect, batch: Sequence[Source], size_px: int) -> Future[Looked]:
        """Find the landmarks of photographs in a worker."""
        with interrupts_held(), self._explained("landmarks were looked for"):
            return self._started()[0].submit(_look, detect, batch, size_px)

    def run(self, tasks: Tasks, on_samples: OnSamples) -> Generator[ShardReceipt]:
        """Make shards; yield receipts as they come. `on_samples` is called several times a second meanwhile."""
        with self._explained("a shard was made"):
            executor, counters = self._started()

            def on_tick(busy: set[int]) -> None:
                for slot in self._slots:  # free again: what the last shard counted there no longer counts
                    if slot not in busy:
                        counters[slot] = 0
                if busy:
                    on_samples(sum(counters[slot] for slot in busy))

            yield from _drain(executor, _count_shard, tasks, [*self._slots], on_tick)

    def broken(self, when: str) -> FdError:
        """Return the error of a worker that died while something was done."""
        if (unguarded := self._guard.error()) is not None:
            return unguarded
        words = "" if self._scratch is None else last_words(self._scratch.path)
        return DatasetError(
            f"a worker process died while {when}{words}",
            hint="run the same command again, with fewer workers: finished shards are kept, and landmarks in the cache",
        )

    @contextlib.contextmanager
    def _explained(self, when: str) -> Iterator[None]:
        try:
            yield
        except BrokenProcessPool as error:
            raise self.broken(when) from error
        except BrokenPipeError as error:  # it had gone before it was told what it is to be
            if self._guard.error() is None:
                raise
            raise self.broken(when) from error

    def _started(self) -> tuple[WorkerProcesses, Counters]:
        if self._scratch is None:
            self._scratch = Scratch("workers")
        if self._counters is None:
            self._counters = Counters(self._scratch.path / "counters", len(self._slots) + 1)
        if self._executor is None:
            self._executor = WorkerProcesses(
                self.workers, _start_worker, (self._counters, self._faces, self._scratch.path)
            )
        return self._executor, self._counters


def _drain(
    executor: concurrent.futures.Executor,
    make: Callable[[ShardTask], ShardReceipt],
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
                    flying[executor.submit(make, task)] = task
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

    counters: Counters  # shared with the parent; entry 0 asks to stop, the others count samples
    faces: FaceSource


_worker = _Worker()


def _start_worker(counters: Counters, faces: FaceSource, logs: Path) -> None:
    """Prepare a worker process, which counts for its parent, and whose standard error goes to a file."""
    log = os.open(logs / f"{os.getpid()}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, STDERR_FD)
    faulthandler.enable(log)
    settle_worker()
    _worker.counters, _worker.faces = counters, faces


def _look(detect: Detect, batch: Sequence[Source], size_px: int) -> Looked:
    """Find landmarks in this worker, which keeps its detector."""
    if _worker.counters[0]:
        raise Stopped
    return detect(_worker.faces, batch, size_px=size_px, cache=None, workers=0)


def _count_shard(task: ShardTask) -> ShardReceipt:
    """Run `make_shard` in a worker of our own pool."""

    def count(done: int) -> None:
        if _worker.counters[0]:
            raise Stopped
        _worker.counters[task.slot] = done

    _worker.counters[task.slot] = 0
    return make_shard(task, count)
