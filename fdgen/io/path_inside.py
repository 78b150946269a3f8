"""Keeps a writer below the folder that was asked for, for any name in a file."""

from __future__ import annotations

import os
import re
from pathlib import Path

from fdgen.errors import DatasetError, FdError

MOST_BYTES = 255
"""Of one part of a path: what file systems take."""

_ODD = re.compile(r"[\x00-\x1f\x7f]")
_DRIVE = re.compile(r"[A-Za-z]:")


def path_inside(folder: Path, name: str, *, error: type[FdError] = DatasetError) -> Path:
    """Return the path of `name`, parts with slashes between, below `folder`.

    Raises `error` where that is no place below it: a name that is empty or absolute, has `..`, a drive, a backslash or
    a control character, is longer than names can be, or passes through a symbolic link that leads out.
    """
    why = _unfit(name)
    if why is None:
        path = folder.joinpath(*name.split("/"))
        home, target = os.path.realpath(folder), os.path.realpath(path.parent)
        if os.path.commonpath([home, target]) == home and not path.is_symlink():
            return path
        why = "a symbolic link in it leads out"
    raise error(
        f"{name!r} is no name of a file within {folder}: {why}",
        hint="download the file that names it again, or remove what is in the way",
    )


def _unfit(name: str) -> str | None:
    """Return why a name is none, None where nothing speaks against it."""
    if not isinstance(name, str) or not name:
        return "it is empty"
    if _ODD.search(name) or "\\" in name:
        return "it has characters that are not allowed in names"
    if name.startswith("/") or _DRIVE.match(name):
        return "it is absolute"
    parts = name.split("/")
    if any(part in ("", ".", "..") for part in parts):
        return "it leads elsewhere"
    try:
        longest = max(len(os.fsencode(part)) for part in parts)
    except UnicodeEncodeError:
        return "it has characters that are not allowed in names"
    return "it is too long" if longest > MOST_BYTES else None
