"""The one writer: what it leaves after kills and refusals, and what it says."""

from __future__ import annotations

import errno
import fcntl
import multiprocessing
import os
import resource
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from fdgen.errors import DatasetError, FdError
from fdgen.io import atomic
from fdtrain.errors import RunError
from fdtrain.restoration.video import VideoFile


@pytest.fixture(autouse=True)
def _new_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this test be what a new process is: one that has swept no folder."""
    monkeypatch.setattr(atomic, "_swept", set())


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def left_behind(folder: Path) -> Path:
    """Return a temporary file as a writer leaves it that is killed."""
    context = multiprocessing.get_context("fork")
    child = context.Process(target=_write_half_and_die, args=(folder / "a.bin",))
    child.start()
    child.join()
    assert child.exitcode == -signal.SIGKILL
    [name] = [name for name in names(folder) if name.startswith(".a.bin.")]
    return folder / name


def _write_half_and_die(path: Path) -> None:
    with atomic.whole_file(path) as file:
        file.write(b"half")
        file.flush()
        os.kill(os.getpid(), signal.SIGKILL)


def test_what_a_killed_writer_left_is_removed_by_the_next(tmp_path: Path) -> None:
    left = left_behind(tmp_path)
    others = tmp_path / ".vimrc.tmp"  # not ours, in a folder that is not ours either
    others.touch()
    assert atomic.is_temporary(left)
    atomic.write_whole(tmp_path / "b.bin", b"whole")
    assert names(tmp_path) == [".vimrc.tmp", "b.bin"]


def test_what_a_living_writer_writes_stays(tmp_path: Path) -> None:
    with atomic.whole_file(tmp_path / "a.bin") as file:
        file.write(b"half")
        atomic.sweep(tmp_path)
        file.write(b" and half")
    assert (tmp_path / "a.bin").read_bytes() == b"half and half"
    assert names(tmp_path) == ["a.bin"]


def test_a_writer_that_was_swept_before_it_held_its_lock_begins_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked, swept = fcntl.flock, []

    def late(descriptor: int, how: int) -> None:
        if not swept:
            swept.append(names(tmp_path))
            os.unlink(tmp_path / swept[0][0])
        locked(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", late)
    atomic.write_whole(tmp_path / "a.bin", b"whole")
    assert len(swept) == 1
    assert names(tmp_path) == ["a.bin"]


def test_where_there_are_no_locks_nothing_is_swept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    left = left_behind(tmp_path)

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)
    atomic.write_whole(tmp_path / "b.bin", b"whole")
    assert names(tmp_path) == [left.name, "b.bin"]


@pytest.mark.parametrize("error", [RunError, DatasetError])
def test_a_library_cannot_hide_that_the_disk_is_full(tmp_path: Path, error: type[FdError]) -> None:
    with pytest.raises(error, match=r"a\.bin cannot be written: the disk is full"):
        _write_by_a_library(tmp_path / "a.bin", error, going_on=error is DatasetError)
    assert names(tmp_path) == []


def _write_by_a_library(path: Path, error: type[FdError], *, going_on: bool) -> None:
    """Write as torch's archives do, which say that they are corrupt, or as one that goes on as if all were well."""

    def failing(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.MonkeyPatch.context() as patch, atomic.whole_file(path, error=error) as file:
        patch.setattr(os, "write", failing)
        try:
            file.write(bytes(1 << 20))
        except OSError:
            patch.undo()
            if not going_on:
                raise RuntimeError("the archive is corrupt") from None


def test_the_longest_name_can_be_written(tmp_path: Path) -> None:
    longest = tmp_path / ("ü" * 127 + "x")
    atomic.write_whole(longest, b"whole")
    assert longest.read_bytes() == b"whole"
    with pytest.raises(FdError, match="the name is too long"):
        atomic.write_whole(tmp_path / ("x" * 256), b"whole")


def test_a_log_keeps_whole_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "log.jsonl"
    atomic.append(path, "one\n")
    with path.open("ab") as file:
        file.write(b"tor")  # by a kill
    atomic.append(path, "two\n")
    assert path.read_text() == "one\ntwo\n"
    for written in _short_then_full(monkeypatch):
        with pytest.raises(DatasetError, match="the disk is full"):
            atomic.append(path, "three\n")
        assert written == [2]
    assert path.read_text() == "one\ntwo\n"
    path.write_bytes(b"x" * 10_000)
    atomic.append(path, "four\n")
    assert path.read_text() == "four\n"


def _short_then_full(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    write, written = os.write, []

    def short(descriptor: int, data: bytes) -> int:
        if written:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written.append(write(descriptor, data[:2]))
        return written[0]

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", short)
        yield written


def test_a_folder_is_made_with_those_above_it(tmp_path: Path) -> None:
    atomic.make_folder(tmp_path / "a" / "b")
    atomic.make_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "c"):
        with pytest.raises(RunError, match="a part of the path is a file"):
            atomic.make_folder(folder, error=RunError)


def test_a_video_that_the_disk_cut_short_gets_no_name(tmp_path: Path) -> None:
    """Opencv says nothing of a full disk: a limit on the size of files is one that a test can fill."""
    frames = np.random.default_rng(0).integers(0, 256, (6, 64, 64, 3), np.uint8)
    sizes = []
    for limit in (None, -2_000, -40_000):
        written = VideoFile(tmp_path / f"{limit}.mkv", 12.0)
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (sizes[0] + limit, before[1]))
        try:
            for frame in frames:
                written.write(frame)
            if limit is None:
                written.close(whole=True)
                sizes.append(written.path.stat().st_size)
            else:
                with pytest.raises(RunError, match="frames are missing, perhaps because the disk is full"):
                    written.close(whole=True)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert [name for name in names(tmp_path) if ".part" not in name] == ["None.mkv"]


def test_a_large_file_is_left_alone_where_it_holds_the_same(tmp_path: Path) -> None:
    path = tmp_path / "table.bin"
    for content, other in ((b"a" * 3_000_000, True), (b"a" * 3_000_000, False), (b"a" * 2_999_999 + b"b", True)):
        before = path.stat().st_ino if path.exists() else None
        with atomic.whole_file_if_other(path) as file:
            file.write(content[:100])
            file.write(content[100:])
        assert path.read_bytes() == content
        assert (path.stat().st_ino != before) is other
        assert [one.name for one in tmp_path.iterdir()] == ["table.bin"]


def test_a_large_file_that_fails_halfway_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "table.bin"
    path.write_bytes(b"old")
    with pytest.raises(ZeroDivisionError), atomic.whole_file_if_other(path) as file:
        file.write(b"new" * (1 // 0))
    assert path.read_bytes() == b"old"
    assert [one.name for one in tmp_path.iterdir()] == ["table.bin"]
