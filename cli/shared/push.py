"""What `fdgen push` and `fdtrain push` do alike: show what would be sent, ask, and send it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

import click

from .output import Voice, counted, emit

Function = TypeVar("Function", bound=Callable[..., Any])


def push_options(function: Function) -> Function:
    """Add `--yes` and `--public`."""
    yes = click.option("--yes", is_flag=True, help="Do not ask.")
    public = click.option("--public", is_flag=True, help="Make a new repository public.  [default: private]")
    return yes(public(function))


def push(
    files: Mapping[str, Path], repo: str, kind: Literal["model", "dataset"], *, yes: bool, public: bool, voice: Voice
) -> None:
    """Print what goes where, ask, and send; the commit goes to standard output. Raises `FdError`, `Abort` at a no.

    Args:
        files: What is sent, by its path in the repository.
        repo: OWNER/NAME.
        kind: What the repository holds: a model or a dataset.
        yes: Whether nobody is asked.
        public: Whether a new repository is public.
        voice: Where messages go.
    """
    from fdgen.io.hub.upload import check_repository, upload
    from fdgen.io.size_text import size_text

    check_repository(repo)
    size = size_text(sum(path.stat().st_size for path in files.values()))
    seen = "public" if public else "private"
    told = f"{counted(len(files), 'file')}, {size}, to the {kind} {repo} on the Hub ({seen} if it is new)"
    if not yes:
        click.confirm(f"send {told}?", abort=True, err=True)
    emit(upload(files, repo, kind, message=f"Add {counted(len(files), 'file')}", private=not public))
    voice.say(f"sent {told}")
