"""Samples of a dataset as they are stored: random access into its shards, by byte offset, to the members asked for.
Or no dataset but samples that are made when they are asked for (`fdtrain.data.on_the_fly.samples`).

Nothing is unpacked, and files are opened for one read and closed: no handle is shared with a forked or spawned worker,
or a thread (an open takes 2 us, decoding 3 ms). From a URL each sample is one request for a range of bytes.
"""

from __future__ import annotations

import functools
import json
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from multiprocessing import context
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import numpy as np
import numpy.typing as npt
from torch.utils.data import Dataset

from fdgen.arrays import Image
from fdgen.contract.digests import digest_json
from fdgen.contract.face_points import STEP_PX, read_points
from fdgen.contract.manifest import Manifest
from fdgen.contract.members import column_of, read_members
from fdgen.contract.records import MemberEntry, Triplet
from fdgen.errors import DatasetError
from fdgen.io.hub.datasets import origin_of
from fdgen.io.storage import Place, Remote
from fdtrain.data.on_the_fly.samples import FreshSamples
from fdtrain.data.shared_arrays import SharedArrays
from fdtrain.faces.face_mesh import N_FACE, Points

if TYPE_CHECKING:
    import pandas as pd

_COLUMNS = (
    *("key", "split", "shard", "source", "identity", "kinds", "held_out"),
    *("coverage", "coverage_face", "coverage_eyes", "coverage_nose", "coverage_mouth"),
    *("yaw_deg", "pitch_deg", "roll_deg"),
)
"""Of the manifest: what samples are chosen by, and what `StoredSamples.table` is made of."""

LEAST_PX = 16
"""Below this nothing of a face is left, and SSIM's window of 11 pixels hardly fits."""

Item = TypeVar("Item", covariant=True)


class StoredSamples(Dataset[Item], ABC):
    """The samples of one split and stratum: `len()`, `keys`, `table`, and the bytes of their members.

    Of the manifest it reads what it needs, and keeps arrays of about 200 bytes a sample, which loader workers share:
    `table` is not among these.

    A subclass says which members it `reads`, in their order in a shard, and what an item is. `root` is a folder that
    `fdgen build` wrote, or its URL (`https://`, `s3://`), or the samples of that split made when they are asked for
    (`fresh`, None with a dataset); `split` is train, val or test; `size_px` the side of the items, None the stored one.
    `kinds` keeps samples with an occluder of one of these kinds, `without` those with none of these, `without_samples`
    those of other keys; `coverage` those whose mask covers a share in [low, high) of the crop; `limit` the first so
    many, which are a random choice already. `landmarks` reads those of the samples' photographs, too. `verify` compares
    the sha256 of what is read with the manifest's.

    Raises `DatasetError` where the folder is no dataset, the split or stratum is empty, or a shard is missing or short.
    """

    reads: ClassVar[tuple[str, ...]]

    def __init__(
        self,
        root: str | Place | FreshSamples,
        split: str,
        *,
        size_px: int | None,
        kinds: Collection[str] | None = None,
        without: Collection[str] | None = None,
        without_samples: Collection[str] | None = None,
        coverage: tuple[float, float] | None = None,
        limit: int | None = None,
        landmarks: bool = False,
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
        self.split, self.seed, self.verify, self.landmarks, self.epoch = split, seed, verify, landmarks, 0
        self.root: Place
        self.fresh: FreshSamples | None = None
        self.origin: Mapping[str, str] | None = None
        if not isinstance(root, str | Path | Remote):
            self._open_fresh(root)
            self.size_px = self.stored_px if size_px is None else size_px
            return
        members = [column_of(member) for member in self.reads]
        places = [f"{column}_{what}" for column in members for what in ("offset", "size", "sha256")]
        manifest = Manifest.load(root, columns=[*_COLUMNS, *(["source_sha256"] if landmarks else []), *places])
        self.root, self.origin = manifest.root, origin_of(manifest.root)
        self.name = self.origin["repository"] if self.origin is not None else manifest.root.name
        self.content_id: str = manifest.dataset["content_id"]
        self.stored_px: int = manifest.dataset["recipe"]["size_px"]
        self.division = division_of(manifest.dataset)
        self.size_px = self.stored_px if size_px is None else size_px
        rows = _stratum(manifest, split, kinds, without, coverage)
        rows = _without(manifest, split, rows, without_samples).iloc[:limit]
        self.table = _strata(rows)
        self._shards: list[str] = sorted(set(rows["shard"]))
        self._arrays = SharedArrays(
            {
                "key": np.array(rows["key"].tolist(), "S"),
                "shard": np.searchsorted(self._shards, rows["shard"]).astype(np.int32),
                "offset": rows[[f"{column}_offset" for column in members]].to_numpy(np.int64),
                "size": rows[[f"{column}_size" for column in members]].to_numpy(np.int64),
                "sha256": np.stack([_digests(rows[f"{column}_sha256"]) for column in members], 1),
                **({"points": read_points(self.root, rows["source_sha256"].tolist())[:, :N_FACE]} if landmarks else {}),
            }
        )

    def _open_fresh(self, fresh: FreshSamples) -> None:
        """Take samples that are made when they are asked for; raise `DatasetError` where there are none."""
        self.fresh, self.root, self.name = fresh, fresh.root, fresh.name
        self.content_id, self.stored_px = fresh.content_id, fresh.size_px
        self.division = division_of(fresh.facts())
        if not len(fresh):
            raise DatasetError(
                f"no face of {fresh.root} gave a sample of the {fresh.split} split", hint="give more photographs"
            )
        keys = [fresh.key(place) for place in range(len(fresh))]
        self.table = _fresh_table(fresh, keys)
        self._arrays = SharedArrays({"key": np.array(keys, "S")})

    def __len__(self) -> int:
        return len(self._arrays["key"])

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what workers, which look at one sample at a time, need not have each for itself."""
        state = {name: value for name, value in self.__dict__.items() if name != "keys"}
        return state if context.get_spawning_popen() is None else {**state, "table": None}

    @functools.cached_property
    def keys(self) -> list[str]:
        """The keys of the samples, in the order of the dataset."""
        return [key.decode() for key in self._arrays["key"].tolist()]

    def key(self, index: int) -> str:
        """Return the key of one sample."""
        return str(self._arrays["key"][index].decode())

    @abstractmethod
    def refuse_wrong(self, index: int) -> None:
        """Raise `DatasetError` where a sample cannot be learnt from as it is stored."""

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch that plain indices are augmented for; an `EpochSampler` says it with each index instead."""
        self.epoch = epoch

    def _read(self, index: int) -> tuple[str, list[bytes]]:
        """Return what the sample is called in an error, and the bytes of its members."""
        arrays, key = self._arrays, self.key(index)
        path = self.root / "shards" / f"{self._shards[arrays['shard'][index]]}.tar"
        sha256 = (digest.tobytes().hex() for digest in arrays["sha256"][index])
        places = zip(arrays["offset"][index].tolist(), arrays["size"][index].tolist(), sha256, strict=True)
        entries = {member: MemberEntry(*place) for member, place in zip(self.reads, places, strict=True)}
        members = read_members(path, key, entries, verify=self.verify, hint=self._next_step())
        return f"{key} in {path}", list(members.values())

    def _made(self, index: int, epoch: int) -> Triplet | None:
        """Return the triplet that is made of a face in an epoch; None where samples are stored."""
        return None if self.fresh is None else self.fresh.make(index, epoch).triplet

    def _gave_none(self, index: int, epoch: int) -> int | None:
        """Return the place of a face that gave no triplet in an epoch, so that another took its turn; else -1.

        None where samples are stored, or stay the same.
        """
        if self.fresh is None or self.fresh.is_fixed:
            return None
        return index if self.fresh.make(index, epoch).place != index else -1

    def _points_px(self, index: int, epoch: int) -> Points | None:
        """Return the points of the face at the size of the items (468, 3) px; None where they were not asked for."""
        if self.fresh is not None and self.landmarks:
            return self.fresh.points_px(index, epoch)[:N_FACE] * np.float32(self.size_px / self.stored_px)
        if "points" not in self._arrays:
            return None
        scale = STEP_PX * self.size_px / self.stored_px
        points_px: Points = self._arrays["points"][index].astype(np.float32) * np.float32(scale)
        return points_px

    def _refuse_other_sides(self, where: str, pictures: Mapping[str, Image]) -> None:
        """Raise `DatasetError` where a picture, by its name, is not of the size that the dataset says."""
        side = self.stored_px
        for name, picture in pictures.items():
            if picture.shape[:2] != (side, side):
                size = f"{picture.shape[1]}x{picture.shape[0]}"
                raise DatasetError(
                    f"the {name} of {where} is {size}, the dataset says {side}x{side}", hint=self._next_step()
                )

    def _next_step(self) -> str:
        if isinstance(self.root, Remote):
            return "copy the dataset to this machine: `fdgen verify` lists there all that is wrong"
        return f"`fdgen verify {self.root}` lists all that is wrong; the `fdgen build` that made it repairs it"


def division_of(facts: Mapping[str, Any]) -> str:
    """Return what decides who is in which split, of a dataset.json or of what a run on the fly records.

    Where it is the same, nobody in the test split of one is in the train split of the other.
    """
    return digest_json([facts["sources"]["digest"], facts["recipe"]["splits"]])


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


def _without(
    manifest: Manifest, split: str, rows: pd.DataFrame, without_samples: Collection[str] | None
) -> pd.DataFrame:
    """Return rows without those of some keys, which may be of any split of the dataset."""
    if without_samples is None:
        return rows
    if unknown := sorted(set(without_samples) - set(manifest.table["key"])):
        raise DatasetError(
            f"no sample of {manifest.root} has the key {unknown[0]!r}, which is to be left out",
            hint="keys are of one dataset: mark them in `fdgen browse` of this one",
        )
    kept: pd.DataFrame = rows[~rows["key"].isin(list(without_samples))]
    if kept.empty:
        raise DatasetError(
            f"without the {len(without_samples)} samples that are left out nothing is left of the {split} split of "
            f"{manifest.root}",
            hint="leave out fewer",
        )
    return kept


def _fresh_table(fresh: FreshSamples, keys: list[str]) -> pd.DataFrame:
    """Return a row a sample that is made when it is asked for: key, kind, source, identity."""
    import pandas as pd

    sources = [fresh.source(place) for place in range(len(fresh))]
    return pd.DataFrame(
        {
            "key": keys,
            "kind": [fresh.kinds(place) for place in range(len(fresh))],
            "source": [source.path for source in sources],
            "identity": [source.identity for source in sources],
            "held_out": False,
        }
    )


def _digests(column: pd.Series[str]) -> npt.NDArray[np.uint8]:
    """Return digests in hex as bytes (N, 32)."""
    return np.frombuffer(bytes.fromhex("".join(column)), np.uint8).reshape(-1, 32)


def _strata(rows: pd.DataFrame) -> pd.DataFrame:
    """Return a row a sample, in the order of the dataset: key, kind (`hand+mask` where there are two), coverage..."""
    columns = [name for name in rows.columns if name.startswith("coverage") or name.endswith("_deg")]
    table = rows[["key", "source", "identity", "held_out", *columns]].reset_index(drop=True)
    table.insert(1, "kind", ["+".join(sorted(json.loads(text))) for text in rows["kinds"]])
    return table
