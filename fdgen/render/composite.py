"""Blends layers into a photograph, with its blur and noise; outside the mask nothing changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np

from fdgen.analysis.jpeg import recompress
from fdgen.analysis.lighting import LUMINANCE, TO_LIGHT, TO_SRGB
from fdgen.analysis.optics import Optics, blur, grain, reach_px
from fdgen.arrays import F32, Image
from fdgen.contract.frame import Frame
from fdgen.render.draw import Layer
from fdgen.render.kernels import blend_layer, round_levels
from fdgen.runtime.step_times import timed_step

_LEAST_COVERAGE = 1.0 / 510
"""Half a level of an 8-bit alpha: less of an occluder than this is none."""
_LEAST_SHADOW = 0.007
"""A share of light whose loss stays under a level at any brightness."""

IN_FOCUS = 0.85
"""Blur of what a face wears over that of a photograph's edges: it lies where the camera was focused, many of them do
not. Outlines of 60 real masks were 0.71 as wide (20 to 80 % of the step, the narrowest quarter) as other edges of
their pictures; composites' were 0.78 without this and are 0.72 with it. At half the size: 0.81, 0.90 and 0.80. By the
sigma of the fitted edge, which takes halos out, it is a little much: 0.87, 0.92 and 0.82."""


@timed_step("blur and grain")
def match_sensor(layer: Layer, optics: Optics, seed: int) -> Layer:
    """Give a layer the blur and halos of what is in focus in the photograph, and its noise by `seed`."""
    optics = replace(optics, blur_px=IN_FOCUS * optics.blur_px)
    size, reach = layer.opacity_HW.shape[0], reach_px(optics) + 2
    rows, columns = (slice(max(0, side.start - reach), min(size, side.stop + reach)) for side in layer.box)
    if rows.start >= rows.stop or columns.start >= columns.stop:
        return layer

    def drawn(image: F32) -> F32:
        result = np.zeros_like(image)
        blur(image[rows, columns], optics, out=result[rows, columns])
        return result

    opacity = drawn(layer.opacity_HW)
    solid = np.array_equal(layer.opacity_HW[rows, columns], layer.silhouette_HW[rows, columns])

    return replace(
        layer,
        colour_HWC=drawn(layer.colour_HWC),
        opacity_HW=opacity,
        silhouette_HW=opacity if solid else drawn(layer.silhouette_HW),
        clear_HW=drawn(layer.clear_HW) if layer.clear_HW.any() else layer.clear_HW,
        grain_HWC=grain((rows.stop - rows.start, columns.stop - columns.start), optics, seed),
        box=(rows, columns),
    )


def under_hair(layer: Layer, matte_HW: F32) -> Layer:
    """Return a layer with hair over it: what the matte (H, W), 0 to 1, hides is neither drawn nor darkened.

    Where it hides all, the photograph stays as it is.
    """
    shows = 1 - matte_HW

    def hidden(image: F32) -> F32:
        result = np.zeros_like(image)
        here = shows[layer.box] if image.ndim == 2 else cv2.merge([shows[layer.box]] * 3)
        cv2.multiply(image[layer.box], here, dst=result[layer.box])
        return result

    return replace(
        layer,
        colour_HWC=hidden(layer.colour_HWC),
        opacity_HW=hidden(layer.opacity_HW),
        silhouette_HW=hidden(layer.silhouette_HW),
        clear_HW=hidden(layer.clear_HW) if layer.clear_HW.any() else layer.clear_HW,
        shadow_HW=layer.shadow_HW * shows,
    )


@timed_step("blend")
def composite(
    clean_HWC: Image,
    layers: Sequence[Layer],
    *,
    grey: bool = False,
    jpeg_quality: int = 0,
    frame: Frame | None = None,
) -> tuple[Image, Image, Image]:
    """Composite occluders over a photograph: return (occluded_HWC, mask_HW, alpha_HW), uint8.

    The mask is 255 wherever a layer covers or shades a pixel, else 0; where it is 0, the occluded picture equals the
    clean one exactly. Alpha is the silhouette of all layers together, shadows left out.

    Args:
        clean_HWC: The clean crop, RGB uint8.
        layers: The occluders, the first lowest.
        grey: Whether a colourless photograph is kept colourless.
        jpeg_quality: Quality at which what lies under the mask is coded, as the file of the photograph was; 0 codes
            nothing.
        frame: Maps the photograph's pixels to those of the crop, for that coding; None codes nothing.
    """
    shape = clean_HWC.shape[:2]
    levels, noise = clean_HWC.astype(np.float32), np.zeros((*shape, 3), np.float32)
    uncovered, touched = np.ones(shape, np.float32), np.zeros(shape, np.bool_)
    for layer in layers:
        blend_layer(
            levels,
            noise,
            uncovered,
            touched,
            layer.colour_HWC,
            layer.opacity_HW,
            layer.silhouette_HW,
            layer.clear_HW,
            layer.shadow_HW,
            layer.shadow_rgb,
            layer.grain_HWC,
            layer.box[0].start,
            layer.box[1].start,
            TO_SRGB,
            TO_LIGHT,
            _LEAST_COVERAGE,
            _LEAST_SHADOW,
        )
    occluded = clean_HWC.copy()
    if grey:
        levels, noise = (np.repeat(cv2.transform(image, LUMINANCE[None])[..., None], 3, 2) for image in (levels, noise))
    mask, alpha = np.empty(shape, np.uint8), np.empty(shape, np.uint8)
    round_levels(levels, noise, uncovered, touched, occluded, mask, alpha)
    if jpeg_quality and frame is not None:
        recompress(occluded, touched, frame, jpeg_quality)
    return occluded, mask, alpha
