"""Experiment trackers, offline: each holds the numbers of stats.jsonl, in the run's folder, and asks no network."""

from __future__ import annotations

import json
import shutil
import socket
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from fdtrain.errors import ConfigError, RunError
from fdtrain.training import loop
from fdtrain.training.loop import fit
from fdtrain.training.stats import read_stats
from fdtrain.training.trackers import tracker
from tests.support.micro import micro


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse every connection beyond this machine, and forget what the environment says of trackers."""
    plain = socket.socket.connect

    def connect(self: socket.socket, address: Any) -> None:
        if self.family == socket.AF_UNIX or address[0] in ("127.0.0.1", "::1", "localhost"):
            plain(self, address)
            return
        raise AssertionError(f"a tracker asks the network: {address}")

    monkeypatch.setattr(socket.socket, "connect", connect)
    for name in ("WANDB_MODE", "MLFLOW_TRACKING_URI", "WANDB_API_KEY"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("offline")
def test_tensorboard_has_every_number(triplets: Path, tmp_path: Path) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator").EventAccumulator
    run = tmp_path / "run"
    fit(micro(triplets, "training.images=32", "output.tracker=tensorboard"), run)
    events = accumulator(str(run / "tensorboard"))
    events.Reload()
    for line in read_stats(run):
        for name in set(line) - {"images"}:
            held = {event.step: event.value for event in events.Scalars(name)}
            assert held[int(line["images"])] == pytest.approx(line[name], rel=1e-5)
    assert events.Images("samples")


@pytest.mark.usefixtures("offline")
@pytest.mark.filterwarnings("ignore")  # of the package
def test_mlflow_has_every_number(triplets: Path, tmp_path: Path) -> None:
    pytest.importorskip("mlflow")
    pytest.importorskip("sqlalchemy")
    pytest.importorskip("alembic")
    run = tmp_path / "run"
    fit(micro(triplets, "training.images=32", "output.tracker=mlflow"), run)
    with sqlite3.connect(run / "mlflow" / "runs.db") as base:
        held = {(name, step): value for name, step, value in base.execute("select key, step, value from metrics")}
        params = dict(base.execute("select key, value from params").fetchall())
        ((status,),) = base.execute("select status from runs").fetchall()
    for line in read_stats(run):
        for name in set(line) - {"images"}:
            assert held[name, int(line["images"])] == pytest.approx(line[name])
    assert params["training.batch"] == "4"
    assert status == "FINISHED"
    assert list((run / "mlflow" / "files").rglob("samples/*.png"))
    assert str(triplets) not in json.dumps(params)


@pytest.mark.usefixtures("offline")
@pytest.mark.filterwarnings("ignore")  # of the package
def test_weights_and_biases_keeps_a_run_to_send_later(triplets: Path, tmp_path: Path) -> None:
    pytest.importorskip("wandb")
    run = tmp_path / "run"
    fit(micro(triplets, "training.images=32", "output.tracker=wandb"), run)
    (kept,) = (run / "wandb").glob("offline-run-*")
    data = next(kept.glob("run-*.wandb")).read_bytes()
    for name in ("val/hole_psnr_db", "stage1/l1", "images"):
        assert name.encode() in data


def resumed(triplets: Path, run: Path, tracker: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Train to an error, after what no checkpoint knows was logged, and then to the end."""
    asked = micro(triplets, "training.images=48", f"output.tracker={tracker}", "output.stats_images=8")

    def breaks(*args: Any, **options: Any) -> None:
        raise RunError("the disk is full")

    with monkeypatch.context() as patch:
        fit(micro(triplets, "training.images=16", f"output.tracker={tracker}", "output.stats_images=8"), run)
        patch.setattr(loop, "save_state", breaks)
        with pytest.raises(RunError, match="the disk is full"):
            fit(asked, run)
    assert fit(asked, run).made_now == 32


@pytest.mark.usefixtures("offline")
@pytest.mark.filterwarnings("ignore")  # of the package
def test_mlflow_goes_on_with_the_same_run(triplets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("mlflow")
    pytest.importorskip("sqlalchemy")
    pytest.importorskip("alembic")
    run = tmp_path / "run"
    resumed(triplets, run, "mlflow", monkeypatch)
    with sqlite3.connect(run / "mlflow" / "runs.db") as base:
        assert base.execute("select status from runs").fetchall() == [("FINISHED",)]
        held = base.execute("select step from metrics where key = 'stage1/l1' order by step").fetchall()
    assert [step for (step,) in held] == [8, 16, 24, 32, 40, 48]
    moved = tmp_path / "moved"
    shutil.copytree(run, moved)
    before = sorted(run.rglob("*"))
    fit(micro(triplets, "training.images=64", "output.tracker=mlflow", "output.stats_images=8"), moved)
    assert sorted(run.rglob("*")) == before
    assert list((moved / "mlflow" / "files").rglob("samples/000000000064.png"))
    tracker.keep_id(run, "mlflow", "0" * 32)
    with pytest.raises(ConfigError, match=r"does not show the run .*, as which this one began"):
        fit(micro(triplets, "training.images=64", "output.tracker=mlflow", "output.stats_images=8"), run)


@pytest.mark.usefixtures("offline")
@pytest.mark.filterwarnings("ignore")  # of the package
def test_a_run_that_fails_is_failed_in_mlflow(triplets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("mlflow")
    pytest.importorskip("sqlalchemy")
    pytest.importorskip("alembic")
    monkeypatch.setattr(loop, "save_state", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        fit(micro(triplets, "training.images=16", "output.tracker=mlflow"), tmp_path / "run")
    with sqlite3.connect(tmp_path / "run" / "mlflow" / "runs.db") as base:
        assert base.execute("select status from runs").fetchall() == [("FAILED",)]


@pytest.mark.usefixtures("offline")
@pytest.mark.filterwarnings("ignore")  # of the package
def test_a_place_that_the_user_names_is_not_told_folders_of_this_machine(
    triplets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("mlflow")
    pytest.importorskip("sqlalchemy")
    pytest.importorskip("alembic")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{(tmp_path / 'shared.db').as_posix()}")
    fit(micro(triplets, "training.images=16", "output.tracker=mlflow"), tmp_path / "run")
    with sqlite3.connect(tmp_path / "shared.db") as base:
        ((place,),) = base.execute("select artifact_location from experiments where name = 'fdtrain'").fetchall()
    assert "run" not in Path(place).parts
    assert not (tmp_path / "run" / "mlflow" / "files").exists()


@pytest.mark.usefixtures("offline")
@pytest.mark.filterwarnings("ignore")  # of the package
def test_weights_and_biases_goes_on_with_the_same_run(
    triplets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("wandb")
    resumed(triplets, tmp_path / "run", "wandb", monkeypatch)
    kept = list((tmp_path / "run" / "wandb").glob("offline-run-*/run-*.wandb"))
    assert len({path.stem for path in kept}) == 1
    assert json.loads((tmp_path / "run" / "wandb" / "run_id.json").read_text()) == {"id": kept[0].stem[4:]}


@pytest.mark.parametrize("text", ['{"id": "../../elsewhere"}', '{"id": 3}', "{}", "[]"])
def test_an_id_that_no_tracker_gave_is_refused(text: str, tmp_path: Path) -> None:
    assert tracker.kept_id(tmp_path, "wandb") is None
    tracker.keep_id(tmp_path, "wandb", "a1b2")
    assert tracker.kept_id(tmp_path, "wandb") == "a1b2"
    tracker.id_file(tmp_path, "wandb").write_text(text)
    with pytest.raises(RunError, match=r"run_id.json"):
        tracker.kept_id(tmp_path, "wandb")


@pytest.mark.parametrize("name", ["wandb", "mlflow"])
def test_a_tracker_that_is_not_installed_is_named_before_training(
    name: str, triplets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(module: str) -> Any:
        raise ImportError(f"No module named {module!r}")

    monkeypatch.setattr(tracker.importlib, "import_module", missing)
    with pytest.raises(ConfigError, match=f"output.tracker = {name}: its package cannot be imported"):
        fit(micro(triplets, "training.images=4", f"output.tracker={name}"), tmp_path / "run")


def test_two_trackers_are_refused(triplets: Path) -> None:
    with pytest.raises(ConfigError, match="must have one tracker, got tensorboard and wandb"):
        micro(triplets, "output.tensorboard=true", "output.tracker=wandb")
