"""Photographs that are objects behind a URL, or files of a folder: each is asked for by itself, several at once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from fdgen.errors import in_words
from fdgen.faces.file_digests import HEAD_BYTES, DigestMemory, FileDigest, FileState
from fdgen.faces.sources import MAX_BYTES, Source
from fdgen.faces.streamed.holdings import Held
from fdgen.io.storage import Place, read_file

_READERS = 16  # a request waits for a tenth of a second, and works for none
_BATCH = 256  # objects between two writes to the memory: what an interrupt loses

_VERSION = ("ETag", "etag", "md5Hash", "content_md5", "blob_id", "LastModified", "last_modified", "mtime", "created")
"""What servers say of an object that is another one once its content is."""


class Objects:
    """Objects below `root`, by their names. `memory` spares those that have not changed since an earlier listing."""

    kind = "folder"

    def __init__(self, root: Place, files: Sequence[tuple[str, dict[str, Any]]], memory: DigestMemory | None) -> None:
        self._root, self._files, self._memory = root, files, memory

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_files": (), "_memory": None}

    def __len__(self) -> int:
        return len(self._files)

    def listed(self) -> Iterator[tuple[int, Held]]:
        """Yield the digest of each object, read or remembered."""
        with ThreadPoolExecutor(_READERS) as readers:
            try:
                for start in range(0, len(self._files), _BATCH):
                    batch = self._files[start : start + _BATCH]
                    yield from enumerate(self._batch(batch, readers), start + 1)
            finally:
                readers.shutdown(cancel_futures=True)

    def fetch(self, source: Source) -> bytes:
        """Return what an object holds."""
        return read_file(self._root / source.path, most_bytes=MAX_BYTES)

    def _batch(self, batch: Sequence[tuple[str, dict[str, Any]]], readers: ThreadPoolExecutor) -> Iterator[Held]:
        keys = [Path(f"{self._root}/{name}") for name, _ in batch]
        states = [_state(info) for _, info in batch]
        known = {} if self._memory is None else self._memory.get_digests(keys)
        waiting = {
            name: readers.submit(self._read, name)
            for (name, info), key, state in zip(batch, keys, states, strict=True)
            if state is None or key not in known or known[key][0] != state
        }
        learnt = {}
        for (name, _), key, state in zip(batch, keys, states, strict=True):
            held = waiting[name].result() if name in waiting else Held(name, known[key][1])
            if name in waiting and state is not None and held.digest is not None and held.digest.sha256:
                learnt[key] = state, held.digest
            yield held
        if self._memory is not None and learnt:
            self._memory.put_digests(learnt)

    def _read(self, name: str) -> Held:
        try:
            data = read_file(self._root / name, most_bytes=MAX_BYTES)
        except OSError as error:
            return Held(name, None, fault=f"it cannot be read: {in_words(error)}")
        return Held(name, FileDigest(data[:HEAD_BYTES], hashlib.sha256(data).hexdigest()))


def _state(info: dict[str, Any]) -> FileState | None:
    """Return what changes with an object's content; None where its server says no such thing."""
    said = {name: str(info[name]) for name in _VERSION if info.get(name)}
    if not said:
        return None
    digest = hashlib.sha256(repr(sorted(said.items())).encode()).digest()
    numbers = (int.from_bytes(digest[start : start + 7], "big") for start in (0, 7, 14))
    return FileState(int(info.get("size") or 0), *numbers)
