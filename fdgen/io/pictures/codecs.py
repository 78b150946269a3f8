"""The codecs that the pictures of a dataset can be written by: PNG files all, that any reader of PNG reads."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Encoder = Callable[[npt.NDArray[np.uint8]], bytes]

Codec = Literal["png", "png-fast"]
"""`png` is opencv's; `png-fast` takes a third of its time, and a tenth less room."""


def encoder(codec: Codec) -> Encoder:
    """Return what encodes RGB HWC or grey HW uint8 as an 8-bit PNG: equal arrays give equal bytes."""
    if codec == "png-fast":
        from fdgen.io.pictures.fast_png import encode_fast_png

        return encode_fast_png
    from fdgen.io.pictures.images import encode_png

    return encode_png


def codec_version(codec: Codec) -> str | None:
    """Return what is to be known of a codec beside its name to get the same bytes; None where the name is all.

    That of `png` depends on the release of opencv, which is recorded with the other packages.
    """
    if codec == "png":
        return None
    import isal

    return f"ISA-L {isal.ISAL_VERSION}"
