"""One worker process of a pool: starts it, sends it tasks, kills it if it hangs; and the code that it runs."""

from __future__ import annotations

import contextlib
import faulthandler
import itertools
import multiprocessing
import os
import pickle
import signal
import threading
import time
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from fdgen.faces.sources import CRASHED, TOOK_TOO_LONG
from fdgen.io.counters import Counters
from fdgen.runtime.native_stderr import STDERR_FD
from fdgen.runtime.processes import settle_worker

FIRST = 3
"""Times the limit for the first photograph of a task: a new process makes its detector then, or loads its occluders."""

BETWEEN = 10
"""Times the limit for what is no photograph's: a process that starts, a shard that waits for a slow disk."""

TICK_S = 0.2
GRACE_S = 10.0
"""How long workers have for what they are at, when no more is wanted of them."""


class Stopped(Exception):  # noqa: N818 - not an error: the parent asked for it
    """Raised in a worker whose parent wants no more."""


class WorkerSlot:
    """Where one worker is at a time, with the process that is there now.

    Of the marks, entry 0 asks all to stop; of a slot there is one that counts the steps of its process, and one with
    the number of the photograph it is at, from 1.
    """

    def __init__(self, number: int) -> None:
        self.number = number
        self.marks: Counters
        self.process: Any = None
        self._pipe: Connection[Any, Any] | None = None
        self._lock = threading.Lock()  # so that no worker is killed for what it has just finished
        self._busy = False
        self._killed_s: float | None = None
        self._limit_s = 0.0
        self._waited_s = 0.0
        self._steps = self._steps_before = 0

    # In the thread that minds

    @contextlib.contextmanager
    def at_work(self) -> Any:
        """Have the worker watched for a block, which asks it for something."""
        with self._lock:
            self._busy, self._waited_s = True, 0.0
            self._steps = self._steps_before = self.marks[1 + 2 * self.number]
        try:
            yield
        finally:
            with self._lock:
                self._busy = False

    def start(self, arguments: tuple[Any, ...]) -> None:
        """Start a process."""
        context = multiprocessing.get_context("spawn")  # a forked child of a process that used mediapipe hangs
        here, there = context.Pipe()
        self._killed_s = None
        self._pipe = here
        process = context.Process(target=_serve, args=(there, *arguments), daemon=True)
        try:
            process.start()
        finally:
            there.close()
        self.process = process

    def ask(self, order: bytes) -> bytes:
        """Send what is to be done; return what comes back. Raises `EOFError` or `OSError` where the worker is gone."""
        if self._pipe is None:
            raise EOFError
        self._pipe.send_bytes(order)
        while not self._pipe.poll(TICK_S):
            # A process that waits for a dead disk cannot even be killed: it is left behind.
            if self._killed_s is not None and time.monotonic() - self._killed_s > GRACE_S:
                raise EOFError
        return self._pipe.recv_bytes()

    def bury(self) -> tuple[int, str, str]:
        """Clear the slot; return the photograph that the worker was at (-1: none), the reason, and words for that."""
        how, reason = "died", CRASHED
        if self.process is not None:
            self.process.join(GRACE_S / 10)  # it closed its pipe as it died; what was stopped at once does not
            if self._killed_s is None and self.process.exitcode is None:
                self.process.kill()
                self.process.join(GRACE_S / 10)
            if self._killed_s is not None:
                how, reason = f"made no progress for {self._limit_s:g} s", TOOK_TOO_LONG
            elif (code := self.process.exitcode) is not None and code < 0:
                with contextlib.suppress(ValueError):
                    how = f"died ({signal.Signals(-code).name})"
        at = self.marks[2 + 2 * self.number] - 1
        self._forget()
        self.marks[1 + 2 * self.number] = self.marks[2 + 2 * self.number] = 0
        return at, reason, how

    def leave(self) -> None:
        """Let the process go, which ends when it hears no more."""
        if self._pipe is not None:
            self._pipe.close()
        if self.process is not None:
            self.process.join(GRACE_S)
            if self.process.exitcode is None:
                self.process.kill()
                self.process.join(GRACE_S)
        self._forget()

    def _forget(self) -> None:
        if self._pipe is not None:
            self._pipe.close()
        self.process = self._pipe = None

    # In the thread that watches

    def watch(self, passed_s: float, limit_s: float | None, *, ended: bool) -> None:
        """Kill the worker where it has been at the same step for too long, or all is ended."""
        with self._lock:
            steps, at = self.marks[1 + 2 * self.number], self.marks[2 + 2 * self.number]
            if not self._busy or self.process is None or self._killed_s is not None:
                self._waited_s = 0.0
                return
            self._waited_s = self._waited_s + passed_s if steps == self._steps else 0.0
            self._steps = steps
            times = BETWEEN if not at else FIRST if steps - self._steps_before <= 2 else 1
            if ended or (limit_s is not None and self._waited_s > limit_s * times):
                self._limit_s = (limit_s or 0.0) * times
                self._killed_s = time.monotonic()
                self.process.kill()


# In a worker


def _serve(
    pipe: Connection[Any, Any],
    number: int,
    marks: Counters,
    folder: Path,
    prepare: Callable[..., None],
    arguments: tuple[Any, ...],
) -> None:
    """Do what the parent asks, until it asks no more. Standard error goes to a file."""
    log = os.open(folder / f"{os.getpid()}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, STDERR_FD)
    faulthandler.enable(log)
    settle_worker()
    prepare(*arguments)
    steps = itertools.count(1)

    def at(place: int) -> None:
        marks[2 + 2 * number] = place + 1
        marks[1 + 2 * number] = next(steps)
        if marks[0]:
            raise Stopped

    while True:
        try:
            order = pipe.recv_bytes()
        except (EOFError, OSError):
            return
        try:
            at(-1)
            work, task, spared = pickle.loads(order)  # noqa: S301 - from our own parent
            answer = pickle.dumps((True, work(task, spared, at)))
        except BaseException as error:  # noqa: BLE001 - raised where the parent waits for it
            answer = _packed(error)
        marks[2 + 2 * number] = 0
        pipe.send_bytes(answer)


class _Trace(Exception):  # noqa: N818 - the cause of another
    """What an error's traceback was in the worker, in words."""

    def __str__(self) -> str:
        return f"\n{self.args[0]}"


def _packed(error: BaseException) -> bytes:
    trace = _Trace("".join(traceback.format_exception(error)))
    try:
        return pickle.dumps((False, _Sent(error, trace)))
    except (pickle.PicklingError, AttributeError, TypeError):
        return pickle.dumps((False, _Sent(RuntimeError(repr(error)), trace)))


class _Sent:
    """An error that is sent with its traceback: pickled alone it would lose that."""

    def __init__(self, error: BaseException, cause: _Trace) -> None:
        self.error, self.cause = error, cause

    def __reduce__(self) -> tuple[Any, ...]:
        return _with_cause, (self.error, self.cause)


def _with_cause(error: BaseException, cause: _Trace) -> BaseException:
    error.__cause__ = cause
    return error
