"""Files that are either whole or absent, whatever is killed or runs full meanwhile.

A file is written under a temporary name in its own folder, synced, renamed, and the folder synced.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from fdgen.errors import DatasetError, FdError

_CAUSES = {
    errno.ENOSPC: ("the disk is full", "free some space and run the same command again: finished shards are kept"),
    errno.EDQUOT: ("your quota is used up", "free some space and run the same command again: finished shards are kept"),
    errno.EROFS: ("the file system is read-only", "name an output folder that you may write to"),
    errno.EACCES: ("permission denied", "name an output folder that you may write to"),
    errno.EPERM: ("permission denied", "name an output folder that you may write to"),
    errno.ENOENT: ("its folder is not there", "make that folder first, or name a file in another"),
    errno.ENOTDIR: ("a part of the path is a file", "name another output folder"),
    errno.ENAMETOOLONG: ("the name is too long", "name a shorter output folder"),
}


@contextlib.contextmanager
def naming(path: Path, *, error: type[FdError] = DatasetError) -> Iterator[None]:
    """Turn an `OSError` of the block into an `error` that names `path`, the cause and the next step."""
    try:
        yield
    except OSError as found:
        cause, hint = _CAUSES.get(found.errno or 0, (found.strerror or str(found), "mend that and run it again"))
        raise error(f"{path} cannot be written: {cause}", hint=hint) from found


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file that appears under `path` when the block ends, and never if it raises.

    Raises `DatasetError` where it cannot be made; the block wraps its own writes in `naming`.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
    with naming(path):
        file = temporary.open("xb")
    try:
        yield file
        with naming(path):
            file.flush()
            os.fsync(file.fileno())
            file.close()
            os.replace(temporary, path)
            sync_folder(path.parent)
    except BaseException:
        with contextlib.suppress(OSError):
            file.close()  # flushes, and so fails again where the disk is full
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def write_whole(path: Path, data: bytes) -> None:
    """Write `data` to `path`, at once and whole; a file that holds just that already stays untouched."""
    with naming(path):
        if path.is_file() and path.stat().st_size == len(data) and path.read_bytes() == data:
            return
    with whole_file(path) as file, naming(path):
        file.write(data)


def sync_folder(folder: Path) -> None:
    """Make renames in `folder` last through a power cut, where the system can."""
    if not hasattr(os, "O_DIRECTORY"):  # Windows neither has nor needs it
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def is_temporary(path: Path) -> bool:
    """Tell whether a file is what a killed `whole_file` left behind."""
    return path.name.startswith(".") and path.name.endswith(".tmp")
