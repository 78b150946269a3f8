"""`fdgen doctor` finds what is broken, and only that."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli import doctor
from tests.cli.running import run


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
    installed = doctor.installed
    monkeypatch.setattr(
        doctor, "installed", lambda name: "4.12.0.1" if name == "opencv-python-headless" else installed(name)
    )
    result = run("doctor")
    assert result.exit_code == 3
    assert "WRONG  opencv wheels" in result.stdout
    assert "--force-reinstall" in result.stderr


def test_missing_models_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "MODELS", ("modules/gone.tflite",))
    result = run("doctor")
    assert result.exit_code == 3
    assert "missing: gone.tflite" in result.stdout


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
