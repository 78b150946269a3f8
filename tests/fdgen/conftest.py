"""What several tests of the dataset builder share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.fake_build import COUNT, FACES, run


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a dataset of made-up faces that no test may write to."""
    out = tmp_path_factory.mktemp("built") / "set"
    run(out, FACES, count=COUNT)
    return out
