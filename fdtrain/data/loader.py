"""Batches of triplets from worker processes, whose errors arrive as sentences.

A batch made by a worker lies in shared memory, in /dev/shm, until it has been learnt from; containers have little.
"""

from __future__ import annotations

import atexit
import contextlib
import errno
import functools
import multiprocessing
import os
import re
import shutil
import signal
import threading
import weakref
from collections.abc import Iterator
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import cv2
import torch
from torch.utils.data import DataLoader, Dataset, Sampler, default_collate

from fdgen.errors import FdError, in_words
from fdgen.io.size_text import size_text
from fdgen.runtime.main_guard import MainGuard, leave_importing_worker
from fdgen.runtime.scratch import Scratch, note_torch
from fdtrain.data.sampler import Draw
from fdtrain.data.stored_samples import StoredSamples
from fdtrain.errors import LoaderError

SHARED = Path("/dev/shm")  # noqa: S108 - Linux's folder of shared memory; torch decides what is made in it
AHEAD = 2
"""Batches that each worker prepares ahead, and that lie in shared memory meanwhile."""

MOST_WORKERS = 8
"""Of one process, where their number is left open: more only wait in turn for the same disk."""

PAGE_BYTES = 4096
"""Each tensor in shared memory takes whole pages."""

_NO_WORKERS = "read without workers (--set machine.workers=0)"
_ROOM = f"give the container more (`docker run --shm-size=1g`), or {_NO_WORKERS}"


class Batches:
    """Batches of items, stacked, as often as one iterates; an error of a worker arrives as the sentence it was.

    Without a sampler once through in order, the last batch maybe smaller. `start` is how workers are started: fork,
    spawn, forkserver, or None for the platform's way. Iterating raises the `FdError` that a sample raised, and
    `LoaderError` where workers end or find no memory.
    """

    def __init__(
        self,
        dataset: StoredSamples[Any],
        sampler: Sampler[Draw] | None = None,
        *,
        batch: int,
        workers: int = 0,
        start: str | None = None,
    ) -> None:
        if workers:
            leave_importing_worker()
        # For as long as workers may live: what a kill leaves of theirs in shared memory is found by its name and notes.
        self._scratch = Scratch("loader") if workers else None
        self._loader: DataLoader[Any] = DataLoader(
            _Telling(dataset),
            batch_size=batch,
            sampler=sampler,
            num_workers=workers,
            worker_init_fn=functools.partial(_start_worker, None if self._scratch is None else self._scratch.path),
            collate_fn=_collate,
            persistent_workers=workers > 0,
            prefetch_factor=AHEAD if workers else None,
            multiprocessing_context=start if workers else None,
            # The loader draws a base seed for its workers: from a generator of its own, never from the global one.
            generator=torch.Generator().manual_seed(0),
            pin_memory=torch.cuda.is_available(),
        )

    def __len__(self) -> int:
        return len(self._loader)

    def __iter__(self) -> Iterator[Any]:
        with workers_told():
            others = set(multiprocessing.active_children())
            batches = self._begun()
            _WORKERS.update(set(multiprocessing.active_children()) - others)
            for batch in batches:
                if isinstance(batch, FdError):
                    raise batch
                yield batch

    def _begun(self) -> Iterator[Any]:
        """Begin to read; raise `LoaderError` where shared memory has no place for what workers talk through."""
        if self._scratch is None:
            return iter(self._loader)
        with self._scratch.owning_leftovers():
            try:
                multiprocessing.get_context("spawn").Lock()  # the loader would fail half made, and say more at its end
            except OSError as error:
                cause = "is full" if error.errno == errno.ENOSPC else f"cannot be used ({in_words(error)})"
                raise LoaderError(f"{SHARED} {cause}, and loader workers talk through it", hint=_ROOM) from error
            return iter(self._loader)


_WORKERS: weakref.WeakSet[BaseProcess] = weakref.WeakSet()
"""Workers of loaders that may still be open."""


@atexit.register
def _kill_workers() -> None:
    """End what is left of them: a loader may be open at exit, since an error holds on to it.

    Python would ask them to end, which they do not hear, and then wait for ever.
    """
    left = [worker for worker in _WORKERS if worker.is_alive()]
    if left and hasattr(signal, "SIGCHLD") and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # torch would report each as one that died
    for worker in left:
        worker.kill()


def workers_for(dataset: StoredSamples[Any], device: torch.device, *, batch: int, processes: int = 1) -> int:
    """Return how many workers are worth having, of each of `processes` on this machine: 0 where the CPU itself trains.

    For a GPU one a core that is left, up to `MOST_WORKERS`, as far as shared memory goes.
    """
    if device.type == "cpu":
        return 0
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    spare = min(cores // processes - 1, MOST_WORKERS)
    if not SHARED.is_dir():
        return max(spare, 0)
    item, free = dataset[0], shutil.disk_usage(SHARED).free
    fits = (n for n in range(spare, 0, -1) if shared_bytes(item, batch=batch, workers=n) * processes <= free)
    return next(fits, 0)


def check_shared_memory(dataset: StoredSamples[Any], *, batch: int, workers: int, processes: int = 1) -> None:
    """Raise `LoaderError` where /dev/shm has no room for the batches that workers of `processes` loaders prepare."""
    if not workers or not SHARED.is_dir():
        return
    needed = shared_bytes(dataset[0], batch=batch, workers=workers) * processes
    free = shutil.disk_usage(SHARED).free
    if free < needed:
        raise LoaderError(
            f"{SHARED} has {size_text(free)} free, and the batches that {workers} loader workers prepare need "
            f"{size_text(needed)}",
            hint=_ROOM,
        )


def shared_bytes(item: Any, *, batch: int, workers: int) -> int:
    """Return the bytes of shared memory that batches of such items take: all that are ahead, and one being learnt from.

    >>> shared_bytes({"mask": torch.zeros(1, 64, 64)}, batch=10, workers=2)
    819200
    """
    tensors = [value if isinstance(value, torch.Tensor) else torch.tensor(value) for value in dict(item).values()]
    of_one = sum(-(-one.nbytes * batch // PAGE_BYTES) * PAGE_BYTES for one in tensors)
    return of_one * (AHEAD * workers + 1)


@contextlib.contextmanager
def workers_told() -> Iterator[None]:
    """Turn what the platform does to loader workers into `LoaderError` with the cure.

    Around all of a training, since torch raises the death of a worker from a signal, wherever the program is.
    """
    with MainGuard() as guard:
        try:
            yield
        except (RuntimeError, MemoryError, OSError) as error:
            told = guard.error() or _told(error)
            if told is None:
                raise
            raise told from error


def _told(error: RuntimeError | MemoryError | OSError) -> LoaderError | None:
    """Return what happened to the loader workers; None where the error is of something else."""
    text = (
        f"{error} {error.__cause__ or ''}"  # torch says that a worker has gone, and the signal in what that came from
    )
    if "shared memory" in text or "Bus error" in text:
        return LoaderError(f"{SHARED} has no room for the batches of the loader workers", hint=_ROOM)
    if "received 0 items of ancdata" in text or "Too many open files" in text:
        return LoaderError(
            "the loader workers need more open files than this shell allows",
            hint=f"raise the limit (`ulimit -n 65536`), or {_NO_WORKERS}",
        )
    if isinstance(error, OSError) and error.errno in (errno.ENOMEM, errno.EAGAIN):
        return LoaderError(
            f"the loader workers cannot be started: {in_words(error)}", hint=f"use fewer, or {_NO_WORKERS}"
        )
    if "DataLoader worker" not in text:
        return None
    if isinstance(error, MemoryError) or "allocate memory" in text or "Insufficient memory" in text:
        return LoaderError(
            "a loader worker found no memory", hint=f"use a smaller batch, fewer workers, or {_NO_WORKERS}"
        )
    if "killed by signal" in text or "exited unexpectedly" in text:
        by = re.search(r"by signal: ([\w ]+)", text)
        cause = "was killed, most likely for want of memory" if by and by[1] == "Killed" else "ended before its time"
        return LoaderError(
            f"a loader worker {cause}",
            hint=f"use fewer workers, or {_NO_WORKERS}; the same command goes on from the last checkpoint",
        )
    return None


class _Telling(Dataset[Any]):
    """Returns an error instead of raising it: a worker's would arrive as its traceback, poured into one message."""

    def __init__(self, dataset: StoredSamples[Any]) -> None:
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, draw: int | Draw) -> Any:
        try:
            return self.dataset[draw]
        except FdError as error:
            return error


def _collate(samples: list[Any]) -> Any:
    errors = (sample for sample in samples if isinstance(sample, FdError))
    return next(errors, None) or default_collate(samples)


def _start_worker(scratch: Path | None, worker: int) -> None:
    if scratch is not None:
        note_torch(scratch)
    # What a terminal, a scheduler or `timeout` sends to all processes is for the one that trains: it ends its step,
    # for which it needs batches, saves, and ends its workers by itself.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    # A fork inherits cv2's pool of threads without the threads, and waits for them for ever.
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
