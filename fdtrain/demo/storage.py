"""The folder for data that visitors send and get: private, and in memory if the system has such a folder.

gradio passes pictures between the browser and the program as files. Here they are readable by nobody else, go when they
are some minutes old, and all go when the server ends; those of a server that was killed go when the next one starts.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from fdtrain.run_files import LOCK_NAME, folder_lock, is_locked

IN_MEMORY = Path("/dev/shm")  # noqa: S108 - Linux's own folder in memory; what is made in it is private
LEAST_BYTES = 512 * 2**20
"""Where less is free in memory (containers often have 64 MB), the disk is taken."""

PREFIX = "fdtrain-demo-"

KEPT_S = 600
"""How old a file may become, in seconds: as long as a visitor may take to save a result."""


LOOKED_AT_S = 30
"""How often files are looked at, in seconds."""


@contextlib.contextmanager
def private_folder() -> Iterator[tuple[Path, bool]]:
    """Make the folder, and delete it at the end of the block; also yield whether it is in memory."""
    parent = folder_in_memory()
    in_memory = parent is not None
    for place in {IN_MEMORY, Path(tempfile.gettempdir())}:  # the one before may have found more room, or less
        sweep(place)
    parent = parent or Path(tempfile.gettempdir())
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))  # 0700
    ended = threading.Event()
    ageing = threading.Thread(target=_age, args=(folder, ended), daemon=True)
    try:
        with folder_lock(folder):
            ageing.start()
            yield folder, in_memory
    finally:
        ended.set()
        ageing.join()
        shutil.rmtree(folder, ignore_errors=True)


def forget(folder: Path, older_than_s: float) -> None:
    """Delete the files of a folder that are older than that, but for its lock."""
    limit_s = time.time() - older_than_s
    for file in folder.rglob("*"):
        with contextlib.suppress(OSError):  # gone meanwhile
            if file.is_file() and file.name != LOCK_NAME and file.stat().st_mtime < limit_s:
                file.unlink()


def _age(folder: Path, ended: threading.Event) -> None:
    while not ended.wait(LOOKED_AT_S):
        forget(folder, KEPT_S)


def folder_in_memory() -> Path | None:
    """Return a folder that lies in memory, with room enough; None where there is none."""
    try:
        free = shutil.disk_usage(IN_MEMORY).free
    except OSError:
        return None
    return IN_MEMORY if free >= LEAST_BYTES and os.access(IN_MEMORY, os.W_OK | os.X_OK) else None


def sweep(parent: Path) -> None:
    """Delete what servers of ours left that were killed: their folders are locked by nobody."""
    for folder in parent.glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):
            if folder.is_dir() and not folder.is_symlink() and _is_ours(folder) and not is_locked(folder):
                shutil.rmtree(folder)


def _is_ours(folder: Path) -> bool:
    return not hasattr(os, "getuid") or folder.stat().st_uid == os.getuid()
