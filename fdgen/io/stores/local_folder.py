"""A folder of this machine, or of a file system that it sees, as the output of a build."""

from __future__ import annotations

import contextlib
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from fdgen.errors import DatasetError
from fdgen.io import atomic
from fdgen.io.lock import LOCK_NAME, PROBE_S, folder_lock, is_locked
from fdgen.io.stores.store import BUSY


@dataclass(frozen=True)
class LocalFolder:
    """An `OutputStore` that is a folder: files are renamed into place, and locked by the system where it can."""

    root: Path

    def refuse_file(self) -> None:
        """Raise `DatasetError` where the path is a file."""
        with atomic.naming(self.root):
            if self.root.exists() and not self.root.is_dir():
                raise DatasetError(
                    f"{self.root} is a file, not a folder", hint="name a new or empty folder as the output"
                )

    def make(self) -> None:
        """Make the folder and its folder `shards`."""
        atomic.make_folder(self.root / "shards")

    def names(self, folder: str = "") -> list[str]:
        """Return the names of files and folders directly in a folder, sorted."""
        path = self.root / folder
        with atomic.naming(path):
            return sorted(one.name for one in path.iterdir()) if path.is_dir() else []

    def is_empty_folder(self, name: str) -> bool:
        """Return whether there is a folder with nothing in it."""
        return (self.root / name).is_dir() and not self.names(name)

    def every_file(self) -> list[str]:
        """Return the names of all files and links below, sorted."""
        paths = (path for path in self.root.rglob("*") if path.is_symlink() or not path.is_dir())
        return sorted(path.relative_to(self.root).as_posix() for path in paths)

    def exists(self, name: str) -> bool:
        """Return whether there is anything under a name."""
        return (self.root / name).exists()

    def is_temporary(self, name: str) -> bool:
        """Return whether a file is what a killed writer left."""
        return atomic.is_temporary(self.root / name)

    def whole_file(self, name: str) -> contextlib.AbstractContextManager[BinaryIO]:
        """Open a file that appears when the block ends."""
        return atomic.whole_file(self.root / name)

    def whole_file_if_other(self, name: str) -> contextlib.AbstractContextManager[BinaryIO]:
        """Open a file that appears when the block ends, unless it is there with the same bytes."""
        return atomic.whole_file_if_other(self.root / name)

    def write_whole(self, name: str, data: bytes) -> None:
        """Write a file, unless it is there with the same bytes."""
        atomic.write_whole(self.root / name, data)

    def remove(self, name: str) -> None:
        """Remove a file if it is there."""
        atomic.remove(self.root / name)

    def free_bytes(self) -> int | None:
        """Return how much room the disk has."""
        with atomic.naming(self.root):
            return shutil.disk_usage(self.root).free

    def held(
        self, name: str = LOCK_NAME, busy: str = BUSY, *, patience_s: float = PROBE_S
    ) -> contextlib.AbstractContextManager[None]:
        """Hold a lock file for a block."""
        return folder_lock(self.root, name=name, busy=busy, patience_s=patience_s)

    def is_held(self, name: str = LOCK_NAME) -> bool:
        """Return whether a process holds a lock file."""
        return is_locked(self.root, name=name)

    def lock_of(self, name: str) -> str | None:
        """Return the name of a lock file, which is the lock's."""
        return name if name.endswith(".lock") else None

    def if_left_behind(self, name: str) -> str:
        """Say that a lock file can be deleted."""
        return f"if none is running, delete {self.root / name}"

    def forget_lock(self, name: str) -> None:
        """Remove a lock file that nobody holds."""
        self.remove(name)
