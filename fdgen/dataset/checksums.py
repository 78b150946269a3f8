"""Lists of checksums, as `sha256sum -c` reads them: every file of a folder but the list itself, sorted by name."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from fdgen.dataset.invariants import Problem
from fdgen.errors import DatasetError
from fdgen.io.atomic import is_temporary, naming, write_whole
from fdgen.io.json_file import why
from fdgen.io.storage import Place, open_file, read_file
from fdgen.io.stores.opening import store_of

SUMS = "SHA256SUMS"

MOST_BYTES = 256_000_000
"""Of a list; an export of a million pictures has 100 MB."""

_LINE = re.compile(r"([0-9a-f]{64})  (\S.*)")


def sums_text(sums: Mapping[str, str]) -> bytes:
    """Return a list of sums. `sums` has the sha256 of each file by its POSIX path relative to the folder."""
    return "".join(f"{sha256}  {name}\n" for name, sha256 in sorted(sums.items())).encode()


def write_sums(folder: Path) -> None:
    """List every file below `folder` again: the last step of whoever has added or changed one there.

    For small folders such as those of cards; a build knows the sums of its shards and does not read them again.
    """
    with naming(folder / SUMS):
        lasting = [name for name in present(folder) if not is_temporary(folder / name)]
        sums = {name: _digest(folder / name, folder) for name in lasting}
    write_whole(folder / SUMS, sums_text(sums))


def present(folder: Place) -> list[str]:
    """Return the files below `folder` that a list of sums is to name, sorted: all but the list itself."""
    return [name for name in store_of(folder).every_file() if name != SUMS]


def listed_sums(folder: Place, problems: list[Problem]) -> dict[str, str]:
    """Return the sha256 of each file by its name, as listed; what is wrong with the list goes to `problems`."""
    try:
        text = read_file(folder / SUMS, most_bytes=MOST_BYTES, within=folder).decode("utf-8")
    except FileNotFoundError:
        problems.append(Problem(SUMS, None, "missing", "there is no list of sums"))
        return {}
    except (OSError, ValueError) as error:
        problems.append(Problem(SUMS, None, "sha256", f"the list of sums cannot be read: {why(error)}"))
        return {}
    listed = {}
    for number, line in enumerate(text.split("\n")[:-1], 1):
        if (match := _LINE.fullmatch(line)) and plain_path(match[2]):
            listed[match[2]] = match[1]
        else:
            problems.append(Problem(SUMS, None, "sha256", f"line {number} is not a sum"))
    if not text.endswith("\n") or list(listed) != sorted(listed):
        problems.append(Problem(SUMS, None, "sha256", "the list of sums is cut or out of order"))
    return listed


def sum_problems(folder: Place) -> list[Problem]:
    """Compare every file below `folder` with the list, and the list with the folder."""
    problems: list[Problem] = []
    listed = listed_sums(folder, problems)
    there = present(folder)
    if listed:
        unlisted = sorted(set(there) - listed.keys())
        problems += [Problem(name, None, "extra", f"{SUMS} does not list this file") for name in unlisted]
    for name, sha256 in listed.items():
        if name not in there:
            problems.append(Problem(name, None, "missing", f"{SUMS} lists this file, but it is not there"))
        elif file_sha256(folder / name, within=folder) != sha256:
            problems.append(Problem(name, None, "sha256", altered()))
    return problems


def sound_files(folder: Path, *, hint: str, on_file: Callable[[int, int], None] | None = None) -> list[str]:
    """Return the files that the list of sums names, once each has been found to be as it was listed.

    Args:
        folder: Folder of the list.
        hint: What to do about a problem, for the error.
        on_file: Called as (done, of); None for nobody.

    Raises `DatasetError` naming the first that is missing or altered, or what is wrong with the list.
    """
    problems: list[Problem] = []
    listed = listed_sums(folder, problems)
    for done, (name, sha256) in enumerate(listed.items(), 1):
        if problems:
            break
        there = file_sha256(folder / name, within=folder)
        if there is None:
            problems.append(Problem(name, None, "missing", f"{SUMS} lists this file, and it cannot be read"))
        elif there != sha256:
            problems.append(Problem(name, None, "sha256", altered()))
        if on_file is not None:
            on_file(done, len(listed))
    if problems:
        raise DatasetError(f"{folder / problems[0].file}: {problems[0].message}", hint=hint)
    return list(listed)


def is_listed(folder: Place, name: str) -> bool:
    """Return whether a file is the one that the list of sums vouches for."""
    return listed_sums(folder, []).get(name, "") == file_sha256(folder / name, within=folder)


def altered() -> str:
    """Say that a file is not the one that was listed."""
    return f"the file has been altered: its sha256 differs from {SUMS}"


def file_sha256(path: Place, *, within: Place | None = None) -> str | None:
    """Return the sha256 of a file; None where it cannot be read, is no file, or a link leads to it out of `within`."""
    try:
        return _digest(path, within)
    except OSError:
        return None


def plain_path(name: str) -> bool:
    """Return whether a name leads to a file below the folder that it is listed in."""
    return "\\" not in name and not any(part in ("", ".", "..") for part in name.split("/"))


def _digest(path: Place, within: Place | None) -> str:
    digest = hashlib.sha256()
    with open_file(path, within=within) as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()
