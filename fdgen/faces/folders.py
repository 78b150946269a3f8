"""Faces to occlude: the sample portraits, CelebA, or any folder of photographs."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

from fdgen.arrays import Image
from fdgen.contract.records import Reject
from fdgen.errors import DatasetError, FacesError, in_words
from fdgen.faces.celeba.folder import CelebA, find_images
from fdgen.faces.face import Face
from fdgen.faces.file_digests import DigestMemory
from fdgen.faces.identities import IDENTITIES_CSV, read_identities
from fdgen.faces.source_table import SourceTable
from fdgen.faces.sources import (
    FaceSource,
    ListedFolder,
    Listing,
    OnFile,
    Source,
    list_pictures,
    printable,
    read_picture,
)
from fdgen.faces.streamed.faces import holds_archives, open_streamed
from fdgen.io.folders import recognised
from fdgen.io.json_file import read_object
from fdgen.io.pictures.formats import HEAD_BYTES, PICTURE_SUFFIXES, picture_format
from fdgen.io.regular_file import is_regular
from fdgen.io.storage import Remote, place_named

__all__ = ["CelebA", "Face", "FaceSource", "FolderFaces", "SampleFaces", "Source", "open_faces"]

SAMPLES = Path(__file__).parent / "sample_faces"


class SampleFaces:
    """The four public-domain portraits that come with the package, so that a first build needs no data."""

    kind = "samples"
    root = SAMPLES

    def __init__(self) -> None:
        self._index = json.loads((SAMPLES / "index.json").read_text(encoding="utf-8"))
        self._sources: list[Source] | None = None

    @property
    def notes(self) -> tuple[str, ...]:
        """Say how few they are."""
        n_people = len({entry["identity"] for entry in self._index})
        return (f"the sample faces show {n_people} people: enough to try the tool, too few to train on",)

    def sources(self, on_file: OnFile | None = None) -> list[Source]:
        """List the portraits; their splits were chosen by hand."""
        if self._sources is None:
            pictures, _ = list_pictures(SAMPLES, sorted(entry["file"] for entry in self._index), on_file)
            entries = {entry["file"]: entry for entry in self._index}
            self._sources = [
                Source(
                    path,
                    sha256,
                    entries[path]["identity"],
                    entries[path]["split"],
                    tuple(entries[path]["attributes"]),
                )
                for path, sha256 in pictures
            ]
        return list(self._sources)

    def rejects(self) -> list[Reject]:
        """Return nothing: the portraits are known to be good."""
        return []

    def read(self, source: Source) -> Image:
        """Decode one portrait."""
        return read_picture(SAMPLES, source)


class FolderFaces(ListedFolder):
    """Any folder of photographs, read recursively. Links are followed, each real folder once.

    Left out and counted in `notes`: files that are no pictures, hidden files and folders, datasets of ours. Who is on a
    photograph is known where an `identities.csv` in the folder says so (`fdgen.faces.identities`).
    """

    kind = "folder"
    root: Path

    def __init__(self, root: str | Path, digests: DigestMemory | None = None) -> None:
        named = Path(root).expanduser()
        _refuse_unreadable(named)
        super().__init__(named.absolute(), digests)

    def _list(self, on_file: OnFile | None) -> Listing:
        walk = _Walk(self.root)
        pictures, rejects = list_pictures(self.root, sorted(walk.pictures(), key=printable), on_file, self._digests)
        people, notes = read_identities(self.root, (path for path, _ in pictures))
        sources = SourceTable(Source(path, sha256, people.get(path)) for path, sha256 in pictures)
        return sources, rejects, (*walk.notes(), *notes)


def open_faces(path: str | Path | None, *, digests: DigestMemory | None = None) -> FaceSource:
    """Open what the user named: None or `samples` for the portraits within, CelebA, or any folder of photographs.

    A URL is a folder of pictures, of tars or of Parquet with a column of images (`hf://datasets/OWNER/NAME`), and so is
    a folder here that holds tars or Parquet alone; or it is one such file. A folder that is itself called samples is
    reached as `./samples`. `digests`, a `FaceCache` for example, remembers what was read: files that have not changed
    since are not read again. Raises `FacesError` where there is no such folder, or where it is a dataset that fdgen
    wrote; `DatasetError` where a URL cannot be opened or asked.
    """
    if path is None or path == "samples":
        return SampleFaces()
    if not str(path):  # what a shell makes of a variable that is not set; as a path it would be the current folder
        raise FacesError("the folder of faces has no name", hint="name it; `.` is the current folder")
    place = place_named(path) if isinstance(path, str) else path
    if isinstance(place, Remote):
        return open_streamed(place, digests)
    folder = place.expanduser()
    if is_regular(folder) and folder.suffix.lower() in (".tar", ".parquet"):
        return open_streamed(folder.absolute(), digests)
    _refuse_unreadable(folder)
    if _is_dataset(folder):
        raise FacesError(
            f"{folder} is a dataset that fdgen wrote, not a folder of faces",
            hint=f"name the folder of photographs it was made from; `fdgen info {folder}` describes it",
        )
    if (known := recognised(folder)) is not None and known[0] in ("a run of `fdtrain fit`", "an evaluation"):
        raise FacesError(f"{folder} is {known[0]}, not a folder of faces", hint=f"name photographs; {known[1]}")
    if find_images(folder) is not None:
        return CelebA(folder, digests)
    if holds_archives(folder):
        return open_streamed(folder.absolute(), digests)
    return FolderFaces(folder, digests)


class _Walk:
    """One pass over a folder, counting what it passes by."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._n_other = 0
        self._n_hidden = 0
        self._datasets: list[str] = []
        self._closed: list[str] = []

    def pictures(self) -> Iterator[str]:
        """Yield the paths of pictures, and of files that claim to be pictures, relative to the root, POSIX."""
        seen = set()
        for folder, folders, files in os.walk(self._root, followlinks=True, onerror=self._on_error):
            status = os.stat(folder)
            if (status.st_dev, status.st_ino) in seen:  # a link back up, or a second way to the same folder
                folders.clear()
                continue
            seen.add((status.st_dev, status.st_ino))
            where = Path(folder)
            if where != self._root and _is_dataset(where):
                self._datasets.append(self._relative(where))
                folders.clear()
                continue
            self._n_hidden += sum(name.startswith(".") for name in files)
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in files:
                if not name.startswith("."):
                    if _is_picture(where / name):
                        yield self._relative(where / name)
                    elif where != self._root or name != IDENTITIES_CSV:
                        self._n_other += 1

    def notes(self) -> list[str]:
        """Return what was passed by, after `pictures` has run."""
        notes = []
        if self._n_other:
            notes.append(f"files ignored, since they are no pictures: {self._n_other:,}")
        if self._n_hidden:
            notes.append(f"files ignored, since they are hidden: {self._n_hidden:,}")
        if self._datasets:
            notes.append(f"datasets that fdgen wrote were skipped: {', '.join(sorted(self._datasets))}")
        if self._closed:
            notes.append(f"folders that cannot be read were skipped: {', '.join(sorted(self._closed))}")
        return notes

    def _relative(self, path: Path) -> str:
        return path.relative_to(self._root).as_posix()

    def _on_error(self, error: OSError) -> None:
        self._closed.append(printable(self._relative(Path(error.filename))))


def _is_picture(path: Path) -> bool:
    """Return whether a file is a picture by its first bytes, or claims to be one by its name.

    One that claims to be and is none is rejected, not ignored.
    """
    if path.suffix.lower() in PICTURE_SUFFIXES:
        return not path.exists() or path.is_file()  # a broken link is reported when it is read; a folder is no picture
    try:
        if not path.is_file():  # opening a pipe would wait for ever
            return False
        with path.open("rb") as file:
            return picture_format(file.read(HEAD_BYTES)) is not None
    except OSError:
        return False


def _is_dataset(folder: Path) -> bool:
    path = folder / "dataset.json"
    try:
        return is_regular(path) and "spec_id" in read_object(path)
    except DatasetError:
        return False


def _refuse_unreadable(folder: Path) -> None:
    if not folder.exists():
        raise FacesError(
            f"there is no folder {folder}", hint="check the path; leave --faces out to use the sample faces"
        )
    if not folder.is_dir():
        raise FacesError(
            f"{folder} is a file, not a folder of faces",
            hint="unpack an archive first; a single photograph goes into a folder of its own",
        )
    try:
        next(folder.iterdir(), None)
    except OSError as error:
        raise FacesError(
            f"the folder {folder} cannot be read: {in_words(error)}", hint="check its permissions"
        ) from error
