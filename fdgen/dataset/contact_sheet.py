"""Contact sheets of a dataset: samples spread over kinds and coverage, clean, occluded and mask side by side."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fdgen.arrays import Image
from fdgen.contract.members import member_entries, read_members
from fdgen.dataset.shards import shard_path
from fdgen.io.parquet_file import open_parquet, read_batches
from fdgen.io.pictures.contact_sheet import contact_sheet
from fdgen.io.pictures.images import decode_png, resize
from fdgen.io.storage import Place

if TYPE_CHECKING:
    import pyarrow.parquet as pq

TRIPLE = ("clean", "occluded", "mask")
"""Pictures of a sample on a sheet, as the headings of its columns call them."""


SHEET_COLUMNS = (
    *("key", "kinds", "coverage", "split", "shard"),
    *(f"{name}_png_{what}" for name in TRIPLE for what in ("sha256", "offset", "size")),
)
"""Of the manifest, all that `dataset_sheet` looks at."""


def samples_sheet(
    samples: Sequence[Sequence[npt.NDArray[np.uint8]]], texts: Sequence[str], columns: int, headings: Sequence[str]
) -> Image:
    """Return a sheet of samples, `columns` of them side by side: the pictures of each, with its text below.

    `headings` names the pictures of a sample; with none, each has one.
    """
    starts = range(0, len(samples), columns)
    return contact_sheet(
        [list(itertools.chain(*samples[start : start + columns])) for start in starts],
        headings=headings,
        captions=[texts[start : start + columns] for start in starts],
    )


def described(kinds: Sequence[str], coverage: float, split: str) -> str:
    """Return what is printed below a sample: its kinds, the share of the picture that is covered, and its split."""
    return f"{' + '.join(kinds)}, {coverage:.0%}, {split}"


def dataset_sheet(root: Place, n: int = 24, columns: int = 3, *, cell_px: int = 160) -> Image:
    """Return a sheet of `n` samples of the dataset in `root`: clean, occluded and mask with their kinds below.

    `columns` samples are side by side. The kinds of occluders take turns, and of each kind the samples are far apart in
    the dataset, so that a few show what many hold. Of the manifest, the rows of these samples are in memory and a
    number for each other one. Raises `DatasetError` where it, or a member, cannot be read.
    """
    path = root / "manifest.parquet"
    with open_parquet(path, name=path.name, within=root) as file:
        rows = _rows(file, spread(_kinds(file), n))
    texts = [described(json.loads(row["kinds"]), row["coverage"], row["split"]) for row in rows]
    return samples_sheet([_triple(root, row, cell_px) for row in rows], texts, columns, TRIPLE)


def spread(kinds: Sequence[str] | npt.NDArray[np.integer[Any]], n: int) -> list[int]:
    """Return the places of `n` samples, given the kinds of each, or of all if there are fewer.

    Kinds take turns in their order, each evenly over the dataset.

    >>> spread(["hand", "mask", "mask", "mask", "mask"], 3)
    [0, 1, 3]
    """
    names, codes = np.unique(np.asarray(kinds), return_inverse=True)
    groups = [np.flatnonzero(codes == code) for code in range(len(names))]
    turns = [min(len(group), -(-n // len(groups))) for group in groups]
    while sum(turns) < min(n, len(codes)):  # kinds with few samples leave their turns to the others
        index = max(range(len(groups)), key=lambda i: len(groups[i]) - turns[i])
        turns[index] += 1
    picked = [[group[i * len(group) // turn] for i in range(turn)] for group, turn in zip(groups, turns, strict=True)]
    in_turn = itertools.chain.from_iterable(itertools.zip_longest(*picked))
    return [int(place) for place in in_turn if place is not None][:n]


def _kinds(file: pq.ParquetFile) -> npt.NDArray[np.integer[Any]]:
    """Return a number for the kinds of each sample, in the alphabetical order of those."""
    seen: dict[str, int] = {}
    parts = [np.zeros(0, np.int32)]
    for batch in read_batches(file, ["kinds"]):
        texts = batch["kinds"].dictionary_encode()
        codes = np.array([seen.setdefault(text, len(seen)) for text in texts.dictionary.to_pylist()], np.int32)
        parts.append(codes[np.frombuffer(texts.indices.buffers()[1], np.int32)[: len(texts)]])
    in_order = sorted(seen)
    number_of = np.array([in_order.index(text) for text in seen], np.int32)
    return number_of[np.concatenate(parts)]


def _rows(file: pq.ParquetFile, places: Sequence[int]) -> list[dict[str, Any]]:
    """Return rows of a manifest, in the order of their places; each group of rows is read once."""
    ends = np.cumsum([file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)])
    groups = np.searchsorted(ends, places, side="right").tolist()
    found: dict[int, dict[str, Any]] = {}
    for group in sorted(set(groups)):
        start = int(ends[group - 1]) if group else 0
        table = file.read_row_group(group, list(SHEET_COLUMNS))
        for place in (one for one, its in zip(places, groups, strict=True) if its == group):
            found[place] = table.slice(place - start, 1).to_pylist()[0]
    return [found[place] for place in places]


def _triple(root: Place, row: Mapping[str, Any], cell_px: int) -> list[npt.NDArray[np.uint8]]:
    names = [f"{name}.png" for name in TRIPLE]
    hint = f"run `fdgen verify {root}`"
    found = read_members(
        shard_path(root, row["shard"]), row["key"], member_entries(row, names), verify=False, hint=hint
    )
    return [resize(decode_png(found[name]), cell_px, cell_px) for name in names]
