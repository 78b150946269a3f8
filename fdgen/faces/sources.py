"""Sources of photographs: what a source of faces is, and how files are listed by their content."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from fdgen.arrays import Image
from fdgen.contract.records import Reject
from fdgen.errors import FacesError, PictureError, in_words
from fdgen.faces.file_digests import DigestMemory, digest_files
from fdgen.io.folders import nothing_in
from fdgen.io.pictures.formats import TITLES, picture_format, unreadable_detail, what_it_needs
from fdgen.io.pictures.images import decode
from fdgen.io.storage import Place, local_folder
from fdgen.runtime.step_times import timed_step

MAX_BYTES = 1_000_000_000
"""No photograph is larger than this; a file that is would fill the memory of whoever reads it."""

PASSING_REASONS = frozenset({"unreadable", "changed"})
"""Rejects that lie with the disk or the moment, not with the photograph: recorded, they would make two runs differ."""

OUT_OF_PICTURE = "out-of-picture"
"""The reject of a face that reaches out of its photograph: its crop by more than a recipe allows
(`faces.max_outside`), or too much of the face itself."""

TOOK_TOO_LONG, CRASHED = "took-too-long", "crashed-worker"
GIVEN_UP_REASONS = frozenset({TOOK_TOO_LONG, CRASHED})
"""Rejects of photographs that hung or killed the worker that was at them, twice; no cache keeps them."""

OnFile = Callable[[int, int], None]
"""Called with (files done, files in all) while a source is listed."""


@dataclass(frozen=True, slots=True)
class Source:
    """One photograph. `path` is POSIX, relative to the faces root; the rest is None where it is not known.

    `split` is an official partition (`train`, `val`, `test`); `attributes` are the names of CelebA's attributes that
    the photograph has.
    """

    path: str
    sha256: str
    identity: str | None = None
    split: str | None = None
    attributes: tuple[str, ...] | None = None
    span: tuple[int, int] | None = None
    """Where it lies in a file that holds many: start and size in bytes, or row group and row. No part of what it is."""


class FaceSource(Protocol):
    """A set of photographs. Picklable: workers read from their own copy, and only `read` is called there."""

    @property
    def kind(self) -> str:
        """`samples`, `celeba`, `folder`, `tars` or `parquet`."""

    @property
    def root(self) -> Place:
        """The folder, or the URL, that `Source.path` is relative to."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What is missing or was left out, and what that costs: one sentence each."""

    def sources(self, on_file: OnFile | None = None) -> Sequence[Source]:
        """List the photographs, sorted by path, byte-identical ones once; raise `FacesError` where there are none."""

    def rejects(self) -> list[Reject]:
        """List the files found unusable before decoding: duplicates, empty, unreadable, not a picture."""

    def read(self, source: Source) -> Image:
        """Decode one photograph to RGB uint8 HWC; raise `PictureError` where that cannot be done."""


@dataclass(frozen=True)
class AlteredFaces:
    """Photographs as `faces` has them, but for what a subclass changes."""

    faces: FaceSource

    @property
    def kind(self) -> str:
        """That of the photographs."""
        return self.faces.kind

    @property
    def root(self) -> Place:
        """The folder, or the URL, that `Source.path` is relative to."""
        return self.faces.root

    def rejects(self) -> list[Reject]:
        """List the files found unusable."""
        return self.faces.rejects()

    def read(self, source: Source) -> Image:
        """Decode one photograph."""
        return self.faces.read(source)


Listing = tuple[Sequence[Source], list[Reject], tuple[str, ...]]
"""Photographs, rejects and notes of a folder."""


class ListedFolder(ABC):
    """A folder of photographs that is listed once, when it is first asked; a `FaceSource` but for its `kind`.

    With `digests`, photographs that have not changed since an earlier listing are not read again for it.
    """

    def __init__(self, root: Place, digests: DigestMemory | None = None) -> None:
        self.root: Place = root
        self._digests = digests
        self._listing: Listing | None = None

    def __getstate__(self) -> dict[str, Any]:
        # 200,000 sources need not travel to every worker, which lists nothing
        return {**self.__dict__, "_listing": None, "_digests": None}

    @abstractmethod
    def _list(self, on_file: OnFile | None) -> Listing:
        """Look into the folder."""

    def _listed(self, on_file: OnFile | None = None) -> Listing:
        if self._listing is None:
            self._listing = self._list(on_file)
        return self._listing

    @property
    def notes(self) -> tuple[str, ...]:
        """Say what is missing or was left out, and what that costs."""
        return self._listed()[2]

    def sources(self, on_file: OnFile | None = None) -> Sequence[Source]:
        """List the photographs; raise `FacesError` where there are none."""
        sources, rejects, _ = self._listed(on_file)
        refuse_empty(self.root, sources, rejects)
        return sources

    def rejects(self) -> list[Reject]:
        """List duplicates, empty and unreadable files, and files that only claim to be pictures."""
        return self._listed()[1]

    def read(self, source: Source) -> Image:
        """Decode one photograph, turned upright as its EXIF data says."""
        return read_picture(local_folder(self.root), source)


@dataclass(frozen=True)
class Pictures:
    """Files that are pictures, in their order: iterates over (path, sha256). Those of one content are there once."""

    paths: list[str]
    digests: bytearray
    """The sha256 of each, 32 bytes after 32 bytes."""

    def __len__(self) -> int:
        return len(self.paths)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return ((path, self.digests[32 * n : 32 * n + 32].hex()) for n, path in enumerate(self.paths))


def list_pictures(
    root: Path, paths: Iterable[str], on_file: OnFile | None = None, digests: DigestMemory | None = None
) -> tuple[Pictures, list[Reject]]:
    """Digest files: return the usable ones in the order given, and rejects for the others.

    Of byte-identical files the first is kept. Pictures are recognised by their first bytes alone; nothing is decoded.
    """
    paths = list(paths)
    usable = Pictures([], bytearray())
    rejects: list[tuple[int, Reject]] = []
    places = array("Q")  # of the usable ones, among all
    results = digest_files((root / path for path in paths), digests, most_bytes=MAX_BYTES)
    for number, (path, result) in enumerate(zip(paths, results, strict=True)):
        if isinstance(result, OSError):
            why = "unreadable", f"it cannot be read: {result.strerror}"
            rejects.append((number, Reject(printable(path), "", 0, *why)))
        elif (fault := unusable(path, result.head, result.sha256)) is not None:
            rejects.append((number, Reject(printable(path), result.sha256, 0, *fault)))
        else:
            places.append(number)
            usable.paths.append(path)
            usable.digests.extend(bytes.fromhex(result.sha256))
        if on_file is not None:
            on_file(number + 1, len(paths))
    twins = _twins(usable.digests)
    for number, first in twins.items():
        detail = f"it is byte-identical to {usable.paths[first]}"
        sha256 = usable.digests[32 * number : 32 * number + 32].hex()
        rejects.append((places[number], Reject(printable(usable.paths[number]), sha256, 0, "duplicate", detail)))
    if twins:
        kept = [number for number in range(len(usable)) if number not in twins]
        digests_kept = bytearray().join(usable.digests[32 * number : 32 * number + 32] for number in kept)
        usable = Pictures([usable.paths[number] for number in kept], digests_kept)
    return usable, [reject for _, reject in sorted(rejects, key=lambda one: one[0])]


def _twins(digests: bytearray) -> dict[int, int]:
    """Return the number of each digest, of 32 bytes each, that is there before, with the number of the first such."""
    heads = np.frombuffer(bytes(digests), ">u8").reshape(-1, 4)
    order = np.lexsort(heads.T)  # stable: equal ones stay in their order
    same = np.flatnonzero((heads[order[1:]] == heads[order[:-1]]).all(1)) + 1
    twins: dict[int, int] = {}
    for place in same.tolist():
        before, number = int(order[place - 1]), int(order[place])
        twins[number] = twins.get(before, before)
    return twins


@timed_step("read photograph")
def read_picture(root: Path, source: Source) -> Image:
    """Read and decode one photograph; raise `PictureError` also where the file is gone or is no longer what was listed.

    Samples are derived from the digest, so a file that changed since would silently give another sample.
    """
    try:
        data = (root / source.path).read_bytes()
    except OSError as error:
        raise unreadable(source, in_words(error)) from error
    return picture_of(data, source)


def unreadable(source: Source, why: str) -> PictureError:
    """Return the error of a photograph that was listed and cannot be read now."""
    return PictureError(
        f"{source.path} cannot be read: {why}", reason="unreadable", hint="check that the disk is there"
    )


def picture_of(data: bytes, source: Source) -> Image:
    """Decode the bytes of a photograph; raise `PictureError`, also where they are not those that were listed."""
    if hashlib.sha256(data).hexdigest() != source.sha256:
        raise PictureError(
            f"{source.path} has changed since it was listed",
            reason="changed",
            hint="run the same command again; use --no-cache if its size and time have not changed",
        )
    return decode(data, name=source.path)


def refuse_empty(root: Place, sources: Sequence[Source], rejects: list[Reject]) -> None:
    """Raise `FacesError` where nothing is left to work with, saying why if something was there at all."""
    if sources:
        return
    if rejects:
        reasons = sorted({reject.reason for reject in rejects})
        raise FacesError(
            f"no picture in {root} can be used: {len(rejects)} rejected ({', '.join(reasons)}); "
            f"the first is {rejects[0].source}: {rejects[0].detail}",
            hint="name a folder with photographs of faces",
        )
    raise FacesError(
        f"there is no picture in {root}" + (f": {why}" if isinstance(root, Path) and (why := nothing_in(root)) else ""),
        hint=f"name a folder with {TITLES} pictures; leave --faces out for the sample faces",
    )


def printable(path: str) -> str:
    """Return a path that any file can hold: bytes of a name that is not UTF-8 are written as escapes."""
    return path.encode(errors="surrogateescape").decode(errors="backslashreplace")


def unusable(path: str, head: bytes, sha256: str) -> tuple[str, str] | None:
    """Return the (reason, detail) for which a file alone cannot be a source, None where it can."""
    if not head:
        return "empty-file", "the file is empty"
    kind = picture_format(head)
    if kind is None:
        return "not-a-picture", f"its content is not {TITLES}, despite its name"
    if what_it_needs(kind):
        return "unsupported", unreadable_detail(kind)
    if not sha256:
        return "too-large", f"it is larger than {MAX_BYTES / 1e9:g} GB, which no photograph is"
    if printable(path) != path:
        return "bad-name", "its name is not valid UTF-8, so no manifest could hold it: rename it"
    return None
