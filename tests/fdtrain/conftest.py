"""What the tests of training share: one small dataset, read only, and one thread."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.fdtrain.sets import write_set


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Keep torch on one thread: the pictures are small, and the machine may be shared."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def triplets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a dataset that no test may write to; copy it to damage it."""
    return write_set(tmp_path_factory.mktemp("triplets") / "set")
