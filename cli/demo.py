"""`fdtrain demo`: a page in the browser on which anyone can try a model."""

from __future__ import annotations

from pathlib import Path

import click

from .evaluate import device_option, engine_option, generator_option, masker_option
from .output import Voice, emit
from .settings import quiet_option


@click.command("demo")
@generator_option
@masker_option(", which finds what covers each face (`starter-mask` comes along); else visitors paint it.")
@click.option("--host", default="127.0.0.1", show_default=True, metavar="ADDRESS", help="Where it is served.")
@click.option("--port", type=click.IntRange(0, 65535), default=7860, show_default=True, help="0 is any free one.")
@engine_option
@device_option
@quiet_option
def command(
    weights: Path, masker: Path | None, host: str, port: int, engine: str, device: str | None, quiet: bool
) -> None:
    """Serve a page: photograph or webcam in, the mask to correct with a brush, before and after with a slider.

    Until Ctrl-C. On this machine alone unless --host says otherwise (0.0.0.0 is everybody who can reach it; webcams
    work on this machine or behind https only). Nothing is fetched from the internet. What visitors send is kept for
    ten minutes at most, in a private folder, in memory where the system has such a place, which goes with the server.

    What is filled in is invented. It is no evidence of how a person looks, and must not be used to identify anybody.
    """
    from fdtrain.demo.server import require_gradio, serving, wait

    from .restore import open_restorer

    require_gradio()
    voice = Voice(quiet)
    restorer = open_restorer(
        weights, masker, "auto", engine=engine, device=device or "auto", with_grain=True, voice=voice
    )
    with serving(restorer, host=host, port=port) as served:
        emit(served.url)
        where = "in memory" if served.in_memory else "in a private folder on the disk"
        voice.say(f"serving until Ctrl-C; what visitors send is kept {where}, ten minutes at most")
        try:
            wait()
        except KeyboardInterrupt:
            voice.say("stopped; nothing that visitors sent is left")
