"""What to say of a folder in which there is nothing to work with."""

from __future__ import annotations

import contextlib
from pathlib import Path


def nothing_in(folder: Path) -> str | None:
    """Say why a folder holds nothing, as it stands after a colon: not there, a file, empty; None where it holds any."""
    if not folder.exists():
        return "there is no such folder"
    if not folder.is_dir():
        return "it is a file"
    with contextlib.suppress(OSError):  # a folder that can't be looked into: what is missing in it is told instead
        if next(folder.iterdir(), None) is None:
            return "the folder is empty"
    return None
