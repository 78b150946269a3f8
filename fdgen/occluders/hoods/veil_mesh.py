"""The geometry of a veil: cloth that lies on nose and cheeks below the eyes, and hangs from there in upright folds.

Columns go round the head from the picture's left to its right, rows from the upper edge down.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np

from fdgen.arrays import F64
from fdgen.occluders.headwear.hat_mesh import sheet
from fdgen.occluders.headwear.head_surface import HeadSurface
from fdgen.occluders.props.solids import Solid
from fdgen.render.mesh import spline

ROWS, COLUMNS = 64, 101
_EYES = ((33, 133, 145), (263, 362, 374))
"""Corners of the eyes and the middle of their lower lids."""
_BRIDGE = (6, 195)
"""Where the upper edge may cross the nose: between the eyes, and half-way down."""
_STIFF = 1.6
"""Vertices over which the cloth bends."""
_OVER_SCARF_CM = 0.9
_EDGE_ROWS = 2.5


def veil_sheet(mesh_cm: F64, surface: HeadSurface, values: Mapping[str, Any]) -> Solid:
    """Hang a veil on a personal face (468, 3)."""
    size = values["size"]
    reach = np.radians(size["reach_deg"])
    angle = np.linspace(-reach, reach, COLUMNS)
    top = _upper_edge(mesh_cm, surface, angle, size)
    bottom = float(mesh_cm[152, 1]) - size["drop_cm"] * (1 - size["drop_taper"] * (np.abs(angle) / reach) ** 2)
    down = np.linspace(0.0, 1.0, ROWS)[:, None]
    y = top + (bottom - top) * down
    wide = np.broadcast_to(angle, (ROWS, COLUMNS))
    aside = np.clip((np.abs(angle) - np.radians(48.0)) / np.radians(26.0), 0.0, 1.0)
    gap = size["gap_cm"] + (_OVER_SCARF_CM if values["scarf"] is not None else 0.15) * aside**1.5
    lowest = float(mesh_cm[152, 1]) + 0.6
    skin = surface.radius(wide, np.maximum(y, lowest)) + gap
    radius = skin.copy()
    for i in range(ROWS):
        radius[i] += size["taut"] * (_hull(angle, skin[i]) - skin[i])
        if i:
            fall = np.maximum(y[i - 1] - y[i], 0.0)
            radius[i] = np.maximum(radius[i], radius[i - 1] - size["inward"] * fall)
    bent = cv2.GaussianBlur(radius, (0, 0), sigmaX=_STIFF, sigmaY=_STIFF, borderType=cv2.BORDER_REPLICATE)
    radius = np.maximum(np.asarray(bent, np.float64), np.where(y > lowest, skin - 0.5 * size["gap_cm"], 0.0))
    held = np.exp(-np.arange(ROWS)[:, None] / _EDGE_ROWS)
    radius += (1 - 0.85 * held) * _folds(values, down)
    points = surface.points(wide, y, radius)
    points[..., 0] += size["sway_cm"] * np.clip((lowest - y) / 8.0, 0.0, 1.0) ** 1.5
    return sheet(points)


def _upper_edge(mesh_cm: F64, surface: HeadSurface, angle: F64, size: Mapping[str, float]) -> F64:
    """Return the height of the upper edge at each column: over the nose, under the eyes, up to the temples."""
    above, below = mesh_cm[list(_BRIDGE), 1]
    bridge = above + size["top"] * (below - above)
    left, right = (float(mesh_cm[lid, 1]) - size["under_eye_cm"] for _, _, lid in _EYES)
    sides = []
    for outer, inner, lid in _EYES:
        (out_angle, in_angle, lid_angle), _ = surface.aim(mesh_cm[[outer, inner, lid]])
        sides.append((float(out_angle), float(in_angle), float(lid_angle)))
    temple = 0.5 * (left + right) + size["temple_cm"]
    knots = [
        (-np.pi / 2, temple),
        (sides[0][0] * 1.15, left + 0.35 * size["temple_cm"]),
        (sides[0][2], left),
        (0.55 * sides[0][1], 0.5 * (left + bridge)),
        (0.0, bridge),
        (0.55 * sides[1][1], 0.5 * (right + bridge)),
        (sides[1][2], right),
        (sides[1][0] * 1.15, right + 0.35 * size["temple_cm"]),
        (np.pi / 2, temple),
    ]
    curve = spline(np.array([(8.0 * x, y, 0.0) for x, y in knots]), 160)
    edge: F64 = np.interp(8.0 * angle, curve[:, 0], curve[:, 1])
    return edge


def _hull(angle: F64, radius: F64) -> F64:
    """Return the radii (N,) of a cord that is pulled taut round points at angles with radii (N,)."""
    flat = np.column_stack([radius * np.sin(angle), radius * np.cos(angle)])
    behind = flat[[0, -1]] - (0.0, 30.0)
    found = cv2.convexHull(np.concatenate([flat, behind]).astype(np.float32), returnPoints=False).ravel()
    kept = np.unique(np.concatenate([[0], found[found < len(flat)], [len(flat) - 1]]))
    after = np.clip(np.searchsorted(kept, np.arange(len(angle)), side="right"), 1, len(kept) - 1)
    a, b = kept[after - 1], kept[after]
    # A straight line between two points, by the angle from the axis.
    turn = np.sin(angle[b] - angle[a])
    line = np.sin(angle[b] - angle) / radius[a] + np.sin(angle - angle[a]) / radius[b]
    taut: F64 = turn / np.maximum(line, 1e-6)
    return np.maximum(taut, radius)


def _folds(values: Mapping[str, Any], down: F64) -> F64:
    """Return how far upright folds stand out (ROWS, COLUMNS), in cm: shallow where the cloth lies on the face."""
    size, rng = values["size"], np.random.default_rng(values["seed"])
    found = np.zeros((ROWS, COLUMNS))
    for wide, tall, share in ((5.0, 30.0, 0.6), (2.2, 16.0, 0.4)):
        rough = rng.standard_normal((ROWS + 120, COLUMNS + 40)).astype(np.float32)
        smooth = np.asarray(cv2.GaussianBlur(rough, (0, 0), sigmaX=wide, sigmaY=tall), np.float64)[60:-60, 20:-20]
        found += share * smooth / smooth.std()
    ridges = 1.2 - 1.6 * np.sqrt(found**2 + 0.05)
    free = np.clip((down - 0.22) / 0.4, 0.0, 1.0)
    folds: F64 = size["folds_cm"] * ridges * (0.14 + 0.86 * free)
    return folds
