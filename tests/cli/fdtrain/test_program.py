"""The command line of fdtrain: help, laziness, training and resuming, and one sentence for each thing that is wrong."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from cli.fdtrain.main import MODULES, program
from tests.support.micro import MICRO
from tests.support.running import assert_refused
from tests.support.sets import write_set

HEAVY = {"cv2", "mediapipe", "numpy", "pandas", "pyarrow", "pydantic", "rich", "torch"}
COMMAND = [sys.executable, "-c", "from fdcli.fdtrain.main import main; main()"]


def run(*arguments: str | Path) -> Result:
    """Run fdtrain in this process."""
    return CliRunner().invoke(program, [str(argument) for argument in arguments], prog_name="fdtrain")


def tiny(data: Path, out: Path, *more: str) -> list[str]:
    """Return the arguments of a training that takes a second."""
    settings = [part for override in (*MICRO, *more) for part in ("--set", override)]
    return ["fit", "--data", str(data), "--out", str(out), "--preset", "tiny", *settings]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_set(tmp_path_factory.mktemp("data") / "set", 40)


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], *([name, "--help"] for name in MODULES)], ids=" ".join
)
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import json, sys\nfrom fdcli.fdtrain.main import program\ntry:\n"
        f"    program({arguments!r}, prog_name='fdtrain')\n"
        "finally:\n    print('\\n' + json.dumps(sorted(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert {name.split(".")[0] for name in json.loads(done.stdout.splitlines()[-1])}.isdisjoint(HEAVY)


@pytest.mark.parametrize("name", MODULES)
def test_every_command_has_help_and_a_line_in_the_table(name: str) -> None:
    result = run(name, "--help")
    assert result.exit_code == 0
    assert result.stdout.startswith(f"Usage: fdtrain {name} ")
    line = next(line for line in run("--help").stdout.splitlines() if line.startswith(f"  {name} "))
    assert line.split(maxsplit=1)[1] == MODULES[name][1]


def test_fit_trains_and_the_same_command_says_that_all_is_there(data: Path, tmp_path: Path) -> None:
    arguments = tiny(data, tmp_path / "run", "training.images=64")
    first = run(*arguments, "--json")
    assert first.exit_code == 0, first.stderr
    facts = json.loads(first.stdout)
    assert facts["finished"] is True
    assert facts["images"] == facts["made_now"] == 64
    assert Path(facts["weights"]).is_file()
    assert "images/s" in first.stderr
    assert "loader" in first.stderr
    assert "validation: hole-only PSNR" in first.stderr
    again = run(*arguments)
    assert again.exit_code == 0
    assert again.stdout == ""
    assert "nothing: all of it was there" in again.stderr

    status = run("status", tmp_path / "run")
    assert status.exit_code == 0
    assert "finished" in status.stdout
    assert "64 of 64" in status.stdout
    told: dict[str, Any] = json.loads(run("status", tmp_path / "run", "--json").stdout)
    assert told["checkpoints"][-1] == 64
    assert told["running"] is False


def test_quiet_says_nothing(data: Path, tmp_path: Path) -> None:
    result = run(*tiny(data, tmp_path / "run", "training.images=16"), "--quiet")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")


def test_a_dry_run_prints_every_setting_and_writes_nothing(data: Path, tmp_path: Path) -> None:
    result = run(*tiny(data, tmp_path / "run"), "--dry-run")
    assert result.exit_code == 0, result.stderr
    assert "training.lr_generator" in result.stdout
    assert "parameters" in result.stdout
    assert not (tmp_path / "run").exists()


def test_presets_are_listed_with_their_cost() -> None:
    rows = json.loads(run("presets", "--json").stdout)
    assert [row["preset"] for row in rows][:2] == ["faithful", "modern"]
    assert all(row["parameters"] > 1e5 and row["gmacs"] > 0.01 for row in rows)
    text = run("presets").stdout
    assert all(row["preset"] in text for row in rows)
    assert "lr_generator = 0.0001" in run("presets", "--show", "faithful").stdout


@pytest.mark.slow
def test_what_presets_shows_can_be_trained_from(data: Path, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(run("presets", "--show", "modern-64").stdout)
    plan = run("fit", "--data", data, "--out", tmp_path / "run", "--config", file, "--dry-run", "--json")
    assert json.loads(plan.stdout)["config"]["data"]["size_px"] == 64


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--preset", "modrn"], 2, ["'modrn'", "did you mean 'modern'"]),
        (["--set", "training.bach=3"], 2, ["'training.bach'", "did you mean 'training.batch'"]),
        (["--set", "training.batch=0"], 2, ["training.batch", "0"]),
        (["--set", "loss.adversarial=wgan"], 2, ["loss.adversarial", "hinge", "'wgan'"]),
        (["--set", "data.size_px=50"], 2, ["data.size_px", "50"]),
        (["--preset", "tiny", "--device", "cuda:7"], 1, ["'cuda:7'", "--device cpu"]),
        (["--preset", "tiny", "--device", "tpu"], 2, ["machine.device", "'tpu'"]),
        (["--preset", "tiny", "--config", "missing.toml"], 2, ["missing.toml"]),
        (["--preset", "faithful-64", "--perceptual-weights", "missing.pth"], 1, ["missing.pth", "three ways out"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_options_are_refused(
    arguments: list[str], code: int, words: list[str], data: Path, tmp_path: Path
) -> None:
    result = run("fit", "--data", data, "--out", tmp_path / "run", *arguments)
    assert_refused(result, code, *words)


def test_no_dataset_is_refused(tmp_path: Path) -> None:
    assert_refused(run(*tiny(tmp_path, tmp_path / "run")), 1, str(tmp_path), "the folder is empty", "fdgen build")
    assert_refused(run("status", tmp_path), 1, "is not a run: the folder is empty", "fdtrain fit")


def test_data_comes_from_one_place(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    both = run("fit", "--data", data, "--faces", "samples", "--out", out)
    assert_refused(both, 2, f"a dataset (--data {data}) or photographs (data.on_the_fly.faces=samples), got both")
    assert_refused(run("fit", "--out", out), 2, "name a dataset with --data, or photographs with --faces")
    nowhere = run("fit", "--faces", tmp_path / "nowhere", "--preset", "tiny", "--out", out)
    assert_refused(nowhere, 1, f"there is no folder {tmp_path / 'nowhere'}")
    unknown = run("fit", "--faces", "samples", "--recipe", "masc", "--preset", "tiny", "--out", out)
    assert_refused(unknown, 2, "there is no recipe 'masc', did you mean 'masks'?")
    assert not [path for path in out.glob("*") if path.name != ".lock"]


@pytest.mark.slow
def test_a_dry_run_counts_photographs(tmp_path: Path) -> None:
    result = run("fit", "--faces", "samples", "--preset", "tiny", "--out", tmp_path / "run", "--dry-run")
    assert result.exit_code == 0, result.stderr
    assert any(line.split() == ["train", "split", "3", "photographs"] for line in result.stdout.splitlines())


def test_missing_weights_of_the_paper_s_network_name_three_ways_out(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "nothing"))
    result = run("fit", "--data", data, "--out", tmp_path / "run", "--preset", "faithful-64")
    assert_refused(
        result, 1, "VGG-19", "three ways out", "--perceptual-weights", "vgg16-stlpips", "loss.perceptual=off"
    )


@pytest.mark.skipif(os.name == "nt", reason="signals are POSIX")
@pytest.mark.parametrize(("number", "workers"), [(signal.SIGINT, 0), (signal.SIGTERM, 1)])
def test_an_interrupt_keeps_what_is_done_and_says_so(number: int, workers: int, data: Path, tmp_path: Path) -> None:
    """A terminal sends it to all processes of a command, workers too, and so does a scheduler, or `timeout`."""
    out = tmp_path / "run"
    process = subprocess.Popen(
        [*COMMAND, *tiny(data, out, "training.images=100000", f"machine.workers={workers}")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    deadline_s = time.monotonic() + 60
    while not (out / "stats.jsonl").is_file() or (out / "stats.jsonl").stat().st_size < 500:
        assert time.monotonic() < deadline_s
        time.sleep(0.05)
    os.killpg(process.pid, number)
    said, words = process.communicate(timeout=60)
    assert process.returncode == 130, words
    assert said == ""
    assert "run the same command again to resume" in words
    assert "error" not in words
    assert "leaked" not in words
    assert json.loads(run("status", out, "--json").stdout)["checkpoints"]


@pytest.mark.parametrize(("given", "taken"), [(None, "passive"), ("active", "active")])
def test_threads_wait_without_spinning_unless_the_user_says_otherwise(given: str | None, taken: str) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    code = "import os, fdcli.fdtrain.main; print(os.environ['OMP_WAIT_POLICY'])"
    told = environment if given is None else {**environment, "OMP_WAIT_POLICY": given}
    done = subprocess.run(
        [sys.executable, "-c", code], env=told, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == taken
