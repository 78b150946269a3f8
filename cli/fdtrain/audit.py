"""`fdtrain audit`: are reported numbers possible?"""

from __future__ import annotations

import math
import sys
from dataclasses import asdict
from pathlib import Path

import click

from ..shared.errors import PROBLEMS
from ..shared.fdgen_options import json_option, quiet_option
from ..shared.output import Voice, aligned, counted, emit, emit_json


@click.command("audit")
@click.argument(
    "tables", metavar="[TABLE.csv]...", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option("--paper", is_flag=True, help="Audit the tables of the FD-StackGAN paper.")
@click.option("--peak", metavar="WHITE", type=float, default=255.0, show_default=True, help="What MSE is measured by.")
@json_option
@quiet_option
def command(tables: tuple[Path, ...], paper: bool, peak: float, as_json: bool, quiet: bool) -> None:
    """Tell whether reported numbers can be true.

    A TABLE has a column `method` and one a metric (PSNR, MSE, SSIM, ...), or `measure` and `value` in their place;
    where there are several tables or subsets of pictures, columns `table` and `subset`, and `model` where tables call
    one model differently. The summary.csv of `fdtrain eval` and the table.csv of `fdtrain compare` are such.

    Of each PSNR with an MSE beside it, the PSNR of the mean MSE and the spread over pictures that both imply; then what
    is impossible, hard to believe, repeated, or told otherwise elsewhere. Exits with 3 where there is any.
    """
    from fdtrain.errors import ConfigError
    from fdtrain.evaluation.audit import findings, paper_table, read_table, spreads

    if not tables and not paper:
        raise click.UsageError("name a TABLE.csv, or --paper")
    if not (peak > 0 and math.isfinite(peak)):
        raise ConfigError(f"--peak must be greater than 0, got {peak:g}", hint="255 for levels, 1 for [0, 1]")
    rows = [*(paper_table() if paper else ()), *(row for path in tables for row in read_table(path))]
    found, problems = spreads(rows, peak=peak), findings(rows, peak=peak)
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
        emit_json({"rows": len(rows), "spreads": spread_rows, "findings": [asdict(problem) for problem in problems]})
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
        for problem in problems:
            emit(f"{problem.rule}\t{problem.place}\t{problem.what}")
    voice = Voice(quiet)
    looked = f"{counted(len(rows), 'row')}, {counted(len(found), 'PSNR')} with an MSE beside it"
    if problems:
        voice.say(f"{counted(len(problems), 'problem')} in {looked}")
        sys.exit(PROBLEMS)
    voice.say(f"nothing wrong was found in {looked}")
