"""Parquet with the pictures inside, as `datasets.push_to_hub` writes it: `load_dataset` gives Image columns.

    data/train-00000-of-00012.parquet    a file a shard

The pictures are those of the shards, byte for byte.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from fdgen.contract.manifest import Manifest
from fdgen.contract.records import SampleRecord
from fdgen.contract.truth import TRUTH
from fdgen.exporters.columns import CAPTION, HF_SPLITS, IMAGES, LISTS, Sample, Shard, images_of, members_of
from fdgen.exporters.folder import ExportFolder

ROWS = 100
"""Rows of a group, which is what a reader unpacks at once: 100 samples of 256 px are about 20 MB."""

_TYPES = {"int": pa.int64(), "float": pa.float64(), "bool": pa.bool_()}
_IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
"""Hugging Face's storage of a picture: its file's bytes, and the name that it had."""


def schema(images: Iterable[str] = IMAGES, *, caption: bool = False) -> pa.Schema:
    """Return the columns: the pictures, a caption where there are such, then the fields of the record.

    Hugging Face's features are in the metadata for the pictures alone: it takes the rest from the types, and the names
    of its own for lists changed from one version to the next.
    """
    images = tuple(images)
    columns = [(name, _IMAGE) for name in images]
    columns += [(CAPTION, pa.string())] if caption else []
    for field in dataclasses.fields(SampleRecord):
        if field.name != "split":
            plain = _TYPES.get(str(field.type), pa.string())
            columns.append((field.name, pa.list_(pa.string()) if field.name in LISTS else plain))
    features = {name: {"_type": "Image"} for name in images}
    return pa.schema(columns, {"huggingface": json.dumps({"info": {"features": features}})})


class ParquetShards:
    """Writes a Parquet file a shard, a group of rows at a time."""

    def __init__(self, manifest: Manifest, folder: ExportFolder) -> None:
        self.folder = folder
        self.images = images_of(manifest.dataset)
        self.members = members_of(manifest.dataset, caption=True)

    def has(self, shard: Shard) -> bool:
        """Compare the shard's file with the sum that was written down."""
        return self.folder.holds(_name(shard))

    def add(self, shard: Shard, samples: Iterator[Sample]) -> None:
        """Write the file of one shard."""
        columns = schema(self.images, caption=TRUTH[CAPTION] in self.members)
        pictures = [f"{name}.{part}" for name in self.images for part in ("bytes", "path")]
        texts = [name for name in columns.names if name not in self.images]
        leaves = [f"{name}.list.element" if name in LISTS else name for name in texts]
        with (
            self.folder.writing(_name(shard)) as file,
            pq.ParquetWriter(
                file,
                columns,
                # PNG is packed already; the rest is text that repeats itself.
                compression={**dict.fromkeys(pictures, "NONE"), **dict.fromkeys(leaves, "ZSTD")},
                use_dictionary=leaves,
                write_page_index=True,
            ) as writer,
        ):
            waiting: list[dict[str, Any]] = []
            for sample in samples:
                waiting.append(self._row(sample))
                if len(waiting) == ROWS:
                    writer.write_table(pa.Table.from_pylist(waiting, columns))
                    waiting = []
            if waiting:
                writer.write_table(pa.Table.from_pylist(waiting, columns))

    def _row(self, sample: Sample) -> dict[str, Any]:
        row: dict[str, Any] = {
            name: {"bytes": sample.members[member], "path": f"{sample.key}.{member}"}
            for name, member in self.images.items()
        }
        if TRUTH[CAPTION] in sample.members:
            row[CAPTION] = sample.members[TRUTH[CAPTION]].decode("utf-8")
        return {**row, **sample.columns}

    def close(self) -> None:
        """Nothing belongs to all shards."""


def _name(shard: Shard) -> str:
    return f"data/{HF_SPLITS[shard.split]}-{shard.number:05d}-of-{shard.of:05d}.parquet"
