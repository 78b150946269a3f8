"""Digests of files: several files are read at once, and the digests of unchanged files are remembered.

A folder of faces may hold 100 GB, and a sample depends on the content of its photograph: each is read whole once, not
by every command.
"""

from __future__ import annotations

import concurrent.futures
import hashlib
import itertools
import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

HEAD_BYTES = 16
"""First bytes that are kept of each file, to decide what it is."""

_PIECE = 1 << 20
_READERS = 4  # files read at once: enough for a fast disk to be busy, not so many that a slow one only seeks
_BATCH = 256  # files between two writes to the memory: what an interrupt loses
_SETTLED_NS = 2_000_000_000
"""A file that changed so shortly before it was read may change again at the same time by the disk's clock, which on FAT
goes by two seconds."""


@dataclass(frozen=True, slots=True)
class FileState:
    """What a change of a file's content changes, even where the time of its change is set back: `ctime_ns` is not."""

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int

    @classmethod
    def of(cls, path: Path) -> FileState:
        """Look at a file; raise `OSError`."""
        status = path.stat()
        return cls(status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)


@dataclass(frozen=True, slots=True)
class FileDigest:
    """The first bytes of a file, and the sha256 of all of it: `""` where it is larger than was asked for."""

    head: bytes
    sha256: str


class DigestMemory(Protocol):
    """Remembers digests by path; `fdgen.faces.cache.FaceCache` is one."""

    def get_digests(self, paths: Sequence[Path]) -> Mapping[Path, tuple[FileState, FileDigest]]:
        """Return what is remembered of these files."""

    def put_digests(self, found: Mapping[Path, tuple[FileState, FileDigest]]) -> None:
        """Remember files, in place of what was known of them."""


def digest_files(
    paths: Iterable[Path], memory: DigestMemory | None = None, *, most_bytes: int
) -> Iterator[FileDigest | OSError]:
    """Yield the digest of each file in turn, or why it cannot be read. Files are absolute paths.

    What `memory` knows of a file whose size, times and inode are as they were is trusted; the rest is read, no further
    than `most_bytes`.
    """
    with concurrent.futures.ThreadPoolExecutor(_READERS) as readers:
        try:
            remaining = iter(paths)
            while batch := list(itertools.islice(remaining, _BATCH)):
                known = {} if memory is None else memory.get_digests(batch)
                waiting = [readers.submit(_digest, path, known.get(path), most_bytes) for path in batch]
                learnt = {}
                for path, future in zip(batch, waiting, strict=True):
                    state, found = future.result()
                    if state is not None and isinstance(found, FileDigest):
                        learnt[path] = state, found
                    yield found
                if memory is not None and learnt:
                    memory.put_digests(learnt)
        finally:
            readers.shutdown(cancel_futures=True)


def _digest(
    path: Path, known: tuple[FileState, FileDigest] | None, most_bytes: int
) -> tuple[FileState | None, FileDigest | OSError]:
    """Return the digest of a file or why there is none, with its state where that is worth remembering."""
    try:
        return _digest_now(path, known, most_bytes)
    except OSError as error:
        return None, error


def _digest_now(
    path: Path, known: tuple[FileState, FileDigest] | None, most_bytes: int
) -> tuple[FileState | None, FileDigest]:
    before = FileState.of(path)
    if known is not None and known[0] == before and len(known[1].head) == min(HEAD_BYTES, before.size):
        return None, known[1]
    started_ns = time.time_ns()
    with path.open("rb") as file:
        head = file.read(_PIECE)
        digest, size = hashlib.sha256(head), len(head)
        while size <= most_bytes and (piece := file.read(_PIECE)):
            digest.update(piece)
            size += len(piece)
        after = os.fstat(file.fileno())
    whole = size <= most_bytes
    found = FileDigest(head[:HEAD_BYTES], digest.hexdigest() if whole else "")
    settled = max(before.mtime_ns, before.ctime_ns) < started_ns - _SETTLED_NS
    same = (after.st_size, after.st_mtime_ns, after.st_ino) == (before.size, before.mtime_ns, before.inode)
    return before if whole and settled and same and size == before.size else None, found
