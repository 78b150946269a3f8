"""The skin tone of each photograph of a dataset, from one clean picture of it and its landmarks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from fdgen.analysis.skin_tone import BINS, ita_deg, tone
from fdgen.contract.face_points import LANDMARKS_FILE
from fdgen.contract.members import read_members
from fdgen.contract.records import MemberEntry
from fdgen.dataset.tables import read_landmarks
from fdgen.errors import DatasetError, PictureError
from fdgen.io.pictures.images import decode_png

TONES = tuple(name for name, _ in BINS)
"""The classes, the lightest first."""

NOT_SEEN = "not seen"
"""Of a photograph that shows hardly any skin."""

COLUMNS = ("source_sha256", "key", "shard", "clean_png_offset", "clean_png_size", "clean_png_sha256")
"""Columns of a manifest from which a `CleanPicture` is made, in its order."""


class CleanPicture(NamedTuple):
    """Where the clean picture of a sample lies: its photograph, key, shard, and place in the shard."""

    source_sha256: str
    key: str
    shard: str
    offset: int
    size: int
    sha256: str


def skin_tones(root: Path, pictures: Iterable[CleanPicture]) -> Iterator[tuple[str, str]]:
    """Yield the sha256 of each photograph and its tone, one of `TONES` or `NOT_SEEN`, by the first of its `pictures`.

    Raises `DatasetError` where the dataset in `root` is damaged.
    """
    hint = f"run `fdgen verify {root}`"
    waiting: dict[str, CleanPicture] = {}
    for picture in pictures:
        waiting.setdefault(picture.source_sha256, picture)
    for source, landmarks in read_landmarks(root / LANDMARKS_FILE):  # one by one: all would fill the memory
        if (picture_of := waiting.pop(source, None)) is None:
            continue
        shard, entry = root / "shards" / f"{picture_of.shard}.tar", MemberEntry(*picture_of[3:])
        clean = read_members(shard, picture_of.key, {"clean.png": entry}, verify=True, hint=hint)
        try:
            angle = ita_deg(decode_png(clean["clean.png"], intact=True), landmarks.points_px)
        except PictureError as error:
            raise DatasetError(f"{picture_of.key} of {root} cannot be read: {error}", hint=hint) from error
        yield source, NOT_SEEN if angle is None else tone(angle)
    if waiting:
        raise DatasetError(f"{LANDMARKS_FILE} of {root} has no row for {len(waiting)} photographs", hint=hint)
