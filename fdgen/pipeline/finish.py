"""The end of a build: tables, sums and dataset.json, made of nothing but the receipts on the disk and the plan."""

from __future__ import annotations

import hashlib
import itertools
import platform
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from fdgen.contract.digests import MerkleTree
from fdgen.contract.face_points import LANDMARKS_FILE
from fdgen.contract.records import SPLITS, Reject
from fdgen.contract.truth import layers_of, members_with
from fdgen.dataset.checksums import SUMS, file_sha256, sums_text
from fdgen.dataset.contact_sheet import dataset_sheet
from fdgen.dataset.folder import ADDED, WRITTEN, dataset_text, write_dataset
from fdgen.dataset.naming import Label
from fdgen.dataset.tables import RejectColumns, write_landmarks, write_manifest, write_rejects
from fdgen.errors import DatasetError
from fdgen.faces.given_up import with_given_up
from fdgen.faces.landmarks import Landmarks
from fdgen.faces.source_table import SourceTable
from fdgen.faces.sources import GIVEN_UP_REASONS, Source
from fdgen.io.pictures.contact_sheet import encode_jpeg
from fdgen.io.storage import Place, absolute, is_file
from fdgen.io.stores.opening import store_of
from fdgen.pipeline.shard_summary import Each, ShardSummary, each_here, summarise
from fdgen.runtime.installed import installed_version
from fdgen.version import __version__

_SHARD_FILE = re.compile(rf"({'|'.join(SPLITS)})-\d{{5,}}\.(tar|json)")
_KERNELS = {"AVX-512": {"AVX512_SKX", "X86_V4"}, "AVX2": {"AVX2", "X86_V3"}}
"""What numpy calls the features that decide, before and after its release 2.4."""

_DIGEST_BYTES = 32
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
    rejects: Callable[[], Iterable[Reject]],
    basis: str,
    notes: Sequence[str],
    asked: int,
    each: Each = each_here,
) -> None:
    """Write all files other than the shards, dataset.json last, and remove shards that do not belong to the dataset.

    What a worker that was killed left of a shard goes, too. Of each sample a few bytes are held in memory.

    Args:
        out: Folder of the dataset, or its URL.
        head: The fields of dataset.json that say what is asked for.
        label: Name and version.
        kind: Kind of the source of faces.
        names: The shards in their order.
        sources: The photographs.
        landmarks: Finds the landmarks of photographs that were used; None where nobody looked for any.
        rejects: Gives the photographs that gave no candidate, each time that it is called.
        basis: What the splits go by.
        notes: Sentences that a user must know.
        asked: Number of samples asked for.
        each: Looks into the receipts, perhaps in workers.

    Raises `DatasetError` where the disk refuses.
    """
    planned = {f"{name}.{suffix}" for name in names for suffix in ("tar", "json")}
    store = store_of(out)
    for name in store.names("shards"):
        if store.is_temporary(f"shards/{name}") or (_SHARD_FILE.fullmatch(name) and name not in planned):
            store.remove(f"shards/{name}")
    summary = _Summary(SourceTable.of(sources))
    members = members_with(layers_of(head["recipe"]))
    shards = map(summary.add, each(summarise, ((absolute(out), name) for name in names)))
    write_manifest(out / "manifest.parquet", (shard.batch() for shard in shards if shard.rows is not None), members)
    write_landmarks(out / LANDMARKS_FILE, () if landmarks is None else _with_landmarks(summary.used(), landmarks))
    summary.rejects.add(map(summary.count, rejects()))
    write_rejects(out / "rejects.csv", summary.rejects)
    dataset = {
        **with_given_up(head, rejects(), summary.given_up),
        "version": label.version_of(content_id := summary.tree.root()),
        "content_id": content_id,
        "sources": {"kind": kind, **head["sources"]},
        "made": sum(summary.splits.values()),
        "splits": {"basis": basis, **{split: summary.splits[split] for split in SPLITS}},
        "kinds": dict(sorted(summary.kinds.items())),
        "shards": summary.shards,
        "rejects": dict(sorted(summary.reasons.items())),
        "warnings": _warnings(summary, asked),
        "notes": list(notes),
        "environment": environment(),
    }
    store.write_whole("preview.jpg", encode_jpeg(dataset_sheet(out)))
    store.write_whole(SUMS, _sums(out, summary, dataset))
    write_dataset(out, dataset)


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
    """Gathers, shard by shard, what dataset.json says, and which photographs were used: a byte for each."""

    def __init__(self, sources: SourceTable) -> None:
        self._sources = sources
        self._used = np.zeros(len(sources), bool)
        self.tree = MerkleTree()
        self.shards: list[dict[str, Any]] = []
        self.receipts: dict[str, str] = {}
        self.splits: Counter[str] = Counter()
        self.kinds: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()
        self.rejects = RejectColumns()
        self.given_up: list[Reject] = []

    def add(self, shard: ShardSummary) -> ShardSummary:
        for start in range(0, len(shard.leaves), _DIGEST_BYTES):
            self.tree.add(shard.leaves[start : start + _DIGEST_BYTES])
        self._used[self._sources.places(np.frombuffer(shard.used, np.uint8).reshape(-1, _DIGEST_BYTES))] = True
        self.shards.append(shard.row)
        self.receipts[shard.row["name"]] = shard.receipt_sha256
        self.splits[shard.row["split"]] += shard.row["samples"]
        self.kinds.update(shard.kinds)
        self.given_up += [reject for reject in shard.rejects if reject.reason in GIVEN_UP_REASONS]
        self.rejects.add(map(self.count, shard.rejects))
        return shard

    def count(self, reject: Reject) -> Reject:
        self.reasons[reject.reason] += 1
        return reject

    def used(self) -> Iterator[Source]:
        """Yield the photographs that samples were made of."""
        return (self._sources[int(place)] for place in np.flatnonzero(self._used))


def _with_landmarks(
    used: Iterator[Source], landmarks: Callable[[Sequence[Source]], list[Landmarks]]
) -> Iterator[tuple[Source, Landmarks]]:
    while batch := list(itertools.islice(used, _AT_ONCE)):
        yield from zip(batch, landmarks(batch), strict=True)


def _warnings(summary: _Summary, asked: int) -> list[str]:
    warnings = []
    made = sum(summary.splits.values())
    if made < asked:
        warnings.append(f"{asked} samples were asked for and {made} made: rejects.csv lists why the faces gave no more")
    warnings += [f"the {split} split is empty" for split in SPLITS if not summary.splits[split]]
    return warnings


def _sums(out: Place, summary: _Summary, dataset: Mapping[str, Any]) -> bytes:
    """Return SHA256SUMS of every other file, as `sha256sum -c` reads it; dataset.json is about to be written."""
    sums = {f"shards/{row['name']}.tar": row["sha256"] for row in summary.shards if row["samples"]}
    sums |= {f"shards/{name}.json": sha256 for name, sha256 in summary.receipts.items()}
    for name in (*WRITTEN, *ADDED):
        if is_file(out / name):
            if (sha256 := file_sha256(out / name)) is None:
                raise DatasetError(f"{out / name} cannot be read", hint="check its permissions and run it again")
            sums[name] = sha256
    sums["dataset.json"] = hashlib.sha256(dataset_text(dataset)).hexdigest()
    return sums_text(sums)
