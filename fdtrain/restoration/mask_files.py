"""Masks as files: the mask in a folder that belongs to a photograph, by its name."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from fdgen.errors import PictureError, in_words
from fdgen.io.pictures.formats import PICTURE_SUFFIXES

_NUMBERED = re.compile(r"_mask\d+$")
_OF_MASKS = re.compile(r"([._]mask|_mask\d+)$", re.IGNORECASE)


class MaskFolder:
    """The pictures of a folder by their names, listed once; raises `PictureError` where it cannot be read."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._by_stem: dict[str, list[Path]] = {}
        try:
            files = sorted(path for path in folder.iterdir() if path.suffix.lower() in PICTURE_SUFFIXES)
        except OSError as error:
            raise PictureError(
                f"the folder {folder} cannot be read: {in_words(error)}",
                reason="unreadable",
                hint="check its permissions",
            ) from error
        for path in files:
            self._by_stem.setdefault(_key(path.stem), []).append(path)

    def find(self, photo: Path, *, beside: bool = False) -> Path | None:
        """Return the mask of a photograph, None where there is none.

        It is NAME.mask.*, else NAME.*, NAME_mask.* or NAME_mask001.*, where NAME is that of the photograph with its
        suffix or without, in any format that is read and with a suffix of any case. `beside` says that the folder is
        the photographs' own: NAME.* is then no mask. Raises `PictureError` where several could be meant.
        """
        for group in _names(photo, beside=beside):
            found = [path for name in group for path in self._by_stem.get(_key(name), ())]
            found = [path for path in dict.fromkeys(found) if os.path.realpath(path) != os.path.realpath(photo)]
            exact = [
                path for path in found if any(_key(name, fold=False) == _key(path.stem, fold=False) for name in group)
            ]
            found = exact or found
            if len(found) > 1:
                names = " or ".join(path.name for path in found[:3])
                raise PictureError(
                    f"{self.folder} has several masks for {photo}: {names}",
                    reason="ambiguous",
                    hint="name one for each photograph with --mask, or leave one of them in the folder",
                )
            if found:
                return found[0]
        return None


def looked_for(photo: Path) -> str:
    """Return in words what a mask of a photograph may be called."""
    stem = _stem(photo)
    return f"{stem}.mask.*, {stem}.*, {stem}_mask.*, {stem}_mask001.* or {photo.name}.*"


def is_named_as_mask(path: Path) -> bool:
    """Return, by its name, whether a picture is the mask of another."""
    return _OF_MASKS.search(path.stem) is not None


def _names(photo: Path, *, beside: bool) -> Iterator[list[str]]:
    """Yield stems of masks, those that are meant before those that may be meant."""
    stems = dict.fromkeys((_stem(photo), photo.name))
    yield [f"{stem}.mask" for stem in stems]
    plain = [] if beside else list(stems)
    yield [*plain, *(f"{stem}_mask" for stem in stems), *(f"{stem}_mask0" for stem in stems)]


def _stem(photo: Path) -> str:
    return photo.stem.removesuffix(".occluded")  # as the members of a shard are called


def _key(stem: str, *, fold: bool = True) -> str:
    numbered = _NUMBERED.sub("_mask0", stem)
    return numbered.lower() if fold else numbered
