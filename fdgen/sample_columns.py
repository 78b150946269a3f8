"""The table of a dataset's samples by columns, for commands that only look: without pandas, which loads longest."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fdgen.contract import ADDED, MEMBERS, Place, read_range
from fdgen.errors import DatasetError


def read_columns(root: Place, names: Sequence[str]) -> dict[str, list[Any]]:
    """Return columns of the manifest of a dataset, a value a sample, None where there is none.

    Those that earlier versions did not write are left out where they are missing. Raises `DatasetError` where the
    manifest cannot be read or has none of another name.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = root / "manifest.parquet"
    try:
        file = pq.ParquetFile(path if isinstance(path, Path) else io.BytesIO(path.read_bytes()))
        there = set(file.schema_arrow.names)
        if missing := [name for name in names if name not in there and name not in ADDED]:
            raise DatasetError(f"{path} is no manifest of ours: it has no column {missing[0]!r}", hint=_look_at(root))
        columns: dict[str, list[Any]] = file.read([name for name in names if name in there]).to_pydict()
    except (OSError, pa.ArrowException) as error:
        raise DatasetError(f"{path} cannot be read: {error}", hint=_look_at(root)) from error
    return columns


def read_row(root: Place, key: str) -> dict[str, Any]:
    """Return what the manifest tells of where one sample lies; raise `DatasetError` where no sample has that key."""
    places = [f"{member.replace('.', '_')}_{what}" for member in MEMBERS for what in ("offset", "size")]
    columns = read_columns(root, ["key", "shard", *places])
    if key not in columns["key"]:
        raise DatasetError(f"no sample of {root} has the key {key!r}", hint=f"`fdgen info {root}` lists some")
    number = columns["key"].index(key)
    return {name: values[number] for name, values in columns.items()}


def read_member(root: Place, row: Mapping[str, Any], member: str) -> bytes:
    """Read the bytes of one member of a sample, by the row that `read_row` gave."""
    name = member.replace(".", "_")
    return read_range(root / "shards" / f"{row['shard']}.tar", row[f"{name}_offset"], row[f"{name}_size"])


def _look_at(root: Place) -> str:
    return f"run `fdgen verify {root}`" if isinstance(root, Path) else "check the URL and the connection"
