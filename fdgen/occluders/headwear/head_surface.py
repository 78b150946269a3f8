"""The surface of a head about its vertical axis: where straps, bands and foam touch it.

Directions are angles about the axis in radians, 0 straight ahead and growing to the viewer's right, and heights in head
cm. Face and skull together meet a level ray from the axis once.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from fdgen.analysis.geometry import canonical_face
from fdgen.arrays import F32, F64
from fdgen.render.rasteriser import DEPTH_ALONE, rasterise
from fdgen.render.scene import skull

_STEP = np.radians(2.0)
_WIDEST = np.radians(172.0)
_STEP_CM = 0.25
_LOW_CM, _HIGH_CM = -14.0, 12.5
_AXIS_CM = -2.4
"""Depth of the axis: between the ears."""
_COLUMNS = int(2 * _WIDEST / _STEP) + 1
_ROWS = int((_HIGH_CM - _LOW_CM) / _STEP_CM) + 1


@dataclass(frozen=True, slots=True)
class HeadSurface:
    """Distances (rows, columns) in cm of skin and skull from the axis, which is at `axis_cm` (x, z)."""

    axis_cm: tuple[float, float]
    radius_HW: F32

    @classmethod
    def of(cls, mesh_cm: F64) -> HeadSurface:
        """Map a personal face (468, 3) and the skull behind it."""
        axis = (float(0.5 * (mesh_cm[234, 0] + mesh_cm[454, 0])), _AXIS_CM)
        behind, behind_faces = skull(mesh_cm)
        points = np.concatenate([mesh_cm, behind])
        faces = np.concatenate([canonical_face().triangles, behind_faces + np.int32(len(mesh_cm))])
        angle = np.arctan2(points[:, 0] - axis[0], points[:, 2] - axis[1])
        faces = faces[np.ptp(angle[faces], axis=1) < np.pi]  # none that lies across the back of the head
        flat = np.column_stack(
            [
                (angle + _WIDEST) / _STEP + 0.5,
                (_HIGH_CM - points[:, 1]) / _STEP_CM + 0.5,
                np.hypot(points[:, 0] - axis[0], points[:, 2] - axis[1]),
            ]
        ).astype(np.float32)
        radius = np.zeros((_ROWS, _COLUMNS), np.float32)
        rasterise(flat, np.ascontiguousarray(faces, np.int32), radius, *DEPTH_ALONE)
        return cls(axis, np.asarray(cv2.GaussianBlur(radius, (3, 3), 0), np.float32))

    def radius(self, angle: F64, y_cm: F64) -> F64:
        """Look up the distance of the surface from the axis at angles and heights of one shape."""
        x = np.atleast_2d(np.asarray((angle + _WIDEST) / _STEP, np.float32))
        y = np.atleast_2d(np.asarray((_HIGH_CM - y_cm) / _STEP_CM, np.float32))
        found = cv2.remap(self.radius_HW, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(found, np.float64).reshape(np.shape(angle))

    def aim(self, points_cm: F64) -> tuple[F64, F64]:
        """Return the angles about the axis of head points (N, 3), and their distances from it in cm."""
        x, z = points_cm[:, 0] - self.axis_cm[0], points_cm[:, 2] - self.axis_cm[1]
        return np.arctan2(x, z), np.hypot(x, z)

    def points(self, angle: F64, y_cm: F64, radius_cm: F64) -> F64:
        """Turn angles, heights and distances of one shape (...) into head points (..., 3)."""
        x, z = self.axis_cm[0] + radius_cm * np.sin(angle), self.axis_cm[1] + radius_cm * np.cos(angle)
        return np.stack(np.broadcast_arrays(x, y_cm, z), -1)

    def below(self, points_cm: F64, sunk_cm: float = 0.0) -> F64:
        """Return where level rays from head points (N, 3) to the axis meet the surface, or so much below it."""
        angle, _ = self.aim(points_cm)
        y = np.ascontiguousarray(points_cm[:, 1])
        return self.points(angle, y, np.maximum(self.radius(angle, y) - sunk_cm, 0.5))

    def gap(self, points_cm: F64) -> F64:
        """Return how far head points (N, 3) lie outside the surface, in cm."""
        angle, far = self.aim(points_cm)
        return far - self.radius(angle, np.ascontiguousarray(points_cm[:, 1]))
