"""Reads a dataset from a folder of this machine, or a URL (`https://`, `s3://`, `memory://`).

Folders are read with the standard library alone. URLs go through fsspec, which is imported for them only, and by ranges
of bytes: nothing is downloaded but what is asked for.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fdgen.errors import DatasetError

TRIES = 3
"""How often a read is tried: a connection that was dropped once in a million reads must not end a week's training."""

WAIT_S = 0.5


@dataclass(frozen=True)
class Remote:
    """A file or folder behind a URL; `/` names what lies in it. Holds no connection: safe to pickle and to fork."""

    url: str

    def __truediv__(self, name: str) -> Remote:
        return Remote(f"{self.url.rstrip('/')}/{name}")

    def __str__(self) -> str:
        return self.url

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.url.rstrip("/").rpartition("/")[2]

    def read_bytes(self, most_bytes: int) -> bytes:
        """Return the whole file.

        Raises `FileNotFoundError` where it is not there, `DatasetError` where it fails or has more than `most_bytes`.
        """
        size = self._size()
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

    def _size(self) -> int | None:
        """Return how many bytes the file has, None where its server does not say."""
        system, path = _open(self.url)
        with contextlib.suppress(OSError, *_dropped()):  # reading says what is wrong, and tries again
            size = system.size(path)
            return None if size is None else int(size)
        return None

    def _read(self, start: int | None, end: int | None) -> bytes:
        system, path = _open(self.url)
        for tries_left in reversed(range(TRIES)):
            with _told(self, dropped_is_told=not tries_left):
                return bytes(system.cat_file(path, start=start, end=end))
            time.sleep(WAIT_S)
        raise RuntimeError("unreachable: the last try returns or raises")


Place = Path | Remote


def open_place(root: str | Path | Remote) -> Place:
    """Return the folder, or what stands for the URL, that a user names; `file://` is a folder.

    A dataset on the Hub (`hf://datasets/OWNER/NAME@REVISION`) is fetched whole into the cache: a folder, too.
    """
    if isinstance(root, Path | Remote):
        return root
    if root.startswith("hf://datasets/"):
        from fdgen.io.hub_datasets import fetch_dataset

        return fetch_dataset(root).folder
    if root.startswith("file://"):
        return Path(root.removeprefix("file://"))
    return Remote(root) if "://" in root else Path(root)


def local_folder(place: Place) -> Path:
    """Return a folder of this machine; raise `DatasetError` where the place is behind a URL."""
    if isinstance(place, Remote):
        raise DatasetError(f"{place} is behind a URL, and this needs all of its files", hint="copy it to this machine")
    return place


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


def _open(url: str) -> tuple[Any, str]:
    """Return the file system of a URL and the path in it. fsspec keeps one a process and thread, so asking is cheap."""
    try:
        from fsspec.core import url_to_fs
    except ImportError as error:
        raise DatasetError(
            f"{url} is not a folder of this machine, and fsspec, which reads URLs, is not installed",
            hint="install it with `pip install 'fd-stackgan[scale]'`",
        ) from error
    try:
        system, path = url_to_fs(url)
    except ImportError as error:  # of the package for this protocol: s3fs, gcsfs, aiohttp ...
        raise DatasetError(f"{url} cannot be read: {error}", hint="install the package that it names") from error
    except ValueError as error:  # no such protocol
        raise DatasetError(
            f"{url} cannot be read: {error}", hint="name a folder, or a URL such as https:// or s3://"
        ) from error
    return system, str(path)


@contextlib.contextmanager
def _told(place: Remote, *, dropped_is_told: bool) -> Iterator[None]:
    """Turn what a connection raises into one sentence; let it pass in silence where it is to be tried again."""
    try:
        yield
    except (FileNotFoundError, PermissionError):
        raise
    except _dropped() as error:
        if dropped_is_told:
            why = " ".join(str(error).split()) or type(error).__name__
            raise DatasetError(f"{place} cannot be read: {why}", hint="check the URL and the connection") from error


def _dropped() -> tuple[type[BaseException], ...]:
    """Return what a broken connection raises. aiohttp, which reads http://, has errors that are no `OSError`."""
    import asyncio  # whose TimeoutError is the built-in one only from Python 3.11 on

    client = sys.modules.get("aiohttp")
    return (OSError, EOFError, TimeoutError, asyncio.TimeoutError) + (
        (client.ClientError,) if client is not None else ()
    )
