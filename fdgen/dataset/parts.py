"""Parts of one build: each makes every n-th shard, under a lock of its own, next to the others in one folder.

A part and a whole build exclude each other, and so do parts of another number: each takes its own lock before it looks
for the others'. Where two start at the same moment, both may be refused, and never do both go on.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fdgen.errors import DatasetError, RecipeError
from fdgen.io.atomic import naming, remove
from fdgen.io.lock import folder_lock, is_locked

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
        """Tell whether a shard, by its number in the plan, is made by this part."""
        return number % self.of == self.index

    @property
    def lock_name(self) -> str:
        """Name of its lock file."""
        return f".fdgen.part-{self.index}-of-{self.of}.lock"


@contextlib.contextmanager
def build_lock(out: Path, part: Part | None) -> Iterator[None]:
    """Hold `out` for a part, or for a whole build; raise `DatasetError` where another excludes it."""
    if part is None:
        with folder_lock(out):
            _refuse_parts(out, None)
            for path in _lock_files(out):  # of killed parts
                remove(path)
            yield
        return
    with folder_lock(out, name=part.lock_name, busy=f"another process is building part {part} in"):
        if is_locked(out):
            raise DatasetError(
                f"a build of the whole is writing to {out}, and part {part} would make its shards too",
                hint="wait until it ends: it makes all shards that are missing",
            )
        _refuse_parts(out, part)
        yield


@contextlib.contextmanager
def record_lock(out: Path) -> Iterator[None]:
    """Hold, for a moment, the right to read dataset.json and write it anew: parts take turns."""
    with folder_lock(out, name=_RECORD_LOCK, busy="another part keeps hold of dataset.json in", patience_s=RECORD_S):
        yield


def other_part_at_work(out: Path, part: Part) -> bool:
    """Tell whether a process holds the lock of another part in `out`."""
    others = (path for path in _lock_files(out) if path.name not in (part.lock_name, _RECORD_LOCK))
    return any(is_locked(out, name=path.name) for path in others)


def is_part_lock(path: Path) -> bool:
    """Tell whether a file is the lock of a part, or of the record that parts share, by its name."""
    return path.name == _RECORD_LOCK or _LOCK.fullmatch(path.name) is not None


def _refuse_parts(out: Path, part: Part | None) -> None:
    """Raise `DatasetError` where a part is at work that `part`, or the whole where it is None, cannot be next to."""
    for path in _lock_files(out):
        match = _LOCK.fullmatch(path.name)
        if match is None or (part is not None and int(match[2]) == part.of) or not is_locked(out, name=path.name):
            continue
        there = f"{match[1]}/{match[2]}"
        if part is None:
            raise DatasetError(
                f"part {there} is being built in {out}",
                hint=f"wait until all parts have ended; if none is running, delete {path}",
            )
        raise DatasetError(
            f"part {there} is being built in {out}, and part {part} is of another number of parts",
            hint="give every part the same N; once all have ended, another N may be used",
        )


def _lock_files(out: Path) -> list[Path]:
    with naming(out):
        return sorted(path for path in out.iterdir() if is_part_lock(path))
