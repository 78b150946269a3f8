"""What worker processes have in common: they leave Ctrl-C to their parent, and do not outlive it."""

from __future__ import annotations

import contextlib
import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
from collections.abc import Iterator


@contextlib.contextmanager
def interrupts_held() -> Iterator[None]:
    """Let Ctrl-C wait while a process is started: it must strike neither inside the executor nor the new process.

    A process inherits this, so that it prints no traceback even while it still imports.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def settle_worker() -> None:
    """Prepare this process as a worker: deaf to Ctrl-C, gone when its parent is, with one thread in opencv.

    As many workers as cores are asked for; threads within would fight over them.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_die_with_parent, daemon=True).start()
    with contextlib.suppress(ImportError):
        import cv2

        cv2.setNumThreads(1)


def _die_with_parent() -> None:
    """Leave at once when the parent is gone: a half-made file has only a temporary name, nothing is lost."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)
