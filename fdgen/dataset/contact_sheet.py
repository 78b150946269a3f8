"""Contact sheets of a dataset: samples spread over kinds and coverage, clean, occluded and mask side by side."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from fdgen.arrays import Image
from fdgen.contract.manifest import Manifest
from fdgen.errors import DatasetError
from fdgen.io.pictures.contact_sheet import contact_sheet
from fdgen.io.pictures.images import decode_png, resize

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
    """Return what stands below a sample: its kinds, the share of the picture that is covered, and its split."""
    return f"{' + '.join(kinds)}, {coverage:.0%}, {split}"


def dataset_sheet(manifest: Manifest, n: int = 24, columns: int = 3, *, cell_px: int = 160) -> Image:
    """Return a sheet of `n` samples, each clean, occluded and mask with its kinds below, `columns` side by side.

    The kinds of occluders take turns, and of each kind the samples stand apart in the dataset, so that a few show what
    many hold. Raises `DatasetError` where a member cannot be read.
    """
    keys = spread_keys(manifest, n)
    rows = manifest.table.set_index("key").loc[keys]
    texts = [
        described(json.loads(kinds), coverage, split)
        for kinds, coverage, split in zip(rows["kinds"], rows["coverage"], rows["split"], strict=True)
    ]
    return samples_sheet([_triple(manifest, key, cell_px) for key in keys], texts, columns, TRIPLE)


def spread_keys(manifest: Manifest, n: int) -> list[str]:
    """Return the keys of `n` samples, or of all if there are fewer: kinds in turn, each evenly over the dataset."""
    groups = [group["key"].tolist() for _, group in manifest.table.groupby("kinds", sort=True)]
    turns = [min(len(group), -(-n // len(groups))) for group in groups]
    while sum(turns) < min(n, len(manifest)):  # kinds with few samples leave their turns to the others
        index = max(range(len(groups)), key=lambda i: len(groups[i]) - turns[i])
        turns[index] += 1
    picked = [[group[i * len(group) // turn] for i in range(turn)] for group, turn in zip(groups, turns, strict=True)]
    in_turn = itertools.chain.from_iterable(itertools.zip_longest(*picked))
    return [key for key in in_turn if key is not None][:n]


def _triple(manifest: Manifest, key: str, cell_px: int) -> list[npt.NDArray[np.uint8]]:
    try:
        pictures = [decode_png(manifest.read_member(key, f"{name}.png")) for name in TRIPLE]
    except OSError as error:
        raise DatasetError(f"{key} of {manifest.root} cannot be read: {error}") from error
    return [resize(picture, cell_px, cell_px) for picture in pictures]
