"""Hugging Face's imagefolder: pictures as files, and a metadata.jsonl a split that names them.

    train/metadata.jsonl                    a line a sample; `file_name` becomes the column `image`, `X_file_name` `X`
train/train-00000/KEY.occluded.png ...  a folder a shard: the Hub takes at most 10,000 files in one

The pictures are those of the shards, byte for byte.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from fdgen.contract.digests import canonical_json
from fdgen.contract.manifest import Manifest
from fdgen.contract.members import member_entries, read_members
from fdgen.contract.records import SPLITS
from fdgen.contract.truth import TRUTH, layers_of
from fdgen.exporters.columns import CAPTION, HF_SPLITS, Sample, Shard, columns_of, images_of, members_of
from fdgen.exporters.folder import ExportFolder


class ImageFolder:
    """Writes pictures as files."""

    def __init__(self, manifest: Manifest, folder: ExportFolder) -> None:
        self.manifest, self.folder = manifest, folder
        self.images = images_of(manifest.dataset)
        self.members = members_of(manifest.dataset, caption=False)
        self.captioned = CAPTION in layers_of(manifest.dataset["recipe"])

    def has(self, shard: Shard) -> bool:
        """Compare every picture of the shard with the manifest's digest."""
        names = [
            (_path(shard.split, shard.name, row["key"], member), row[f"{member.replace('.', '_')}_sha256"])
            for row in shard.records()
            for member in self.members
        ]
        return all(self.folder.holds(name, sha256) for name, sha256 in names)

    def add(self, shard: Shard, samples: Iterator[Sample]) -> None:
        """Write the pictures of a shard that are not there yet."""
        for sample in samples:
            for member in self.members:
                name = _path(shard.split, shard.name, sample.key, member)
                if not self.folder.holds(name, sample.sha256[member]):
                    self.folder.put(name, sample.members[member], sample.sha256[member])

    def close(self) -> None:
        """Write the metadata.jsonl of each split, from the manifest; captions are read from the shards."""
        for split in SPLITS:
            rows = self.manifest.samples(split)
            if rows.empty:
                continue
            with self.folder.writing(f"{HF_SPLITS[split]}/metadata.jsonl") as file:
                for _, row in rows.iterrows():
                    file.write(f"{self._line({str(name): value for name, value in row.to_dict().items()})}\n".encode())

    def _line(self, row: dict[str, Any]) -> str:
        """Return the line of one sample.

        What is not known is empty text, and lists are text joined by `+`: the reader takes the type of a column from
        the first lines of each split, and refuses a dataset whose splits differ, as an empty list and a full one do.
        """
        names = {column: f"{row['shard']}/{row['key']}.{member}" for column, member in self.images.items()}
        values = {
            name: "" if value is None else "+".join(value) if isinstance(value, list) else value
            for name, value in columns_of(row).items()
        }
        files = {"file_name" if column == "image" else f"{column}_file_name": name for column, name in names.items()}
        return json.dumps({**files, **self._caption(row), **json.loads(canonical_json(values))}, ensure_ascii=False)

    def _caption(self, row: Mapping[str, Any]) -> dict[str, str]:
        if not self.captioned:
            return {}
        member = TRUTH[CAPTION]
        entries = member_entries(row, [member])
        data = read_members(self.manifest.shard(row["shard"]), row["key"], entries, verify=True)[member]
        return {CAPTION: data.decode("utf-8")}


def _path(split: str, shard: str, key: str, member: str) -> str:
    return f"{HF_SPLITS[split]}/{shard}/{key}.{member}"
