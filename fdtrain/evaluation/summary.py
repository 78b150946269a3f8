"""Tables of an evaluation: mean and standard error by method, by kind of occluder and by coverage.

A standard error is that of the mean over pictures. PSNR has two aggregates, and papers mix them: the mean of the PSNRs,
and the PSNR of the mean squared error, which is never above the first.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from fdtrain.metrics.fidelity import psnr
from fdtrain.metrics.registry import MEASURES, VIEWS, better

if TYPE_CHECKING:
    import pandas as pd

COVERAGE_EDGES = (0.0, 0.1, 0.2, 0.3, 0.4, 1.0)
"""Bins of coverage, the share of the crop that the mask covers: closed below, open above but for the last."""

BASELINE = "Telea"
"""What the others are compared with, picture by picture."""


Columns = tuple[tuple[str, str, str, int], ...]


def columns_of(view: str) -> Columns:
    """Return the columns of the table of one view over all pictures: title, column of the summary, sign and digits."""
    columns = []
    for row in MEASURES.values():
        if view not in row.digits:
            continue
        name, digits = row.column(view), row.digits[view]
        columns.append((row.title, name, "", digits))
        if row.name == "psnr":
            columns.append(("of mean MSE", f"{name}_of_mean_mse", "", digits))
            columns += [(f"over {BASELINE}", "gain", "+", digits)] if view == "hole" else []
    return tuple(columns)


def people_note(table: pd.DataFrame) -> list[str]:
    """Return what a reader must know of the people in a split, by its rows of the manifest; nothing where all is known.

    Splits are disjoint by identity where identities are known, else by photograph alone.
    """
    unknown = int(table["identity"].isna().sum())
    if not unknown:
        return []
    whose = "no identity is known here" if unknown == len(table) else f"{unknown:,} of {len(table):,} have no identity"
    return [f"{whose}: a person in these pictures may also be in the train split, on another photograph"]


def strata(frame: pd.DataFrame) -> dict[str, pd.Series[bool]]:
    """Return which rows belong to `all`, to each kind of occluder, and to each bin of coverage that has any."""
    import pandas as pd

    found = {"all": pd.Series(True, index=frame.index)}
    for kind in sorted(frame["kind"].unique()):
        found[f"kind {kind}"] = frame["kind"] == kind
    for low, high in itertools.pairwise(COVERAGE_EDGES):
        inside = (frame["coverage"] >= low) & ((frame["coverage"] < high) | (high == 1))
        if inside.any():
            found[f"coverage {low:.0%}-{high:.0%}".replace("%-", "-")] = inside
    return found


def summarise(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each method and stratum.

    For each measure and view its mean, `_se` its standard error; for PSNR also `_of_mean_mse`. Pictures restored
    exactly have no PSNR: they are left out of its mean and counted in `exact`. `gain` is by how many dB the hole-only
    PSNR is above that of Telea on the same pictures, with its own standard error; NaN without Telea.
    """
    import pandas as pd

    # By measure and view: the person's `identity` in the manifest is no measure.
    values = [f"{name}_{view}" for name in MEASURES for view in VIEWS if f"{name}_{view}" in frame.columns]
    baseline = frame[frame["method"] == BASELINE].set_index("key")["psnr_hole"]
    rows: list[dict[str, Any]] = []
    for stratum, inside in strata(frame).items():
        for method, part in frame[inside].groupby("method", sort=False):
            row: dict[str, Any] = {"method": method, "stratum": stratum, "n": len(part)}
            row["exact"] = int(np.isinf(part["psnr_composited"]).sum())
            for name in values:
                row[name], row[f"{name}_se"] = mean_and_error(part[name])
                if name.startswith("psnr_"):
                    row[f"{name}_of_mean_mse"] = psnr(float(part[name.replace("psnr", "mse")].mean()))
            gains = part["psnr_hole"].to_numpy(float) - baseline.reindex(part["key"]).to_numpy(float)
            row["gain"], row["gain_se"] = mean_and_error(gains)
            rows.append(row)
    return pd.DataFrame(rows)


def mean_and_error(values: Any) -> tuple[float, float]:
    """Return the mean of the finite values and its standard error, NaN where there is none."""
    finite = np.asarray(values, float)
    finite = finite[np.isfinite(finite)]
    mean = float(finite.mean()) if len(finite) else float("nan")
    return mean, float(finite.std(ddof=1) / np.sqrt(len(finite))) if len(finite) > 1 else float("nan")


def main_table(summary: pd.DataFrame, columns: Columns) -> list[list[str]]:
    """Return a table over all pictures: a head, then a row a method. Columns without any number are left out."""
    whole = summary[summary["stratum"] == "all"]
    shown = [part for part in columns if part[1] in whole.columns and not whole[part[1]].isna().all()]
    rows = [["method", *(f"{title} {better(name)}" for title, name, *_ in shown)]]
    for _, line in whole.iterrows():
        cells = [_cell(line[name], line.get(f"{name}_se"), sign, digits) for _, name, sign, digits in shown]
        rows.append([str(line["method"]), *cells])
    return rows


def strata_table(summary: pd.DataFrame, what: str, name: str = "psnr_hole", digits: int = 2) -> list[list[str]]:
    """Return one measure by `what`, kind or coverage: a head with the pictures of each stratum, a row a method."""
    strata_names = [stratum for stratum in summary["stratum"].unique() if stratum.startswith(f"{what} ")]
    counts = summary.drop_duplicates("stratum").set_index("stratum")["n"]
    rows = [["method", *(f"{stratum.removeprefix(what).strip()} ({counts[stratum]:,})" for stratum in strata_names)]]
    for method in summary["method"].unique():
        lines = summary[summary["method"] == method].set_index("stratum")
        cells: Sequence[str] = [
            _cell(lines.at[stratum, name], lines.at[stratum, f"{name}_se"], "", digits) for stratum in strata_names
        ]
        rows.append([str(method), *cells])
    return rows


def _cell(value: Any, error: Any, sign: str, digits: int) -> str:
    if value is None or not np.isfinite(value):
        return "-"
    text = f"{value:{sign}.{digits}f}"
    return f"{text} ±{error:.{digits}f}" if error is not None and np.isfinite(error) else text
