"""What a build needs of the place that it writes to, whichever kind it is.

Files appear under their final names whole or not at all, and nothing is renamed by whoever writes: a folder renames
within itself, an object is put in one request. Names are POSIX paths relative to the place.
"""

from __future__ import annotations

import contextlib
from typing import BinaryIO, Protocol

from fdgen.io.lock import LOCK_NAME, PROBE_S
from fdgen.io.storage import Place

BUSY = "another build is writing to"
"""How the sentence on a place begins that another build holds."""


class OutputStore(Protocol):
    """The output folder of a build. Every method raises `DatasetError` where the place refuses."""

    @property
    def root(self) -> Place:
        """The place."""

    def refuse_file(self) -> None:
        """Raise `DatasetError` where the place is a file, or is none that can be written to at all."""

    def make(self) -> None:
        """Make the folder and its folder `shards`, where a place has folders that are made."""

    def names(self, folder: str = "") -> list[str]:
        """Return the names of what lies directly in a folder, sorted; none where it is not there."""

    def is_empty_folder(self, name: str) -> bool:
        """Return whether there is a folder with nothing in it."""

    def every_file(self) -> list[str]:
        """Return the names of all files, in folders below too, sorted."""

    def exists(self, name: str) -> bool:
        """Return whether there is such a file."""

    def is_temporary(self, name: str) -> bool:
        """Return whether a file is one that a killed writer left unfinished."""

    def whole_file(self, name: str) -> contextlib.AbstractContextManager[BinaryIO]:
        """Open a file that appears under its name when the block ends, and never if it raises."""

    def whole_file_if_other(self, name: str) -> contextlib.AbstractContextManager[BinaryIO]:
        """Open a file as `whole_file` does; one that holds the very same stays untouched."""

    def write_whole(self, name: str, data: bytes) -> None:
        """Write a file, at once and whole; one that holds just that already stays untouched."""

    def remove(self, name: str) -> None:
        """Remove a file if it is there."""

    def free_bytes(self) -> int | None:
        """Return how much room there is, None where there is no limit to ask for."""

    def held(
        self, name: str = LOCK_NAME, busy: str = BUSY, *, patience_s: float = PROBE_S
    ) -> contextlib.AbstractContextManager[None]:
        """Hold the lock `name` for a block, which is waited for up to `patience_s` seconds.

        Raises where another process has it, in a sentence that `busy` begins.
        """

    def is_held(self, name: str = LOCK_NAME) -> bool:
        """Return whether a process holds the lock `name`, as far as one can know."""

    def lock_of(self, name: str) -> str | None:
        """Return the name of the lock that a file keeps, held or left behind; None where it keeps none."""

    def if_left_behind(self, name: str) -> str:
        """Say what to do about a lock whose process was killed."""

    def forget_lock(self, name: str) -> None:
        """Remove a lock that nobody holds."""
