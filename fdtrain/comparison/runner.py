"""All rows of a comparison in turn, each in its own process: a failure there loses no other row."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from fdgen.errors import FdError
from fdgen.io.json_file import read_object
from fdgen.runtime.main_guard import MainGuard, leave_importing_worker
from fdgen.runtime.pipe_executor import PipeExecutor
from fdtrain.comparison.plan import Ask, Task, split_sha256
from fdtrain.comparison.resolve_auto import resolve_auto
from fdtrain.comparison.task import RESULT_FILE, Moved, work
from fdtrain.data.triplets import TripletDataset
from fdtrain.errors import RunError
from fdtrain.run_files import folder_lock, write_text
from fdtrain.training.run import refuse_occupied
from fdtrain.training.weight_files import weights_sha256

ASK_FILE, STOP_FILE, ERROR_FILE = "compare.json", ".stop", "error.txt"

LOOKED_S = 0.1
"""How often a working process is looked after, in seconds."""

TOLD_S = 0.25
"""How often a working process reports how far it is, at most, in seconds."""


@dataclass(frozen=True)
class Done:
    """How the tasks of a comparison ended: folders of results by task, reasons of those that failed, or `stopped`."""

    results: dict[Task, Path]
    failed: dict[Task, str]
    stopped: bool


@dataclass(frozen=True)
class Watch:
    """Hears what goes on: a task begins (how many are done, of how many), moves on, and ends, with a reason."""

    on_begin: Callable[[Task, int, int], None]
    on_moved: Callable[[Task, Moved], None]
    on_end: Callable[[Task, str | None], None]


def compare(
    tasks: Sequence[Task],
    ask: Ask,
    out: Path,
    *,
    watch: Watch,
    asked_to_stop: Callable[[], bool],
    on_folder: Callable[[Path], None] | None = None,
) -> Done:
    """Do every task that is not done yet in the folder `out`; call it again to go on, also after a kill.

    A task that fails is reported and tried again the next time.

    Args:
        tasks: All rows and seeds, in their order.
        ask: The terms that all share.
        out: Folder of the comparison.
        watch: What is called as a task begins, moves on and ends.
        asked_to_stop: Whether to stop; asked between tasks and during each.
        on_folder: Called before any task, once the folder is known to be this comparison's; None for none.

    Raises `RunError` where the folder holds another comparison, and `DatasetError` where there is nothing to compare
    on.
    """
    leave_importing_worker()
    dataset = TripletDataset(ask.data, "test", size_px=ask.size_px, limit=ask.limit)
    with folder_lock(out):
        ask = resolve_auto(ask, [task.what for task in tasks if task.kind == "trained"], out / ASK_FILE)
        _record(ask, dataset, out)
        if on_folder is not None:
            on_folder(out)
        stop_file = out / STOP_FILE
        stop_file.unlink(missing_ok=True)
        failed: dict[Task, str] = {}
        with _Worker() as worker:
            for n_done, task in enumerate(tasks):
                if is_done(task, out):
                    continue
                if asked_to_stop():
                    break
                watch.on_begin(task, n_done, len(tasks))
                future = worker.submit(task, ask, out, stop_file)
                reason = _awaited(future, worker.heard, task, out, stop_file, watch, asked_to_stop)
                if (unguarded := worker.guard.error()) is not None:
                    raise unguarded
                if asked_to_stop():
                    break
                if reason is None and not is_done(task, out):
                    reason = "it ended without a result"
                if reason is not None:
                    failed[task] = reason
                watch.on_end(task, reason)
        stop_file.unlink(missing_ok=True)
        results = {task: task.place(out) for task in tasks if is_done(task, out)}
        return Done(results, failed, stopped=asked_to_stop() and len(results) + len(failed) < len(tasks))


def is_done(task: Task, out: Path) -> bool:
    """Return whether a task has its result; that of other weights than the file holds now is none."""
    path = task.place(out) / RESULT_FILE
    if not path.is_file():
        return False
    facts = read_object(path, error=RunError, hint="delete it: that row is then measured again")
    if facts.get("what") != task.what and task.kind != "weights":
        raise RunError(f"{path} is of {facts.get('what')}, not of {task.what}", hint="name another folder with --out")
    if facts.get("overrides", []) != list(task.overrides):
        raise RunError(
            f"{path} was trained with {facts.get('overrides') or 'no changes'}, not with {list(task.overrides)}",
            hint="name another folder with --out",
        )
    return task.kind != "weights" or bool(facts.get("weights_sha256") == weights_sha256(task.what))


UNSAID = {"finish": "none"}
"""What was asked where a comparison of before a term existed says nothing of it."""


def _record(ask: Ask, dataset: TripletDataset, out: Path) -> None:
    """Write down what is asked, or refuse a folder where something else was."""
    wanted = {**ask.recorded(), "content_id": dataset.content_id, "test_sha256": split_sha256(dataset)}
    path = out / ASK_FILE
    if not path.exists():
        refuse_occupied(out, "a comparison")
        write_text(path, json.dumps(wanted, indent=2) + "\n")
        return
    recorded = read_object(path, error=RunError, hint="name another --out")
    changed = [
        f"{name} was {recorded.get(name)}, now it is {value}"
        for name, value in wanted.items()
        if recorded.get(name, UNSAID.get(name)) != value and name != "auto"  # which is as recorded, wherever it was
    ]
    if changed:
        raise RunError(
            f"{out} was begun with other settings: {'; '.join(changed)}",
            hint="rows may be added, but all have one budget and one test split: name another folder with --out",
        )
    if wanted["auto"] is not None and recorded.get("auto", "former") is None:  # the first row that needs it
        write_text(path, json.dumps(wanted, indent=2) + "\n")


def _awaited(
    future: Future[None],
    heard: Connection,
    task: Task,
    out: Path,
    stop_file: Path,
    watch: Watch,
    asked_to_stop: Callable[[], bool],
) -> str | None:
    """Wait for a working process, and report how far it is; return why it failed, None where it did not."""
    while not future.done():
        wait([future], timeout=LOOKED_S)
        if asked_to_stop() and not stop_file.exists():
            stop_file.touch()
        while heard.poll():
            watch.on_moved(task, heard.recv())
    error = future.exception()
    if error is None:
        return None
    if isinstance(error, BrokenProcessPool):
        return "its process was killed, perhaps from lack of memory"
    if isinstance(error, FdError):
        return f"{error.message} ({error.hint})" if error.hint else error.message
    if not isinstance(error, Exception):
        raise error
    # Not foreseen: the row is lost, and whoever mends it wants to know where.
    path = task.place(out) / ERROR_FILE
    write_text(path, "".join(traceback.format_exception(error)))
    return f"{type(error).__name__}: {error} (see {path})"


class _Worker:
    """A process to work in: the same one until it is killed, then another. Leaves none behind.

    Started as a new process, not forked: torch's threads do not survive a fork.
    """

    def __init__(self) -> None:
        self.guard = MainGuard()
        self.executor, self.heard = self._new()

    def __enter__(self) -> _Worker:
        self.guard.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: object) -> None:
        if kind is not None:  # the second Ctrl-C, or a fault of ours: what it works on can be taken up again
            for process in multiprocessing.active_children():
                process.kill()
        self.executor.shutdown(cancel_futures=True)
        self.guard.__exit__()

    def submit(self, task: Task, ask: Ask, out: Path, stop_file: Path) -> Future[None]:
        """Begin a task."""
        try:
            return self.executor.submit(_work, task, ask, str(out), str(stop_file))
        except BrokenProcessPool:
            self.executor, self.heard = self._new()
            return self.executor.submit(_work, task, ask, str(out), str(stop_file))

    @staticmethod
    def _new() -> tuple[PipeExecutor, Connection]:
        """Return the process, and the end of a pipe at which one hears how far it is."""
        heard, teller = multiprocessing.Pipe(duplex=False)
        return PipeExecutor(1, _settle, (teller,)), heard


_BUSY = threading.Lock()
"""Held by a working process while it works."""


_TELLERS: list[_Teller] = []
"""In a working process: what reports to its parent how far it is."""


class _Teller:
    """Reports to the parent how far its working process is: when a part begins and ends, and between not too often."""

    def __init__(self, pipe: Connection) -> None:
        self.pipe = pipe
        self.part, self.told_s = "", 0.0

    def __call__(self, moved: Moved) -> None:
        now_s = time.monotonic()
        if moved.part == self.part and now_s - self.told_s < TOLD_S and moved.done != moved.total:
            return
        self.part, self.told_s = moved.part, now_s
        with contextlib.suppress(OSError):  # the parent has gone: what is being worked on is saved without it
            self.pipe.send(moved)


def _settle(pipe: Connection) -> None:
    """Prepare a working process: deaf to what a terminal or a scheduler sends to all, gone with its parent.

    Its parent asks it to stop, and kills it where it must.
    """
    _TELLERS.append(_Teller(pipe))
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"  # so that no import opens a connection


def _work(task: Task, ask: Ask, out: str, stop_file: str) -> None:
    with _BUSY:
        work(task, ask, out, stop_file, _TELLERS[0])


def _leave_with_parent() -> None:
    """When the parent was killed, let what is being worked on be saved, and leave: no other task will ever come."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        with _BUSY:
            os._exit(1)


def read_result(folder: Path) -> dict[str, Any]:
    """Return the facts of a task that is done."""
    return read_object(folder / RESULT_FILE, error=RunError, hint="delete it: that row is then measured again")


def read_asked(out: Path) -> dict[str, Any]:
    """Return what a comparison's folder records of what was asked."""
    return read_object(out / ASK_FILE, error=RunError, hint="write it again by the same command")
