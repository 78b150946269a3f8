"""The blend law: outside the mask nothing changes, not by one level in one channel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from fdgen.appearance import Optics, blur, grain
from fdgen.contract import Image
from fdgen.lighting import TO_SRGB, luminance, to_linear
from fdgen.raster import lay_over, to_levels
from fdgen.render import Layer

F32 = npt.NDArray[np.float32]

_LEAST_COVERAGE = 1.0 / 510
"""Half a level of an 8-bit alpha: less of an occluder than this is none."""
_LEAST_SHADOW = 0.007
"""A share of light whose loss stays under a level at any brightness."""


def match_sensor(layer: Layer, optics: Optics, seed: int) -> Layer:
    """Give a layer the photograph's own blur, and its noise by `seed`."""
    size, reach = layer.opacity_HW.shape[0], int(4 * optics.blur_px) + 2
    rows, columns = (slice(max(0, side.start - reach), min(size, side.stop + reach)) for side in layer.box)

    def blurred(image: F32) -> F32:
        result = np.zeros_like(image)
        if rows.start < rows.stop and columns.start < columns.stop:
            result[rows, columns] = blur(np.ascontiguousarray(image[rows, columns]), optics)
        return result

    return replace(
        layer,
        colour_HWC=blurred(layer.colour_HWC),
        opacity_HW=blurred(layer.opacity_HW),
        silhouette_HW=blurred(layer.silhouette_HW),
        grain_HW=grain(size, optics, seed),
        box=(rows, columns),
    )


def composite(clean_HWC: Image, layers: Sequence[Layer], *, grey: bool = False) -> tuple[Image, Image, Image]:
    """Lay occluders over a photograph in linear light, the first lowest: (occluded_HWC, mask_HW, alpha_HW).

    `mask` is 255 wherever a layer covers or shades a pixel, else 0; where it is 0, `occluded` equals `clean` exactly.
    `alpha` is the silhouette of all layers together, shadows left out. `grey` keeps a colourless photograph colourless.
    """
    shape = clean_HWC.shape[:2]
    linear = to_linear(clean_HWC)
    noise, uncovered, touched = np.zeros(shape, np.float32), np.ones(shape, np.float32), np.zeros(shape, np.bool_)
    for layer in layers:
        lay_over(
            linear,
            noise,
            uncovered,
            touched,
            layer.colour_HWC,
            layer.opacity_HW,
            layer.silhouette_HW,
            layer.shadow_HW,
            layer.shadow_rgb,
            layer.grain_HW,
            _LEAST_COVERAGE,
            _LEAST_SHADOW,
        )
    if grey:
        linear = np.repeat(luminance(linear)[..., None], 3, 2)
    occluded = clean_HWC.copy()
    to_levels(linear, noise, touched, TO_SRGB, occluded)
    mask = touched.view(np.uint8) * np.uint8(255)
    alpha = ((1 - uncovered) * np.float32(255) + np.float32(0.5)).astype(np.uint8)
    return occluded, mask, alpha
