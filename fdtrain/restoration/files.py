"""Photographs as files: what is listed, how one is read, and how its picture is written.

A picture is written as PNG, upright. What a camera wrote in addition to the pixels (place, time, camera, owner) is
dropped; the colour profile stays, since without it the same pixels would show other colours.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import PIL.Image

from fdgen.arrays import Image
from fdgen.errors import PictureError, in_words
from fdgen.io.folders import recognised
from fdgen.io.pictures.formats import PICTURE_SUFFIXES
from fdgen.io.pictures.safe_decoding import BY_PILLOW, DAMAGE, open_by_pillow, read_header
from fdtrain.data.pictures import WHAT_IS_READ, decode_rgb, encode_png, read_file
from fdtrain.restoration.photograph import SMALLEST_PHOTO_PX
from fdtrain.run_files import write_bytes

# Of a folder what is called like a picture or a video is taken; a file that is named by itself may be called anything.
VIDEO_SUFFIXES = (".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg")

_BITS = 258  # TIFF tag


@dataclass(frozen=True, eq=False)
class PhotoFile:
    """A photograph that was read: RGB uint8, upright; its colour profile; and what a reader lost of it, in words."""

    picture_HWC: Image
    profile: bytes | None = None
    notes: tuple[str, ...] = ()


def read_photo_file(path: str | Path) -> PhotoFile:
    """Read a photograph in any of `PICTURE_FORMATS`, of any depth and colour space, up to 120 megapixels.

    Raises `PictureError`: it is no picture, damaged, cut short, too large or too small.
    """
    name = str(path)
    data = read_file(Path(path))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns of large pictures, and of damage that does not hurt
        header = _header(data, name)
    notes = []
    picture_HWC = decode_rgb(data, name)
    if min(picture_HWC.shape[:2]) < SMALLEST_PHOTO_PX:
        high, wide = picture_HWC.shape[:2]
        raise PictureError(
            f"{name} is {wide}x{high}, and a photograph has {SMALLEST_PHOTO_PX} px a side or more",
            reason="too-small",
            hint="give a larger one",
        )
    if header is None:
        return PhotoFile(picture_HWC)
    if _is_deep(header, data):
        notes.append("16 bits a channel were reduced to 8")
    if header.mode in ("RGBA", "LA", "La", "RGBa", "PA") or "transparency" in header.info:
        notes.append("its transparency was dropped")
    if header.format in ("PNG", "WEBP", "TIFF", *BY_PILLOW) and _n_pictures(header) > 1:
        notes.append("of several pictures in it the first was taken")
    profile = header.info.get("icc_profile")
    if header.mode == "CMYK":
        notes.append("it was turned from CMYK to RGB without its profile")
    return PhotoFile(picture_HWC, profile if _is_of_rgb(profile) else None, tuple(notes))


def write_photo(path: Path, picture_HWC: Image, profile: bytes | None = None) -> None:
    """Write a picture as PNG, with its colour profile if it has one; raise `FdError` where that fails."""
    write_bytes(path, _encode_with_profile(picture_HWC, profile) if profile else encode_png(picture_HWC))


def _encode_with_profile(picture_HWC: Image, profile: bytes) -> bytes:
    """Encode a picture as PNG with a colour profile, which OpenCV cannot write."""
    with io.BytesIO() as file:
        # Level 1: of 12 megapixels 0.9 s and 21 MB. Level 6, the default, takes 2.7 s for 18 MB.
        PIL.Image.fromarray(picture_HWC).save(file, "PNG", icc_profile=profile, compress_level=1)
        return file.getvalue()


def list_photos(paths: Iterable[Path]) -> tuple[list[Path], list[Path]]:
    """Return the photographs and videos that paths name, and which other files were passed over.

    Of a folder what it holds is returned, by name; hidden files are passed over unnamed, folders within it are not
    entered. Raises `PictureError` where a folder cannot be read or holds none.
    """
    listed: list[Path] = []
    passed_over: list[Path] = []
    for path in paths:
        if not path.is_dir():
            listed.append(path)
            continue
        if (known := recognised(path)) is not None and known[0] in ("a dataset", "a run of `fdtrain fit`"):
            raise PictureError(
                f"{path} is {known[0]}, not a folder of photographs",
                reason="no-photographs",
                hint=f"name photographs, or a folder of them; {known[1]}",
            )
        try:
            files = sorted(entry for entry in path.iterdir() if entry.is_file() and not entry.name.startswith("."))
        except OSError as error:
            raise PictureError(
                f"the folder {path} cannot be read: {in_words(error)}",
                reason="unreadable",
                hint="check its permissions",
            ) from error
        suffixes = {*PICTURE_SUFFIXES, *VIDEO_SUFFIXES}
        found = [file for file in files if file.suffix.lower() in suffixes]
        if not found:
            raise PictureError(f"{path} holds no photograph", reason="empty", hint=WHAT_IS_READ)
        listed += found
        passed_over += [file for file in files if file.suffix.lower() not in suffixes]
    return listed, passed_over


def is_video(path: Path) -> bool:
    """Return, by its name, whether a file is a video."""
    return path.suffix.lower() in VIDEO_SUFFIXES


def _header(data: bytes, name: str) -> PIL.Image.Image | None:
    """Read what the file says of itself; None where Pillow knows it not, which the decoder then judges."""
    read_header(data, name)
    try:
        return open_by_pillow(data, name)
    except PictureError:
        return None


def _n_pictures(header: PIL.Image.Image) -> int:
    """Return how many pictures a file says that it holds, as far as it can be read."""
    try:
        return int(getattr(header, "n_frames", 1))
    except DAMAGE:
        return 1


def _is_deep(header: PIL.Image.Image, data: bytes) -> bool:
    """Return whether a channel has more than 8 bits: Pillow hides it of colour PNGs."""
    if header.format == "PNG":
        return data[24] == 16
    bits: Any = getattr(header, "tag_v2", {}).get(_BITS, (8,))
    return int(max(bits if isinstance(bits, tuple) else (bits,))) > 8


def _is_of_rgb(profile: bytes | None) -> bool:
    """Return whether a profile is one of RGB pictures, as a PNG of ours is: bytes 16 to 19 name the colour space."""
    return bool(profile) and len(profile or b"") > 128 and (profile or b"")[16:20] == b"RGB "
