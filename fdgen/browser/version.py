"""One dataset, opened for browsing: what the page shows of all its samples, and the bytes of one.

Columns are read once; pictures and records are read by their byte offsets when the page asks for them.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from fdgen.contract.manifest import open_manifest, read_finished
from fdgen.contract.members import column_of, member_entries, read_members
from fdgen.contract.records import is_imported
from fdgen.contract.truth import TRUTH, layers_of, members_with
from fdgen.errors import DatasetError, in_words
from fdgen.io.regular_file import read_regular
from fdgen.io.storage import Place, Remote, open_place
from fdgen.recipe.combinations import label

COVERAGES = ("coverage", "coverage_face", "coverage_eyes", "coverage_nose", "coverage_mouth")
POSES = ("yaw_deg", "pitch_deg", "roll_deg")
GATES = ("halo", "noise_ratio", "light_deg", "light_stops", "scale_error")
"""Realism measures, as records have them."""

LISTS = ("kinds", "asset_ids", "worn")
"""Columns that hold a list as JSON text."""

TEXTS = ("split", "source", "source_sha256", "identity", "hair")
PICTURES: Mapping[str, str] = {
    **{name: f"{name}.png" for name in ("occluded", "clean", "mask", "alpha")},
    **{layer: member for layer, member in TRUTH.items() if member.endswith(".png")},
}
"""What the page may show of a sample, and the member that it is."""

ON_WALL = ("occluded", "clean", "mask")

_DIGITS = {**dict.fromkeys(COVERAGES, 4), **dict.fromkeys(POSES, 1), **dict.fromkeys(GATES, 4)}
_MOST_REJECTS = 1_000_000_000
"""Bytes of rejects.csv."""


@dataclass(frozen=True)
class Version:
    """A finished dataset: its `root`, dataset.json, and a row a sample in the order of the manifest.

    `table` has `key`, `shard` and, for each member, where it lies; `members` are those that every sample has.
    """

    root: Place
    dataset: Mapping[str, Any]
    table: pa.Table
    members: tuple[str, ...]

    @classmethod
    def open(cls, where: str | Place) -> Version:
        """Open the dataset in a folder or at a URL; raise `DatasetError` where it is missing, unfinished or damaged."""
        root = open_place(where)
        dataset = read_finished(root)
        members = members_with(layers_of(dataset["recipe"]))
        places = [f"{column_of(member)}_{what}" for member in members for what in ("offset", "size", "sha256")]
        names = ["key", "shard", "held_out", "gates", *TEXTS, *LISTS, *COVERAGES, *POSES, *places]
        return cls(root, dataset, open_manifest(root, dataset, only=names), members)

    def __len__(self) -> int:
        return len(self.table)

    @property
    def pictures(self) -> tuple[str, ...]:
        """The pictures of each sample, by the names of `PICTURES`."""
        return tuple(name for name, member in PICTURES.items() if member in self.members)

    @property
    def remote(self) -> bool:
        """Whether it is read from a URL."""
        return isinstance(self.root, Remote)

    def key(self, row: int) -> str:
        """Return the key of a sample."""
        return str(self.table["key"][row].as_py())

    def read(self, row: int, members: Sequence[str]) -> dict[str, bytes]:
        """Read members of one sample, each compared with its sha256; raise `DatasetError` where they cannot be read."""
        values = {name: self.table[name][row].as_py() for name in self.table.column_names if _places(name, members)}
        shard = self.root / "shards" / f"{self.table['shard'][row].as_py()}.tar"
        hint = "check the URL and the connection" if self.remote else f"run `fdgen verify {self.root}`"
        return read_members(shard, self.key(row), member_entries(values, members), verify=True, hint=hint)

    def facts(self) -> dict[str, Any]:
        """Return what the head of the page says, without any path."""
        recipe = self.dataset["recipe"]
        return {
            **{name: self.dataset[name] for name in ("name", "version", "generator", "spec_id", "content_id")},
            "samples": len(self),
            "size_px": recipe["size_px"],
            "imported": is_imported(self.dataset),
            "gates": recipe.get("gates", {}),
            "pictures": self.pictures,
            "wall": ON_WALL,
            "photographs": len(pc.unique(self.table["source_sha256"])),
            "rejects": sum(self.dataset["rejects"].values()),
        }

    def rejects(self) -> list[dict[str, str]]:
        """Return the faces that gave no sample: source, variant, reason, detail.

        Raises `DatasetError` where rejects.csv cannot be read.
        """
        path = self.root / "rejects.csv"
        try:
            if isinstance(path, Path):
                data = read_regular(path, most_bytes=_MOST_REJECTS, within=path.parent)
            else:
                data = path.read_bytes(_MOST_REJECTS)
            rows = list(csv.DictReader(io.StringIO(data.decode("utf-8"), newline="")))
            return [{name: row[name] for name in ("source", "variant", "reason", "detail")} for row in rows]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise DatasetError(f"{path} cannot be read: {in_words(error)}", hint="check it, and try again") from error
        except (ValueError, KeyError, csv.Error) as error:
            raise DatasetError(f"{path} is damaged", hint=f"run `fdgen verify {self.root}`") from error


def columns_of(table: pa.Table) -> dict[str, Any]:
    """Return what is shown of samples, given their rows of a `Version.table`, column by column, as JSON holds it.

    A column of texts is {names, codes}, one of lists too, its names being lists; a code of -1 is nothing. Columns that
    the dataset does not have, or that say nothing of any sample, are left out.
    """
    found: dict[str, Any] = {
        "key": table["key"].to_pylist(),
        "held_out": [int(one) for one in table["held_out"].to_pylist()],
    }
    for name in (*TEXTS, *LISTS):
        if name in table.column_names and (coded := _coded(table[name])) is not None:
            found[name] = coded
    for name in LISTS:
        if name in found:
            found[name]["names"] = [json.loads(text) for text in found[name]["names"]]
    found["kind"] = {**found["kinds"], "names": [label(kinds) for kinds in found["kinds"]["names"]]}
    for name in (*COVERAGES, *POSES):
        found[name] = _rounded(table[name].to_numpy(), _DIGITS[name])
    gates = [json.loads(text) for text in table["gates"].to_pylist()]
    for name in GATES:
        if any(name in one for one in gates):
            found[name] = [one.get(name) for one in gates]
    return found


def _places(column: str, members: Sequence[str]) -> bool:
    return any(column.startswith(f"{column_of(member)}_") for member in members)


def _coded(column: pa.ChunkedArray) -> dict[str, Any] | None:
    """Return a column of texts as names and codes; None where nothing is in it."""
    coded = column.combine_chunks().dictionary_encode()
    if column.null_count == len(column):
        return None
    return {"names": coded.dictionary.to_pylist(), "codes": pc.fill_null(coded.indices, -1).to_pylist()}


def _rounded(values: npt.NDArray[Any], digits: int) -> list[float]:
    rounded: list[float] = (np.round(np.asarray(values, np.float64), digits) + 0.0).tolist()
    return rounded
