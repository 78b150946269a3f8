"""Validates dataset.json and manifest.parquet once, when they are opened, so that readers can trust them.

Names are names (nothing in them leads out of a folder), digests digests, numbers finite and in range; every sample lies
in a shard that there is, within its bytes and of its split.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fdgen.contract.manifest_schema import manifest_schema
from fdgen.contract.records import ADDED, KEY_PATTERN, MOST_NAME, SPLITS, in_range
from fdgen.contract.truth import members_in
from fdgen.errors import DatasetError
from fdgen.io.json_file import fits, parse_json
from fdgen.io.parquet_file import open_parquet, read_all
from fdgen.io.regular_file import UnfitFileError, check_regular

if TYPE_CHECKING:
    import pyarrow as pa


_LISTS = ("kinds", "asset_ids", "worn")
_EMPTY = ("identity", *ADDED)
"""Columns of a manifest that may have gaps."""

_MOST_TEXT = 4_096
_LONG = ("placement", "gates")
"""Columns whose text is long: JSON of many numbers."""

_HEX = np.zeros(256, bool)
_HEX[[ord(digit) for digit in "0123456789abcdef"]] = True


def invalid_field(dataset: Mapping[str, Any]) -> str | None:
    """Say which field of a finished dataset.json is missing or is not as we write it; None where all fit."""
    from fdgen.contract.dataset_facts import DatasetFacts

    if (wrong := fits(DatasetFacts, dataset)) is not None:
        return wrong
    return invalid_shard_row(dataset["shards"])


def invalid_shard_row(rows: Any) -> str | None:
    """Say what is wrong with the names in a table of shards; None where nothing is."""
    seen = set()
    for row in rows:
        if row["name"].partition("-")[0] != row["split"]:
            return f"its shard {row['name']!r} is of the split {row['split']}"
        if row["name"] in seen:
            return f"its shard {row['name']!r} is listed twice"
        seen.add(row["name"])
    return None


def read_manifest_table(
    where: Path | bytes,
    dataset: Mapping[str, Any],
    *,
    name: str,
    hint: str,
    within: Path | None = None,
    only: Sequence[str] | None = None,
) -> pa.Table:
    """Read manifest.parquet of a finished dataset, or some of its columns, and check every value of them.

    What there is to compare with dataset.json is compared. Columns that are not ours are left as they are, those that
    earlier versions did not write left out where they are missing.

    Args:
        where: The file, or its bytes.
        dataset: The fields of dataset.json.
        name: What messages call the file.
        hint: What to do about a fault, for the error.
        within: Folder that no link may lead out of; None for any.
        only: The columns to read; None reads all of ours.

    Raises `DatasetError` with `hint` naming what is wrong.
    """
    import pyarrow as pa

    try:
        with open_parquet(where, name=name, within=within) as file:
            there = file.schema_arrow.names
            wanted = manifest_schema(members_in(there))
            asked = wanted.names if only is None else only
            if missing := [column for column in asked if column not in (*there, *ADDED)]:
                raise DatasetError(f"{name} is not a manifest of fdgen: it has no column {missing[0]!r}")
            table = _typed(read_all(file, only and [column for column in only if column in there]), wanted)
    except pa.ArrowException as error:  # pragma: no cover - `open_parquet` has named it
        raise DatasetError(f"{name} cannot be read: {error}", hint=hint) from error
    except DatasetError as error:
        raise DatasetError(error.message, hint=hint) from error
    wrong = invalid_value(table)
    if wrong is None and {"shard", "split"} <= set(table.schema.names):
        wrong = _invalid_extent(table, {row["name"]: row for row in dataset["shards"]})
    if wrong is not None:
        raise DatasetError(f"{name} has been altered: {wrong}", hint=hint)
    if len(table) != dataset["made"]:
        raise DatasetError(f"{name} has {len(table):,} rows, and dataset.json says {dataset['made']:,}", hint=hint)
    return table


def invalid_value(table: pa.Table) -> str | None:
    """Say what is wrong with the values of columns as a manifest has; None where nothing is."""
    import pyarrow.compute as pc

    if len(table) == 0:
        return None
    for f in table.schema:
        column = table[f.name]
        if column.null_count and f.name not in _EMPTY:
            return f"its column {f.name!r} has gaps"
        if str(f.type) == "string":
            longest = pc.max(pc.binary_length(column)).as_py() or 0
            if longest > (_MOST_TEXT if f.name not in _LONG else 256 * _MOST_TEXT):
                return f"its column {f.name!r} has a text of {longest:,} bytes"
        elif str(f.type) == "double" and not pc.all(pc.is_finite(column)).as_py():
            return f"its column {f.name!r} has a value that is not a finite number"
        elif str(f.type) == "double" and not in_range(f.name, *pc.min_max(column).as_py().values()):
            return f"its column {f.name!r} has numbers outside the range of its measure"
        elif str(f.type) == "int64" and pc.min(column).as_py() < 0:
            return f"its column {f.name!r} has numbers below 0"
        if f.name.endswith("_sha256") and not _all_digests(column):
            return f"its column {f.name!r} has a value that is not a digest"
    if "key" in table.schema.names and (wrong := _invalid_key(table["key"])) is not None:
        return wrong
    for name in _LISTS:
        if name in table.schema.names and (wrong := _invalid_list(table[name].unique().to_pylist(), name)) is not None:
            return wrong
    return None


def _invalid_key(keys: pa.ChunkedArray) -> str | None:
    import pyarrow.compute as pc

    fit = pc.match_substring_regex(keys, rf"^{KEY_PATTERN.pattern.removesuffix(chr(92) + 'Z')}$")
    if not pc.all(fit).as_py():
        return f"{keys.filter(pc.invert(fit))[0].as_py()[:80]!r} is not a key"
    if pc.max(pc.binary_length(keys)).as_py() > MOST_NAME:
        return "a key of it is too long"
    return None if pc.count_distinct(keys).as_py() == len(keys) else "a key of it is listed twice"


def _invalid_list(texts: list[str | None], name: str) -> str | None:
    for text in texts:
        if text is None:
            continue
        try:
            values = parse_json(text)
        except ValueError:
            values = None
        if not isinstance(values, list) or not all(isinstance(one, str) for one in values):
            return f"its column {name!r} has {text[:80]!r}, which is not a list of texts"
        if name != "asset_ids" and not all(KEY_PATTERN.match(one) and len(one) <= MOST_NAME for one in values):
            return f"its column {name!r} has {text[:80]!r}, which are not names of kinds"
    return None


def _invalid_extent(table: pa.Table, shards: Mapping[str, Mapping[str, Any]]) -> str | None:
    """Compare splits, and where members lie, with the table of shards."""
    if len(table) == 0:
        return None
    held = table["shard"].combine_chunks().dictionary_encode()
    names = held.dictionary.to_pylist()
    if unknown := [name for name in names if name not in shards]:
        return f"{unknown[0][:80]!r} is not a shard of dataset.json"
    splits = table["split"].combine_chunks().dictionary_encode()
    known = splits.dictionary.to_pylist()
    if unknown := [split for split in known if split not in SPLITS]:
        return f"{unknown[0][:80]!r} is not a split"
    shard_of, split_of = (_whole([one.indices], np.int32) for one in (held, splits))
    wanted = np.array([known.index(s) if (s := shards[name]["split"]) in known else -1 for name in names])
    if (wanted[shard_of] != split_of).any():
        return "a sample of it is of another split than its shard"
    ends = np.array([shards[name]["bytes"] for name in names])[shard_of]
    for member in members_in(table.schema.names, whole=False):
        column = member.replace(".", "_")
        offset, size = (_whole(table[f"{column}_{what}"].chunks, np.int64) for what in ("offset", "size"))
        if ((offset > ends) | (size > ends - offset)).any():
            return f"{member} of a sample of it is beyond the end of its shard"
    return None


def _whole(chunks: Sequence[pa.Array], kind: type[np.integer[Any]]) -> npt.NDArray[np.integer[Any]]:
    """Return whole numbers, none of them missing, as an array; pyarrow's own `to_numpy` would import pandas."""
    parts = [np.frombuffer(one.buffers()[1], kind)[one.offset : one.offset + len(one)] for one in chunks if len(one)]
    return np.concatenate(parts) if parts else np.zeros(0, kind)


def _all_digests(column: pa.ChunkedArray) -> bool:
    """Return whether each text is 64 hex digits; looked at as bytes, since there are millions."""
    import pyarrow.compute as pc

    if set(pc.min_max(pc.binary_length(column)).as_py().values()) != {64}:  # `pc.equal` with a number imports pandas
        return False
    for chunk in column.chunks:
        _, offsets, data = chunk.buffers()
        if len(chunk):
            first, last = np.frombuffer(offsets, np.int32)[[chunk.offset, chunk.offset + len(chunk)]]
            if not _HEX[np.frombuffer(data, np.uint8)[first:last]].all():
                return False
    return True


def _typed(table: pa.Table, wanted: pa.Schema) -> pa.Table:
    """Return a table with our columns in our types; raise `DatasetError` where one is of another sort."""
    import pyarrow as pa

    sorts = {
        "string": lambda kind: pa.types.is_string(kind) or pa.types.is_large_string(kind),
        "int64": pa.types.is_integer,
        "double": pa.types.is_floating,
        "bool": pa.types.is_boolean,
    }
    for number, name in enumerate(table.schema.names):
        if name in wanted.names:
            kind = wanted.field(name).type
            if table.schema.names.count(name) > 1 or not sorts[str(kind)](table.schema.field(number).type):
                raise ValueError(f"its column {name!r} is twice there, or no {kind}")
            table = table.set_column(number, name, table[number].cast(kind))
    return table


def check_shards(root: Path, dataset: Mapping[str, Any], *, hint: str) -> None:
    """Raise `DatasetError` where a shard of a dataset in a folder is no ordinary file of it; one may be missing."""
    for row in dataset["shards"]:
        path = root / "shards" / f"{row['name']}.tar"
        try:
            check_regular(path, within=root)
        except FileNotFoundError:
            continue
        except OSError as error:
            why = error.strerror if isinstance(error, UnfitFileError) else error.strerror or str(error)
            raise DatasetError(f"{path} cannot be read: {why}", hint=hint) from error
