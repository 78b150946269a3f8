"""What the end of a build takes from each shard, computed in a worker: its rows of the manifest, and its counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import pyarrow as pa

from fdgen.contract.digests import digest_json
from fdgen.contract.records import Reject, ShardReceipt
from fdgen.dataset.checksums import file_sha256
from fdgen.dataset.shards import read_receipt, receipt_path
from fdgen.dataset.tables import manifest_batch
from fdgen.errors import DatasetError
from fdgen.io.storage import Place

R = TypeVar("R")


class Each(Protocol):
    """Calls a function of a module for each tuple of arguments, perhaps elsewhere; yields the results in order."""

    def __call__(self, function: Callable[..., R], arguments: Iterable[tuple[Any, ...]]) -> Iterator[R]:
        """Yield what each call returns; raise what it raises."""


def each_here(function: Callable[..., R], arguments: Iterable[tuple[Any, ...]]) -> Iterator[R]:
    """Call a function for each tuple of arguments, in this process."""
    return (function(*one) for one in arguments)


@dataclass(frozen=True)
class ShardSummary:
    """What is known of one shard. `leaves` and `used` are digests of 32 bytes, one after the other.

    `leaves` is what the shard adds to the Merkle tree of `content_id`, `used` the photographs of its samples; `rows`
    are its rows of the manifest as an Arrow stream, None where it has no sample.
    """

    row: dict[str, Any]
    leaves: bytes
    kinds: Counter[str]
    used: bytes
    rejects: tuple[Reject, ...]
    rows: bytes | None
    receipt_sha256: str

    def batch(self) -> pa.RecordBatch:
        """Return the rows of the manifest; the shard has samples."""
        return pa.ipc.open_stream(self.rows).read_next_batch()


def summarise(root: Place, name: str) -> ShardSummary:
    """Return what the end of a build takes from a shard; raise `DatasetError` where its receipt cannot be read."""
    path = receipt_path(root, name)
    receipt = read_receipt(path)
    sha256 = file_sha256(path)
    if sha256 is None:
        raise DatasetError(f"{path} cannot be read", hint="check its permissions and run it again")
    return ShardSummary(
        row=shard_row(receipt),
        leaves=bytes.fromhex("".join(shard_leaves(receipt))),
        kinds=Counter("+".join(entry.record.kinds) for entry in receipt.samples),
        used=bytes.fromhex("".join(entry.record.source_sha256 for entry in receipt.samples)),
        rejects=receipt.rejects,
        rows=_stream(manifest_batch(receipt)) if receipt.samples else None,
        receipt_sha256=sha256,
    )


def shard_leaves(receipt: ShardReceipt) -> list[str]:
    """Return what a shard adds to the Merkle tree of `content_id`: its name and sha256, then each sample's digest."""
    return [digest_json([receipt.name, receipt.sha256]), *(entry.digest() for entry in receipt.samples)]


def shard_row(receipt: ShardReceipt) -> dict[str, Any]:
    """Return the row of dataset.json's shard table. A shard of rejects alone has no samples, no bytes and no tar."""
    return {
        "name": receipt.name,
        "split": receipt.split,
        "samples": len(receipt.samples),
        "rejects": len(receipt.rejects),
        "bytes": receipt.bytes,
        "sha256": receipt.sha256,
    }


def _stream(batch: pa.RecordBatch) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    data: bytes = sink.getvalue().to_pybytes()
    return data
