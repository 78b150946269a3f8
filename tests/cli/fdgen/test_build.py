"""`fdgen build`: what a user types, what he gets, and what he is told where it cannot be."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from fdgen.contract.manifest import Manifest
from fdgen.faces.folders import SAMPLES
from fdgen.io.pictures.contact_sheet import encode_jpeg
from fdgen.io.pictures.images import decode, resize
from fdgen.recipe.schema import Recipe
from tests.cli.conftest import BUILD
from tests.support.running import COMMAND, assert_refused, run, run_process

Built = tuple[Path, dict[str, Any]]


def test_a_dataset_is_made_and_summed_up(built: Built) -> None:
    out, summary = built
    manifest = Manifest.load(out)
    assert len(manifest) == summary["samples"] == summary["made_now"] == 12
    assert sum(summary["kinds"].values()) == 12
    assert sum(summary["splits"].values()) == 12
    assert summary["content_id"] == manifest.dataset["content_id"]
    assert Path(summary["sheet"]).is_file()


def test_running_it_again_keeps_everything(built: Built, cache: Path) -> None:
    out, summary = built
    before = {path: path.stat().st_mtime_ns for path in (out / "shards").iterdir()}
    done = run_process(*BUILD, "--out", out, "--cache", cache, "--json")
    again = json.loads(done.stdout)
    assert again["made_now"] == 0
    assert again["content_id"] == summary["content_id"]
    assert {path: path.stat().st_mtime_ns for path in (out / "shards").iterdir()} == before
    assert "(kept)" in done.stderr


@pytest.mark.slow
def test_words_go_to_standard_error_with_a_line_a_shard(cache: Path, tmp_path: Path) -> None:
    done = run_process(*BUILD, "--recipe", "sunglasses", "--out", tmp_path / "set", "--cache", cache)
    assert done.returncode == 0
    assert done.stdout == ""
    shards = [path.stem for path in (tmp_path / "set" / "shards").glob("*.tar")]
    for name in shards:
        assert sum(line.startswith(f"{name}  ") for line in done.stderr.splitlines()) == 1
    assert "preview.jpg" in done.stderr
    assert "\x1b" not in done.stderr


@pytest.mark.slow
def test_a_profile_counts_all_processes_and_changes_nothing(built: Built, cache: Path, tmp_path: Path) -> None:
    out = ("--out", tmp_path / "set", "--cache", cache)
    done = run_process(*BUILD, *out, "--profile", "--workers", "2", "--json")
    summary = json.loads(done.stdout)
    assert summary["content_id"] == built[1]["content_id"]
    calls = {row["step"]: row["calls"] for row in summary["profile"]}
    assert calls["choose and check"] >= 12
    assert calls["encode PNGs"] >= 4 * 12
    assert "everything else" in calls
    table = run_process(*BUILD, *out, "--profile", "--quiet").stdout
    assert table.splitlines()[0].split() == ["step", "calls", "CPU", "s", "share", "ms", "a", "sample"]
    assert table.splitlines()[-1].startswith("all ")


def test_a_dry_run_has_no_profile(tmp_path: Path) -> None:
    assert_refused(run("build", "--out", tmp_path / "set", "--dry-run", "--profile"), 2, "--profile", "--dry-run")


@pytest.mark.slow
def test_parts_are_joined_to_the_dataset_of_one_build(built: Built, cache: Path, tmp_path: Path) -> None:
    command = (*BUILD, "--out", tmp_path / "set", "--cache", cache)
    for part in ("1/2", "0/2"):
        done = run_process(*command, "--part", part, "--json")
        assert done.returncode == 0, done.stderr
        summary = json.loads(done.stdout)
        assert summary["part"] == part
        assert summary["shards"] > 0
        assert "without --part" in done.stderr
    assert not summary["waiting"]
    assert json.loads(run_process(*command, "--json").stdout)["content_id"] == built[1]["content_id"]


@pytest.mark.parametrize(
    "arguments", [("--part", "2/2"), ("--part", "0/2", "--dry-run"), ("--part", "0/2", "--profile")]
)
def test_a_part_that_cannot_be_is_refused(arguments: tuple[str, ...], tmp_path: Path) -> None:
    assert_refused(run("build", "--out", tmp_path / "set", *arguments), 2, "--part", "fdgen build --help")
    assert not (tmp_path / "set").exists()


@pytest.mark.slow
def test_an_executor_of_local_processes_is_as_many_workers(built: Built, cache: Path, tmp_path: Path) -> None:
    words = [word for word in BUILD if word not in ("--workers", "1")]
    done = run_process(*words, "--out", tmp_path / "set", "--cache", cache, "--executor", "local:2", "--json")
    assert json.loads(done.stdout)["content_id"] == built[1]["content_id"]


@pytest.mark.parametrize(
    "arguments",
    [("--executor", "mpi:4"), ("--executor", "local:2", "--workers", "2"), ("--executor", "dask:local:2", "--profile")],
)
def test_an_executor_that_cannot_be_is_refused(arguments: tuple[str, ...], tmp_path: Path) -> None:
    assert_refused(run("build", "--out", tmp_path / "set", *arguments), 2, "--executor", "fdgen build --help")


@pytest.mark.slow
def test_occluders_are_tried_on_for_strata_once(cache: Path, tmp_path: Path) -> None:
    """With a step of their own in whatever command comes first, and no more in those that follow."""
    others = [f"kinds.{kind}=0" for kind in Recipe.load().kinds.shares() if kind != "sunglasses"]
    strata = [f"--set={value}" for value in (*others, "strata.region.eyes=1")]
    kept = tmp_path / "faces.sqlite"
    shutil.copy(cache, kept)
    settings = ("--size", "64", "--cache", kept, *strata)
    commands = [
        ("build", "--count", "2", "--workers", "1", "--out", tmp_path / "one", "--dry-run", *settings),
        ("build", "--count", "2", "--workers", "1", "--out", tmp_path / "one", *settings),
        ("build", "--count", "3", "--workers", "1", "--out", tmp_path / "two", *settings),
        ("preview", "--count", "1", "--workers", "1", "--out", tmp_path / "sheet.png", *settings),
        ("recipe", "check", "default", "--cache", kept, *strata),
    ]
    told = []
    for command in commands:
        done = run(*command)
        assert done.exit_code == 0, done.stderr
        told.append("trying on occluders" in done.stderr)
    assert told == [True, False, False, False, False]
    assert "trying on occluders" in run("recipe", "check", "default", "--no-cache", *strata).stderr


@pytest.mark.slow
def test_strata_and_several_occluders_end_to_end(cache: Path, tmp_path: Path) -> None:
    """The same bytes for one worker and two, every sample replayed, and every sample as asked."""
    file = tmp_path / "mine.toml"
    others = [f"{kind} = 0.0" for kind in Recipe.load().kinds.shares() if kind not in ("hand", "sunglasses")]
    file.write_text(
        'splits.mode = "source"\n[several]\ntwo = 0.6\n[strata.region]\neyes = 1.0\n'
        '[strata.coverage]\n"0.05-0.60" = 1.0\n' + "\n".join(["[kinds]", *others, ""]),
        encoding="utf-8",
    )
    options = ("--recipe", file, "--count", "12", "--size", "64", "--set", "shards.samples=4", "--cache", cache)
    ids = set()
    for workers in ("1", "2"):
        out = tmp_path / f"by-{workers}"
        done = run_process("build", *options, "--workers", workers, "--out", out, "--json", "--quiet")
        assert done.returncode == 0, done.stderr
        ids.add(json.loads(done.stdout)["content_id"])
    assert len(ids) == 1
    manifest = Manifest.load(tmp_path / "by-1")
    assert (manifest.table["coverage_eyes"] >= 0.5).all()
    assert {json.loads(text)[-1] for text in manifest.table["kinds"] if "," in text} == {"hand"}
    assert run_process("verify", tmp_path / "by-1", "--deep").returncode == 0


def test_a_dry_run_writes_nothing_and_tells_the_resolved_recipe(tmp_path: Path) -> None:
    out = tmp_path / "set"
    arguments = ("--out", out, "--dry-run", "--count", "100", "--recipe", "masks", "--set", "seed=1", "--seed", "2")
    plan = json.loads(run("build", *arguments, "--json").stdout)
    assert plan["count"] == 100
    assert plan["recipe"]["seed"] == 2
    assert {kind for kind, weight in plan["recipe"]["kinds"].items() if weight} == {"mask"}
    assert not out.exists()
    words = run("build", *arguments)
    assert "recipe.seed" in words.stdout
    assert plan["spec_id"] in words.stdout


def test_a_dry_run_foretells_the_id(built: Built) -> None:
    out, summary = built
    plan = json.loads(run(*BUILD, "--out", out, "--dry-run", "--json").stdout)
    assert plan["spec_id"] == summary["spec_id"]
    assert plan["shards_done"] == sum(plan["shards"].values())


def test_another_recipe_in_the_same_folder_is_refused(built: Built, cache: Path) -> None:
    out, summary = built
    result = run(*BUILD, "--out", out, "--cache", cache, "--seed", "5")
    assert_refused(result, 1, str(out), "recipe.seed", "0 -> 5")
    assert Manifest.load(out).dataset["content_id"] == summary["content_id"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--set", "coverage.mxa=0.5"], ["coverage.mxa", "'coverage.max'"]),
        (["--set", "coverage.max=5"], ["coverage.max", "[0, 1]"]),
        (["--set", "coverage.max"], ["coverage.max", "KEY=VALUE"]),
        (["--recipe", "maskss"], ["'maskss'", "'masks'"]),
        (["--recipe", "gone.toml"], ["gone.toml"]),
        (["--size", "5"], ["size_px", "64"]),
        (["--count", "0"], ["--count"]),
        (["--cache", "x", "--no-cache"], ["--cache", "--no-cache"]),
        (["--splits", "auto"], ["--splits"]),
    ],
    ids=" ".join,
)
def test_wrong_usage_is_refused_before_anything_is_written(
    arguments: list[str], words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert_refused(run("build", "--out", "set", *arguments), 2, *words)
    assert list(tmp_path.iterdir()) == []


def test_an_out_is_needed() -> None:
    assert_refused(run("build"), 2, "--out")


def test_bad_faces_are_refused(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    assert_refused(run("build", "--out", tmp_path / "set", "--faces", tmp_path / "gone"), 1, str(tmp_path / "gone"))
    assert_refused(run("build", "--out", tmp_path / "set", "--faces", empty), 1, str(empty))
    assert not (tmp_path / "set").exists()


def test_a_folder_of_corrupt_pictures_is_refused_by_reason(tmp_path: Path) -> None:
    folder = tmp_path / "faces"
    folder.mkdir()
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "torn.jpg").write_bytes((SAMPLES / "grace_hopper.jpg").read_bytes()[:3000])
    result = run_process("build", "--out", tmp_path / "set", "--faces", folder, "--cache", tmp_path / "cache")
    assert result.returncode == 1
    assert result.stdout == ""
    assert "error: " in result.stderr
    assert "empty-file 1" in result.stderr
    assert "Traceback" not in result.stderr


def test_one_bad_picture_among_good_ones_is_listed(tmp_path: Path) -> None:
    folder = tmp_path / "faces"
    shutil.copytree(SAMPLES, folder, ignore=shutil.ignore_patterns("*.py", "__pycache__", "*.json"))
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "torn.jpg").write_bytes((SAMPLES / "grace_hopper.jpg").read_bytes()[:3000])
    out = tmp_path / "set"
    done = run_process(
        "build", "--out", out, "--faces", folder, "--cache", tmp_path / "cache", "--json", "--size", "64",
        "--recipe", "masks", "--set", "splits.val=0", "--set", "splits.test=0", "--set", "splits.train=1",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert summary["samples"] == 4
    assert summary["rejects"]["empty-file"] == 1
    assert sum(summary["rejects"].values()) == 2
    listed = (out / "rejects.csv").read_text(encoding="utf-8")
    assert "empty.jpg" in listed
    assert "torn.jpg" in listed


def test_an_out_that_is_not_ours_is_refused_and_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("mine")
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "index.json").write_text("{}")
    assert_refused(run("build", "--out", file), 1, str(file))
    assert_refused(run("build", "--out", file / "under"), 1, str(file))
    assert_refused(run("build", "--out", foreign), 1, str(foreign), "index.json")
    assert file.read_text() == "mine"
    assert [path.name for path in foreign.iterdir()] == ["index.json"]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="nothing is read-only to root")
def test_a_read_only_out_is_refused(tmp_path: Path, cache: Path) -> None:
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o555)
    assert_refused(run(*BUILD, "--out", locked / "set", "--cache", cache), 1, str(locked), "permission denied")


@pytest.mark.slow
@pytest.mark.sample
@pytest.mark.parametrize("command", ["build", "landmarks"])
def test_a_request_to_end_is_as_ctrl_c(command: str, tmp_path: Path) -> None:
    """What `kill` and job schedulers send; the workers' semaphores must not be left to Python's resource tracker."""
    words = {
        "build": ["build", "--out", tmp_path / "set", "--count", "400", "--size", "64", "--set", "shards.samples=50"],
        "landmarks": ["landmarks", "--faces", tmp_path / "faces"],
    }[command]
    (tmp_path / "faces").mkdir()
    photograph = encode_jpeg(resize(decode((SAMPLES / "grace_hopper.jpg").read_bytes(), name="it"), 178, 218), 90)
    for number in range(4000 if command == "landmarks" else 0):  # more than are looked at until then
        (tmp_path / "faces" / f"{number}.jpg").write_bytes(photograph + number.to_bytes(2, "little"))
    words = [*COMMAND, *map(str, words), "--cache", str(tmp_path / "cache"), "--workers", "2"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    assert "landmarks ...\n" in process.stderr  # reads up to there: before, there is nothing to resume
    time.sleep(1.5)  # by now workers are starting, or at work
    process.send_signal(signal.SIGTERM)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130, stderr
    assert "interrupted" in stderr
    assert "run the same command again to resume" in stderr
    assert "leaked" not in stderr
    assert "Traceback" not in stderr


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.sample)])
def test_ctrl_c_keeps_what_is_finished_and_the_next_run_goes_on(workers: int, cache: Path, tmp_path: Path) -> None:
    out = tmp_path / "set"
    arguments = [
        "build",
        "--out",
        out,
        "--recipe",
        "sunglasses",
        "--count",
        "120",
        "--size",
        "64",
        "--set",
        "shards.samples=4",
    ]
    command = [*COMMAND, *map(str, arguments), "--cache", str(cache), "--workers", str(workers)]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    deadline = time.monotonic() + 120
    receipts = "train-*.json"  # of shards with samples: the one face of the test split takes no sunglasses
    while len(list((out / "shards").glob(receipts))) < 2 and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)  # a terminal sends it to the whole group, workers too
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 130, stderr
    assert stdout == ""
    assert "interrupted" in stderr
    assert f"kept in {out}" in stderr
    assert "Traceback" not in stderr
    kept = set((out / "shards").glob("*.tar"))
    assert 0 < len(kept) < 30
    done = run_process(*arguments, "--cache", cache, "--json")
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert summary["samples"] == 120
    assert summary["made_now"] <= 120 - 4 * 2
