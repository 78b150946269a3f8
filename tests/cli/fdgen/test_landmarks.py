"""`fdgen landmarks`: fills the cache, tells what it could not use, and goes on where it was stopped."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from fdgen.faces.folders import SAMPLES
from tests.support.running import assert_refused, run, run_process


def test_a_cache_is_filled_once(tmp_path: Path) -> None:
    cache = tmp_path / "cache.sqlite"
    first = json.loads(run_process("landmarks", "--cache", cache, "--json", "--quiet").stdout)
    second = run_process("landmarks", "--cache", cache, "--json", "--quiet")
    assert (first["faces"], first["already_known"]) == (4, 0)
    assert json.loads(second.stdout) == {**first, "already_known": 4}
    assert second.stderr == ""


def test_what_cannot_be_used_is_listed_by_reason(tmp_path: Path) -> None:
    folder = tmp_path / "faces"
    folder.mkdir()
    good = (SAMPLES / "grace_hopper.jpg").read_bytes()
    (folder / "good.jpg").write_bytes(good)
    (folder / "again.jpg").write_bytes(good)
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "words.jpg").write_bytes(b"these are words")
    (folder / "torn.jpg").write_bytes(good[: len(good) // 2])
    result = run_process("landmarks", "--faces", folder, "--cache", tmp_path / "cache.sqlite")
    assert result.returncode == 0
    rows = [line.split("\t") for line in result.stdout.splitlines()]
    assert {row[1] for row in rows} == {"empty.jpg", "words.jpg", "torn.jpg", "good.jpg"}
    assert all(len(row) == 3 for row in rows)
    assert "1 face in" in result.stderr
    assert "4 photographs without" in result.stderr


def test_no_face_at_all_is_an_error(tmp_path: Path) -> None:
    import numpy as np

    from fdgen.io.pictures.png import encode_png

    folder = tmp_path / "walls"
    folder.mkdir()
    (folder / "wall.png").write_bytes(encode_png(np.full((256, 256, 3), 128, np.uint8)))
    result = run_process("landmarks", "--faces", folder, "--cache", tmp_path / "cache.sqlite")
    assert result.returncode == 1
    assert result.stdout.startswith("no-face\twall.png\t")
    assert "error: " in result.stderr
    assert str(folder) in result.stderr


def test_a_bad_folder_is_refused(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    file = tmp_path / "file.txt"
    file.write_text("words")
    assert_refused(run("landmarks", "--faces", tmp_path / "gone"), 1, str(tmp_path / "gone"))
    assert_refused(run("landmarks", "--faces", empty), 1, str(empty))
    assert_refused(run("landmarks", "--faces", file), 1, str(file))


def test_a_cache_of_another_program_is_refused(tmp_path: Path) -> None:
    cache = tmp_path / "cache.sqlite"
    shutil.copyfile(__file__, cache)
    assert_refused(run("landmarks", "--cache", cache), 1, str(cache))
    assert cache.read_bytes() == Path(__file__).read_bytes()


@pytest.mark.parametrize("size", ["0", "100000"])
def test_a_senseless_size_is_refused(size: str, tmp_path: Path) -> None:
    assert_refused(run("landmarks", "--size", size, "--cache", tmp_path / "cache.sqlite"), 2, "size_px", size)


def test_samples_means_the_sample_faces_and_a_path_means_a_folder(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "samples").mkdir()
    named = run("landmarks", "--faces", "samples", "--cache", cache, "--size", "64", "--json")
    assert json.loads(named.stdout)["faces"] == 4
    assert_refused(run("landmarks", "--faces", "./samples", "--cache", cache), 1, "no picture")
