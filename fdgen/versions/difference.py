"""The differences of two versions of a dataset, and the reason for each changed sample.

Samples are matched by key, which is of the photograph's content and the variant; those left over by the photograph's
path and the variant, so that a photograph that was replaced is one change and not a loss and a gain.
"""

from __future__ import annotations

import functools
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow.compute as pc

from fdgen.contract.records import MEMBERS
from fdgen.dataset.spec import flat
from fdgen.io.storage import Place
from fdgen.versions.lock_tables import DIGESTS
from fdgen.versions.snapshot import Snapshot

REASONS: Mapping[str, str] = {
    "source": "its photograph has other bytes",
    "size": "the recipe asks for another size",
    "landmarks": "its landmarks differ",
    "generator": "another version of the generator made it",
    "asset": "an occluder that it wears was altered",
    "kinds": "it wears other kinds of occluder",
    "occluder": "it wears another occluder of the same kind",
    "placement": "the same occluder is placed otherwise",
    "split": "it stands in another split",
    "renamed": "its photograph is called otherwise",
    "record": "its pictures are the same, what is recorded of them is not",
    "library": "versions of libraries, the platform or the processor differ, and nothing else does",
    "unexplained": "nothing that is recorded explains it",
    "order": "others before it came or went, or shards are of another size",
    "not taken": "other faces and variants were taken",
    "not made": "it was rejected or not taken; a card does not say which",
}
"""Why a sample changed; `rejected: CODE` says which law of the recipe it broke."""

PIXEL_LIBRARIES = (
    "python",
    "numpy",
    "opencv-python",
    "ai-edge-litert",
    "mediapipe",
    "numba",
    "zlib-ng",
    "platform",
    "numpy kernels",
)
"""What of the environment may change pixels, or the bytes of their files; the others are only reported."""


def other_libraries(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Return the names of what may change pixels and is not the same in two environments.

    What older versions did not record yet is not known to differ.
    """
    both = [name for name in PIXEL_LIBRARIES if name in before and name in after]
    return [name for name in both if before[name] != after[name]]


@dataclass(frozen=True, slots=True)
class FieldChange:
    """A field of what was asked, or of what it was made with; None where it is not set."""

    name: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class SampleChange:
    """One sample that is not the same: `changed`, `moved` to another shard, `added` or `removed`.

    `key` is that of the newer version, `before` the older one's where it differs; `members` are those that differ.
    """

    key: str
    change: str
    reasons: tuple[str, ...]
    members: tuple[str, ...] = ()
    before: str | None = None
    source: str = ""


@dataclass(frozen=True, slots=True)
class Names:
    """What was added, removed, changed or renamed of a set of named things. `known` is of photographs: their bytes
    are the same, identity, official split or attributes are not.
    """

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    renamed: tuple[tuple[str, str], ...] = ()
    known: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed or self.renamed or self.known)


@dataclass(frozen=True)
class Difference:
    """All that differs between two snapshots. `samples` follow the newer one's order, the removed ones last."""

    before: Snapshot
    after: Snapshot
    fields: Sequence[FieldChange]
    assets: Names
    sources: Names
    samples: Sequence[SampleChange] = field(repr=False)

    @property
    def same(self) -> bool:
        """Return whether both hold the same content, asked for in the same way: whether both ids are equal."""
        return all(self.before.facts[name] == self.after.facts[name] for name in ("spec_id", "content_id"))

    def counts(self) -> dict[str, int]:
        """Return how many samples are the same, changed, moved, added and removed."""
        counted = Counter(one.change for one in self.samples)
        same = len(self.after.samples) - counted["changed"] - counted["moved"] - counted["added"]
        return {"same": same, **{name: counted[name] for name in ("changed", "moved", "added", "removed")}}

    def why(self) -> dict[str, dict[str, int]]:
        """Return, for each change, how many samples have which reasons, the most frequent first."""
        found: dict[str, Counter[str]] = {}
        for one in self.samples:
            found.setdefault(one.change, Counter())[" + ".join(one.reasons) or "-"] += 1
        return {change: dict(reasons.most_common()) for change, reasons in found.items()}


def diff(before: str | Place | Snapshot, after: str | Place | Snapshot) -> Difference:
    """Compare two datasets, two cards, or one of each; raise `DatasetError` where one cannot be opened."""
    a, b = (one if isinstance(one, Snapshot) else Snapshot.open(one) for one in (before, after))
    sources = _sources(a, b)
    return Difference(a, b, _fields(a, b), _assets(a, b), sources, _samples(a, b, sources))


def _fields(a: Snapshot, b: Snapshot) -> list[FieldChange]:
    before, after = flat(a.recipe, "recipe."), flat(b.recipe, "recipe.")
    for name in ("schema", "count", "landmarks", "generator", "codec"):
        before[name], after[name] = a.facts.get(name), b.facts.get(name)
    before |= flat(a.facts["environment"], "environment.")
    after |= flat(b.facts["environment"], "environment.")
    names = sorted(before.keys() | after.keys(), key=lambda name: (name.startswith("environment."), name))
    return [
        FieldChange(name, before.get(name), after.get(name)) for name in names if before.get(name) != after.get(name)
    ]


def _assets(a: Snapshot, b: Snapshot) -> Names:
    return changed_names(a.facts["assets"], b.facts["assets"])


def _sources(a: Snapshot, b: Snapshot) -> Names:
    if all(a.facts["sources"].get(name) == b.facts["sources"].get(name) for name in ("count", "digest")):
        return Names()
    return source_names(a.sources(), b.sources())


def source_names(before: Mapping[str, tuple[str, str]], after: Mapping[str, tuple[str, str]]) -> Names:
    """Compare photographs: by path, the start of the digest of their bytes and of what is known of them."""
    names = changed_names({path: row[0] for path, row in before.items()}, {path: row[0] for path, row in after.items()})
    gone = {before[path][0]: path for path in names.removed}
    renamed = [(gone[after[path][0]], path) for path in names.added if after[path][0] in gone]
    old, new = {pair[0] for pair in renamed}, {pair[1] for pair in renamed}
    common = sorted(before.keys() & after.keys())
    return Names(
        added=tuple(path for path in names.added if path not in new),
        removed=tuple(path for path in names.removed if path not in old),
        changed=names.changed,
        renamed=tuple(renamed),
        known=tuple(p for p in common if before[p][0] == after[p][0] and before[p][1] != after[p][1]),
    )


def changed_names(before: Mapping[str, str], after: Mapping[str, str]) -> Names:
    """Compare named things by their digests."""
    return Names(
        added=tuple(sorted(after.keys() - before.keys())),
        removed=tuple(sorted(before.keys() - after.keys())),
        changed=tuple(sorted(name for name in before.keys() & after.keys() if before[name] != after[name])),
    )


def _samples(a: Snapshot, b: Snapshot, sources: Names) -> list[SampleChange]:
    place_in_a = pc.index_in(b.samples["key"], a.samples["key"])
    common = pc.is_valid(place_in_a)
    rows_a, rows_b = a.samples.take(place_in_a.filter(common)), b.samples.filter(common)
    # In arrow from one end to the other: an array made of Python's or numpy's would import pandas, which takes longer.
    differ = {name: pc.not_equal(rows_a[name], rows_b[name]) for name in (*DIGESTS, "shard")}
    touched = functools.reduce(pc.or_, differ.values())
    old, new = (rows.filter(touched).to_pylist() for rows in (rows_a, rows_b))
    flags = zip(*(differ[name].filter(touched).to_pylist() for name in DIGESTS), strict=True)
    changes = [(before, after, members) for before, after, members in zip(old, new, flags, strict=True)]
    why = _Why(a, b, [after for _, after, members in changes if any(members)])
    found = {after["key"]: why.change(before, after, members) for before, after, members in changes}
    found |= _unmatched(a, b, sources)
    order = {key: place for place, key in enumerate(b.samples["key"].to_pylist())}
    return sorted(found.values(), key=lambda one: (one.change == "removed", order.get(one.key, 0), one.key))


class _Why:
    """Finds why the samples of both snapshots differ; looks up placements and landmarks of those alone."""

    def __init__(self, a: Snapshot, b: Snapshot, changed: Sequence[Mapping[str, Any]]) -> None:
        used = {row["source_sha256"] for row in changed}
        both = a.is_dataset and b.is_dataset
        self.placements = [one.placements(digested=not both) if used else {} for one in (a, b)]
        known = both and a.landmarks_file == b.landmarks_file  # then so is every row of it
        self.landmarks = [one.landmarks(used) if used and not known else {} for one in (a, b)]
        self.resized = a.recipe.get("size_px") != b.recipe.get("size_px")
        self.generator = a.facts["generator"] != b.facts["generator"]
        self.altered = set(_assets(a, b).changed)
        self.library = bool(other_libraries(a.facts["environment"], b.facts["environment"]))

    def change(self, before: Mapping[str, Any], after: Mapping[str, Any], differ: Sequence[bool]) -> SampleChange:
        """Return what became of a sample, given both rows and which members differ."""
        key, source = after["key"], after["source"]
        members = tuple(member for member, one in zip(MEMBERS, differ, strict=True) if one)
        if not members:
            return SampleChange(key, "moved", ("order",), source=source)
        return SampleChange(key, "changed", tuple(self._reasons(before, after, members)), members, source=source)

    def _reasons(self, before: Mapping[str, Any], after: Mapping[str, Any], members: Sequence[str]) -> list[str]:
        key, sha256 = after["key"], after["source_sha256"]
        landmarks = [known.get(sha256) for known in self.landmarks]
        placements = [known.get(key) for known in self.placements]
        reasons = []
        if self.resized:
            reasons.append("size")
        elif landmarks[0] != landmarks[1]:
            reasons.append("landmarks")
        if self.generator:
            reasons.append("generator")
        if self.altered and self.altered.intersection(json.loads(after["asset_ids"])):
            reasons.append("asset")
        for name, column in (("kinds", "kinds"), ("occluder", "asset_ids")):
            if before[column] != after[column]:
                reasons.append(name)
                break
        else:
            if placements[0] != placements[1]:
                reasons.append("placement")
        if reasons:
            return reasons
        if members == ("json",):
            words = [
                name for name, column in (("split", "split"), ("renamed", "source")) if before[column] != after[column]
            ]
            return words or ["record"]
        return ["library"] if self.library else ["unexplained"]


def _unmatched(a: Snapshot, b: Snapshot, sources: Names) -> dict[str, SampleChange]:
    """Return the samples that only one snapshot has, those of a replaced photograph as one change."""
    only_a, only_b = (
        one.samples.filter(pc.invert(pc.is_in(one.samples["key"], other.samples["key"]))).to_pylist()
        for one, other in ((a, b), (b, a))
    )
    replaced = set(sources.changed)
    waiting = {(row["source"], _variant(row)): row for row in only_a if row["source"] in replaced}
    found, taken = {}, set()
    for row in only_b:
        before = waiting.get((row["source"], _variant(row)))
        if before is not None:
            taken.add(before["key"])
            members = tuple(member for member, name in zip(MEMBERS, DIGESTS, strict=True) if before[name] != row[name])
            change = SampleChange(row["key"], "changed", ("source",), members, before["key"], row["source"])
            found[row["key"]] = change
    for change_name, rows, there, novel in (
        ("added", [row for row in only_b if row["key"] not in found], a, {*sources.added, *sources.changed}),
        ("removed", [row for row in only_a if row["key"] not in taken], b, {*sources.removed, *sources.changed}),
    ):
        rejected = there.reasons() if rows else {}
        unknown = "not taken" if there.is_dataset else "not made"
        for row in rows:
            code = rejected.get((row["source_sha256"], _variant(row)))
            reason = f"rejected: {code}" if code else unknown
            reason = "source" if row["source"] in novel else reason
            found[row["key"]] = SampleChange(row["key"], change_name, (reason,), source=row["source"])
    return found


def _variant(row: Mapping[str, Any]) -> int:
    return int(row["key"].rpartition("-")[2])
