"""Digests of files are remembered while the files stay as they are, and no longer."""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
from pathlib import Path

import pytest

from fdgen.faces import file_digests
from fdgen.faces.cache import FaceCache
from fdgen.faces.file_digests import FileDigest, digest_files
from fdgen.faces.folders import SAMPLES, FolderFaces

MOST_BYTES = 1000
TAMPERED = "ab" * 32


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take files that were written a moment ago for ones that nobody is writing."""
    monkeypatch.setattr(file_digests, "_SETTLED_NS", 0)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a.jpg"
    path.write_bytes(b"first content of it")
    return path


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "faces.sqlite"


def digest(path: Path, cache: Path) -> str:
    """Return the digest of one file, by the memory that the cache has."""
    with FaceCache(cache) as memory:
        (found,) = digest_files([path], memory, most_bytes=MOST_BYTES)
    assert isinstance(found, FileDigest)
    return found.sha256


def tamper(cache: Path) -> int:
    """Let the cache remember another digest for every file: what is not read shows it. Returns how many there are."""
    with contextlib.closing(sqlite3.connect(cache)) as connection, connection:
        return connection.execute("UPDATE files SET sha256 = ?", (bytes.fromhex(TAMPERED),)).rowcount


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.usefixtures("settled")
def test_a_file_that_stays_as_it_is_is_read_once(file: Path, cache: Path) -> None:
    assert digest(file, cache) == sha256(file)
    assert tamper(cache) == 1
    assert digest(file, cache) == TAMPERED


def rewrite(path: Path) -> None:
    """Write other bytes of the same number, and set the time back."""
    before = path.stat()
    path.write_bytes(path.read_bytes()[::-1])
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def replace(path: Path) -> None:
    """Put another file of the same size and time in its place."""
    before = path.stat()
    other = path.with_name("other")
    other.write_bytes(path.read_bytes()[::-1])
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.replace(path)


def lengthen(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


def touch(path: Path) -> None:
    os.utime(path, ns=(0, 0))


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize("change", [rewrite, replace, lengthen, touch])
def test_a_file_that_changed_is_read_again(change: object, file: Path, cache: Path) -> None:
    digest(file, cache)
    tamper(cache)
    assert callable(change)
    change(file)
    assert digest(file, cache) == sha256(file)
    tamper(cache)
    assert digest(file, cache) == TAMPERED


def test_a_file_of_this_very_moment_is_not_remembered(file: Path, cache: Path) -> None:
    """It may change again at the same time by the disk's clock, and nothing would show it."""
    digest(file, cache)
    assert tamper(cache) == 0


@pytest.mark.usefixtures("settled")
def test_what_cannot_be_read_or_is_too_large_is_told_of_and_not_remembered(tmp_path: Path, cache: Path) -> None:
    (tmp_path / "empty").touch()
    (tmp_path / "large").write_bytes(bytes(MOST_BYTES + 1))
    (tmp_path / "folder").mkdir()
    names = ["large", "missing", "empty", "folder"]
    with FaceCache(cache) as memory:
        large, missing, empty, folder = digest_files([tmp_path / name for name in names], memory, most_bytes=MOST_BYTES)
    assert large == FileDigest(bytes(16), "")
    assert isinstance(missing, FileNotFoundError)
    assert isinstance(folder, OSError)
    assert empty == FileDigest(b"", hashlib.sha256().hexdigest())
    assert tamper(cache) == 1


@pytest.mark.usefixtures("settled")
def test_what_was_read_before_an_interrupt_is_remembered(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_digests, "_BATCH", 2)
    paths = [tmp_path / f"{number}.jpg" for number in range(9)]
    for number, path in enumerate(paths):
        path.write_bytes(b"%d" % number)
    with FaceCache(cache) as memory:
        reading = digest_files(paths, memory, most_bytes=MOST_BYTES)
        for _ in range(5):
            next(reading)
        reading.close()
        assert tamper(cache) == 4
        found = list(digest_files(paths, memory, most_bytes=MOST_BYTES))
    assert [isinstance(one, FileDigest) and one.sha256 for one in found] == [
        TAMPERED if number < 4 else sha256(path) for number, path in enumerate(paths)
    ]


@pytest.mark.usefixtures("settled")
def test_a_cache_of_an_earlier_version_learns_to_remember_files(file: Path, cache: Path) -> None:
    FaceCache(cache).close()
    with contextlib.closing(sqlite3.connect(cache)) as connection, connection:
        connection.execute("DROP TABLE files")
    digest(file, cache)
    assert tamper(cache) == 1


@pytest.mark.usefixtures("settled")
def test_a_folder_of_faces_is_listed_alike_with_and_without_memory(tmp_path: Path, cache: Path) -> None:
    folder = tmp_path / "faces"
    folder.mkdir()
    picture = (SAMPLES / "grace_hopper.jpg").read_bytes()
    for name, data in {
        "a.jpg": picture,
        "b.jpg": picture,
        "c.jpg": b"",
        "d.jpg": b"words",
        "e.jpg": picture[:-1],
    }.items():
        (folder / name).write_bytes(data)
    plain = FolderFaces(folder)
    with FaceCache(cache) as memory:
        for _ in range(2):
            faces = FolderFaces(folder, memory)
            seen: list[tuple[int, int]] = []
            assert faces.sources(lambda done, of, seen=seen: seen.append((done, of))) == plain.sources()
            assert faces.rejects() == plain.rejects()
            assert seen == [(done, 5) for done in range(1, 6)]
    assert tamper(cache) == 5
