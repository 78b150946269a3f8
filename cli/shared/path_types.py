"""What options and arguments take for a place: a path of this machine alone, or a URL as well."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click

_SCHEME = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*://")


class LocalPath(click.Path):
    """A file or folder of this machine, as a `Path`; a URL is refused, of which a path would lose a slash.

    `s3://bucket/sheet.png` would be the file `sheet.png` in a folder `s3:`, far from where its user looks for it.
    `file://` is a path.
    """

    def __init__(self, *, exists: bool = False, file_okay: bool = True, dir_okay: bool = True) -> None:
        super().__init__(exists=exists, file_okay=file_okay, dir_okay=dir_okay, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the `Path`; fail for a URL."""
        text = value.removeprefix("file://") if isinstance(value, str) else value
        if isinstance(text, str) and _SCHEME.match(text):
            from fdgen.io.stores.connection import without_credentials

            self.fail(f"{without_credentials(text)} is a URL, and this takes a path of this machine", param, ctx)
        return super().convert(text, param, ctx)


class PathOrURL(click.Path):
    """A file or folder as a `Path`; or a URL as it was typed, of which a path would lose a slash."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Leave what has a scheme as it is: it is opened or fetched when the command runs."""
        return value if isinstance(value, str) and "://" in value else super().convert(value, param, ctx)
