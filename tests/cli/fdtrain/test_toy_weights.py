"""Commands that run toy weights name them, and say in one line that they are toys and how to train real ones."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from safetensors.torch import load_file, save

from cli.fdtrain.main import program
from cli.shared.open_restorer import open_restorers
from cli.shared.output import Voice
from fdgen.io.regular_file import sha256_of
from fdtrain.data.pictures import write_png
from fdtrain.inference.model_label import TOY_KEY, ModelLabel, toy_note
from fdtrain.run_files import write_bytes
from fdtrain.training.checkpoint import METADATA_KEY, read_facts
from fdtrain.training.starter import starter_file
from tests.support.sets import smooth_face, write_set

TOY = "learned from three faces alone"

Toys = tuple[tuple[Path, ModelLabel], tuple[Path, ModelLabel]]


def toy(folder: Path, name: str) -> tuple[Path, ModelLabel]:
    """Return one of the networks that come with the package as a toy of its name without `starter`, and its label."""
    file = starter_file(name)
    facts = {**read_facts(file), TOY_KEY: TOY}
    path = folder / f"{name.replace('starter', 'toy')}.safetensors"
    write_bytes(path, save(load_file(file), {METADATA_KEY: json.dumps(facts)}))
    return path, ModelLabel.of_facts(path, facts)


@pytest.fixture(scope="module")
def toys(tmp_path_factory: pytest.TempPathFactory) -> Toys:
    """Return a generator and a segmentation network that are toys, with their labels."""
    folder = tmp_path_factory.mktemp("toys")
    return toy(folder, "starter"), toy(folder, "starter-mask")


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


def test_restore(tmp_path: Path, toys: Toys) -> None:
    (generator, label), (masker, mask_label) = toys
    write_png(tmp_path / "a.png", smooth_face(1, 128))
    done = run(
        "restore", tmp_path / "a.png", "--weights", generator, "--masker", masker, "--faces", "aligned",
        "--out", tmp_path / "out", "--json",
    )  # fmt: skip
    assert_told(done, label, mask_label)
    told = json.loads(done.stdout)
    assert told["models"] == [label.json(), mask_label.json()]
    assert told["pictures"][0]["faces"][0]["face_score"] is None  # nobody looked for it


def test_eval(data: Path, tmp_path: Path, toys: Toys) -> None:
    (generator, label), (masker, mask_label) = toys
    only = ("--data", data, "--limit", "1", "--references", "none", "--measures", "none")
    done = run("eval", *only, "--weights", generator, "--masker", masker, "--json")
    assert_told(done, label, mask_label)
    told = json.loads(done.stdout)
    assert told["models"] == [
        {**label.json(), "sha256": sha256_of(generator)}, {**mask_label.json(), "sha256": sha256_of(masker)},
    ]  # fmt: skip
    assert told["notes"][0] == toy_note([label, mask_label])
    done = run("eval", "--data", data, "--limit", "1", "--weights", masker, "--json")
    assert_told(done, mask_label)
    told = json.loads(done.stdout)
    assert told["models"] == [{**mask_label.json(), "sha256": sha256_of(masker)}]
    assert told["notes"][0] == toy_note([mask_label])


@pytest.mark.slow
def test_export(tmp_path: Path, toys: Toys) -> None:
    masker, mask_label = toys[1]
    pytest.importorskip("onnxscript")
    done = run("export", masker, "--out", tmp_path / "masks.pt2", "--json")
    assert_told(done, mask_label)
    assert json.loads(done.stdout)["model"] == mask_label.json()


def test_demo_opens_its_models_as_restore_does(capsys: pytest.CaptureFixture[str], toys: Toys) -> None:
    generator, label = toys[0]
    [restorer] = open_restorers(
        [generator], None, "auto", engine="auto", device="cpu", with_grain=True, voice=Voice()
    )  # fmt: skip
    assert restorer.labels == (label,)
    assert capsys.readouterr().err == f"note: {toy_note([label])}\n"
