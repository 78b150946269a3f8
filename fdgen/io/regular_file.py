"""Opens untrusted files: ordinary files only, no link that leaves their folder, limited size.

Opening a FIFO would wait for ever, a device would be read without end, and a link may point at any file of this
machine. All are detected before anything is opened.
"""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path
from typing import BinaryIO

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a FIFO"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


class UnfitFileError(OSError):
    """A file that is not read: what it is, or where it leads, or its size. Its text names no path."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.strerror = why


def open_regular(path: Path, *, within: Path | None = None) -> BinaryIO:
    """Open a file for reading.

    Raises `UnfitFileError`, an `OSError`, where it is no ordinary file, or a symbolic link leads to it out of the
    folder `within`; `OSError` where it cannot be opened.
    """
    check_regular(path, within=within)
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    try:
        _refuse_odd(os.fstat(descriptor).st_mode)  # what was looked at above may have been replaced
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def read_regular(path: Path, *, most_bytes: int, within: Path | None = None) -> bytes:
    """Return the bytes of a file; raise as `open_regular` does, and where there are more than `most_bytes`."""
    with open_regular(path, within=within) as file:
        size = os.fstat(file.fileno()).st_size
        data = file.read(most_bytes + 1) if size <= most_bytes else b""
    if max(size, len(data)) > most_bytes:
        raise UnfitFileError(f"it has {max(size, len(data)):,} bytes, more than the limit of {most_bytes:,}")
    return data


def sha256_of(path: Path, *, within: Path | None = None) -> str:
    """Return the SHA-256 of a file in hexadecimal digits; raise as `open_regular` does."""
    digest = hashlib.sha256()
    with open_regular(path, within=within) as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def check_regular(path: Path, *, within: Path | None = None) -> int:
    """Return the size of a file in bytes; raise as `open_regular` does, without opening it."""
    found = path.stat()
    _refuse_odd(found.st_mode)
    if within is not None and leads_out(path, within):
        raise UnfitFileError("it is a symbolic link that leads out of its folder")
    return found.st_size


def is_regular(path: Path) -> bool:
    """Return whether there is an ordinary file, perhaps behind a link."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except (OSError, ValueError):  # ValueError: a NUL in the name
        return False


def leads_out(path: Path, folder: Path) -> bool:
    """Return whether a path within `folder` leads, through symbolic links, to a place outside of it.

    The cache of Hugging Face's hub keeps a snapshot as links to `blobs` next to it: those count as within.
    """
    if not _has_link(path, folder):
        return False
    home, target = os.path.realpath(folder), os.path.realpath(path)
    homes = [home]
    above, kind = os.path.split(os.path.dirname(home))
    if kind == "snapshots":
        homes.append(os.path.join(above, "blobs"))
    return not any(os.path.commonpath([place, target]) == place for place in homes)


def _has_link(path: Path, folder: Path) -> bool:
    """Return whether `path`, or a part of it below `folder`, is a link; without asking about the folder itself."""
    try:
        below = path.relative_to(folder).parts
    except ValueError:
        return True
    if ".." in below:
        return True
    return any(folder.joinpath(*below[:depth]).is_symlink() for depth in range(1, len(below) + 1))


def _refuse_odd(mode: int) -> None:
    if not stat.S_ISREG(mode):
        kind = next((words for is_kind, words in _KINDS if is_kind(mode)), "something else")
        raise UnfitFileError(f"it is {kind}, not a file")
