"""`fdgen completion`: the script with which a shell completes commands, options and recipes."""

from __future__ import annotations

import click

from ..shared.output import emit

WHERE = {
    "bash": "fdgen completion bash >> ~/.bashrc",
    "zsh": "fdgen completion zsh >> ~/.zshrc",
    "fish": "fdgen completion fish > ~/.config/fish/completions/fdgen.fish",
}


@click.command("completion")
@click.argument("shell", type=click.Choice(tuple(WHERE)))
def command(shell: str) -> None:
    """Print a completion script for your SHELL."""
    from click.shell_completion import get_completion_class

    from .main import program

    completion = get_completion_class(shell)
    if completion is None:
        raise click.UsageError(f"this version of click has no completion for {shell}")
    emit(completion(program, {}, "fdgen", "_FDGEN_COMPLETE").source().rstrip())
    click.echo(f"to install it: {WHERE[shell]}", err=True)
