"""The table of a dataset's samples by columns, for commands that only read: without pandas, which loads slowly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fdgen.contract.manifest import open_manifest
from fdgen.contract.members import column_of, member_entries, read_members
from fdgen.contract.truth import layers_of, members_with
from fdgen.errors import DatasetError
from fdgen.io.storage import Place


def read_columns(root: Place, dataset: Mapping[str, Any], names: Sequence[str]) -> dict[str, list[Any]]:
    """Return columns of the manifest of a dataset, a value a sample, None where there is none.

    Those that earlier versions did not write are left out where they are missing. Raises `DatasetError` where the
    manifest cannot be read, has none of another name, or says what `dataset`, its dataset.json, does not.
    """
    columns: dict[str, list[Any]] = open_manifest(root, dataset, only=names).to_pydict()
    return columns


def read_row(root: Place, dataset: Mapping[str, Any], key: str) -> dict[str, Any]:
    """Return what the manifest says of where one sample lies; raise `DatasetError` where no sample has that key."""
    members = members_with(layers_of(dataset["recipe"]))
    places = [f"{column_of(member)}_{what}" for member in members for what in ("offset", "size", "sha256")]
    columns = read_columns(root, dataset, ["key", "split", "shard", *places])
    if key not in columns["key"]:
        raise DatasetError(f"no sample of {root} has the key {key!r}", hint=f"`fdgen info {root}` lists some")
    number = columns["key"].index(key)
    return {name: values[number] for name, values in columns.items()}


def read_member(root: Place, row: Mapping[str, Any], member: str) -> bytes:
    """Read the bytes of one member of a sample, by the row that `read_row` gave."""
    shard = root / "shards" / f"{row['shard']}.tar"
    return read_members(shard, row["key"], member_entries(row, [member]), verify=False)[member]
