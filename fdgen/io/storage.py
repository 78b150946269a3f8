"""Reads from a folder of this machine, or a URL (`https://`, `s3://`, `gs://`, `az://`, `hf://`, `memory://`).

Folders are read with the standard library alone. URLs go through fsspec, which is imported for them only, and by ranges
of bytes: nothing is downloaded but what is asked for.
"""

from __future__ import annotations

import io
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypeVar, cast

from fdgen.errors import DatasetError, UnreachableError
from fdgen.io.regular_file import is_regular, open_regular, read_regular
from fdgen.io.stores.connection import faults, in_short, open_system, scheme_of, without_credentials

_T = TypeVar("_T")

TRIES = 3
"""How often a read is tried: a connection that was dropped once in a million reads must not end a week's training."""

WAIT_S = 0.5

PIECE_BYTES = 8_000_000
"""Read of a remote file at once by whoever reads it from end to end: each request costs a tenth of a second."""


@dataclass(frozen=True, repr=False)
class Remote:
    """A file or folder behind a URL; `/` names what lies in it. Holds no connection: safe to pickle and to fork.

    As text it is without credentials; `url` has all.
    """

    url: str

    def __truediv__(self, name: str) -> Remote:
        return Remote(f"{self.url.rstrip('/')}/{name}")

    def __str__(self) -> str:
        return without_credentials(self.url)

    def __repr__(self) -> str:
        return f"Remote({str(self)!r})"

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.url.rstrip("/").rpartition("/")[2]

    @property
    def stem(self) -> str:
        """The last part of the path, without its suffix."""
        return Path(self.name).stem

    @property
    def parent(self) -> Remote:
        """What it lies in."""
        return Remote(self.url.rstrip("/").rpartition("/")[0])

    def read_bytes(self, most_bytes: int) -> bytes:
        """Return the whole file.

        Raises `FileNotFoundError` where it is not there, `DatasetError` where it fails or has more than `most_bytes`.
        """
        size = self.size()
        data = self._read(None, None) if size is None or size <= most_bytes else b""
        if max(size or 0, len(data)) > most_bytes:
            raise DatasetError(
                f"{self} has {max(size or 0, len(data)):,} bytes, more than the limit of {most_bytes:,}",
                hint="check the URL: this is not a dataset of fdgen",
            )
        return data

    def read_range(self, start: int, size: int) -> bytes:
        """Return `size` bytes from `start` on, fewer at the end of the file; raise as `read_bytes` does.

        A server that does not answer range requests sends the whole file, which is refused: each sample would cost a
        shard.
        """
        data = self._read(start, start + size)
        if len(data) > size:
            raise DatasetError(
                f"{self} cannot be read by ranges of bytes: its server sends whole files",
                hint="copy the dataset to this machine, or serve it by one that answers range requests",
            )
        return data

    def size(self) -> int | None:
        """Return how many bytes the file has, None where its server does not say."""
        system, path = open_system(self.url)
        for _ in range(TRIES):
            try:
                size = system.size(path)
                return None if size is None else int(size)
            except (FileNotFoundError, PermissionError):  # noqa: PERF203 - three times at most
                return None
            except (OSError, EOFError):
                time.sleep(WAIT_S)
            except faults():  # a server that answers no such question
                return None
        return None  # reading says what is wrong, and tries again

    def is_file(self) -> bool:
        """Return whether there is such a file; raise `DatasetError` where its server cannot be asked."""
        try:
            return asked(self, lambda system, path: bool(system.info(path)["type"] == "file"), denied="read")
        except FileNotFoundError:
            return False

    def _read(self, start: int | None, end: int | None) -> bytes:
        return asked(self, lambda system, path: bytes(system.cat_file(path, start=start, end=end)))


Place = Path | Remote


def open_place(root: str | Path | Remote) -> Place:
    """Return the folder, or the object for the URL, that a user names; `file://` is a folder.

    A dataset on the Hub (`hf://datasets/OWNER/NAME@REVISION`) is fetched whole into the cache: a folder, too.
    """
    if isinstance(root, Path | Remote):
        return root
    if root.startswith("hf://datasets/"):
        from fdgen.io.hub.datasets import fetch_dataset

        return fetch_dataset(root).folder
    return place_named(root)


def place_named(root: str) -> Place:
    """Return the folder, or the object for the URL, that a text names; nothing is fetched."""
    if root.startswith("file://"):
        return Path(root.removeprefix("file://"))
    return Remote(root) if "://" in root else Path(root)


def local_folder(place: Place) -> Path:
    """Return a folder of this machine; raise `DatasetError` where the place is behind a URL."""
    if isinstance(place, Remote):
        raise DatasetError(f"{place} is behind a URL, and this needs all of its files", hint="copy it to this machine")
    return place


def absolute(place: Place) -> Place:
    """Return a place that means the same in a process with another current folder."""
    return place.absolute() if isinstance(place, Path) else place


def is_file(file: Place) -> bool:
    """Return whether there is an ordinary file, or an object; raise `DatasetError` where its server cannot be asked."""
    return file.is_file() if isinstance(file, Remote) else is_regular(file)


def files_below(folder: Place) -> dict[str, dict[str, Any]]:
    """Return what is known of every file below a folder, by its name relative to it: of a remote one what fsspec says.

    Raises `UnreachableError` where the server cannot be asked, `DatasetError` where it lists no files.
    """
    if not isinstance(folder, Remote):
        paths = (Path(root) / name for root, _, names in os.walk(folder, followlinks=True) for name in names)
        return {path.relative_to(folder).as_posix(): {} for path in paths}
    refuse_unlisted(folder)
    try:
        found, start = asked(
            folder, lambda system, path: (system.find(path, detail=True), path.strip("/")), denied="listed"
        )
    except FileNotFoundError:
        return {}
    return {path.strip("/").removeprefix(start).lstrip("/"): info for path, info in found.items()}


def asked(
    place: Remote,
    ask: Callable[[Any, str], _T],
    *,
    denied: str | None = None,
    denied_hint: str = "check your credentials",
    failed: str = "read",
    failed_hint: str = "check the URL and the connection",
) -> _T:
    """Return what the server of a place answers, asked again where a connection drops: a question changes nothing.

    Args:
        place: What is asked about.
        ask: Called with the file system of fsspec and the path in it.
        denied: What permission lacks for, for the error; None lets `PermissionError` pass.
        denied_hint: The next step then.
        failed: What cannot be done where the connection fails.
        failed_hint: The next step then.

    Raises `UnreachableError`; `FileNotFoundError` and `FileExistsError` pass.
    """
    for tries_left in reversed(range(TRIES)):
        system, path = open_system(place.url)
        try:
            return ask(system, path)
        except (FileNotFoundError, FileExistsError):
            raise
        except PermissionError as error:
            if denied is None:
                raise
            raise UnreachableError(f"{place} cannot be {denied}: permission denied", hint=denied_hint) from error
        except faults() as error:
            if not tries_left:
                raise UnreachableError(f"{place} cannot be {failed}: {in_short(error)}", hint=failed_hint) from error
        time.sleep(WAIT_S)
    raise RuntimeError("unreachable: the last try returns or raises")


def refuse_unlisted(folder: Remote) -> None:
    """Raise `DatasetError` where a URL is one of which nobody can say what lies below."""
    if scheme_of(folder.url) in ("http", "https"):
        raise DatasetError(
            f"{folder} cannot be listed: a web server has files and no folders",
            hint="name one file there, or copy what you need to this machine or to an object store",
        )


def open_file(file: Place, *, within: Place | None = None) -> BinaryIO:
    """Open a file for reading: a local one as `open_regular` does, a remote one by pieces.

    `within` is the folder that no link of a local file may lead out of. Raises `OSError` where it is not there or
    cannot be opened; reading a remote one raises `DatasetError` where the connection fails.
    """
    if isinstance(file, Remote):
        return cast(BinaryIO, io.BufferedReader(_Pieces(file), PIECE_BYTES))
    return open_regular(file, within=within if isinstance(within, Path) else None)


def read_file(file: Place, *, most_bytes: int, within: Place | None = None) -> bytes:
    """Return the bytes of a file; raise as `read_regular` does, and `DatasetError` as `Remote.read_bytes`."""
    if isinstance(file, Remote):
        return file.read_bytes(most_bytes)
    return read_regular(file, most_bytes=most_bytes, within=within if isinstance(within, Path) else None)


def read_range(file: Place, start: int, size: int) -> bytes:
    """Return `size` bytes of a file from `start` on, fewer at its end; raise `OSError` where it cannot be read."""
    if isinstance(file, Remote):
        return file.read_range(start, size)
    with file.open("rb", buffering=0) as opened:  # no handle is kept: an open takes 2 us
        there = os.fstat(opened.fileno()).st_size - start  # what is asked for is made room for at once
        if size < 0 or there <= 0:
            return b""
        opened.seek(start)
        return opened.read(min(size, there))


class _Pieces(io.RawIOBase):
    """A remote file, read by ranges of bytes as they are asked for: each is tried again where a connection drops."""

    def __init__(self, file: Remote) -> None:
        size = file.size()
        if size is None:  # not there, or not to be asked: reading says which
            file.read_range(0, 1)
            raise UnreachableError(
                f"{file} cannot be read by pieces: its server does not say how large it is",
                hint="copy it to this machine",
            )
        self._file, self._size, self._place = file, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._size}[whence]
        self._place = max(start + offset, 0)
        return self._place

    def readinto(self, buffer: Any) -> int:
        wanted = min(len(buffer), self._size - self._place)
        if wanted <= 0:
            return 0
        data = self._file.read_range(self._place, wanted)
        buffer[: len(data)] = data
        self._place += len(data)
        return len(data)
