"""Checks a dataset against its laws: every byte, every pixel, every count.

A file with a wrong checksum is reported and not read: its content means nothing, and reading damaged files is how
programs crash.
"""

from __future__ import annotations

import os
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fdgen.contract.dataset_validation import invalid_field
from fdgen.contract.digests import merkle_root
from fdgen.contract.face_points import LANDMARKS_FILE
from fdgen.contract.records import (
    PICTURES,
    SCHEMA,
    SPLITS,
    SampleEntry,
    SampleRecord,
    ShardReceipt,
    is_imported,
)
from fdgen.contract.truth import TRUTH, members_with
from fdgen.dataset.checksums import SUMS, altered, file_sha256, listed_sums, present, sum_problems
from fdgen.dataset.folder import WRITTEN, read_dataset, receipt_names, tar_names
from fdgen.dataset.invariants import COVERAGE_STEP, Problem, hold_out_problems, pair_problems
from fdgen.dataset.shards import read_receipt, read_samples, receipt_path, shard_name
from fdgen.errors import DatasetError, PictureError, RecipeError, UnreachableError
from fdgen.io.folders import mistaken
from fdgen.io.json_file import why
from fdgen.io.pictures.images import decode_png, decode_png16
from fdgen.io.storage import Place, is_file, open_place
from fdgen.pipeline.shard_summary import shard_leaves, shard_row
from fdgen.recipe.schema import Recipe
from fdgen.recipe.target_shares import not_asked
from fdgen.runtime.rng import fraction
from fdgen.synthesis.acceptance import check_gates
from fdgen.verification.replay import Replayer, refuse_replay
from fdgen.verification.tables import table_problems
from fdgen.versions.lock import LOCK, is_card, read_lock

__all__ = ["Problem", "verify"]

OnSamples = Callable[[int, int], None]


def verify(
    root: str | Place,
    *,
    deep: bool = False,
    share: float = 1.0,
    seed: int = 0,
    workers: int | None = None,
    on_progress: OnSamples | None = None,
    replayer: Replayer | None = None,
    packs: Sequence[str | Path] = (),
) -> list[Problem]:
    """Check the dataset in the folder or at the URL `root`; return what is wrong with it, nothing if it is whole.

    The folder of a card is checked as one: sums, and whether its lock is whole. What is in the files raises nothing.

    Args:
        root: Folder of a dataset or of a card, or the URL of a dataset in an object store.
        deep: Whether samples are rendered again from their records and compared with the stored pixels.
        share: Share of the samples, in (0, 1], that `deep` renders; 1 is all of them.
        seed: Which ones a smaller share chooses.
        workers: Threads that check pictures, None one a core; `deep` always has one.
        on_progress: Called as (done, of) with numbers of samples.
        replayer: What `deep` renders with; None opens one.
        packs: Folders of occluders in addition to our own, for `deep`.

    Raises `DatasetError` where there is no dataset of ours at all, or `deep` is asked of one whose pairs were imported:
    there is nothing to render again; `AssetError` where `deep` lacks an asset that it wears, or has another instead.
    """
    root = open_place(root)
    if isinstance(root, Path) and is_card(root):
        return _card_problems(root)
    if not is_file(root / "dataset.json") and not receipt_names(root):
        hint = "name a folder that `fdgen build --out FOLDER` wrote"
        lacks = "it has neither dataset.json nor receipts of shards"
        sentence, hint = mistaken(root, "is not a dataset", lacks, hint)
        raise DatasetError(sentence, hint=hint)
    check = _Check(root)
    dataset = check.dataset()
    receipts = check.receipts(dataset)
    if deep and dataset is not None:
        refuse_replay(root, dataset)
    worn = _worn(dataset, receipts)
    asked = {} if dataset is None else dataset["recipe"]
    deep_replayer = check.replayer(replayer, worn, packs, asked) if deep else None
    chosen = _Chosen(deep_replayer, share, seed)
    total = sum(len(receipt.samples) for receipt in receipts)
    n_threads = 1 if deep else workers or os.cpu_count() or 1  # the renderer makes no promise about threads
    with ThreadPoolExecutor(n_threads) as pool:
        for done in check.samples(receipts, dataset, chosen, pool):
            if on_progress is not None:
                on_progress(done, total)
    check.splits(receipts)
    if dataset is not None:
        check.counts(dataset, receipts)
        check.problems += table_problems(root, dataset, receipts, check.sound)
    return check.problems


class _Check:
    """The problems found so far in one dataset, and the files that may be looked into."""

    def __init__(self, root: Place) -> None:
        self.root = root
        self.problems: list[Problem] = []
        self.sound: set[str] = set()
        """Files whose sum is right: the only ones, JSON apart, that are looked into."""
        self.damaged: set[str] = set()
        self.listed: dict[str, str] = {}

    def complain(self, file: str, law: str, message: str, key: str | None = None) -> None:
        self.problems.append(Problem(file, key, law, message))

    def dataset(self) -> dict[str, Any] | None:
        """Return dataset.json if it is whole and finished, after all files were compared with their sums."""
        name = "dataset.json"
        dataset = read_dataset(self.root)
        if dataset is not None and "content_id" not in dataset:
            self.complain(name, "finished", "the build is not finished: run the same `fdgen build` again")
            return None
        self._compare_sums()
        if name in self.damaged:
            return None
        if dataset is None:
            told = any(problem.file == name for problem in self.problems)
            if not told:
                self.complain(
                    name, "spec", f"it is not a dataset of schema {SCHEMA} whose spec_id is that of its fields"
                )
        elif (wrong := invalid_field(dataset)) is not None:
            self.complain(name, "spec", wrong)
            return None
        return dataset

    def _compare_sums(self) -> None:
        """Compare every file but the tars, whose receipts say more, with SHA256SUMS, and the list with the folder."""
        listed = self.listed = listed_sums(self.root, self.problems)
        there = set(present(self.root))
        if listed:
            for name in sorted(there - listed.keys()):
                self.complain(name, "extra", f"{SUMS} does not list this file")
            for name in sorted(set(WRITTEN) - listed.keys() - there):
                self.complain(name, "missing", "the file is not there, nor in the list of sums")
        for name, sha256 in sorted(listed.items()):
            if name.endswith(".tar"):
                continue
            if name not in there:
                self.complain(name, "missing", f"{SUMS} lists this file, but it is not there")
            elif file_sha256(self.root / name) == sha256:
                self.sound.add(name)
            else:
                self.damaged.add(name)
                self.complain(name, "sha256", altered())

    def receipts(self, dataset: Mapping[str, Any] | None) -> list[ShardReceipt]:
        """Return the receipts that can be read, in the order of the dataset."""
        names, found = receipt_names(self.root), []
        for name in sorted(names, key=_shard_order):
            file = f"shards/{name}.json"
            if file in self.damaged:
                continue
            try:
                found.append(read_receipt(receipt_path(self.root, name)))
            except UnreachableError:
                raise
            except DatasetError as error:
                self.complain(file, "receipt", error.message)
        for name in tar_names(self.root):
            if name not in names:
                self.complain(shard_name(name), "receipt", "the shard has no receipt: it was never finished")
        if dataset is not None:
            for receipt in found:
                if receipt.spec_id != dataset["spec_id"]:
                    self.complain(f"shards/{receipt.name}.json", "spec", "the shard belongs to another dataset")
        return found

    def replayer(
        self,
        given: Replayer | None,
        worn: Mapping[str, str],
        packs: Sequence[str | Path],
        recipe: Mapping[str, Any],
    ) -> Replayer | None:
        """Return what renders samples again; None, and a problem, where the landmarks for it are gone or damaged."""
        if given is not None:
            return given
        try:
            if LANDMARKS_FILE not in self.damaged:
                return Replayer.of(self.root, worn, packs, recipe=recipe)
            why = "the landmarks are damaged"
        except DatasetError as error:
            why = error.message
        self.complain(LANDMARKS_FILE, "replay", f"no sample can be rendered again: {why}")
        return None

    def recipe(self, dataset: Mapping[str, Any] | None) -> Recipe | None:
        """Return the recipe of a dataset; None where it was imported; None, and a problem, where it cannot be read."""
        if dataset is None or is_imported(dataset):
            return None
        try:
            return Recipe.from_dict(dataset["recipe"])
        except RecipeError as error:
            message = f"its recipe cannot be read, so no sample is compared with what it asks for: {error.message}"
            self.complain("dataset.json", "recipe", message)
            return None

    def samples(
        self,
        receipts: Sequence[ShardReceipt],
        dataset: Mapping[str, Any] | None,
        chosen: _Chosen,
        pool: ThreadPoolExecutor,
    ) -> Iterator[int]:
        """Check every byte of every shard, and the pixels of every sample whose bytes are right; yield how many."""
        recipe = self.recipe(dataset)
        expected = _Expected(
            recipe, *(dataset["recipe"]["size_px"], is_imported(dataset)) if dataset else (None, False)
        )
        waiting: deque[Future[list[Problem]]] = deque()
        done = 0
        for receipt in receipts:
            for entry, members in read_samples(self.root, receipt, self.problems):
                file = f"shards/{receipt.name}.tar"
                replayer = chosen.replayer(entry.record.key)
                waiting.append(pool.submit(_sample_problems, file, entry, members, expected, replayer))
                if len(waiting) > 64:  # bounds the memory: a sample is about 1 MB unpacked
                    self.problems += waiting.popleft().result()
                    done += 1
                    yield done
        for future in waiting:
            self.problems += future.result()
            done += 1
            yield done

    def splits(self, receipts: Sequence[ShardReceipt]) -> None:
        """Check that nobody is in two splits, nor a photograph, and that no sample is there twice."""
        people: dict[tuple[str, str], str] = {}
        keys: Counter[str] = Counter()
        for receipt in receipts:
            for entry in receipt.samples:
                record, file = entry.record, f"shards/{receipt.name}.tar"
                keys[record.key] += 1
                if keys[record.key] == 2:
                    self.complain(file, "count", "the key is in two shards", record.key)
                for what, who in (("identity", record.identity), ("photograph", record.source_sha256)):
                    if who is not None and (first := people.setdefault((what, who), record.split)) != record.split:
                        message = f"its {what} is in {first} and in {record.split}"
                        self.complain(file, "splits", message, record.key)
        self.problems += hold_out_problems(receipts)

    def counts(self, dataset: Mapping[str, Any], receipts: Sequence[ShardReceipt]) -> None:
        """Compare what dataset.json says of the shards with what is there, and its content_id."""
        name = "dataset.json"
        tars = {f"shards/{receipt.name}.tar": receipt.sha256 for receipt in receipts if receipt.samples}
        for tar, sha256 in tars.items():
            if self.listed and self.listed.get(tar) != sha256:
                self.complain(SUMS, "sha256", f"the sum of {tar} is not that of its receipt")
        rows = {receipt.name: shard_row(receipt) for receipt in receipts}
        told = {row["name"]: row for row in dataset["shards"]}
        for shard in sorted(told.keys() | rows.keys(), key=_shard_order):
            if shard not in rows:
                if not is_file(receipt_path(self.root, shard)):
                    self.complain(f"shards/{shard}.json", "missing", "dataset.json lists this shard, but it is missing")
            elif shard not in told:
                self.complain(f"shards/{shard}.json", "extra", "dataset.json does not list this shard")
            elif rows[shard] != told[shard]:
                self.complain(f"shards/{shard}.json", "count", "the shard is not the one that dataset.json lists")
        if told.keys() != rows.keys():
            return  # the counts and the id cannot fit then
        if dataset["content_id"] != merkle_root([leaf for receipt in receipts for leaf in shard_leaves(receipt)]):
            self.complain(name, "content", "content_id is not that of the shards")
        records = [entry.record for receipt in receipts for entry in receipt.samples]
        splits = Counter(record.split for record in records)
        kinds = Counter("+".join(record.kinds) for record in records)
        if (
            dataset["made"] != len(records)
            or any(dataset["splits"][split] != splits[split] for split in SPLITS)
            or dataset["kinds"] != dict(kinds)
        ):
            self.complain(name, "count", "its counts of samples are not those of the shards")


@dataclass(frozen=True)
class _Expected:
    """What samples must be: what the recipe asks, where one is known, the side of the pictures, and who made them."""

    recipe: Recipe | None
    size_px: int | None
    imported: bool


@dataclass(frozen=True)
class _Chosen:
    """Which samples are rendered again."""

    every: Replayer | None
    share: float
    seed: int

    def replayer(self, key: str) -> Replayer | None:
        """Return what renders this sample again, None where it is not to be: by chance, and always the same."""
        return self.every if fraction(f"deep-{self.seed}", key) < self.share else None


def _card_problems(folder: Path) -> list[Problem]:
    """Return what is wrong with the folder of a card."""
    problems = sum_problems(folder)
    if not problems and (folder / LOCK).exists():
        try:
            read_lock(folder)
        except DatasetError as error:
            problems.append(Problem(LOCK, None, "lock", error.message))
    return problems


def _worn(dataset: Mapping[str, Any] | None, receipts: Sequence[ShardReceipt]) -> dict[str, str]:
    """Return the sha256 of each asset that samples wear, by id, as far as dataset.json knows it."""
    digests = {} if dataset is None else dataset["assets"]
    ids = {asset_id for receipt in receipts for entry in receipt.samples for asset_id in entry.record.asset_ids}
    return {asset_id: digests[asset_id] for asset_id in sorted(ids) if asset_id in digests}


def _sample_problems(
    file: str, entry: SampleEntry, members: Mapping[str, bytes], expected: _Expected, replayer: Replayer | None
) -> list[Problem]:
    """Return what is wrong with one sample's record and pixels. `members` are those whose bytes are as recorded."""
    record = entry.record
    problems = _record_problems(file, record, expected.recipe)
    recipe = expected.recipe
    if recipe is not None and set(entry.members) != set(members_with(recipe.truth.layers)):
        problems.append(Problem(file, record.key, "truth", "it has other truth layers than the recipe asks for"))
    pictures: dict[str, Any] = {}
    for name, data in members.items():
        if name != "json":
            try:
                pictures[name.partition(".")[0]] = _decoded(name, data)
            except (PictureError, UnicodeDecodeError) as error:
                problems.append(Problem(file, record.key, "picture", f"{record.key}.{name}: {why(error)}"))
    if not set(PICTURES) <= pictures.keys():
        return problems
    clean, occluded, mask, alpha = (pictures[name] for name in ("clean", "occluded", "mask", "alpha"))
    if expected.size_px is not None and clean.shape[0] != expected.size_px:
        message = f"the pictures are {clean.shape[0]} px, the recipe says {expected.size_px}"
        problems.append(Problem(file, record.key, "size", message))
    if expected.imported and (record.placement or not np.array_equal(mask, alpha)):
        message = "an imported pair has a placement, or a silhouette that is not its mask"
        problems.append(Problem(file, record.key, "imported", message))
    problems += pair_problems(clean, occluded, mask, alpha, record, file=file)
    if replayer is not None and not problems:
        truth = {name: value for name, value in pictures.items() if name in TRUTH}
        problems += replayer.problems(file, record, clean, occluded, mask, alpha, truth)
    return problems


def _decoded(name: str, data: bytes) -> Any:
    """Return a member of a sample as what it is: a picture, of 16 bits the depth, or the caption's text."""
    if name == TRUTH["caption"]:
        return data.decode()
    return decode_png16(data) if name == TRUTH["depth"] else decode_png(data, intact=True)


def _record_problems(file: str, record: SampleRecord, recipe: Recipe | None) -> list[Problem]:
    if recipe is None:
        return []
    problems = []
    low, high = recipe.coverage.min - COVERAGE_STEP, recipe.coverage.max + COVERAGE_STEP
    if not low <= record.coverage <= high:
        message = f"coverage is {record.coverage}, the recipe asks for {recipe.coverage.min} to {recipe.coverage.max}"
        problems.append(Problem(file, record.key, "coverage", message))
    beyond = check_gates(record.gates, recipe.gates)
    if beyond is not None:
        problems.append(Problem(file, record.key, "gates", beyond.detail))
    shares = recipe.kinds.shares()
    if not set(record.kinds) <= shares.keys():
        message = f"the recipe has no kind {', '.join(sorted(set(record.kinds) - shares.keys()))}"
        problems.append(Problem(file, record.key, "kinds", message))
    elif (why := not_asked(recipe, record)) is not None:
        problems.append(Problem(file, record.key, "strata", why))
    return problems


def _shard_order(name: str) -> tuple[int, str]:
    split = name.partition("-")[0]
    return SPLITS.index(split) if split in SPLITS else len(SPLITS), name
