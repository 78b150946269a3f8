"""The manifest of a dataset: dataset.json, the table of its samples, and the bytes of their members.

pandas is imported inside `Manifest` alone. Arrays are RGB uint8, `_HWC` or `_HW`.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fdgen.contract.dataset_validation import check_shards, invalid_field, read_manifest_table
from fdgen.contract.members import member_entries, read_members
from fdgen.contract.records import IMPORTED, MEMBERS, SCHEMA, SPLITS, SampleRecord
from fdgen.errors import DatasetError
from fdgen.io.folders import mistaken
from fdgen.io.json_file import MOST_BYTES, parse_json, why
from fdgen.io.regular_file import is_regular, read_regular
from fdgen.io.storage import Place, Remote, open_place

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

MOST_MANIFEST_BYTES = 4_000_000_000
"""Of manifest.parquet; that of 200,000 samples has 120 MB."""


def read_finished(root: Place) -> dict[str, Any]:
    """Return dataset.json of the finished dataset in `root`; raise `DatasetError` where there is none of ours."""
    path = root / "dataset.json"
    if isinstance(path, Path) and not is_regular(path):
        hint = "name a folder that `fdgen build --out FOLDER` wrote"
        sentence, hint = mistaken(path.parent, "is not a dataset", "it has no dataset.json", hint)
        raise DatasetError(sentence, hint=hint)
    try:
        dataset = parse_json(_read(path, MOST_BYTES, root))
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path} cannot be read: {why(error)}", hint=_look_at(root)) from error
    if not isinstance(dataset, dict) or "spec_id" not in dataset:
        raise DatasetError(f"{path} was not written by fdgen: it has no spec_id")
    if dataset.get("schema") != SCHEMA:
        raise DatasetError(f"{path} has schema {dataset.get('schema')}, this version reads {SCHEMA}")
    if "content_id" not in dataset:
        raise DatasetError(
            f"the build of {root} is not finished", hint=f"rerun the same `{_maker(dataset)}` to finish it"
        )
    if (wrong := invalid_field(dataset)) is not None:
        raise DatasetError(f"{path} has been altered: {wrong}", hint=f"rerun the same `{_maker(dataset)}` to repair it")
    return dataset


def open_manifest(root: Place, dataset: Mapping[str, Any], *, only: Sequence[str] | None = None) -> pa.Table:
    """Return the table of a dataset's samples, or `only` some of its columns, compared with its dataset.json.

    Raises `DatasetError` where it cannot be read or says what it cannot, or a shard is no ordinary file in its folder.
    """
    path, hint = root / "manifest.parquet", _look_at(root)
    try:
        where = path.read_bytes(MOST_MANIFEST_BYTES) if isinstance(path, Remote) else path
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {why(error)}", hint=hint) from error
    within = root if isinstance(root, Path) else None
    table = read_manifest_table(where, dataset, name=str(path), hint=hint, within=within, only=only)
    if isinstance(root, Path):
        check_shards(root, dataset, hint=hint)
    return table


@dataclass(frozen=True)
class Manifest:
    """A finished dataset, opened for reading: `dataset.json` and the table of its samples.

    `root` is its folder, or the object for the URL from which it is read by ranges of bytes. `table` has a row a
    sample: the fields of `SampleRecord` (lists and objects as JSON text), `shard`, and for each member M of `MEMBERS`
    the columns `M_sha256`, `M_offset`, `M_size`, dots written as underscores.
    """

    root: Place
    dataset: Mapping[str, Any]
    given: pd.DataFrame | None = field(default=None, repr=False)
    """The table, or some of its columns; None is read when it is first asked for, and compared with `dataset` then."""

    @functools.cached_property
    def table(self) -> pd.DataFrame:
        """The table of the samples; `DatasetError` where it cannot be read or is another's."""
        return open_manifest(self.root, self.dataset).to_pandas() if self.given is None else self.given

    @classmethod
    def load(cls, root: str | Place, *, columns: Sequence[str] | None = None) -> Manifest:
        """Open the dataset in the folder or at the URL `root`, with some columns of its table, or with all.

        Raises `DatasetError` where it is missing, unfinished, not ours or out of reach.
        """
        root = open_place(root)
        dataset = read_finished(root)
        table = open_manifest(root, dataset, only=columns)
        return cls(root, dataset, table.to_pandas())

    def samples(self, split: str | None = None) -> pd.DataFrame:
        """Return the rows of one split, or of all; raise `DatasetError` where there is no such split."""
        if split is None:
            return self.table
        if split not in SPLITS:
            raise DatasetError(f"there is no split {split!r}; the splits are {', '.join(SPLITS)}")
        chosen: pd.DataFrame = self.table[self.table["split"] == split]
        return chosen

    def row(self, key: str) -> Mapping[str, Any]:
        """Return the row of one sample; raise `DatasetError` where no sample has that key."""
        rows = self.table[self.table["key"] == key]
        if rows.empty:
            raise DatasetError(
                f"no sample of {self.root} has the key {key!r}", hint=f"`fdgen info {self.root}` lists some"
            )
        return {str(name): value for name, value in rows.iloc[0].to_dict().items()}

    def record(self, key: str) -> SampleRecord:
        """Return the record of one sample, as it is in its shard."""
        return SampleRecord.from_json(self.read_member(key, "json"))

    def shard(self, name: str) -> Place:
        """Return where the tar of a shard lies."""
        return self.root / "shards" / f"{name}.tar"

    def read_member(self, key: str, member: str) -> bytes:
        """Read the bytes of one member straight from its shard, without unpacking."""
        return self.read_members(key, [member])[member]

    def read_members(self, key: str, members: Sequence[str] = MEMBERS, *, verify: bool = False) -> dict[str, bytes]:
        """Read members of one sample, by their names; `verify` compares them with the sha256 of the manifest.

        Raises `DatasetError` where no sample has that key, its shard is missing or short, or bytes are others.
        """
        row = self.row(key)
        shard, hint = self.shard(row["shard"]), _look_at(self.root)
        return read_members(shard, key, member_entries(row, members), verify=verify, hint=hint)

    def __iter__(self) -> Iterator[str]:
        return iter(self.table["key"])

    def __len__(self) -> int:
        return int(self.dataset["made"]) if self.given is None else len(self.given)


def _maker(dataset: Mapping[str, Any]) -> str:
    sources = dataset.get("sources")
    return "fdgen import" if isinstance(sources, dict) and sources.get("kind") == IMPORTED else "fdgen build"


def _look_at(root: Place) -> str:
    return "check the URL and the connection" if isinstance(root, Remote) else f"run `fdgen verify {root}`"


def _read(path: Place, most_bytes: int, root: Place) -> bytes:
    if isinstance(path, Remote):
        return path.read_bytes(most_bytes)
    return read_regular(path, most_bytes=most_bytes, within=root if isinstance(root, Path) else None)
