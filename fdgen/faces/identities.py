"""The person on a photograph, without a list of CelebA: from the user's own list, or from its folder."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from fdgen.errors import FacesError, in_words
from fdgen.faces.source_table import SourceTable
from fdgen.faces.sources import AlteredFaces, FaceSource, OnFile, Source
from fdgen.io.storage import Place, is_file, open_file

IDENTITIES_CSV = "identities.csv"
"""A file in the folder of the photographs, `path,person` in each line: read where it is there."""

NOBODY_KNOWN = "no identities are known: the same person may be in two splits"

_HINT = "a line is PATH,PERSON, the path relative to the folder of the photographs; correct it, or remove the file"


def read_identities(root: Place, paths: Iterable[str]) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return the person on each photograph that `identities.csv` names, and notes: whom it lacks, what is not there.

    Without that file nobody is known. Raises `FacesError`, naming the line, where it is malformed, and where it names
    none of the photographs.
    """
    path, wanted = root / IDENTITIES_CSV, set(paths)
    if not is_file(path):
        return {}, (NOBODY_KNOWN,)
    people: dict[str, str] = {}
    n_others = 0
    for number, row in _rows(path):
        if number == 1 and row[0].strip().lower() in ("path", "file", "filename", "image", "image_id", "name"):
            continue
        cells = [cell.strip() for cell in row]
        if len(cells) != 2:
            raise _malformed(path, number, f"expected 2 columns, found {len(cells)}")
        if not all(cells):
            raise _malformed(path, number, "the person is missing" if cells[0] else "the path is missing")
        name = str(PurePosixPath(cells[0].replace("\\", "/")))
        if name not in wanted:
            n_others += 1
        elif people.setdefault(name, cells[1]) != cells[1]:
            raise _malformed(path, number, f"{name} shows another person in an earlier line")
    if not people and wanted:
        raise FacesError(
            f"{path} names none of the {len(wanted):,} photographs here, such as {min(wanted)}", hint=_HINT
        )
    notes = []
    if lacking := len(wanted) - len(people):
        notes.append(
            f"{IDENTITIES_CSV} lacks {lacking:,} of the {len(wanted):,} photographs: they are split one by one"
        )
    if n_others:
        notes.append(f"{IDENTITIES_CSV} names files that are missing, or are rejected: {n_others:,}")
    return people, tuple(notes)


def folder_as_person(source: Source) -> str | None:
    """Return the name of the folder that a photograph is in; None of one that is in none below the root.

    Two folders of one name are one person, as in `train/ann` and `test/ann`. A tar or table is no folder; those within
    a tar are.
    """
    folder = PurePosixPath(source.path).parent
    holds_many = source.span is not None and folder.suffix.lower() in (".tar", ".parquet")
    return None if holds_many else folder.name or None


def name_people(identity: str, sources: Sequence[Source]) -> Sequence[Source]:
    """Return photographs with the people that a recipe's `faces.identity` says are on them."""
    if identity == "auto":
        return sources
    return SourceTable(replace(source, identity=folder_as_person(source)) for source in sources)


def with_people(identity: str, faces: FaceSource) -> FaceSource:
    """Return a set of photographs with people known as a recipe's `faces.identity` says: itself where it is `auto`."""
    return faces if identity == "auto" else PeopleInFolders(faces)


@dataclass(frozen=True)
class PeopleInFolders(AlteredFaces):
    """Photographs of which each folder is a person; the rest is as `faces` has it."""

    @property
    def notes(self) -> tuple[str, ...]:
        """Say who is who, and what else the photographs have to say."""
        sources = name_people("folder", self.faces.sources())
        unknown = sum(source.identity is None for source in sources)
        people = len({source.identity for source in sources if source.identity is not None})
        notes = [f"the folder of a photograph is the person on it: {people:,} people"]
        if unknown:
            notes.append(f"{unknown:,} of the {len(sources):,} photographs are in no folder: split one by one")
        kept = (note for note in self.faces.notes if note != NOBODY_KNOWN and not note.startswith(IDENTITIES_CSV))
        return (*notes, *kept)

    def sources(self, on_file: OnFile | None = None) -> Sequence[Source]:
        """List the photographs; raise `FacesError` where there are none, or none of them is in a folder."""
        sources = name_people("folder", self.faces.sources(on_file))
        if all(source.identity is None for source in sources):
            raise FacesError(
                f"faces.identity is 'folder', but no photograph in {self.root} is in a folder of its own",
                hint=f"put those of each person into a folder, or set faces.identity=auto and write {IDENTITIES_CSV}",
            )
        return sources


def _rows(path: Place) -> Iterable[tuple[int, list[str]]]:
    try:
        with open_file(path) as file, io.TextIOWrapper(file, encoding="utf-8-sig", newline="") as lines:
            reader = csv.reader(lines, skipinitialspace=True)
            yield from ((reader.line_num, row) for row in reader if any(cell.strip() for cell in row))
    except OSError as error:
        raise FacesError(f"{path} cannot be read: {in_words(error)}", hint=_HINT) from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise FacesError(f"{path} cannot be read: {error}", hint=_HINT) from error


def _malformed(path: Place, number: int, why: str) -> FacesError:
    return FacesError(f"line {number} of {path} is malformed: {why}", hint=_HINT)
