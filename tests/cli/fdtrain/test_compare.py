"""`fdtrain compare` and `fdtrain bench --all`: what they write, and one sentence for what is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cli.fdtrain.main import program
from fdtrain.training import speed
from tests.support.sets import write_set
from tests.support.weights import write_weights


def run(*arguments: str | Path) -> Result:
    """Run fdtrain in this process."""
    return CliRunner().invoke(program, [str(argument) for argument in arguments], prog_name="fdtrain")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_set(tmp_path_factory.mktemp("data") / "set", 40)


def test_compare_prints_the_tables_and_writes_them(data: Path, tmp_path: Path) -> None:
    weights, more = (write_weights(tmp_path / f"{name}.safetensors", seed=7, size_px=64) for name in ("w", "v"))
    options = ("--methods", "telea,biharmonic", "--weights", f"mine={weights}", "--limit", "3", "--measures", "none")
    options += ("--weights", f"twin={more}")
    result = run("compare", "--data", data, "--out", tmp_path / "out", *options, "--images", "1")
    assert result.exit_code == 0, result.output
    for words in ("Table 1", "Cost", "Against mine", "biharmonic", "By PSNR inside the mask, mine leads every"):
        assert words in result.stdout
    assert (tmp_path / "out" / "table.txt").read_text() == result.stdout
    assert "[1/4] telea" in result.stderr
    again = run("compare", "--data", data, "--out", tmp_path / "out", *options, "--images", "1", "--json", "-q")
    assert [row["name"] for row in json.loads(again.stdout)["rows"]] == ["telea", "biharmonic", "mine", "twin"]


@pytest.mark.slow
def test_compare_on_photographs_makes_a_sheet(data: Path, tmp_path: Path) -> None:
    from fdtrain.data.pictures import write_png
    from fdtrain.data.triplets import TripletDataset

    pictures = TripletDataset(data, "test", size_px=None).pictures(0)
    write_png(tmp_path / "real" / "face.png", pictures.occluded_HWC)
    write_png(tmp_path / "real" / "masks" / "face.png", pictures.mask_HW)
    options = ("--methods", "telea,copy", "--limit", "2", "--measures", "none", "--real", tmp_path / "real")
    result = run("compare", "--data", data, "--out", tmp_path / "out", *options)
    assert result.exit_code == 0, result.output
    assert "photographs  NIQE ↓  BRISQUE ↓" in result.stdout
    assert (tmp_path / "out" / "real" / "sheet.png").is_file()


@pytest.mark.slow
def test_a_plan_is_printed_and_nothing_done(data: Path, tmp_path: Path) -> None:
    options = ("--methods", "telea,modern,glcm", "--images", "1000", "--dry-run")
    result = run("compare", "--data", data, "--out", tmp_path / "out", *options)
    assert result.exit_code == 0, result.output
    assert "budget of a training: 1,000 images" in result.stdout
    assert "glcm-64" in result.stdout
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--methods", "modern"), "a budget is missing: --images N or --seconds S"),
        (("--images", "5", "--seconds", "5"), "are two budgets"),
        (("--methods", "none"), "there is nothing to compare"),
        (("--methods", "mat", "--images", "5"), "there is no method 'mat'"),
        (("--methods", "mask", "--images", "5"), "mask is no method to compare: it finds occluders"),
        (("--methods", "telea", "--against", "modern"), "--against modern: there is no such row"),
        (("--methods", "telea", "--weights", "x.safetensors"), "is not of the form NAME=FILE"),
        (("--methods", "telea", "--real", "nowhere"), "--real nowhere is not a folder"),
    ],
)
def test_what_is_wrong_is_one_sentence(options: tuple[str, ...], words: str, data: Path, tmp_path: Path) -> None:
    result = run("compare", "--data", data, "--out", tmp_path / "out", *options)
    assert result.exit_code in (1, 2)
    assert words in result.stderr
    assert "Traceback" not in result.output
    assert not (tmp_path / "out").exists()


def test_a_perceptual_network_that_is_not_here_is_told_before_anything_is_trained(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    asked = (
        "--methods",
        "telea,modern",
        "--images",
        "4",
        "--limit",
        "2",
        "--measures",
        "none",
        "--perceptual",
        "vgg19",
    )
    result = run("compare", "--data", data, "--out", tmp_path / "out", *asked)
    assert result.exit_code == 1
    assert "the perceptual loss needs VGG-19's weights" in result.stderr
    assert not (tmp_path / "out").exists()
    # No row of these compares features, so none is missed.
    plain = ("compare", "--data", data, "--out", tmp_path / "out", "--methods", "telea,glcm", "--images", "4")
    assert run(*plain, "--perceptual", "vgg19", "--dry-run").exit_code == 0


@pytest.mark.slow
def test_a_row_that_fails_makes_the_command_fail_with_its_table(data: Path, tmp_path: Path) -> None:
    options = ("--methods", "telea", "--weights", f"gone={tmp_path / 'gone'}", "--limit", "2", "--measures", "none")
    result = run("compare", "--data", data, "--out", tmp_path / "out", *options)
    assert result.exit_code == 1
    assert "telea" in result.stdout
    assert "Row gone failed: there is no file of weights" in result.stdout


def test_bench_all_needs_no_data_and_says_whether_the_claim_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    small = {"faithful": "tiny", "modern": "tiny"}

    def measure(**options: object) -> dict[str, object]:
        facts = real(["tiny", "din-64"], repeats=1, device="cpu")
        rows = [{**facts["networks"][0], "network": name} for name in (*small, "glcm", "gca", "edgeconnect")]
        return {**facts, "networks": rows}

    real = speed.measure_speed
    monkeypatch.setattr(speed, "measure_speed", measure)
    result = run("bench", "--all", "--repeats", "1")
    assert result.exit_code == 0, result.output
    assert "the fastest of the paper's four" in result.stdout
    refused = run("bench")
    assert refused.exit_code == 2
    assert "name a dataset with --data, or photographs with --faces, or use --all" in refused.stderr
