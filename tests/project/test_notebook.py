"""The notebook is that of its text, and runs from its first cell to its last."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fdgen.runtime.jit import compiled_folder
from tests.support.paths import ROOT

pytest.importorskip("nbclient", reason="the extra `dev` has what reads and runs notebooks")

make_notebook = importlib.import_module("docs.make_notebook")

SMALL = {"PAIRS": "8", "IMAGES": "16"}
"""What a test changes of the notebook's parameters: how much, never what."""


@pytest.fixture
def notebook() -> Any:
    return make_notebook.notebook_of(make_notebook.SOURCE.read_text(encoding="utf-8"))


def test_it_is_that_of_its_text_and_has_no_outputs(notebook: Any) -> None:
    held = make_notebook.NOTEBOOK.read_text(encoding="utf-8")
    assert held == make_notebook.written(notebook), "run `python docs/make_notebook.py`"
    assert not any(cell.get("outputs") for cell in notebook.cells)


def test_cells_are_told_apart() -> None:
    text = '# %% [markdown]\n# # Title\n#\n# Words.\n\n# %% tags=["parameters"]\nN = 3\n\n'
    text += "# %%\nif N:\n    # %pip install x\n"
    words, parameters, code = make_notebook.notebook_of(text).cells
    assert (words.cell_type, words.source) == ("markdown", "# Title\n\nWords.")
    assert (parameters.metadata["tags"], parameters.source) == (["parameters"], "N = 3")
    assert code.source == "if N:\n    %pip install x"
    with pytest.raises(ValueError, match="does not begin"):
        make_notebook.notebook_of("N = 3\n")


def test_only_parameters_are_changed(notebook: Any, tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="PAIR is no parameter"):
        make_notebook.execute(notebook, tmp_path, {"PAIR": "8"})


def test_it_installs_a_wheel_and_names_no_host(notebook: Any) -> None:
    text = make_notebook.SOURCE.read_text(encoding="utf-8")
    assert "://" not in text
    (install,) = [cell.source for cell in notebook.cells if cell.cell_type == "code" and "%pip" in cell.source]
    assert "fd_stackgan-*.whl" in install
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert code[0].source == install, "what follows needs the package"


@pytest.mark.slow
@pytest.mark.sample
def test_it_runs(tmp_path: Path) -> None:
    """In an empty folder, as its readers run it, with fewer pairs and pictures."""
    settings = [word for name, value in SMALL.items() for word in ("--set", f"{name}={value}")]
    command = [sys.executable, "-m", "docs.make_notebook", "--run", str(tmp_path), *settings]
    environment = {
        **os.environ,
        "NUMBA_CACHE_DIR": str(compiled_folder()),
        "JUPYTER_PLATFORM_DIRS": "1",
        "IPYTHONDIR": str(tmp_path / "ipython"),
    }
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=900)
    assert done.returncode == 0, done.stderr
    ran = make_notebook.nbformat.read(tmp_path / make_notebook.NOTEBOOK.name, as_version=4)
    shown = make_notebook.pictures(ran)
    assert len(shown) == 5, "photographs, occluders, the dataset, the model's pictures, the restored photographs"
    said = "".join(output.get("text", "") for cell in ran.cells for output in cell.get("outputs", ()))
    assert "8 pairs are equal outside their masks" in said
    assert "16 images" in said
    assert (tmp_path / "ten-minutes" / "restored-mask.png").is_file()
