"""Compiles the renderer before a command that draws begins; it would else be compiled at its first use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .output import Voice
from .progress import Stages

if TYPE_CHECKING:
    from fdgen.recipe.schema import Recipe


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
