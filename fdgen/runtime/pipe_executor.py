"""An executor of worker processes that talks through pipes alone.

`concurrent.futures` has one that needs semaphores: those lie in /dev/shm, which containers make tiny or read-only, and
stay there when a whole group of processes is killed.
"""

from __future__ import annotations

import atexit
import concurrent.futures
import contextlib
import multiprocessing
import multiprocessing.connection
import pickle
import threading
import traceback
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from multiprocessing.reduction import ForkingPickler
from typing import Any, cast

_STOP = b""


@dataclass
class _Worker:
    process: BaseProcess
    is_ready: bool = False
    """Has been started up, and waits for a task or works on one."""
    future: Future[Any] | None = None
    """Of the task that it works on."""


class PipeExecutor(concurrent.futures.Executor):
    """Up to `workers` new processes, started as tasks come and kept until the shutdown; tasks begin in their order.

    `begin(*arguments)` is called first in each. When a process dies, the others are ended, and every task that has no
    result raises `BrokenProcessPool`.
    """

    def __init__(self, workers: int, begin: Callable[..., object], arguments: tuple[Any, ...]) -> None:
        self._most, self._begin, self._arguments = workers, begin, arguments
        self._context = multiprocessing.get_context("spawn")  # a fork hangs once mediapipe or torch had threads
        self._lock = threading.Lock()
        self._waiting: deque[tuple[Future[Any], bytes]] = deque()
        self._workers: dict[Connection, _Worker] = {}
        self._heard, self._waker = self._context.Pipe(duplex=False)
        self._is_broken = self._is_closing = self._is_woken = False
        self._thread = threading.Thread(target=self._manage, daemon=True)
        self._thread.start()
        atexit.register(self._abandon)

    def submit(self, function: Callable[..., Any], /, *arguments: Any, **options: Any) -> Future[Any]:
        """Begin a task; its future raises what the task raises."""
        data = bytes(ForkingPickler.dumps((function, arguments, options)))
        future: Future[Any] = Future()
        with self._lock:
            if self._is_broken:
                raise BrokenProcessPool("a worker process died")
            if self._is_closing:
                raise RuntimeError("no task can be begun after the shutdown")
            n_free = sum(worker.future is None for worker in self._workers.values())
            if n_free <= len(self._waiting) and len(self._workers) < self._most:
                self._start()
            self._waiting.append((future, data))
            self._wake()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the processes once no task is left; with `cancel_futures` those that have not begun are cancelled."""
        with self._lock:
            self._is_closing = True
            self._wake()
            if cancel_futures:
                while self._waiting:
                    self._waiting.popleft()[0].cancel()
        if wait:
            self._thread.join()
            atexit.unregister(self._abandon)

    def _wake(self) -> None:
        """Let the thread look again; one message at a time is under way, for a full pipe would block."""
        if not self._is_woken:
            self._is_woken = True
            with contextlib.suppress(OSError):  # after the end
                self._waker.send_bytes(b".")

    def _abandon(self) -> None:
        self.shutdown(wait=False, cancel_futures=True)

    def _start(self) -> None:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=_work, args=(theirs, self._begin, self._arguments))
        try:
            process.start()
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        self._workers[ours] = _Worker(process)

    def _manage(self) -> None:
        """Hand out tasks and take results, in a thread of the parent, until the shutdown or a death."""
        try:
            while self._hand_out():
                with self._lock:
                    connections = [self._heard, *self._workers]
                for connection in multiprocessing.connection.wait(connections):
                    if connection is self._heard:
                        with self._lock:
                            self._heard.recv_bytes()
                            self._is_woken = False
                    else:
                        self._take(cast(Connection, connection))
            for connection, worker in self._workers.items():
                if worker.is_ready:
                    connection.send_bytes(_STOP)
                else:
                    worker.process.kill()  # it has not even begun, and nobody waits for it
        except (EOFError, OSError):
            self._break()
        for connection, worker in self._workers.items():
            worker.process.join()
            connection.close()
        self._heard.close()

    def _hand_out(self) -> bool:
        """Give free workers what waits; return whether there is anything to wait for."""
        with self._lock:
            for connection, worker in self._workers.items():
                while worker.is_ready and worker.future is None and self._waiting:
                    future, data = self._waiting.popleft()
                    if future.set_running_or_notify_cancel():
                        worker.future = future
                        connection.send_bytes(data)
            busy = self._waiting or any(worker.future is not None for worker in self._workers.values())
            return bool(busy) or not self._is_closing

    def _take(self, connection: Connection) -> None:
        data, worker = connection.recv_bytes(), self._workers[connection]
        future, worker.future, worker.is_ready = worker.future, None, True
        if future is None:  # it has begun
            return
        try:
            result, error, trace = pickle.loads(data)  # noqa: S301 - of our own process
        except BaseException as unreadable:  # noqa: BLE001 - any error that a class raises as it is made
            future.set_exception(unreadable)
            return
        if error is None:
            future.set_result(result)
        else:
            error.__cause__ = _TraceError(trace)
            future.set_exception(error)

    def _break(self) -> None:
        with self._lock:
            self._is_broken = True
            left = [worker.future for worker in self._workers.values() if worker.future is not None]
            left += [future for future, _ in self._waiting if future.set_running_or_notify_cancel()]
            self._waiting.clear()
            for worker in self._workers.values():
                worker.process.kill()
        for future in left:
            future.set_exception(BrokenProcessPool("a worker process died"))


class _TraceError(Exception):
    """Where a task raised its error, as text: a traceback does not travel."""

    def __init__(self, trace: str) -> None:
        super().__init__(f"in a worker process:\n{trace}")


def _work(pipe: Connection, begin: Callable[..., object], arguments: tuple[Any, ...]) -> None:
    """Do tasks, in a process of its own, until the parent wants no more or is gone."""
    begin(*arguments)
    try:
        pipe.send_bytes(b"begun")
        while (data := pipe.recv_bytes()) != _STOP:
            pipe.send_bytes(_answer(data))
    except (EOFError, OSError):
        return


def _answer(data: bytes) -> bytes:
    """Return what a task returns or raises, pickled."""
    try:
        function, arguments, options = pickle.loads(data)  # noqa: S301 - of our own parent
        return bytes(ForkingPickler.dumps((function(*arguments, **options), None, "")))
    except BaseException as error:  # noqa: BLE001 - any error goes to the caller
        trace = traceback.format_exc()
        try:
            return bytes(ForkingPickler.dumps((None, error, trace)))
        except (TypeError, AttributeError, ValueError, pickle.PicklingError):
            return bytes(ForkingPickler.dumps((None, RuntimeError(f"{type(error).__name__}: {error}"), trace)))
