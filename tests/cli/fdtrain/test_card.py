"""`fdtrain card`: what it writes and says, and the exit code of a check."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cli.fdtrain.main import program
from tests.support.reported import write_run
from tests.support.running import assert_refused
from tests.support.sets import write_set
from tests.support.weights import write_weights


def run(*arguments: str | Path) -> Result:
    """Run fdtrain in this process."""
    return CliRunner().invoke(program, [str(argument) for argument in arguments], prog_name="fdtrain")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_set(tmp_path_factory.mktemp("data") / "set", 40)


@pytest.mark.slow
def test_a_run_gets_a_card_that_is_checked_and_found_out(data: Path, tmp_path: Path) -> None:
    folder = write_run(data, tmp_path / "run")
    made = run("card", folder, "--json")
    assert made.exit_code == 0, made.stderr
    assert json.loads(made.stdout) == {"card": str(folder)}
    text = (folder / "README.md").read_text(encoding="utf-8")
    assert text.startswith("---\nlicense: ")
    for wanted in ("pipeline_tag: image-to-image", "## Making it again", "fdtrain fit --data DATASET", "Validations:"):
        assert wanted in text
    assert "photographs of which nothing is recorded" in text
    checked = run("card", folder, "--check")
    assert (checked.exit_code, checked.stdout) == (0, ""), checked.output
    (folder / "README.md").write_text(text.replace("fills the inpainted region", "fills anything"), encoding="utf-8")
    edited = run("card", folder, "--check")
    assert edited.exit_code == 3
    assert edited.stdout.startswith("card\tREADME.md\tline ")
    assert "fills anything" in edited.stdout
    numbers = folder / "numbers.json"
    numbers.write_text(numbers.read_text().replace('"task": "restore"', '"task": "mask"'))
    told = json.loads(run("card", folder, "--check", "--json").stdout)
    assert told["ok"] is False
    assert {"file": "numbers.json", "message": 'model.task is "mask", and should be "restore"'} in told["problems"]
    assert run("card", folder).exit_code == 0
    assert run("card", folder, "--check").exit_code == 0


def test_measures_by_kind_are_in_the_card_of_a_file(data: Path, tmp_path: Path) -> None:
    weights = write_weights(tmp_path / "mine.safetensors")
    options = ("--references", "copy,telea", "--measures", "none", "-q")
    assert run("eval", "--data", data, "--weights", weights, "--out", tmp_path / "measured", *options).exit_code == 0
    done = run("card", weights, "--eval", tmp_path / "measured")
    assert done.exit_code == 0, done.output
    card = tmp_path / "mine-card"
    text = (card / "README.md").read_text(encoding="utf-8")
    assert "PSNR in the inpainted region, dB | pictures |" in text
    assert "95 % intervals" in text
    assert run("card", card, "--check").exit_code == 0
    assert run("card", weights, "--check").exit_code == 0  # the evaluation is not named: its tables are taken as held
    other = write_weights(tmp_path / "other.safetensors", seed=1)
    assert_refused(run("card", other, "--eval", tmp_path / "measured"), 1, "measured is not of other", "measured mine")
    (tmp_path / "measured" / "images.csv").write_text("method,key,kind\n", encoding="utf-8")
    assert_refused(run("card", weights, "--check", "--eval", tmp_path / "measured"), 1, "is empty")


def test_it_refuses_what_it_must(data: Path, tmp_path: Path) -> None:
    weights = write_weights(tmp_path / "mine.safetensors", content_id="f" * 64)
    assert_refused(run("card", weights, "--data", data), 1, "not the dataset that was trained on")
    assert_refused(run("card", weights, "--eval", data), 1, "is not an evaluation")
    assert_refused(run("card", weights, "--check"), 1, "holds no model card")
    assert_refused(run("card", tmp_path / "none"), 1, "none")
    (tmp_path / "card").mkdir()
    (tmp_path / "card" / "card.toml").write_text("titel = 'x'\n", encoding="utf-8")
    assert_refused(run("card", weights, "--out", tmp_path / "card"), 2, "titel", "title")


def test_the_card_of_a_dataset_known_says_what_follows_from_it(data: Path, tmp_path: Path) -> None:
    content_id = json.loads((data / "dataset.json").read_bytes())["content_id"]
    weights = write_weights(tmp_path / "mine.safetensors", content_id=content_id)
    assert run("card", weights, "--data", data).exit_code == 0
    text = (tmp_path / "mine-card" / "README.md").read_text(encoding="utf-8")
    assert "fdgen reproduce" in text
    assert content_id in text
