"""Temporary folders of processes: gone with them, and what a kill leaves is removed by the next; nothing of others."""

from __future__ import annotations

import multiprocessing.util
import os
import secrets
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from fdgen.errors import FdError
from fdgen.runtime import scratch
from fdgen.runtime.scratch import SHARED, Scratch, note_torch, sweep

pytestmark = pytest.mark.skipif(scratch.fcntl is None, reason="Windows has no locks that end with a process")
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="no /dev/shm")

KILLED = """
import multiprocessing, os, signal, sys
from pathlib import Path
from fdgen.runtime.scratch import SHARED, Scratch, note_torch
kept = Scratch("test")
with kept.owning_leftovers():
    lock = multiprocessing.get_context("spawn").Lock()
note_torch(kept.path)
(kept.path / "something").write_text("x")
if SHARED.is_dir():
    (SHARED / f"torch_{os.getpid()}_1_1").touch()
print(kept.path, os.getpid(), flush=True)
os.killpg(0, signal.SIGKILL)
"""


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def killed(temporary: Path) -> Iterator[tuple[Path, int]]:
    environment = {**os.environ, "TMPDIR": str(temporary)}
    command = [sys.executable, "-c", KILLED]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, start_new_session=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    folder, pid = done.stdout.split()
    yield Path(folder), int(pid)
    for path in _shared(Path(folder).name.rpartition("-")[2], int(pid)):
        path.unlink()


def _shared(token: str, pid: int) -> list[Path]:
    return [*SHARED.glob(f"sem.fd-{token}-*"), *SHARED.glob(f"torch_{pid}_*")]


def test_a_folder_is_gone_with_its_block(temporary: Path) -> None:
    with Scratch("test") as folder:
        assert folder.parent == temporary
        assert folder.stat().st_mode & 0o777 == 0o700
        (folder / "file").touch()
    assert not list(temporary.iterdir())


def test_a_folder_that_is_forgotten_is_gone_too(temporary: Path) -> None:
    folder = Scratch("test")
    assert folder.path.is_dir()
    del folder
    assert not list(temporary.iterdir())


@needs_shared
def test_what_a_killed_process_left_is_removed(killed: tuple[Path, int], temporary: Path) -> None:
    folder, pid = killed
    token = folder.name.rpartition("-")[2]
    assert folder.is_dir()
    assert len(_shared(token, pid)) == 2
    with Scratch("test"):
        assert not folder.exists()
        assert not _shared(token, pid)


@needs_shared
def test_what_is_not_ours_stays(killed: tuple[Path, int], temporary: Path) -> None:
    odd = [temporary / "fd-stackgan-test-0123", temporary / "other-0123456789abcdef"]
    token, no_pid = secrets.token_hex(8), 2**22 + 1  # beyond what the kernel gives
    odd += [SHARED / f"sem.mp-{token[:8]}", SHARED / f"sem.fd-{token}-x", SHARED / f"torch_{no_pid}_1_1"]
    for path in odd[:2]:
        path.mkdir()
    for path in odd[2:]:
        path.touch()
    link = temporary / f"fd-stackgan-test-{token}"
    link.symlink_to(odd[0])
    try:
        sweep(temporary)
        assert not killed[0].exists()
        assert all(path.exists() for path in odd)
        assert link.is_symlink()
    finally:
        for path in odd[2:]:
            path.unlink()


def test_the_folder_of_a_process_that_lives_stays(temporary: Path) -> None:
    with Scratch("test") as folder:
        sweep(temporary)
        assert folder.is_dir()


@pytest.mark.skipif(not Path("/proc/self/ns/pid").exists(), reason="processes are told apart on Linux")
def test_tensors_of_a_worker_that_outlives_its_parent_are_removed_later(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = temporary / f"fd-stackgan-test-{secrets.token_hex(8)}"
    folder.mkdir()
    note_torch(folder)  # of this process, which lives; the folder is nobody's
    tensor = SHARED / f"torch_{os.getpid()}_test_1"
    tensor.touch()
    try:
        sweep(temporary)
        assert tensor.exists()
        assert folder.exists()
        monkeypatch.setattr(scratch, "_lives", lambda pid: False)
        sweep(temporary)
        assert not tensor.exists()
        assert not folder.exists()
    finally:
        tensor.unlink(missing_ok=True)


def test_only_what_the_block_makes_is_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scratch, "_SOCKET_FOLDER_BYTES", 1000)
    config = multiprocessing.current_process()._config  # type: ignore[attr-defined]
    before = dict(config)
    kept = Scratch("test")
    with kept.owning_leftovers():
        assert config["semprefix"] == f"/fd-{kept.path.name.rpartition('-')[2]}"
        assert multiprocessing.util.get_temp_dir() == str(kept.path)  # type: ignore[attr-defined]
    assert config == before


def test_no_temporary_folder_is_told_in_a_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    with pytest.raises(FdError, match="cannot be made: there is no such file") as caught:
        Scratch("test")
    assert "TMPDIR" in caught.value.hint
