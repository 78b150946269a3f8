"""CPU time by step, where somebody asked for it: `fdgen build --profile`.

Functions are marked with `@timed_step("name")`, which costs a fraction of a microsecond a call while nobody asks. What
a process spends goes to a file of its own in a folder that its environment names, so that workers of any kind count.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

from fdgen.runtime.scratch import Scratch

FOLDER = "FDGEN_STEP_TIMES"
"""The variable of the environment that names the folder."""

REST = "everything else"
"""What a process spends outside all steps: starting, importing, compiling."""

_Function = TypeVar("_Function", bound=Callable[..., Any])


@dataclass(frozen=True)
class StepTime:
    """What a step took in all processes: its own CPU time, without that of steps within it."""

    step: str
    calls: int
    cpu_s: float


class _Recorder:
    """Adds up the steps of one thread of a process: the one that made it."""

    def __init__(self, folder: str) -> None:
        self.folder, self.pid, self.thread = folder, os.getpid(), threading.get_ident()
        self.calls: dict[str, int] = {}
        self.own_ns: dict[str, int] = {}
        self._inner_ns = [0]

    def run(self, name: str, function: Callable[..., Any], arguments: Any, named: Any) -> Any:
        """Call a function as a step."""
        began_ns = time.thread_time_ns()
        self._inner_ns.append(0)
        try:
            return function(*arguments, **named)
        finally:
            spent_ns = time.thread_time_ns() - began_ns
            self.calls[name] = self.calls.get(name, 0) + 1
            self.own_ns[name] = self.own_ns.get(name, 0) + spent_ns - self._inner_ns.pop()
            self._inner_ns[-1] += spent_ns
            if len(self._inner_ns) == 1:
                self.write()

    def write(self) -> None:
        """Write what was spent so far; a reader sees a whole file or the one before."""
        spent = {"calls": self.calls, "own_ns": self.own_ns, "process_ns": time.process_time_ns()}
        path = Path(self.folder, str(self.pid))
        new = path.with_suffix(".new")
        new.write_text(json.dumps(spent), encoding="utf-8")  # in our own scratch folder, and gone with it
        new.replace(path)


class _Recording:
    """Where times are written, if anybody asks: workers learn it as they start, by their environment."""

    folder: str | None = os.environ.get(FOLDER)
    recorder: _Recorder | None = None

    def of_this_thread(self, folder: str) -> _Recorder | None:
        """Return the recorder of this process, None in any thread but the first that asked."""
        if self.recorder is None or (self.recorder.folder, self.recorder.pid) != (folder, os.getpid()):
            self.recorder = _Recorder(folder)
        return self.recorder if self.recorder.thread == threading.get_ident() else None


_recording = _Recording()


def timed_step(name: str) -> Callable[[_Function], _Function]:
    """Mark a function as a step, whose own CPU time is counted."""

    def mark(function: _Function) -> _Function:
        @functools.wraps(function)
        def timed(*arguments: Any, **named: Any) -> Any:
            if _recording.folder is None or (recorder := _recording.of_this_thread(_recording.folder)) is None:
                return function(*arguments, **named)
            return recorder.run(name, function, arguments, named)

        return cast("_Function", timed)

    return mark


@contextlib.contextmanager
def recorded_steps() -> Iterator[Callable[[], list[StepTime]]]:
    """Record the steps of this process, and of those started within; yields what returns them, the longest first."""
    with Scratch("steps") as folder:
        before_s = time.process_time()
        os.environ[FOLDER] = _recording.folder = str(folder)
        try:
            yield functools.partial(_read, folder, before_s)
        finally:
            del os.environ[FOLDER]
            _recording.folder = _recording.recorder = None


def _read(folder: Path, before_s: float) -> list[StepTime]:
    calls: dict[str, int] = {}
    own_s: dict[str, float] = {}
    total_s = time.process_time() - before_s
    for path in folder.iterdir():
        if not path.name.isdigit():
            continue
        whole = json.loads(path.read_text(encoding="utf-8"))
        for name, spent in whole["own_ns"].items():
            calls[name] = calls.get(name, 0) + whole["calls"][name]
            own_s[name] = own_s.get(name, 0.0) + spent / 1e9
        if path.name != str(os.getpid()):
            total_s += whole["process_ns"] / 1e9
    rows = [StepTime(name, calls[name], own_s[name]) for name in own_s]
    rows.append(StepTime(REST, 0, max(0.0, total_s - sum(own_s.values()))))
    return sorted(rows, key=lambda row: -row.cpu_s)
