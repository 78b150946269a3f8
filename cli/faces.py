"""The photographs that a command is to work on, listed with progress."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .output import Voice
from .progress import metered

if TYPE_CHECKING:
    from fdgen.faces import FaceSource, Source


def list_faces(folder: str | None, voice: Voice) -> tuple[FaceSource, list[Source]]:
    """Open what `--faces` names, list its photographs, and say what is missing there; raise `FacesError`."""
    from fdgen.faces import open_faces

    faces = open_faces(folder)
    with metered(voice, f"reading {'the sample faces' if folder is None else folder}", "files") as meter:
        photographs = faces.sources(meter.update)
    for note in faces.notes:
        voice.say(f"note: {note}")
    return faces, photographs
