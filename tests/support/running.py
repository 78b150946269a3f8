"""Running the command line in tests: in this process, or as a user does, in one of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from cli.fdgen.main import program


def run(*arguments: str | Path) -> Result:
    """Run fdgen in this process."""
    return CliRunner().invoke(program, [str(argument) for argument in arguments], prog_name="fdgen")


def run_process(*arguments: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run fdgen as a user does. Without standard input, so that nothing can wait for an answer."""
    environment = {**os.environ, **options.pop("env", {})}
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=300,
        env=environment,
        **options,
    )


COMMAND = [sys.executable, "-c", "from fdcli.fdgen.main import main; main()"]
"""What the console script runs."""


def assert_refused(result: Result, code: int, *words: str) -> None:
    """See that a command ended as an error should: its code, no data, one sentence with these words, a next step."""
    assert result.exit_code == code, result.output
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    lines = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1, result.stderr
    for word in words:
        assert word in result.stderr, result.stderr
    last = result.stderr.splitlines()[-1]
    assert last.startswith("  "), f"no next step in: {result.stderr}"
