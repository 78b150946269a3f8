"""Thumbnails of samples: made of what lies in the shards when they are asked for, and a few of them kept in memory."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable

import numpy as np
import numpy.typing as npt

from fdgen.browser.version import PICTURES, Version
from fdgen.errors import DatasetError, PictureError
from fdgen.io.pictures.contact_sheet import encode_jpeg
from fdgen.io.pictures.images import decode_png, resize

SIDES_PX = (64, 96, 128, 192, 256)
"""Sides that thumbnails are made at: a few, so that each is made once."""

QUALITY = 85
"""Of their JPEGs."""

KEPT_BYTES = 64 * 2**20
"""Of thumbnails in memory: some ten thousand."""


class Kept:
    """The results asked for last, up to a number of bytes; safe to use from several threads."""

    def __init__(self, most_bytes: int = KEPT_BYTES) -> None:
        self.most_bytes, self.n_bytes = most_bytes, 0
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, bytes] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, name: Hashable, make: Callable[[], bytes]) -> bytes:
        """Return what is kept under a name, else what `make` returns, which is kept from now on."""
        with self._lock:
            if (found := self._kept.get(name)) is not None:
                self._kept.move_to_end(name)
                return found
        made = make()  # outside the lock: two threads may make the same one, which harms nobody
        with self._lock:
            if name not in self._kept:
                self._kept[name] = made
                self.n_bytes += len(made)
            while self.n_bytes > self.most_bytes and len(self._kept) > 1:
                self.n_bytes -= len(self._kept.popitem(last=False)[1])
        return made


def thumbnail(version: Version, row: int, picture: str, side_px: int) -> bytes:
    """Return a picture of a sample, one of `ON_WALL`, as a JPEG of at most `side_px` a side.

    Raises `DatasetError` where its shard cannot be read, or holds other bytes than the manifest says.
    """
    array = _decoded(version, row, picture)
    side = min(side_px, array.shape[0])
    return encode_jpeg(resize(array, side, side), QUALITY)


def jpeg_of(version: Version, row: int, picture: str) -> bytes:
    """Return a picture of a sample, one of `ON_WALL`, as a JPEG of its own size; raise as `thumbnail` does."""
    return encode_jpeg(_decoded(version, row, picture), QUALITY)


def _decoded(version: Version, row: int, picture: str) -> npt.NDArray[np.uint8]:
    member = PICTURES[picture]
    data = version.read(row, [member])[member]
    try:
        return decode_png(data, intact=True)  # the digest was compared; so several threads can decode at once
    except PictureError as error:
        raise DatasetError(
            f"{member} of {version.key(row)} in {version.root} cannot be shown: {error.message}", hint=error.hint
        ) from error
