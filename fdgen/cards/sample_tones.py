"""The class of skin that each sample of a dataset shows, for tables of what was measured by it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from fdgen.analysis.skin_tone import ita_deg, tone
from fdgen.contract.manifest import Manifest
from fdgen.dataset.tables import read_landmarks
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

    Raises `DatasetError` where the dataset cannot be read.
    """
    manifest = Manifest.load(root)
    points = {source: found.points_px for source, found in read_landmarks(root / "landmarks.parquet")}
    source_of = dict(zip(manifest.table["key"], manifest.table["source_sha256"], strict=True))
    wanted = [key for key in keys if key in source_of]
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
