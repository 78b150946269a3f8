"""The cache file of the results for each photograph: landmarks, rejects, and other analysis.

Keys are digests of content and versions, so an entry is never wrong, only unused; losing the file costs time alone. The
digests of files are remembered too, by path, with what shows that a file has changed since.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from fdgen.contract.records import Reject
from fdgen.errors import FdError, in_words
from fdgen.faces.file_digests import FileDigest, FileState
from fdgen.faces.landmarks import Landmarks
from fdgen.faces.sources import Source
from fdgen.runtime.cache_dir import cache_folder

_APPLICATION_ID = 0x46444743  # "FDGC": distinguishes our file from another program's
_VERSION = 1
_WAIT_S = 60.0  # for another process that writes
_BATCH = 500  # keys asked for at once; sqlite takes 999 in any build
_PATH = "\0"  # in place of the photograph's path in a stored sentence: the same content may lie elsewhere tomorrow
_SELECT = "SELECT sha256, landmarks, reason, detail FROM faces WHERE detector = ? AND size_px = ? AND sha256 IN "
_SCHEMA = (
    """CREATE TABLE faces (
        sha256 BLOB, detector TEXT, size_px INTEGER, landmarks BLOB, reason TEXT, detail TEXT,
        PRIMARY KEY (sha256, detector, size_px))""",
    """CREATE TABLE blobs (
        sha256 BLOB, size_px INTEGER, name TEXT, version TEXT, data BLOB,
        PRIMARY KEY (sha256, size_px, name, version))""",
)
_FILES = """CREATE TABLE IF NOT EXISTS files (
    path BLOB PRIMARY KEY, size INTEGER, mtime_ns INTEGER, ctime_ns INTEGER, inode BLOB, head BLOB, sha256 BLOB)"""
"""Made where it is missing: a cache that an earlier version began has none, and that version reads one with it."""
_FILES_SELECT = "SELECT path, size, mtime_ns, ctime_ns, inode, head, sha256 FROM files WHERE path IN "


class FaceCache:
    """The cache, opened for reading and writing, made where it is not there yet.

    Several processes may use one file at once, and a process may be killed at any time: what was put before stays. Use
    one object a thread; a pickled one opens the same file again. One that is not `lasting`, for a file that goes with
    its process, never waits for the disk. Raises `FdError` where the file cannot be made, read or
    written, is damaged, or is another program's.
    """

    def __init__(self, path: str | Path, *, lasting: bool = True) -> None:
        self.path = Path(path).expanduser()
        with self._explained():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            if self.path.exists() and not os.access(self.path, os.W_OK):
                raise PermissionError(13, "no right to write")
            self._connection = sqlite3.connect(self.path, timeout=_WAIT_S, isolation_level=None)
            try:
                self._prepare(lasting)
            except BaseException:
                self._connection.close()  # what waits for its locks would wait for whoever holds the error
                raise

    def _prepare(self, lasting: bool) -> None:
        """Make the tables where they are missing."""
        self._connection.execute("PRAGMA page_size = 16384")  # of a new file; small pages stay half empty
        # A kill loses nothing in any mode; NORMAL risks the last entries only when the power fails.
        self._connection.execute(f"PRAGMA synchronous = {'NORMAL' if lasting else 'OFF'}")
        if not self._is_ours():
            with self._writing():
                if not self._is_ours():  # another process may have been faster
                    self._make_tables()
        if not self._connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'files'").fetchone()[0]:
            with self._writing():
                self._connection.execute(_FILES)

    def __reduce__(self) -> tuple[type[FaceCache], tuple[Path]]:
        return FaceCache, (self.path,)

    def __enter__(self) -> FaceCache:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def get(self, source: Source, *, detector: str, size_px: int) -> Landmarks | Reject | None:
        """Return what was found in a photograph, None where nobody has looked."""
        return self.get_many([source], detector=detector, size_px=size_px).get(source.sha256)

    def get_many(self, sources: Sequence[Source], *, detector: str, size_px: int) -> dict[str, Landmarks | Reject]:
        """Return what was found in photographs, by their sha256; those nobody has looked at are missing."""
        found = self.get_packed(sources, detector=detector, size_px=size_px)
        return {key: one if isinstance(one, Reject) else self.unpacked(one) for key, one in found.items()}

    def unpacked(self, data: bytes) -> Landmarks:
        """Return landmarks as `get_packed` gave them; raise `FdError` where they are damaged."""
        with self._explained():
            return Landmarks.from_bytes(data)

    def get_packed(self, sources: Sequence[Source], *, detector: str, size_px: int) -> dict[str, bytes | Reject]:
        """Return what `get_many` does, landmarks as `Landmarks.to_bytes` packs them: ten times as fast."""
        paths = {source.sha256: source.path for source in sources}
        keys = list(paths)
        found: dict[str, bytes | Reject] = {}
        for start in range(0, len(keys), _BATCH):
            batch = [bytes.fromhex(key) for key in keys[start : start + _BATCH]]
            query = _SELECT + f"({', '.join('?' * len(batch))})"
            with self._explained():
                for key, packed, reason, detail in self._connection.execute(query, [detector, size_px, *batch]):
                    sha256 = key.hex()
                    if packed is None:
                        path = paths[sha256]
                        found[sha256] = Reject(path, sha256, 0, reason, detail.replace(_PATH, path))
                    else:
                        found[sha256] = bytes(packed)
        return found

    def put(self, source: Source, found: Landmarks | Reject, *, detector: str, size_px: int) -> None:
        """Remember what was found in a photograph."""
        self.put_many([(source, found)], detector=detector, size_px=size_px)

    def put_many(self, found: Iterable[tuple[Source, Landmarks | Reject]], *, detector: str, size_px: int) -> None:
        """Remember what was found in photographs, all or, where this is killed, none of them."""
        rows = [
            (
                bytes.fromhex(source.sha256),
                detector,
                size_px,
                *(
                    (None, one.reason, one.detail.replace(source.path, _PATH))
                    if isinstance(one, Reject)
                    else (one.to_bytes(), None, None)
                ),
            )
            for source, one in found
        ]
        with self._explained(), self._writing():
            self._connection.executemany("INSERT OR REPLACE INTO faces VALUES (?, ?, ?, ?, ?, ?)", rows)

    def get_blob(self, sha256: str, *, size_px: int, name: str, version: str) -> bytes | None:
        """Return other analysis of a photograph, None where there is none of this version."""
        with self._explained():
            row = self._connection.execute(
                "SELECT data FROM blobs WHERE sha256 = ? AND size_px = ? AND name = ? AND version = ?",
                (bytes.fromhex(sha256), size_px, name, version),
            ).fetchone()
        return None if row is None else bytes(row[0])

    def put_blob(self, sha256: str, data: bytes, *, size_px: int, name: str, version: str) -> None:
        """Remember other analysis of a photograph, in place of what was there by the same key.

        Args:
            sha256: Digest of the photograph, in hex.
            data: The analysis, as bytes.
            size_px: Side of the crop in px.
            name: What was analysed.
            version: Version of what analysed it.

        Raises `FdError` where the file cannot be written.
        """
        self.put_blobs({sha256: data}, size_px=size_px, name=name, version=version)

    def put_blobs(self, blobs: dict[str, bytes], *, size_px: int, name: str, version: str) -> None:
        """Remember other analysis of photographs, by their sha256; one transaction, so far faster than one by one."""
        rows = [(bytes.fromhex(sha256), size_px, name, version, data) for sha256, data in blobs.items()]
        with self._explained(), self._writing():
            self._connection.executemany("INSERT OR REPLACE INTO blobs VALUES (?, ?, ?, ?, ?)", rows)

    def get_digests(self, paths: Sequence[Path]) -> dict[Path, tuple[FileState, FileDigest]]:
        """Return what is remembered of files, by absolute path."""
        keys = {os.fsencode(path): path for path in paths}
        found = {}
        for start in range(0, len(keys), _BATCH):
            batch = list(keys)[start : start + _BATCH]
            query = _FILES_SELECT + f"({', '.join('?' * len(batch))})"
            with self._explained():
                for key, size, mtime_ns, ctime_ns, inode, head, sha256 in self._connection.execute(query, batch):
                    state = FileState(size, mtime_ns, ctime_ns, int.from_bytes(inode, "big"))
                    found[keys[key]] = state, FileDigest(head, sha256.hex())
        return found

    def put_digests(self, found: Mapping[Path, tuple[FileState, FileDigest]]) -> None:
        """Remember files, in place of what was known of them."""
        rows = [
            (
                os.fsencode(path),
                state.size,
                state.mtime_ns,
                state.ctime_ns,
                state.inode.to_bytes(16, "big"),  # that of Windows may have 128 bits, of which sqlite takes 63
                one.head,
                bytes.fromhex(one.sha256),
            )
            for path, (state, one) in found.items()
        ]
        with self._explained(), self._writing():
            self._connection.executemany("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?, ?)", rows)

    def _is_ours(self) -> bool:
        """Return whether the file has our tables, or nothing yet; refuse any other."""
        application_id, version, n_tables = (
            self._connection.execute(query).fetchone()[0]
            for query in ("PRAGMA application_id", "PRAGMA user_version", "SELECT count(*) FROM sqlite_master")
        )
        if (application_id, version, n_tables) == (0, 0, 0):
            return False
        if application_id != _APPLICATION_ID:
            raise FdError(
                f"{self.path} is another program's database, not a cache of faces",
                hint="name another file with --cache or FDGEN_CACHE",
            )
        if version != _VERSION:
            raise FdError(
                f"the cache {self.path} was written by another version of fdgen",
                hint="delete it, or name another file with --cache or FDGEN_CACHE",
            )
        return True

    def _make_tables(self) -> None:
        for statement in _SCHEMA:
            self._connection.execute(statement)
        self._connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
        self._connection.execute(f"PRAGMA user_version = {_VERSION}")

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        # At once: a transaction that begins by reading can be refused when it comes to write.
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        finally:
            if self._connection.in_transaction:  # not where sqlite gave it up itself, the disk being full
                self._connection.execute("ROLLBACK")

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn what sqlite, the disk and damaged entries raise into one sentence."""
        try:
            yield
        except (sqlite3.OperationalError, OSError) as error:
            why = in_words(error) if isinstance(error, OSError) else str(error)
            raise FdError(
                f"the cache {self.path} cannot be used: {why}",
                hint="name a file that can be written with --cache or FDGEN_CACHE",
            ) from error
        except (sqlite3.DatabaseError, ValueError) as error:
            raise FdError(
                f"{self.path} is damaged or is no cache of faces: {error}",
                hint="delete it if it is ours (only time is lost), or name another file with --cache or FDGEN_CACHE",
            ) from error


def default_cache_path() -> Path:
    """Return where the cache lies: the file or folder that FDGEN_CACHE names, else the platform's place for caches."""
    named = os.environ.get("FDGEN_CACHE")
    if named:
        path = Path(named).expanduser()
        return path if path.suffix == ".sqlite" else path / "faces.sqlite"
    return cache_folder() / "faces.sqlite"
