"""`fdgen doctor` finds what is broken, and only that."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from cli.fdgen import doctor
from cli.shared import doctor_checks, opencv
from cli.shared.errors import reporting
from fdgen.networks import engine
from tests.support.paths import ROOT
from tests.support.running import run


def run_program(program: str, *arguments: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run either program as a user does."""
    command = [sys.executable, "-c", f"from fdcli.{program}.main import main; main()", *arguments]
    return subprocess.run(command, env={**os.environ, **env}, capture_output=True, text=True, timeout=300)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the caches a home that can be written to."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def test_a_good_installation_is_well() -> None:
    result = run("doctor", "--json")
    report = json.loads(result.stdout)
    assert [finding for finding in report["findings"] if not finding["ok"]] == []
    assert report["ok"] is True
    assert result.exit_code == 0
    lines = run("doctor").stdout.splitlines()
    assert len(lines) == len(report["findings"])
    assert all(line.startswith("ok ") for line in lines)


def test_two_releases_of_opencv_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    installed = doctor_checks.installed
    monkeypatch.setattr(
        doctor_checks, "installed", lambda name: "4.99.0.1" if name == "opencv-python" else installed(name)
    )
    result = run("doctor")
    assert result.exit_code == 3
    assert "WRONG  opencv wheels" in result.stdout
    assert "--force-reinstall" in result.stderr


def test_the_releases_of_opencv_are_that_of_the_project() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert f'"{opencv.WHEEL}{opencv.RELEASES}"' in text


@pytest.mark.parametrize("contrib", [False, True])
@pytest.mark.parametrize("headless", [False, True])
def test_the_wheel_installed_last_is_named(
    contrib: bool, headless: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "version.py").write_text(f"opencv_version = '4'\ncontrib = {contrib}\nheadless = {headless}\n")
    spec = ModuleSpec("cv2", None, origin=str(tmp_path / "__init__.py"))
    monkeypatch.setattr(opencv.util, "find_spec", lambda name: spec)
    name = opencv.landed_last()
    assert name == f"opencv-{'contrib-' if contrib else ''}python{'-headless' if headless else ''}"
    found = [finding.found for finding in doctor_checks.opencv()]
    assert f"{name} was installed last" in found[1]
    assert ("which needs libGL" in found[1]) != headless
    (tmp_path / "version.py").unlink()
    assert opencv.landed_last() is None


@pytest.fixture
def without_libgl(tmp_path: Path) -> dict[str, str]:
    """Return an environment in which importing opencv fails as on a server without libGL."""
    (tmp_path / "cv2").mkdir()
    words = "libGL.so.1: cannot open shared object file: No such file or directory"
    (tmp_path / "cv2" / "__init__.py").write_text(f"raise ImportError({words!r})\n")
    return {"PYTHONPATH": str(tmp_path)}


@pytest.mark.slow
@pytest.mark.parametrize("program", ["fdgen", "fdtrain"])
def test_a_pyarrow_that_this_numpy_is_too_old_for_is_told(program: str, tmp_path: Path) -> None:
    words = "pyarrow requires NumPy 2.0 or newer, found 1.26.4"
    (tmp_path / "pyarrow").mkdir()
    (tmp_path / "pyarrow" / "__init__.py").write_text(f"raise ImportError({words!r})\n")
    env = {"PYTHONPATH": str(tmp_path)}
    done = run_program(program, "doctor", env=env)
    assert done.returncode == 3, done.stderr
    wrong = [line for line in done.stdout.splitlines() if line.startswith("WRONG")]
    assert [line.split()[1] for line in wrong] == ["pyarrow"]
    assert words in wrong[0]
    assert "pyarrow: run `pip install 'pyarrow<26'`, or `pip install 'numpy>=2'`" in done.stderr


def test_a_pyarrow_that_this_numpy_is_too_old_for_is_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit), reporting("fdgen"):
        raise ImportError("pyarrow requires NumPy 2.0 or newer, found 1.26.4")
    said = capsys.readouterr().err
    assert said.startswith("error: pyarrow cannot be imported: pyarrow requires NumPy 2.0 or newer, found 1.26.4\n")
    assert "pip install 'pyarrow<26'" in said


CURE = f"run `apt install libgl1 libglib2.0-0`, or `{opencv.HEADLESS}`"


@pytest.mark.slow
@pytest.mark.parametrize("program", ["fdgen", "fdtrain"])
def test_a_system_without_libgl_is_told_by_the_doctor(program: str, without_libgl: dict[str, str]) -> None:
    done = run_program(program, "doctor", env=without_libgl)
    assert done.returncode == 3, done.stderr
    wrong = [line for line in done.stdout.splitlines() if line.startswith("WRONG")]
    assert [line.split()[1] for line in wrong] == ["opencv"]
    assert "this system has no libGL.so.1" in wrong[0]
    assert f"opencv: {CURE}\n" in done.stderr


@pytest.mark.parametrize(
    ("program", "arguments"),
    [
        ("fdgen", ["build", "--out", "OUT", "--count", "2"]),
        ("fdgen", ["preview", "--out", "OUT/sheet.png"]),
        ("fdtrain", ["eval", "--data", "OUT"]),
        ("fdtrain", ["restore", "OUT", "--weights", "starter", "--masker", "starter-mask", "--out", "OUT/restored"]),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else value,
)
def test_a_system_without_libgl_is_a_sentence_of_every_command(
    program: str, arguments: list[str], without_libgl: dict[str, str], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    done = run_program(program, *(part.replace("OUT", str(out)) for part in arguments), env=without_libgl)
    assert done.returncode == 1
    assert "error: opencv cannot be loaded: this system has no libGL.so.1\n" in done.stderr
    assert CURE in done.stderr
    assert "unexpectedly" not in done.stderr


def test_what_else_cannot_be_imported_names_the_doctor(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended, reporting("fdtrain"):
        raise ModuleNotFoundError("No module named 'torch'", name="torch")
    assert ended.value.code == 1
    said = capsys.readouterr().err
    assert said.startswith("error: torch cannot be imported: No module named 'torch'\n")
    assert "`fdtrain doctor`" in said


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory")])
def test_memory_that_runs_out_is_a_sentence(error: Exception, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended, reporting("fdtrain"):
        raise error
    assert ended.value.code == 1
    assert capsys.readouterr().err.startswith("error: there is too little memory for this\n  close other programs")


def test_a_check_that_cannot_be_imported_loses_no_other() -> None:
    def broken() -> Iterator[doctor_checks.Finding]:
        raise ImportError("no such thing")
        yield

    found = doctor_checks.found_by([broken, doctor.machine])
    assert (found[0].what, found[0].ok) == ("broken", False)
    assert any(finding.what == "cores" for finding in found)


def test_little_room_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(doctor_checks, "SHARED", tmp_path)
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(doctor_checks.shutil, "disk_usage", lambda path: usage._replace(free=64 * 2**20))
    disk, shared = doctor_checks.room()
    assert (disk.state, shared.state) == ("WRONG", "--")
    assert "--shm-size" in shared.remedy


def test_missing_and_altered_networks_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    digests = dict(engine.network_digests())
    del digests["lips.tflite"]
    digests["face_mesh.tflite"] = "0" * 64
    monkeypatch.setattr(engine, "network_digests", lambda: digests)
    result = run("doctor")
    assert result.exit_code == 3
    assert "altered or missing: face_mesh.tflite, lips.tflite" in result.stdout


def test_a_missing_engine_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    result = run("doctor")
    assert result.exit_code == 3
    assert "the engine of the landmark networks cannot be loaded" in result.stdout
    assert "pip install ai-edge-litert" in result.output


def test_an_altered_asset_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    from fdgen.assets import AssetLibrary
    from fdgen.errors import AssetError

    def refuse() -> None:
        raise AssetError("the asset mask-cup differs from the index: it has been altered", hint="reinstall it")

    monkeypatch.setattr(AssetLibrary, "load", refuse)
    result = run("doctor")
    assert result.exit_code == 3
    assert "mask-cup" in result.stdout
    assert "reinstall it" in result.stderr


def test_a_cache_that_cannot_be_written_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "file"
    file.write_text("")
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(file))
    monkeypatch.setenv("XDG_CACHE_HOME", str(file))
    result = run("doctor")
    assert result.exit_code == 3
    assert "WRONG  compiled code" in result.stdout
    assert "WRONG  landmark cache" in result.stdout
