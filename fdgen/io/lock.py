"""One writer for each folder: a lock that ends with its process, on file systems without locks too.

Where the file system has locks (`flock`), the lock file is locked, and a kill leaves it unlocked. Where it has none
(some NFS, Lustre and FUSE mounts), the file's being there is the lock, and it names its process: one of this machine
that is gone holds nothing. The library filelock knows file systems without locks by ENOSYS alone, most say ENOLCK.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import platform
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fdgen.errors import DatasetError, FdError
from fdgen.io.atomic import naming, retried
from fdgen.io.json_file import read_object

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

LOCK_NAME = ".fdgen.lock"

_UNSUPPORTED = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)

_NO_WAITING = getattr(os, "O_NONBLOCK", 0)
"""A FIFO under the name of a lock file, in a stranger's folder, would be waited on for ever."""

PROBE_S = 0.3
"""Seconds after which a lock that is not free is held: `is_locked`, asking for it, holds it for a moment."""

_PAUSE_S = 0.01

_HELD: set[int] = set()
"""Descriptors of locks that this process holds."""


@contextlib.contextmanager
def folder_lock(
    folder: Path,
    *,
    name: str = LOCK_NAME,
    busy: str = "another build is writing to",
    error: type[FdError] = DatasetError,
    patience_s: float = PROBE_S,
) -> Iterator[None]:
    """Hold the lock file `name` of `folder` for the block; raise `error` where another process holds it.

    The file goes when the block ends. After a kill it stays, held by nobody, and the next process takes it over; only
    where the file system has no locks, and the file is not of this machine, must it be deleted by hand.

    Args:
        folder: The folder, which must be there.
        name: Name of the lock file.
        busy: How the sentence begins that says that another process holds it.
        error: Type of the error to raise.
        patience_s: Seconds for which it is waited for.
    """
    path = folder / name
    try:
        with naming(path, error=error):
            descriptor = _acquire(path, time.monotonic() + patience_s)
    except _HeldError as held:
        if held.for_sure:
            raise error(f"{busy} {folder}", hint="wait until it ends, or name another output folder") from held
        raise error(
            f"{busy} {folder}, or was killed there", hint=f"if none is running, delete {path} and run it again"
        ) from held
    owner = os.getpid()
    try:
        yield
    finally:
        if os.getpid() == owner:  # a fork that leaves the block has closed its copy already
            _HELD.discard(descriptor)
            if fcntl is None:
                os.close(descriptor)  # Windows does not unlink an open file
            with contextlib.suppress(OSError):
                retried(os.unlink, path)
            if fcntl is not None:
                os.close(descriptor)  # last: until then nobody else can hold the name that was just unlinked


def is_locked(folder: Path, *, name: str = LOCK_NAME) -> bool:
    """Return whether a process holds the lock of `folder`, as far as the system can say."""
    path = folder / name
    try:
        descriptor = os.open(path, os.O_RDONLY | _NO_WAITING)
    except OSError:  # nobody holds what is not there; what may not be read is not ours to judge
        return False
    try:
        free = _locked(descriptor, shared=True)
    finally:
        os.close(descriptor)
    return not _left_behind(path) if free is None else not free


class _HeldError(Exception):
    """Another process holds the lock: `for_sure`, or as far as one can know."""

    def __init__(self, *, for_sure: bool) -> None:
        super().__init__()
        self.for_sure = for_sure


def _acquire(path: Path, until_s: float) -> int:
    """Return the descriptor of the lock file, which is now ours; raise `OSError`, or `_HeldError` after `until_s`."""
    while isinstance(found := _tried(path), _HeldError):
        if time.monotonic() >= until_s:
            raise found
        time.sleep(_PAUSE_S)
    _HELD.add(found)
    return found


def _tried(path: Path) -> int | _HeldError:
    """Return the descriptor of the lock file, which is now ours, or that another process holds it; raise `OSError`."""
    try:
        return _taken(path)
    except _HeldError as held:
        return held


def _taken(path: Path) -> int:
    while True:
        try:
            descriptor, is_new = retried(os.open, path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644), True
        except FileExistsError:
            try:
                descriptor, is_new = retried(os.open, path, os.O_RDWR | _NO_WAITING), False
            except FileNotFoundError:
                continue
        try:
            free = _locked(descriptor)
            if free is None and is_new:
                retried(os.write, descriptor, json.dumps(_us()).encode())
            ours = is_new if free is None else free and _same_file(descriptor, path)
        except OSError:
            os.close(descriptor)
            raise
        if ours:
            return descriptor
        os.close(descriptor)
        if free is None:
            _take_over(path)
        elif not free:
            raise _HeldError(for_sure=True)
        # Else its holder unlinked it between our open and our lock. Either way: try again.


def _locked(descriptor: int, *, shared: bool = False) -> bool | None:
    """Lock a file; return whether it could be, None where the file system has no locks."""
    if fcntl is None:
        return None
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno in _UNSUPPORTED:
            return None
        raise
    return True


def _same_file(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _take_over(path: Path) -> None:
    """Take away a lock file whose process is gone; raise `_HeldError` where it is not, or nobody can know."""
    holder = _holder(path)
    if not _left_behind(path):
        raise _HeldError(for_sure=holder is not None and holder.get("host") == _us()["host"])
    away = path.with_name(f"{path.name}.{secrets.token_hex(4)}.tmp")
    with contextlib.suppress(FileNotFoundError):
        path.rename(away)
        if _holder(away) == holder:
            away.unlink()
        else:
            away.rename(path)  # another process has taken it over since we looked


def _left_behind(path: Path) -> bool:
    """Return whether the process that a lock file names is gone for sure."""
    if os.name == "nt":
        try:
            path.rename(path)  # not of a file that is open
        except OSError:
            return False
        return True
    holder = _holder(path)
    if holder is None or holder.get("host") != _us()["host"]:
        return False
    try:
        os.kill(int(holder["pid"]), 0)
    except ProcessLookupError:
        return True
    except PermissionError:  # it lives, and is another user's
        return False
    return False


def _us() -> dict[str, Any]:
    return {"host": platform.node(), "pid": os.getpid()}


def _holder(path: Path) -> dict[str, Any] | None:
    """Return what a lock file says of its process; None where it says nothing."""
    try:
        found = read_object(path, within=path.parent)
    except FdError:
        return None
    return found if isinstance(found.get("pid"), int) else None


def _let_go() -> None:
    """Close, in a fork, its copies of the descriptors: a worker that outlives a killed parent must hold no lock."""
    for descriptor in _HELD:
        with contextlib.suppress(OSError):
            os.close(descriptor)
    _HELD.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go)
