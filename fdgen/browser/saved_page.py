"""A chosen part of a dataset as one file that opens anywhere, pictures and records in it."""

from __future__ import annotations

import base64
import json
from collections.abc import Collection, Sequence
from typing import Any

from fdgen.browser.answers import index, sample
from fdgen.browser.page_files import self_contained
from fdgen.browser.thumbnails import jpeg_of
from fdgen.browser.version import PICTURES, Version
from fdgen.contract.records import SPLITS
from fdgen.errors import DatasetError

AS_JPEG = ("occluded", "clean")
"""Pictures that are a tenth of their size as JPEG; masks stay what they are."""

SAVED = ("occluded", "clean", "mask", "alpha")


def chosen_rows(
    version: Version,
    *,
    keys: Collection[str] | None = None,
    kinds: Collection[str] = (),
    split: str | None = None,
    limit: int | None = None,
) -> list[int]:
    """Return the rows of the samples that are asked for, in the order of the dataset, at most `limit` evenly spread.

    Args:
        version: The dataset.
        keys: Keys of samples; None is all.
        kinds: Kinds of occluder, of which a sample must wear one; none is any.
        split: `train`, `val` or `test`; None is any.
        limit: The most that are wanted; None is all.

    Raises `DatasetError` where a key is of no sample, or nothing is left.
    """
    if split is not None and split not in SPLITS:
        raise DatasetError(f"there is no split {split!r}; the splits are {', '.join(SPLITS)}")
    known_keys, worn, splits = (version.table[name].to_pylist() for name in ("key", "kinds", "split"))
    unknown = sorted(set(keys or ()) - set(known_keys))
    if unknown:
        raise DatasetError(
            f"no sample of {version.root} has the key {unknown[0]!r}", hint=f"`fdgen info {version.root}` lists some"
        )
    kinds_of = {text: set(json.loads(text)) for text in set(worn)}
    known = sorted(set().union(*kinds_of.values()))
    if strange := sorted(set(kinds) - set(known)):
        raise DatasetError(
            f"no sample of {version.root} wears {strange[0]!r}", hint=f"its kinds are {', '.join(known)}"
        )
    fits = {text for text, names in kinds_of.items() if not kinds or not names.isdisjoint(kinds)}
    rows = [
        row
        for row, (key, text, of) in enumerate(zip(known_keys, worn, splits, strict=True))
        if (keys is None or key in keys) and text in fits and split in (None, of)
    ]
    if not rows:
        raise DatasetError(f"no sample of {version.root} is of what was asked for", hint="ask for less at once")
    if limit is not None and len(rows) > limit:
        rows = [rows[place * len(rows) // limit] for place in range(limit)]
    return rows


def saved_page(version: Version, rows: Sequence[int]) -> str:
    """Return the page of some samples as HTML that fetches nothing. It names no path of this machine.

    Raises `DatasetError` where a shard cannot be read.
    """
    found = index(version, None, rows)
    found["commands"]["dataset"] = "FOLDER"
    found["tones"] = False
    names = [name for name in SAVED if name in version.pictures]
    found["datasets"][0]["pictures"] = names
    data: dict[str, Any] = {
        "index": found,
        "pictures": [{name: _data_url(version, row, name) for name in names} for row in rows],
        "records": [sample(version, row) for row in rows],
    }
    return self_contained(data, f"{version.dataset['name']} {version.dataset['version']}")


def _data_url(version: Version, row: int, name: str) -> str:
    if name in AS_JPEG:
        kind, content = "jpeg", jpeg_of(version, row, name)
    else:
        kind, content = "png", version.read(row, [PICTURES[name]])[PICTURES[name]]
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
