"""What a release holds: a wheel of the packages alone, the same bytes each time, and the sources that make it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

from tests.project.test_architecture import PACKAGES
from tests.support.paths import ROOT

MOST_BYTES = 30_000_000
"""Of the wheel: assets, models and weights are most of it."""


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Build a wheel with the setuptools that is installed, twice: from two copies of the checkout, of other times."""
    if int(metadata.version("setuptools").split(".")[0]) < 77:
        pytest.skip("building needs setuptools 77")
    built = []
    for copy, seconds in (("first", 1_600_000_000), ("second", 1_700_000_000)):
        folder = tmp_path_factory.mktemp("wheel")
        for name in _tracked():
            file = folder / copy / name
            file.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, file)
            os.utime(file, (seconds, seconds))
        if copy == "second":  # what a checkout has in it that was used
            for cached in ("fdgen/__pycache__/version.pyc", "occlusion_assets/__pycache__/__init__.pyc"):
                (folder / copy / cached).parent.mkdir()
                (folder / copy / cached).write_bytes(b"compiled")
        built.append(build_wheel(folder / copy, folder))
    return built


def build_wheel(sources: Path, folder: Path) -> Path:
    """Build a wheel of a folder of sources into another folder, with the setuptools that is installed."""
    command = [sys.executable, "-m", "pip", "wheel", ".", "--no-deps", "--no-build-isolation", "--quiet"]
    environment = {**os.environ, "SOURCE_DATE_EPOCH": "1650000000"}
    subprocess.run(
        [*command, "--wheel-dir", str(folder)], cwd=sources, env=environment, check=True, capture_output=True
    )
    return next(folder.glob("*.whl"))


def _tracked() -> list[str]:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if tracked.returncode:
        pytest.skip("not a git checkout")
    return tracked.stdout.splitlines()


@pytest.mark.slow
@pytest.mark.sample
def test_the_wheel_holds_all_that_the_checkout_holds(wheels: list[Path]) -> None:
    with zipfile.ZipFile(wheels[0]) as wheel:
        held = {name for name in wheel.namelist() if ".dist-info/" not in name}
    wanted = {
        name.replace("cli/", "fdcli/", 1) if name.startswith("cli/") else name
        for name in _tracked()
        if name.split("/")[0] in PACKAGES
    }
    assert held == wanted


@pytest.mark.slow
@pytest.mark.sample
def test_the_wheel_is_the_same_bytes_whenever_it_is_built(wheels: list[Path]) -> None:
    first, second = (path.read_bytes() for path in wheels)
    assert first == second


@pytest.mark.slow
@pytest.mark.sample
def test_the_wheel_is_small_and_brings_what_it_runs_on(wheels: list[Path]) -> None:
    """The programs, the faces, the networks, the weights, the recipes and the exact sets of releases."""
    assert wheels[0].stat().st_size < MOST_BYTES
    with zipfile.ZipFile(wheels[0]) as wheel:
        names = wheel.namelist()
    for needed in (
        "fdcli/sets/newest.txt",
        "fdgen/analysis/models/parser.onnx",
        "fdgen/analysis/models/worn.npz",
        "fdgen/faces/sample_faces/grace_hopper.jpg",
        "fdgen/networks/models/face_mesh.tflite",
        "fdgen/recipe/builtin/default.toml",
        "fdtrain/config/preset_costs.json",
        "fdtrain/training/starter/starter.safetensors",
        "occlusion_assets/index.json",
    ):
        assert needed in names
    assert [name for name in names if name.endswith((".pyc", ".orig", ".swp")) or "/tests/" in name] == []


@pytest.mark.slow
@pytest.mark.sample
def test_the_sources_make_the_same_wheel(wheels: list[Path], tmp_path: Path) -> None:
    """What packagers start from lacks nothing. It holds no tests: those need the repository."""
    checkout = wheels[0].parent / "first"
    code = "import sys; from setuptools import build_meta; print(build_meta.build_sdist(sys.argv[1]))"
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=checkout, check=True, capture_output=True)
    (sources,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(sources) as packed:
        packed.extractall(tmp_path / "sources", filter="data")
    (folder,) = (tmp_path / "sources").iterdir()
    (tmp_path / "built").mkdir()
    assert build_wheel(folder, tmp_path / "built").read_bytes() == wheels[0].read_bytes()
