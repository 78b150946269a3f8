"""Records say which opencv made them, whichever wheel brought it."""

from __future__ import annotations

from importlib import metadata

import pytest

from fdgen.runtime.installed import OPENCV, installed_version


@pytest.mark.parametrize("wheel", OPENCV)
def test_opencv_is_found_by_any_of_its_wheels(wheel: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def version(name: str) -> str:
        if name != wheel:
            raise metadata.PackageNotFoundError(name)
        return "4.99.0.1"

    monkeypatch.setattr(metadata, "version", version)
    assert installed_version("opencv-python") == "4.99.0.1"
    assert (installed_version("opencv-python-headless") is None) == (wheel != "opencv-python-headless")
