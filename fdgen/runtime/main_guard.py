"""Scripts that start workers while they are imported: reported in a sentence, where Python shows a dead process.

A worker that is a new process imports the script of its parent first. A script without `if __name__ == "__main__":`
calls there once more what starts workers. What starts workers begins with `leave_importing_worker`, which ends that
worker quietly and leaves a mark, and holds a `MainGuard` for its parent to say why.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
from pathlib import Path

from fdgen.errors import FdError
from fdgen.runtime.scratch import Scratch

_VARIABLE = "FD_STACKGAN_MAIN_GUARD"
"""Environment variable, inherited by workers: the file that one leaves as a mark."""


class MainGuard:
    """Knows whether a worker left because it only imported its parent's script; a context manager."""

    def __init__(self) -> None:
        self._scratch = Scratch("guard")
        self._mark = self._scratch.path / "left"
        self._before: str | None = None

    def __enter__(self) -> MainGuard:
        self._before = os.environ.get(_VARIABLE)
        os.environ[_VARIABLE] = str(self._mark)
        return self

    def __exit__(self, *_: object) -> None:
        if self._before is None:
            os.environ.pop(_VARIABLE, None)
        else:
            os.environ[_VARIABLE] = self._before
        self._scratch.close()

    def error(self) -> FdError | None:
        """Return what to raise where workers died; None where it is for another reason."""
        if not self._mark.exists():
            return None
        return FdError(
            "the script starts its workers while they import it",
            hint='put its calls under `if __name__ == "__main__":`, or use no workers',
        )


def leave_importing_worker() -> None:
    """End this process where it is to be a worker, and only imports its parent's script so far."""
    if not getattr(multiprocessing.current_process(), "_inheriting", False):  # as multiprocessing itself asks
        return
    if mark := os.environ.get(_VARIABLE):
        with contextlib.suppress(OSError):
            Path(mark).touch()
    raise SystemExit(1)
