"""The columns of an export next to the pictures: the fields of each sample's record."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fdgen.contract.records import SampleRecord
from fdgen.contract.truth import TRUTH, layers_of

if TYPE_CHECKING:
    import pandas as pd

HF_SPLITS = {"train": "train", "val": "validation", "test": "test"}
"""Names of the splits, as Hugging Face calls them."""

IMAGES = {"image": "occluded.png", "clean": "clean.png", "mask": "mask.png", "alpha": "alpha.png"}
"""The columns of pictures: `image` is what a model is given, `mask` where it differs from `clean`; `alpha` is the
silhouette of the occluder."""

CAPTION = "caption"
"""The column of the truth layer that is text."""

LISTS = ("kinds", "asset_ids", "worn")
"""Fields that hold lists, as JSON text in the manifest. `gates` and `placement`, of many shapes, stay text."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One sample to export: `columns` by name, and the bytes and sha256 of the members that were asked for."""

    key: str
    columns: Mapping[str, Any]
    members: Mapping[str, bytes]
    sha256: Mapping[str, str]


@dataclass(frozen=True)
class Shard:
    """One shard that is exported: its name, its split, its place among the `of` shards of that split, its rows."""

    name: str
    split: str
    number: int
    of: int
    rows: pd.DataFrame

    def records(self) -> list[dict[str, Any]]:
        """Return the rows of the manifest by their columns."""
        return [{str(name): value for name, value in row.items()} for row in self.rows.to_dict("records")]


def images_of(dataset: Mapping[str, Any]) -> dict[str, str]:
    """Return the columns of pictures of a dataset and their members: `IMAGES`, and those of its truth layers."""
    return {**IMAGES, **{name: TRUTH[name] for name in layers_of(dataset["recipe"]) if name != CAPTION}}


def members_of(dataset: Mapping[str, Any], *, caption: bool) -> tuple[str, ...]:
    """Return the members behind `images_of`, in the order of a shard; with the caption if asked."""
    told = [TRUTH[CAPTION]] if caption and CAPTION in layers_of(dataset["recipe"]) else []
    return tuple(sorted([*images_of(dataset).values(), *told]))


def columns_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a record by name, from its row of the manifest; lists as lists, None where not known.

    `split` is left out: every format has a place of its own for it.
    """
    columns: dict[str, Any] = {}
    for field in dataclasses.fields(SampleRecord):
        value: Any = row.get(field.name)
        if field.name == "split":
            continue
        if value is None or value != value:  # pandas makes NaN of what is not there
            columns[field.name] = None
        else:
            columns[field.name] = json.loads(value) if field.name in LISTS else _plain(value)
    return columns


def _plain(value: Any) -> Any:
    """Return what JSON can hold of a number of numpy."""
    return value.item() if hasattr(value, "item") else value
