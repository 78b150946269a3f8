"""Parts of one build: each makes every n-th shard, under a lock of its own, next to the others in one folder.

A part and a whole build exclude each other, and so do parts of another number: each takes its own lock before it looks
for the others'. Where two start at the same moment, both may be refused, and never do both go on.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass

from fdgen.errors import DatasetError, RecipeError
from fdgen.io.storage import Place
from fdgen.io.stores.opening import store_of
from fdgen.io.stores.store import OutputStore

MOST_PARTS = 100_000
"""A scheduler's array has fewer tasks; more is a slip of the pen."""

RECORD_S = 60.0
"""Seconds for which a part waits for its turn to write dataset.json: each turn takes milliseconds."""

_RECORD_LOCK = ".fdgen.record.lock"
_LOCK = re.compile(r"\.fdgen\.part-(\d{1,6})-of-(\d{1,6})\.lock")


@dataclass(frozen=True, slots=True)
class Part:
    """Part `index` of `of`: it makes the shards whose number in the plan leaves `index` when divided by `of`."""

    index: int
    of: int

    def __post_init__(self) -> None:
        if not 1 <= self.of <= MOST_PARTS or not 0 <= self.index < self.of:
            raise RecipeError(
                f"a part is I/N with I from 0 to N - 1 and N up to {MOST_PARTS:,}, got {self.index}/{self.of}"
            )

    @classmethod
    def parse(cls, text: str) -> Part:
        """Read what a user writes; raise `RecipeError`.

        >>> str(Part.parse("3/8"))
        '3/8'
        """
        match = re.fullmatch(r"(\d{1,9})/(\d{1,9})", text)
        if match is None:
            raise RecipeError(f"a part is I/N, as in 3/8, got {text!r}")
        return cls(int(match[1]), int(match[2]))

    def __str__(self) -> str:
        return f"{self.index}/{self.of}"

    def owns(self, number: int) -> bool:
        """Return whether a shard, by its number in the plan, is made by this part."""
        return number % self.of == self.index

    @property
    def lock_name(self) -> str:
        """Name of its lock file."""
        return f".fdgen.part-{self.index}-of-{self.of}.lock"


@contextlib.contextmanager
def build_lock(out: Place, part: Part | None) -> Iterator[None]:
    """Hold `out` for a part, or for a whole build; raise `DatasetError` where another excludes it."""
    store = store_of(out)
    if part is None:
        with store.held():
            _refuse_parts(store, None)
            for name in _part_locks(store):  # of killed parts
                store.forget_lock(name)
            yield
        return
    with store.held(part.lock_name, f"another process is building part {part} in"):
        if store.is_held():
            raise DatasetError(
                f"a build of the whole is writing to {out}, and part {part} would make its shards too",
                hint="wait until it ends: it makes all shards that are missing",
            )
        _refuse_parts(store, part)
        yield


@contextlib.contextmanager
def record_lock(out: Place) -> Iterator[None]:
    """Hold, for a moment, the right to read dataset.json and write it again: parts take turns."""
    busy = "another part keeps hold of dataset.json in"
    with store_of(out).held(_RECORD_LOCK, busy, patience_s=RECORD_S):
        yield


def other_part_at_work(out: Place, part: Part) -> bool:
    """Return whether a process holds the lock of another part in `out`."""
    store = store_of(out)
    own = (part.lock_name, _RECORD_LOCK)
    return any(name not in own and store.is_held(name) for name in _part_locks(store))


def is_part_lock(name: str) -> bool:
    """Return whether a lock is that of a part, or of the record that parts share, by its name."""
    return name == _RECORD_LOCK or _LOCK.fullmatch(name) is not None


def _refuse_parts(store: OutputStore, part: Part | None) -> None:
    """Raise `DatasetError` where a part is at work that `part`, or the whole where it is None, cannot be next to."""
    for name in _part_locks(store):
        match = _LOCK.fullmatch(name)
        if match is None or (part is not None and int(match[2]) == part.of) or not store.is_held(name):
            continue
        there = f"{match[1]}/{match[2]}"
        if part is None:
            raise DatasetError(
                f"part {there} is being built in {store.root}",
                hint=f"wait until all parts have ended; {store.if_left_behind(name)}",
            )
        raise DatasetError(
            f"part {there} is being built in {store.root}, and part {part} is of another number of parts",
            hint="give every part the same N; once all have ended, another N may be used",
        )


def _part_locks(store: OutputStore) -> list[str]:
    return sorted({lock for name in store.names() if (lock := store.lock_of(name)) is not None and is_part_lock(lock)})
