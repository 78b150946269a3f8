"""Photographs in tars, as img2dataset and webdataset write them: listed in one pass, read by ranges of bytes.

Nothing is unpacked: of a tar its headers alone are believed, and only where a member lies.
"""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from typing import BinaryIO

from fdgen.errors import FacesError, in_words
from fdgen.faces.file_digests import HEAD_BYTES, FileDigest
from fdgen.faces.sources import MAX_BYTES, Source
from fdgen.faces.streamed.holdings import Held
from fdgen.io.pictures.formats import PICTURE_SUFFIXES
from fdgen.io.storage import Place, open_file, read_range

_DAMAGED = "download or write it again; what wrote it may have been killed"


class Tars:
    """Tars below `root`, by their names; a photograph is called by its tar and its member, `00003.tar/000312.jpg`."""

    kind = "tars"

    def __init__(self, root: Place, names: Sequence[str]) -> None:
        self._root, self._names = root, names

    def __len__(self) -> int:
        return len(self._names)

    def listed(self) -> Iterator[tuple[int, Held]]:
        """Yield the pictures of each tar."""
        for done, name in enumerate(self._names, 1):
            for held in sorted(self._pictures(name), key=lambda one: one.path):
                yield done, held

    def fetch(self, source: Source) -> bytes:
        """Return the bytes of a member."""
        start, size = source.span or (0, 0)
        name = next(one for one in self._names if source.path.startswith(f"{one}/"))
        return read_range(self._root / name, start, size)

    def _pictures(self, name: str) -> Iterator[Held]:
        path = self._root / name
        try:
            with open_file(path) as file, tarfile.open(fileobj=file, mode="r:") as tar:
                for member in tar:
                    if member.isfile() and PurePosixPath(member.name).suffix.lower() in PICTURE_SUFFIXES:
                        yield _held(name, member, file)
                _refuse_cut(file, tar)
        except tarfile.TarError as error:
            raise FacesError(f"{path} is damaged: {error}", hint=_DAMAGED) from error
        except OSError as error:
            raise FacesError(f"{path} cannot be read: {in_words(error)}", hint="check that it is there") from error


def _held(name: str, member: tarfile.TarInfo, file: BinaryIO) -> Held:
    """Return the digest of a member, as `digest_files` gives it of a file."""
    path, span = f"{name}/{member.name}", (member.offset_data, member.size)
    if member.size > MAX_BYTES:
        return Held(path, FileDigest(b"?" * HEAD_BYTES, ""), span)
    file.seek(member.offset_data)
    data = file.read(member.size)
    if len(data) < member.size:
        raise tarfile.ReadError("it is cut short")
    return Held(path, FileDigest(data[:HEAD_BYTES], hashlib.sha256(data).hexdigest()), span)


def _refuse_cut(file: BinaryIO, tar: tarfile.TarFile) -> None:
    """Raise `tarfile.ReadError` where the members are followed by anything but the end, which tarfile takes for one."""
    file.seek(tar.offset)
    if file.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
        raise tarfile.ReadError("it does not end as a tar does")
