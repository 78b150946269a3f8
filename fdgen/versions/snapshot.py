"""A dataset or the card of one, opened for comparison: the facts that both have."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from fdgen.contract.face_points import LANDMARKS_FILE
from fdgen.contract.manifest import read_finished
from fdgen.dataset.checksums import MOST_BYTES, file_sha256, listed_sums
from fdgen.dataset.invariants import Problem
from fdgen.dataset.tables import read_landmark_digests, read_manifest_columns, read_sources
from fdgen.errors import DatasetError
from fdgen.io.folders import mistaken
from fdgen.io.json_file import why
from fdgen.io.storage import Place, is_file, open_place, read_file
from fdgen.versions.lock import is_card, read_lock
from fdgen.versions.lock_tables import DIGESTS, SOURCES, source_rows

COMPARED = ("key", "split", "shard", "source", "source_sha256", "kinds", "asset_ids", "coverage", *DIGESTS)
"""Columns that datasets and cards share."""


@dataclass(frozen=True)
class Snapshot:
    """One version of a dataset: `where` it lies, its `facts` (of dataset.json or lock.json), `recipe` and `samples`.

    `is_dataset`: whether the pictures are at hand, or digests alone.
    """

    where: Place
    facts: Mapping[str, Any]
    recipe: Mapping[str, Any]
    samples: pa.Table = field(repr=False)
    is_dataset: bool
    _sources: pa.Table | None = field(repr=False, default=None)
    _sums: Mapping[str, str] = field(repr=False, default_factory=dict)

    @classmethod
    def open(cls, where: str | Place) -> Snapshot:
        """Open the folder of a dataset or of a card, or the URL of a dataset.

        Raises `DatasetError` where it is neither, or damaged.
        """
        where = open_place(where)
        if isinstance(where, Path) and is_card(where):
            lock = read_lock(where)
            samples = lock.samples.select([*COMPARED, "landmarks_sha256", "placement_sha256"])
            return cls(where, lock.facts, lock.recipe, samples, False, lock.sources)
        if not is_file(where / "dataset.json"):
            sentence, hint = mistaken(
                where,
                "is neither a dataset nor a card",
                "it has no dataset.json and no recipe.toml",
                "name a folder that `fdgen build` or `fdgen card` wrote",
            )
            raise DatasetError(sentence, hint=hint)
        dataset = read_finished(where)
        problems: list[Problem] = []
        listed = listed_sums(where, problems)
        for name in ("dataset.json", "manifest.parquet"):
            if problems or listed.get(name) != file_sha256(where / name, within=where):
                raise DatasetError(f"{where / name} is damaged", hint=f"run `fdgen verify {where}`")
        samples = read_manifest_columns(where / "manifest.parquet", COMPARED)
        return cls(where, dataset, dataset["recipe"], samples, True, _sums=listed)

    @property
    def landmarks_file(self) -> str | None:
        """Digest of landmarks.parquet; None of a card, which has none."""
        return self._sums.get(LANDMARKS_FILE)

    @property
    def title(self) -> str:
        """Name and version."""
        return f"{self.facts['name']} {self.facts['version']}"

    def sources(self) -> dict[str, tuple[str, str]]:
        """Return, by path, the first 16 hex digits of each photograph's sha256, and of what is known of it."""
        if self._sources is None:
            rows: Iterable[tuple[str, str, str]] = source_rows(read_sources(self.where / "sources.parquet"))
        else:
            rows = zip(*(self._sources[name].to_pylist() for name in SOURCES.names), strict=True)
        return {path: (digest, known) for path, digest, known in rows}

    def landmarks(self, sources: Collection[str]) -> dict[str, str]:
        """Return the digests of the landmarks of photographs, by their sha256."""
        if self.is_dataset:
            return read_landmark_digests(self.where / LANDMARKS_FILE, set(sources))
        columns = (self.samples[name].to_pylist() for name in ("source_sha256", "landmarks_sha256"))
        return dict(zip(*columns, strict=True))

    def placements(self, *, digested: bool) -> dict[str, str]:
        """Return the placement of each sample by key: its digest, or, which only a dataset has, its JSON text."""
        if not self.is_dataset:
            return dict(zip(self.samples["key"].to_pylist(), self.samples["placement_sha256"].to_pylist(), strict=True))
        texts = read_manifest_columns(self.where / "manifest.parquet", ("placement",))["placement"].to_pylist()
        if digested:
            texts = [hashlib.sha256(text.encode()).hexdigest() for text in texts]
        return dict(zip(self.samples["key"].to_pylist(), texts, strict=True))

    def reasons(self) -> dict[tuple[str, int], str]:
        """Return why each face and variant gave no sample, as far as it is known; a card only counts them."""
        if not self.is_dataset:
            return {}
        try:
            text = read_file(self.where / "rejects.csv", most_bytes=MOST_BYTES, within=self.where).decode("utf-8")
            rows = csv.DictReader(io.StringIO(text, newline=""))
            return {(row["sha256"], int(row["variant"])): row["reason"] for row in rows}
        except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
            raise DatasetError(
                f"{self.where / 'rejects.csv'} cannot be read: {why(error)}", hint=f"run `fdgen verify {self.where}`"
            ) from error
