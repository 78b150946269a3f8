"""Width and height of a picture, read from its header by readers of our own: nothing is decoded, nothing allocated.

What a decoder sets aside depends on numbers in the file: sides, tiles, lengths of chunks. They are compared here with
each other and with the length of the file, before a decoder sees them. A reader per format; each raises `ValueError`
with the reason, as words after a colon.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Callable, Iterator
from typing import NamedTuple

MOST_SCANS = 100
"""Of a JPEG. Encoders make ten or so; each decodes the whole picture again, and a few bytes are enough for one."""

MOST_BITS = 512
"""Of a pixel of a TIFF: eight channels of 64 bits."""

SPARE_PIXELS = 1 << 22
"""A TIFF's tile may have so many more pixels than its picture: 2048 by 2048 of a small one."""

MOST_TILES, PIXELS_A_TILE = 64, 1024
"""Of JPEG 2000: that many, and one more a thousand pixels. Its decoder sets some kilobytes aside for each."""

MOST_COMPONENTS = 5
"""Of JPEG 2000: four inks and transparency."""

SPARE_BYTES = 1 << 16
"""A PNG's compressed pixels may have an eighth more bytes than its plain ones, as the worst compression makes, and so
many beyond those."""

MOST_RATIO = 1032
"""Of deflate: a repetition of 258 bytes takes two bits at least."""

CHEAP_BYTES = 1 << 21
"""Any compressed pixels of fewer bytes unpack in seconds."""

_PNG_CHUNK = struct.Struct(">I4s").unpack_from
_PNG_HEADER = struct.Struct(">IIBB").unpack_from
_PIECE_BYTES = 1 << 18
_PNG_PLAIN = frozenset((b"IHDR", b"PLTE", b"tRNS", b"eXIf", b"IDAT", b"IEND"))
_PNG_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_PNG_ANIMATION = frozenset((b"acTL", b"fcTL", b"fdAT"))
_JPEG_MARKER = re.compile(rb"\xff[^\x00\xff]")
_JPEG_IN_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_JPEG_FRAMES = frozenset((*range(0xC0, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0)))
_JPEG_PROGRESSIVE = frozenset((0xC2, 0xC6, 0xCA, 0xCE))
_JPEG_ALONE = frozenset((0x01, *range(0xD0, 0xD9)))
_TIFF_WIDTHS = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q"}
_CUT_SHORT = "it is cut short"


class Size(NamedTuple):
    """Width and height in pixels before any EXIF rotation; whether a file holds an animation.

    Of PNGs alone: `more`, whether it has chunks that decide no pixel; `packed`, the bytes of its compressed pixels;
    `ended`, whether the chunk that ends it is there.
    """

    width_px: int
    height_px: int
    animated: bool = False
    more: bool = False
    packed: int = 0
    ended: bool = True


def png_size(data: bytes) -> Size:
    """Walk the chunks of a PNG up to its end: none is longer than the file, nor the pixels than their size needs."""
    last = len(data) - 8
    if last < 21 or data[8:16] != b"\0\0\0\rIHDR":
        raise ValueError("its header is broken" if last >= 21 else _CUT_SHORT)
    at, more, animated, packed, ended = 33, False, False, 0, False
    while at <= last:
        length, kind = _PNG_CHUNK(data, at)
        at += 12 + length
        if kind == b"IDAT":
            packed += length
        elif kind == b"IEND":
            ended = at <= last + 8
            break
        elif kind not in _PNG_PLAIN:
            more = True
            animated = animated or kind in _PNG_ANIMATION
    if at > last + 12:
        raise ValueError("it is cut short, or says a wrong length")
    width, height, bits, colour = _PNG_HEADER(data, 16)
    if packed > SPARE_BYTES and packed > SPARE_BYTES + plain_bytes(width, height, bits, colour) * 9 // 8:
        raise ValueError("its pixels have more bytes than its size needs")
    return Size(width, height, animated, more, packed, ended)


def plain_bytes(width: int, height: int, bits: int, colour: int) -> int:
    """Return how many bytes the pixels of a PNG unpack to; twice the bytes that say how a row is filtered are enough
    for the rows of an interlaced one.
    """
    return height * (width * bits * _PNG_CHANNELS.get(colour, 4) // 8 + 3)


def fills_too_little(data: bytes, packed: int) -> bool:
    """Return whether the pixels of a PNG cannot be there: no byte unpacks to more than `MOST_RATIO`."""
    return plain_bytes(*_PNG_HEADER(data, 16)) > packed * MOST_RATIO + SPARE_BYTES


def unpacks_to_more(data: bytes) -> bool:
    """Return whether the pixels of a PNG whose chunks `png_size` has walked are too many; unpack them in pieces."""
    room, at = plain_bytes(*_PNG_HEADER(data, 16)) + SPARE_BYTES, 33
    unpacker = zlib.decompressobj()
    while at + 8 <= len(data) and not unpacker.eof:
        length, kind = _PNG_CHUNK(data, at)
        waiting = data[at + 8 : at + 8 + length] if kind == b"IDAT" else b""
        at += 12 + length
        while waiting and not unpacker.eof:
            try:
                room -= len(unpacker.decompress(waiting, _PIECE_BYTES))
            except zlib.error:  # the decoder stops there too
                return False
            if room < 0:
                return True
            waiting = unpacker.unconsumed_tail
    return False


def plain_png(data: bytes) -> bytes:
    """Return a PNG whose chunks `png_size` has walked without those that decide no pixel: animation, text, profiles.

    The picture next to an animation is for readers that know of none. Opencv 4.11 knows, and ends the process (a
    segmentation fault) where such a file is damaged. Texts and profiles are compressed, and it unpacks them.
    """
    kept, at = [data[:8]], 8
    while at + 8 <= len(data):
        length, kind = _PNG_CHUNK(data, at)
        if kind in _PNG_PLAIN:
            kept.append(data[at : at + 12 + length])
        if kind == b"IEND":  # what comes after the picture is none of it
            break
        at += 12 + length
    return b"".join(kept)


def _jpeg(data: bytes) -> Size:
    """Find the frame as libjpeg does: anything between two segments is skipped."""
    at = 2
    while (marker := _JPEG_MARKER.search(data, at)) is not None:
        code, at = data[marker.start() + 1], marker.end()
        if code in _JPEG_ALONE:
            continue
        if code in (0xD9, 0xDA):
            raise ValueError("its header is broken")
        if code in _JPEG_FRAMES:
            height, width = struct.unpack_from(">HH", data, at + 3)
            if code in _JPEG_PROGRESSIVE and data.count(b"\xff\xda") > MOST_SCANS:
                _refuse_many_scans(data, at)
            return Size(width, height)
        at += struct.unpack_from(">H", data, at)[0]
    raise ValueError(_CUT_SHORT)


def _refuse_many_scans(data: bytes, at: int) -> None:
    """Count the scans of a progressive JPEG from the length of its frame at `at` on; what comes after has others."""
    n_scans = 0
    while at + 2 <= len(data):
        at += struct.unpack_from(">H", data, at)[0]
        marker = _JPEG_IN_SCAN.search(data, at)
        if marker is None or data[marker.start() + 1] == 0xD9:
            return
        n_scans += data[marker.start() + 1] == 0xDA
        at = marker.end()
        if n_scans > MOST_SCANS:
            raise ValueError(f"it has more than {MOST_SCANS} scans")


def _webp(data: bytes) -> Size:
    """Read the canvas of an extended file, else the frame of its only chunk."""
    kind = data[12:16]
    if kind == b"VP8X":
        sides = data[24:30]
        if len(sides) < 6:
            raise ValueError(_CUT_SHORT)
        width, height = (int.from_bytes(sides[i : i + 3], "little") + 1 for i in (0, 3))
        return Size(width, height, animated=bool(data[20] & 2))
    if kind == b"VP8L" and data[20:21] == b"\x2f":
        bits = struct.unpack_from("<I", data, 21)[0]
        return Size((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
    if kind == b"VP8 " and data[23:26] == b"\x9d\x01\x2a":
        width, height = struct.unpack_from("<HH", data, 26)
        return Size(width & 0x3FFF, height & 0x3FFF)
    raise ValueError("its header is broken")


def _tiff(data: bytes) -> Size:
    """Read the first directory; of a tag that is there twice the larger value counts."""
    order = "<" if data[:2] == b"II" else ">"
    big = data[2:4] in (b"+\0", b"\0+")
    at = struct.unpack_from(order + ("Q" if big else "I"), data, 8 if big else 4)[0]
    n_entries = struct.unpack_from(order + ("Q" if big else "H"), data, at)[0]
    step, at = (20, at + 8) if big else (12, at + 2)
    if n_entries * step > len(data) - at:
        raise ValueError("its directory is longer than the file")
    tags: dict[int, int] = {}
    for place in range(at, at + n_entries * step, step):
        tag, kind = struct.unpack_from(order + "HH", data, place)
        if tag in (256, 257, 258, 277, 322, 323) and kind in _TIFF_WIDTHS:
            value = _tiff_value(data, order, big, place, kind)
            tags[tag] = max(value, tags.get(tag, 0))
    width, height = tags.get(256, 0), tags.get(257, 0)
    if tags.get(322, 0) * tags.get(323, 0) > width * height + SPARE_PIXELS:
        raise ValueError("its tiles are larger than its picture")
    if tags.get(258, 1) * tags.get(277, 1) > MOST_BITS:
        raise ValueError("its pixels have too many channels")
    return Size(width, height)


def _tiff_value(data: bytes, order: str, big: bool, place: int, kind: int) -> int:
    """Return the first value of an entry, which is elsewhere where all together do not fit in."""
    letter = _TIFF_WIDTHS[kind]
    n_values = struct.unpack_from(order + ("Q" if big else "I"), data, place + 4)[0]
    field = place + (12 if big else 8)
    if n_values * struct.calcsize(order + letter) > (8 if big else 4):
        field = struct.unpack_from(order + ("Q" if big else "I"), data, field)[0]
    return int(struct.unpack_from(order + letter, data, field)[0])


def _bmp(data: bytes) -> Size:
    if struct.unpack_from("<I", data, 14)[0] == 12:
        return Size(*struct.unpack_from("<HH", data, 18))
    width, height = struct.unpack_from("<ii", data, 18)
    return Size(width, abs(height))  # negative where the first row is the top one


def _gif(data: bytes) -> Size:
    """Read the screen, and the first picture, which may be larger."""
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    at = 13 + (3 << (flags & 7) + 1 if flags & 0x80 else 0)
    while data[at : at + 1] == b"!":  # extensions, of blocks that say how long they are
        at += 2
        while (length := data[at]) != 0:
            at += 1 + length
        at += 1
    if data[at : at + 1] != b",":
        raise ValueError("it holds no picture")
    left, top, wide, high = struct.unpack_from("<HHHH", data, at + 1)
    return Size(max(width, left + wide), max(height, top + high))


def _jpeg2000(data: bytes) -> Size:
    """Read what the codestream says of its size, tiles and components; in a JP2 it lies in a box of its own."""
    at = (
        0
        if data[:4] == b"\xff\x4f\xff\x51"
        else next((start for kind, start, _ in _boxes(data, 0, len(data)) if kind == b"jp2c"), -1)
    )
    if at < 0 or data[at : at + 4] != b"\xff\x4f\xff\x51":
        raise ValueError("its header is broken")
    right, low, left, top, tile_width, tile_height = struct.unpack_from(">6I", data, at + 8)
    width, height, n_components = right - left, low - top, struct.unpack_from(">H", data, at + 40)[0]
    if width <= 0 or height <= 0 or not tile_width or not tile_height:
        raise ValueError("its header is broken")
    n_tiles = -(-right // tile_width) * -(-low // tile_height)
    if n_tiles > MOST_TILES + width * height // PIXELS_A_TILE:
        raise ValueError("it has more tiles than its size needs")
    if n_components > MOST_COMPONENTS:
        raise ValueError("its pixels have too many channels")
    return Size(width, height)


def _heif(data: bytes) -> Size:
    """Return the largest picture that a HEIF or AVIF file speaks of: itself, its tiles, a thumbnail, a sequence."""
    sizes = [Size(*struct.unpack_from(">II", data, at + 4)) for at in _within(data, b"meta", b"iprp", b"ipco", b"ispe")]
    for at in _within(data, b"moov", b"trak", b"tkhd"):  # in 65,536ths of a pixel
        width, height = struct.unpack_from(">HxxH", data, at + (88 if data[at] else 76))
        sizes += [Size(width, height)]
    if not sizes:
        raise ValueError("its size is missing")
    return max(sizes, key=lambda size: size.width_px * size.height_px)


def _within(data: bytes, *path: bytes) -> Iterator[int]:
    """Return where the contents of the boxes begin that a path of names leads to."""
    waiting = [(0, len(data))]
    for name in path:
        found = [box[1:] for start, end in waiting for box in _boxes(data, start, end) if box[0] == name]
        waiting = [(start + 4, end) for start, end in found] if name == b"meta" else found  # its version comes first
    return (start for start, _ in waiting)


def _boxes(data: bytes, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Walk the boxes of JPEG 2000, HEIF and AVIF: the name of each, where its contents begin and end."""
    while start + 8 <= end:
        length, kind = struct.unpack_from(">I4s", data, start)
        head = 8
        if length == 1 and start + 16 <= end:
            length, head = struct.unpack_from(">Q", data, start + 8)[0], 16
        stop = min(start + length, end) if length else end
        if stop < start + head:
            return
        yield kind, start + head, stop
        start = stop


SIZES: dict[str, Callable[[bytes], Size]] = {
    "JPEG": _jpeg,
    "PNG": png_size,
    "WEBP": _webp,
    "TIFF": _tiff,
    "BMP": _bmp,
    "GIF": _gif,
    "JPEG2000": _jpeg2000,
    "AVIF": _heif,
    "HEIF": _heif,
}
"""Who reads the size of which format, by Pillow's name of it."""
