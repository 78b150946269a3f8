"""The renderer is compiled before workers need it, and only once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

CODE = """
import time
from fdgen.assets import AssetLibrary
from fdgen.warmup import compile_renderer, is_compiled

before, started = is_compiled(), time.process_time()
compile_renderer(AssetLibrary.load())
print(before, is_compiled(), time.process_time() - started)
"""


@pytest.mark.slow
def test_a_second_process_finds_everything_compiled(tmp_path: Path) -> None:
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}

    def warm() -> list[str]:
        done = subprocess.run(
            [sys.executable, "-c", CODE], env=environment, capture_output=True, text=True, check=True, timeout=600
        )
        return done.stdout.split()

    first, second = warm(), warm()
    assert first[:2] == ["False", "True"]
    assert second[:2] == ["True", "True"]
    assert float(second[2]) < 0.5 * float(first[2])


def test_every_kind_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    from fdgen import warmup
    from fdgen.assets import AssetLibrary
    from fdgen.cutout import rasterise_cutout
    from fdgen.occluders import OCCLUDERS

    drawn = []
    render = warmup.render_placements

    def watch(scene: Any, placements: Any, library: Any) -> Any:
        pictures = render(scene, placements, library)
        assert (pictures[0] != scene.face.clean_HWC).any()
        drawn.extend(placement.kind for placement in placements)
        return pictures

    monkeypatch.setattr(warmup, "render_placements", watch)
    warmup.compile_renderer(AssetLibrary.load())
    assert drawn == list(OCCLUDERS)
    assert rasterise_cutout.signatures


def test_what_is_compiled_is_kept_outside_the_package() -> None:
    """Pip would leave it there when the package goes, and the folders would hide the next installation."""
    import numba

    import fdgen
    from fdgen.compiled import compiled_folder
    from fdgen.raster import rasterise

    assert Path(rasterise.stats.cache_path).is_relative_to(compiled_folder())
    assert not compiled_folder().is_relative_to(Path(fdgen.__file__).parent)
    assert str(numba.config.CACHE_DIR) == os.environ.get("NUMBA_CACHE_DIR", "")  # other packages keep theirs
