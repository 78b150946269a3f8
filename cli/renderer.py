"""The renderer is compiled when it is first used; commands that draw see to it before they begin."""

from __future__ import annotations

from .output import Voice
from .progress import metered


def ready_renderer(voice: Voice) -> None:
    """Compile the renderer where no compiled one is kept, saying so: it takes up to a minute, once."""
    from fdgen.assets import AssetLibrary
    from fdgen.warmup import compile_renderer, is_compiled

    if not is_compiled():
        with metered(voice, "compiling the renderer, once", "steps") as meter:
            compile_renderer(AssetLibrary.load(), meter.update)
