"""Pictures to arrays: any photograph in, RGB uint8 HWC out; and a dataset's PNGs, which `fdgen.io.pictures.png` writes.

OpenCV's channel order, BGR, exists only in this module. JPEG itself is read by `fdgen.io.pictures.jpeg`.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import warnings
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import PIL.Image

from fdgen.arrays import Image
from fdgen.errors import PictureError
from fdgen.io.pictures.jpeg import decode_jpeg
from fdgen.io.pictures.safe_decoding import (
    DAMAGE,
    MAX_PIXELS,
    decode_by_opencv,
    decode_own,
    open_by_pillow,
    read_header,
)
from fdgen.runtime.native_stderr import native_stderr

MAX_CUTOUT_PIXELS = 25_000_000
"""Larger cut-outs only cost time: a crop shows a few hundred pixels of one."""

BACKGROUND = 128
"""Grey level behind transparent pixels. Mid grey leaves neither a white halo nor a black hole around a cut-out face."""

_MODES = {"1": "black and white", "L": "grey", "P": "of a palette", "RGB": "RGB", "CMYK": "CMYK", "I;16": "16-bit grey"}
_ORIENTATION = 0x0112  # EXIF tag
# Pillow logs some damage; without a handler Python would print that on standard error.
logging.getLogger("PIL").addHandler(logging.NullHandler())
_pillow_lock = threading.Lock()  # warnings.catch_warnings is not safe on two threads at once


def decode(data: bytes, *, name: str, most_pixels: int = MAX_PIXELS) -> Image:
    """Decode the bytes of a picture file to RGB uint8 HWC, turned as its EXIF orientation says.

    Grey and palette become RGB, 16 bits keep their upper 8, CMYK is converted without a profile, transparent pixels
    are composited on mid grey, of an animation the first frame is taken. The error has `name` in it.

    Raises `PictureError` with reason `empty-file`, `not-a-picture`, `too-large`, `unsupported` or `corrupt`; a file
    that stops half-way is corrupt, never half a picture.
    """
    if not data:
        raise PictureError(f"{name} is an empty file", reason="empty-file", hint="copy it again from its source")
    with _pillow_lock, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        header = open_by_pillow(data, name, most_pixels=most_pixels)
        if header.format not in ("JPEG", "MPO") or header.mode not in ("RGB", "L"):
            if header.format in ("JPEG", "MPO"):
                decode_jpeg(data, name=name, turned=False)  # Pillow converts the colours, and hides the damage
            with native_stderr():
                return _decode_any(header, name)
        orientation = orientation_of(header)
    return upright(_decode_plain_jpeg(data, header.size, name), orientation)


def decode_rgba(data: bytes, *, name: str) -> npt.NDArray[np.uint8]:
    """Decode a cut-out to RGBA uint8 HWC: any format that keeps transparency, palettes and 16 bits too.

    Raises `PictureError` as `decode` does, and with reason `no-alpha` or `animated` where it is no cut-out.
    """
    if not data:
        raise PictureError(f"{name} is an empty file", reason="empty-file", hint="copy it again from its source")
    with _pillow_lock, warnings.catch_warnings(), native_stderr():
        warnings.simplefilter("ignore")
        header = open_by_pillow(data, name, most_pixels=MAX_CUTOUT_PIXELS)
        if header.mode not in ("RGBA", "LA", "La", "RGBa", "PA") and "transparency" not in header.info:
            raise PictureError(
                f"{name} has no transparency (it is {_MODES.get(header.mode, header.mode)})",
                reason="no-alpha",
                hint="cut the occluder out, and save it as a PNG with transparency",
            )
        try:
            if getattr(header, "n_frames", 1) > 1:
                raise PictureError(
                    f"{name} holds several pictures", reason="animated", hint="save one of them as a PNG"
                )
            header.load()
            return np.array(header.convert("RGBA"), np.uint8)
        except DAMAGE as error:
            raise _corrupt(name, "part of its data is missing or damaged") from error


def picture_size(data: bytes, *, name: str) -> tuple[int, int]:
    """Read width and height from the header alone, before any EXIF rotation; raise `PictureError` as `decode` does."""
    return read_header(data, name).size[:2]


def orientation_of(header: PIL.Image.Image) -> int:
    """Return the EXIF orientation, 1 to 8; 1 where there is none or the EXIF data is damaged: the picture is not."""
    try:
        value: Any = header.getexif().get(_ORIENTATION, 1)
    except DAMAGE:
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def upright(picture_HWC: npt.NDArray[np.uint8], orientation: int) -> Image:
    """Undo an EXIF orientation, of grey HW too: 2, 4, 5 and 7 are mirrored, 5 to 8 lie on their side."""
    if orientation >= 5:
        picture_HWC = picture_HWC.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        picture_HWC = picture_HWC[:, ::-1]
    if orientation in (3, 4, 7, 8):
        picture_HWC = picture_HWC[::-1]
    return np.ascontiguousarray(picture_HWC)


def encode_png16(array_HW: npt.NDArray[np.uint16]) -> bytes:
    """Encode grey HW uint16 as a 16-bit PNG: equal arrays give equal bytes."""
    if array_HW.dtype != np.uint16 or array_HW.ndim != 2:
        raise ValueError(f"a picture of 16 bits is uint16 HW, got {array_HW.dtype} {array_HW.shape}")
    done, encoded = cv2.imencode(".png", array_HW)
    if not done:
        raise ValueError(f"a picture of shape {array_HW.shape} cannot be encoded as PNG")
    return encoded.tobytes()


def decode_png16(data: bytes) -> npt.NDArray[np.uint16]:
    """Decode a PNG that `encode_png16` made, to grey HW; raise `PictureError` where it is none, or broken."""
    with native_stderr():
        array: Any = decode_by_opencv(data, cv2.IMREAD_UNCHANGED, "the data", formats=("PNG",), still=True)
    if array is None or array.dtype != np.uint16 or array.ndim != 2:
        raise PictureError("the data is not a 16-bit grey PNG", reason="corrupt")
    return np.asarray(array, np.uint16)


def decode_png(data: bytes, *, intact: bool = False) -> npt.NDArray[np.uint8]:
    """Decode a PNG that `fdgen.io.pictures.png` made, to RGB HWC or grey HW.

    Raises `PictureError` where it is broken, animated or in another format. `intact` says that its digest was checked:
    what libpng may say is then not caught, which only one thread can do at a time. For photographs of unknown origin
    use `decode`.
    """
    with contextlib.nullcontext() if intact else native_stderr():
        array = decode_by_opencv(data, cv2.IMREAD_UNCHANGED, "the data", formats=("PNG",), still=True)
    if array is None or array.dtype != np.uint8 or not (array.ndim == 2 or array.shape[2] == 3):
        raise PictureError("the data is not an 8-bit grey or RGB PNG", reason="corrupt")
    return np.asarray(cv2.cvtColor(array, cv2.COLOR_BGR2RGB) if array.ndim == 3 else array, np.uint8)


def through_jpeg(picture_HWC: Image, quality: int) -> Image:
    """Return RGB uint8 HWC as it comes back from a JPEG of `quality` (1 to 100) with chroma halved both ways."""
    done, encoded = cv2.imencode(
        ".jpg",
        cv2.cvtColor(picture_HWC, cv2.COLOR_RGB2BGR),
        [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420],
    )
    if not done:
        raise ValueError(f"a picture of shape {picture_HWC.shape} cannot be encoded as JPEG")
    return decode_own(np.asarray(encoded, np.uint8), cv2.IMREAD_COLOR_RGB)


def resize(array: npt.NDArray[np.uint8], width_px: int, height_px: int) -> npt.NDArray[np.uint8]:
    """Resize HWC or HW: INTER_AREA where it shrinks (or grows one side only), INTER_CUBIC where it grows."""
    height, width = array.shape[:2]
    if (width, height) == (width_px, height_px):
        return array.copy()
    grows = width_px >= width and height_px >= height
    method = cv2.INTER_CUBIC if grows else cv2.INTER_AREA
    return np.asarray(cv2.resize(array, (width_px, height_px), interpolation=method), np.uint8)


def _decode_plain_jpeg(data: bytes, size: tuple[int, int], name: str) -> Image:
    """Decode an RGB or grey JPEG; OpenCV is twice as fast as Pillow and does not hide what libjpeg complains of."""
    decoded = decode_jpeg(data, name=name, turned=False)
    if decoded.shape[1::-1] != size:
        raise _corrupt(name, "its header and its data disagree about the size")
    return decoded


def _decode_any(header: PIL.Image.Image, name: str) -> Image:
    """Decode what is no plain JPEG, of any mode that Pillow gives a picture."""
    try:
        header.load()
        orientation = orientation_of(header)  # read after loading: Pillow turns TIFFs itself
        if header.mode.startswith("I;16") or (header.mode == "I" and header.format == "PNG"):  # "I": Pillow before 11
            decoded = _decode_grey16(header)
        elif header.mode in ("RGBA", "LA", "La", "RGBa", "PA") or "transparency" in header.info:
            decoded = _composite(np.asarray(header.convert("RGBA")))
        elif header.mode in ("1", "L", "P", "RGB", "RGBX", "CMYK", "YCbCr"):
            decoded = np.asarray(header.convert("RGB"))
        else:
            raise PictureError(
                f"{name} holds pixels of a kind that has no fixed brightness (Pillow mode {header.mode})",
                reason="unsupported",
                hint="save it with 8 or 16 bits a channel",
            )
    except DAMAGE as error:
        raise _corrupt(name, "part of its data is missing or damaged") from error
    return upright(decoded, orientation)


def _decode_grey16(header: PIL.Image.Image) -> Image:
    """Keep the upper 8 of 16 bits, as Pillow does with 16-bit colour; a transparent level becomes the background."""
    grey16_HW = np.asarray(header).astype(np.uint16)
    grey_HW = (grey16_HW >> 8).astype(np.uint8)
    transparent = header.info.get("transparency")
    if isinstance(transparent, int):
        grey_HW[grey16_HW == transparent] = BACKGROUND
    return np.repeat(grey_HW[..., None], 3, axis=2)


def _composite(rgba_HWC: npt.NDArray[np.uint8]) -> Image:
    """Composite RGBA over the background, so that no hidden colour of a transparent pixel shows."""
    alpha_HW1 = rgba_HWC[..., 3:].astype(np.uint16)
    blended = rgba_HWC[..., :3] * alpha_HW1 + BACKGROUND * (255 - alpha_HW1) + 127
    return (blended // 255).astype(np.uint8)


def _corrupt(name: str, why: str) -> PictureError:
    return PictureError(f"{name} is damaged: {why}", reason="corrupt", hint="copy it again from its source")
