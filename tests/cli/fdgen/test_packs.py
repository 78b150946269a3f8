"""Occluders of one's own, as a user adds them: add, check, look, build, verify, resume; and each of them refused."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from fdgen.contract.manifest import Manifest
from tests.support.cutouts import cloth_mask, mug, png
from tests.support.running import assert_refused, run

ONLY = ("--recipe", "masks", "--set", "assets.include=['mask-cloth']")
SMALL = ("--count", "6", "--size", "64", "--set", "shards.samples=2", "--quiet")


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a pack that one command made."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "cloth.png").write_bytes(png(cloth_mask()))
    arguments = ("--kind", "mask", "--pack", folder / "pack", "--licence", "CC0-1.0", "--origin", "painted")
    added = run("assets", "add", folder / "cloth.png", *arguments)
    assert added.exit_code == 0, added.stderr
    assert added.stdout == "mask-cloth\n"
    assert f"fdgen assets preview mask-cloth --pack {folder / 'pack'}" in added.stderr
    return folder / "pack"


@pytest.fixture(scope="module")
def worn(pack: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a dataset that wears it and nothing else."""
    out = tmp_path_factory.mktemp("worn") / "set"
    built = run("build", "--out", out, "--pack", pack, *ONLY, *SMALL, "--workers", "1", "--cache", cache)
    assert built.exit_code == 0, built.stderr
    return out


def test_it_is_listed_checked_and_drawn(pack: Path, cache: Path, tmp_path: Path) -> None:
    assert "mask-cloth  " in run("assets", "list", "--pack", pack).stdout
    assert "mask-cloth  " not in run("assets", "list").stdout
    checked = run("assets", "check", pack)
    assert (checked.exit_code, checked.stdout) == (0, "")
    sheet = tmp_path / "sheet.png"
    drawn = run("assets", "preview", "mask-cloth", "--pack", pack, "--out", sheet, "--cache", cache, "--workers", "1")
    assert drawn.exit_code == 0, drawn.stderr
    assert sheet.stat().st_size > 10_000


def test_a_dataset_wears_it_and_names_no_folder(worn: Path, pack: Path) -> None:
    manifest = Manifest.load(worn)
    assert [manifest.record(key).asset_ids for key in manifest] == [("mask-cloth",)] * 6
    index = json.loads((pack / "index.json").read_text(encoding="utf-8"))
    assert manifest.dataset["assets"]["mask-cloth"] == index["assets"][0]["sha256"]
    for path in worn.rglob("*.json"):
        text = path.read_text(encoding="utf-8")
        assert str(pack) not in text
        assert '"packs"' not in text


def test_it_is_replayed_with_its_pack_alone(worn: Path, pack: Path, tmp_path: Path) -> None:
    whole = run("verify", worn, "--deep", "--pack", pack, "--workers", "1")
    assert (whole.exit_code, whole.stdout) == (0, ""), whole.output
    assert run("verify", worn).exit_code == 0
    assert_refused(run("verify", worn, "--deep"), 1, "uses mask-cloth, and this asset is missing", "--pack")
    changed = tmp_path / "changed"
    shutil.copytree(pack, changed)
    table = changed / "mask" / "cloth.toml"
    table.write_text(table.read_text(encoding="utf-8") + "\n# worn now\n", encoding="utf-8")
    assert_refused(run("verify", worn, "--deep", "--pack", changed), 1, "mask-cloth", "altered")
    assert run("assets", "index", changed).exit_code == 0
    assert_refused(run("verify", worn, "--deep", "--pack", changed), 1, "mask-cloth differs from what the dataset")


def test_a_build_goes_on_with_the_same_pack_wherever_it_lies(
    worn: Path, pack: Path, cache: Path, tmp_path: Path
) -> None:
    out, moved = tmp_path / "set", tmp_path / "moved"
    shutil.copytree(worn, out)
    shutil.copytree(pack, moved)
    before = Manifest.load(out).dataset["content_id"]
    for path in (out / "shards").glob("train-00001.*"):
        path.unlink()
    again = ("build", "--out", out, *ONLY, *SMALL, "--cache", cache, "--json")
    done = run(*again, "--pack", moved, "--workers", "1")
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout)["made_now"] == 2
    assert json.loads(done.stdout)["content_id"] == before
    table = moved / "mask" / "cloth.toml"
    table.write_text(re.sub("delight = 0.7", "delight = 0.6", table.read_text(encoding="utf-8")), encoding="utf-8")
    assert_refused(run(*again, "--pack", moved), 1, "mask-cloth differs from the index", "fdgen assets index")
    assert run("assets", "index", moved).exit_code == 0
    assert_refused(run(*again, "--pack", moved), 1, "1 changed (mask-cloth)")
    without = [argument for argument in again if argument not in ("assets.include=['mask-cloth']",)]
    without.remove("--set")
    assert_refused(run(*without), 1, "1 removed (mask-cloth)", "--pack")
    assert_refused(run(*again), 2, "no asset matches that")


@pytest.mark.slow
def test_workers_wear_the_same(worn: Path, pack: Path, cache: Path, tmp_path: Path) -> None:
    out = tmp_path / "set"
    built = run("build", "--out", out, "--pack", pack, *ONLY, *SMALL, "--workers", "2", "--cache", cache)
    assert built.exit_code == 0, built.stderr
    assert Manifest.load(out).dataset["content_id"] == Manifest.load(worn).dataset["content_id"]


def test_what_is_wrong_is_listed_a_line_each(pack: Path, tmp_path: Path) -> None:
    (tmp_path / "cup.png").write_bytes(png(mug()))
    spoilt = tmp_path / "pack"
    shutil.copytree(pack, spoilt)
    added = run("assets", "add", tmp_path / "cup.png", "--kind", "hand", "--pack", spoilt)
    assert added.exit_code == 0, added.stderr
    assert "no licence is given" in added.stderr
    checked = run("assets", "check", spoilt)
    assert checked.exit_code == 3
    lines = [line.split("\t") for line in checked.stdout.splitlines()]
    assert [line[:2] for line in lines] == [["hand-cup", "no licence is given"], ["hand-cup", "no origin is given"]]
    as_json = json.loads(run("assets", "check", spoilt, "--json").stdout)
    assert (as_json["ok"], len(as_json["findings"])) == (False, 2)


def test_refusals(pack: Path, tmp_path: Path) -> None:
    (tmp_path / "cup.png").write_bytes(png(mug()))
    (tmp_path / "photo.png").write_bytes(png(mug()[..., :3]))
    add = ("assets", "add")
    assert_refused(run(*add, tmp_path / "cup.png", "--kind", "maks", "--pack", pack), 2, "--kind", "'mask'")
    assert_refused(run(*add, tmp_path / "cup.png", "--kind", "hand", "--form", "crad"), 2, "--form", "'card'")
    assert_refused(run(*add, tmp_path / "photo.png", "--kind", "mask", "--pack", pack), 1, "no transparency")
    assert_refused(run(*add, tmp_path / "gone.png", "--kind", "mask", "--pack", pack), 1, "gone.png")
    assert_refused(run("assets", "check", tmp_path / "gone"), 1, "there is no pack")
    assert_refused(run("assets", "list", "--pack", tmp_path), 1, "is not a pack")
    assert_refused(run("build", "--out", tmp_path / "set", "--pack", tmp_path / "gone"), 1, "there is no pack")
    assert not (tmp_path / "set").exists()
