"""`fdtrain audit`: what it prints, its exit codes, and that it reads what the other commands write."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cli.fdtrain.main import program
from tests.support.sets import write_set


def run(*arguments: str | Path) -> Result:
    """Run fdtrain in this process."""
    return CliRunner().invoke(program, [str(argument) for argument in arguments], prog_name="fdtrain")


def test_the_papers_tables_have_problems() -> None:
    result = run("audit", "--paper")
    assert result.exit_code == 3
    assert result.stdout.count("\n") == 1 + 9 + 5  # three problems, two notes
    assert "3 problems in 9 rows, 9 PSNRs with an MSE" in result.stderr
    found = json.loads(run("audit", "--paper", "--json", "-q").stdout)
    assert [len(found[name]) for name in ("spreads", "findings", "notes")] == [9, 3, 2]


@pytest.mark.slow
def test_what_eval_and_compare_write_can_be_audited(tmp_path: Path) -> None:
    data = write_set(tmp_path / "set", 40)
    for command, table in (("eval", "summary.csv"), ("compare", "table.csv")):
        out = tmp_path / command
        options = ("--references",) if command == "eval" else ("--methods",)
        made = run(command, "--data", data, "--out", out, *options, "copy,telea", "--measures", "none", "-q")
        assert made.exit_code == 0, made.output
        result = run("audit", out / table)
        assert result.exit_code in (0, 3), result.output  # made-up faces may differ as little as the paper's
        assert "impossible" not in result.stdout
        assert "telea" in result.stdout.lower()


def test_without_a_pair_nothing_is_said_to_be_compared(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("method,PSNR,MSE\nours,30,-\n")
    result = run("audit", tmp_path / "table.csv")
    assert result.exit_code == 0
    assert "1 row, 0 PSNRs with an MSE" in result.stderr
    assert "whether they fit was not checked" in result.stderr


def test_notes_alone_are_no_problem(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("method,PSNR,MSE\nours,32.803,34.145\n")
    result = run("audit", tmp_path / "table.csv")
    assert result.exit_code == 0
    assert "note: psnr-of-mean-mse" in result.stdout
    assert "no problems in 1 row" in result.stderr


def test_nothing_to_audit_is_wrong_usage() -> None:
    assert run("audit").exit_code == 2
    assert run("audit", "--paper", "--peak", "0").exit_code == 2
