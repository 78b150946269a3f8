"""`fdtrain demo`: serve a web page on which anyone can try a model."""

from __future__ import annotations

from pathlib import Path

import click

from fdgen.settings.suggestion import did_you_mean

from ..shared.fdgen_options import quiet_option
from ..shared.model_options import device_option, engine_option, generators_option, masker_option
from ..shared.output import Voice, emit

LIMITS = {"upload_mb": 80, "visitor_mb": 512, "all_mb": 2048, "visitor_waiting": 4, "all_waiting": 32}
"""As the library has them: the help must not import it."""


def _limits(ctx: click.Context, parameter: click.Parameter, texts: tuple[str, ...]) -> dict[str, int]:
    found = {}
    for text in texts:
        name, _, number = text.partition("=")
        if name not in LIMITS:
            raise click.BadParameter(
                f"there is no limit {name!r}{did_you_mean(name, LIMITS)}; there are {', '.join(LIMITS)}",
                ctx,
                parameter,
            )
        if not number.isdecimal() or int(number) < 1:
            raise click.BadParameter(f"{text!r} is not of the form {name}=N, with N of at least 1", ctx, parameter)
        found[name] = int(number)
    return found


@click.command("demo")
@generators_option
@masker_option(
    ", which detects what covers each face (`starter-mask` is included with the package); else visitors paint it."
)
@click.option("--host", default="127.0.0.1", show_default=True, metavar="ADDRESS", help="Address to serve the page at.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=7860,
    show_default=True,
    help="Port of the page; 0 is any free port.",
)
@click.option(
    "--allow-host",
    "also",
    multiple=True,
    metavar="NAME[:PORT]",
    help="Serve the page under this host name too, for example of a proxy; may be repeated.",
)
@click.option(
    "--limit",
    "limits",
    multiple=True,
    callback=_limits,
    metavar="NAME=N",
    help=f"Change a limit: {', '.join(f'{name}={most}' for name, most in LIMITS.items())}.",
)
@click.option(
    "--examples/--no-examples",
    default=True,
    show_default=True,
    help="Offer examples to click: occluders drawn on the faces that are included with fdgen.",
)
@engine_option
@device_option
@quiet_option
def command(
    weights: tuple[str | Path, ...],
    masker: str | Path | None,
    host: str,
    port: int,
    also: tuple[str, ...],
    limits: dict[str, int],
    examples: bool,
    engine: str,
    device: str | None,
    quiet: bool,
) -> None:
    """Serve a web page: open a photograph or webcam, correct the mask with a brush, compare before and after.

    The page names its models, and has their cards with their limits. Examples are drawn when the server starts.

    The server runs until Ctrl-C. It serves this machine only, unless --host says otherwise (0.0.0.0 is everybody who
    can reach it; webcams work on this machine or behind https only). Nothing is fetched from the internet. What
    visitors send is kept for ten minutes at most, in a private folder, in memory if the system has such a folder. The
    folder is deleted with the server.

    Only this page itself can send data to its server. --limit sets the most for each visitor and for all: in one
    request (upload_mb), kept there or in memory within ten minutes (visitor_mb, all_mb), and requests that wait
    (visitor_waiting, all_waiting). MB are 2^20 bytes; a visitor is an address.

    What is filled in is invented. It is no evidence of how a person looks, and must not be used to identify anybody.
    """
    from fdtrain.demo.quota import Limits
    from fdtrain.demo.server import require_gradio, serving, until_asked_to_end

    from .demo_offer import open_offer

    require_gradio()
    voice = Voice(quiet)
    offer = open_offer(weights, masker, engine=engine, device=device or "auto", with_examples=examples, voice=voice)
    with (
        until_asked_to_end() as wait,
        serving(offer, host=host, port=port, also=also, limits=Limits(**limits)) as served,
    ):
        emit(served.url)
        where = "in memory" if served.in_memory else "in a private folder on the disk"
        voice.say(f"serving until Ctrl-C; what visitors send is kept {where}, ten minutes at most")
        try:
            wait()
        except KeyboardInterrupt:
            voice.say("stopped; everything that visitors sent is deleted")
