"""Runs shards in this process, in worker processes, or on any executor that is handed in."""

from __future__ import annotations

import concurrent.futures
import ctypes
import dataclasses
import multiprocessing
from collections.abc import Callable, Generator, Iterator
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.sharedctypes import RawArray
from typing import Any

from fdgen.contract import ShardReceipt
from fdgen.errors import DatasetError
from fdgen.processes import interrupts_held, settle_worker
from fdgen.worker import ShardTask, make_shard

OnSamples = Callable[[int], None]
"""Called with the number of samples in shards that are still being made."""

POLL_SECONDS = 0.2

_counters: Any = None  # in a worker: shared with the parent; entry 0 asks to stop, the others count samples


class Stopped(Exception):  # noqa: N818 - not an error: the parent asked for it
    """Raised in a worker whose parent wants no more."""


def run_here(tasks: Iterator[ShardTask], on_samples: OnSamples) -> Generator[ShardReceipt]:
    """Make shards one after the other in this process."""
    for task in tasks:
        yield make_shard(task, on_samples)


def run_on(executor: concurrent.futures.Executor, tasks: Iterator[ShardTask], limit: int) -> Generator[ShardReceipt]:
    """Make shards on an executor of the caller's, `limit` in flight; yield receipts as they come."""
    yield from _drain(executor, make_shard, tasks, [*range(limit)])


def run_workers(workers: int, tasks: Iterator[ShardTask], on_samples: OnSamples) -> Generator[ShardReceipt]:
    """Make shards in `workers` processes of our own, and end them when the iteration ends, however it ends."""
    # One shard waits behind each that is being made, so that no worker idles while a receipt is looked at.
    slots = [*range(1, 2 * workers + 1)]
    context = multiprocessing.get_context("spawn")  # a forked child of a process that used mediapipe hangs
    counters = RawArray(ctypes.c_int64, len(slots) + 1)  # no lock: a worker killed while holding one would hang us

    def on_tick(busy: set[int]) -> None:
        for slot in slots:  # free again: what the last shard counted there no longer counts
            counters[slot] = 0
        on_samples(sum(counters[slot] for slot in busy))

    with concurrent.futures.ProcessPoolExecutor(workers, context, _start_worker, (counters,)) as executor:
        try:
            yield from _drain(executor, _count_shard, tasks, slots, on_tick)
        finally:
            counters[0] = 1  # workers give up their shard at the next sample; the files of finished ones stay
            executor.shutdown(wait=True, cancel_futures=True)


def _drain(
    executor: concurrent.futures.Executor,
    make: Callable[[ShardTask], ShardReceipt],
    tasks: Iterator[ShardTask],
    slots: list[int],
    on_tick: Callable[[set[int]], None] = lambda busy: None,
) -> Generator[ShardReceipt]:
    """Keep one task in flight for each slot; yield receipts as they come, whatever their order."""
    flying: dict[concurrent.futures.Future[ShardReceipt], ShardTask] = {}
    try:
        while True:
            while slots and (task := next(tasks, None)) is not None:
                task = dataclasses.replace(task, slot=slots.pop())
                with interrupts_held():
                    flying[executor.submit(make, task)] = task
            if not flying:
                return
            done, _ = concurrent.futures.wait(flying, POLL_SECONDS, concurrent.futures.FIRST_COMPLETED)
            for future in done:
                task = flying.pop(future)
                slots.append(task.slot)
                yield _result(future, task)
            on_tick({task.slot for task in flying.values()})
    finally:
        for future in flying:
            future.cancel()


def _result(future: concurrent.futures.Future[ShardReceipt], task: ShardTask) -> ShardReceipt:
    try:
        return future.result()
    except BrokenProcessPool as error:
        raise DatasetError(
            f"a worker process died while {task.plan.name} was made; most often the memory was used up",
            hint="run the same command again, with fewer workers: finished shards are kept",
        ) from error


def _start_worker(counters: Any) -> None:
    """Prepare a worker process, which counts for its parent."""
    global _counters
    _counters = counters
    settle_worker()


def _count_shard(task: ShardTask) -> ShardReceipt:
    """Run `make_shard` in a worker of our own pool."""

    def count(done: int) -> None:
        if _counters[0]:
            raise Stopped
        _counters[task.slot] = done

    _counters[task.slot] = 0
    return make_shard(task, count)
