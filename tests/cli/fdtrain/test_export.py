"""`fdtrain export`: what it says and writes, and one sentence for what is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cli.fdtrain import export as export_model
from cli.fdtrain.main import program
from tests.support.running import assert_refused
from tests.support.weights import write_weights

pytest.importorskip("onnxscript")

from fdtrain.inference import exporter


def run(*arguments: str | Path) -> Result:
    """Run fdtrain in this process."""
    return CliRunner().invoke(program, [str(argument) for argument in arguments], prog_name="fdtrain")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_weights(tmp_path_factory.mktemp("weights") / "small.safetensors")


def test_names_are_those_of_the_library() -> None:
    assert export_model.FORMATS == exporter.FORMATS


@pytest.mark.slow
def test_it_writes_a_file_and_tells_of_it(weights: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "small.pt2"
    result = run("export", weights, "--out", out)
    assert result.exit_code == 0, result.output
    assert result.stdout == f"{out}\n"
    assert "32 px, occluded, mask -> coarse, restored" in result.stderr
    assert [path.name for path in out.parent.iterdir()] == ["small.pt2"]
    told = json.loads(run("export", weights, "--out", out, "--format", "pt2", "--json", "-q").stdout)
    assert told["bytes"] == out.stat().st_size
    assert told["most_difference"] <= 1e-3
    assert told["pictures"] == 12


@pytest.mark.parametrize(
    ("out", "options", "code", "words"),
    [
        ("small.onx", (), 2, "--out must end in .onnx or .pt2"),
        ("small", ("--format", "onnx"), 2, "--out must end in .onnx"),
        ("small.onnx", ("--format", "pt2"), 2, "--format pt2 does not fit a file called small.onnx"),
        ("small.safetensors/x.pt2", (), 1, "cannot be written"),
    ],
)
def test_it_refuses(weights: Path, out: str, options: tuple[str, ...], code: int, words: str) -> None:
    assert_refused(run("export", weights, "--out", weights.parent / out, *options, "-q"), code, words)


def test_it_refuses_what_holds_no_network(tmp_path: Path) -> None:
    (tmp_path / "text.safetensors").write_text("nothing")
    for name, words in (("text.safetensors", "is not a whole safetensors file"), ("none.safetensors", "no file")):
        assert_refused(run("export", tmp_path / name, "--out", tmp_path / "x.pt2", "-q"), 1, words)
    assert not (tmp_path / "x.pt2").exists()
