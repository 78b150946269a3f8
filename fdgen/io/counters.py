"""Numbers that several processes of one machine share, in a file: `multiprocessing` would use /dev/shm."""

from __future__ import annotations

import contextlib
import mmap
from collections.abc import Callable
from pathlib import Path

from fdgen.errors import DatasetError
from fdgen.io.atomic import naming

_BYTES = 8


class Counters:
    """`length` whole numbers, each 0 at first. Pickled, it is the same ones in another process.

    No lock: a worker killed while holding one would hang the others. One process writes a number at a time.
    """

    def __init__(self, path: Path, length: int) -> None:
        self._path = path
        with naming(path, error=DatasetError):
            if not path.exists():
                path.write_bytes(bytes(_BYTES * length))  # all of it: a page that the disk refused would be a bus error
            with path.open("r+b") as file:
                self._map = mmap.mmap(file.fileno(), _BYTES * length)
        self._values = memoryview(self._map).cast("q")

    def __reduce__(self) -> tuple[Callable[..., Counters], tuple[Path, int]]:
        return Counters, (self._path, len(self._values))

    def __getitem__(self, index: int) -> int:
        return self._values[index]

    def __setitem__(self, index: int, value: int) -> None:
        self._values[index] = value

    def close(self) -> None:
        """Let go of the file; it may be removed then, on Windows too."""
        self._values.release()
        with contextlib.suppress(BufferError):
            self._map.close()
