"""What commands need before they draw, with progress: cache opened, photographs listed, renderer compiled."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .build_progress import Listing
from .fdgen_options import open_cache
from .output import Voice
from .progress import Stages

if TYPE_CHECKING:
    from fdgen.faces.cache import FaceCache
    from fdgen.faces.folders import FaceSource, Source
    from fdgen.recipe.schema import Recipe


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a command works with: its faces, its cache if it has one, and the stages that show its progress.

    `photographs` is empty where they were not to be listed; `listing` shows how many have been read.
    """

    source: FaceSource
    photographs: Sequence[Source]
    cache: FaceCache | None
    stages: Stages
    listing: Listing


@contextlib.contextmanager
def prepare(
    faces: str | None,
    voice: Voice,
    cache: Path | None,
    no_cache: bool,
    *,
    planned: Recipe | None = None,
    listed: bool = True,
    notes: bool = False,
    compiled: bool = True,
) -> Iterator[Prepared]:
    """Ready all that a command needs which makes samples of faces, for the block.

    What is wrong with the photographs is said before the renderer is compiled.

    Args:
        faces: What `--faces` names; None is the sample faces.
        voice: Who says it.
        cache: The file that `--cache` names; None is the one of this machine.
        no_cache: Whether none is used.
        planned: A recipe of which nothing is to be made, see `ready_renderer`; None where samples are.
        listed: Whether the photographs are listed, those that the cache knows without reading them. False where the
            work itself lists them, and reads them all.
        notes: Whether what is missing among them is said at once; a build says it in its summary.
        compiled: Whether the renderer is needed.

    Raises:
        FdError: Where the faces or the cache cannot be used.
    """
    from fdgen.faces.folders import open_faces
    from fdgen.io.stores.connection import without_credentials

    with open_cache(cache, no_cache) as opened, Stages(voice) as stages:
        source = open_faces(faces, digests=opened if listed else None)
        listing = Listing(stages, without_credentials(faces) if faces else "the sample faces")
        photographs = source.sources(listing.update) if listed else []
        if notes:
            stages.close()
            for note in source.notes:
                voice.say(f"note: {note}")
        if compiled:
            ready_renderer(voice, planned, stages)
        yield Prepared(source, photographs, opened, stages, listing)


def list_faces(
    faces: str | None, voice: Voice, cache: Path | None, no_cache: bool = False
) -> tuple[FaceSource, Sequence[Source]]:
    """Open what `--faces` names, list its photographs, and say what is missing there; raise `FacesError`."""
    with prepare(faces, voice, cache, no_cache, notes=True, compiled=False) as ready:
        return ready.source, ready.photographs


def ready_renderer(voice: Voice, planned: Recipe | None = None, stages: Stages | None = None) -> None:
    """Compile the renderer where no compiled one is kept, saying so: it takes up to a minute, once.

    `planned` is a recipe of which nothing is to be made: only trials for strata need the renderer then. `stages` are
    those of a command whose steps have begun: the bar of one ends as that of the next begins.
    """
    if planned is not None and not planned.strata.asks_of_placements:
        return
    from fdgen.assets import AssetLibrary
    from fdgen.pipeline.warmup import compile_renderer, is_compiled

    if is_compiled():
        return
    with contextlib.nullcontext(stages) if stages is not None else Stages(voice) as shown:
        meter = shown.stage("compiling the renderer, once", "steps")
        compile_renderer(AssetLibrary.load(), meter.update)
