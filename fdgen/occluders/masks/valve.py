"""Exhalation valves: turned or square lids on the cloth, with the slots that let the breath out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fdgen.analysis.geometry import grid_faces
from fdgen.arrays import F32, F64
from fdgen.occluders.cloth.relief import Texels
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
_SHADE, _SHADE_CM = 0.4, 0.3
"""Share of light lost at the rim of a valve, and how far it reaches."""
VALVES = frozenset({"round", "square", "pair", "side"})


def valves(sheet: Sheet, kind: str, fit: Mapping[str, Any]) -> list[Mesh]:
    """Return the valves of a mask, seated on its cloth."""
    return [_valve(sheet, across, down, kind, fit) for across, down in _places(kind, fit)]


def shade_below(texture: F32, texels: Texels, kind: str, fit: Mapping[str, Any]) -> None:
    """Darken the cloth's texture (h, w, 3) in place where valves keep the light off it: round their rims."""
    h, w = texture.shape[:2]
    for across, down in _places(kind, fit):
        i, j = round(down * (h - 1)), round((across + 1) / 2 * (w - 1))
        away = np.hypot(texels.across - texels.across[i, j], texels.down - texels.down[i, j])
        beyond = np.maximum(away - np.float32(fit["valve_cm"]), 0) / np.float32(_SHADE_CM)
        texture *= 1 - np.float32(_SHADE) * np.exp(-(beyond * beyond))[..., None]


def _places(kind: str, fit: Mapping[str, Any]) -> Sequence[tuple[float, float]]:
    """Return where valves sit: across the cloth from -1 to 1, down it from 0 to 1."""
    if kind == "pair":
        return ((-fit["valve_across"], fit["valve_down"]), (fit["valve_across"], fit["valve_down"]))
    if kind in ("square", "side"):
        return ((fit["valve_across"] * fit["valve_side"], fit["valve_down"]),)
    return ((0.0, fit["valve_down"]),)


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
