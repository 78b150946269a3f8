"""The photographs that a command is to work on, listed with progress."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from .output import Voice
from .progress import metered
from .settings import open_cache

if TYPE_CHECKING:
    from fdgen.faces import FaceSource, Source


def list_faces(
    folder: str | None, voice: Voice, cache: Path | None, no_cache: bool = False
) -> tuple[FaceSource, list[Source]]:
    """Open what `--faces` names, list its photographs, and say what is missing there; raise `FacesError`.

    Photographs that the cache knows are not read.
    """
    from fdgen.faces import open_faces

    with open_cache(cache, no_cache) as opened:
        faces = open_faces(folder, digests=opened)
        with metered(voice, f"reading {'the sample faces' if folder is None else folder}", "files") as meter:
            photographs = faces.sources(meter.update)
    for note in faces.notes:
        voice.say(f"note: {note}")
    return faces, photographs
