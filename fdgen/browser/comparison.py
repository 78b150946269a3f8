"""Two versions of a dataset on one page: each sample of the newer one, those that went, and what became of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa

from fdgen.browser.version import Version, columns_of
from fdgen.io.storage import local_folder
from fdgen.versions.difference import REASONS, Difference, Names, diff


@dataclass(frozen=True)
class Comparison:
    """What differs: `columns` of all rows of the page, and a `summary` of settings, occluders and photographs."""

    columns: Mapping[str, Any]
    summary: Mapping[str, Any]


def compare(before: Version, after: Version) -> Comparison:
    """Compare two versions, both in folders; raise `DatasetError` where one is behind a URL, or damaged.

    The rows are those of `after`, then the samples that only `before` has. `row` is the place of a sample in the
    version that it is shown from, `before` its place in the older one, -1 where it has none; `gone` marks those that
    the newer one has not.
    """
    found = diff(local_folder(before.root), local_folder(after.root))
    changes = {one.key: one for one in found.samples}
    place = {key: number for number, key in enumerate(before.table["key"].to_pylist())}
    gone = [one.key for one in found.samples if one.change == "removed"]
    keys = [*after.table["key"].to_pylist(), *gone]
    of_each = [changes.get(key) for key in keys]
    old = [place.get(key if one is None else one.before or key, -1) for key, one in zip(keys, of_each, strict=True)]
    shared = [name for name in after.table.column_names if name in before.table.column_names]
    of_gone = before.table.select(shared).take(pa.array(old[len(after) :], pa.int64()))
    rows = pa.concat_tables([after.table.select(shared), of_gone])
    columns = {
        **columns_of(rows),
        "row": [*range(len(after)), *old[len(after) :]],
        "before": old,
        "gone": [0] * len(after) + [1] * len(gone),
        "change": _coded(["same" if one is None else one.change for one in of_each]),
        "reasons": _coded(["" if one is None else " + ".join(one.reasons) for one in of_each]),
        "members": _coded(["" if one is None else ", ".join(one.members) for one in of_each]),
    }
    return Comparison(columns, _summary(found))


def _summary(found: Difference) -> dict[str, Any]:
    return {
        "same": found.same,
        "counts": found.counts(),
        "why": found.why(),
        "meaning": dict(REASONS),
        "fields": [asdict(one) for one in found.fields],
        "assets": _names(found.assets),
        "sources": _names(found.sources),
    }


def _names(found: Names) -> dict[str, list[Any]]:
    return {what: list(listed) for what, listed in asdict(found).items() if listed}


def _coded(texts: list[str]) -> dict[str, Any]:
    names = list(dict.fromkeys(texts))
    code = {name: number for number, name in enumerate(names)}
    return {"names": names, "codes": [code[text] for text in texts]}
