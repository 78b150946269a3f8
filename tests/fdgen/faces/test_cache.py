"""The cache: what was put is there, whoever else writes and whenever we die; what is broken says so."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import sqlite3
import sys
from pathlib import Path

import numpy as np
import pytest

from fdgen.contract.records import Reject
from fdgen.errors import FdError
from fdgen.faces.cache import FaceCache, default_cache_path
from fdgen.faces.landmarks import N_POINTS, Landmarks
from fdgen.faces.sources import Source


def _source(number: int) -> Source:
    return Source(f"people/{number}.jpg", f"{number:064x}")


def _landmarks(number: int) -> Landmarks:
    rng = np.random.default_rng(number)
    return Landmarks.rounded(rng.normal(128, 60, (N_POINTS, 3)), np.eye(2, 3), 256)


def test_what_was_put_is_found_again_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "faces.sqlite"
    with FaceCache(path) as cache:
        cache.put(_source(1), _landmarks(1), detector="d", size_px=256)
    with FaceCache(path) as cache:
        found = cache.get(_source(1), detector="d", size_px=256)
        assert isinstance(found, Landmarks)
        assert found.digest() == _landmarks(1).digest()
        assert cache.get(_source(2), detector="d", size_px=256) is None
        assert cache.get(_source(1), detector="d", size_px=128) is None
        assert cache.get(_source(1), detector="another", size_px=256) is None


def test_a_reject_is_remembered_and_told_of_the_path_that_the_photograph_has_now(tmp_path: Path) -> None:
    reject = Reject("people/1.jpg", _source(1).sha256, 0, "no-face", "no face was found in people/1.jpg")
    with FaceCache(tmp_path / "faces.sqlite") as cache:
        cache.put(_source(1), reject, detector="d", size_px=256)
        assert cache.get(_source(1), detector="d", size_px=256) == reject
        moved = cache.get(Source("b.jpg", _source(1).sha256), detector="d", size_px=256)
    assert moved == Reject("b.jpg", _source(1).sha256, 0, "no-face", "no face was found in b.jpg")


def test_thousands_are_asked_for_at_once(tmp_path: Path) -> None:
    packed = _landmarks(0)
    with FaceCache(tmp_path / "faces.sqlite") as cache:
        cache.put_many([(_source(n), packed) for n in range(1300)], detector="d", size_px=256)
        found = cache.get_many([_source(n) for n in range(650, 2000)], detector="d", size_px=256)
    assert set(found) == {_source(n).sha256 for n in range(650, 1300)}


def test_blobs_are_kept_by_name_version_and_size(tmp_path: Path) -> None:
    key = _source(1).sha256
    with FaceCache(tmp_path / "faces.sqlite") as cache:
        cache.put_blob(key, b"light", size_px=256, name="light", version="1")
        cache.put_blobs({key: b"depth", _source(2).sha256: b"more"}, size_px=256, name="depth", version="1")
        cache.put_blob(key, b"new light", size_px=256, name="light", version="1")
        assert cache.get_blob(key, size_px=256, name="light", version="1") == b"new light"
        assert cache.get_blob(key, size_px=256, name="depth", version="1") == b"depth"
        for other in ({"size_px": 64}, {"name": "skin"}, {"version": "2"}):
            asked = {"size_px": 256, "name": "light", "version": "1", **other}
            assert cache.get_blob(key, **asked) is None  # type: ignore[arg-type]


def test_a_pickled_cache_opens_the_same_file(tmp_path: Path) -> None:
    with FaceCache(tmp_path / "faces.sqlite") as cache:
        cache.put_blob("00" * 32, b"x", size_px=1, name="n", version="v")
        with pickle.loads(pickle.dumps(cache)) as again:
            assert again.get_blob("00" * 32, size_px=1, name="n", version="v") == b"x"


def test_landmarks_are_compact(tmp_path: Path) -> None:
    path = tmp_path / "faces.sqlite"
    with FaceCache(path) as cache:
        cache.put_many([(_source(n), _landmarks(n)) for n in range(300)], detector="d", size_px=256)
    assert path.stat().st_size < 300 * 3_200  # noise packs worse than faces do


def _refusal(path: Path) -> str:
    with pytest.raises(FdError) as caught, FaceCache(path) as cache:
        cache.get(_source(1), detector="d", size_px=256)
    assert str(path) in caught.value.message
    assert caught.value.hint
    return caught.value.message


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "faces.sqlite"
    path.write_bytes(b"my thesis, chapter one. " * 99)
    assert "damaged or is no cache" in _refusal(path)
    assert path.read_bytes().startswith(b"my thesis")


def test_another_programs_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "faces.sqlite"
    foreign = sqlite3.connect(path)
    foreign.execute("CREATE TABLE faces (a)")
    foreign.close()
    assert "another program's" in _refusal(path)
    with pytest.raises(FdError) as caught:
        FaceCache(path)
    assert "delete" not in caught.value.hint


def test_another_versions_cache_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "faces.sqlite"
    FaceCache(path).close()
    newer = sqlite3.connect(path)
    newer.execute("PRAGMA user_version = 999")
    newer.close()
    assert "another version" in _refusal(path)


def test_damage_inside_the_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "faces.sqlite"
    with FaceCache(path) as cache:
        cache.put_many([(_source(n), _landmarks(n)) for n in range(200)], detector="d", size_px=256)
    data = bytearray(path.read_bytes())
    data[16384:] = os.urandom(len(data) - 16384)
    path.write_bytes(data)
    assert "damaged" in _refusal(path)


def test_a_damaged_entry_is_named(tmp_path: Path) -> None:
    path = tmp_path / "faces.sqlite"
    with FaceCache(path) as cache:
        cache.put(_source(1), _landmarks(1), detector="d", size_px=256)
    other = sqlite3.connect(path)
    with other:
        other.execute("UPDATE faces SET landmarks = x'0102'")
    other.close()
    assert "damaged" in _refusal(path)


def test_an_empty_file_becomes_a_cache(tmp_path: Path) -> None:
    (tmp_path / "faces.sqlite").touch()
    with FaceCache(tmp_path / "faces.sqlite") as cache:
        assert cache.get(_source(1), detector="d", size_px=256) is None


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "cannot be used" in _refusal(tmp_path / "file" / "faces.sqlite")
    assert "cannot be used" in _refusal(tmp_path)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "faces.sqlite"
    FaceCache(path).close()
    path.chmod(0o444)
    assert "no right to write" in _refusal(path)


def _write(path: Path, first: int, count: int, ready: Path) -> None:
    with FaceCache(path) as cache:
        for number in range(first, first + count):
            cache.put(_source(number), _landmarks(number), detector="d", size_px=256)
            if number == first + 5:
                ready.touch()


def test_two_processes_write_at_once(tmp_path: Path) -> None:
    path = tmp_path / "faces.sqlite"
    spawn = multiprocessing.get_context("spawn")
    writers = [spawn.Process(target=_write, args=(path, n * 100, 60, tmp_path / f"{n}")) for n in range(2)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
        assert writer.exitcode == 0
    with FaceCache(path) as cache:
        wanted = [_source(number) for n in range(2) for number in range(n * 100, n * 100 + 60)]
        assert len(cache.get_many(wanted, detector="d", size_px=256)) == 120


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_a_killed_writer_leaves_a_whole_cache(tmp_path: Path) -> None:
    path, ready = tmp_path / "faces.sqlite", tmp_path / "ready"
    writer = multiprocessing.get_context("spawn").Process(target=_write, args=(path, 0, 100_000, ready))
    writer.start()
    while not ready.exists() and writer.is_alive():
        writer.join(0.01)
    assert writer.pid is not None
    os.kill(writer.pid, signal.SIGKILL)
    writer.join(30)
    with FaceCache(path) as cache:
        found = cache.get_many([_source(number) for number in range(5)], detector="d", size_px=256)
        assert len(found) == 5
        cache.put(_source(-1 % 2**256), _landmarks(1), detector="d", size_px=256)


def test_the_default_place_follows_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FDGEN_CACHE", str(tmp_path))
    assert default_cache_path() == tmp_path / "faces.sqlite"
    monkeypatch.setenv("FDGEN_CACHE", str(tmp_path / "mine.sqlite"))
    assert default_cache_path() == tmp_path / "mine.sqlite"
    monkeypatch.delenv("FDGEN_CACHE")
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache_path() == tmp_path / "fdgen" / "faces.sqlite"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_cache_path() == tmp_path / ".cache" / "fdgen" / "faces.sqlite"


def test_a_disk_that_is_full_is_told_as_such(tmp_path: Path) -> None:
    """Sqlite then gives the transaction up by itself, and there is none left to roll back."""
    with FaceCache(tmp_path / "faces.sqlite") as cache:
        cache._connection.execute("PRAGMA max_page_count = 8")
        with pytest.raises(FdError, match="database or disk is full"):
            cache.put_blobs({f"{n:064x}": bytes(40_000) for n in range(8)}, size_px=256, name="a", version="1")
        assert cache.get_blob(f"{0:064x}", size_px=256, name="a", version="1") is None
        cache.put_blob(f"{1:064x}", b"small", size_px=256, name="a", version="1")
