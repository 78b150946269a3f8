"""The table of measured pictures that evaluations and comparisons write, read back: images.csv."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Literal

import pandas as pd

from fdgen.io.json_file import MOST_BYTES, why
from fdgen.io.regular_file import read_regular
from fdtrain.errors import RunError

NEEDED = ("key", "kind", "coverage", "psnr_hole", "mse_hole")
"""Columns that a table of pictures needs."""

_PRECISION: Literal["round_trip"] | None = (
    None if tuple(map(int, pd.__version__.split(".")[:2])) >= (3, 1) else "round_trip"
)
"""Numbers are read as they were written: pandas does so by itself since 3.1, and warns where it is asked to."""


def read_images(path: Path, needed: tuple[str, ...] = NEEDED) -> pd.DataFrame:
    """Return a table of pictures; raise `RunError` where it cannot be read, or lacks columns or rows."""
    try:
        data = read_regular(path, most_bytes=MOST_BYTES)
        frame = pd.read_csv(io.BytesIO(data), dtype={"key": str, "kind": str}, float_precision=_PRECISION)
    except (OSError, ValueError, OverflowError) as error:  # those of the parser are ValueErrors
        raise RunError(f"{path} cannot be read: {why(error)}", hint="measure again") from error
    if missing := [name for name in needed if name not in frame.columns]:
        raise RunError(f"{path} is no table of pictures: it has no column {missing[0]}", hint="measure again")
    if frame.empty:
        raise RunError(f"{path} is empty", hint="measure again")
    numbers = [name for name in frame.columns if name == "coverage" or name.startswith(("psnr_", "mse_", "ssim_"))]
    if odd := [name for name in numbers if not pd.api.types.is_numeric_dtype(frame[name])]:
        raise RunError(f"{path} is damaged: {odd[0]} holds what is no number", hint="measure again")
    if any(frame[name].isna().any() for name in ("key", "kind") if name in frame.columns):
        raise RunError(f"{path} is damaged: a picture has no key or kind", hint="measure again")
    return frame
