"""The codecs that the pictures of a dataset can be written by: PNG files all, that any reader of PNG reads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from fdgen.arrays import Image

Encoder = Callable[[Image], bytes]
"""What encodes RGB HWC or grey HW uint8 as an 8-bit PNG."""

PairEncoder = Callable[[Image, Image], tuple[bytes, bytes]]
"""What encodes two pictures that are alike, each as an `Encoder` does."""

Codec = Literal["png", "png-fast"]
"""`png` has the bytes that opencv writes; `png-fast` takes half its time, and a tenth less room."""


def encoder(codec: Codec) -> Encoder:
    """Return what encodes RGB HWC or grey HW uint8 as an 8-bit PNG: equal arrays give equal bytes."""
    from fdgen.io.pictures.png import encode_fast_png, encode_png

    if codec == "png-fast":
        return encode_fast_png
    return encode_png


def pair_encoder(codec: Codec) -> PairEncoder:
    """Return what encodes two pictures that are alike, with the bytes of `encoder`, and faster where that can be."""
    from fdgen.io.pictures.png import encode_fast_png, encode_png_pair

    if codec == "png-fast":
        return lambda first, second: (encode_fast_png(first), encode_fast_png(second))
    return encode_png_pair


def codec_version(codec: Codec) -> str | None:
    """Return what decides a codec's bytes in addition to its name; None where the name is all."""
    if codec == "png":
        return None
    import isal

    return f"ISA-L {isal.ISAL_VERSION}"
