"""Temporary folders of processes that start others; leftovers of killed processes, also in shared memory, are removed.

    TMPDIR/fd-stackgan-workers-0123456789abcdef/     locked by the process that made it, for as long as it lives
    /dev/shm/sem.fd-0123456789abcdef-...             semaphores made within `owning_leftovers`
    /dev/shm/torch_PID_...                           of processes that said so in the folder, by `note_torch`

The next process that makes one, and each command of the programs, looks at all of them first. What a lock, a name or a
note does not prove to be of a dead process of ours stays.
"""

from __future__ import annotations

import contextlib
import errno
import multiprocessing
import os
import re
import secrets
import shutil
import tempfile
import weakref
from collections.abc import Iterator
from pathlib import Path

from fdgen.errors import FdError, in_words

try:
    import fcntl
except ImportError:  # Windows: nothing is swept there, and it has no /dev/shm
    fcntl = None  # type: ignore[assignment]

SHARED = Path("/dev/shm")  # noqa: S108 - Linux's folder of shared memory: what is ours there is removed

_NAME = re.compile(r"fd-stackgan-[a-z]+-([0-9a-f]{16})")
_TORCH = re.compile(r"torch_([0-9]+)_.*")
_NOTES = "torch-processes"

_SOCKET_FOLDER_BYTES = 80
"""Of a folder for sockets: macOS takes paths of 103 bytes, and their names have 17."""

_held: set[int] = set()
"""Descriptors of the folders of this process, which hold their locks."""
_swept: set[tuple[int, str]] = set()
"""Processes, this one or those that it was forked from, and temporary folders that they have swept."""


class Scratch:
    """A temporary folder until `close`, or until it is forgotten; a context manager.

    Raises `FdError` where none can be made.
    """

    def __init__(self, purpose: str) -> None:
        parent = _parent()
        _sweep_once(parent)
        self.path, lock, self._token = _new(parent, purpose)
        self._end = weakref.finalize(self, _remove, self.path, lock, os.getpid())

    def __enter__(self) -> Path:
        return self.path

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Remove the folder with all in it."""
        self._end()

    @contextlib.contextmanager
    def owning_leftovers(self) -> Iterator[None]:
        """Let semaphores of `multiprocessing` be named after this folder, and sockets lie in it: those of the block."""
        config = getattr(multiprocessing.current_process(), "_config", None)
        if not isinstance(config, dict) or "semprefix" not in config:  # another Python than we know: nobody owns them
            yield
            return
        ours = {"semprefix": f"/fd-{self._token}"}
        if len(os.fsencode(self.path)) <= _SOCKET_FOLDER_BYTES:
            ours["tempdir"] = str(self.path)
        before = {name: config[name] for name in ours if name in config}
        config.update(ours)
        try:
            yield
        finally:
            for name in ours:
                config.pop(name)
            config.update(before)


def note_torch(folder: Path) -> None:
    """Write down in a scratch folder that this process puts tensors into shared memory."""
    with contextlib.suppress(OSError):  # its own tensors matter more than what a kill may leave of them
        descriptor = os.open(folder / _NOTES, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(descriptor, f"{_namespace()} {os.getpid()}\n".encode())
        finally:
            os.close(descriptor)


def sweep_temporary() -> None:
    """Remove what dead processes of this user left in the temporary folder: for the start of a program."""
    with contextlib.suppress(FdError):  # whoever needs such a folder says that there is none
        _sweep_once(_parent())


def sweep(parent: Path) -> None:
    """Remove what dead processes of this user left in scratch folders within `parent`, and in shared memory."""
    if fcntl is None:
        return
    with contextlib.suppress(OSError), os.scandir(parent) as entries:
        for entry in entries:
            if (named := _NAME.fullmatch(entry.name)) and _is_our_folder(entry):
                _sweep_one(Path(entry.path), named[1])


def _sweep_once(parent: Path) -> None:
    if (os.getpid(), str(parent)) not in _swept:
        _swept.add((os.getpid(), str(parent)))
        sweep(parent)


def _is_our_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir(follow_symlinks=False) and entry.stat(follow_symlinks=False).st_uid == os.getuid()
    except OSError:  # gone meanwhile
        return False


def _sweep_one(folder: Path, token: str) -> None:
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_NOFOLLOW)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # raises where its process lives
            if _sweep_shared(token, _noted(folder)):
                shutil.rmtree(folder, ignore_errors=True)
        finally:
            os.close(descriptor)


def _sweep_shared(token: str, noted: set[int]) -> bool:
    """Remove what is of a dead process in shared memory; return whether a later start has nothing more to do."""
    if not SHARED.is_dir():
        return True
    living = {pid for pid in noted if _lives(pid)}
    for path in SHARED.iterdir():
        of_torch = _TORCH.fullmatch(path.name)
        if path.name.startswith(f"sem.fd-{token}-") or (of_torch and int(of_torch[1]) in noted - living):
            with contextlib.suppress(OSError):
                if path.lstat().st_uid == os.getuid():
                    path.unlink()
    return not living  # perhaps a loader worker that has not yet seen that its parent is gone


def _noted(folder: Path) -> set[int]:
    """Return the processes that a folder notes, of this machine's start and of this container."""
    try:
        lines = (folder / _NOTES).read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return set()
    pairs = [line.split() for line in lines]
    return {int(pair[1]) for pair in pairs if len(pair) == 2 and pair[0] == _namespace() and pair[1].isdecimal()}


def _namespace() -> str:
    """Name what a number of a process means something in; "-" where the system does not say."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot}/{os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return "-"


def _lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0]
    except (OSError, IndexError):
        return False
    return state not in (b"Z", b"X")


def _parent() -> Path:
    try:
        return Path(tempfile.gettempdir())
    except OSError as error:
        raise FdError(
            "no temporary folder can be written to", hint="set TMPDIR to a folder with some room in it"
        ) from error


def _new(parent: Path, purpose: str) -> tuple[Path, int | None, str]:
    """Make a folder, locked as far as the system has locks; return it, the lock and its token."""
    while True:
        token = secrets.token_hex(8)
        folder = parent / f"fd-stackgan-{purpose}-{token}"
        try:
            folder.mkdir(mode=0o700)
            if fcntl is None:
                return folder, None, token
            descriptor = os.open(folder, os.O_RDONLY | os.O_NOFOLLOW)
        except FileNotFoundError as error:
            if parent.is_dir():
                continue  # another process swept it before it was locked
            raise _unmakeable(folder, error) from error
        except OSError as error:
            raise _unmakeable(folder, error) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            continue
        except OSError:  # a file system without locks: nothing is swept there
            pass
        if folder.is_dir():
            _held.add(descriptor)
            return folder, descriptor, token
        os.close(descriptor)


def _unmakeable(folder: Path, error: OSError) -> FdError:
    cause = "the disk is full" if error.errno == errno.ENOSPC else in_words(error)
    return FdError(f"{folder} cannot be made: {cause}", hint="set TMPDIR to a folder with some room in it")


def _remove(folder: Path, lock: int | None, owner: int) -> None:
    if os.getpid() != owner:  # a fork forgets its copy
        return
    shutil.rmtree(folder, ignore_errors=True)
    if lock is not None:
        _held.discard(lock)
        os.close(lock)


def _let_go() -> None:
    """Close, in a fork, its copies of the descriptors: what a worker outlives is nobody's."""
    for descriptor in _held:
        with contextlib.suppress(OSError):
            os.close(descriptor)
    _held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go)
