"""`fdtrain ablate`: what it writes, and one sentence for what is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli.fdtrain import ablate
from fdtrain.comparison import ablation
from tests.cli.fdtrain.test_compare import run
from tests.fdtrain.comparison.test_ablation import MICRO
from tests.support.sets import write_set


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_set(tmp_path_factory.mktemp("data") / "set", 40)


def test_names_are_those_of_the_library() -> None:
    assert tuple(ablation.AXES) == ablate.AXES


@pytest.mark.slow
def test_an_axis_is_trained_once_a_choice_and_goes_on(data: Path, tmp_path: Path) -> None:
    options = [
        "--axis",
        "se",
        "--preset",
        "tiny",
        "--images",
        "8",
        "--limit",
        "3",
        "--measures",
        "none",
        "--size",
        "32",
    ]
    options += [part for one in MICRO for part in ("--set", one)]
    result = run("ablate", "--data", data, "--out", tmp_path / "out", *options)
    assert result.exit_code == 0, result.output
    for words in ("Squeeze-and-excitation", "Against SE", "One seed: no test", "no SE"):
        assert words in result.stdout
    assert (tmp_path / "out" / "table.txt").read_text() == result.stdout
    again = run("ablate", "--data", data, "--out", tmp_path / "out", *options, "--json")
    assert "training" not in again.stderr
    assert json.loads(again.stdout)["changes"]["no SE"] == ["network.se_ratio=0"]


def test_a_plan_is_printed_and_nothing_done(data: Path, tmp_path: Path) -> None:
    options = ("--table", "2", "--preset", "modern", "--seconds", "60", "--dry-run", "--json")
    result = run("ablate", "--data", data, "--out", tmp_path / "out", *options)
    assert result.exit_code == 0, result.output
    rows = {row["row"]: row for row in json.loads(result.stdout)["rows"]}
    assert (rows["one stage"]["seeds"], rows["one stage"]["what"]) == (3, "modern-64")
    assert rows["one stage"]["parameters"] < rows["two stages"]["parameters"] / 1.9
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--images", "5"), "one of --table, --axis and --unseen"),
        (("--table", "2", "--axis", "se", "--images", "5"), "one of --table, --axis and --unseen"),
        (("--table", "2"), "name one budget"),
        (("--table", "2", "--images", "5", "--seconds", "5"), "name one budget"),
        (("--table", "2", "--preset", "glcm", "--images", "5"), "is not the paper's network"),
        (("--unseen", "hat", "--images", "5"), "is of kind 'hat'"),
        (("--table", "2", "--images", "5", "--set", "loss.l2=1"), "there is no setting 'loss.l2'"),
    ],
)
def test_what_is_wrong_is_one_sentence(options: tuple[str, ...], words: str, data: Path, tmp_path: Path) -> None:
    result = run("ablate", "--data", data, "--out", tmp_path / "out", *options)
    assert result.exit_code in (1, 2)
    assert words in result.stderr
    assert "Traceback" not in result.output
    assert not (tmp_path / "out").exists()
