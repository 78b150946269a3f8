"""The frames of glasses that a photograph already shows: they stay before a mask that is put on.

Only what is darker than the skin round it is found: thin dark frames, and dark lenses. Pale and rimless ones are not.
Ask only where the photograph shows eyewear at all (`fdgen.analysis.worn_already`): brows and lashes are found as well.
"""

from __future__ import annotations

import cv2
import numpy as np

from fdgen.analysis.lighting import luminance, to_linear
from fdgen.arrays import F32, Bools, Image

_UP_CM = (-3.2, 1.6)
"""The part of the face that glasses may cover, from the middle of the eyes."""
_ASIDE_CM = 5.9
_THIN_CM = 1.3
"""Frames are thinner than this."""
_THIN_CONTRAST, _DARK = 0.5, 1.2
"""Natural logarithms of luminance: of a frame under the skin at its sides, of a dark lens under the face's skin."""
_LEAST_WIDE_CM = 2.5
"""A lash, a mole, or a lock is narrower than the lower half of a rim."""
_NOSE_CM = (1.0, -1.8)
"""Nostrils and the shade at the side of the nose: nearer to the middle than the first, and below the second."""


def frames_worn(clean_HWC: Image, skin: F32, right_cm: F32, up_cm: F32, px_per_cm: float) -> F32:
    """Return how far dark frames or lenses hide what is put on the face below them (H, W), 0 to 1.

    Args:
        clean_HWC: The crop.
        skin: The face's skin as it looks in it, linear (3,).
        right_cm: Distance of each pixel (H, W) from the middle of the eyes along the head's own axis.
        up_cm: The same upwards.
        px_per_cm: Scale of the crop.
    """
    light = np.log(luminance(to_linear(clean_HWC)) + np.float32(0.02)).astype(np.float32)
    light = np.asarray(cv2.GaussianBlur(light, (0, 0), max(0.4, 0.05 * px_per_cm)), np.float32)
    side = 2 * round(0.5 * _THIN_CM * px_per_cm) + 1
    kernel = np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)), np.uint8)
    around = np.asarray(cv2.morphologyEx(light, cv2.MORPH_CLOSE, kernel), np.float32)
    dark = light < np.log(luminance(skin[None])[0] + 0.02) - _DARK
    thin: Bools = around - light > _THIN_CONTRAST
    box: Bools = (up_cm > _UP_CM[0]) & (up_cm < _UP_CM[1]) & (np.abs(right_cm) < _ASIDE_CM)
    box &= ~((np.abs(right_cm) < _NOSE_CM[0]) & (up_cm < _NOSE_CM[1]))
    # Thin parts alone as well: a dark cheek or beard that a frame joins must not take it along.
    seen = [_wide_parts(what & box, up_cm, px_per_cm) for what in (thin | dark, thin)]
    frames = (seen[0] | seen[1]).astype(np.float32)
    return np.asarray(cv2.GaussianBlur(frames, (0, 0), 0.06 * px_per_cm), np.float32)


def _wide_parts(seen: Bools, up_cm: F32, px_per_cm: float) -> Bools:
    """Return the connected parts that are as wide as a rim, reach up to the eyes, and do not go on below the box."""
    count, numbered, stats, _ = cv2.connectedComponentsWithStats(seen.view(np.uint8), connectivity=8)
    kept = np.zeros(count, bool)
    for part in range(1, count):
        if stats[part, cv2.CC_STAT_WIDTH] > _LEAST_WIDE_CM * px_per_cm:
            heights = up_cm[numbered == part]
            kept[part] = heights.max() > -1.2 and heights.min() > _UP_CM[0] + 0.1
    found: Bools = kept[numbered]
    return found
