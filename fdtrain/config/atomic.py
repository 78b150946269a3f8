"""Files that are whole or absent, whatever is killed meanwhile, and the lock that keeps a run to one process."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from fdgen.errors import in_words
from fdgen.io import lock
from fdtrain.errors import RunError

LOCK_NAME = ".lock"


def write_whole(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Call `write` on a file that takes its name, synced, when it is done; raise `RunError` where it cannot be."""
    temporary = path.with_name(f".{path.name[:60]}.tmp")  # a name may be full; one writer a folder, by its lock
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        _sync_folder(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise RunError(
            f"{path} cannot be written: {in_words(error)}",
            hint="mend that (is the disk full?) and run the same command again: checkpoints so far are kept",
        ) from error


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file whole."""
    write_whole(path, lambda file: file.write(data))


def write_text(path: Path, text: str) -> None:
    """Write a text file whole."""
    write_bytes(path, text.encode())


def make_folder(folder: Path) -> None:
    """Make the folder for results, before any is worked out; raise `RunError` where that cannot, or must not, be."""
    if (folder / "dataset.json").is_file():
        raise RunError(
            f"{folder} is a dataset, and results would be mixed into it", hint="name a new folder with --out"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise RunError(
            f"{folder} cannot be written: {in_words(error)}", hint="name another folder with --out"
        ) from error


@contextlib.contextmanager
def folder_lock(folder: Path) -> Iterator[None]:
    """Make a run's folder and hold its lock for the block; raise `RunError` where another process trains there.

    It ends with its process, so that a kill leaves nothing to clean up.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(
            f"the run folder {folder} cannot be written: {in_words(error)}", hint="name another folder with --out"
        ) from error
    with lock.folder_lock(folder, name=LOCK_NAME, busy="another process is training in", error=RunError):
        yield


def is_locked(folder: Path) -> bool:
    """Tell whether a process is training in the folder, as far as the system can say."""
    return lock.is_locked(folder, name=LOCK_NAME)


def _sync_folder(folder: Path) -> None:
    if hasattr(os, "O_DIRECTORY"):  # Windows neither has nor needs it
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
