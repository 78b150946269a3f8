"""Each benchmark can be started as its first lines say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.paths import ROOT

COMMANDS = sorted(
    path.stem
    for path in Path(__file__).parent.glob("*.py")
    if path != Path(__file__) and "parse_args" in path.read_text("utf-8")
)


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_it_says_what_it_takes(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", f"tests.benchmarks.{name}", "--help"], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    assert f"python -m tests.benchmarks.{name}" in (ROOT / "tests" / "benchmarks" / f"{name}.py").read_text("utf-8")
