"""Pictures in and out: the codec, the change of size that keeps a pair exact, and the numbers that networks see.

Pictures are RGB uint8 `_HWC`, masks uint8 `_HW` of 0 and 255; values are float32 in [-1, 1], masks 0 or 1. BGR exists
in this module only; torch does not (`fdtrain.data.tensors`).
"""

from __future__ import annotations

import contextlib
import io
import struct
import warnings
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import PIL.Image
import PIL.ImageOps

from fdgen.arrays import Image
from fdgen.errors import PictureError, in_words
from fdgen.io.jpeg import decode_jpeg
from fdgen.io.picture_formats import HEAD_BYTES, TITLES, picture_format, pillow_formats, refuse_unreadable
from fdtrain.run_files import write_whole

Values = npt.NDArray[np.float32]

WHAT_IS_READ = f"give a whole {TITLES}"

BY_PILLOW = ("GIF", "AVIF", "HEIF")
"""Formats that opencv does not read."""

DAMAGED = (
    OSError, SyntaxError, ValueError, struct.error, TypeError, KeyError, IndexError, EOFError, OverflowError,
)  # fmt: skip
"""What Pillow raises on damaged files."""


def decode_rgb(data: bytes, name: str) -> Image:
    """Decode a picture to RGB, its EXIF rotation applied, alpha dropped; raise `PictureError` naming `name`."""
    kind = picture_format(data[:HEAD_BYTES])
    if kind == "JPEG":
        return decode_jpeg(data, name=name, turned=True)
    if kind in BY_PILLOW:
        return _by_pillow(data, name, "RGB")
    return cv2.cvtColor(_decode(data, cv2.IMREAD_COLOR, name), cv2.COLOR_BGR2RGB)  # type: ignore[return-value]


def decode_grey(data: bytes, name: str) -> Image:
    """Decode a picture of one channel; a coloured one becomes grey. Raises `PictureError` naming `name`."""
    kind = picture_format(data[:HEAD_BYTES])
    if kind == "JPEG":
        return decode_jpeg(data, name=name, turned=True, grey=True)
    if kind in BY_PILLOW:
        return _by_pillow(data, name, "L")
    return _decode(data, cv2.IMREAD_GRAYSCALE, name)


def _decode(data: bytes, flags: int, name: str) -> Image:
    array = np.frombuffer(_still(data), np.uint8)
    try:
        decoded = cv2.imdecode(array, flags) if array.size else None
    except cv2.error as error:
        raise PictureError(f"{name} cannot be decoded: {error.err}", reason="corrupt", hint=WHAT_IS_READ) from error
    if decoded is None:
        raise PictureError(f"{name} is not a picture that can be decoded", reason="not-a-picture", hint=WHAT_IS_READ)
    return decoded  # type: ignore[return-value]


def open_header(data: bytes, name: str) -> PIL.Image.Image:
    """Read what a picture says of itself, none of its pixels.

    Raises `PictureError` where its format needs a reader that is not installed, one of `DAMAGED` where it is none of
    Pillow's formats or its header is broken, Pillow's `DecompressionBombError` where it would unpack to far too much.
    """
    refuse_unreadable(data, name)
    known = picture_format(data[:HEAD_BYTES]) is not None
    return PIL.Image.open(io.BytesIO(data), formats=pillow_formats(data) if known else None)


def _by_pillow(data: bytes, name: str, mode: str) -> Image:
    """Decode the first picture of a file, upright."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of large pictures, and of damage that does not hurt
        try:
            picture = open_header(data, name)
            picture.load()
            converted = picture.convert(mode)
        except DAMAGED as error:
            raise PictureError(
                f"{name} is damaged: a part of it is missing or broken", reason="corrupt", hint=WHAT_IS_READ
            ) from error
        with contextlib.suppress(*DAMAGED):  # damaged EXIF data are no damage of the picture
            converted = PIL.ImageOps.exif_transpose(converted)
    return np.array(converted, np.uint8)


def _still(data: bytes) -> bytes:
    """Return a PNG without its animation; anything else as it is.

    What stands beside an animation is the picture of readers that know of none. Opencv 4.11 knows, and ends the
    process (a segmentation fault) where such a file is damaged.
    """
    if not data.startswith(_PNG) or not any(kind in data for kind in _ANIMATION):
        return data
    kept, at = [_PNG], len(_PNG)
    while at < len(data) and data[at - 8 : at - 4] != b"IEND":  # what stands behind the picture is none of it
        end = at + 12 + int.from_bytes(data[at : at + 4], "big")  # length, kind, content, checksum
        if data[at + 4 : at + 8] not in _ANIMATION:
            kept.append(data[at:end])
        at = end
    return b"".join(kept)


_PNG, _ANIMATION = b"\x89PNG\r\n\x1a\n", (b"acTL", b"fcTL", b"fdAT")


def encode_png(picture_HWC: Image) -> bytes:
    """Return a picture, RGB or of one channel, as PNG."""
    bgr = cv2.cvtColor(picture_HWC, cv2.COLOR_RGB2BGR) if picture_HWC.ndim == 3 else picture_HWC
    return cv2.imencode(".png", bgr)[1].tobytes()


def as_jpeg(picture_HWC: Image, quality: int) -> Image:
    """Return an RGB picture as it comes back from a JPEG of that quality, 1 to 100."""
    data = cv2.imencode(".jpg", cv2.cvtColor(picture_HWC, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return cv2.imdecode(data, cv2.IMREAD_COLOR_RGB)  # type: ignore[return-value]


def write_png(path: Path, picture_HWC: Image) -> None:
    """Write a picture as a whole file; raise `FdError` where that fails."""
    data = encode_png(picture_HWC)
    write_whole(path, lambda file: file.write(data))


def read_file(path: Path) -> bytes:
    """Read a whole file; raise `PictureError` where it cannot be read or is empty."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise PictureError(
            f"{path} cannot be read: {in_words(error)}", reason="unreadable", hint="check its name and permissions"
        ) from error
    if not data:
        raise PictureError(f"{path} is empty: it has zero bytes", reason="empty", hint=WHAT_IS_READ)
    return data


def resized(picture_HWC: Image, size_px: int) -> Image:
    """Return a square picture at another size: every stored pixel counts downwards, smooth upwards."""
    stored_px = picture_HWC.shape[0]
    if stored_px == size_px:
        return picture_HWC
    how = cv2.INTER_AREA if size_px < stored_px else cv2.INTER_CUBIC
    return cv2.resize(picture_HWC, (size_px, size_px), interpolation=how)  # type: ignore[return-value]


def resized_mask(mask_HW: Image, size_px: int) -> Image:
    """Return a square mask at another size: 255 wherever any stored pixel under the new one is masked.

    Counted in whole numbers on an integral image, since an averaged mask rounds thin coverage down to nothing.
    """
    stored_px = mask_HW.shape[0]
    if stored_px == size_px:
        return mask_HW
    edges = np.arange(size_px + 1) * stored_px
    low, high = edges[:-1] // size_px, -(-edges[1:] // size_px)
    counts = cv2.integral((mask_HW > 0).view(np.uint8))
    rows = counts[high] - counts[low]
    return ((rows[:, high] - rows[:, low]) > 0).astype(np.uint8) * np.uint8(255)  # type: ignore[no-any-return]


def pasted(occluded_HWC: Image, clean_HWC: Image, mask_HW: Image) -> Image:
    """Return the occluded picture where the mask is set and the clean one elsewhere: law 1, restored."""
    return np.where(mask_HW[..., None] > 0, occluded_HWC, clean_HWC)


def to_values(picture_HWC: Image) -> Values:
    """Return an RGB picture as float32 (3, H, W) in [-1, 1]."""
    values = np.ascontiguousarray(picture_HWC.transpose(2, 0, 1), np.float32)
    return values / np.float32(127.5) - np.float32(1)


def mask_to_values(mask_HW: Image) -> Values:
    """Return a mask as float32 (1, H, W) of 0 and 1."""
    return (mask_HW > 0).astype(np.float32)[None]


def from_values(images_B3HW: Values) -> npt.NDArray[np.uint8]:
    """Return a batch in [-1, 1] as RGB uint8 (B, H, W, 3): clipped, rounded to the nearest."""
    levels = np.rint((images_B3HW + np.float32(1)) * np.float32(127.5)).clip(0, 255).astype(np.uint8)
    return np.ascontiguousarray(levels.transpose(0, 2, 3, 1))
