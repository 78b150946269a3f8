"""Checks the tables next to the shards against the receipts from which they were made."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from fdgen.contract.face_points import LANDMARKS_FILE
from fdgen.contract.records import ShardReceipt, is_imported
from fdgen.dataset.checksums import MOST_BYTES
from fdgen.dataset.invariants import Problem
from fdgen.dataset.spec import sources_digest
from fdgen.dataset.tables import REJECT_COLUMNS, manifest_batch, read_landmarks, read_manifest, read_sources
from fdgen.errors import DatasetError, PictureError
from fdgen.io.json_file import why
from fdgen.io.pictures.images import decode
from fdgen.io.storage import Place, read_file


def table_problems(
    root: Place, dataset: Mapping[str, Any], receipts: Sequence[ShardReceipt], sound: Collection[str]
) -> list[Problem]:
    """Return what is wrong with the tables of a dataset; those not `sound` have been reported already."""
    checks: Mapping[str, Callable[[Place], _Found]] = {
        "manifest.parquet": lambda path: _manifest(path, receipts),
        LANDMARKS_FILE: lambda path: _landmarks(
            path, () if is_imported(dataset) else receipts, dataset["recipe"]["size_px"]
        ),
        "sources.parquet": lambda path: _sources(path, dataset["sources"]),
        "rejects.csv": lambda path: _rejects(path, receipts, dataset["rejects"]),
        "preview.jpg": _preview,
    }
    problems = []
    for name, check in checks.items():
        if name in sound:
            problems += [Problem(name, key, "table", message) for key, message in check(root / name)]
    return problems


_Found = list[tuple[str | None, str]]  # key of a sample, message


def _manifest(path: Place, receipts: Sequence[ShardReceipt]) -> _Found:
    try:
        table = read_manifest(path)
    except DatasetError as error:
        return [(None, error.message)]
    expected = sum(len(receipt.samples) for receipt in receipts)
    if table.num_rows != expected:
        return [(None, f"it has {table.num_rows} rows, the shards have {expected} samples")]
    found: _Found = []
    start = 0
    for receipt in receipts:
        rows = table.slice(start, len(receipt.samples)).to_pylist()
        start += len(receipt.samples)
        for row, wanted in zip(rows, manifest_batch(receipt).to_pylist() if rows else (), strict=True):
            if row != wanted:
                columns = ", ".join(name for name in wanted if row[name] != wanted[name])
                found.append((wanted["key"], f"its row differs from the shard's receipt in {columns}"))
    return found


def _landmarks(path: Place, receipts: Sequence[ShardReceipt], size_px: int) -> _Found:
    used = {entry.record.source_sha256 for receipt in receipts for entry in receipt.samples}
    seen: Counter[str] = Counter()
    try:
        for sha256, landmarks in read_landmarks(path):
            seen[sha256] += 1
            if landmarks.size_px != size_px:
                return [(None, f"the landmarks of {sha256[:16]} are of another size than the recipe's")]
    except DatasetError as error:
        return [(None, error.message)]
    if seen != Counter(used):
        return [(None, f"it has {seen.total()} rows, not one for each of the {len(used)} photographs used")]
    return []


def _sources(path: Place, told: Mapping[str, Any]) -> _Found:
    try:
        sources = read_sources(path)
    except DatasetError as error:
        return [(None, error.message)]
    if (len(sources), sources_digest(sources)) != (told["count"], told["digest"]):
        return [(None, "it does not list the photographs that dataset.json has the digest of")]
    return []


def _rejects(path: Place, receipts: Sequence[ShardReceipt], told: Mapping[str, int]) -> _Found:
    try:
        rows = list(
            csv.reader(
                io.StringIO(read_file(path, most_bytes=MOST_BYTES, within=path.parent).decode("utf-8"), newline="")
            )
        )
    except (OSError, ValueError, csv.Error) as error:
        return [(None, f"it cannot be read: {why(error)}")]
    if not rows or tuple(rows[0]) != REJECT_COLUMNS or any(len(row) != len(REJECT_COLUMNS) for row in rows):
        return [(None, "it has other columns than expected")]
    found: _Found = []
    if Counter(row[3] for row in rows[1:]) != Counter(told):
        found.append((None, "its reasons are not those that dataset.json counts"))
    listed = Counter(map(tuple, rows[1:]))
    for receipt in receipts:
        for reject in receipt.rejects:
            row = (reject.source, reject.source_sha256, str(reject.variant), reject.reason, reject.detail)
            if not listed[row]:
                found.append((None, f"it does not list {reject.source} ({reject.reason}), as {receipt.name} does"))
    return found


def _preview(path: Place) -> _Found:
    try:
        decode(read_file(path, most_bytes=MOST_BYTES, within=path.parent), name="it")
    except PictureError as error:
        return [(None, error.message)]
    except OSError as error:
        return [(None, f"it cannot be read: {why(error)}")]
    return []
