"""Commands that run toy weights name them, and say in one line that they are toys and how to train real ones."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cli.fdtrain.main import program
from cli.shared.open_restorer import open_restorer
from cli.shared.output import Voice
from fdtrain.data.pictures import write_png
from fdtrain.inference.model_label import ModelLabel, toy_note
from fdtrain.training.starter import TOY
from tests.support.sets import smooth_face, write_set

STARTER = ModelLabel("starter", "restore", "tiny", 64, TOY)
STARTER_MASK = ModelLabel("starter-mask", "mask", "mask-96", 96, TOY)


def run(*arguments: str | Path) -> Result:
    """Run fdtrain in this process."""
    done = CliRunner().invoke(program, [str(argument) for argument in arguments], prog_name="fdtrain")
    assert done.exit_code == 0, done.output
    return done


def assert_told(done: Result, *labels: ModelLabel) -> None:
    """Hold that the toys are told of in one line of standard error, and no more."""
    lines = [line for line in done.stderr.splitlines() if "toy" in line]
    assert lines == [f"note: {toy_note(labels)}"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_set(tmp_path_factory.mktemp("data") / "set", 40)


def test_restore(tmp_path: Path) -> None:
    write_png(tmp_path / "a.png", smooth_face(1, 128))
    done = run(
        "restore", tmp_path / "a.png", "--weights", "starter", "--masker", "starter-mask", "--faces", "aligned",
        "--out", tmp_path / "out", "--json",
    )  # fmt: skip
    assert_told(done, STARTER, STARTER_MASK)
    told = json.loads(done.stdout)
    assert told["models"] == [STARTER.json(), STARTER_MASK.json()]
    assert told["pictures"][0]["faces"][0]["face_score"] is None  # nobody looked for it


def test_eval(data: Path, tmp_path: Path) -> None:
    only = ("--data", data, "--limit", "1", "--references", "none", "--measures", "none")
    done = run("eval", *only, "--weights", "starter", "--masker", "starter-mask", "--json")
    assert_told(done, STARTER, STARTER_MASK)
    told = json.loads(done.stdout)
    assert told["models"] == [STARTER.json(), STARTER_MASK.json()]
    assert told["notes"][0] == toy_note([STARTER, STARTER_MASK])
    done = run("eval", "--data", data, "--limit", "1", "--weights", "starter-mask", "--json")
    assert_told(done, STARTER_MASK)
    told = json.loads(done.stdout)
    assert told["models"] == [STARTER_MASK.json()]
    assert told["notes"][0] == toy_note([STARTER_MASK])


def test_export(tmp_path: Path) -> None:
    pytest.importorskip("onnxscript")
    done = run("export", "starter-mask", "--out", tmp_path / "masks.pt2", "--json")
    assert_told(done, STARTER_MASK)
    assert json.loads(done.stdout)["model"] == STARTER_MASK.json()


def test_demo_opens_its_models_as_restore_does(capsys: pytest.CaptureFixture[str]) -> None:
    restorer = open_restorer(
        Path("starter"), None, "auto", engine="auto", device="cpu", with_grain=True, voice=Voice()
    )  # fmt: skip
    assert restorer.labels == (STARTER,)
    assert capsys.readouterr().err == f"note: {toy_note([STARTER])}\n"
