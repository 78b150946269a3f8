"""`fdtrain report`: the files that it writes, what it says, and an evaluation whose weights are named."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cli.fdtrain.main import program
from tests.support.running import assert_refused
from tests.support.sets import write_set
from tests.support.weights import write_weights


def run(*arguments: str | Path) -> Result:
    """Run fdtrain in this process."""
    return CliRunner().invoke(program, [str(argument) for argument in arguments], prog_name="fdtrain")


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """Return a dataset, weights, and the folder of their evaluation."""
    place = tmp_path_factory.mktemp("place")
    data, weights = write_set(place / "set", 40), write_weights(place / "mine.safetensors")
    options = ("--references", "copy,telea", "--measures", "none", "--rows", "1", "-q")
    made = run("eval", "--data", data, "--weights", weights, "--out", place / "measured", *options)
    assert made.exit_code == 0, made.output
    return data, weights, place / "measured"


def test_an_evaluation_becomes_a_page_and_tables(evaluated: tuple[Path, Path, Path], tmp_path: Path) -> None:
    data, weights, folder = evaluated
    out = tmp_path / "page.html"
    arguments = ("report", folder, "--out", out, "--pictures", "1", "--title", "Mine")
    result = run(*arguments, "--markdown", tmp_path / "t.md", "--latex", tmp_path / "t.tex")
    assert result.exit_code == 0, result.stderr
    assert result.stdout == ""
    assert "without pictures: name the dataset with --data" in result.stderr
    text = out.read_text(encoding="utf-8")
    assert "<title>Mine</title>" in text
    for title in (
        "Inside the mask",
        "Against mine",
        "by kind of occluder",
        "made without pictures",
    ):
        assert title in text
    assert "| method |" in (tmp_path / "t.md").read_text(encoding="utf-8")
    assert "\\begin{tabular}" in (tmp_path / "t.tex").read_text(encoding="utf-8")

    assert run(*arguments, "--data", data, "-q").exit_code == 0
    assert "No pictures by mine: name the weights" in out.read_text(encoding="utf-8")
    assert run(*arguments, "--data", data, "--weights", f"mine={weights}", "-q").exit_code == 0
    names = set(re.findall(r'data-name="([^"]+)"', out.read_text(encoding="utf-8")))
    assert names == {"Telea", "mine, stage I", "mine", "clean"}
    assert run(*arguments, "--data", data, "--weights", f"mine={weights}", "--methods", "mine", "-q").exit_code == 0
    names = set(re.findall(r'data-name="([^"]+)"', out.read_text(encoding="utf-8")))
    assert names == {"mine, stage I", "mine", "clean"}


def test_what_cannot_be_reported_is_one_sentence(evaluated: tuple[Path, Path, Path], tmp_path: Path) -> None:
    data, _, folder = evaluated
    out = tmp_path / "page.html"
    assert_refused(run("report", tmp_path / "none", "--out", out), 1, "there is no such folder")
    assert_refused(run("report", data, "--out", out), 1, "is neither a run nor an evaluation nor a comparison")
    assert_refused(run("report", folder, "--out", out, "--data", folder), 1, "fdgen build")
    assert_refused(run("report", folder, "--out", out, "--weights", "mine"), 2, "is not of the form NAME=FILE")
    other = write_set(tmp_path / "other", 24)
    assert_refused(run("report", folder, "--out", out, "--data", other), 1, "measured is of dataset")
    methods = ("--methods", "lama", "--data", data, "-q")
    assert_refused(run("report", folder, "--out", out, *methods), 1, "is a method 'lama'")
    assert not out.exists()
    record = folder / "eval.json"
    before = record.read_bytes()
    assert_refused(run("report", folder, "--out", record), 2, "the name of an input of the report")
    assert_refused(run("report", folder, "--out", out, "--markdown", record), 2, "the name of an input of the report")
    assert record.read_bytes() == before
    assert_refused(run("report", folder, "--out", out, "--markdown", out), 2, "name the same file")
