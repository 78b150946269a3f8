"""A stand-in for the system calls of the one writer, of locks, and of the cache: it fails at the n-th of them."""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import fdgen.faces.cache
from fdgen.io import atomic, lock

CALLS = ("open", "write", "fsync", "replace", "unlink", "mkdir", "ftruncate")
"""Of `os`, as `fdgen.io.atomic` and `fdgen.io.lock` call them: these can fail. Closing and locking do not here."""

KINDS = ("ENOSPC", "EIO", "EINTR", "short", "full", "dead")
"""What goes wrong: a disk that is full, or an error, once; a signal; half of what was to be written; and from then on:
a disk that stays full (what makes it no fuller works), and one of which nothing works any more."""

_GROWS = ("open", "write", "fsync", "mkdir", "replace")
_ONCE = {"ENOSPC": errno.ENOSPC, "EIO": errno.EIO, "EINTR": errno.EINTR, "short": 0}


@dataclass
class Faults:
    """Counts the calls, and lets one fail. Without `at` it only counts, and keeps each version of each file."""

    at: int | None = None
    kind: str = "EIO"
    count: int = 0
    struck: bool = False
    places: list[str] = field(default_factory=list)
    """What each call was: its name, and of the file that it was about."""
    versions: dict[Path, set[bytes]] = field(default_factory=dict)
    """What every file has held that was there, whole, under its own name."""

    def call(self, name: str, arguments: tuple[Any, ...], options: dict[str, Any]) -> Any:
        """Do what a call of `os` does, or fail."""
        self.count += 1
        if self.at is None:
            about = next((Path(one).name for one in reversed(arguments) if isinstance(one, (str, Path))), "")
            self.places.append(f"{name} {about}".rstrip())
        if (outcome := self._strikes(name)) is not None:
            if outcome == errno.EINTR:
                raise InterruptedError(errno.EINTR, os.strerror(errno.EINTR))
            if outcome:
                raise OSError(outcome, os.strerror(outcome))
            descriptor, data = arguments
            return os.write(descriptor, memoryview(data)[: max(len(data) // 2, 1)])
        result = getattr(os, name)(*arguments, **options)
        if name == "replace" and self.at is None:
            path = Path(arguments[1])
            self.versions.setdefault(path, set()).add(path.read_bytes())
        return result

    def query(self, statement: str) -> None:
        """Count a statement of the cache; raise what sqlite raises where its disk fails."""
        self.count += 1
        if self.at is None:
            self.places.append(f"sqlite {statement.split()[0]}")
        outcome = self._strikes("write")
        if outcome in (errno.ENOSPC, errno.EIO):
            raise sqlite3.OperationalError("database or disk is full" if outcome == errno.ENOSPC else "disk I/O error")

    def _strikes(self, name: str) -> int | None:
        """Return the error of this call, 0 for a write that is cut short, None where it is to work."""
        if self.at is None or self.count < self.at:
            return None
        if self.kind == "dead":
            self.struck = True
            return errno.EIO
        if self.kind == "full":
            self.struck |= name in _GROWS
            return errno.ENOSPC if name in _GROWS else None
        if self.count > self.at or (self.kind == "short" and name != "write"):
            return None
        self.struck = True
        return _ONCE[self.kind]


class _FaultyOs:
    """The module `os`, but for what can fail."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults

    def __getattr__(self, name: str) -> Any:
        if name not in CALLS:
            return getattr(os, name)
        return lambda *arguments, **options: self._faults.call(name, arguments, options)


@contextlib.contextmanager
def injected(faults: Faults) -> Iterator[Faults]:
    """Let the writer, locks and the cache call `faults` in the place of the system, as a process that just began."""

    class Connection(sqlite3.Connection):
        def execute(self, statement: str, *arguments: Any) -> sqlite3.Cursor:
            faults.query(statement)
            return super().execute(statement, *arguments)

        def executemany(self, statement: str, *arguments: Any) -> sqlite3.Cursor:
            faults.query(statement)
            return super().executemany(statement, *arguments)

    connect: Callable[..., sqlite3.Connection] = sqlite3.connect

    class FaultySqlite:
        def __getattr__(self, name: str) -> Any:
            return getattr(sqlite3, name)

        def connect(self, *arguments: Any, **options: Any) -> sqlite3.Connection:
            return connect(*arguments, **options, factory=Connection)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(atomic, "os", _FaultyOs(faults))
        patch.setattr(lock, "os", _FaultyOs(faults))
        patch.setattr(fdgen.faces.cache, "sqlite3", FaultySqlite())
        patch.setattr(atomic, "_swept", set())
        yield faults
