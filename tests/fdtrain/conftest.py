"""What the tests of training share: one small dataset, read only, and one thread."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.fdtrain.reported import write_ablation, write_comparison, write_run
from tests.fdtrain.sets import write_set


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
