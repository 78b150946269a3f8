"""`fdtrain audit`: check whether reported numbers are possible."""

from __future__ import annotations

import math
import sys
from dataclasses import asdict
from pathlib import Path

import click

from ..shared.errors import PROBLEMS
from ..shared.fdgen_options import json_option, quiet_option
from ..shared.output import Voice, aligned, counted, emit, emit_json
from ..shared.path_types import LocalPath


@click.command("audit")
@click.argument("tables", metavar="[TABLE.csv]...", nargs=-1, type=LocalPath(exists=True, dir_okay=False))
@click.option("--paper", is_flag=True, help="Audit the tables of the FD-StackGAN paper.")
@click.option(
    "--peak",
    metavar="WHITE",
    type=float,
    default=255.0,
    show_default=True,
    help="Peak value of the pictures of which MSE is measured.",
)
@json_option
@quiet_option
def command(tables: tuple[Path, ...], paper: bool, peak: float, as_json: bool, quiet: bool) -> None:
    """Check whether reported numbers can be true.

    A TABLE has a column `method` and a column for each metric (PSNR, MSE, SSIM, ...), or `measure` and `value` in their
    place. Several tables or subsets of pictures need columns `table` and `subset`, and `model` if tables name one model
    differently. The summary.csv of `fdtrain eval` and the table.csv of `fdtrain compare` have this form.

    For each PSNR with an MSE, RMSE or L2, as numbers or in per cent (`L2 (%)`, or cells as `2.1%`), it prints the PSNR
    of the mean error and the spread over pictures that both imply. Then it lists values that are impossible,
    implausible, repeated, or contradicted elsewhere, and exits with 3 if there are any. Notes say how a figure was
    computed (a PSNR of the mean MSE, an MSE by another white), and are no problems.
    """
    from fdtrain.errors import ConfigError
    from fdtrain.evaluation.audit import findings, spreads
    from fdtrain.evaluation.reported.table import paper_table, read_table

    if not tables and not paper:
        raise click.UsageError("name a TABLE.csv, or --paper")
    if not (peak > 0 and math.isfinite(peak)):
        raise ConfigError(f"--peak must be greater than 0, got {peak:g}", hint="255 for levels, 1 for [0, 1]")
    rows = [*(paper_table() if paper else ()), *(row for path in tables for row in read_table(path))]
    found, told = spreads(rows, peak=peak), findings(rows, peak=peak)
    problems, notes = ([one for one in told if one.is_note is wanted] for wanted in (False, True))
    if as_json:
        spread_rows = [
            {
                "place": spread.row.place,
                "metric": spread.metric,
                "psnr_db": spread.psnr_db,
                "of_mean_mse_db": spread.of_mean_mse_db,
                "spread_db": None if math.isnan(spread.spread_db) else spread.spread_db,
            }
            for spread in found
        ]
        emit_json({"rows": len(rows), "spreads": spread_rows, "findings": [asdict(one) for one in problems],
                   "notes": [asdict(one) for one in notes]})  # fmt: skip
    else:
        head = ("row", "metric", "PSNR", "of mean MSE", "implies a spread, dB")
        table = [
            (
                spread.row.place,
                spread.metric,
                f"{spread.psnr_db:.3f}",
                f"{spread.of_mean_mse_db:.3f}",
                "none" if math.isnan(spread.spread_db) else f"{spread.spread_db:.2f}",
            )
            for spread in found
        ]
        for line in aligned([head, *table]) if table else ():
            emit(line)
        for one in (*problems, *notes):
            emit(f"{'note: ' if one.is_note else ''}{one.rule}\t{one.place}\t{one.what}")
    voice = Voice(quiet)
    looked = f"{counted(len(rows), 'row')}, {counted(len(found), 'PSNR')} with an MSE"
    if rows and not found:
        voice.say(
            "note: no row has a PSNR and an MSE, RMSE or L2 of the same pictures: whether they fit was not checked, "
            "only range, repetition and contradiction"
        )
    if problems:
        voice.say(f"{counted(len(problems), 'problem')} in {looked}")
        sys.exit(PROBLEMS)
    voice.say(f"no problems in {looked}")
