"""The hair that a hat must go round: how far it stands off the skull, as the outline of the person shows."""

from __future__ import annotations

import cv2
import numpy as np

from fdgen.arrays import F32, F64
from fdgen.render.scene import Scene, skull

_RAYS_DEG = np.arange(-84.0, 85.0, 6.0)
"""Directions about the middle of the skull, from straight up, in which the outline is looked for."""
_STEP_CM, _FARTHEST_CM = 0.25, 7.0
_TOP_DEG = 36.0
_PERSON = 0.5


def headroom(scene: Scene) -> tuple[float, float, float]:
    """Return how far hair stands off the skull on its top, at the picture's left and at its right, in cm.

    From the rim of the skull outwards the outline of the person is followed. Rays that leave the picture before they
    leave the person count as far as they were followed.
    """
    vertices, _ = skull(scene.mesh_cm)
    low, high = vertices.min(0), vertices.max(0)
    middle, half = 0.5 * (low + high), 0.5 * (high - low)
    angle = np.radians(_RAYS_DEG)[:, None]
    along = np.arange(0.0, _FARTHEST_CM, _STEP_CM)[None]
    rim = 1.0 + along / np.hypot(half[0] * np.sin(angle), half[1] * np.cos(angle))
    x, y = on_screen(scene, middle, half[0] * np.sin(angle) * rim, half[1] * np.cos(angle) * rim)
    at_x, at_y = x.astype(np.float32), y.astype(np.float32)
    seen = cv2.remap(scene.person_HW, at_x, at_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    hair = np.minimum.accumulate((np.asarray(seen) > _PERSON).astype(np.int64), axis=1)
    reach: F64 = hair.sum(1) * _STEP_CM
    degrees = _RAYS_DEG
    parts = (np.abs(degrees) <= _TOP_DEG, degrees < -_TOP_DEG, degrees > _TOP_DEG)
    top, left, right = (float(np.percentile(reach[part], 60)) for part in parts)
    return top, left, right


def on_screen(scene: Scene, middle_cm: F64, right_cm: F64, up_cm: F64) -> tuple[F64, F64]:
    """Project points of the plane of the picture through `middle_cm`, in cm along the rolled head, to px."""
    flat = scene.pose.to_screen(middle_cm[None])[0]
    roll, scale = np.radians(scene.pose.roll_deg), scene.pose.scale_px
    x = flat[0] + scale * (right_cm * np.cos(roll) + up_cm * np.sin(roll))
    y = flat[1] - scale * (up_cm * np.cos(roll) - right_cm * np.sin(roll))
    return x, y


def from_screen(scene: Scene, middle_cm: F64, x_px: F32, y_px: F32) -> tuple[F32, F32]:
    """Undo `on_screen`."""
    flat = scene.pose.to_screen(middle_cm[None])[0]
    roll, scale = np.radians(scene.pose.roll_deg), scene.pose.scale_px
    a, b = (x_px - flat[0]) / scale, (flat[1] - y_px) / scale
    c, s = np.cos(roll), np.sin(roll)
    return (a * c - b * s).astype(np.float32), (a * s + b * c).astype(np.float32)
