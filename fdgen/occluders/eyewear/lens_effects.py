"""What lenses do to the light of a photograph: glare hides what lies behind, tinted glass passes some colours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt

from fdgen.analysis.lighting import luminance, to_linear
from fdgen.arrays import F32, F64
from fdgen.render.draw import Layer
from fdgen.render.scene import Scene

_HIDES_FROM, _HIDES_AT = 0.5, 0.75
"""Shares of the light in a pixel that the reflection gives: from the first it begins to hide the face, at the second it
has."""
_OVER_CM = 0.4
"""Over how much of what lies behind its light is averaged: a reflection hides neither single hairs nor a pupil."""
_FAINT = 0.08
"""Linear light of a reflection that hides nothing, however dark it is behind."""


def outlined(scene: Scene, outlines_cm: Sequence[F64]) -> F32:
    """Return where outlines (N, 3) in head cm lie in the crop, filled (H, W), 0 to 1."""
    found = np.zeros((scene.size_px, scene.size_px), np.uint8)
    for outline in outlines_cm:
        screen = scene.pose.to_screen(outline)[:, :2]
        cv2.fillPoly(found, [np.round(screen * 16.0).astype(np.int32)], (255,), cv2.LINE_AA, 4)
    return found * np.float32(1 / 255)


def count_glare(scene: Scene, layer: Layer, lens_HW: F32) -> Layer:
    """Return a layer whose clear glass is part of the silhouette where its reflection hides what lies behind.

    Args:
        scene: The face behind.
        layer: What has the glass.
        lens_HW: Where the glass is, 0 to 1.
    """
    rows, columns = layer.box
    lens = lens_HW[rows, columns]
    if not lens.any():
        return layer
    added = luminance(layer.colour_HWC[rows, columns])
    behind = luminance(scene.linear_HWC[rows, columns])
    behind = np.asarray(cv2.GaussianBlur(behind, (0, 0), _OVER_CM * scene.pose.scale_px), np.float32)
    passed = (1 - layer.opacity_HW[rows, columns]) * behind
    share = added / (added + passed + np.float32(1e-4))
    hidden = np.clip((share - _HIDES_FROM) / (_HIDES_AT - _HIDES_FROM), 0, 1) * lens
    hidden *= np.clip(added / np.float32(_FAINT) - 1, 0, 1)
    silhouette = layer.silhouette_HW.copy()
    clear = layer.clear_HW.copy()
    taken = np.minimum(hidden, clear[rows, columns])
    silhouette[rows, columns] += taken
    clear[rows, columns] -= taken
    return replace(layer, silhouette_HW=silhouette, clear_HW=clear)


def pass_colours(
    scene: Scene, layer: Layer, outlines_cm: Sequence[F64], lens_tint: npt.ArrayLike, frame_tint: npt.ArrayLike
) -> Layer:
    """Let more of some colours through coloured lenses and crystal frames: glass multiplies what lies behind it.

    A layer has one opacity for all channels, that of the darkest; what the others let through besides is added here
    from the photograph itself.

    Args:
        scene: The face behind.
        layer: The eyewear.
        outlines_cm: The lenses, each (N, 3) in head cm.
        lens_tint: How much more than the darkest channel each passes through the lenses, as a share (3,).
        frame_tint: The same of the frame.
    """
    tint, frame = np.asarray(lens_tint, np.float32), np.asarray(frame_tint, np.float32)
    if not tint.any() and not frame.any():
        return layer
    passed = layer.silhouette_HW - layer.opacity_HW
    seen = passed > 1e-3
    rows, columns = np.flatnonzero(seen.any(1)), np.flatnonzero(seen.any(0))
    if len(rows) == 0:
        return layer
    box = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
    lens, passed, shadow = outlined(scene, outlines_cm)[box], passed[box], layer.shadow_HW[box]
    most = np.maximum(0.97 * layer.silhouette_HW[box] - passed, 0)
    behind = to_linear(np.ascontiguousarray(scene.face.clean_HWC[box]))
    colour = layer.colour_HWC.copy()
    for channel in range(3):
        extra = np.minimum(passed * (lens * tint[channel] + (1 - lens) * frame[channel]), most)
        colour[box][..., channel] += extra * (behind[..., channel] * (1 - shadow * layer.shadow_rgb[channel]))
    return replace(layer, colour_HWC=colour)
