"""The photographs that a command works on, listed with progress."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from .build_progress import Listing
from .fdgen_options import open_cache
from .output import Voice
from .progress import Stages

if TYPE_CHECKING:
    from fdgen.faces.folders import FaceSource, Source


def list_faces(
    folder: str | None, voice: Voice, cache: Path | None, no_cache: bool = False
) -> tuple[FaceSource, list[Source]]:
    """Open what `--faces` names, list its photographs, and say what is missing there; raise `FacesError`.

    Photographs that the cache knows are not read.
    """
    from fdgen.faces.folders import open_faces

    with open_cache(cache, no_cache) as opened, Stages(voice) as stages:
        faces = open_faces(folder, digests=opened)
        photographs = faces.sources(Listing(stages, folder or "the sample faces").update)
    for note in faces.notes:
        voice.say(f"note: {note}")
    return faces, photographs
