"""One writer a folder, on every kind of file system."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from fdgen.errors import DatasetError
from fdgen.io import lock
from fdgen.io.lock import LOCK_NAME, folder_lock, is_locked


@pytest.fixture(params=[errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, None], ids=lambda n: errno.errorcode.get(n, "-"))
def without_locks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the locks from the file system, in each of the ways in which it says so, or the module."""
    if request.param is None:
        monkeypatch.setattr(lock, "fcntl", None)
        return

    def refuse(*_: object) -> None:
        raise OSError(request.param, os.strerror(request.param))

    monkeypatch.setattr(lock.fcntl, "flock", refuse)


def gone_pid() -> int:
    """Return the number of a process that has been."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def left_by(folder: Path, **holder: object) -> Path:
    path = folder / LOCK_NAME
    path.write_text(json.dumps({**lock._us(), **holder}))
    return path


def test_a_lock_is_held_and_goes(tmp_path: Path) -> None:
    assert not is_locked(tmp_path)
    with folder_lock(tmp_path):
        assert is_locked(tmp_path)
        with pytest.raises(DatasetError, match="another build is writing to") as caught, folder_lock(tmp_path):
            pass
        assert "wait" in caught.value.hint
    assert not is_locked(tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(lock.fcntl is None, reason="asks in another way there")
def test_whoever_only_asks_keeps_nobody_out(tmp_path: Path) -> None:
    """`is_locked` holds what a killed process left for a moment: the restart of that process must not be refused."""
    (tmp_path / LOCK_NAME).touch()
    asking = os.open(tmp_path / LOCK_NAME, os.O_RDONLY)
    assert lock._locked(asking, shared=True)
    timer = threading.Timer(0.05, os.close, [asking])
    timer.start()
    with folder_lock(tmp_path):
        assert is_locked(tmp_path)
    timer.join()


def test_a_lock_is_waited_for_as_long_as_is_asked(tmp_path: Path) -> None:
    order: list[str] = []

    def second() -> None:
        with folder_lock(tmp_path, patience_s=60):
            order.append("second")

    with folder_lock(tmp_path):
        thread = threading.Thread(target=second)
        thread.start()
        time.sleep(2 * lock.PROBE_S)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]


def test_without_locks_the_file_is_the_lock(tmp_path: Path, without_locks: None) -> None:
    assert not is_locked(tmp_path)
    with folder_lock(tmp_path):
        assert is_locked(tmp_path)
        with pytest.raises(DatasetError, match="another build is writing to"), folder_lock(tmp_path):
            pass
        assert is_locked(tmp_path), "whoever is refused must leave the lock of the other"
    assert not is_locked(tmp_path)
    assert not list(tmp_path.iterdir())


def test_without_locks_a_killed_process_holds_nothing(tmp_path: Path, without_locks: None) -> None:
    left_by(tmp_path, pid=gone_pid())
    assert not is_locked(tmp_path)
    with folder_lock(tmp_path):
        assert is_locked(tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("text", ["", "{", '{"host": "another-machine", "pid": 1}', '{"host": "h", "pid": "x"}', "[]"])
def test_without_locks_a_lock_that_nobody_can_judge_is_left_to_the_user(
    tmp_path: Path, without_locks: None, text: str
) -> None:
    path = tmp_path / LOCK_NAME
    path.write_text(text)
    assert is_locked(tmp_path)
    with pytest.raises(DatasetError, match="or was killed there") as caught, folder_lock(tmp_path):
        pass
    assert f"delete {path}" in caught.value.hint
    assert path.read_text() == text


def test_another_fault_of_the_file_system_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(lock.fcntl, "flock", refuse)
    with (
        pytest.raises(DatasetError, match=rf"{LOCK_NAME} cannot be written: the disk reports an error"),
        folder_lock(tmp_path),
    ):
        pass


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing is forked here")
def test_a_forked_worker_that_outlives_its_parent_holds_no_lock(tmp_path: Path) -> None:
    code = (
        "import os, sys, time\nfrom pathlib import Path\nfrom fdgen.io.lock import folder_lock\n"
        "with folder_lock(Path(sys.argv[1])):\n"
        "    child = os.fork()\n    if child: print(child, flush=True)\n    time.sleep(60)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    child = int(process.stdout.readline())
    try:
        assert is_locked(tmp_path)
        process.kill()
        process.wait()
        until_s = time.monotonic() + 20
        while is_locked(tmp_path) and time.monotonic() < until_s:  # the fork may not have come to close its copy yet
            time.sleep(0.01)
        assert not is_locked(tmp_path)
        os.kill(child, 0)
    finally:
        os.kill(child, signal.SIGKILL)
        process.stdout.close()
