"""One build a folder: a lock that dies with its process."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from fdgen.atomic import naming
from fdgen.errors import DatasetError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

LOCK_NAME = ".fdgen.lock"

_UNSUPPORTED = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)


@contextlib.contextmanager
def folder_lock(folder: Path) -> Iterator[None]:
    """Hold the lock of `folder` for the block; raise `DatasetError` where another build holds it.

    The lock file goes when the block ends. After a kill it stays, unlocked, and the next build takes it over; only
    where the file system has no locks (some network mounts, Windows) must a left one be deleted by hand.
    """
    path = folder / LOCK_NAME
    with naming(path):
        descriptor = _acquire(path)
    try:
        yield
    finally:
        if fcntl is None:
            os.close(descriptor)  # Windows does not unlink an open file
        with contextlib.suppress(OSError):
            path.unlink()
        if fcntl is not None:
            os.close(descriptor)  # last: until then nobody else can hold the name that was just unlinked


def _acquire(path: Path) -> int:
    if fcntl is None:
        return _create(path)
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _same_file(descriptor, path):
                return descriptor
        except BlockingIOError as error:
            os.close(descriptor)
            raise DatasetError(
                f"another build is writing to {path.parent}", hint="wait until it ends, or name another output folder"
            ) from error
        except OSError as error:
            os.close(descriptor)
            if error.errno not in _UNSUPPORTED:
                raise
            path.unlink(missing_ok=True)
            return _create(path)
        os.close(descriptor)  # its holder unlinked it between our open and our lock: try the new one


def _same_file(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _create(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)
    except FileExistsError as error:
        raise DatasetError(
            f"another build is writing to {path.parent}, or was killed there",
            hint=f"if none is running, delete {path} and run it again",
        ) from error
