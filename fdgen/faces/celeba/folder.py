"""CelebA in its official layout: `img_align_celeba/000001.jpg` and the lists that are included with it.

The dataset is for non-commercial research and is not redistributed; see
https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html for how to get it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fdgen.errors import FacesError, PictureError, in_words
from fdgen.faces.celeba.lists import CelebAList
from fdgen.faces.file_digests import DigestMemory
from fdgen.faces.source_table import SourceTable
from fdgen.faces.sources import ListedFolder, Listing, OnFile, Source, list_pictures
from fdgen.io.pictures.formats import PICTURE_SUFFIXES
from fdgen.io.pictures.images import picture_size

IMAGE_FOLDERS = ("img_align_celeba", "img_align_celeba_png")
IDENTITIES = "identity_CelebA.txt"
PARTITION = "list_eval_partition.txt"
ATTRIBUTES = "list_attr_celeba.txt"
POINTS = "list_landmarks_align_celeba.txt"
_NAME = re.compile(rf"\d{{6}}({'|'.join(map(re.escape, sorted(PICTURE_SUFFIXES)))})", re.IGNORECASE)

_COSTS = {
    IDENTITIES: "one person may be in two splits",
    PARTITION: "splits are hashed and do not compare with published ones",
    ATTRIBUTES: "faces that already have glasses or a hat cannot be recognised",
}


class CelebA(ListedFolder):
    """CelebA's aligned images, official (178x218) or halved (89x109), with any lists that lie next to or above them.

    `root` is the folder of the images whichever folder was named, so a dataset is the same either way.
    """

    kind = "celeba"
    root: Path

    def __init__(self, root: str | Path, digests: DigestMemory | None = None) -> None:
        named = Path(root).expanduser()
        found = find_images(named)
        if found is None:
            raise FacesError(
                f"{named} is not CelebA: it has no img_align_celeba folder with images like 000001.jpg",
                hint="name the folder that img_align_celeba is in",
            )
        super().__init__(found.absolute(), digests)
        self._lists = {name: path for name in (*_COSTS, POINTS) if (path := _find_list(named, found, name)) is not None}

    def annotated_points(self) -> dict[str, npt.NDArray[np.float32]]:
        """Read the five points that come with CelebA, by image: (5, 2) px at 178x218, the eyes first, then nose, mouth.

        Nothing is made from them; they are what a detector is measured against. Empty where the list is missing.
        """
        if POINTS not in self._lists:
            return {}
        wanted = (name for name in _file_names(self.root) if _NAME.fullmatch(name))
        points = CelebAList(self._lists[POINTS]).numbers(wanted, 10)
        return {name: np.array(numbers, np.float32).reshape(5, 2) for name, numbers in points.items()}

    def _list(self, on_file: OnFile | None) -> Listing:
        paths = sorted(name for name in _file_names(self.root) if _NAME.fullmatch(name))
        pictures, rejects = list_pictures(self.root, paths, on_file, self._digests)
        wanted = [path for path, _ in pictures]
        lists = {name: CelebAList(path) for name, path in self._lists.items()}
        identities = lists[IDENTITIES].identities(wanted) if IDENTITIES in lists else {}
        splits = lists[PARTITION].splits(wanted) if PARTITION in lists else {}
        attributes = lists[ATTRIBUTES].attributes(wanted) if ATTRIBUTES in lists else {}
        sources = SourceTable(
            Source(path, sha256, identities.get(path), splits.get(path), attributes.get(path))
            for path, sha256 in pictures
        )
        known = {IDENTITIES: len(identities), PARTITION: len(splits), ATTRIBUTES: len(attributes)}
        notes = [
            _note(name, len(sources), known[name], name in self._lists) for name in _COSTS if known[name] < len(sources)
        ]
        return sources, rejects, (*notes, *self._size_note(sources))

    def _size_note(self, sources: Sequence[Source]) -> tuple[str, ...]:
        if not sources:
            return ()
        try:
            size = picture_size((self.root / sources[0].path).read_bytes(), name=sources[0].path)
        except (OSError, PictureError):  # a broken image is rejected when it is read; here it only says nothing
            return ()
        if size[0] >= 178:
            return ()
        return (
            f"the images are {size[0]}x{size[1]}, not the official 178x218: "
            "what is sharper than that in a crop was drawn by us",
        )


def find_images(folder: Path) -> Path | None:
    """Return the folder of CelebA's images, given it or one of the folders above it; None where it is not CelebA."""
    candidates = [folder / inner / name for inner in (".", "Img") for name in IMAGE_FOLDERS]
    candidates += [folder / name / name for name in IMAGE_FOLDERS]  # as Kaggle packs it
    if folder.resolve().name in IMAGE_FOLDERS:
        candidates.append(folder)
    for candidate in candidates:
        if candidate.is_dir() and any(_NAME.fullmatch(name) for name in _file_names(candidate)):
            return candidate
    return None


def _find_list(named: Path, images: Path, name: str) -> Path | None:
    """Look for a list next to the images and in the two folders above them, also in the download's own subfolders."""
    places = dict.fromkeys((named, images, images.resolve().parent, images.resolve().parent.parent))
    for place in places:
        for inner in (".", "Anno", "Eval"):
            for path in (place / inner / name, (place / inner / name).with_suffix(".csv")):  # CSV: as Kaggle packs it
                if path.is_file():
                    return path
    return None


def _file_names(folder: Path) -> Iterator[str]:
    try:
        for entry in folder.iterdir():
            yield entry.name
    except OSError as error:
        raise FacesError(f"{folder} cannot be read: {in_words(error)}") from error


def _note(name: str, n_images: int, n_known: int, is_there: bool) -> str:
    if is_there:
        return f"{name} lacks {n_images - n_known:,} of the {n_images:,} images: for those, {_COSTS[name]}"
    return f"{name} is missing: {_COSTS[name]}"
