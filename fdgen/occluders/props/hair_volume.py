"""The height of hair above the skull, as far as a photograph without a segmentation shows it."""

from __future__ import annotations

import cv2
import numpy as np

from fdgen.analysis.lighting import luminance, to_linear
from fdgen.arrays import F64
from fdgen.render.scene import Scene, skull

_RAYS_DEG = np.arange(-72.0, 73.0, 9.0)
"""Directions about the middle of the skull, from straight up, in which hair is looked for."""
_STEP_CM, _FARTHEST_CM = 0.25, 5.0
_ALIKE = 0.9
"""Distance of logarithmic colours within which a pixel may be the same hair."""
_MOSTLY = 0.75
_TOP_DEG = 40.0


def headroom(scene: Scene) -> tuple[float, float]:
    """Return how far hair stands off the skull on its top and at its sides, in cm.

    From the rim of the skull outwards the photograph is followed as long as it keeps the colour of the hair that lies
    just inside the rim. Before a wall of the hair's colour that finds too much.
    """
    vertices, _ = skull(scene.mesh_cm)
    low, high = vertices.min(0), vertices.max(0)
    middle, half = 0.5 * (low + high), 0.5 * (high - low)
    angle = np.radians(_RAYS_DEG)[:, None]
    along = np.arange(-1.0, _FARTHEST_CM, _STEP_CM)[None]
    rim = 1.0 + along / np.hypot(half[0] * np.sin(angle), half[1] * np.cos(angle))
    points = np.stack(
        [
            middle[0] + half[0] * np.sin(angle) * rim,
            middle[1] + half[1] * np.cos(angle) * rim,
            np.broadcast_to(middle[2], rim.shape),
        ],
        -1,
    )
    # The outline of the head as it is seen lies in the plane of the picture through its middle.
    flat = scene.pose.to_screen(middle[None])[0]
    offset = (points - middle).reshape(-1, 3)[:, :2] * scene.pose.scale_px
    roll = np.radians(scene.pose.roll_deg)
    x = flat[0] + offset[:, 0] * np.cos(roll) + offset[:, 1] * np.sin(roll)
    y = flat[1] - (offset[:, 1] * np.cos(roll) - offset[:, 0] * np.sin(roll))
    smooth = cv2.GaussianBlur(scene.face.clean_HWC, (0, 0), 1.5 * scene.size_px / 256)
    at_x, at_y = (v.astype(np.float32).reshape(rim.shape) for v in (x, y))
    seen = cv2.remap(np.asarray(smooth, np.uint8), at_x, at_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    colour = np.log(to_linear(np.asarray(seen, np.uint8)) + np.float32(0.02))
    inside = along[0] < 0.0
    hair = np.median(colour[:, inside].reshape(-1, 3), 0)
    level = np.abs(luminance(colour) - luminance(hair[None])[0])
    tone = np.abs((colour - luminance(colour)[..., None]) - (hair - luminance(hair[None])[0])).sum(-1)
    alike = (0.55 * level + tone < _ALIKE) & (along > 0.0)
    steps = np.arange(1, (~inside).sum() + 1)
    mostly = np.cumsum(alike[:, ~inside], 1) >= _MOSTLY * steps  # a glint does not end it
    reach: F64 = np.where(mostly, steps, 0).max(1) * _STEP_CM
    top = np.abs(_RAYS_DEG) <= _TOP_DEG
    return float(np.percentile(reach[top], 70)), float(np.percentile(reach[~top], 65))
