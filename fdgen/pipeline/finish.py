"""The end of a build: tables, sums and dataset.json, made of nothing but the receipts on the disk and the plan."""

from __future__ import annotations

import hashlib
import platform
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from fdgen.contract.digests import digest_json, merkle_root
from fdgen.contract.manifest import Manifest
from fdgen.contract.records import SPLITS, Reject, ShardReceipt
from fdgen.contract.truth import layers_of, members_with
from fdgen.dataset.checksums import SUMS, file_sha256, sums_text
from fdgen.dataset.contact_sheet import SHEET_COLUMNS, dataset_sheet
from fdgen.dataset.folder import ADDED, WRITTEN, dataset_text, write_dataset
from fdgen.dataset.naming import Label
from fdgen.dataset.shards import read_receipt, receipt_name, receipt_path
from fdgen.dataset.tables import read_manifest_columns, rejects_csv, write_landmarks, write_manifest
from fdgen.errors import DatasetError
from fdgen.faces.given_up import with_given_up
from fdgen.faces.landmarks import Landmarks
from fdgen.faces.sources import Source
from fdgen.io.pictures.contact_sheet import encode_jpeg
from fdgen.io.storage import Place, is_file
from fdgen.io.stores.opening import store_of
from fdgen.runtime.installed import installed_version
from fdgen.version import __version__

_SHARD_FILE = re.compile(rf"({'|'.join(SPLITS)})-\d{{5,}}\.(tar|json)")
_KERNELS = {"AVX-512": {"AVX512_SKX", "X86_V4"}, "AVX2": {"AVX2", "X86_V3"}}
"""What numpy calls the features that decide, before and after its release 2.4."""

_AT_ONCE = 1024  # photographs whose landmarks are fetched together


def finish(
    out: Place,
    *,
    head: Mapping[str, Any],
    label: Label,
    kind: str,
    names: Sequence[str],
    sources: Sequence[Source],
    landmarks: Callable[[Sequence[Source]], list[Landmarks]] | None,
    rejects: Sequence[Reject],
    basis: str,
    notes: Sequence[str],
    asked: int,
) -> None:
    """Write everything beside the shards, dataset.json last, and remove shards that do not belong to the dataset.

    What a worker that was killed left of a shard goes, too.

    Args:
        out: Folder of the dataset, or its URL.
        head: The fields of dataset.json that say what is asked for.
        label: Name and version.
        kind: Kind of the source of faces.
        names: The shards in their order.
        sources: The photographs.
        landmarks: Finds the landmarks of photographs that were used; None where nobody looked for any.
        rejects: The photographs that gave no candidate.
        basis: What the splits go by.
        notes: Sentences that a user must know.
        asked: Number of samples asked for.

    Raises `DatasetError` where the disk refuses.
    """
    planned = {f"{name}.{suffix}" for name in names for suffix in ("tar", "json")}
    store = store_of(out)
    for name in store.names("shards"):
        if store.is_temporary(f"shards/{name}") or (_SHARD_FILE.fullmatch(name) and name not in planned):
            store.remove(f"shards/{name}")
    summary = _Summary()
    members = members_with(layers_of(head["recipe"]))
    write_manifest(out / "manifest.parquet", map(summary.add, _receipts(out, names)), members)
    used = [source for source in sources if source.sha256 in summary.used]
    write_landmarks(out / "landmarks.parquet", () if landmarks is None else _with_landmarks(used, landmarks))
    all_rejects = [*rejects, *summary.rejects]
    store.write_whole("rejects.csv", rejects_csv(all_rejects))
    dataset = {
        **with_given_up(head, rejects, summary.rejects),
        "version": label.version_of(content_id := merkle_root(summary.leaves)),
        "content_id": content_id,
        "sources": {"kind": kind, **head["sources"]},
        "made": sum(summary.splits.values()),
        "splits": {"basis": basis, **{split: summary.splits[split] for split in SPLITS}},
        "kinds": dict(sorted(summary.kinds.items())),
        "shards": summary.shards,
        "rejects": dict(sorted(Counter(reject.reason for reject in all_rejects).items())),
        "warnings": _warnings(summary, asked),
        "notes": list(notes),
        "environment": environment(),
    }
    shown = read_manifest_columns(out / "manifest.parquet", SHEET_COLUMNS)  # a tenth of the table
    sheet = dataset_sheet(Manifest(out, dataset, shown.to_pandas()))
    store.write_whole("preview.jpg", encode_jpeg(sheet))
    store.write_whole(SUMS, _sums(out, names, summary, dataset))
    write_dataset(out, dataset)


def shard_leaves(receipt: ShardReceipt) -> list[str]:
    """Return what a shard adds to the Merkle tree of `content_id`: its name and sha256, then each sample's digest."""
    return [digest_json([receipt.name, receipt.sha256]), *(entry.digest() for entry in receipt.samples)]


def environment() -> dict[str, str | None]:
    """Return the versions that decide bytes, for the record; no part of any id."""
    names = ("numpy", "opencv-python", "ai-edge-litert", "mediapipe", "numba", "zlib-ng", "pyarrow")
    return {
        "fd-stackgan": __version__,
        "python": platform.python_version(),
        **{name: installed_version(name) for name in names},
        "platform": f"{platform.system()} {platform.machine()}",
        "numpy kernels": _numpy_kernels(),
    }


def _numpy_kernels() -> str:
    """Return the instructions whose kernels numpy uses here: those for AVX-512 round some functions otherwise.

    A processor with AVX-512 makes the bytes of one without where `NPY_DISABLE_CPU_FEATURES` names what it has more.
    """
    show_config: Any = np.show_config  # numpy's stubs say that it returns nothing
    simd = show_config(mode="dicts")["SIMD Extensions"]
    used = {*simd.get("baseline", ()), *simd.get("found", ())}
    for name, features in _KERNELS.items():
        if used & features:
            return name
    return "baseline"


class _Summary:
    """Gathers, receipt by receipt, what dataset.json tells."""

    def __init__(self) -> None:
        self.leaves: list[str] = []
        self.shards: list[dict[str, Any]] = []
        self.splits: Counter[str] = Counter()
        self.kinds: Counter[str] = Counter()
        self.rejects: list[Reject] = []
        self.used: set[str] = set()

    def add(self, receipt: ShardReceipt) -> ShardReceipt:
        self.leaves += shard_leaves(receipt)
        self.shards.append(shard_row(receipt))
        self.splits[receipt.split] += len(receipt.samples)
        self.kinds.update("+".join(entry.record.kinds) for entry in receipt.samples)
        self.rejects += receipt.rejects
        self.used.update(entry.record.source_sha256 for entry in receipt.samples)
        return receipt


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


def _receipts(out: Place, names: Sequence[str]) -> Iterator[ShardReceipt]:
    for name in names:
        yield read_receipt(receipt_path(out, name))


def _with_landmarks(
    used: Sequence[Source], landmarks: Callable[[Sequence[Source]], list[Landmarks]]
) -> Iterator[tuple[Source, Landmarks]]:
    for start in range(0, len(used), _AT_ONCE):
        batch = used[start : start + _AT_ONCE]
        yield from zip(batch, landmarks(batch), strict=True)


def _warnings(summary: _Summary, asked: int) -> list[str]:
    warnings = []
    made = sum(summary.splits.values())
    if made < asked:
        warnings.append(f"{asked} samples were asked for and {made} made: rejects.csv lists why the faces gave no more")
    warnings += [f"the {split} split is empty" for split in SPLITS if not summary.splits[split]]
    return warnings


def _sums(out: Place, names: Sequence[str], summary: _Summary, dataset: Mapping[str, Any]) -> bytes:
    """Return SHA256SUMS of every other file, as `sha256sum -c` reads it; dataset.json is about to be written."""
    sums = {f"shards/{row['name']}.tar": row["sha256"] for row in summary.shards if row["samples"]}
    for name in (*WRITTEN, *ADDED, *map(receipt_name, names)):
        if is_file(out / name):
            if (sha256 := file_sha256(out / name)) is None:
                raise DatasetError(f"{out / name} cannot be read", hint="check its permissions and run it again")
            sums[name] = sha256
    sums["dataset.json"] = hashlib.sha256(dataset_text(dataset)).hexdigest()
    return sums_text(sums)
