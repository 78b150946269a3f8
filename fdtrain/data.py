"""Triplets for training: random access into the shards of a dataset, in an order that any run can repeat.

    manifest.parquet --> rows of one split and stratum --> byte offsets --> one read a sample --> resize --> augment
    --> occluded := clean where the mask is 0 --> tensors

Nothing is unpacked. What a sample is depends on the dataset, the size and (seed, epoch, key) alone: not on the number
of workers or ranks, nor on any global random state.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypedDict

import numpy as np
import torch
from torch.utils.data import Dataset

from fdgen.contract import Image, Manifest, Place, Remote, read_range
from fdgen.errors import DatasetError, PictureError
from fdtrain.order import Draw, EpochSampler, sample_seed
from fdtrain.pictures import decode_grey, decode_rgb, mask_to_tensor, pasted, resized, resized_mask, to_tensor

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Augment", "Draw", "EpochSampler", "Pictures", "Sample", "TripletDataset"]

READ = ("clean_png", "mask_png", "occluded_png")
"""Members that training reads, in the order in which they stand in a shard."""

LEAST_PX = 16
"""Below this nothing of a face is left, and SSIM's window of 11 pixels hardly fits."""


class Sample(TypedDict):
    """One triplet as tensors: pictures (3, S, S) float32 in [-1, 1], mask (1, S, S) 0 or 1, its place in the set."""

    occluded: torch.Tensor
    clean: torch.Tensor
    mask: torch.Tensor
    index: int


class Pictures(NamedTuple):
    """One triplet as pictures: RGB uint8 `_HWC`, mask 0 or 255."""

    clean_HWC: Image
    occluded_HWC: Image
    mask_HW: Image


class Augment(Protocol):
    """Changes both pictures of a pair with the same parameters, drawn from `seed` alone; must be picklable."""

    def __call__(self, pictures: Pictures, seed: int) -> Pictures:
        """Return the changed triplet; what it does outside the mask is set right afterwards."""
        ...


class TripletDataset(Dataset[Sample]):
    """Triplets of one split, read from the shards by byte offset; `len()`, `[index]`, `keys` and `table` as expected.

    `root` is a folder that `fdgen build` wrote, or its URL (`https://`, `s3://`); `split` is train, val or test.
    `size_px` is the side of the tensors, None the stored one: below it pictures are averaged, above it interpolated,
    and the pair stays exact. `kinds` keeps samples with an occluder of one of these kinds, `without` those with none
    of these; `coverage` those whose mask covers a share in [low, high) of the crop; `limit` the first so many, which
    are a random choice already. `augment` is called with a seed made of
    (`seed`, epoch, key). `mix` is how often a face wears the occluder of another sample in place of its own, drawn
    from the same three: a few thousand faces with one hole each are learnt by heart. `verify` compares the sha256 of
    what is read with the manifest's.

    Raises `DatasetError` where the folder is no dataset, the split or stratum is empty, or a shard is missing, short or
    holds what it should not. Files are opened for one read and closed: no handle is shared with a forked or spawned
    worker, or a thread (an open takes 2 us, decoding 3 ms). From a URL each sample is one request for a range of bytes.
    """

    def __init__(
        self,
        root: str | Place,
        split: str,
        *,
        size_px: int | None,
        kinds: Collection[str] | None = None,
        without: Collection[str] | None = None,
        coverage: tuple[float, float] | None = None,
        limit: int | None = None,
        augment: Augment | None = None,
        mix: float = 0.0,
        seed: int = 0,
        verify: bool = False,
    ) -> None:
        if size_px is not None and size_px < LEAST_PX:
            raise DatasetError(
                f"the size of training pictures must be {LEAST_PX} px or more, got {size_px}",
                hint="64 px is small, 256 px the paper's",
            )
        if limit is not None and limit < 1:
            raise DatasetError(f"limit must be 1 or more, got {limit}", hint="leave it out to take all")
        manifest = Manifest.load(root)
        self.root = manifest.root
        self.split = split
        self.content_id: str = manifest.dataset["content_id"]
        self.stored_px: int = manifest.dataset["recipe"]["size_px"]
        self.size_px = self.stored_px if size_px is None else size_px
        self.augment, self.mix, self.seed, self.verify, self.epoch = augment, mix, seed, verify, 0
        rows = _stratum(manifest, split, kinds, without, coverage).iloc[:limit]
        self.keys: list[str] = rows["key"].tolist()
        self.table = _strata(rows)
        self._shards: list[str] = sorted(set(rows["shard"]))
        # Plain arrays and not the table of the manifest: they are what each worker gets a copy of.
        self._shard = np.searchsorted(self._shards, rows["shard"]).astype(np.int32)
        self._offset = rows[[f"{member}_offset" for member in READ]].to_numpy(np.int64)
        self._size = rows[[f"{member}_size" for member in READ]].to_numpy(np.int64)
        self._sha256: list[list[str]] = rows[[f"{member}_sha256" for member in READ]].to_numpy().tolist()

    def __len__(self) -> int:
        return len(self.keys)

    def __getitem__(self, draw: int | Draw) -> Sample:
        index, epoch = draw if isinstance(draw, tuple) else (draw, self.epoch)
        clean_HWC, occluded_HWC, mask_HW = self.pictures(index, epoch)
        return {
            "occluded": to_tensor(occluded_HWC),
            "clean": to_tensor(clean_HWC),
            "mask": mask_to_tensor(mask_HW),
            "index": int(index),
        }

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch that plain indices are augmented for; an `EpochSampler` says it with each index instead."""
        self.epoch = epoch

    def pictures(self, index: int, epoch: int = 0) -> Pictures:
        """Return one triplet at the training size, augmented for that epoch, as uint8 pictures."""
        clean_HWC, occluded_HWC, mask_HW = self.stored(index)
        if self.mix > 0 and (other := self._partner(index, epoch)) != index:
            _, worn_HWC, mask_HW = self.stored(other)
            occluded_HWC = pasted(worn_HWC, clean_HWC, mask_HW)
        small = Pictures(
            resized(clean_HWC, self.size_px), resized(occluded_HWC, self.size_px), resized_mask(mask_HW, self.size_px)
        )
        if self.augment is not None:
            small = self.augment(small, sample_seed(self.seed, epoch, self.keys[index]))
        return small._replace(occluded_HWC=pasted(small.occluded_HWC, small.clean_HWC, small.mask_HW))

    def stored(self, index: int) -> Pictures:
        """Return one triplet exactly as it lies in its shard."""
        where, data = self._read(index)
        try:
            found = Pictures(
                decode_rgb(data[0], f"the clean picture of {where}"),
                decode_rgb(data[2], f"the occluded picture of {where}"),
                decode_grey(data[1], f"the mask of {where}"),
            )
        except PictureError as error:
            raise DatasetError(error.message, hint=self._next_step()) from error
        side = self.stored_px
        for name, picture in zip(("clean picture", "occluded picture", "mask"), found, strict=True):
            if picture.shape[:2] != (side, side):
                size = f"{picture.shape[1]}x{picture.shape[0]}"
                raise DatasetError(
                    f"the {name} of {where} is {size}, the dataset says {side}x{side}", hint=self._next_step()
                )
        if odd := int(((found.mask_HW != 0) & (found.mask_HW != 255)).sum()):
            raise DatasetError(
                f"the mask of {where} is not binary: {odd} pixels are neither 0 nor 255", hint=self._next_step()
            )
        return found

    def _partner(self, index: int, epoch: int) -> int:
        """Return whose occluder a sample wears in an epoch."""
        seed = sample_seed(self.seed, epoch, f"{self.keys[index]}+mix")
        chance, place = np.random.default_rng(seed).random(2)
        return int(place * len(self)) if chance < self.mix else index

    def _read(self, index: int) -> tuple[str, list[bytes]]:
        """Return what the sample is called in an error, and the bytes of its members."""
        path = self.root / "shards" / f"{self._shards[self._shard[index]]}.tar"
        where = f"{self.keys[index]} in {path}"
        starts, sizes = self._offset[index].tolist(), self._size[index].tolist()
        # The members lie side by side, so that one read brings them all, with a little JSON between.
        first, end = min(starts), max(start + size for start, size in zip(starts, sizes, strict=True))
        try:
            data = read_range(path, first, end - first)
        except OSError as error:
            raise DatasetError(f"{path} cannot be read: {error.strerror or error}", hint=self._next_step()) from error
        if len(data) < end - first:
            raise DatasetError(f"{path} is cut short: {self.keys[index]} lies beyond its end", hint=self._next_step())
        members = [data[start - first : start - first + size] for start, size in zip(starts, sizes, strict=True)]
        if self.verify:
            for member, content, sha256 in zip(READ, members, self._sha256[index], strict=True):
                if hashlib.sha256(content).hexdigest() != sha256:
                    name = member.replace("_", ".")
                    raise DatasetError(
                        f"{name} of {where} is not what was written: its sha256 differs from the manifest's",
                        hint=self._next_step(),
                    )
        return where, members

    def _next_step(self) -> str:
        if isinstance(self.root, Remote):
            return "copy the dataset to this machine: `fdgen verify` lists there all that is wrong"
        return f"`fdgen verify {self.root}` lists all that is wrong; the `fdgen build` that made it mends it"


def kinds_of(manifest: Manifest) -> list[str]:
    """Return the kinds of occluder that a dataset has, in alphabetical order."""
    return sorted(set().union(*(json.loads(text) for text in manifest.table["kinds"])))


def _stratum(
    manifest: Manifest,
    split: str,
    kinds: Collection[str] | None,
    without: Collection[str] | None,
    coverage: tuple[float, float] | None,
) -> pd.DataFrame:
    rows = manifest.samples(split)
    if rows.empty:
        counts = manifest.table["split"].value_counts()
        held = ", ".join(f"{name} {count}" for name, count in counts.items())
        raise DatasetError(
            f"the {split} split of {manifest.root} is empty (it holds {held or 'nothing'})",
            hint="choose another split, or build with more faces or other `splits` in the recipe",
        )
    if kinds is not None:
        of_each = [set(json.loads(text)) for text in rows["kinds"]]
        known = sorted(set().union(*of_each))
        if unknown := sorted(set(kinds) - set(known)):
            raise DatasetError(
                f"no sample of the {split} split of {manifest.root} is of kind {unknown[0]!r}",
                hint=f"its kinds are {', '.join(known)}",
            )
        rows = rows[[not of_one.isdisjoint(kinds) for of_one in of_each]]
    if without is not None:
        known = kinds_of(manifest)
        if unknown := sorted(set(without) - set(known)):
            raise DatasetError(
                f"no sample of {manifest.root} is of kind {unknown[0]!r}, which is to be left out",
                hint=f"its kinds are {', '.join(known)}",
            )
        rows = rows[[set(json.loads(text)).isdisjoint(without) for text in rows["kinds"]]]
        if rows.empty:
            raise DatasetError(
                f"without {', '.join(sorted(without))} nothing is left of the {split} split of {manifest.root}",
                hint="leave out fewer kinds, or build with others too",
            )
    if coverage is not None:
        low, high = coverage
        rows = rows[(rows["coverage"] >= low) & (rows["coverage"] < high)]
        if rows.empty:
            raise DatasetError(
                f"no sample of the {split} split of {manifest.root} has a coverage in [{low:g}, {high:g})",
                hint="coverage is the share of the crop that the mask covers; `fdgen info` shows how it is spread",
            )
    return rows


def _strata(rows: pd.DataFrame) -> pd.DataFrame:
    """Return a row a sample, in the order of the dataset: key, kind (`hand+mask` where there are two), coverage..."""
    columns = [name for name in rows.columns if name.startswith("coverage") or name.endswith("_deg")]
    table = rows[["key", "source", "identity", "held_out", *columns]].reset_index(drop=True)
    table.insert(1, "kind", ["+".join(sorted(json.loads(text))) for text in rows["kinds"]])
    return table
