"""Truth layers as pictures that a sheet can show."""

from __future__ import annotations

import numpy as np

from fdgen.arrays import Image
from fdgen.contract.truth import TRUTH
from fdgen.io.pictures.images import decode_png, decode_png16


def viewable(layer: str, data: bytes) -> Image:
    """Return the bytes of a layer that is a picture as RGB HWC or grey HW of 8 bits.

    Depth is stretched: the farthest point that is covered is dark grey, the nearest white, and nothing black. Raises
    `PictureError` where the bytes are no such picture, `KeyError` for a layer that is none or is text.
    """
    if not TRUTH[layer].endswith(".png"):
        raise KeyError(layer)
    if layer != "depth":
        return decode_png(data)
    depth = decode_png16(data).astype(np.float64)
    there = depth > 0
    shown = np.zeros(depth.shape, np.uint8)
    if there.any():
        low, high = depth[there].min(), depth[there].max()
        shown[there] = np.round(60 + 195 * (depth[there] - low) / max(high - low, 1.0))
    return shown
