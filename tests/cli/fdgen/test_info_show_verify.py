"""The commands that look: info, show, verify, preview, assets, completion."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import PIL.Image
import pytest

from fdgen.assets import AssetLibrary
from fdgen.contract.manifest import Manifest
from tests.support.running import assert_refused, run

Built = tuple[Path, dict[str, Any]]


def pixels(data: bytes) -> np.ndarray[Any, Any]:
    """Decode with a reader that is not ours."""
    return np.asarray(PIL.Image.open(io.BytesIO(data)))


def test_info_counts_what_is_there(built: Built) -> None:
    out, summary = built
    facts = json.loads(run("info", out, "--json").stdout)
    table = Manifest.load(out).table
    assert facts["samples"] == len(table) == 12
    assert facts["kinds"] == summary["kinds"]
    assert facts["splits"] == table["split"].value_counts().to_dict()
    assert sum(facts["coverage_histogram"].values()) == 12
    assert facts["coverage"]["max"] == pytest.approx(table["coverage"].max())
    assert facts["identities"] == 4
    assert facts["bytes"] == sum(path.stat().st_size for path in (out / "shards").glob("*.tar"))
    assert facts["content_id"] == summary["content_id"]
    assert facts["worn"] == Counter(kind for text in table["worn"] for kind in json.loads(text) or ["nothing"])
    assert sum(facts["hair"].values()) == 12


def test_info_sets_what_was_asked_beside_what_was_made(built: Built) -> None:
    out, summary = built
    rows = json.loads(run("info", out, "--json").stdout)["asked_and_got"]
    kinds = {row["stratum"]: row for row in rows if row["what"] == "kinds"}
    assert {name: row["n"] for name, row in kinds.items() if row["n"]} == summary["kinds"]
    assert sum(row["asked"] for row in kinds.values()) == pytest.approx(1, abs=1e-5)
    for row in kinds.values():
        error = (row["asked"] * (1 - row["asked"]) / 12) ** 0.5
        assert row["z"] == pytest.approx((row["n"] / 12 - row["asked"]) / error, abs=0.01)
    words = run("info", out).stdout
    assert all(f"{name} " in words for name in kinds)
    assert "z +" in words or "z -" in words


def test_info_of_a_recipe_of_another_version_still_tells_the_rest(built: Built, tmp_path: Path) -> None:
    copy = tmp_path / "set"
    shutil.copytree(built[0], copy)
    dataset = json.loads((copy / "dataset.json").read_text())
    del dataset["recipe"]["strata"]
    (copy / "dataset.json").write_text(json.dumps(dataset))
    assert "another version" in run("info", copy).stdout
    assert json.loads(run("info", copy, "--json").stdout)["asked_and_got"] is None


def test_info_says_it_in_words_too(built: Built) -> None:
    out, summary = built
    result = run("info", out)
    assert result.stderr == ""
    assert summary["content_id"] in result.stdout
    histogram = [line.split() for line in result.stdout.splitlines() if line.startswith("  0.")]
    assert sum(int(row[1]) for row in histogram) == 12


@pytest.mark.parametrize(
    "command",
    [
        ["info", "{set}"],
        ["show", "{key}", "--dataset", "{set}"],
        ["recipe", "list"],
        ["recipe", "show"],
        ["assets", "list"],
    ],
    ids=lambda words: "-".join(words[:2]),
)
def test_commands_that_look_load_nothing_heavy(built: Built, command: list[str]) -> None:
    """Each of these modules takes longer to load than all the rest of such a command."""
    words = [word.format(set=built[0], key=next(iter(Manifest.load(built[0])))) for word in command]
    code = (
        "import sys\nfrom cli.fdgen.main import program\n"
        f"program({words!r}, standalone_mode=False)\n"
        "print(*({'cv2', 'mediapipe', 'numba', 'pandas', 'torch', 'rich'} & sys.modules.keys()), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout
    assert done.stderr.strip() == ""


def test_info_tells_of_small_splits(built: Built, tmp_path: Path) -> None:
    out, _ = built
    assert json.loads(run("info", out, "--json").stdout)["warnings"] == []  # of the sample faces it is a note
    assert "note      the train split has" in run("info", out).stdout
    copy = tmp_path / "set"
    shutil.copytree(out, copy)
    dataset = json.loads((copy / "dataset.json").read_text())
    dataset["sources"]["kind"] = "folder"
    dataset["splits"]["basis"] = "source"
    (copy / "dataset.json").write_text(json.dumps(dataset))
    result = run("info", copy)
    assert result.stderr.startswith("warning: the train split has ")
    assert "--count" in result.stderr
    assert json.loads(run("info", copy, "--json").stdout)["warnings"] == [
        result.stderr.strip().removeprefix("warning: ")
    ]


def test_a_damaged_manifest_is_told_of(built: Built, tmp_path: Path) -> None:
    copy = tmp_path / "set"
    shutil.copytree(built[0], copy)
    key = next(iter(Manifest.load(copy)))
    pd.read_parquet(copy / "manifest.parquet").drop(columns=["key"]).to_parquet(copy / "manifest.parquet")
    for command in (["info", copy], ["show", key, "--dataset", copy]):
        assert_refused(run(*command), 1, "is not a manifest of fdgen", "'key'")
    (copy / "manifest.parquet").write_bytes(b"nonsense")
    for command in (["info", copy], ["show", key, "--dataset", copy]):
        assert_refused(run(*command), 1, "manifest.parquet cannot be read", "fdgen verify")


@pytest.mark.parametrize("command", [["info"], ["verify"], ["show", "f0-0", "--dataset"]], ids=lambda c: c[0])
def test_what_is_no_dataset_is_refused(command: list[str], tmp_path: Path) -> None:
    assert_refused(run(*command, tmp_path / "gone"), 1, str(tmp_path / "gone"))
    assert_refused(run(*command, tmp_path), 1, str(tmp_path))


def test_show_gives_the_record_and_four_pictures(built: Built, tmp_path: Path) -> None:
    out, _ = built
    manifest = Manifest.load(out)
    key = next(iter(manifest))
    sheet = tmp_path / "sheet.png"
    record = json.loads(run("show", key, "--dataset", out, "--out", sheet).stdout)
    shard = record.pop("shard")
    stored = json.loads(manifest.read_member(key, "json"))
    stored["placement"] = [json.loads(layer) for layer in stored["placement"]]
    stored["gates"] = json.loads(stored["gates"])
    assert record == stored
    assert shard == manifest.row(key)["shard"]
    picture = pixels(sheet.read_bytes())
    clean = pixels(manifest.read_member(key, "clean.png"))
    assert any((picture[top : top + 64, 4 : 4 + 64] == clean).all() for top in range(32))
    assert picture.shape[1] > 4 * 64


def test_show_refuses_an_unknown_key_and_a_sheet_of_no_known_kind(built: Built, tmp_path: Path) -> None:
    out, _ = built
    assert_refused(run("show", "f0-0", "--dataset", out), 1, "'f0-0'", "fdgen info")
    assert_refused(run("show", "f0-0", "--dataset", out, "--out", tmp_path / "sheet.pdf"), 2, "sheet.pdf", ".png")


def test_verify_finds_nothing_in_what_was_just_built(built: Built) -> None:
    out, _ = built
    result = run("verify", out)
    assert (result.exit_code, result.stdout) == (0, "")
    assert json.loads(run("verify", out, "--json", "--deep").stdout) == {
        "dataset": str(out),
        "ok": True,
        "problems": [],
    }


def test_verify_lists_what_is_wrong_and_exits_with_3(built: Built, tmp_path: Path) -> None:
    copy = tmp_path / "set"
    shutil.copytree(built[0], copy)
    shard = sorted((copy / "shards").glob("*.tar"))[0]
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 1
    shard.write_bytes(bytes(data))
    result = run("verify", copy)
    assert result.exit_code == 3
    rows = [line.split("\t") for line in result.stdout.splitlines()]
    assert rows
    assert all(len(row) == 4 for row in rows)
    assert all(shard.stem in row[1] for row in rows)
    assert "problem" in result.stderr
    found = json.loads(run("verify", copy, "--json", "--quiet").stdout)
    assert found["ok"] is False
    assert [problem["message"] for problem in found["problems"]] == [row[3] for row in rows]


def test_preview_writes_a_sheet_and_nothing_else(cache: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.png"
    arguments = ("--cache", cache, "--size", "64", "--kind", "sunglasses", "--count", "5", "--columns", "2")
    result = run("preview", "--out", sheet, *arguments)
    assert result.exit_code == 0, result.stderr
    assert result.stdout == ""
    assert list(tmp_path.iterdir()) == [sheet]
    height, width = pixels(sheet.read_bytes()).shape[:2]
    assert 6 * 64 < width < 7 * 64
    assert height == 4 + 16 + 3 * (64 + 4 + 16)  # a line of text above the columns, and one under each row


def test_preview_shows_what_a_build_would_make(built: Built, cache: Path, tmp_path: Path) -> None:
    """The first samples of the same recipe, pixel by pixel."""
    out, _ = built
    sheet = tmp_path / "sheet.png"
    result = run("preview", "--out", sheet, "--cache", cache, "--size", "64", "--count", "1", "--occluded-only")
    assert result.exit_code == 0, result.stderr
    picture = pixels(sheet.read_bytes())[4:68, 4:68]
    manifest = Manifest.load(out)
    members = [manifest.read_member(key, "occluded.png") for key in manifest]
    assert sum((pixels(data) == picture).all() for data in members) == 1


def test_preview_refuses(tmp_path: Path, cache: Path) -> None:
    sheet = tmp_path / "sheet.png"
    assert_refused(run("preview", "--out", sheet, "--kind", "maks"), 2, "--kind", "'mask'")
    assert_refused(run("preview", "--out", tmp_path / "sheet"), 2, ".png")
    assert_refused(run("preview", "--out", sheet, "--faces", tmp_path), 1, str(tmp_path))
    gone = tmp_path / "gone" / "sheet.png"
    arguments = ("--cache", cache, "--size", "64", "--kind", "sunglasses", "--count", "1")
    assert_refused(run("preview", "--out", gone, *arguments), 2, "--out", f"there is no folder {gone.parent}")


def test_assets_are_listed() -> None:
    library = AssetLibrary.load()
    listed = json.loads(run("assets", "list", "--json").stdout)
    assert {entry["id"]: entry["sha256"] for entry in listed} == library.digests()
    lines = run("assets", "list", "--kind", "mask").stdout.splitlines()
    assert [line.split()[0] for line in lines[1:]] == sorted(a.id for a in library.assets.values() if a.kind == "mask")
    assert_refused(run("assets", "list", "--kind", "maks"), 2, "'mask'")


def test_assets_are_drawn(cache: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.jpg"
    chosen = [asset_id for asset_id in AssetLibrary.load().digests() if asset_id.startswith("sunglasses")][:2]
    result = run("assets", "preview", *chosen, "--out", sheet, "--cache", cache)
    assert result.exit_code == 0, result.stderr
    assert "2 occluders" in result.stderr
    assert pixels(sheet.read_bytes()).shape[1] > 2 * 4 * 192
    assert_refused(run("assets", "preview", f"{chosen[0]}x", "--out", sheet), 2, f"'{chosen[0]}'")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_are_for_that_shell(shell: str) -> None:
    result = run("completion", shell)
    assert result.exit_code == 0
    assert "_FDGEN_COMPLETE" in result.stdout
    found = shutil.which(shell)
    if found:
        subprocess.run([found, "-n"], input=result.stdout, text=True, check=True)


def test_completion_completes_commands_and_recipes(monkeypatch: pytest.MonkeyPatch) -> None:
    from click.shell_completion import ShellComplete

    from cli.fdgen.main import program

    complete = ShellComplete(program, {}, "fdgen", "_FDGEN_COMPLETE")
    assert [item.value for item in complete.get_completions([], "pre")] == ["preview"]
    assert "masks" in [item.value for item in complete.get_completions(["build", "--recipe"], "ma")]


def test_datasets_reads_what_was_built(built: Built, tmp_path: Path) -> None:
    """All kinds in one table: their placements differ in every field."""
    from datasets import load_dataset

    out, summary = built
    files = {"train": str(out / "shards" / "train-*.tar")}
    rows = load_dataset("webdataset", data_files=files, split="train", cache_dir=str(tmp_path))
    manifest = Manifest.load(out)
    assert set(summary["kinds"]) >= {"hand", "mask", "sunglasses"}
    assert set(rows["__key__"]) == set(manifest.samples("train")["key"])
    rows.to_parquet(tmp_path / "rows.parquet")
    for row in rows:
        assert row["json"]["kinds"] == list(manifest.record(row["__key__"]).kinds)
        assert (np.asarray(row["clean.png"]) == pixels(manifest.read_member(row["__key__"], "clean.png"))).all()
