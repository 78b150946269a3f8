"""Sheets of pictures that commands write: PNG or JPEG by the name of the file, labels under pictures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .path_types import LocalPath

if TYPE_CHECKING:
    from fdgen.arrays import Image

Check = Callable[[click.Context, click.Parameter, Path | None], Path | None]

TEXT_PX = 14


def ends_in(*suffixes: str) -> Check:
    """Return a check of an option: it refuses a file of another suffix, or without a folder to lie in, before any work.

    Args:
        suffixes: Of what is written, in lower case.
    """

    def check(ctx: click.Context, parameter: click.Parameter, path: Path | None) -> Path | None:
        if path is not None and path.suffix.lower() not in suffixes:
            raise click.BadParameter(f"{path} must end in {', '.join(suffixes[:-1])} or {suffixes[-1]}", ctx, parameter)
        if path is not None and not path.parent.is_dir():
            raise click.BadParameter(f"there is no folder {path.parent}", ctx, parameter)
        return path

    return check


check_suffix = ends_in(".png", ".jpg", ".jpeg")


sheet_option = click.option(
    "--out",
    type=LocalPath(dir_okay=False),
    callback=check_suffix,
    required=True,
    metavar="FILE",
    help="The sheet: a .png or .jpg.",
)


def write_sheet(path: Path, sheet_HWC: Image) -> None:
    """Write a sheet; raise `DatasetError` where the file cannot be written."""
    from fdgen.io.atomic import write_whole
    from fdgen.io.pictures.contact_sheet import encode_jpeg
    from fdgen.io.pictures.png import encode_png

    write_whole(path, encode_png(sheet_HWC) if path.suffix.lower() == ".png" else encode_jpeg(sheet_HWC))


def labelled(picture_HWC: Image, text: str) -> Image:
    """Return a picture with a line of text below it."""
    import numpy as np

    from fdgen.io.pictures.captions import text_line

    return np.concatenate([picture_HWC, text_line(text, picture_HWC.shape[1], TEXT_PX)])
