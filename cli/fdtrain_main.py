"""The program `fdtrain`: so far only what it is going to be."""

from __future__ import annotations

import click

from fdgen.version import __version__

from .lazy import Program, debug_option


@click.group(
    "fdtrain",
    cls=Program,
    modules={},
    params=[debug_option()],
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    invoke_without_command=True,
)
@click.version_option(__version__, prog_name="fdtrain")
@click.pass_context
def program(ctx: click.Context) -> None:
    """Train the two-stage stacked GAN that removes occluders from faces.

    There is no command yet. This program will train the network of the FD-StackGAN paper, its baselines and its
    ablations on the datasets that fdgen makes, measure them, and remove sunglasses, masks and hands from real
    photographs. What exists today is fdgen: see `fdgen --help`.
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def main() -> None:
    """Run the program; the console script calls this."""
    program(prog_name="fdtrain")
