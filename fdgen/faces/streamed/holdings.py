"""What holds photographs, read from end to end to list them, and one by one to draw: objects, tars, tables."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from fdgen.faces.file_digests import FileDigest
from fdgen.faces.sources import Source

Span = tuple[int, int]
"""Where a photograph lies in the file that holds it: start and size in bytes, or row group and row."""


@dataclass(frozen=True, slots=True)
class Held:
    """One photograph, as it was listed. `fault` says why there is no digest of it."""

    path: str
    digest: FileDigest | None
    span: Span | None = None
    fault: str = ""


class Holding(Protocol):
    """A set of photographs of one kind. Picklable: workers call `fetch` alone."""

    @property
    def kind(self) -> str:
        """What a dataset calls its source: `folder`, `tars`, `parquet`."""

    def __len__(self) -> int:
        """Return how many photographs there are, or files that hold some."""

    def listed(self) -> Iterator[tuple[int, Held]]:
        """Yield photographs in the order of their paths, each with how many of `len` are done then.

        Raises `FacesError` where a file is damaged, `UnreachableError` where the connection fails.
        """

    def fetch(self, source: Source) -> bytes:
        """Return the bytes of a photograph; raise `OSError`, `UnreachableError`."""
