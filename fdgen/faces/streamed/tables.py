"""Photographs in Parquet with a column of images, as datasets of Hugging Face are stored: read by groups of rows.

A group of rows cannot be read in part, and photographs are drawn in any order. So the pass that lists them keeps each
in a temporary folder of this machine, for as long as the process lives; another machine reads the group again.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from fdgen.errors import DatasetError, FacesError
from fdgen.faces.file_digests import HEAD_BYTES, FileDigest
from fdgen.faces.sources import MAX_BYTES, Source
from fdgen.faces.streamed.holdings import Held
from fdgen.io.atomic import whole_file
from fdgen.io.json_file import why
from fdgen.io.storage import Place, open_file
from fdgen.runtime.scratch import Scratch

COLUMN = "image"
"""What a column of images is called by most; taken where there are several."""

MOST_GROUP_BYTES = 4_000_000_000
"""Of a group of rows, which is held in memory; those of Hugging Face have 100 MB."""


class Tables:
    """Parquet files below `root`, by their names; a photograph is called by its file and its row."""

    kind = "parquet"

    def __init__(self, root: Place, names: Sequence[str]) -> None:
        self._root, self._names = root, names
        self._scratch: Scratch | None = None
        self._kept: Path | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_scratch": None}  # whose folder ends with this process, not with a worker

    def __len__(self) -> int:
        return len(self._names)

    def listed(self) -> Iterator[tuple[int, Held]]:
        """Yield the images of each file, and keep them."""
        self._scratch = self._scratch or Scratch("photographs")
        self._kept = self._scratch.path
        for done, name in enumerate(self._names, 1):
            row = 0
            for group in range(n_groups(self._root / name)):
                for place, data in enumerate(read_group(self._root / name, group)):
                    yield done, self._held(f"{name}/{row:08d}", data, (group, place))
                    row += 1

    def fetch(self, source: Source) -> bytes:
        """Return an image: the one that was kept, or that of its group of rows."""
        kept = None if self._kept is None else self._kept / source.sha256
        if kept is not None and kept.is_file():
            return kept.read_bytes()
        group, place = source.span or (0, 0)
        return _last_group(self._root / source.path.rpartition("/")[0], group)[place] or b""

    def _held(self, path: str, data: bytes | None, span: tuple[int, int]) -> Held:
        if data is None:
            return Held(path, None, span, "its row has the name of a file, and no image")
        digest = FileDigest(data[:HEAD_BYTES], hashlib.sha256(data).hexdigest() if len(data) <= MAX_BYTES else "")
        if digest.sha256 and self._kept is not None and not (kept := self._kept / digest.sha256).exists():
            with whole_file(kept, synced=False) as file:
                file.write(data)
        return Held(path, digest, span)


def n_groups(file: Place) -> int:
    """Return how many groups of rows a table has; raise `FacesError` where it cannot be read."""
    import pyarrow.parquet as pq

    return int(_read(file, lambda opened: pq.ParquetFile(opened).num_row_groups))


def read_group(file: Place, group: int) -> list[bytes | None]:
    """Return the images of a group of rows, None where a row holds none.

    Raises `FacesError` where the file cannot be read, or has no column of images, or several and none called `image`.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    def images(opened: Any) -> list[bytes | None]:
        table = pq.ParquetFile(opened)
        columns = [field.name for field in table.schema_arrow if _is_image(field.type)]
        if not columns or (len(columns) > 1 and COLUMN not in columns):
            told = f"several columns of images ({', '.join(columns)})" if columns else "no column of images"
            raise FacesError(f"{file} has {told}", hint=f"a column of images holds bytes, and is called {COLUMN!r}")
        name = COLUMN if COLUMN in columns else columns[0]
        if (size := table.metadata.row_group(group).total_byte_size) > MOST_GROUP_BYTES:
            raise ValueError(f"its rows unpack to {size:,} bytes at once, and the limit is {MOST_GROUP_BYTES:,}")
        column = table.read_row_group(group, columns=[name]).column(name).combine_chunks()
        values = column.field("bytes") if pa.types.is_struct(column.type) else column
        found: list[bytes | None] = values.to_pylist()
        return found

    found: list[bytes | None] = _read(file, images)
    return found


@functools.lru_cache(maxsize=1)
def _last_group(file: Place, group: int) -> list[bytes | None]:
    return read_group(file, group)


def _is_image(kind: Any) -> bool:
    """Return whether a column is of images: of bytes, or as Hugging Face has them, of bytes and the name of a file."""
    import pyarrow as pa

    if pa.types.is_struct(kind):
        names = [kind.field(number).name for number in range(kind.num_fields)]
        return "bytes" in names and _is_image(kind.field("bytes").type)
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _read(file: Place, read: Any) -> Any:
    import pyarrow as pa

    try:
        with open_file(file) as opened:
            return read(opened)
    except (FacesError, DatasetError):
        raise
    except (OSError, pa.ArrowException, ValueError, KeyError, TypeError, OverflowError, MemoryError) as error:
        raise FacesError(
            f"{file} cannot be read: {why(error)}", hint="download it again, if it is a file of Parquet"
        ) from error
