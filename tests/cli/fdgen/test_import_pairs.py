"""`fdgen import`: what it says, what it refuses, and that what it makes can be trained on."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from cli.fdtrain.main import program as fdtrain
from fdgen.io.pictures.png import encode_png
from fdtrain.training.loop import fit
from tests.support.micro import micro
from tests.support.running import assert_refused, run
from tests.support.sets import write_pairs

Roots = tuple[Path, Path, Path]


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Roots:
    return write_pairs(tmp_path_factory.mktemp("pairs"), folders=("train", "train", "val", "test"))


def arguments(roots: Roots, out: Path) -> list[str | Path]:
    return ["import", "--clean", roots[0], "--occluded", roots[1], "--masks", roots[2], "--out", out]


def test_it_tells_what_it_made_and_readers_take_it(pairs: Roots, tmp_path: Path) -> None:
    out = tmp_path / "set"
    done = run(*arguments(pairs, out), "--name", "others", "--json")
    assert done.exit_code == 0, done.stderr
    facts = json.loads(done.stdout)
    assert (facts["ok"], facts["made"], facts["name"]) == (True, 24, "others")
    assert run("verify", out).exit_code == 0
    told = run("info", out).stdout
    assert "made by another program" in " ".join(told.split())
    assert "yaw" not in told
    assert "asked" not in told
    key = json.loads(run("info", out, "--json").stdout)["example_keys"][0]
    assert run("show", key, "--dataset", out).exit_code == 0
    assert_refused(run("replay", key, "--dataset", out), 1, "was imported", "fdgen show")
    assert_refused(run("verify", out, "--deep"), 1, "were imported")
    assert_refused(run("card", out, "--out", tmp_path / "card"), 1, "were imported")
    again = run(*arguments(pairs, out), "--name", "others", "--json")
    assert json.loads(again.stdout)["content_id"] == facts["content_id"]


def test_every_fault_is_a_line_and_the_code_is_that_of_a_check(pairs: Roots, tmp_path: Path) -> None:
    roots = write_pairs(tmp_path / "own", 8)
    for number in (2, 5):
        (roots[2] / f"{number:04d}.png").write_bytes(encode_png(np.full((64, 64), 7, np.uint8)))
    done = run(*arguments(roots, tmp_path / "set"))
    assert done.exit_code == 3
    lines = [line.split("\t") for line in done.stdout.splitlines()]
    assert [(line[0], line[1]) for line in lines] == [("mask-levels", "0002.png"), ("mask-levels", "0005.png")]
    assert "--skip-faulty" in done.stderr
    assert not (tmp_path / "set").exists()
    assert not json.loads(run(*arguments(roots, tmp_path / "set"), "--json").stdout)["ok"]
    assert run(*arguments(roots, tmp_path / "set"), "--skip-faulty").exit_code == 0
    assert (tmp_path / "set" / "rejects.csv").read_text().count("mask-levels") == 2


def test_shares_must_add_up(pairs: Roots, tmp_path: Path) -> None:
    assert_refused(run(*arguments(pairs, tmp_path / "set"), "--splits", "0.5", "0.1", "0.1"), 2, "--splits must be")


def test_a_network_is_trained_and_measured_on_it(pairs: Roots, tmp_path: Path) -> None:
    data = tmp_path / "set"
    assert run(*arguments(pairs, data), "--kind", "mask").exit_code == 0
    assert fit(micro(data, "training.images=16"), tmp_path / "run").finished
    words = ["eval", "--weights", str(tmp_path / "run"), "--data", str(data), "--measures", "none"]
    done = CliRunner().invoke(fdtrain, words, prog_name="fdtrain")
    assert done.exit_code == 0, done.output
    assert "mask" in done.output
