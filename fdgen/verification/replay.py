"""Renders samples again from their records and compares the pixels: a sample is a function of its record."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from fdgen.arrays import Image
from fdgen.contract.face_points import LANDMARKS_FILE
from fdgen.contract.manifest import Manifest
from fdgen.contract.records import PICTURES, SampleRecord, Triplet, is_imported
from fdgen.contract.truth import layers_of
from fdgen.dataset.invariants import Problem
from fdgen.dataset.picture_difference import PictureDifference, differences, pictures_of
from fdgen.dataset.tables import read_landmarks
from fdgen.errors import DatasetError, FdError
from fdgen.faces.face import Face
from fdgen.faces.landmarks import Landmarks
from fdgen.faces.sources import Source
from fdgen.io.pictures.images import decode_png
from fdgen.io.storage import Place
from fdgen.versions.same_generator import refuse_other_generator


@dataclass(frozen=True)
class Replayer:
    """What a replay needs in addition to the records: the landmarks of the dataset, the occluders, the renderer.

    The clean picture is the one in the dataset: no photograph and no detector are needed.
    """

    landmarks: Mapping[str, bytes]
    library: Any
    replay: Callable[[SampleRecord, Face, Any], Triplet]

    @classmethod
    def of(
        cls,
        root: Place,
        worn: Mapping[str, str],
        packs: Sequence[str | Path] = (),
        *,
        recipe: Mapping[str, Any] = MappingProxyType({}),
        only: str | None = None,
    ) -> Replayer:
        """Open what the replays of a dataset need.

        Args:
            root: Its folder, or its URL.
            worn: The sha256 of each asset that it wears, by id.
            packs: Folders of occluders in addition to our own.
            recipe: The dataset's, as its dataset.json has it: what its masks mean, and which truth layers it has.
            only: The sha256 of the one photograph whose samples are wanted; None is all of them.

        Raises `DatasetError` where its landmarks cannot be read, `AssetError` where an asset is not here, in fdgen or
        in `packs`, or is another than the one it was made with.
        """
        from fdgen.packs.library import open_library
        from fdgen.synthesis.generator import replay

        landmarks = read_landmarks(root / LANDMARKS_FILE, only)
        packed = {sha256: found.to_bytes() for sha256, found in landmarks}
        library = open_library(packs)
        library.require(worn)
        threshold = recipe.get("mask", {}).get("threshold", 0)
        return cls(packed, library, functools.partial(replay, mask_threshold=threshold, truth=layers_of(recipe)))

    def face(self, record: SampleRecord, clean_HWC: Image) -> Face:
        """Return the face of a sample; raise `KeyError` where its landmarks are not known."""
        landmarks = Landmarks.from_bytes(self.landmarks[record.source_sha256])
        return Face(Source(record.source, record.source_sha256, record.identity), clean_HWC, landmarks)

    def problems(
        self,
        file: str,
        record: SampleRecord,
        clean_HWC: Image,
        occluded_HWC: Image,
        mask_HW: Image,
        alpha_HW: Image,
        truth: Mapping[str, Any] = MappingProxyType({}),
    ) -> list[Problem]:
        """Return in what a sample differs from what its record gives now; a record that cannot be rendered is a problem
        too.

        Args:
            file: Name of the file, for the problems.
            record: The sample's record.
            clean_HWC: The stored clean picture, RGB uint8.
            occluded_HWC: The stored occluded picture, RGB uint8.
            mask_HW: The stored mask, 0 or 255.
            alpha_HW: The stored silhouette, 0 to 255.
            truth: The stored truth layers, by name.
        """
        stored = {"alpha": alpha_HW, "clean": clean_HWC, "mask": mask_HW, "occluded": occluded_HWC}
        try:
            again = self.render(record, clean_HWC)
        except DatasetError as error:
            return [Problem(file, record.key, "replay", error.message)]
        differing = [str(one) for one in differences(stored, pictures_of(again))]
        for name, made in again.truth.items():
            kept = truth.get(name)
            if kept is None or np.shape(kept) != np.shape(made) or np.any(np.asarray(kept) != np.asarray(made)):
                differing.append(name)
        if record.to_json() != again.record.to_json():
            differing.append("record")
        if not differing:
            return []
        return [Problem(file, record.key, "replay", f"rendered again, it differs in {', '.join(differing)}")]

    def render(self, record: SampleRecord, clean_HWC: Image) -> Triplet:
        """Render a sample again; raise `DatasetError` where that cannot be done."""
        if record.source_sha256 not in self.landmarks:
            raise DatasetError(f"{LANDMARKS_FILE} has no row for its photograph")
        try:
            return self.replay(record, self.face(record, clean_HWC), self.library)
        except FdError as error:
            raise DatasetError(f"it cannot be rendered again: {error.message}", hint=error.hint) from error
        except (KeyError, TypeError, ValueError, IndexError) as error:  # what a placement that was tampered with gives
            why = f"its placement is not valid ({type(error).__name__}: {error})"
            raise DatasetError(f"it cannot be rendered again: {why}") from error


def refuse_replay(root: str | Place, dataset: Mapping[str, Any]) -> None:
    """Raise `DatasetError` where no sample of a dataset can be rendered again: imported, or of another generator."""
    hint = f"`fdgen verify {root}` checks all else"
    if is_imported(dataset):
        raise DatasetError(f"the pairs of {root} were imported: there is no placement to render again", hint=hint)
    release = dataset["environment"].get("fd-stackgan") or ""
    refuse_other_generator(str(root), dataset["generator"], release)


@dataclass(frozen=True)
class Replayed:
    """One sample as it is stored, and as its record gives it now. `fields` are those of the record that differ."""

    record: SampleRecord
    stored: Mapping[str, Image]
    again: Triplet
    pictures: tuple[PictureDifference, ...]
    fields: tuple[str, ...]

    @property
    def same(self) -> bool:
        """Return whether it is the same, to the last bit."""
        return not self.pictures and not self.fields


def replay_sample(manifest: Manifest, key: str, packs: Sequence[str | Path] = ()) -> Replayed:
    """Render one sample of a dataset again, and compare.

    Raises `DatasetError` where there is no such sample, its files are damaged, it was imported, another version of the
    generator made it, or it cannot be rendered; `AssetError` where an occluder that it wears is missing or another.
    """
    root, row = manifest.root, manifest.row(key)
    if is_imported(manifest.dataset):
        raise DatasetError(
            f"{key} of {root} was imported: there is no placement to render again",
            hint=f"`fdgen show {key} --dataset {root}` shows it",
        )
    refuse_replay(root, manifest.dataset)
    members = manifest.read_members(key)
    for name, data in members.items():
        if hashlib.sha256(data).hexdigest() != row[f"{name.replace('.', '_')}_sha256"]:
            raise DatasetError(f"{key}.{name} in {root} has been altered", hint=f"run `fdgen verify {root}`")
    record = SampleRecord.from_json(members["json"])
    assets = manifest.dataset["assets"]
    worn = {asset_id: assets[asset_id] for asset_id in record.asset_ids if asset_id in assets}
    replayer = Replayer.of(root, worn, packs, recipe=manifest.dataset["recipe"], only=record.source_sha256)
    stored = {name: decode_png(members[f"{name}.png"], intact=True) for name in PICTURES}
    try:
        again = replayer.render(record, stored["clean"])
    except DatasetError as error:
        raise DatasetError(f"{key}: {error.message}", hint=error.hint or f"run `fdgen verify {root}`") from error
    fields = (field.name for field in dataclasses.fields(SampleRecord))
    return Replayed(
        record,
        stored,
        again,
        differences(stored, pictures_of(again)),
        tuple(name for name in fields if getattr(record, name) != getattr(again.record, name)),
    )
