"""Supervised worker processes: a worker that hangs or dies is replaced, and its task is repeated.

A worker notes which photograph it is at, in memory that it shares with its parent, before it begins with it. One that
is at the same photograph for too long is killed. A photograph has one more try, since a machine has accidents (a
stopped process, no memory left); the second time, in the same way, it is given up, and the rest of its task is done
without it.

Each worker has a pipe of its own and a thread of its parent's that minds it: there is no lock and no queue that a
worker killed at a bad moment could leave in pieces.
"""

from __future__ import annotations

import pickle
import signal
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from fdgen.contract.records import Reject
from fdgen.errors import FdError
from fdgen.faces.given_up import giving_up
from fdgen.faces.sources import CRASHED, Source
from fdgen.faces.worker_slot import GRACE_S, TICK_S, Stopped, WorkerSlot
from fdgen.io.counters import Counters
from fdgen.runtime.main_guard import MainGuard
from fdgen.runtime.processes import last_words
from fdgen.runtime.scratch import Scratch

TIME_LIMIT_S = 60.0
"""How long a worker may be at one photograph. A sample takes a tenth of a second; a picture of 100 megapixels, ten."""

TRIES = 2
"""Times that a worker may hang, or die, at the same photograph before that is given up."""

STARTS = 4
"""Times that it may do so for one task at no photograph, where there is nothing to give up but the whole: more, since
what kills processes from outside often kills the next one while it starts."""

Photograph = tuple[Source, int]
"""A photograph and the variant of the sample that is made of it."""

Work = Callable[[Any, Mapping[int, Reject], Callable[[int], None]], Any]
"""Does a task in a worker: given the task, the places of the photographs that are given up, and what to call with the
place of each other one before it is begun, and with -1 after the last."""


class WorkersLost(Exception):  # noqa: N818 - whoever has the pool says what was being done
    """Workers died or hung where they were at no photograph; `words` is what they left, to go on from a sentence."""

    def __init__(self, words: str) -> None:
        super().__init__(words)
        self.words = words


class SupervisedPool:
    """Up to `workers` processes, started when there is something to do; a context manager, with which they end.

    Each calls `prepare(numbers, *arguments)` first: `n_numbers` whole numbers that it shares with this process, where
    they are `numbers` once something was submitted. `limit_s` is the time for one photograph; None waits for ever.
    """

    def __init__(
        self,
        workers: int,
        prepare: Callable[..., None],
        arguments: tuple[Any, ...],
        *,
        limit_s: float | None,
        n_numbers: int = 1,
    ) -> None:
        if limit_s is not None and not limit_s > 0:
            raise FdError(f"the time limit for a photograph must be more than 0 seconds, got {limit_s:g}")
        self._prepare, self._arguments, self._limit_s = prepare, arguments, limit_s
        self._slots = [WorkerSlot(number) for number in range(workers)]
        self._marks: Counters | None = None
        self.numbers: Counters | None = None
        self._n_numbers = n_numbers
        self._jobs: deque[_Job] = deque()
        self._change = threading.Condition()
        self._starting = threading.Lock()  # multiprocessing itself is not made for several threads
        self._closing = threading.Event()
        self._closing_s: float | None = None
        self._idle = 0
        self._setbacks: deque[str] = deque()
        self._guard = MainGuard()
        self._scratch: Scratch | None = None
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> SupervisedPool:
        self._guard.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        with self._change:
            self._closing_s = time.monotonic()
            if self._marks is not None:
                self._marks[0] = 1  # workers give up what they are at before the next photograph
            while self._jobs:
                self._jobs.pop().future.cancel()
            self._closing.set()
            self._change.notify_all()
        for thread in self._threads:
            thread.join()
        for counters in (self._marks, self.numbers):
            if counters is not None:
                counters.close()
        if self._scratch is not None:
            self._scratch.close()
        self._guard.__exit__()

    @property
    def started(self) -> int:
        """How many processes there are, or are about to be."""
        return max(0, len(self._threads) - 1)

    def submit(self, work: Work, task: Any, photographs: Sequence[Photograph]) -> Future[Any]:
        """Have a task done by the next worker that is free; `work` is a function of a module.

        The future raises what the work raised, `FdError` where the workers' script is not fit for it, or `WorkersLost`.
        """
        job = _Job(work, task, photographs)
        with self._change:
            self._jobs.append(job)
            if self.started < len(self._slots) and self._idle < len(self._jobs):
                self._start_thread()
            self._change.notify()
        return job.future

    def setbacks(self) -> list[str]:
        """Return what has gone wrong with workers since this was asked last: a sentence each."""
        return [self._setbacks.popleft() for _ in range(len(self._setbacks))]

    def _start_thread(self) -> None:
        if not self._threads:
            self._scratch = Scratch("workers")
            marks = self._marks = Counters(self._scratch.path / "marks", 1 + 2 * len(self._slots))
            self.numbers = Counters(self._scratch.path / "numbers", self._n_numbers)
            for slot in self._slots:
                slot.marks = marks
            self._threads.append(threading.Thread(target=self._watch, daemon=True))
            self._threads[0].start()
        slot = self._slots[self.started]
        self._threads.append(threading.Thread(target=self._mind, args=(slot,), daemon=True))
        self._threads[-1].start()

    # In the thread of one worker

    def _mind(self, slot: WorkerSlot) -> None:
        """Have jobs done by the worker of a slot, one after the other, until no more are wanted."""
        if hasattr(signal, "pthread_sigmask"):  # inherited by processes, until `settle_worker`
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
        while (job := self._next()) is not None:
            if job.future.set_running_or_notify_cancel():
                try:
                    result = self._done(slot, job)
                except BaseException as error:  # noqa: BLE001 - raised where somebody waits for it
                    job.future.set_exception(error)
                else:
                    job.future.set_result(result)
        slot.leave()

    def _next(self) -> _Job | None:
        with self._change:
            self._idle += 1
            self._change.wait_for(lambda: self._jobs or self._closing_s is not None)
            self._idle -= 1
            return self._jobs.popleft() if self._jobs else None

    def _done(self, slot: WorkerSlot, job: _Job) -> Any:
        """Return what came of a job; raise what it raised."""
        tries: Counter[tuple[int, str]] = Counter()
        spared: dict[int, Reject] = {}
        while True:
            order = pickle.dumps((job.work, job.task, spared))
            try:
                with slot.at_work():
                    if slot.process is None:
                        with self._starting:
                            slot.start(self._serve_arguments(slot))
                    succeeded, result = pickle.loads(slot.ask(order))  # noqa: S301 - from our own child
            except (EOFError, OSError):
                if self._closing_s is not None:
                    raise Stopped from None
                if (unguarded := self._guard.error()) is not None:
                    raise unguarded from None
            else:
                if succeeded:
                    return result
                raise result
            at, reason, how = slot.bury()
            tries[at, reason] += 1
            given_up = tries[at, reason] >= TRIES
            if not 0 <= at < len(job.photographs):
                self._setbacks.append(f"a worker {how} between two photographs, and was replaced")
                if tries[at, reason] >= STARTS:
                    raise WorkersLost(self._last_words() if reason == CRASHED else ": it did nothing for too long")
                continue
            source, variant = job.photographs[at]
            if given_up:
                spared[at] = giving_up(source, variant, reason)
            next_step = "is left out" if given_up else "has one more try"
            self._setbacks.append(f"a worker {how} at {source.path}, which {next_step}")

    def _serve_arguments(self, slot: WorkerSlot) -> tuple[Any, ...]:
        folder = None if self._scratch is None else self._scratch.path
        return slot.number, self._marks, folder, self._prepare, (self.numbers, *self._arguments)

    def _last_words(self) -> str:
        return "" if self._scratch is None else last_words(self._scratch.path)

    # In the thread that watches

    def _watch(self) -> None:
        """Kill workers that hang, until the last of their threads has ended."""
        now_s = time.monotonic()
        while any(thread.is_alive() for thread in self._threads[1:]) or self._closing_s is None:
            if self._closing.wait(TICK_S):
                time.sleep(TICK_S / 10)
            before_s, now_s = now_s, time.monotonic()
            ended = self._closing_s is not None and now_s - self._closing_s > GRACE_S
            for slot in self._slots:
                # Not what the clock says where this process was itself stopped, or starved.
                slot.watch(min(now_s - before_s, 5 * TICK_S), self._limit_s, ended=ended)


@dataclass
class _Job:
    """A task, what does it, and the photographs by which it goes on."""

    work: Work
    task: Any
    photographs: Sequence[Photograph]
    future: Future[Any] = field(default_factory=Future)
