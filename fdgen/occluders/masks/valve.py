"""Exhalation valves: turned or square lids on the cloth, with the slots that let the breath out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fdgen.analysis.geometry import grid_faces
from fdgen.arrays import F64
from fdgen.occluders.masks.pattern import Sheet
from fdgen.render.mesh import Material, Mesh, part

_AROUND = 32
# radius as a share of the valve's, height in shares of its own, and whether slots are cut there
_PROFILE = (
    (1.05, -0.3, 0.0),
    (1.0, 0.05, 0.0),
    (0.84, 0.18, 0.5),
    (0.80, 0.60, 0.5),
    (0.74, 0.95, 0.5),
    (0.64, 1.0, 0.0),
    (0.60, 0.88, 0.5),
    (0.34, 0.88, 0.7),
    (0.28, 1.02, 0.0),
    (0.0, 1.06, 0.0),
)
VALVES = frozenset({"round", "square", "pair", "side"})


def valves(sheet: Sheet, kind: str, fit: Mapping[str, Any]) -> list[Mesh]:
    """Return the valves of a mask, seated on its cloth."""
    places: Sequence[tuple[float, float]]
    if kind == "pair":
        places = ((-fit["valve_across"], fit["valve_down"]), (fit["valve_across"], fit["valve_down"]))
    elif kind in ("square", "side"):
        places = ((fit["valve_across"] * fit["valve_side"], fit["valve_down"]),)
    else:
        places = ((0.0, fit["valve_down"]),)
    return [_valve(sheet, across, down, kind, fit) for across, down in places]


def _valve(sheet: Sheet, across: float, down: float, kind: str, fit: Mapping[str, Any]) -> Mesh:
    rows, columns = sheet.theta.shape
    i = min(max(round(down * (rows - 1)), 3), rows - 4)
    j = min(max(round((across + 1) / 2 * (columns - 1)), 3), columns - 4)
    p = sheet.points_cm
    right = p[i, j + 3] - p[i, j - 3]
    up = p[i - 3, j] - p[i + 3, j]
    normal = np.cross(right, up)
    normal /= np.linalg.norm(normal)
    right = right - normal * (right @ normal)
    right /= np.linalg.norm(right)
    up = np.cross(normal, right)
    angle = np.arange(_AROUND) * (2 * np.pi / _AROUND)
    corner = 4.5 if kind == "square" else 2.0  # exponent of the superellipse
    c, s = np.cos(angle), np.sin(angle)
    stretch = (np.abs(c) ** corner + np.abs(s) ** corner) ** (-1 / corner)
    outline = np.stack([c * stretch, s * stretch * (0.8 if kind == "square" else 1.0)], -1) * fit["valve_cm"]
    radius, height, slots = (np.array(column) for column in zip(*_PROFILE, strict=True))
    flat: F64 = outline[None] * radius[:, None, None]
    lift = np.broadcast_to(height[:, None] * fit["valve_high"] + 0.05, (len(radius), _AROUND))
    vertices = p[i, j] + flat[..., :1] * right + flat[..., 1:] * up + lift[..., None] * normal
    dark = 1 - slots[:, None] * (np.arange(_AROUND) % 4 < 2)[None]
    albedo = np.asarray(fit["valve_colour"])[None, None] * dark[..., None]
    faces = grid_faces(len(radius), _AROUND, wrap=True)
    material = Material(albedo=albedo.reshape(-1, 3), specular=0.08, gloss=25.0)
    return part(vertices.reshape(-1, 3), np.ascontiguousarray(faces), material)
