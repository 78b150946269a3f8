"""The photographs that the starter weights learn from: which they are, where they come from, and that they are those.

They are not in the project. `photographs.csv` has the sha256, the licence and the origin of each, a path in a public
repository on GitHub; `collections.json` says whom they show and whom to credit. Whoever has gathered them into a folder
can make the weights again.
"""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fdgen.errors import FdError

HERE = Path(__file__).parent
TABLE = HERE / "photographs.csv"
IDENTITIES = "identities.csv"
"""By this file `fdgen build` knows who is on a photograph: each shows one person, and no two the same."""


@dataclass(frozen=True)
class Collection:
    """Photographs of one origin: `name` is their folder, `n` how many there are, `facts` a row of collections.json."""

    name: str
    n: int
    facts: dict[str, Any]


def gather(faces: Path, out: Path, table: Path = TABLE) -> list[Collection]:
    """Copy the photographs of a table from `faces` to `out`, each checked, with who is on them; return what they are.

    What is in `faces` beside them is left there. Raises `FdError` where one is missing or is another file.
    """
    with table.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    people = ["path,person"]
    for row in rows:
        path = faces / row["path"]
        if not path.is_file():
            raise FdError(f"there is no photograph {path}", hint=f"gather it from {row['origin']}; {table} lists all")
        if sha256_of(path) != row["sha256"]:
            raise FdError(f"{path} is another file than {table} says", hint=f"gather it anew from {row['origin']}")
        copy = out / row["path"]
        copy.parent.mkdir(parents=True, exist_ok=True)
        if not copy.is_file() or sha256_of(copy) != row["sha256"]:  # a copy may have been cut short
            shutil.copyfile(path, copy)
        people.append(f"{row['path']},{row['path'].rpartition('.')[0]}")
    (out / IDENTITIES).write_text("\n".join(people) + "\n", encoding="utf-8")
    return collections_of([row["path"] for row in rows], table.parent)


def sha256_of(path: Path) -> str:
    """Return the digest of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def collections_of(paths: list[str], folder: Path = HERE) -> list[Collection]:
    """Return the collections of some paths, by the collections.json of a folder."""
    facts = json.loads((folder / "collections.json").read_text(encoding="utf-8"))
    names = [path.partition("/")[0] for path in paths]
    return [Collection(name, names.count(name), facts[name]) for name in dict.fromkeys(names)]


def credits_line(collections: Sequence[Collection]) -> str:
    """Return whom to credit, in one line: it is kept in the files of the weights, and so in every copy."""
    return "; ".join(f"{one.facts['attribution']} ({one.facts['licence']})" for one in collections)
