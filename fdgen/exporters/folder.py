"""The folder of an export: for one dataset and one format, finished file by file.

    export.json           what the folder is for; written first
    .finished.txt         the sums of the files that are whole, while the export is under way
    SHA256SUMS            of every other file; written last, and then the list above goes

A file is kept by a later run where its sum is still the one that was written down.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from fdgen.dataset.checksums import MOST_BYTES, SUMS, file_sha256, listed_sums, sums_text
from fdgen.dataset.invariants import Problem
from fdgen.errors import DatasetError, MixingError
from fdgen.io.atomic import append, is_temporary, make_folder, naming, remove, whole_file, write_whole
from fdgen.io.json_file import read_json
from fdgen.io.lock import LOCK_NAME, folder_lock
from fdgen.io.path_inside import path_inside
from fdgen.io.regular_file import is_regular, read_regular

CLAIM = "export.json"
FINISHED = ".finished.txt"


class ExportFolder:
    """One export under way; made by `claimed`. Names are paths within the folder, with slashes."""

    def __init__(self, root: Path, sums: Mapping[str, str]) -> None:
        self.root = root
        self.found = dict(sums)
        """Sums that an earlier run wrote down, of files that may have been changed since."""
        self.sums: dict[str, str] = {}
        """Sums of what this run has made, or has found whole."""
        self._untold: dict[str, str] = {}

    def path(self, name: str) -> Path:
        """Return where a file of the export lies; raise `DatasetError` where that is not in its folder."""
        return path_inside(self.root, name)

    def holds(self, name: str, sha256: str | None = None) -> bool:
        """Return whether a file is there and whole: of this sum, or of that which an earlier run wrote down."""
        wanted = sha256 or self.found.get(name)
        path = self.path(name)
        if wanted is None or not is_regular(path) or file_sha256(path) != wanted:
            return False
        self._add(name, wanted)
        return True

    def put(self, name: str, data: bytes, sha256: str) -> None:
        """Write a file whose sum is known. It is not synced by itself: `finish` does that for all."""
        path = self.path(name)
        make_folder(path.parent)
        with whole_file(path, synced=False) as file:
            file.write(data)
        self._add(name, sha256)

    @contextlib.contextmanager
    def writing(self, name: str) -> Iterator[BinaryIO]:
        """Open a file that appears when the block ends, and not if it raises; its sum is written down."""
        path = self.path(name)
        make_folder(path.parent)
        with whole_file(path) as file:
            yield file
        self._add(name, file_sha256(path) or "")

    def _add(self, name: str, sha256: str) -> None:
        self.sums[name] = self._untold[name] = sha256

    def note(self) -> None:
        """Write down the sums so far, for a run that goes on after this one was stopped."""
        append(self.path(FINISHED), "".join(f"{sha256}  {name}\n" for name, sha256 in self._untold.items()))
        self._untold.clear()

    def drop(self, name: str) -> None:
        """Remove a file that was needed on the way alone, and its folder if that is empty."""
        path = self.path(name)
        remove(path)
        with naming(path):
            if path.parent.is_dir() and not any(path.parent.iterdir()):
                path.parent.rmdir()
        self.sums.pop(name, None)

    def finish(self) -> None:
        """Remove what earlier runs left and is no part of this export, make the rest last, and write SHA256SUMS."""
        for path in sorted(self.root.rglob("*")):
            name = path.relative_to(self.root).as_posix()
            if is_temporary(path) or (name in self.found and name not in self.sums and name != CLAIM):
                remove(path)
        if hasattr(os, "sync"):
            os.sync()  # once for all pictures: a sync of each would take longer than writing them
        write_whole(self.root / SUMS, sums_text({**self.sums, CLAIM: file_sha256(self.root / CLAIM) or ""}))
        remove(self.root / FINISHED)


@contextlib.contextmanager
def claimed(root: Path, claim: Mapping[str, Any]) -> Iterator[ExportFolder]:
    """Make `root` where it is not there, and hold it for one export.

    Raises `MixingError` where it holds another export, naming each field of `claim` that differs; `DatasetError` where
    it holds anything else, cannot be written, or another export is writing to it.
    """
    text = (json.dumps(claim, indent=2, ensure_ascii=False) + "\n").encode()
    _refuse_other(root, claim)
    make_folder(root)
    with folder_lock(root):
        _refuse_other(root, claim)
        write_whole(root / CLAIM, text)
        ignored: list[Problem] = []  # of a list that is damaged: what it does not name is written again
        yield ExportFolder(root, {**listed_sums(root, ignored), **_sums(root / FINISHED)})


def _refuse_other(root: Path, claim: Mapping[str, Any]) -> None:
    with naming(root):
        if not root.exists():
            return
        if not root.is_dir():
            raise DatasetError(f"{root} is a file, not a folder", hint="name a new or empty folder as the output")
        names = sorted(path.name for path in root.iterdir() if path.name != LOCK_NAME and not is_temporary(path))
    try:
        found = read_json(root / CLAIM, within=root)
    except DatasetError:
        found = None
    if not isinstance(found, dict):
        if names:
            shown = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
            raise DatasetError(
                f"{root} already holds something else ({shown}) and no export of fdgen",
                hint="name a new or empty folder as the output",
            )
        return
    lines = tuple(
        f"{name}: {found.get(name)} -> {claim.get(name)}"
        for name in sorted(found.keys() | claim.keys())
        if found.get(name) != claim.get(name)
    )
    if lines:
        raise MixingError(
            f"{root} holds another export, and the two must not be mixed: " + "; ".join(lines),
            differences=lines,
            hint="name another output folder, or delete this one",
        )


def _sums(path: Path) -> dict[str, str]:
    """Read a list of sums as far as it is whole: the last line of a killed run may be torn."""
    try:
        lines = read_regular(path, most_bytes=MOST_BYTES).decode("utf-8", "replace").split("\n")[:-1]
    except OSError:
        return {}
    return {name: sha256 for sha256, separator, name in (line.partition("  ") for line in lines) if separator}
