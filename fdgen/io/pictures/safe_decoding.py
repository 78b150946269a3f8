"""The only module that passes the bytes of a picture to a decoder of OpenCV or Pillow.

    bytes --> format by content --> sides by our own reader --> limits --> OpenCV or Pillow --> sides as declared

Only formats in `PICTURE_FORMATS` pass, and of each what its header declares: memory and time of decoding are bounded by
width x height and by the length of the file. All that is refused is a `PictureError`.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Collection
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
import PIL.Image

from fdgen.errors import PictureError
from fdgen.io.pictures.formats import HEAD_BYTES, TITLES, picture_format, pillow_formats, refuse_unreadable
from fdgen.io.pictures.headers import CHEAP_BYTES, SIZES, Size, fills_too_little, plain_png, unpacks_to_more

MAX_PIXELS = 120_000_000
"""More pixels than this are refused unread: a few kilobytes of file can unpack to gigabytes."""

SMALL_PIXELS = 1 << 20
"""For fewer pixels room may be set aside, whether they are there or not."""

BY_PILLOW = ("GIF", "AVIF", "HEIF")
"""Formats that opencv does not read."""

DAMAGE = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    IndexError,
    KeyError,
    TypeError,
    AttributeError,
    OverflowError,
    RuntimeError,
    MemoryError,
    struct.error,
    zlib.error,
)
"""All that Pillow's readers raise on damaged files, as found by flipping and cutting bytes of each format."""

OTHER_SIZE = "its header and its data disagree about the size"


class Header(NamedTuple):
    """What a picture declares of itself: its format, by Pillow's name, and `Size`."""

    format: str
    size: Size


def read_header(
    data: bytes, name: str, *, formats: Collection[str] = (), still: bool = False, most_pixels: int = MAX_PIXELS
) -> Header:
    """Read format and size of a picture, none of its pixels.

    Args:
        data: The whole file.
        name: What messages call it.
        formats: Formats that are taken; empty takes all of `PICTURE_FORMATS`.
        still: Whether animations are refused.
        most_pixels: Largest picture that is taken, width times height in px.

    Raises `PictureError` with reason `not-a-picture`, `unsupported`, `animated`, `too-large` or `corrupt`.
    """
    kind = picture_format(data[:HEAD_BYTES])
    if kind is None or (formats and kind not in formats):
        wanted = f" ({TITLES})" if not formats else f" ({', '.join(formats)})"
        raise PictureError(
            f"{name} is not a picture that can be read{wanted}",
            reason="not-a-picture",
            hint="convert it to JPEG or PNG, or remove it from the folder",
        )
    if kind != "PNG":
        refuse_unreadable(data, name)
    try:
        size = SIZES[kind](data)
    except (ValueError, struct.error, IndexError, OverflowError) as error:
        raise damaged(name, str(error) if type(error) is ValueError else "it is cut short") from error
    if still and size.animated:
        raise PictureError(f"{name} holds an animation", reason="animated", hint="save one of its pictures as a PNG")
    n_pixels = size.width_px * size.height_px
    if n_pixels > most_pixels:
        raise PictureError(
            f"{name} has {n_pixels / 1e6:,.0f} megapixels; the limit is {most_pixels / 1e6:,.0f}",
            reason="too-large",
            hint="shrink it first",
        )
    if n_pixels <= 0:
        raise damaged(name, "its header says that it has no pixels")
    return Header(kind, size)


def decode_by_opencv(
    data: bytes, flags: int, name: str, *, formats: Collection[str] = (), still: bool = False
) -> npt.NDArray[np.uint8] | None:
    """Decode a picture with OpenCV, of an animation the first one; return None where OpenCV finds none.

    Args:
        data: The whole file.
        flags: OpenCV's `IMREAD_` flags, which decide on channels and depth.
        name: What messages call it.
        formats: Formats that are taken; empty takes all of `PICTURE_FORMATS`.
        still: Whether animations are refused.

    Raises `PictureError` as `read_header` does, and (`corrupt`) where OpenCV refuses the data.
    """
    kind, size = read_header(data, name, formats=formats, still=still)
    if kind == "PNG":
        _refuse_empty(data, size, name)
        if not (size.ended and size.packed):  # opencv 4.11 reads on, and treats what it finds there as a length
            raise damaged(name, "it is cut short")
    if size.packed > CHEAP_BYTES and unpacks_to_more(data):
        raise damaged(name, "its pixels have more bytes than its size needs")
    if size.more:
        data = plain_png(data)
    if kind == "JPEG2000":
        _refuse_what_pillow_does(data, name)
    try:
        array = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except (cv2.error, MemoryError) as error:
        raise damaged(name, "part of its data is missing or damaged") from error
    if array is not None and array.shape[:2] not in (size[1::-1], size[:2]):
        raise damaged(name, OTHER_SIZE)
    return array  # type: ignore[return-value]


def open_by_pillow(data: bytes, name: str, *, most_pixels: int = MAX_PIXELS) -> PIL.Image.Image:
    """Open a picture with Pillow, which decodes once it is asked for pixels: of several pictures the first.

    Raises `PictureError` as `read_header` does, and (`corrupt`) where Pillow refuses the header. What it raises later
    are the errors in `DAMAGE`.
    """
    kind, size = read_header(data, name, most_pixels=most_pixels)
    if kind == "PNG":
        _refuse_empty(data, size, name)
    try:
        picture = PIL.Image.open(io.BytesIO(data), formats=pillow_formats(data))
    except (PIL.Image.DecompressionBombError, *DAMAGE) as error:
        raise damaged(name, "its header is broken") from error
    if picture.width * picture.height > size.width_px * size.height_px:
        raise damaged(name, OTHER_SIZE)
    return picture


def _refuse_empty(data: bytes, size: Size, name: str) -> None:
    """Raise `PictureError` for a large PNG most of which cannot be there, before room is set aside for it."""
    if size.width_px * size.height_px > SMALL_PIXELS and fills_too_little(data, size.packed):
        raise damaged(name, "part of its data is missing")


def _refuse_what_pillow_does(data: bytes, name: str) -> None:
    """Raise `PictureError` for a damaged JPEG 2000, of which opencv 4.11 ends the process (a segmentation fault)."""
    picture = open_by_pillow(data, name)
    try:
        picture.load()
    except DAMAGE as error:
        raise damaged(name, "part of its data is missing or damaged") from error


def damaged(name: str, why: str) -> PictureError:
    """Return the error of a picture that cannot be decoded."""
    return PictureError(
        f"{name} is damaged and is not a picture that can be decoded: {why}",
        reason="corrupt",
        hint="copy it again from its source",
    )


def decode_own(encoded: npt.NDArray[np.uint8], flags: int) -> npt.NDArray[np.uint8]:
    """Decode what OpenCV has encoded a moment ago: nothing of a stranger's is in it."""
    return np.asarray(cv2.imdecode(encoded, flags), np.uint8)
