"""Groups of commands that import a command's module only when it runs, or its help is printed."""

from __future__ import annotations

import importlib
import os
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import click

from fdgen.settings.suggestion import did_you_mean

from .errors import DEBUG_VARIABLE, reporting


def refuse_unknown(option: str, names: Iterable[str], known: Collection[str]) -> None:
    """Raise `UsageError` for the first of the names that is not known, with a guess at what was meant."""
    for name in names:
        if name not in known:
            raise click.UsageError(
                f"{option}: there is no {name!r}{did_you_mean(name, known)}", click.get_current_context(silent=True)
            )


class Group(click.Group):
    """A group whose unknown commands are answered with the nearest known one, and whose commands know `--debug`."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return one command; None where the group has none of that name."""
        command = self.find(ctx, cmd_name)
        if command is not None and not any(parameter.name == "debug" for parameter in command.params):
            command.params.append(debug_option())
        return command

    def find(self, ctx: click.Context, name: str) -> click.Command | None:
        """Return one command as it was written."""
        return super().get_command(ctx, name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that `args` starts with; raise `UsageError` with a guess where there is none."""
        name = args[0]
        if self.get_command(ctx, name) is None and not ctx.resilient_parsing and not name.startswith("-"):
            known = self.list_commands(ctx)
            raise click.UsageError(f"there is no command {name!r}{did_you_mean(name, known)}", ctx)
        return super().resolve_command(ctx, args)


class Program(Group):
    """A whole program: `modules` is a table of command -> (module of `package`, line of help).

    The lines are in the table, so that the program's help needs no import. Errors are reported here, once for all
    commands: see `reporting`.
    """

    def __init__(self, *args: Any, modules: Mapping[str, tuple[str, str]], package: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.modules, self.package = modules, package

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands, in the order of the table."""
        return list(self.modules)

    def find(self, ctx: click.Context, name: str) -> click.Command | None:
        """Import one command; None where the table has none of that name."""
        if name not in self.modules:
            return None
        command: click.Command = importlib.import_module(f".{self.modules[name][0]}", self.package).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands from the table alone."""
        if self.modules:
            with formatter.section("Commands"):
                formatter.write_dl([(name, line) for name, (_, line) in self.modules.items()])

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run, and turn any error that is raised into a sentence and an exit code."""
        if kwargs.get("standalone_mode", True) is False:
            return super().main(*args, **kwargs)
        with reporting(kwargs.get("prog_name") or self.name or ""):
            return super().main(*args, **{**kwargs, "standalone_mode": False})


def debug_option() -> click.Option:
    """Return the option `--debug`, for every command; the environment variable is what our code and workers see."""

    def remember(ctx: click.Context, parameter: click.Parameter, value: bool) -> None:
        if value:
            os.environ[DEBUG_VARIABLE] = "1"

    return click.Option(
        ["--debug"], is_flag=True, expose_value=False, callback=remember, help="Show the traceback of an error."
    )
