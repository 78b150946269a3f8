"""The frame of the command line: help, laziness, errors, exit codes."""

from __future__ import annotations

import errno
import json
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest

from cli.fdgen.main import MODULES, program
from cli.shared.errors import Interrupted
from cli.shared.lazy_group import Program
from fdgen.errors import DatasetError
from tests.support.running import COMMAND, assert_refused, run, run_process

HEAVY = {"cv2", "mediapipe", "numba", "numpy", "pandas", "pyarrow", "pydantic", "rich", "torch"}


def modules_after(*arguments: str) -> set[str]:
    """Return the top-level modules that a command imports in a process of its own."""
    code = (
        "import json, sys\n"
        "from fdcli.fdgen.main import program\n"
        "try:\n"
        f"    program({list(arguments)!r}, prog_name='fdgen')\n"
        "finally:\n"
        "    print('\\n' + json.dumps(sorted(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    return {name.split(".")[0] for name in json.loads(done.stdout.splitlines()[-1])}


@pytest.mark.parametrize("arguments", [["--help"], *([name, "--help"] for name in MODULES)], ids=" ".join)
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    assert modules_after(*arguments).isdisjoint(HEAVY)


@pytest.mark.parametrize("name", MODULES)
def test_every_command_has_help_and_a_line_in_the_table(name: str) -> None:
    result = run(name, "--help")
    assert result.exit_code == 0
    assert result.stdout.startswith(f"Usage: fdgen {name} ")
    assert result.stderr == ""
    line = next(line for line in run("--help").stdout.splitlines() if line.startswith(f"  {name} "))
    assert line.split(maxsplit=1)[1] == MODULES[name][1]


def test_the_options_are_few() -> None:
    """A new option is a decision, so it is written down here; what is rarely wanted goes through `--set`."""
    context = click.Context(program)
    for name in MODULES:
        found = options_of(program.get_command(context, name), name)
        assert found == {path: OPTIONS[path].split() for path in found}


def options_of(command: click.Command | None, path: str) -> dict[str, list[str]]:
    """Return the long options of a command, or of all commands of a group, by its path; `--debug` goes unsaid."""
    if isinstance(command, click.Group):
        return {
            inner: options
            for name in command.list_commands(click.Context(command))
            for inner, options in options_of(
                command.get_command(click.Context(command), name), f"{path} {name}"
            ).items()
        }
    assert command is not None
    names = sorted(name for option in command.params for name in option.opts if name.startswith("--"))
    assert "--debug" in names
    names.remove("--debug")
    return {path: names}


OPTIONS = {
    "build": "--cache --count --detector --dry-run --executor --faces --json --name --no-cache --out --pack --part "
    "--profile --quiet --recipe --seed --set --size --time-limit --version --workers",
    "preview": "--cache --columns --count --detector --faces --kind --no-cache --occluded-only --out --pack --quiet "
    "--recipe --seed --set --size --workers",
    "verify": "--deep --deep-share --json --pack --quiet --seed --workers",
    "import": (
        "--clean --identity --invert --json --kind --masks --name --occluded --out --outside "
        "--quiet --size --skip-faulty --splits --threshold --version"
    ),
    "info": "--json",
    "diff": "--details --json --limit",
    "show": "--dataset --out",
    "browse": "--kind --limit --out --port --quiet --samples --split",
    "card": "--check --json --out --pack --quiet --replace",
    "push": "--although-forbidden --public --quiet --yes",
    "export": "--json --out --quiet --to",
    "replay": "--dataset --json --out --pack",
    "reproduce": "--against --anyway --cache --faces --json --landmarks --no-cache --out --pack --quiet --time-limit "
    "--workers",
    "landmarks": "--cache --detector --faces --json --quiet --size --time-limit --workers",
    "recipe list": "--json",
    "recipe show": "--json --resolved",
    "recipe check": "--cache --json --no-cache --quiet --set",
    "recipe offered": "--cache --detector --faces --json --no-cache --quiet --set --workers",
    "recipe init": "--force --from",
    "assets add": "--form --held-out --id --kind --licence --origin --pack --title",
    "assets check": "--json",
    "assets index": "",
    "assets list": "--json --kind --pack",
    "assets preview": "--cache --columns --faces --kind --no-cache --out --pack --quiet --seed --workers",
    "doctor": "--json",
    "completion": "",
}


def test_no_command_shows_the_help() -> None:
    result = run_process()
    assert result.returncode == 2
    assert "Commands:" in result.stderr
    assert result.stdout == ""


def test_a_misspelt_command_is_guessed() -> None:
    assert_refused(run("biuld"), 2, "'biuld'", "did you mean 'build'", "fdgen --help")
    assert_refused(run("recipe", "shwo"), 2, "'shwo'", "did you mean 'show'", "fdgen recipe --help")


def test_a_misspelt_option_is_guessed() -> None:
    assert_refused(run("build", "--sead", "1"), 2, "--sead", "--seed", "fdgen build --help")


def test_a_bad_value_names_its_option() -> None:
    assert_refused(run("build", "--out", "x", "--workers", "0"), 2, "--workers")


def failing(error: BaseException) -> Program:
    """Return a program whose one command raises."""

    class Failing(Program):
        def find(self, ctx: click.Context, name: str) -> click.Command:
            @click.command(name)
            def command() -> None:
                raise error

            return command

    return Failing("fdgen", modules={"fail": ("fail", "Fail.")}, package="fdcli.fdgen")


def ending(error: BaseException, *arguments: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """Run a command that raises; return its exit code and what it says."""
    with pytest.raises(SystemExit) as exit_:
        failing(error).main(["fail", *arguments], prog_name="fdgen")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert isinstance(exit_.value.code, int)
    return exit_.value.code, captured.err


def test_our_errors_become_a_sentence_and_a_next_step(capsys: pytest.CaptureFixture[str]) -> None:
    code, said = ending(DatasetError("x.tar is short", hint="run `fdgen verify x`"), capsys=capsys)
    assert code == 1
    assert said == "error: x.tar is short\n  run `fdgen verify x`\n"


def test_bugs_become_a_sentence_too(capsys: pytest.CaptureFixture[str]) -> None:
    code, said = ending(ZeroDivisionError("division by zero"), capsys=capsys)
    assert code == 1
    assert said.startswith("error: fdgen failed unexpectedly: ZeroDivisionError: division by zero\n")
    assert "--debug" in said
    assert "Traceback" not in said


def test_an_interrupt_is_130_and_says_what_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    assert ending(Interrupted("2 shards are kept"), capsys=capsys) == (130, "interrupted\n  2 shards are kept\n")
    assert ending(KeyboardInterrupt(), capsys=capsys) == (130, "\ninterrupted\n")  # below the ^C


def test_an_error_of_the_system_names_its_file(capsys: pytest.CaptureFixture[str]) -> None:
    error = FileNotFoundError(errno.ENOENT, "No such file or directory", "gone.png")
    code, said = ending(error, capsys=capsys)
    assert code == 1
    assert said == "error: gone.png: there is no such file\n  correct that, or name another file, and run it again\n"


def test_a_name_in_capitals_stays_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    code, said = ending(click.UsageError("ID: there is no 'x'"), capsys=capsys)
    assert code == 2
    assert said.startswith("error: ID: there is no 'x'\n")


@pytest.mark.parametrize("wanted", ["option", "environment"])
def test_debug_shows_the_traceback(
    wanted: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FDGEN_DEBUG", "1" if wanted == "environment" else "0")
    code, said = ending(DatasetError("x.tar is short"), *(["--debug"] if wanted == "option" else []), capsys=capsys)
    assert code == 1
    assert "Traceback (most recent call last)" in said
    assert "error: x.tar is short" in said


def test_a_reader_that_goes_away_is_no_error_of_ours() -> None:
    """As in `fdgen recipe show | head -1`: no traceback, whatever the timing."""
    process = subprocess.Popen([*COMMAND, "recipe", "show"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    said = process.stderr.read()
    process.stderr.close()
    assert process.wait() == 1
    assert said == ""


def test_version() -> None:
    from fdgen.version import __version__

    assert run("--version").stdout == f"fdgen, version {__version__}\n"


@pytest.mark.parametrize("before", [{}, {"OPENBLAS_NUM_THREADS": "4", "OMP_NUM_THREADS": "8"}])
def test_blas_has_one_thread_before_numpy_is_imported(before: dict[str, str]) -> None:
    code = (
        "import sys, os; import fdcli.fdgen.main as m; assert 'numpy' not in sys.modules;"
        "print(os.environ['OPENBLAS_NUM_THREADS'], os.environ['OMP_NUM_THREADS'])"
    )
    import os

    clean = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    done = subprocess.run([sys.executable, "-c", code], env=clean | before, capture_output=True, text=True, check=True)
    assert done.stdout == "1 1\n"


def test_a_compiler_that_can_keep_nothing_is_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    error = RuntimeError("cannot cache function 'rasterise': no locator available for file 'raster.py'")
    code, said = ending(error, capsys=capsys)
    assert code == 1
    assert "NUMBA_CACHE_DIR" in said
    assert "unexpectedly" not in said


def test_a_full_disk_behind_standard_output_is_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    code, said = ending(OSError(errno.ENOSPC, "No space left on device"), capsys=capsys)
    assert code == 1
    assert said.startswith("error: No space left on device\n  ")


@pytest.mark.skipif(sys.platform == "win32", reason="needs a shell")
def test_closed_standard_streams_are_no_obstacle(tmp_path: Path) -> None:
    command = shlex.join([*COMMAND, "preview", "--out", str(tmp_path / "sheet.png"), "--count", "1", "--size", "64"])
    done = subprocess.run(["sh", "-c", f"{command} <&- >&- 2>&-"], check=False, timeout=300)
    assert done.returncode == 0
    assert (tmp_path / "sheet.png").is_file()
