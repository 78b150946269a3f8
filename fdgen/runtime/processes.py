"""Common rules of processes that make pixels: one thread in BLAS; workers end with their parent."""

from __future__ import annotations

import contextlib
import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
from threadpoolctl import ThreadpoolController


@contextlib.contextmanager
def one_blas_thread() -> Iterator[None]:
    """Hold matrix products to one thread, for a block or a decorated function: with more, they round otherwise."""
    if getattr(_held, "here", False):  # by a block around this one
        yield
        return
    with _libraries().limit(limits=1, user_api="blas"):
        _held.here = True
        try:
            yield
        finally:
            _held.here = False


_held = threading.local()


@cache
def _libraries() -> ThreadpoolController:
    np.zeros(1)  # numpy, with its BLAS, is there before the libraries of the process are listed
    return ThreadpoolController()


@contextlib.contextmanager
def interrupts_held() -> Iterator[None]:
    """Let Ctrl-C and requests to end wait while a process is started: they must not strike inside the executor.

    A process inherits this, so that Ctrl-C prints no traceback there even while it still imports; `settle_worker` lets
    it be ended again.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def settle_worker() -> None:
    """Prepare this process as a worker: deaf to Ctrl-C, gone when its parent is, with one thread in opencv.

    As many workers as cores are asked for; threads within would fight over them.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    threading.Thread(target=_die_with_parent, daemon=True).start()
    with contextlib.suppress(ImportError):
        import cv2

        cv2.setNumThreads(1)


def last_words(logs: Path) -> str:
    """Return what a crashed worker wrote to its log in this folder, shortened to its fatal line, behind a colon.

    A killed one says nothing: most often the system did so because memory was used up.
    """
    for log in sorted(logs.glob("*.log")):
        for line in log.read_text(errors="replace").splitlines():
            if line.startswith(("Fatal", "F0000", "MemoryError", "terminate called")):
                return f": {line}"
    return ", perhaps from lack of memory"


def _die_with_parent() -> None:
    """Leave at once when the parent is gone: a half-made file has only a temporary name, nothing is lost."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)
