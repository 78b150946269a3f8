"""Pictures in and out: the codec, the change of size that keeps a pair exact, and the numbers that networks see.

Pictures are RGB uint8 `_HWC`, masks uint8 `_HW` of 0 and 255; values are float32 in [-1, 1], masks 0 or 1. In
fdtrain, BGR exists in this module only; tensors are made by `fdtrain.data.tensors`.
"""

from __future__ import annotations

import base64
import contextlib
import io
import warnings
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import PIL.Image
import PIL.ImageOps

from fdgen.arrays import Image
from fdgen.errors import PictureError, in_words
from fdgen.io.pictures.formats import HEAD_BYTES, TITLES, picture_format
from fdgen.io.pictures.images import orientation_of, upright
from fdgen.io.pictures.jpeg import decode_jpeg
from fdgen.io.pictures.safe_decoding import (
    BY_PILLOW,
    DAMAGE,
    damaged,
    decode_by_opencv,
    decode_own,
    open_by_pillow,
    read_header,
)
from fdtrain.run_files import write_whole

Values = npt.NDArray[np.float32]

SPARE_PIXELS = 1 << 20
"""Of a mask, beyond those of its photograph: with more it is refused before it is decoded."""

WHAT_IS_READ = f"give a whole {TITLES}"


def decode_rgb(data: bytes, name: str) -> Image:
    """Decode a picture to RGB, its EXIF rotation applied, alpha dropped; raise `PictureError` naming `name`."""
    kind = picture_format(data[:HEAD_BYTES])
    if kind == "JPEG":
        return decode_jpeg(data, name=name, turned=True)
    if kind in BY_PILLOW:
        return _by_pillow(data, name, "RGB")
    picture = _webp(data, cv2.IMREAD_COLOR, name) if kind == "WEBP" else _decode(data, cv2.IMREAD_COLOR, name)
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)  # type: ignore[return-value]


def decode_grey(data: bytes, name: str) -> Image:
    """Decode a picture of one channel; a coloured one becomes grey. Raises `PictureError` naming `name`."""
    kind = picture_format(data[:HEAD_BYTES])
    if kind == "JPEG":
        return decode_jpeg(data, name=name, turned=True, grey=True)
    if kind in BY_PILLOW:
        return _by_pillow(data, name, "L")
    if kind == "WEBP":
        return _webp(data, cv2.IMREAD_GRAYSCALE, name)
    return _decode(data, cv2.IMREAD_GRAYSCALE, name)


def member_rgb(data: bytes, name: str) -> Image:
    """Decode a picture of a dataset, a PNG and nothing else, to RGB; raise `PictureError` naming `name`."""
    return cv2.cvtColor(_decode(data, cv2.IMREAD_COLOR, name, member=True), cv2.COLOR_BGR2RGB)  # type: ignore[return-value]


def member_grey(data: bytes, name: str) -> Image:
    """Decode a mask of a dataset, a PNG and nothing else; raise `PictureError` naming `name`."""
    return _decode(data, cv2.IMREAD_GRAYSCALE, name, member=True)


def oversize(data: bytes, name: str, wanted: tuple[int, ...]) -> tuple[int, int] | None:
    """Return height and width of a picture that is far larger than `wanted`, by its header; else None.

    What is a little larger is for who decodes it: a HEIC of few pixels may lie in a tile of more.
    """
    size = read_header(data, name).size
    if size.height_px * size.width_px <= wanted[0] * wanted[1] + SPARE_PIXELS:
        return None
    return size.height_px, size.width_px


def _decode(data: bytes, flags: int, name: str, *, member: bool = False) -> Image:
    decoded = decode_by_opencv(data, flags, name, formats=("PNG",) if member else (), still=member)
    if decoded is None:
        raise damaged(name, "part of its data is missing or damaged")
    return decoded


def _webp(data: bytes, flags: int, name: str) -> Image:
    """Decode a WebP and turn it upright; opencv does so by itself since 4.12, and before did not."""
    picture = _decode(data, flags | cv2.IMREAD_IGNORE_ORIENTATION, name)
    try:
        header = open_by_pillow(data, name)
    except PictureError:  # damaged EXIF data are no damage of the picture
        return picture
    return upright(picture, orientation_of(header))


def _by_pillow(data: bytes, name: str, mode: str) -> Image:
    """Decode the first picture of a file, upright."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of large pictures, and of damage that does not hurt
        try:
            picture = open_by_pillow(data, name)
            picture.load()
            converted = picture.convert(mode)
        except DAMAGE as error:
            raise PictureError(
                f"{name} is damaged: a part of it is missing or broken", reason="corrupt", hint=WHAT_IS_READ
            ) from error
        with contextlib.suppress(*DAMAGE):  # damaged EXIF data are no damage of the picture
            converted = PIL.ImageOps.exif_transpose(converted)
    return np.array(converted, np.uint8)


def encode_png(picture_HWC: Image) -> bytes:
    """Return a picture, RGB or of one channel, as PNG."""
    bgr = cv2.cvtColor(picture_HWC, cv2.COLOR_RGB2BGR) if picture_HWC.ndim == 3 else picture_HWC
    return cv2.imencode(".png", bgr)[1].tobytes()


def as_jpeg(picture_HWC: Image, quality: int) -> Image:
    """Return an RGB picture as it comes back from a JPEG of that quality, 1 to 100."""
    data = cv2.imencode(".jpg", cv2.cvtColor(picture_HWC, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return decode_own(np.asarray(data, np.uint8), cv2.IMREAD_COLOR_RGB)


def webp_uri(picture_HWC: Image, *, quality: int | None) -> str:
    """Return a picture as a data URI, for pages: as WebP of a quality up to 100, exact where that is None."""
    file = io.BytesIO()
    PIL.Image.fromarray(picture_HWC).save(
        file, "WEBP", lossless=quality is None, quality=100 if quality is None else quality, method=6
    )
    return "data:image/webp;base64," + base64.b64encode(file.getvalue()).decode("ascii")


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


def is_grey(picture_HWC: Image) -> bool:
    """Return whether an RGB picture has no colour at all: its three channels are the same."""
    return bool((picture_HWC == picture_HWC[..., :1]).all())


def as_grey(picture_HWC: Image) -> Image:
    """Return an RGB picture without its colour, of three equal channels."""
    grey_HW = cv2.cvtColor(picture_HWC, cv2.COLOR_RGB2GRAY)
    return np.repeat(np.asarray(grey_HW, np.uint8)[..., None], 3, axis=-1)


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
