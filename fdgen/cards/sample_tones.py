"""The class of skin that each sample of a dataset shows, for tables of what was measured by it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from fdgen.analysis.skin_tone import ita_deg, tone
from fdgen.contract.face_points import LANDMARKS_FILE
from fdgen.contract.manifest import Manifest
from fdgen.dataset.tables import read_landmarks
from fdgen.errors import DatasetError
from fdgen.io.pictures.images import decode_png


def tones_of(
    root: Path, keys: Iterable[str], grey: str, on_face: Callable[[int, int], None] | None = None
) -> dict[str, str]:
    """Return the class of skin by the key of a sample; those that hardly show any are left out.

    Args:
        root: Folder of the dataset.
        keys: Samples that are looked at; those that the dataset has not are left out.
        grey: What a photograph without colour is called, which has no class.
        on_face: Called as (done, of); None for nobody.

    Raises `DatasetError` where the dataset cannot be read, or has no landmarks of a photograph.
    """
    manifest = Manifest.load(root)
    source_of = dict(zip(manifest.table["key"], manifest.table["source_sha256"], strict=True))
    wanted = [key for key in keys if key in source_of]
    sources = {source_of[key] for key in wanted}
    # One by one, and no others kept: all would fill the memory.
    points = {name: found.points_px for name, found in read_landmarks(root / LANDMARKS_FILE) if name in sources}
    if missing := sources - points.keys():
        raise DatasetError(
            f"{LANDMARKS_FILE} of {root} has no row for {len(missing)} photographs", hint=f"run `fdgen verify {root}`"
        )
    tones: dict[str, str] = {}
    for done, key in enumerate(wanted, 1):
        clean_HWC = decode_png(manifest.read_member(key, "clean.png"), intact=True)
        if (clean_HWC == clean_HWC[..., :1]).all():
            tones[key] = grey
        elif (angle := ita_deg(clean_HWC, points[source_of[key]])) is not None:
            tones[key] = tone(angle)
        if on_face is not None:
            on_face(done, len(wanted))
    return tones
