"""The blend law: outside the mask nothing changes, not by one level in one channel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from fdgen.appearance import Optics, blur, grain
from fdgen.contract import Image
from fdgen.lighting import LUMINANCE, to_linear, to_srgb
from fdgen.render import Layer

F32 = npt.NDArray[np.float32]

_LEAST_COVERAGE = 1.0 / 510
"""Half a level of an 8-bit alpha: less of an occluder than this is none."""
_LEAST_SHADOW = 0.006
"""A share of light whose loss stays under a level at any brightness."""


def match_sensor(layer: Layer, optics: Optics, rng: np.random.Generator) -> Layer:
    """Give a layer the photograph's own blur and noise."""
    stack = np.dstack([layer.colour_HWC, layer.opacity_HW])
    stack = blur(stack, optics)
    return replace(
        layer,
        colour_HWC=stack[..., :3],
        opacity_HW=stack[..., 3],
        silhouette_HW=blur(layer.silhouette_HW, optics),
        grain_HW=grain(layer.silhouette_HW.shape, optics, rng),  # type: ignore[arg-type]
    )


def composite(clean_HWC: Image, layers: Sequence[Layer], *, grey: bool = False) -> tuple[Image, Image, Image]:
    """Lay occluders over a photograph in linear light, the first lowest: (occluded_HWC, mask_HW, alpha_HW).

    `mask` is 255 wherever a layer covers or shades a pixel, else 0; where it is 0, `occluded` equals `clean` exactly.
    `alpha` is the silhouette of all layers together, shadows left out. `grey` keeps a colourless photograph colourless.
    """
    linear = to_linear(clean_HWC)
    uncovered = np.ones(clean_HWC.shape[:2], np.float32)
    touched = np.zeros(clean_HWC.shape[:2], np.bool_)
    noise = np.zeros(clean_HWC.shape[:2], np.float32)
    for layer in layers:
        linear = linear * (1 - layer.shadow_HWC) * (1 - layer.opacity_HW[..., None]) + layer.colour_HWC
        noise = noise * (1 - layer.opacity_HW) + layer.grain_HW * layer.opacity_HW
        uncovered *= 1 - layer.silhouette_HW
        touched |= (layer.silhouette_HW > _LEAST_COVERAGE) | (layer.shadow_HWC.max(-1) > _LEAST_SHADOW)
    if grey:
        linear = np.repeat((linear @ LUMINANCE)[..., None], 3, 2)
    levels = to_srgb(linear) + noise[..., None]
    blended = np.clip(levels + 0.5, 0, 255).astype(np.uint8)
    occluded = np.where(touched[..., None], blended, clean_HWC)
    mask = touched.astype(np.uint8) * np.uint8(255)
    alpha = np.clip((1 - uncovered) * 255 + 0.5, 0, 255).astype(np.uint8)
    return occluded, mask, np.where(touched, alpha, np.uint8(0))
