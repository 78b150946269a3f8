"""Faces by URL: what a place holds, objects, tars or tables, as a source of photographs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from fdgen.arrays import Image
from fdgen.contract.records import Reject
from fdgen.errors import FacesError, UnreachableError, in_words
from fdgen.faces.file_digests import DigestMemory
from fdgen.faces.identities import IDENTITIES_CSV, NOBODY_KNOWN, read_identities
from fdgen.faces.source_table import SourceTable
from fdgen.faces.sources import ListedFolder, Listing, OnFile, Source, picture_of, printable, unreadable, unusable
from fdgen.faces.streamed.holdings import Holding
from fdgen.faces.streamed.objects import Objects
from fdgen.faces.streamed.tables import Tables
from fdgen.faces.streamed.tars import Tars
from fdgen.io.pictures.formats import PICTURE_SUFFIXES, TITLES
from fdgen.io.storage import Place, files_below

_HOLDERS: Mapping[str, Callable[[Place, Sequence[str]], Holding]] = {".tar": Tars, ".parquet": Tables}


class StreamedFaces(ListedFolder):
    """Photographs of a `Holding`: listed in one pass that reads all of them, and then read one by one."""

    def __init__(self, root: Place, holding: Holding, notes: tuple[str, ...] = ()) -> None:
        super().__init__(root)
        self._holding, self._notes = holding, notes

    @property
    def kind(self) -> str:
        """What holds the photographs."""
        return self._holding.kind

    def read(self, source: Source) -> Image:
        """Decode one photograph; raise `PictureError` also where it is gone or is no longer what was listed."""
        try:
            data = self._holding.fetch(source)
        except OSError as error:
            raise unreadable(source, in_words(error)) from error
        except UnreachableError as error:
            raise unreadable(source, error.message) from error
        return picture_of(data, source)

    def _list(self, on_file: OnFile | None) -> Listing:
        found: dict[str, Source] = {}
        rejects = []
        for done, held in self._holding.listed():
            if held.digest is None:
                rejects.append(Reject(printable(held.path), "", 0, "unreadable", held.fault))
            else:
                sha256 = held.digest.sha256
                why = unusable(held.path, held.digest.head, sha256)
                if why is None and sha256 in found:
                    why = "duplicate", f"it is byte-identical to {found[sha256].path}"
                if why is None:
                    found[sha256] = Source(held.path, sha256, span=held.span)
                else:
                    rejects.append(Reject(printable(held.path), sha256, 0, *why))
            if on_file is not None:
                on_file(done, len(self._holding))
        sources = sorted(found.values(), key=lambda source: source.path)
        people, notes = _identities(self.root, sources) if self.kind == "folder" else ({}, (NOBODY_KNOWN,))
        named = SourceTable(replace(source, identity=people.get(source.path)) for source in sources)
        return named, rejects, (*self._notes, *notes)


def open_streamed(root: Place, digests: DigestMemory | None = None) -> StreamedFaces:
    """Open what lies at a URL or in a folder: a tar, a Parquet file, or many of one kind, or pictures.

    Raises `FacesError` where there is nothing of these, or a dataset that fdgen wrote; `UnreachableError`,
    `DatasetError` where the place cannot be listed.
    """
    if (holder := _HOLDERS.get(_suffix(root.name))) is not None and not (isinstance(root, Path) and root.is_dir()):
        return StreamedFaces(root.parent, holder(root.parent, [root.name]))
    files = {name: info for name, info in files_below(root).items() if not _is_hidden(name)}
    if "dataset.json" in files and any(name.startswith("shards/") for name in files):
        raise FacesError(
            f"{root} is a dataset that fdgen wrote, not photographs of faces",
            hint=f"name the photographs it was made from; `fdgen info {root}` describes it",
        )
    pictures = sorted((name for name in files if _suffix(name) in PICTURE_SUFFIXES), key=printable)
    if pictures:
        return StreamedFaces(root, Objects(root, [(name, files[name]) for name in pictures], digests), _left_out(files))
    for suffix, holder in _HOLDERS.items():
        if names := sorted(name for name in files if _suffix(name) == suffix):
            return StreamedFaces(root, holder(root, names))
    raise FacesError(
        f"there are no photographs at {root}: "
        + (f"{len(files):,} files, none of them {TITLES}" if files else "no file"),
        hint="name a folder of pictures, tars of img2dataset, or Parquet with a column of images",
    )


def holds_archives(folder: Path) -> bool:
    """Return whether a folder holds tars or Parquet, and no picture next to them."""
    suffixes = {_suffix(path.name) for path in folder.iterdir()}
    return bool(suffixes & _HOLDERS.keys()) and not suffixes & PICTURE_SUFFIXES


def _identities(root: Place, sources: Sequence[Source]) -> tuple[dict[str, str], tuple[str, ...]]:
    return read_identities(root, (source.path for source in sources))


def _left_out(files: Mapping[str, Any]) -> tuple[str, ...]:
    """Return notes on what was not taken next to pictures."""
    others = [name for name in files if _suffix(name) not in PICTURE_SUFFIXES and name != IDENTITIES_CSV]
    notes = []
    if others:
        notes.append(f"files ignored, since their names are not those of pictures: {len(others):,}")
    if any(PurePosixPath(name).name in ("identity_CelebA.txt", "list_eval_partition.txt") for name in others):
        notes.append("the lists of CelebA are read from a folder of this machine alone: no identities, no partition")
    return tuple(notes)


def _suffix(name: str) -> str:
    return PurePosixPath(name).suffix.lower()


def _is_hidden(name: str) -> bool:
    return any(part.startswith(".") for part in name.split("/"))
