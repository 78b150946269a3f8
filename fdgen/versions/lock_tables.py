"""The two tables of a lock: digests of every sample, and of every photograph that there was to choose from.

They are small (about 300 bytes a sample, 20 a photograph), hold no picture, no landmark and nothing of what a source of
faces says about people: identities and attributes are in them as digests.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from fdgen.contract.digests import canonical_json, digest_json, merkle_root
from fdgen.contract.face_points import LANDMARKS_FILE
from fdgen.contract.records import MEMBERS
from fdgen.errors import DatasetError
from fdgen.faces.sources import Source
from fdgen.io.atomic import write_whole
from fdgen.io.parquet_file import open_parquet, read_all

DIGESTS = tuple(f"{member.replace('.', '_')}_sha256" for member in MEMBERS)
"""Columns with the sha256 of each member, in the order of `MEMBERS`."""

_TAKEN = ("key", "split", "shard", "source", "source_sha256", "kinds", "asset_ids")
_MEASURED = ("coverage", "coverage_face", "yaw_deg", "pitch_deg", "roll_deg")
_TEXT = pa.string()

SAMPLES = pa.schema(
    [(name, _TEXT) for name in (*_TAKEN, "landmarks_sha256", "placement_sha256")]
    + [(name, pa.float64()) for name in _MEASURED]
    + [(name, _TEXT) for name in DIGESTS]
)
"""A row a sample, in the order of the manifest; `kinds` and `asset_ids` are JSON text as there."""

SOURCES = pa.schema([("source", _TEXT), ("digest", _TEXT), ("known", _TEXT)])
"""A row a photograph: path, the first 16 hex digits of its sha256, and of the digest of what is known of it."""

_FEW = ("split", "shard", "kinds", "asset_ids")  # columns whose values repeat


def sample_rows(manifest: pa.Table, landmarks: Mapping[str, str]) -> pa.Table:
    """Return the samples of a manifest as the lock lists them. `landmarks` is their digest by photograph.

    Raises `DatasetError` where a photograph has none.
    """
    used = manifest["source_sha256"].to_pylist()
    if missing := sorted(set(used) - landmarks.keys()):
        raise DatasetError(f"{LANDMARKS_FILE} has no row for the photograph {missing[0][:16]}")
    placements = [hashlib.sha256(text.encode()).hexdigest() for text in manifest["placement"].to_pylist()]
    added = {"landmarks_sha256": [landmarks[sha256] for sha256 in used], "placement_sha256": placements}
    columns = [pa.array(added[f.name], f.type) if f.name in added else manifest[f.name] for f in SAMPLES]
    return pa.table(columns, schema=SAMPLES)


def source_rows(sources: Iterable[Source]) -> list[tuple[str, str, str]]:
    """Return photographs as the lock lists them, sorted by path."""
    return sorted((source.path, source.sha256[:16], known_digest(source)) for source in sources)


def source_table(sources: Iterable[Source]) -> pa.Table:
    """Return the table of photographs."""
    columns = zip(*source_rows(sources), strict=True)
    return pa.table([pa.array(column, _TEXT) for column in columns] or [[], [], []], schema=SOURCES)


def known_digest(source: Source) -> str:
    """Return the first 16 hex digits of the digest of a photograph's identity, official split and attributes."""
    return digest_json([source.identity, source.split, source.attributes])[:16]


def content_of(shards: Sequence[Mapping[str, Any]], samples: pa.Table) -> str:
    """Return the content_id of samples in these shards: the Merkle root that a build writes."""
    leaves_of: dict[str, list[str]] = {}
    names = [json.dumps(member) for member in MEMBERS]
    for shard, key, *digests in zip(*(samples[name].to_pylist() for name in ("shard", "key", *DIGESTS)), strict=True):
        # What `SampleEntry.digest` hashes, put together by hand: five times faster than a JSON writer.
        members = ",".join(f'[{name},"{sha256}"]' for name, sha256 in zip(names, digests, strict=True))
        text = f"[{canonical_json(key)},[{members}]]"
        leaves_of.setdefault(shard, []).append(hashlib.sha256(text.encode()).hexdigest())
    leaves = []
    for row in shards:
        leaves += [digest_json([row["name"], row["sha256"]]), *leaves_of.pop(row["name"], ())]
    if leaves_of:
        raise DatasetError(f"a sample is in the shard {sorted(leaves_of)[0]}, which does not exist")
    return merkle_root(leaves)


def write_table(path: Path, table: pa.Table) -> None:
    """Write one of the tables."""
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd", use_dictionary=[n for n in _FEW if n in table.schema.names])
    write_whole(path, buffer.getvalue())


def read_table(path: Path, schema: pa.Schema) -> pa.Table:
    """Read one of the tables; raise `DatasetError` where it is another file, or has gaps."""
    with open_parquet(path, name=str(path), within=path.parent) as file:
        table = read_all(file)
    if not table.schema.equals(schema):
        raise DatasetError(f"{path} has other columns than expected")
    if any(column.null_count for column in table.columns):
        raise DatasetError(f"{path} has empty cells")
    return table
