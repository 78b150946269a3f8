"""Versions from the command line: name, rebuild, compare, replay; on the faces that come with the package."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import fdgen.synthesis.generator
from fdgen.contract.manifest import Manifest
from fdgen.faces.folders import SAMPLES
from fdgen.verification.verifier import verify
from fdgen.versions.lock import write_lock
from tests.cli.conftest import BUILD
from tests.support.fake_build import samples_of
from tests.support.running import assert_refused, run, run_process

Built = tuple[Path, dict[str, Any]]


@pytest.fixture(scope="module")
def card(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the card of the small dataset."""
    folder = tmp_path_factory.mktemp("cards") / "default-1"
    write_lock(built[0], folder)
    return folder


def test_a_dataset_is_named_and_renamed(built: Built, cache: Path, tmp_path: Path) -> None:
    out = Path(shutil.copytree(built[0], tmp_path / "set"))
    assert built[1]["name"] == "default"
    assert built[1]["version"].startswith("0.0.0+")
    arguments = (*BUILD, "--out", out, "--cache", cache, "--json")
    done = run(*arguments, "--name", "four-people", "--version", "1.2.0")
    summary = json.loads(done.stdout)
    assert (summary["name"], summary["version"], summary["made_now"]) == ("four-people", "1.2.0", 0)
    assert (summary["spec_id"], summary["content_id"]) == (built[1]["spec_id"], built[1]["content_id"])
    assert "is called four-people 1.2.0 now" in done.stderr
    again = run(*arguments)
    assert json.loads(again.stdout)["version"] == "1.2.0"
    assert "is called" not in again.stderr
    assert json.loads(run("info", out, "--json").stdout)["version"] == "1.2.0"


@pytest.mark.parametrize(
    ("option", "value"), [("--name", "My Set"), ("--name", "../x"), ("--version", "1.2"), ("--version", "v1.2.0")]
)
def test_bad_names_are_wrong_usage(option: str, value: str, tmp_path: Path) -> None:
    assert_refused(run("build", "--out", tmp_path / "set", option, value), 2, repr(value))
    assert not (tmp_path / "set").exists()


@pytest.mark.slow
def test_a_version_is_reproduced_compared_and_changed(card: Path, built: Built, cache: Path, tmp_path: Path) -> None:
    """Rebuilt from the card alone: equal. One value changed: named, with exactly the samples that it changed."""
    out = tmp_path / "again"
    done = run_process("reproduce", card, "--out", out, "--cache", cache, "--workers", "1", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["same"]
    assert found["content_id"] == {"card": built[1]["content_id"], "rebuilt": built[1]["content_id"]}
    assert verify(out) == []
    other = tmp_path / "other"
    assert run_process(*BUILD, "--out", other, "--cache", cache, "--set", "coverage.max=0.2", "--quiet").returncode == 0
    told = json.loads(run("diff", card, other, "--json").stdout)
    assert told["fields"] == [{"name": "recipe.coverage.max", "before": 0.6, "after": 0.2}]
    before, after = samples_of(out), samples_of(other)
    changed = {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
    assert {one["key"] for one in told["samples"] if one["change"] != "moved"} == changed != set()
    words = run("diff", out, other, "--details")
    assert words.exit_code == 0
    assert "recipe.coverage.max  0.6  ->  0.2" in words.stdout
    assert all(key in words.stdout for key in changed)
    assert "the same: the settings" in run("diff", built[0], out).stdout


@pytest.mark.slow
def test_a_replaced_photograph_is_named_before_and_after_the_build(cache: Path, tmp_path: Path) -> None:
    folder = tmp_path / "faces"
    folder.mkdir()
    for picture in SAMPLES.glob("*.jpg"):
        shutil.copy(picture, folder)
    first, second = tmp_path / "first", tmp_path / "second"
    options = ("build", "--faces", folder, "--size", "64", "--cache", cache, "--workers", "1", "--quiet",
               "--set", "splits.train=1", "--set", "splits.val=0", "--set", "splits.test=0")  # fmt: skip
    assert run_process(*options, "--out", first).returncode == 0
    mine = tmp_path / "card"
    write_lock(first, mine)
    name = Manifest.load(first).table["source"].iloc[0]
    # The picture is a little brighter; the face is where it was.
    picture = cv2.imread(str(folder / name))
    cv2.imwrite(str(folder / name), np.clip(picture.astype(int) + 8, 0, 255).astype(np.uint8))
    refused = run("reproduce", mine, "--faces", folder, "--out", second, "--cache", cache)
    assert refused.exit_code == 3
    assert f"1 photograph is of other bytes; the first is {name}" in refused.stdout
    assert "--anyway" in refused.stderr
    assert not second.exists()
    done = run_process(
        "reproduce", mine, "--faces", folder, "--out", second, "--cache", cache, "--anyway", "--against", first,
        "--json", "--workers", "1",
    )  # fmt: skip
    assert done.returncode == 3, done.stderr
    told = json.loads(done.stdout)
    assert told["counts"]["changed"] == told["counts"]["changed"] + told["counts"]["same"] - 3 == 1
    assert told["first"]["source"] == name
    assert told["why"] == {"changed": {"source": 1}} | (
        {"moved": told["why"]["moved"]} if "moved" in told["why"] else {}
    )
    assert told["beyond_one_grey_level"] == [told["first"]["key"]]


def test_reproducing_needs_the_faces_and_a_card(card: Path, built: Built, cache: Path, tmp_path: Path) -> None:
    assert_refused(run("reproduce", tmp_path / "gone", "--cache", cache), 1, "is not a card")
    assert_refused(run("reproduce", built[0], "--cache", cache), 1, "is not a card")
    assert_refused(run("reproduce", card, "--faces", tmp_path / "gone", "--cache", cache), 1, "no folder")


def test_a_sample_is_replayed_to_the_last_bit(built: Built, tmp_path: Path) -> None:
    key = next(iter(Manifest.load(built[0])))
    sheet = tmp_path / "sheet.png"
    done = run("replay", key, "--dataset", built[0], "--out", sheet)
    assert done.exit_code == 0, done.output
    assert done.stdout == f"{key}: the same, every pixel and every value\n"
    assert cv2.imread(str(sheet)) is not None
    assert json.loads(run("replay", key, "--dataset", built[0], "--json").stdout)["same"] is True


def test_how_far_a_replay_is_off_is_told(built: Built, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    real = fdgen.synthesis.generator.composite_layers

    def darker(*arguments: Any) -> Any:
        occluded, mask, alpha = real(*arguments)
        return np.where(mask[..., None] > 0, np.maximum(occluded, 3) - 3, occluded).astype(np.uint8), mask, alpha

    monkeypatch.setattr(fdgen.synthesis.generator, "composite_layers", darker)
    key = next(iter(Manifest.load(built[0])))
    done = run("replay", key, "--dataset", built[0], "--out", tmp_path / "sheet.png")
    assert done.exit_code == 3
    assert f"{key}: occluded (" in done.stdout
    assert "by 3 grey levels at most" in done.stdout
    assert "mask (" not in done.stdout
    found = verify(built[0], deep=True)
    assert len(found) == 12
    some = verify(built[0], deep=True, share=0.4)
    assert 0 < len(some) < 12
    assert {one.key for one in some} < {one.key for one in found}
    assert verify(built[0], deep=True, share=0.4) == some
    assert verify(built[0], deep=True, share=0.4, seed=1) != some


def test_replays_that_cannot_be_are_sentences(built: Built, tmp_path: Path) -> None:
    key = next(iter(Manifest.load(built[0])))
    assert_refused(run("replay", "nobody", "--dataset", built[0]), 1, "'nobody'")
    assert_refused(run("replay", key, "--dataset", tmp_path), 1, "not a dataset")
    damaged = Path(shutil.copytree(built[0], tmp_path / "set"))
    row = Manifest.load(damaged).row(key)
    path = damaged / "shards" / f"{row['shard']}.tar"
    data = bytearray(path.read_bytes())
    data[row["occluded_png_offset"] + 40] ^= 1
    path.write_bytes(data)
    assert_refused(run("replay", key, "--dataset", damaged), 1, f"{key}.occluded.png", "altered")


def test_verify_takes_a_share_and_a_card(built: Built, card: Path, tmp_path: Path) -> None:
    assert run("verify", built[0], "--deep-share", "0.2", "--workers", "1").exit_code == 0
    assert run("verify", built[0], "--deep-share", "0").exit_code == 2
    assert run("verify", card).exit_code == 0
    damaged = Path(shutil.copytree(card, tmp_path / "card"))
    (damaged / "samples.parquet").write_bytes(b"")
    done = run("verify", damaged)
    assert done.exit_code == 3
    assert done.stdout.startswith("sha256\tsamples.parquet\t")
    assert "download the card again" in done.stderr
