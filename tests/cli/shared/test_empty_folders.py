"""An empty folder, one that is not there, and a file, given for whatever a command reads: one sentence, a fitting hint.

Nothing else is said before: neither that something is being read, nor that the renderer is compiled.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cli.fdgen.main import program as fdgen
from cli.fdtrain.main import program as fdtrain
from tests.support.running import assert_refused

FDGEN = [
    ("build --faces {} --out new", "JPEG"),
    ("build --faces {} --out new --dry-run", "JPEG"),
    ("build --pack {} --out new", "fdgen assets add PICTURE --pack"),
    ("preview --faces {} --out sheet.png", "JPEG"),
    ("preview --pack {} --out sheet.png", "fdgen assets add PICTURE --pack"),
    ("landmarks --faces {}", "JPEG"),
    ("recipe offered --faces {}", "JPEG"),
    ("assets preview --faces {} --out sheet.png", "JPEG"),
    ("assets list --pack {}", "fdgen assets add PICTURE --pack"),
    ("info {}", "fdgen build --out FOLDER"),
    ("show f0-0 --dataset {}", "fdgen build --out FOLDER"),
    ("replay f0-0 --dataset {}", "fdgen build --out FOLDER"),
    ("export {} --to coco --out new", "fdgen build --out FOLDER"),
    ("card {} --out new", "fdgen build --out FOLDER"),
    ("verify {}", "fdgen build"),
    ("diff {} {}", "fdgen card"),
    ("reproduce {}", "fdgen card DATASET --out FOLDER"),
]
FDTRAIN = [
    ("fit --preset tiny --data {} --out new", "fdgen build --out FOLDER"),
    ("bench --preset tiny --data {}", "fdgen build --out FOLDER"),
    ("eval --weights starter --data {}", "fdgen build --out FOLDER"),
    ("status {}", "fdtrain fit --out FOLDER"),
    ("report {} --out new.html", "fdtrain fit"),
]
CASES = [*((fdgen, *case) for case in FDGEN), *((fdtrain, *case) for case in FDTRAIN)]


def ask(program: object, line: str, folder: Path, where: Path) -> Result:
    """Run a command with `{}` replaced by a folder, and what it would write in another."""
    words = [word.replace("{}", str(folder)) for word in line.split()]
    words = [str(where / word) if word.startswith(("new", "sheet")) else word for word in words]
    return CliRunner().invoke(program, words)  # type: ignore[arg-type]


@pytest.mark.slow
@pytest.mark.parametrize(("program", "line", "hint"), CASES, ids=lambda value: value if isinstance(value, str) else "")
def test_nothing_to_work_with(
    program: object, line: str, hint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FDGEN_CACHE", str(tmp_path / "faces.sqlite"))
    empty, gone, file = tmp_path / "empty", tmp_path / "gone", tmp_path / "file"
    empty.mkdir()
    file.write_text("words")
    for folder, words in ((empty, "is empty"), (gone, str(gone)), (file, str(file))):
        result = ask(program, line, folder, tmp_path)
        if result.exit_code == 2 and folder is not empty:
            continue  # refused as an option, before the command runs
        assert_refused(result, 1, words)
        assert len(result.stderr.splitlines()) == 2, result.stderr
        assert "Errno" not in result.stderr
        if folder is empty:
            assert hint in result.stderr
