"""A path that is not what an option wants: one sentence that names it, a next step, and nothing written.

Empty folders, and folders given for datasets, are the matter of `test_empty_folders`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from cli.fdgen.main import program as fdgen
from cli.fdtrain.main import program as fdtrain
from fdgen.faces.folders import SAMPLES
from tests.support.running import assert_refused
from tests.support.sets import write_set
from tests.support.weights import write_weights

PROGRAMS = {"fdgen": fdgen, "fdtrain": fdtrain}

FILES = [
    "fdgen build --recipe {}.toml --out new",
    "fdgen build --recipe {} --out new",
    "fdgen preview --recipe {} --out sheet.png",
    "fdgen recipe check {}",
    "fdgen recipe show {}",
    "fdgen recipe offered {}",
    "fdgen assets add {} --kind mask --licence mine --origin me --pack new",
    "fdtrain fit --data SET --out new --preset tiny --config {}",
    "fdtrain fit --data SET --out new --preset faithful --perceptual-weights {}",
    "fdtrain bench --preset tiny --data SET --config {}",
    "fdtrain eval --data SET --weights {}",
    "fdtrain eval --data SET --weights {}.onnx",
    "fdtrain eval --data SET --weights WEIGHTS --masker {}",
    "fdtrain compare --data SET --out new --methods telea --weights {}",
    "fdtrain audit {}",
    "fdtrain export {} --out new.onnx",
    "fdtrain demo --weights {}",
    "fdtrain restore PHOTO --weights {} --masker starter-mask --out new",
    "fdtrain restore PHOTO --weights {}.onnx --masker starter-mask --out new",
    "fdtrain restore PHOTO --weights starter --masker {} --out new",
    "fdtrain restore PHOTO --weights starter --masker {}.onnx --out new",
    "fdtrain restore PHOTO --weights starter --mask {} --out new",
    "fdtrain restore PHOTO --weights starter --strokes {} --out new",
    "fdtrain restore {} --weights starter --masker starter-mask --out new",
]
"""Commands that read a file, `{}`; SET is a dataset, WEIGHTS a generator, PHOTO a photograph."""

FOLDERS = [
    "fdgen assets check {}",
    "fdgen assets index {}",
    "fdtrain status {}",
    "fdtrain report {} --out new.html",
    "fdtrain compare --data SET --out new --methods telea --real {}",
    "fdtrain compare --data {} --out new --methods telea",
    "fdtrain ablate --table 2 --images 9 --data {} --out new",
]

WRITTEN = [
    "fdgen build --count 2 --size 64 --cache {}",
    "fdgen landmarks --cache {}",
    "fdgen preview --count 1 --size 64 --out {}",
    "fdgen assets preview --out {}",
    "fdgen recipe init {}",
    "fdgen show KEY --dataset SET --out {}",
    "fdgen replay KEY --dataset SET --out {}",
    "fdtrain export WEIGHTS --format pt2 --out {}",
    "fdtrain report RESULTS --out {}",
]
"""Commands that write a file, `{}`."""

FOLDERS_WRITTEN = [
    "fdgen build --count 2 --size 64 --out {}",
    "fdgen export SET --to coco --out {}",
    "fdgen card SET --out {}",
    "fdtrain fit --data SET --preset tiny --set data.size_px=32 --out {}",
    "fdtrain eval --data SET --weights WEIGHTS --out {}",
    "fdtrain compare --data SET --methods telea --out {}",
    "fdtrain ablate --table 2 --images 9 --data SET --out {}",
    "fdtrain restore PHOTO --weights starter --masker starter-mask --out {}",
]


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return what the commands name beside the wrong path, by the words that stand for it."""
    folder = tmp_path_factory.mktemp("given")
    (folder / "results").mkdir()
    found = {"SET": write_set(folder / "set", 12), "WEIGHTS": write_weights(folder / "w.safetensors")}
    return {name: str(path) for name, path in found.items()} | {
        "PHOTO": str(sorted(SAMPLES.glob("*.jpg"))[0]),
        "RESULTS": str(folder / "results"),
        "KEY": "f0000000000000000-0",
    }


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("FDGEN_CACHE", str(tmp_path / "kept" / "faces.sqlite"))
    monkeypatch.chdir(tmp_path)
    return iter(())


def empty(path: Path) -> bool:
    """Tell whether something is a folder without anything in it, as is made to see whether results can be written."""
    return path.is_dir() and not any(path.iterdir())


def refused(line: str, path: Path, given: dict[str, str], where: Path) -> None:
    """Run a command with a path for `{}`; see that it ends as it should and leaves nothing behind."""
    before = sorted(where.rglob("*"))
    name, *words = line.split()
    words = [given.get(word, word).replace("{}", str(path)) for word in words]
    result = CliRunner().invoke(PROGRAMS[name], words, prog_name=name)
    assert result.exit_code in (1, 2), result.output
    assert_refused(result, result.exit_code, path.name)
    sentence = next(text for text in result.stderr.splitlines() if text.startswith("error: "))
    for leaked in ("failed unexpectedly", "Errno", "No such file", "Is a directory", "Not a directory", "Traceback"):
        assert leaked not in sentence.replace(str(path), ""), sentence
    left = [one for one in sorted(where.rglob("*")) if one not in before and "kept" not in one.parts and not empty(one)]
    assert left == []


@pytest.mark.parametrize("line", FILES + FOLDERS)
def test_nothing_is_there(line: str, given: dict[str, str], tmp_path: Path) -> None:
    refused(line, tmp_path / "gone", given, tmp_path)


@pytest.mark.parametrize("line", FILES)
def test_a_folder_in_place_of_a_file(line: str, given: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder.toml").mkdir()
    (tmp_path / "folder.onnx").mkdir()
    refused(line, tmp_path / "folder", given, tmp_path)


@pytest.mark.parametrize("line", FOLDERS)
def test_a_file_in_place_of_a_folder(line: str, given: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("words")
    refused(line, tmp_path / "file", given, tmp_path)


@pytest.mark.parametrize("line", FILES)
def test_a_file_that_holds_something_else(line: str, given: dict[str, str], tmp_path: Path) -> None:
    for name in ("file", "file.toml", "file.onnx"):
        (tmp_path / name).write_bytes(b"\x00\xff words of \xfe no kind")
    refused(line, tmp_path / "file", given, tmp_path)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
@pytest.mark.parametrize("line", FILES)
def test_a_file_that_may_not_be_read(line: str, given: dict[str, str], tmp_path: Path) -> None:
    for name in ("file", "file.toml", "file.onnx"):
        (tmp_path / name).write_text("words")
        (tmp_path / name).chmod(0)
    refused(line, tmp_path / "file", given, tmp_path)


@pytest.mark.parametrize("line", FILES + FOLDERS)
def test_a_link_to_itself(line: str, given: dict[str, str], tmp_path: Path) -> None:
    for name in ("loop", "loop.toml", "loop.onnx"):
        (tmp_path / name).symlink_to(tmp_path / name)
    refused(line, tmp_path / "loop", given, tmp_path)


@pytest.mark.parametrize("line", WRITTEN)
def test_a_folder_where_a_file_is_to_be_written(line: str, given: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    refused(line, tmp_path / "folder", given, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("line", FOLDERS_WRITTEN)
def test_a_file_where_a_folder_is_to_be_written(line: str, given: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("words")
    refused(line, tmp_path / "file", given, tmp_path)


@pytest.mark.parametrize("line", WRITTEN + [line for line in FOLDERS_WRITTEN if not line.startswith("fdgen build")])
def test_a_url_where_a_path_of_this_machine_is_to_be_written(line: str, given: dict[str, str], tmp_path: Path) -> None:
    name, *words = line.split()
    words = [given.get(word, word).replace("{}", "s3://key:secret@bucket/made") for word in words]
    result = CliRunner().invoke(PROGRAMS[name], words, prog_name=name)
    assert_refused(result, 2, "s3://bucket/made is a URL")
    assert "secret" not in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_file_url_is_a_path(tmp_path: Path) -> None:
    words = ["recipe", "init", f"file://{tmp_path}/mine.toml"]
    assert CliRunner().invoke(fdgen, words, prog_name="fdgen").exit_code == 0
    assert (tmp_path / "mine.toml").is_file()
