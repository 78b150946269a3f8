"""Worker processes that die, or find no room for what they read: a sentence with the cure."""

from __future__ import annotations

import errno
import multiprocessing.synchronize
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from torch.utils.data import Dataset

from fdgen.errors import DatasetError, FdError
from fdgen.runtime import scratch
from fdtrain.data import loader
from fdtrain.data.loader import Batches, check_shared_memory, shared_bytes, workers_told
from fdtrain.data.stored_samples import StoredSamples
from fdtrain.data.triplets import TripletDataset
from fdtrain.errors import LoaderError
from fdtrain.training.loop import fit
from tests.support.micro import micro

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="workers are forked here, to share what a test makes")


class Doing(Dataset[Any]):
    """A dataset whose samples do something to the process that reads them."""

    def __init__(self, act: Callable[[], None]) -> None:
        self.act = act

    def __len__(self) -> int:
        return 8

    def __getitem__(self, index: int) -> torch.Tensor:
        self.act()
        return torch.zeros(1)


def killing(number: int) -> Callable[[], None]:
    return lambda: os.kill(os.getpid(), number)


def raising(error: Exception) -> Callable[[], None]:
    def act() -> None:
        raise error

    return act


@pytest.mark.slow
@pytest.mark.parametrize(
    ("act", "words", "cure"),
    [
        (killing(signal.SIGKILL), "a loader worker was killed, most likely for want of memory", "machine.workers=0"),
        (lambda: os._exit(3), "a loader worker ended before its time", "machine.workers=0"),
        (killing(signal.SIGBUS), "/dev/shm has no room for the batches of the loader workers", "--shm-size"),
        (
            raising(RuntimeError("unable to allocate shared memory(shm) for file </torch_1>: No space left on device")),
            "/dev/shm has no room",
            "--shm-size",
        ),
        (raising(MemoryError()), "a loader worker found no memory", "machine.workers=0"),
        (raising(RuntimeError("DefaultCPUAllocator: can't allocate memory")), "found no memory", "machine.workers=0"),
        (raising(OSError(errno.EMFILE, "Too many open files")), "more open files than", "ulimit -n"),
    ],
    ids=["killed", "ended", "bus error", "shared memory", "memory", "torch's memory", "open files"],
)
def test_what_befalls_a_worker_is_one_sentence_with_the_cure(act: Callable[[], None], words: str, cure: str) -> None:
    batches = Batches(cast(StoredSamples[Any], Doing(act)), batch=2, workers=1, start="fork")
    with pytest.raises(LoaderError, match=words) as raised:
        list(batches)
    assert "\n" not in raised.value.message
    assert cure in raised.value.hint


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("kind", [DatasetError, FdError])
def test_a_sentence_of_ours_arrives_as_it_is(kind: type[FdError], workers: int) -> None:
    act = raising(kind("the engine cannot be loaded", hint="pip install it"))
    batches = Batches(cast(StoredSamples[Any], Doing(act)), batch=2, workers=workers, start="fork" if workers else None)
    with pytest.raises(kind, match="the engine cannot be loaded") as raised:
        list(batches)
    assert raised.value.hint == "pip install it"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_is_sent_to_all_processes_is_not_for_the_workers(number: int) -> None:
    batches = Batches(cast(StoredSamples[Any], Doing(killing(number))), batch=2, workers=1, start="fork")
    assert len(list(batches)) == 4


@pytest.mark.slow
@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_a_loader_that_is_open_at_exit_holds_nobody_up(start: str, triplets: Path) -> None:
    """As an error does that is on its way to the user: its frames hold the loader."""
    code = (
        "if __name__ == '__main__':\n"
        "    from fdtrain.data.triplets import TripletDataset\n"
        "    from fdtrain.data.loader import Batches\n"
        f"    dataset = TripletDataset({str(triplets)!r}, 'train', size_px=32)\n"
        f"    held = iter(Batches(dataset, batch=2, workers=2, start={start!r}))\n"
        "    next(held)\n"
        "    raise RuntimeError('something else')\n"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stderr.strip().endswith("RuntimeError: something else")


def _until_gone(pids: list[int]) -> None:
    """Wait for killed processes: the system takes them down after it said that they are killed."""
    end = time.monotonic() + 60
    while any(scratch._lives(pid) for pid in pids):
        assert time.monotonic() < end, f"{pids} do not end"
        time.sleep(0.05)


@pytest.mark.slow
@pytest.mark.skipif(not loader.SHARED.is_dir(), reason="no /dev/shm")
@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_what_a_killed_loader_left_is_removed_by_the_next(start: str, triplets: Path, tmp_path: Path) -> None:
    """All of a process group is killed, as schedulers do: nobody is left to clear up."""
    code = (
        "if __name__ == '__main__':\n"
        "    import os, signal, sys\n"
        "    from fdtrain.data.triplets import TripletDataset\n"
        "    from fdtrain.data.loader import Batches\n"
        f"    dataset = TripletDataset({str(triplets)!r}, 'train', size_px=32)\n"
        f"    held = iter(Batches(dataset, batch=2, workers=2, start={start!r}))\n"
        "    next(held)\n"
        "    print(os.getpid(), flush=True)\n"
        "    os.killpg(0, signal.SIGKILL)\n"
    )
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-W", "ignore", "-c", code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, start_new_session=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    folders = [*tmp_path.glob("fd-stackgan-loader-*")]
    assert len(folders) == 1
    noted = [int(line.split()[1]) for line in (folders[0] / "torch-processes").read_text().splitlines()]
    assert noted
    token = folders[0].name.rpartition("-")[2]
    named = [*loader.SHARED.glob(f"sem.fd-{token}-*")]
    assert bool(named) == (start == "spawn")  # a fork needs no names
    _until_gone(noted)
    scratch.sweep(tmp_path)
    assert not [*tmp_path.glob("fd-stackgan-*")]
    assert not any(path.exists() for path in named)


def test_shared_memory_that_cannot_be_written_to_is_told(triplets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(multiprocessing.synchronize.SemLock, "__init__", refuse)
    batches = Batches(TripletDataset(triplets, "train", size_px=32), batch=2, workers=1, start="fork")
    with pytest.raises(LoaderError, match=r"/dev/shm cannot be used \(Read-only file system\), and loader") as raised:
        next(iter(batches))
    assert "machine.workers=0" in raised.value.hint


def test_a_fork_that_the_system_refuses_is_told() -> None:
    with pytest.raises(LoaderError, match="cannot be started: Cannot allocate memory"), workers_told():
        raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))


@pytest.mark.parametrize("error", [RuntimeError("shapes do not match"), FileNotFoundError(errno.ENOENT, "no", "x")])
def test_other_errors_stay_what_they_are(error: Exception) -> None:
    with pytest.raises(type(error)) as raised, workers_told():
        raise error
    assert raised.value is error


def test_what_lies_in_shared_memory_is_counted(triplets: Path) -> None:
    item = TripletDataset(triplets, "train", size_px=32)[0]
    # Two pictures and a mask of 32 x 32 float32, whether they are grey, and the places: each tensor in whole pages,
    # 2 x 2 + 1 batches of 4.
    assert shared_bytes(item, batch=4, workers=2) == 5 * 4 * 1024 * (12 + 12 + 4 + 1 + 1)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Make shared memory as small as that of some containers."""
    usage = shutil.disk_usage(tmp_path)._replace(free=64 * 1024)
    monkeypatch.setattr(loader, "SHARED", tmp_path)
    monkeypatch.setattr(loader.shutil, "disk_usage", lambda path: usage)


def test_too_little_shared_memory_is_foreseen(small: None, triplets: Path) -> None:
    dataset = TripletDataset(triplets, "train", size_px=32)
    check_shared_memory(dataset, batch=4, workers=0)
    with pytest.raises(
        LoaderError, match=r"has 65\.5 kB free, and the batches that 2 loader workers .* 614 kB"
    ) as raised:
        check_shared_memory(dataset, batch=4, workers=2)
    assert "--shm-size" in raised.value.hint
    assert "machine.workers=0" in raised.value.hint
    with pytest.raises(LoaderError, match=r"need 1\.23 MB"):
        check_shared_memory(dataset, batch=4, workers=2, processes=2)


def test_training_looks_before_its_first_step(triplets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: object, **asked: int) -> None:
        raise LoaderError(str(asked))

    monkeypatch.setattr("fdtrain.training.loop.check_shared_memory", none)
    monkeypatch.setattr(
        "fdtrain.training.loop.local_world", lambda: 8
    )  # of this machine: its processes share the memory
    with pytest.raises(LoaderError, match=r"\{'batch': 4, 'workers': 2, 'processes': 8\}"):
        fit(micro(triplets, "machine.workers=2"), tmp_path / "run")
    assert not (tmp_path / "run" / "run.json").exists()


def test_a_worker_that_dies_under_training_is_told_and_the_run_goes_on_without(
    triplets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = TripletDataset.__getitem__

    def dying(self: TripletDataset, draw: Any) -> Any:
        if torch.utils.data.get_worker_info() is not None:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(self, draw)

    monkeypatch.setattr(TripletDataset, "__getitem__", dying)
    with pytest.raises(LoaderError, match="a loader worker was killed"):
        fit(micro(triplets, "machine.workers=1", "training.images=8"), tmp_path / "run")
    assert fit(micro(triplets, "machine.workers=0", "training.images=8"), tmp_path / "run").finished
