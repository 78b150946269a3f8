"""Where a hat sits on a head: the ellipse of its rim, and how high it must rise over skull and hair."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from fdgen.analysis.geometry import rotation_matrix
from fdgen.arrays import F64
from fdgen.render.scene import skull

_BARE_CM = 1.9
"""Height of a bald head above the ellipsoid that represents the skull: that ends at the forehead's curve."""
_PRESSED_CM = {True: 1.1, False: 1.8}
"""How far hair gives way under a stiff hat, and under soft cloth."""
_SQUARE = 0.88
"""Exponent of the sines of a rim."""
_MOST_TOP_CM, _MOST_SIDE_CM = 4.2, 2.2


@dataclass(frozen=True, slots=True)
class Head:
    """Where a hat sits: the ellipse in which its rim goes round the head, in head cm.

    `half` is the ellipse's half width and half depth, `up` how high the crown must rise; `rotation` (3, 3) carries the
    rim's own frame, y up from it and z to the front, to the head's, and `middle` is the ellipse's.
    """

    middle: F64
    half: tuple[float, float]
    up: float
    rotation: F64

    @classmethod
    def of(cls, mesh_cm: F64, values: Mapping[str, Any], *, stiff: bool) -> Head:
        """Find the rim of a hat on a personal face (468, 3); hair gives less way under a stiff one."""
        size = values["size"]
        brow, upper, hairline = mesh_cm[9], mesh_cm[151], mesh_cm[10]
        y = float(brow[1] + size["front"] * (hairline[1] - brow[1]))
        front = float(np.interp(y, [brow[1], upper[1], hairline[1]], [brow[2], upper[2], hairline[2]])) + 0.3
        vertices, _ = skull(mesh_cm)
        low, high = vertices.min(0), vertices.max(0)
        centre, radii = 0.5 * (low + high), 0.5 * (high - low)
        gives = _PRESSED_CM[stiff]
        top = float(high[1]) + float(np.clip(values["top_cm"] - gives, _BARE_CM, _MOST_TOP_CM))
        left, right = (float(np.clip(side - gives, 0.25, _MOST_SIDE_CM)) for side in values["side_cm"])
        wide = float(radii[0]) + 0.5 * (left + right) + size["loose_cm"]
        deep = 0.5 * (front - (float(centre[2] - radii[2]) - 2.0))
        tilt = np.radians(size["tilt_deg"])
        rotation = (
            rotation_matrix((0.0, 0.0, np.radians(values["lean_deg"])))
            @ rotation_matrix((-tilt, 0.0, 0.0))
            @ rotation_matrix((0.0, np.radians(values["turn_deg"]), 0.0))
        )
        aside = float(np.clip(0.5 * (right - left), -0.7, 0.7))
        middle = np.array([centre[0] + aside, y - np.tan(tilt) * deep, front - deep])
        up = (top + size["height_cm"] - float(middle[1])) / float(np.cos(tilt))
        return cls(middle, (wide, deep), up, rotation)

    def ring(self, angle: F64, grow: float = 0.0) -> F64:
        """Return points of the rim (N, 3) in its own frame at angles from the front, `grow` cm outside it.

        Foreheads are squarer than an ellipse: it is a superellipse.
        """
        across, along = (np.sign(way) * np.abs(way) ** _SQUARE for way in (np.sin(angle), np.cos(angle)))
        return np.column_stack([(self.half[0] + grow) * across, np.zeros_like(angle), (self.half[1] + grow) * along])

    def angle_of(self, x: F64, z: F64) -> F64:
        """Return the angle (...) of `ring` whose point lies in the direction of a point of the rim's frame."""
        across, along = x / self.half[0], z / self.half[1]
        steeper = (np.sign(way) * np.abs(way) ** (1 / _SQUARE) for way in (across, along))
        result: F64 = np.arctan2(*steeper)
        return result

    def placed(self, points: F64) -> F64:
        """Carry points (N, 3) of the rim's frame to the head's."""
        moved: F64 = points @ self.rotation.T + self.middle
        return moved
