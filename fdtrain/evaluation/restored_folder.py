"""Pictures that another program restored, as a method like any other: a system that cannot be trained here."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

from fdgen.arrays import Image
from fdgen.errors import FdError
from fdgen.io.pictures.formats import PICTURE_SUFFIXES
from fdtrain.data.pictures import decode_rgb, read_file, resized
from fdtrain.data.triplets import TripletDataset

_KEY = re.compile(r"f[0-9a-f]{16}-[0-9]+")
"""How the name of a file begins: the key of its sample."""

_OF_THE_DATASET = (".clean", ".mask", ".alpha")
"""How the names end of pictures that an export wrote and nothing restored."""

_HINT = "`fdgen export --to imagefolder` writes the occluded pictures and masks to restore, each named for its key"


class RestoredFolder:
    """The pictures of a folder by their keys. It is asked by pictures, as methods are, and knows these again."""

    def __init__(self, name: str, files: dict[str, Path], keys: dict[bytes, str], stored_px: int, size_px: int) -> None:
        self.names: tuple[str, ...] = (name,)
        self._files, self._keys = files, keys
        self._stored_px, self._size_px = stored_px, size_px

    @classmethod
    def open(cls, folder: Path, name: str, dataset: TripletDataset) -> RestoredFolder:
        """Find the restored picture of every sample, `KEY.png` or any other file that begins with its key.

        Args:
            folder: The pictures, in folders within or not, in any format that is read.
            name: What the method is called in tables.
            dataset: What is measured: the samples, and their size.

        Raises `FdError` where there is no such folder, or a sample has no picture in it, or two.
        """
        if not folder.is_dir():
            raise FdError(f"there is no folder {folder} of restored pictures", hint=_HINT)
        files: dict[str, Path] = {}
        wanted = set(dataset.keys)
        for path in sorted(path for path in folder.rglob("*") if path.suffix.lower() in PICTURE_SUFFIXES):
            if (found := _KEY.match(path.name)) is None or path.stem.endswith(_OF_THE_DATASET):
                continue
            if (key := found[0]) in wanted and (first := files.setdefault(key, path)) != path:
                raise FdError(f"{folder} has two pictures for {key}: {first.name} and {path.name}", hint=_HINT)
        if missing := [key for key in dataset.keys if key not in files]:
            many = f"{len(missing):,} of {len(dataset):,} samples, such as {missing[0]}"
            raise FdError(f"{folder} has no picture of {many}", hint=f"{_HINT}; --limit measures the first ones alone")
        keys = {}
        for index, key in enumerate(dataset.keys):
            pictures = dataset.pictures(index)
            keys[_digest(pictures.occluded_HWC, pictures.mask_HW)] = key
        return cls(name, files, keys, dataset.stored_px, dataset.size_px)

    def restore(self, pairs: Sequence[tuple[Image, Image]]) -> list[tuple[Image, ...]]:
        """Return the pictures that were made of these; raise `FdError` for one of another size, or that is none."""
        return [(self._read(self._keys[_digest(*pair)]),) for pair in pairs]

    def _read(self, key: str) -> Image:
        path = self._files[key]
        picture_HWC = decode_rgb(read_file(path), str(path))
        sides = {(side, side) for side in (self._stored_px, self._size_px)}
        if picture_HWC.shape[:2] not in sides:
            size = f"{picture_HWC.shape[1]}x{picture_HWC.shape[0]}"
            raise FdError(
                f"{path} is {size} px, and the pictures of the dataset are {self._stored_px}x{self._stored_px}",
                hint="restore the pictures at their own size, or measure with --size",
            )
        return resized(picture_HWC, self._size_px)


def _digest(occluded_HWC: Image, mask_HW: Image) -> bytes:
    return hashlib.sha256(occluded_HWC.tobytes() + mask_HW.tobytes()).digest()
