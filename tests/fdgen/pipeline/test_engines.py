"""Builds on clusters of Dask and Ray: the bytes of local processes, though a worker dies."""

from __future__ import annotations

import concurrent.futures
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fdgen.errors import DatasetError, FdError
from fdgen.pipeline import engines
from fdgen.pipeline.engines import ClusterExecutor, EngineName, running
from tests.support.fake_build import COUNT, FACES, digests, run
from tests.support.paths import ROOT


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("local:3", EngineName("local", workers=3)),
        ("dask:local:2", EngineName("dask", workers=2)),
        ("ray:local:2", EngineName("ray", workers=2)),
        ("dask:tcp://10.0.0.1:8786", EngineName("dask", address="tcp://10.0.0.1:8786")),
        ("ray:auto", EngineName("ray", address="auto")),
        ("ray:ray://head:10001", EngineName("ray", address="ray://head:10001")),
    ],
)
def test_an_engine_is_read_from_its_name(text: str, name: EngineName) -> None:
    assert EngineName.parse(text) == name


@pytest.mark.parametrize("text", ["", "dask", "dask:", "local", "local:0", "dask:local:0", "ray:local", "mpi:4"])
def test_other_names_are_refused_with_those_that_are(text: str) -> None:
    with pytest.raises(FdError, match=r"an executor is local:N, dask:ADDRESS"):
        EngineName.parse(text)


@pytest.mark.parametrize("kind", ["dask", "ray"])
def test_an_extra_that_is_missing_is_named(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr(engines.importlib, "import_module", fail)
    with pytest.raises(FdError) as error, running(EngineName(kind, workers=1)):
        pass
    assert f"[{kind}]" in error.value.hint


def start(order: bytes) -> concurrent.futures.Future[Any]:
    future: concurrent.futures.Future[Any] = concurrent.futures.Future()
    future.set_result(engines._outcome(order))
    return future


def fail() -> None:
    raise DatasetError("the disk is full")


def test_what_a_task_raises_comes_back_as_it_was_raised() -> None:
    executor = ClusterExecutor(start)
    assert executor.submit(int, "7").result() == 7
    with pytest.raises(DatasetError, match="the disk is full"):
        executor.submit(fail).result()
    with pytest.raises(ValueError, match="invalid literal"):
        executor.submit(int, "seven").result()


@pytest.mark.parametrize("ending", [KeyboardInterrupt, SystemExit])
def test_a_worker_that_is_to_end_ends(ending: type[BaseException]) -> None:
    """Ctrl-C, or the scheduler's end of a worker, is no result of the task that was under way."""
    order = pickle.dumps((exec, ("raise error", {"error": ending()}), {}))
    with pytest.raises(ending):
        engines._outcome(order)


def test_a_task_that_the_cluster_lost_is_one_sentence() -> None:
    def lose(order: bytes) -> concurrent.futures.Future[Any]:
        future: concurrent.futures.Future[Any] = concurrent.futures.Future()
        future.set_exception(MemoryError())
        return future

    with pytest.raises(DatasetError, match="lost by the cluster: MemoryError"):
        ClusterExecutor(lose).submit(int, "7").result()


def test_a_build_on_tasks_of_a_cluster_has_the_same_bytes(tmp_path: Path, built: Path) -> None:
    """All that a build asks of an executor goes through pickles; here without any cluster."""
    run(tmp_path / "set", FACES, count=COUNT, executor=ClusterExecutor(start), workers=2)
    assert digests(tmp_path / "set") == digests(built)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["dask", "ray"])
def test_a_cluster_that_loses_a_worker_makes_the_same_bytes(tmp_path: Path, built: Path, kind: str) -> None:
    """The worker that has the third shard kills itself, once."""
    pytest.importorskip("distributed" if kind == "dask" else "ray")
    out, mark = tmp_path / "set", tmp_path / "died"
    options = json.dumps({"faces": 60, "count": COUNT})
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.cluster_build", f"{kind}:local:2", str(out), options],
        cwd=ROOT,
        env={**os.environ, "FAKE_BUILD_DIES_ONCE": str(mark)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert mark.exists()
    assert digests(out) == digests(built)
