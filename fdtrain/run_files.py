"""The one writer, `fdgen.io.atomic`, with the errors of runs; and the lock that keeps a run to one process."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from fdgen.io import atomic, lock
from fdtrain.errors import RunError

LOCK_NAME = ".lock"


def write_whole(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Call `write` on a file that takes its name, synced, when it is done; raise `RunError` where it cannot be."""
    atomic.make_folder(path.parent, error=RunError)
    with atomic.whole_file(path, error=RunError) as file:
        write(file)


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file whole."""
    write_whole(path, lambda file: file.write(data))


def write_text(path: Path, text: str) -> None:
    """Write a text file whole."""
    write_bytes(path, text.encode())


def append_text(path: Path, text: str) -> None:
    """Add whole lines to a log; raise `RunError` where the disk refuses, and then none is there."""
    atomic.append(path, text, error=RunError)


def remove(path: Path) -> None:
    """Remove a file if it is there; raise `RunError` where that cannot be."""
    atomic.remove(path, error=RunError)


def make_folder(folder: Path) -> None:
    """Make the folder for results, before any is worked out; raise `RunError` where that cannot, or must not, be."""
    if (folder / "dataset.json").is_file():
        raise RunError(
            f"{folder} is a dataset, and results would be mixed into it", hint="name a new folder with --out"
        )
    atomic.make_folder(folder, error=RunError)
    with atomic.naming(folder, error=RunError), tempfile.TemporaryFile(dir=folder):
        pass


@contextlib.contextmanager
def folder_lock(folder: Path) -> Iterator[None]:
    """Make a run's folder and hold its lock for the block; raise `RunError` where another process trains there.

    It ends with its process, so that a kill leaves nothing to clean up.
    """
    atomic.make_folder(folder, error=RunError)
    with lock.folder_lock(folder, name=LOCK_NAME, busy="another process is training in", error=RunError):
        yield


def is_locked(folder: Path) -> bool:
    """Return whether a process is training in the folder, as far as the system can say."""
    return lock.is_locked(folder, name=LOCK_NAME)
