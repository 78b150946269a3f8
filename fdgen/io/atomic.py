"""The one writer of both programs: files are either complete or absent, even after a kill or on a full disk.

A file is written under a temporary name in its own folder, synced, renamed, and the folder synced. What a killed writer
left is removed by the next one that writes into that folder: a writer holds a lock on its temporary file, which ends
with its process.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import re
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, TypeVar, cast

from fdgen.errors import DatasetError, FdError, in_words

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_T = TypeVar("_T")

_AGAIN = "run the same command again: what is finished is kept"
_CAUSES = {
    errno.ENOSPC: ("the disk is full", f"free some space and {_AGAIN}"),
    errno.EDQUOT: ("your quota is used up", f"free some space and {_AGAIN}"),
    errno.EFBIG: (
        "the file is larger than the limit here",
        f"raise that limit and {_AGAIN}",
    ),
    errno.EIO: ("the disk reports an error", f"check the disk, then {_AGAIN}"),
    errno.EROFS: ("the file system is read-only", "name an output folder that you may write to"),
    errno.EACCES: ("permission denied", "name an output folder that you may write to"),
    errno.EPERM: ("permission denied", "name an output folder that you may write to"),
    errno.ENOENT: ("its folder does not exist", "create that folder first, or name a file in another folder"),
    errno.ENOTDIR: ("a part of the path is a file", "name another folder with --out"),
    errno.ENAMETOOLONG: ("the name is too long", "name a shorter output folder"),
}

_TEMPORARY = re.compile(r"\..*\.[0-9a-f]{16}\.fd\.tmp")
"""Names of our own temporary files: strict, for they are removed in folders of other people's too."""

_NAME_BYTES = 100
"""Of the final name, in the temporary one: a name may have 255 with all that is put around it."""

_swept: set[Path] = set()
"""Folders in which this process has removed what killed writers left."""


@contextlib.contextmanager
def naming(path: Path, *, error: type[FdError] = DatasetError) -> Iterator[None]:
    """Turn an `OSError` of the block into an `error` that names `path`, the cause and the next step."""
    try:
        yield
    except OSError as found:
        raise _named(path, found, error) from found


@contextlib.contextmanager
def whole_file(path: Path, *, error: type[FdError] = DatasetError, synced: bool = True) -> Iterator[BinaryIO]:
    """Open a file that appears under `path` when the block ends, and never if it raises.

    Raises `error` where it cannot be made or written to: also in place of what a library that was given the file makes
    of that. Without `synced`, a power cut may still undo it: for many small files, which are synced together.
    """
    with naming(path, error=error):
        temporary, raw = _begin(path)
    file = io.BufferedWriter(raw, 1 << 16)
    try:
        yield cast(BinaryIO, file)
        file.flush()
        if raw.failure is not None:  # a library that was given the file went on
            raise raw.failure
        with naming(path, error=error):
            if synced:
                retried(os.fsync, raw.fileno())
            lock = None if fcntl is None else os.dup(raw.fileno())  # Windows renames no open file, and needs no lock
            try:
                file.close()  # which may be when a network file system reports that the disk is full
                retried(os.replace, temporary, path)
            finally:
                if lock is not None:
                    os.close(lock)  # last: until then nobody treats the temporary file as a dead writer's
            if synced:
                sync_folder(path.parent)
    except BaseException as found:
        _give_up(file, temporary)
        if raw.failure is not None and not isinstance(found, (KeyboardInterrupt, SystemExit, FdError)):
            raise _named(path, raw.failure, error) from raw.failure
        raise


@contextlib.contextmanager
def whole_file_if_other(path: Path, *, error: type[FdError] = DatasetError) -> Iterator[BinaryIO]:
    """Open a file as `whole_file` does; one under `path` that holds the very same stays untouched.

    For what is too large to be put together in memory, as `write_whole` takes it.
    """
    try:
        with whole_file(path, error=error) as file:
            yield file
            file.flush()
            with naming(path, error=error):
                if _holds(path, file):
                    raise _SameError
    except _SameError:
        pass


def write_whole(path: Path, data: bytes, *, error: type[FdError] = DatasetError) -> None:
    """Write `data` to `path`, at once and whole; a file that holds just that already stays untouched."""
    with naming(path, error=error):
        if path.is_file() and path.stat().st_size == len(data) and path.read_bytes() == data:
            return
    with whole_file(path, error=error) as file:
        file.write(data)


def append(path: Path, text: str, *, error: type[FdError] = DatasetError) -> None:
    """Add whole lines to a log, which is made where it is not there: all of them, or none where the disk refuses.

    A line that a kill cut short is dropped first. Logs are not synced: a power cut costs their last lines.
    """
    data = text.encode()
    with naming(path, error=error):
        descriptor = retried(os.open, path, os.O_RDWR | os.O_CREAT | os.O_APPEND | _BINARY, 0o666)
        try:
            size = _whole_lines(descriptor)
            try:
                while data:
                    data = data[retried(os.write, descriptor, data) :]
            except BaseException:
                os.ftruncate(descriptor, size)
                raise
        finally:
            os.close(descriptor)


def make_folder(folder: Path, *, error: type[FdError] = DatasetError) -> None:
    """Make a folder, and those that it lies in, where they are not there."""
    with naming(folder, error=error):
        missing = []
        for one in (folder, *folder.parents):
            if one.is_dir():
                break
            missing.append(one)
        for one in reversed(missing):
            with contextlib.suppress(FileExistsError):
                retried(os.mkdir, one)
        if not folder.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))


def remove(path: Path, *, error: type[FdError] = DatasetError) -> None:
    """Remove a file if it is there."""
    with naming(path, error=error), contextlib.suppress(FileNotFoundError):
        retried(os.unlink, path)


def take_name(part: Path, path: Path, *, error: type[FdError] = DatasetError) -> None:
    """Give a whole file, which a library wrote under the name `part` in the same folder, its own name."""
    with naming(path, error=error):
        descriptor = retried(os.open, part, os.O_RDWR | _BINARY)
        try:
            retried(os.fsync, descriptor)
        finally:
            os.close(descriptor)
        retried(os.replace, part, path)
        sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make renames in `folder` last through a power cut, where the system can."""
    if not hasattr(os, "O_DIRECTORY"):  # Windows neither has nor needs it
        return
    descriptor = retried(os.open, folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        retried(os.fsync, descriptor)
    except OSError as found:
        if found.errno not in (errno.EINVAL, errno.ENOTSUP):  # some network file systems sync no folder
            raise
    finally:
        os.close(descriptor)


def is_temporary(path: Path) -> bool:
    """Return whether a file, of a folder of ours, is what a killed writer of this or of an earlier version left."""
    return path.name.startswith(".") and path.name.endswith(".tmp")


def sweep(folder: Path) -> None:
    """Remove the temporary files of dead writers in a folder; those of writers that live stay."""
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if _TEMPORARY.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                _remove_dead(Path(entry.path))


class _SameError(Exception):
    """What was written is there already."""


def _holds(path: Path, written: BinaryIO) -> bool:
    """Return whether the file under `path` has the bytes of the file that was just written."""
    if not path.is_file() or path.stat().st_size != written.tell():
        return False
    descriptor, place = written.fileno(), 0
    with path.open("rb") as there:
        while chunk := there.read(1 << 20):
            if _read_at(descriptor, len(chunk), place) != chunk:
                return False
            place += len(chunk)
    return True


def _read_at(descriptor: int, size: int, place: int) -> bytes:
    """Return bytes of an open file; its position is then behind them."""
    os.lseek(descriptor, place, os.SEEK_SET)
    parts = []
    while size and (part := retried(os.read, descriptor, size)):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


_BINARY = getattr(os, "O_BINARY", 0)
"""Windows would turn ends of lines."""


class _Raw(io.FileIO):
    """A file being written; remembers the error that the system gave, regardless of what a library makes of it."""

    failure: OSError | None = None

    def write(self, data: Any) -> int:
        try:
            return retried(os.write, self.fileno(), data)
        except OSError as found:
            self.failure = found
            raise


def _begin(path: Path) -> tuple[Path, _Raw]:
    """Return a new temporary file, with a lock on it as far as the system has any."""
    folder = path.parent
    if folder not in _swept:
        sweep(folder)
        _swept.add(folder)
    name = os.fsdecode(os.fsencode(path.name)[:_NAME_BYTES])
    while True:
        temporary = folder / f".{name}.{secrets.token_hex(8)}.fd.tmp"
        descriptor = retried(os.open, temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | _BINARY, 0o666)
        if _locked(descriptor) and os.fstat(descriptor).st_nlink:
            return temporary, _Raw(descriptor, "wb")
        os.close(descriptor)  # another process swept it away before it was locked


def _locked(descriptor: int) -> bool:
    """Lock a file of ours; return whether nobody else has: true where the system has no locks."""
    if fcntl is not None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:  # some network file systems have no locks: nothing is swept there
            pass
    return True


def _remove_dead(temporary: Path) -> None:
    """Remove a temporary file unless its writer lives; leave what is not ours to remove."""
    with contextlib.suppress(OSError):
        if fcntl is None:
            os.unlink(temporary)  # Windows refuses where it is open
            return
        descriptor = os.open(temporary, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)  # what took its place meanwhile
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # where there are no locks, it stays
            os.unlink(temporary)
        finally:
            os.close(descriptor)


def _give_up(file: io.BufferedWriter[_Raw], temporary: Path) -> None:
    """Close and remove a file that is not to be; what cannot be removed now is by the next writer."""
    with contextlib.suppress(OSError):
        file.close()  # flushes, and so fails again where the disk is full
    with contextlib.suppress(OSError):
        file.raw.close()
    try:
        retried(os.unlink, temporary)
    except FileNotFoundError:  # renamed already
        pass
    except OSError:
        _swept.discard(temporary.parent)


def _whole_lines(descriptor: int) -> int:
    """Cut a log after its last whole line; return its size."""
    size = end = os.fstat(descriptor).st_size
    while end:
        start = max(end - 4096, 0)
        os.lseek(descriptor, start, os.SEEK_SET)
        newline = os.read(descriptor, end - start).rfind(b"\n")
        if newline >= 0:
            end = start + newline + 1
            break
        end = start
    if end != size:
        os.ftruncate(descriptor, end)
    return end


def retried(call: Callable[..., _T], *arguments: Any) -> _T:
    """Call the system, again where a signal interrupted it: Python does so by itself for some calls only."""
    while True:
        try:
            return call(*arguments)
        except InterruptedError:  # noqa: PERF203 - hardly ever
            continue


def _named(path: Path, found: OSError, error: type[FdError]) -> FdError:
    cause, hint = _CAUSES.get(found.errno or 0, (in_words(found), "correct that and run it again"))
    return error(f"{path} cannot be written: {cause}", hint=hint)
