"""Makes a dataset of pairs that another program made, so that everything that reads a dataset reads them.

Every pair is looked at before the first is written. What needs landmarks or a placement is not known of them: such a
dataset is marked (`fdgen.contract.records.IMPORTED`), and readers ask nothing of it that a recipe decides. Running the
same import again resumes, as a build does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from fdgen.contract.digests import digest_json
from fdgen.contract.manifest import Manifest
from fdgen.contract.records import IMPORTED, KEY_PATTERN, SCHEMA, SPLITS, Reject, ShardReceipt, Triplet
from fdgen.dataset.checksums import is_listed
from fdgen.dataset.folder import check_space, claimed, read_dataset, refuse_foreign, write_dataset
from fdgen.dataset.naming import check_label, label_of
from fdgen.dataset.shards import receipt_name, shard_name, write_shard
from fdgen.dataset.spec import sources_digest, spec_id
from fdgen.dataset.tables import write_sources
from fdgen.errors import DatasetError, PairsError
from fdgen.faces.sources import OnFile, printable
from fdgen.io.storage import Place, open_place
from fdgen.io.stores.opening import store_of
from fdgen.pipeline.face_queue import Candidate
from fdgen.pipeline.finish import finish
from fdgen.pipeline.pairs.foreign_pairs import Folders, Listed, Pair, Reading, list_pairs, read_pair, readable_pairs
from fdgen.pipeline.plan import ShardPlan, SplitRule, split_rule
from fdgen.pipeline.resume import finished_shard
from fdgen.recipe.schema import Splits
from fdgen.runtime.rng import rank
from fdgen.version import GENERATOR_VERSION

SHARD_SAMPLES = 1000
"""Of a shard, as in the default recipe."""

SHARES = (0.9, 0.05, 0.05)
"""Of train, val and test."""

_BYTES_A_PIXEL = 6
"""Of the disk, for three pictures and a mask as PNG; no picture is less compressible than noise."""


def import_pairs(
    clean: str | Path,
    occluded: str | Path,
    masks: str | Path,
    out: str | Place,
    *,
    reading: Reading | None = None,
    identity: Literal["auto", "folder"] = "auto",
    shares: tuple[float, float, float] = SHARES,
    skip_faulty: bool = False,
    name: str | None = None,
    version: str | None = None,
    on_file: OnFile | None = None,
    on_pair: OnFile | None = None,
    on_shard: Callable[[ShardReceipt], None] | None = None,
) -> Manifest:
    """Make a dataset in `out` of pictures in three folders, paired by their names; return it, opened.

    Args:
        clean: Folder of the clean pictures.
        occluded: Folder of the same pictures with occluders.
        masks: Folder of masks, white where the occluder is.
        out: Folder of the dataset, made where it is missing; or a URL, `s3://`, `gs://` or `az://`.
        reading: How pictures are read; None takes them as they are, and refuses what does not fit.
        identity: Who is on a picture: `auto` reads an `identities.csv` among the clean pictures, `folder` takes their
            folders.
        shares: Of train, val and test; not asked where the clean pictures are in folders of these names.
        skip_faulty: Whether pairs with a fault are left out, and listed in rejects.csv, in place of an error.
        name: What the dataset is called; None keeps that of an earlier run, else takes `imported`.
        version: Its version; None keeps that of an earlier run, else there is none.
        on_file: Called as (done, of) while files are read for their digests.
        on_pair: Called as (done, of) while pairs are looked at.
        on_shard: Called with the receipt of each shard, made or kept.

    Raises `PairsError`, which has every fault, where pairs have any and `skip_faulty` is not set; nothing is written
    then. `FacesError` for a folder without pictures, `MixingError` and `DatasetError` as `build` does.
    """
    reading, out = reading or Reading(), open_place(out)
    check_label(name, version)
    _refuse_kind(reading.kind)
    refuse_foreign(out)
    folders = Folders(*(Path(folder).expanduser().absolute() for folder in (clean, occluded, masks)))
    listed = list_pairs(folders, identity=identity, on_file=on_file)
    good, faults, side = _looked_at(listed, folders, reading, on_pair)
    if faults and not (skip_faulty and good):
        raise _faulty(faults, len(listed.pairs), folders)
    sources = list({pair.source.sha256: pair.source for pair in listed.pairs}.values())
    splits = Splits(mode="auto", train=shares[0], val=shares[1], test=shares[2])
    rule = split_rule(splits, sources)
    spec = _spec(listed, reading, identity, splits, side)
    dataset_id = spec_id(spec)
    plans = _plans(good, rule)
    store = store_of(out)
    with claimed(out, spec, sources):
        found = read_dataset(out)
        finished = "content_id" in (found or {})
        label = label_of(IMPORTED, found if not finished or is_listed(out, "dataset.json") else None, name=name,
                         version=version)  # fmt: skip
        head = {"name": label.name, "version": label.version, "spec_id": dataset_id, **spec}
        if not finished:
            write_dataset(out, head)
        write_sources(out / "sources.parquet", sources)
        pair_of = {(pair.source.sha256, pair.variant): pair for pair in good}
        check_space(out, 0 if finished else len(good) * _BYTES_A_PIXEL * side * side)
        for plan in plans:
            receipt = finished_shard(out, plan, dataset_id)
            if receipt is None:
                if finished:
                    write_dataset(out, head)  # it is not, for now
                    finished = False
                store.remove(receipt_name(plan.name))
                store.remove(shard_name(plan.name))
                results = _triplets(plan, pair_of, folders, reading, side)
                receipt = write_shard(
                    out, name=plan.name, split=plan.split, spec_id=dataset_id, plan_sha256=plan.digest(),
                    results=results,
                )  # fmt: skip
            if on_shard is not None:
                on_shard(receipt)
        finish(
            out,
            head=head,
            label=label,
            kind=IMPORTED,
            names=[plan.name for plan in plans],
            sources=sources,
            landmarks=None,
            rejects=lambda: faults,
            basis=rule.basis,
            notes=(rule.note, *listed.notes, "the pairs were made elsewhere: neither pose nor landmarks are known"),
            asked=len(listed.pairs),
        )
        return Manifest.load(out)


def _looked_at(
    listed: Listed, folders: Folders, reading: Reading, on_pair: OnFile | None
) -> tuple[list[Pair], list[Reject], int]:
    """Return the pairs that can be taken, what is wrong with the others, and the side of their pictures in px."""
    good, faults, side = [], list(listed.rejects), 0
    for pair, found in readable_pairs(listed.pairs, folders, reading, on_pair):
        if isinstance(found, Reject):
            faults.append(found)
        else:
            good.append(pair)
            side = found
    return good, faults, side


def _spec(listed: Listed, reading: Reading, identity: str, splits: Splits, side: int) -> dict[str, Any]:
    """Return the fields of dataset.json that say what is asked for: the files, and how they are read."""
    files = [[printable(one.clean), one.source.sha256, one.occluded.sha256, one.mask.sha256] for one in listed.pairs]
    sources = {pair.source.sha256: pair.source for pair in listed.pairs}.values()
    return {
        "schema": SCHEMA,
        "recipe": {
            "name": IMPORTED,
            "description": "Pairs that were made elsewhere.",
            "seed": 0,
            "size_px": side,
            "masks": {"threshold": reading.threshold or 0, "invert": reading.invert},
            "resize": reading.size_px is not None,
            "outside": reading.outside,
            "kind": reading.kind,
            "faces": {"identity": identity},
            "splits": splits.model_dump(mode="json"),
            "shards": {"samples": SHARD_SAMPLES},
        },
        "count": None,
        "sources": {"kind": IMPORTED, "count": len(sources), "digest": sources_digest(sources)},
        "assets": {IMPORTED: digest_json(files)},
        "landmarks": "none",
        "generator": GENERATOR_VERSION,
    }


def _plans(pairs: Sequence[Pair], rule: SplitRule) -> list[ShardPlan]:
    """Return the shards, their samples in the order in which a build with seed 0 has faces.

    Raises `DatasetError` where the train split is empty.
    """
    in_order = sorted(pairs, key=lambda pair: (rank(0, pair.source.sha256), pair.source.sha256, pair.variant))
    of_split: dict[str, list[Candidate]] = {split: [] for split in SPLITS}
    for pair in in_order:
        of_split[rule.split_of(pair.source)].append(Candidate(pair.source, pair.variant))
    if not of_split["train"]:
        raise DatasetError(
            f"the train split would be empty: of {len(pairs)} pairs "
            + ", ".join(f"{len(found)} go to {split}" for split, found in of_split.items() if found),
            hint="import more pairs, or put the clean pictures into folders train, val and test",
        )
    return [
        ShardPlan(f"{split}-{number:05d}", split, tuple(found[start : start + SHARD_SAMPLES]))
        for split, found in of_split.items()
        for number, start in enumerate(range(0, len(found), SHARD_SAMPLES))
    ]


def _triplets(
    plan: ShardPlan, pair_of: dict[tuple[str, int], Pair], folders: Folders, reading: Reading, side: int
) -> Iterator[Triplet]:
    for candidate in plan.candidates:
        pair = pair_of[candidate.source.sha256, candidate.variant]
        result = read_pair(pair, folders, reading, split=plan.split, size_px=side)
        if isinstance(result, Reject):
            raise DatasetError(f"{result.source} has changed during the import: {result.detail}", hint="import again")
        yield result


def _refuse_kind(kind: str) -> None:
    if not KEY_PATTERN.match(kind):
        raise DatasetError(
            f"the kind of occluder is a word of small letters, digits, - and _, got {kind!r}",
            hint="for example --kind mask",
        )


def _faulty(faults: Sequence[Reject], pairs: int, folders: Folders) -> PairsError:
    first = faults[0]
    more = f" (and {len(faults) - 1} more faults)" if len(faults) > 1 else ""
    return PairsError(
        f"{first.source} cannot be imported: {first.detail}{more}",
        faults=tuple((fault.reason, fault.source, fault.detail) for fault in faults),
        hint=f"mend them, or leave them out with --skip-faulty; {pairs:,} pairs were found in {folders.clean}",
    )
