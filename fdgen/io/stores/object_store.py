"""Objects behind a URL (`s3://`, `gs://`, `az://`) as the output of a build, by fsspec.

An object appears whole or not at all: it is put in one request, or in parts that are joined by the last. What is
written piece by piece is gathered in a temporary file first, so that no failure can put what is not whole.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from fdgen.errors import DatasetError, UnreachableError
from fdgen.io import atomic
from fdgen.io.lock import LOCK_NAME, PROBE_S
from fdgen.io.storage import Remote, asked, files_below, open_file, refuse_unlisted
from fdgen.io.stores import lease
from fdgen.io.stores.connection import STORES, open_system, scheme_of, without_credentials
from fdgen.io.stores.store import BUSY
from fdgen.runtime.scratch import Scratch

WRITABLE = (*STORES, "memory")
"""Schemes whose stores put whole objects under final names, and make one only where there is none."""

_T = TypeVar("_T")

_CHUNK = 1 << 20

_PERMISSIONS = "check your credentials, and that they may list, read, write and delete there"

_leases: dict[tuple[str, str], lease.Lease] = {}
"""The leases that this process holds, by the URL of their place and their names."""


@dataclass(frozen=True)
class ObjectStore:
    """An `OutputStore` of objects. There are no folders, no renames and no locks: a lease takes the place of these.

    While this process holds a lease on the place, it writes nothing more once that is lost.
    """

    root: Remote

    def __str__(self) -> str:
        return str(self.root)

    def refuse_file(self) -> None:
        """Raise `DatasetError` where the URL is that of an object, of no such store, or its package is missing."""
        self._refuse_unwritable()
        if self.root.is_file():
            raise DatasetError(
                f"{self.root} is an object, not a folder of objects", hint="name a new or empty folder as the output"
            )

    def make(self) -> None:
        """Do nothing: objects need no folder."""

    def names(self, folder: str = "") -> list[str]:
        """Return the names of objects and of folders of objects directly in a folder, sorted."""
        refuse_unlisted(self.root)
        try:
            found = self._asked(lambda system, path: system.ls(path, detail=False), folder, "listed")
        except FileNotFoundError:
            return []
        return sorted({name for path in found if (name := self._relative(path, folder))})

    def is_empty_folder(self, name: str) -> bool:
        """Return False: a folder is there where an object is in it."""
        return False

    def every_file(self) -> list[str]:
        """Return the names of all objects below, sorted."""
        return sorted(name for name in files_below(self.root) if name)

    def exists(self, name: str) -> bool:
        """Return whether there is an object."""
        return (self.root / name).is_file()

    def is_temporary(self, name: str) -> bool:
        """Return False: no object is unfinished."""
        return False

    @contextlib.contextmanager
    def whole_file(self, name: str) -> Iterator[BinaryIO]:
        """Open a temporary file that is put under a name when the block ends."""
        with Scratch("upload") as folder:
            with atomic.whole_file(folder / "object", synced=False) as file:
                yield file
            self._put_file(name, folder / "object")

    @contextlib.contextmanager
    def whole_file_if_other(self, name: str) -> Iterator[BinaryIO]:
        """Open a temporary file that is put when the block ends, unless the object has the same bytes."""
        with Scratch("upload") as folder:
            with atomic.whole_file(folder / "object", synced=False) as file:
                yield file
            if not self._holds(name, folder / "object"):
                self._put_file(name, folder / "object")

    def write_whole(self, name: str, data: bytes) -> None:
        """Put an object, unless it is there with the same bytes."""
        self._check_ours()
        with contextlib.suppress(FileNotFoundError):
            if (self.root / name).size() == len(data) and self.read(name, len(data)) == data:
                return
        self.put(name, data)

    def remove(self, name: str) -> None:
        """Remove an object if it is there."""
        self._check_ours()
        self.delete(name)

    def free_bytes(self) -> int | None:
        """Return None: a bucket has no end."""
        return None

    @contextlib.contextmanager
    def held(self, name: str = LOCK_NAME, busy: str = BUSY, *, patience_s: float = PROBE_S) -> Iterator[None]:
        """Hold a lease for the block; it is renewed by a thread."""
        with lease.held(self, name, busy, patience_s) as ours:
            _leases[self.root.url, name] = ours
            try:
                yield
            finally:
                del _leases[self.root.url, name]

    def is_held(self, name: str = LOCK_NAME) -> bool:
        """Return whether a lease is held and not expired."""
        return lease.is_held(self, name)

    def lock_of(self, name: str) -> str | None:
        """Return the name of the lock that an object is a lease of, None where it is none."""
        return lease.lock_name(name)

    def if_left_behind(self, name: str) -> str:
        """Say that a lease ends by itself."""
        return f"the lease of one that was killed ends after {lease.LEASE_S:g} seconds"

    def forget_lock(self, name: str) -> None:
        """Remove what is left of a lease that nobody holds."""
        lease.forget(self, name)

    def read(self, name: str, most_bytes: int) -> bytes:
        """Return what an object holds; raise `FileNotFoundError`, `UnreachableError` where it may not be read."""
        try:
            return (self.root / name).read_bytes(most_bytes)
        except PermissionError as error:
            raise UnreachableError(
                f"{self.root / name} cannot be read: permission denied", hint=_PERMISSIONS
            ) from error

    def put(self, name: str, data: bytes) -> None:
        """Put an object in one request."""
        if lease.lock_name(name) is None:
            self._check_ours()
        self._written(lambda system, path: system.pipe_file(path, data), name)

    def create(self, name: str, data: bytes) -> bool:
        """Put an object where there is none; return whether it is ours."""
        self._refuse_unwritable()
        with contextlib.suppress(FileExistsError):  # another's; or ours, where the answer to the first try was lost
            self._written(lambda system, path: system.pipe_file(path, data, mode="create"), name)
        return self.read(name, lease.MOST_BYTES) == data

    def delete(self, name: str) -> None:
        """Remove an object if it is there."""
        with contextlib.suppress(FileNotFoundError):
            self._asked(lambda system, path: system.rm_file(path), name, "removed")

    def _put_file(self, name: str, file: Path) -> None:
        self._check_ours()
        self._written(lambda system, path: system.put_file(str(file), path), name)

    def _holds(self, name: str, file: Path) -> bool:
        """Return whether an object has the bytes of a file."""
        if (self.root / name).size() != file.stat().st_size:
            return False
        with contextlib.suppress(FileNotFoundError), open_file(self.root / name) as there, file.open("rb") as here:
            while chunk := here.read(_CHUNK):
                if there.read(len(chunk)) != chunk:
                    return False
            return True
        return False

    def _refuse_unwritable(self) -> None:
        scheme = scheme_of(self.root.url)
        if scheme not in WRITABLE:
            raise DatasetError(
                f"{self.root} cannot be written to: {scheme}:// does not put whole objects under final names",
                hint="name a folder, or a URL that begins with s3://, gs:// or az://",
            )
        if without_credentials(self.root.url) != self.root.url:
            raise DatasetError(
                f"{self.root} was given with credentials in its URL, which ends up in logs and shell histories",
                hint="leave them to the environment, or to the configuration files of the provider",
            )

    def _check_ours(self) -> None:
        """Raise `DatasetError` where nothing is to be written: the place is no such store, or a lease on it is lost."""
        self._refuse_unwritable()
        for (url, _), ours in list(_leases.items()):
            if url == self.root.url:
                ours.check()

    def _relative(self, path: str, folder: str) -> str:
        """Return the name within a folder of what fsspec lists; nothing for the folder itself."""
        _, root = open_system((self.root / folder).url)
        return path.strip("/").removeprefix(root.strip("/")).strip("/")

    def _written(self, write: Callable[[Any, str], Any], name: str) -> None:
        """Write something under a name; raise `FileExistsError`, `DatasetError`."""
        try:
            self._asked(write, name, "written")
        except FileNotFoundError as error:
            raise DatasetError(
                f"{self.root / name} cannot be written: there is no such bucket or container",
                hint="make it first, or correct its name",
            ) from error

    def _asked(self, ask: Callable[[Any, str], _T], name: str, done: str) -> _T:
        """Ask the store something about what lies under a name, again where a connection drops.

        All requests may be repeated: an object that is put twice is the same object. `done` says what cannot be done
        with it where permission lacks, as in "listed". Raises `FileNotFoundError`, `FileExistsError`, `DatasetError`.
        """
        return asked(
            self.root / name if name else self.root,
            ask,
            denied=done,
            denied_hint=_PERMISSIONS,
            failed="reached",
            failed_hint="check the URL, the connection and your credentials, and run the same command again: what is "
            "finished is kept",
        )
