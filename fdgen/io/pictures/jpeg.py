"""JPEG to pixels, by libjpeg, whose warnings are the only sign that a picture is incomplete.

Libjpeg fills what it cannot read with grey or with other blocks, reports it on standard error, and continues. Data
after the end of the picture (a video, in a phone's motion photograph) is ignored.
"""

from __future__ import annotations

import re

import cv2
import numpy as np

from fdgen.arrays import Image
from fdgen.errors import PictureError
from fdgen.io.pictures.safe_decoding import decode_by_opencv
from fdgen.runtime.native_stderr import native_stderr

_BEFORE_END = re.compile(r"Corrupt JPEG data: (\d+) extraneous bytes before marker 0xd9")
_END = b"\xff\xd9"
_AHEAD = 8  # bytes: a register of 64 bits
_PADDING = frozenset(b"\0\t\n\r ")


def decode_jpeg(data: bytes, *, name: str, turned: bool, grey: bool = False) -> Image:
    """Decode a JPEG of any colour space to RGB uint8 HWC, or grey HW; with `turned` as its EXIF orientation says.

    Raises `PictureError` (`corrupt`) where a part of the picture is missing or damaged. Bytes that a camera left
    between the picture and its end marker are no damage; picture data that was left there, since damage before it made
    the picture run out of blocks too early, is.
    """
    flags = cv2.IMREAD_GRAYSCALE if grey else cv2.IMREAD_COLOR_RGB
    flags |= 0 if turned else cv2.IMREAD_IGNORE_ORIENTATION
    picture_HWC, complaint = _decoded(data, flags, name)
    if picture_HWC is None or "Premature end" in complaint:
        raise _corrupt(name, "it is cut short, or its header is broken")
    left = _BEFORE_END.search(complaint)
    if left is not None and not _ends_before(data, int(left[1]), picture_HWC, flags):
        raise _corrupt(name, "a part of its data is damaged")
    if left is None and "Corrupt JPEG data" in complaint:
        raise _corrupt(name, "a part of its data is missing or damaged")
    return picture_HWC


def _decoded(data: bytes, flags: int, name: str = "") -> tuple[Image | None, str]:
    """Return the picture, None where there is none, and what libjpeg said."""
    with native_stderr() as complaint:
        picture = decode_by_opencv(data, flags, name, formats=("JPEG",))
    return picture, complaint.text


def _ends_before(data: bytes, n_left: int, picture_HWC: Image, flags: int) -> bool:
    """Return whether a picture truly ends before the bytes that are left of it, so that these are none of it.

    They are not where they are padding. Else the last byte of the picture decides: an encoder fills the bits that it
    has no use for with ones. Which these are is found by turning bits over until the picture changes. Where the blocks
    ran out elsewhere, the bits are the picture's own, and seldom all ones. `n_left` are those that libjpeg counted; it
    had read up to `_AHEAD` more.
    """
    end = _end_of_picture(data)
    if end is None or n_left >= end:
        return False
    if set(data[end - n_left : end]) <= _PADDING:
        return True
    at = end - n_left - 1
    for _ in range(_AHEAD + 1):
        if data[at] == 0 and data[at - 1] == 0xFF:  # a zero after FF only says that this is no marker
            at -= 1
        for bit in (7, 0, 1, 2, 3, 4, 5, 6):
            counts = _counts(data, at, bit, picture_HWC, flags)
            if bit == 7 and not counts:  # the highest bit is read first: none of this byte was
                break
            if bit != 7 and (counts or not data[at] >> bit & 1):
                return counts
        else:
            return True
        at -= 1
    return False


def _counts(data: bytes, at: int, bit: int, picture_HWC: Image, flags: int) -> bool:
    """Return whether a bit of a scan is read: turned over, alone or with some below it, it changes the picture."""
    for below in (0, 0xFF, 0x55, 0xAA):
        other_HWC, _ = _decoded(_turned_over(data, at, 1 << bit | below & ((1 << bit) - 1)), flags)
        if other_HWC is None or not np.array_equal(other_HWC, picture_HWC):
            return True
    return False


def _turned_over(data: bytes, at: int, bits: int) -> bytes:
    """Return a scan with some bits of a byte turned over."""
    value = data[at] ^ bits
    after = at + 2 if data[at] == 0xFF else at + 1
    return data[:at] + (b"\xff\x00" if value == 0xFF else bytes([value])) + data[after:]


def _end_of_picture(data: bytes) -> int | None:
    """Return where the end marker of the first picture in a file is; None where that cannot be known."""
    at = 2
    while at + 4 <= len(data):
        if data[at] != 0xFF:
            return None
        marker = data[at + 1]
        if marker == 0xFF:  # any number of them may come before a marker
            at += 1
            continue
        if marker == 0xD9:
            return at
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if marker == 0xDA:
            found = _MARKER.search(data, at)
            if found is None:
                return None
            at = found.start()
    return at if data[at : at + 2] == _END else None


_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")  # within a scan: neither an escaped FF, nor a restart, nor a filler


def _corrupt(name: str, why: str) -> PictureError:
    return PictureError(f"{name} is damaged: {why}", reason="corrupt", hint="copy it again from its source")
