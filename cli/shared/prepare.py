"""What commands that draw do first: list the photographs, and compile the renderer where no compiled one is kept."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from .build_progress import Listing
from .fdgen_options import open_cache
from .output import Voice
from .progress import Stages

if TYPE_CHECKING:
    from fdgen.faces.folders import FaceSource, Source
    from fdgen.recipe.schema import Recipe


def prepare(
    folder: str | None, voice: Voice, cache: Path | None, no_cache: bool = False
) -> tuple[FaceSource, list[Source]]:
    """List the photographs of `--faces`, then compile the renderer: what is wrong with the former is said first."""
    listed = list_faces(folder, voice, cache, no_cache)
    ready_renderer(voice)
    return listed


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

    def compile_on(stages: Stages) -> None:
        meter = stages.stage("compiling the renderer (once)", "steps")
        compile_renderer(AssetLibrary.load(), meter.update)

    if stages is not None:
        compile_on(stages)
        return
    with Stages(voice) as own:
        compile_on(own)
