"""Formats of pictures that both programs read: the first bytes that identify each, the names of its files, and its
reader.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
from dataclasses import dataclass

from fdgen.errors import PictureError

HEAD_BYTES = 16
"""The first bytes of a file that show its format."""


@dataclass(frozen=True)
class PictureFormat:
    """A format. `name` is Pillow's, `title` people's; `cure` says what to install where nothing here reads it."""

    name: str
    title: str
    suffixes: tuple[str, ...]
    cure: str = ""


PICTURE_FORMATS = (
    PictureFormat("JPEG", "JPEG", (".jpg", ".jpeg", ".jpe", ".jfif")),
    PictureFormat("PNG", "PNG", (".png",)),
    PictureFormat("WEBP", "WebP", (".webp",)),
    PictureFormat("TIFF", "TIFF", (".tif", ".tiff")),
    PictureFormat("BMP", "BMP", (".bmp",)),
    PictureFormat("GIF", "GIF", (".gif",)),
    PictureFormat("JPEG2000", "JPEG 2000", (".jp2", ".j2k"), "install a Pillow that was built with OpenJPEG"),
    PictureFormat("AVIF", "AVIF", (".avif",), "pip install 'pillow>=11.3'"),
    PictureFormat("HEIF", "HEIC", (".heic", ".heif"), "pip install pillow-heif"),
)
"""All that is read. The rest stays closed: some of Pillow's readers start other programs."""

PICTURE_SUFFIXES = frozenset(suffix for one in PICTURE_FORMATS for suffix in one.suffixes)
"""What files of pictures are called, in small letters."""

TITLES = f"{', '.join(one.title for one in PICTURE_FORMATS[:-1])} or {PICTURE_FORMATS[-1].title}"

_BY_NAME = {one.name: one for one in PICTURE_FORMATS}
_AVIF_BRANDS = (b"avif", b"avis")
_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")


def picture_format(head: bytes) -> str | None:
    """Return the format of a file, by Pillow's name, from its first `HEAD_BYTES`; None where it is in none."""
    if head[:3] == b"\xff\xd8\xff":
        return "JPEG"
    if head[:8] == b"\x89PNG\r\n\x1a\n":
        return "PNG"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    if head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return "TIFF"
    if head[:2] == b"BM" and head[6:10] == b"\0\0\0\0":
        return "BMP"
    if head[:6] in (b"GIF87a", b"GIF89a"):
        return "GIF"
    if head[:12] == b"\0\0\0\x0cjP  \r\n\x87\n" or head[:4] == b"\xff\x4f\xff\x51":
        return "JPEG2000"
    if head[4:8] == b"ftyp" and head[8:12] in _AVIF_BRANDS:
        return "AVIF"
    if head[4:8] == b"ftyp" and head[8:12] in _HEIF_BRANDS:
        return "HEIF"
    return None


def what_it_needs(name: str) -> str:
    """Return what to install before a format can be read here; nothing where it can be."""
    return "" if _reads(name) else _BY_NAME[name].cure


def refuse_unreadable(data: bytes, name: str) -> None:
    """Raise `PictureError` (`unsupported`), with the cure, where a file is in a format that nothing here reads."""
    kind = picture_format(data[:HEAD_BYTES])
    if kind is not None and (cure := what_it_needs(kind)):
        raise PictureError(f"{name} is {_BY_NAME[kind].title}, which is not read here", reason="unsupported", hint=cure)


def unreadable_detail(name: str) -> str:
    """Return in a line that a format needs something, and what."""
    return f"it is {_BY_NAME[name].title}, which needs: {what_it_needs(name)}"


def pillow_formats(data: bytes) -> tuple[str, ...]:
    """Return the names of the formats that Pillow may open a file as: its own alone, by content."""
    kind = picture_format(data[:HEAD_BYTES])
    return () if kind is None or not _reads(kind) else (kind,)


@functools.cache
def _reads(name: str) -> bool:
    """Return whether a format can be read here; let Pillow know of the reader where it comes from another package."""
    if not _BY_NAME[name].cure:
        return True
    if name == "HEIF":
        if importlib.util.find_spec("pillow_heif") is None:
            return False
        importlib.import_module("pillow_heif").register_heif_opener()
        return True
    from PIL import features  # looked up here, since most files are plain and need none of it

    return bool(features.check("avif" if name == "AVIF" else "jpg_2000"))
