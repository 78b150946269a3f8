"""Reads untrusted Parquet: inspected before it is read, read in pieces, its types compared with the expected ones."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from fdgen.errors import DatasetError
from fdgen.io.json_file import why
from fdgen.io.storage import Place, open_file

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

MOST_ROWS = 20_000_000
"""Of a table: a hundred times the largest dataset of faces."""

MOST_COLUMNS = 256

BYTES_A_ROW, BYTES_BESIDE = 65_536, 256_000_000
"""What is read of a table: so many bytes for each row, and so many for few rows. Ours have 3 kB a row."""

_ROWS = 8_192
"""Read at once, so that what unpacks to far more than it says is noticed early."""


@contextlib.contextmanager
def open_parquet(where: Place | bytes, *, name: str, within: Place | None = None) -> Iterator[pq.ParquetFile]:
    """Open a file, or its bytes; anything that goes wrong in the block by the file's fault becomes one sentence.

    Raises `DatasetError` beginning with `name` where it cannot be read, has more rows or columns than any of ours, or
    says that it unpacks to more than its rows can hold; where a link leads to it out of the folder `within`.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with contextlib.ExitStack() as stack:
            source: Any = io.BytesIO(where) if isinstance(where, bytes) else open_file(where, within=within)
            stack.enter_context(source)
            # `pq.read_table` imports pandas, which takes longer than reading
            file = stack.enter_context(pq.ParquetFile(source))
            _refuse_huge(file.metadata)
            yield file
    except (OSError, pa.ArrowException, ValueError, KeyError, TypeError, OverflowError, MemoryError) as error:
        raise DatasetError(f"{name} cannot be read: {why(error)}") from error


def read_batches(
    file: pq.ParquetFile, columns: Sequence[str] | None = None, rows: int = _ROWS
) -> Iterator[pa.RecordBatch]:
    """Yield the rows of an open file; raise `ValueError` where they unpack to more than rows can hold."""
    n_bytes = n_rows = 0
    for batch in file.iter_batches(rows, columns=None if columns is None else list(columns)):
        batch.validate(full=True)  # text that is not UTF-8 is found by whoever looks at it, else
        n_bytes += batch.nbytes
        n_rows += batch.num_rows
        if n_bytes > BYTES_BESIDE + BYTES_A_ROW * n_rows:
            raise ValueError("it unpacks to more than its rows can hold")
        yield batch


def read_all(file: pq.ParquetFile, columns: Sequence[str] | None = None) -> pa.Table:
    """Return an open file as a table; raise as `read_batches` does."""
    import pyarrow as pa

    schema = file.schema_arrow
    if columns is not None:
        if missing := [name for name in columns if name not in schema.names]:
            raise ValueError(f"it has no column {missing[0]!r}")
        schema = pa.schema([schema.field(name) for name in columns])
    batches = [batch.select(schema.names) for batch in read_batches(file, columns)]
    return pa.Table.from_batches(batches, schema.remove_metadata())


def _refuse_huge(metadata: Any) -> None:
    n_rows, n_columns = metadata.num_rows, metadata.num_columns
    if not 0 <= n_rows <= MOST_ROWS or not 0 < n_columns <= MOST_COLUMNS:
        raise ValueError(f"it says that it has {n_rows:,} rows and {n_columns:,} columns")
    if metadata.num_row_groups > n_rows + 1:
        raise ValueError(f"it has {metadata.num_row_groups:,} groups for {n_rows:,} rows")
    unpacked = sum(metadata.row_group(number).total_byte_size for number in range(metadata.num_row_groups))
    if unpacked > BYTES_BESIDE + BYTES_A_ROW * n_rows:
        raise ValueError(f"it says that it unpacks to {unpacked:,} bytes, for {n_rows:,} rows")
