"""A script without a main guard: its workers would start workers. One sentence says so, in both programs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.paths import ROOT
from tests.support.sets import write_set

BUILD = """
from tests.support.fake_build import FACES, run
run(OUT, FACES, count=20, workers=2)
"""
LANDMARKS = """
from fdgen.faces.folders import SampleFaces
from fdgen.faces.detection import detect
faces = SampleFaces()
detect(faces, faces.sources(), size_px=64, cache=None, workers=2)
"""
LOADER = """
from fdtrain.data.triplets import TripletDataset
from fdtrain.data.loader import Batches
next(iter(Batches(TripletDataset(SET, "train", size_px=32), batch=2, workers=1, start="spawn")))
"""
COMPARE = """
from fdtrain.comparison.runner import Watch, compare
from fdtrain.comparison.plan import Task
from tests.support.asks import ask_of
nothing = lambda *_: None
watch = Watch(on_begin=nothing, on_moved=nothing, on_end=nothing)
compare([Task("telea", "reference", "telea")], ask_of(SET), OUT, watch=watch, asked_to_stop=lambda: False)
"""


@pytest.fixture(scope="module")
def triplets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_set(tmp_path_factory.mktemp("set") / "set")


@pytest.mark.slow
@pytest.mark.parametrize(
    "code",
    [pytest.param(BUILD, marks=pytest.mark.sample), LANDMARKS, pytest.param(LOADER, marks=pytest.mark.sample), COMPARE],
)
def test_a_script_without_a_main_guard_is_told_so(code: str, triplets: Path, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    head = f"from pathlib import Path\nOUT, SET = Path({str(tmp_path / 'out')!r}), Path({str(triplets)!r})\n"
    script.write_text(head + code)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, script], env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 1
    lines = done.stderr.strip().splitlines()
    assert lines[-1].endswith("the script starts its workers while they import it"), done.stderr
    assert "spawn_main" not in done.stderr  # workers leave quietly


@pytest.mark.slow
def test_the_same_under_a_main_guard_works(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    body = "\n".join(f"    {line}" for line in BUILD.strip().splitlines())
    script.write_text(
        f"from pathlib import Path\nOUT = Path({str(tmp_path / 'out')!r})\nif __name__ == '__main__':\n{body}\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, script], env=environment, check=True, timeout=300)
    assert (tmp_path / "out" / "manifest.parquet").exists()
