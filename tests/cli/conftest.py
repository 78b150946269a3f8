"""What the tests of the command line share: a cache of landmarks, and one small dataset."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.running import run_process


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a cache that holds the landmarks of the sample faces, at the size of the tests."""
    path = tmp_path_factory.mktemp("cache") / "faces.sqlite"
    assert run_process("landmarks", "--size", "64", "--cache", path, "--quiet").returncode == 0
    return path


@pytest.fixture(scope="session")
def built(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """Return a dataset of 12 samples at 64 px from the sample faces, and what the build said of it."""
    out = tmp_path_factory.mktemp("built") / "set"
    done = run_process(*BUILD, "--out", out, "--cache", cache, "--json", "--quiet")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return out, json.loads(done.stdout)


BUILD = ("build", "--count", "12", "--size", "64", "--workers", "1", "--set", "shards.samples=4")
