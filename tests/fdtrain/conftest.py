"""What the tests of training share: one small dataset, read only, and one thread."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

from fdtrain.runtime import bf16
from fdtrain.training import step_time
from tests.support.clock import Clock
from tests.support.reported import write_ablation, write_comparison, write_run
from tests.support.sets import write_set


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Keep torch on one thread: the pictures are small, and the machine may be shared."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def triplets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a dataset that no test may write to; copy it to damage it."""
    return write_set(tmp_path_factory.mktemp("triplets") / "set")


@pytest.fixture(scope="session")
def reported(triplets: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return a run, a comparison and an ablation, the latter two unfinished; copy them to damage them."""
    place = tmp_path_factory.mktemp("reported")
    return {
        "run": write_run(triplets, place / "run"),
        "comparison": write_comparison(triplets, place / "comparison"),
        "ablation": write_ablation(triplets, place / "ablation")[0],
    }


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Inject timings; by them bf16 is the faster one, until a test says otherwise."""
    given = Clock()
    monkeypatch.setattr(bf16, "convolution_seconds", given.of_convolution)
    monkeypatch.setattr(step_time, "step_seconds", given.of_step)
    return given


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Hide all perceptual weights; return the folder that torchvision keeps its own in."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setitem(sys.modules, "stlpips_pytorch", None)
    (tmp_path / "torch" / "hub" / "checkpoints").mkdir(parents=True)
    return tmp_path / "torch" / "hub" / "checkpoints"
