"""The tables next to the shards: manifest, landmarks and sources as Parquet, rejects as CSV.

They are functions of the receipts and the plan, written row group by row group so that a large set needs little memory,
and have equal bytes for equal content and versions of pyarrow.
"""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import io
import itertools
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from fdgen.contract.dataset_validation import invalid_value
from fdgen.contract.digests import canonical_json
from fdgen.contract.face_points import landmark_schema
from fdgen.contract.manifest_schema import manifest_schema
from fdgen.contract.records import ADDED, DIGEST_PATTERN, MEMBERS, Reject, SampleEntry, SampleRecord, ShardReceipt
from fdgen.contract.truth import members_in
from fdgen.errors import DatasetError
from fdgen.faces.landmarks import N_POINTS, STEP_PX, Landmarks, landmarks_digest
from fdgen.faces.source_table import Columns, SourceTable, TextColumn
from fdgen.faces.sources import Source
from fdgen.io.parquet_file import open_parquet, read_all, read_batches
from fdgen.io.storage import Place
from fdgen.io.stores.opening import store_of

_TEXT, _REAL = pa.string(), pa.float64()

MANIFEST = manifest_schema()
"""Without truth layers, which have columns of their own."""

LANDMARKS = landmark_schema()

SOURCES = pa.schema(
    [
        ("source", _TEXT),
        ("source_sha256", _TEXT),
        ("identity", _TEXT),
        ("split", _TEXT),
        ("attributes", pa.list_(_TEXT)),
    ]
)

_PLAIN = ("str", "str | None", "int", "float", "bool")
"""Types of fields that the manifest has as they are; others are JSON text."""

_MAY_BE_EMPTY = ("identity", "split", "attributes")
"""Of photographs, where nothing is known."""

REJECTS = pa.schema(
    [("source", _TEXT), ("sha256", pa.binary()), ("variant", pa.int64()), ("reason", _TEXT), ("detail", _TEXT)]
)

REJECT_COLUMNS = tuple(REJECTS.names)

_ROWS = 2048
_ROWS_AT_ONCE = 256
"""As Python objects, of which a row of landmarks is 1,400."""


def manifest_batch(receipt: ShardReceipt) -> pa.RecordBatch:
    """Return the rows of one shard."""
    schema = manifest_schema(sorted(receipt.samples[0].members)) if receipt.samples else MANIFEST
    return pa.RecordBatch.from_pylist([_manifest_row(receipt.name, entry) for entry in receipt.samples], schema)


def write_manifest(path: Place, batches: Iterable[pa.RecordBatch], members: Sequence[str] = MEMBERS) -> None:
    """Write manifest.parquet: a row group for what `manifest_batch` gives of each shard, in the order given.

    `members` are those of each sample.
    """
    _write_parquet(path, manifest_schema(members), batches)


def read_manifest(path: Place) -> pa.Table:
    """Read manifest.parquet; raise `DatasetError` where the file is not one of these."""
    with _opened(path) as file:
        table = read_all(file)
    wanted = manifest_schema(members_in(table.schema.names))
    missing = [name for name in ADDED if name not in table.schema.names]
    for name in missing:  # written before there were such fields
        table = table.append_column(wanted.field(name), pa.nulls(len(table), wanted.field(name).type))
    if missing and set(table.schema.names) == set(wanted.names):
        table = table.select(wanted.names)
    if not table.schema.equals(wanted):
        raise DatasetError(f"{path.name} has other columns than expected")
    return _checked(path, table)


def read_manifest_columns(path: Place, names: Sequence[str]) -> pa.Table:
    """Read some columns of manifest.parquet; raise `DatasetError` where the file is not one of these."""
    with _opened(path) as file:
        table = read_all(file, names)
    for name in names:
        if name not in table.schema.names or table.schema.field(name).type != MANIFEST.field(name).type:
            raise DatasetError(f"{path.name} has other columns than expected")
    return _checked(path, table.select(names))


def write_landmarks(path: Place, used: Iterable[tuple[Source, Landmarks]]) -> None:
    """Write landmarks.parquet: a row a photograph, in the order given."""
    remaining = iter(used)
    groups = iter(lambda: list(itertools.islice(remaining, _ROWS)), [])
    _write_parquet(path, LANDMARKS, map(_landmark_batch, groups))


def read_landmarks(path: Place, only: str | None = None) -> Iterator[tuple[str, Landmarks]]:
    """Yield the sha256 of each photograph (of `only` this one) and its landmarks.

    Raises `DatasetError` where this is another file.
    """
    for row in _read_rows(path, LANDMARKS, only):
        points = np.array(row["points"], np.float32).reshape(N_POINTS, 3) * np.float32(STEP_PX)
        yield row["source_sha256"], Landmarks(points, np.array(row["frame"]).reshape(2, 3), row["size_px"])


def read_landmark_digests(path: Place, only: Collection[str] | None = None) -> dict[str, str]:
    """Return what `Landmarks.digest` gives of each photograph (of `only` these), by its sha256.

    No landmarks are made, so it is many times faster. Raises `DatasetError` where this is another file.
    """
    found = {}
    with _opened(path) as file:
        if not file.schema_arrow.equals(LANDMARKS):
            raise DatasetError(f"{path.name} has other columns than expected")
        for batch in read_batches(file, rows=_ROWS):
            _refuse_gaps(path, batch)
            points, frames = _plain(batch["points"], "<i2"), _plain(batch["frame"], "<f8")
            names, sizes = batch["source_sha256"].to_pylist(), batch["size_px"].to_pylist()
            for sha256, size_px, frame, steps in zip(names, sizes, frames, points, strict=True):
                if only is None or sha256 in only:
                    found[sha256] = landmarks_digest(size_px, frame, steps.tobytes())
    return found


def write_sources(path: Place, sources: Iterable[Source]) -> None:
    """Write sources.parquet: all photographs that the build chose from, whether used or not, in the order given."""
    table = SourceTable.of(sources) if isinstance(sources, Sequence) else SourceTable(sources)
    starts = range(0, len(table), _ROWS)
    _write_parquet(path, SOURCES, (_source_batch(table.columns(at, min(len(table), at + _ROWS))) for at in starts))


def read_sources(path: Place) -> list[Source]:
    """Read sources.parquet back; raise `DatasetError` where the file is not one of these."""
    return [
        Source(
            row["source"],
            row["source_sha256"],
            row["identity"],
            row["split"],
            None if row["attributes"] is None else tuple(row["attributes"]),
        )
        for row in _read_rows(path, SOURCES)
    ]


class RejectColumns:
    """Rejects in columns: about 150 bytes each, where an object takes three times as many."""

    def __init__(self) -> None:
        self._batches: list[pa.RecordBatch] = []

    def add(self, rejects: Iterable[Reject]) -> None:
        """Add rejects, in any order."""
        remaining = iter(rejects)
        self._batches += map(_reject_batch, iter(lambda: list(itertools.islice(remaining, _ROWS)), []))

    def table(self) -> pa.Table:
        """Return all that were added, with the columns of rejects.csv; digests are bytes."""
        return pa.Table.from_batches(self._batches, REJECTS).combine_chunks()


def write_rejects(path: Place, rejects: RejectColumns) -> None:
    """Write rejects.csv: a line each under a header, by source and variant."""
    table = rejects.table()
    order = pc.sort_indices(table, [(name, "ascending") for name in REJECT_COLUMNS])  # UTF-8 sorts as text does
    with store_of(path.parent).whole_file_if_other(path.name) as file:
        file.write(",".join(REJECT_COLUMNS).encode() + b"\n")
        for start in range(0, len(table), _ROWS):
            text = io.StringIO()
            rows = table.take(order[start : start + _ROWS]).to_pydict()
            rows["sha256"] = [digest.hex() for digest in rows["sha256"]]
            csv.writer(text, lineterminator="\n").writerows(zip(*rows.values(), strict=True))
            file.write(text.getvalue().encode())


def _reject_batch(rejects: Sequence[Reject]) -> pa.RecordBatch:
    columns: list[list[Any]] = [
        [reject.source for reject in rejects],
        [bytes.fromhex(reject.source_sha256) for reject in rejects],
        [reject.variant for reject in rejects],
        [reject.reason for reject in rejects],
        [reject.detail for reject in rejects],
    ]
    arrays = [pa.array(values, field.type) for values, field in zip(columns, REJECTS, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=REJECTS)


def _source_batch(columns: Columns) -> pa.RecordBatch:
    """Return photographs as rows of sources.parquet, from buffers: `pa.array` would import pandas."""
    attributes = _taken(columns.attribute_names, columns.attributes)
    lists = [_valid(columns.without_attributes), pa.py_buffer(columns.attribute_offsets)]
    arrays = [
        _texts(columns.paths),
        _texts(columns.digests),
        _texts(columns.people),
        _taken(columns.split_names, columns.splits),
        pa.Array.from_buffers(SOURCES.field("attributes").type, len(columns.splits), lists, children=[attributes]),
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=SOURCES)


def _texts(column: TextColumn) -> pa.Array:
    """Return texts as an array; raise `ValueError` where one is no Unicode."""
    column.data.decode()
    buffers = [_valid(column.missing), pa.py_buffer(column.offsets), pa.py_buffer(column.data)]
    return pa.Array.from_buffers(_TEXT, len(column.missing), buffers)


def _taken(names: Sequence[str | None], places: npt.NDArray[np.int32]) -> pa.Array:
    return _texts(TextColumn.of(names)).take(
        pa.Array.from_buffers(pa.int32(), len(places), [None, pa.py_buffer(places)])
    )


def _valid(missing: npt.NDArray[np.bool_]) -> pa.Buffer | None:
    return pa.py_buffer(np.packbits(~missing, bitorder="little")) if missing.any() else None


def _landmark_batch(used: Sequence[tuple[Source, Landmarks]]) -> pa.RecordBatch:
    frames = np.array([landmarks.frame.ravel() for _, landmarks in used], np.float64)
    steps = np.round(np.array([landmarks.points_px for _, landmarks in used]) / STEP_PX).astype(np.int16)
    arrays = [
        pa.array([source.path for source, _ in used], _TEXT),
        pa.array([source.sha256 for source, _ in used], _TEXT),
        pa.array([landmarks.size_px for _, landmarks in used], LANDMARKS.field("size_px").type),
        pa.FixedSizeListArray.from_arrays(pa.array(frames.ravel()), type=LANDMARKS.field("frame").type),
        pa.FixedSizeListArray.from_arrays(pa.array(steps.ravel()), type=LANDMARKS.field("points").type),
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=LANDMARKS)


def _manifest_row(shard: str, entry: SampleEntry) -> dict[str, Any]:
    row: dict[str, Any] = {"shard": shard}
    for f in dataclasses.fields(SampleRecord):
        value = getattr(entry.record, f.name)
        row[f.name] = value if value is None or str(f.type) in _PLAIN else canonical_json(value)
    for name, member in entry.members.items():
        column = name.replace(".", "_")
        row |= {f"{column}_{f.name}": getattr(member, f.name) for f in dataclasses.fields(member)}
    return row


def _batches(rows: Iterable[dict[str, Any]], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    waiting: list[dict[str, Any]] = []
    for row in rows:
        waiting.append(row)
        if len(waiting) == _ROWS:
            yield pa.RecordBatch.from_pylist(waiting, schema)
            waiting = []
    if waiting:
        yield pa.RecordBatch.from_pylist(waiting, schema)


def _write_parquet(path: Place, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> None:
    """Write row group by row group; a file that already holds just this stays untouched."""
    with (
        store_of(path.parent).whole_file_if_other(path.name) as file,
        pq.ParquetWriter(file, schema, compression="zstd") as writer,
    ):
        for batch in batches:
            writer.write_batch(batch)


def _read_rows(path: Place, schema: pa.Schema, only: str | None = None) -> Iterator[dict[str, Any]]:
    """Yield the rows of a table, or `only` those of the photograph with this sha256."""
    with _opened(path) as file:
        if not file.schema_arrow.equals(schema):
            raise DatasetError(f"{path.name} has other columns than expected")
        for batch in read_batches(file, rows=_ROWS_AT_ONCE):
            _refuse_gaps(path, batch)
            if only is not None:
                batch = batch.filter(pc.equal(batch["source_sha256"], only))
            yield from batch.to_pylist()


def _plain(lists: pa.FixedSizeListArray, dtype: str) -> Any:
    """Return lists of numbers, none of them missing, as an array with a row a list; `to_numpy` would import pandas."""
    values = lists.flatten()
    flat = np.frombuffer(values.buffers()[1], dtype)[values.offset : values.offset + len(values)]
    return flat.reshape(len(lists), -1)


def _opened(path: Place) -> contextlib.AbstractContextManager[pq.ParquetFile]:
    """Open a table of a dataset, which is named by its file alone: the folder is known to whoever asked."""
    return open_parquet(path, name=path.name, within=path.parent)


def _checked(path: Place, table: pa.Table) -> pa.Table:
    if (wrong := invalid_value(table)) is not None:
        raise DatasetError(f"{path.name} has been altered: {wrong}")
    return table


def _refuse_gaps(path: Place, batch: pa.RecordBatch) -> None:
    """Raise `DatasetError` where something is missing that is always known, or is no digest or finite number."""
    for field, column in zip(batch.schema, batch.columns, strict=True):
        if field.name in _MAY_BE_EMPTY:
            continue
        values = column.flatten() if pa.types.is_fixed_size_list(field.type) else column
        if column.null_count or values.null_count:
            raise DatasetError(f"{path.name} has gaps in {field.name!r}")
        if pa.types.is_floating(values.type) and not pc.all(pc.is_finite(values)).as_py():
            raise DatasetError(f"{path.name} has a value that is not a finite number in {field.name!r}")
        if field.name == "source_sha256" and not all(map(DIGEST_PATTERN.match, column.to_pylist())):
            raise DatasetError(f"{path.name} has a value that is not a digest in {field.name!r}")
