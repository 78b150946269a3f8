"""Exports a dataset shard by shard: memory does not grow, and a stopped export can be resumed.

    manifest --> shard --> samples, each compared with its digests --> files of the format --> tables --> SHA256SUMS

A format is a class: what becomes of one shard, what belongs to all. `FORMATS` names them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

from fdgen.contract.manifest import Manifest
from fdgen.contract.members import member_entries, read_members
from fdgen.contract.records import SPLITS
from fdgen.contract.truth import TRUTH, layers_of
from fdgen.dataset.folder import check_space
from fdgen.errors import DatasetError, in_words
from fdgen.exporters.coco import Coco
from fdgen.exporters.columns import Sample, Shard, columns_of
from fdgen.exporters.folder import ExportFolder, claimed
from fdgen.exporters.imagefolder import ImageFolder
from fdgen.exporters.parquet import ParquetShards
from fdgen.io.storage import Remote


class Format(Protocol):
    """What turns shards into files of one format."""

    @property
    def members(self) -> tuple[str, ...]:
        """Members of a sample that it needs, in the order of `MEMBERS`."""
        ...

    def has(self, shard: Shard) -> bool:
        """Return whether an earlier run made all that becomes of this shard, and it is still whole."""
        ...

    def add(self, shard: Shard, samples: Iterator[Sample]) -> None:
        """Write what becomes of one shard. `samples` come in their order, and are read as they are drawn."""
        ...

    def close(self) -> None:
        """Write what belongs to all shards."""
        ...


FORMATS: dict[str, Callable[[Manifest, ExportFolder], Format]] = {
    "imagefolder": ImageFolder,
    "parquet": ParquetShards,
    "coco": Coco,
}

CARRIES: Mapping[str, Collection[str]] = {"imagefolder": TRUTH, "parquet": TRUTH, "coco": ()}
"""The truth layers that each format has a place for: COCO's annotations are outlines, and have none."""

_MEND = "run `fdgen verify` on the dataset; the `fdgen build` that made it repairs it"

VERSION = 1
"""Of what an export writes: raised when its files change, so that an old one is not gone on with."""


def export(
    manifest: Manifest, to: str, out: Path, *, on_progress: Callable[[int, int], None] | None = None
) -> dict[str, Any]:
    """Write a dataset in the format `to`, a name of `FORMATS`, into the folder `out`; return what was done, as counts.

    What is there already and whole is kept. `on_progress` is called as (done, of) in samples. Raises `DatasetError`
    where a shard is not what the manifest says or `out` cannot be written, `MixingError` where it holds another export.
    """
    if to not in FORMATS:
        raise DatasetError(f"there is no format {to!r}; the formats are {', '.join(FORMATS)}")
    _refuse_inside(out, manifest)
    kind, dataset = FORMATS[to], manifest.dataset
    claim = {
        "export": to,
        "layout": VERSION,
        "name": dataset["name"],
        "version": dataset["version"],
        "spec_id": dataset["spec_id"],
        "content_id": dataset["content_id"],
        "samples": len(manifest),
    }
    if layers := layers_of(dataset["recipe"]):
        claim["layers"] = list(layers)
    done = kept = 0
    with claimed(out, claim) as folder:
        writer = kind(manifest, folder)
        missing = []
        for shard in _shards(manifest):
            if writer.has(shard):
                kept += len(shard.rows)
            else:
                missing.append(shard)
        done = kept
        sizes = [f"{member.replace('.', '_')}_size" for member in writer.members]
        check_space(out, sum(int(shard.rows[sizes].sum().sum()) for shard in missing))
        for shard in missing:
            _refuse_torn(manifest, shard)
        for shard in missing:
            if on_progress is not None:
                on_progress(done, len(manifest))
            writer.add(shard, _samples(manifest, shard, writer.members))
            folder.note()
            done += len(shard.rows)
        writer.close()
        folder.finish()
    if on_progress is not None:
        on_progress(done, len(manifest))
    left_out = [layer for layer in layers if layer not in CARRIES[to]]
    files = {name: folder.path(name).stat().st_size for name in folder.sums}
    return {**claim, "made_now": done - kept, "files": len(files), "bytes": sum(files.values()), "left_out": left_out}


def _shards(manifest: Manifest) -> Iterator[Shard]:
    """Yield the shards that hold samples, in the order of the splits and of their numbers."""
    for split in SPLITS:
        rows = manifest.samples(split)
        groups = dict(list(rows.groupby("shard", sort=True)))
        for number, (name, group) in enumerate(groups.items()):
            yield Shard(str(name), split, number, len(groups), group)


def _samples(manifest: Manifest, shard: Shard, members: tuple[str, ...]) -> Iterator[Sample]:
    """Read a shard from front to back, one read a sample; raise `DatasetError` where a byte is not as recorded."""
    path = manifest.shard(shard.name)
    for row in shard.records():
        key, entries = str(row["key"]), member_entries(row, members)
        contents = read_members(path, key, entries, verify=True, hint=_MEND)
        yield Sample(key, columns_of(row), contents, {name: entry.sha256 for name, entry in entries.items()})


def _refuse_torn(manifest: Manifest, shard: Shard) -> None:
    """Find that a shard is missing or cut short before anything is written; that of a URL is found as it is read."""
    path = manifest.shard(shard.name)
    if isinstance(path, Remote):
        return
    expected = next((row["bytes"] for row in manifest.dataset["shards"] if row["name"] == shard.name), 0)
    try:
        size = path.stat().st_size
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {in_words(error)}", hint=_MEND) from error
    if size < expected:
        raise DatasetError(f"{path} is cut short: {size:,} of {expected:,} bytes", hint=_MEND)


def _refuse_inside(out: Path, manifest: Manifest) -> None:
    """A dataset folder is listed file by file: what an export put into it would be found as damage."""
    if isinstance(manifest.root, Remote):
        return
    root, inner = manifest.root.resolve(), out.resolve()
    if inner == root or root in inner.parents:
        raise DatasetError(f"{out} lies within the dataset {manifest.root}", hint="name a folder outside of it")
