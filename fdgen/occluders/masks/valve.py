"""Exhalation valves: turned or square lids on the cloth, with the slots that let the breath out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from fdgen.analysis.geometry import grid_faces
from fdgen.arrays import F32, F64
from fdgen.occluders.cloth.relief import Texels
from fdgen.occluders.masks.pattern import Sheet
from fdgen.render.mesh import Material, Mesh, part
from fdgen.runtime.rng import draw_index, draw_one

_AROUND = 36
_TURNED = (  # radius as a share of the valve's, height in shares of its own, light left there, whether slots are cut
    (1.08, -0.30, 0.55, 0),
    (1.00, 0.10, 0.80, 0),
    (0.97, 0.20, 1.00, 0),
    (0.86, 0.22, 0.90, 0),
    (0.83, 0.02, 0.35, 0),
    (0.80, 0.10, 0.45, 0),
    (0.77, 0.70, 0.75, 0),
    (0.73, 0.90, 1.00, 0),
    (0.66, 1.00, 1.00, 0),
)
"""The seat of a valve, the groove round its lid, and the lid's edge."""
_TOPS: Mapping[str, tuple[tuple[float, float, float, int], ...]] = {
    "smooth": ((0.40, 1.10, 1.0, 0), (0.0, 1.16, 1.0, 0)),
    "ringed": ((0.60, 0.84, 0.5, 0), (0.50, 0.86, 0.8, 0), (0.44, 1.04, 1.0, 0), (0.0, 1.10, 1.0, 0)),
    "slotted": (
        *((0.62, 1.02, 1.0, 0), (0.60, 0.70, 0.4, 1), (0.34, 0.72, 0.5, 1), (0.32, 1.06, 1.0, 0)),
        *((0.20, 1.10, 1.0, 0), (0.0, 1.12, 1.0, 0)),
    ),
}
LIDS = tuple(_TOPS)
_SLOT_LIGHT = 0.22
"""Light left in an open slot."""
_SHADE, _SHADE_CM = 0.45, 0.22
"""Share of light lost at the rim of a valve, and how far it reaches."""
_SHADE_REACH_CM = 0.9
"""How far from a valve or its shadow any shade is left: less of it than of a level beyond."""
_CAST, _CAST_CM = 0.35, 0.55
"""The same of the shadow that it throws away from the light, and how far it is thrown, a cm of height."""
VALVES = frozenset({"round", "square", "pair", "side"})


def draw_lid(rng: np.random.Generator) -> dict[str, Any]:
    """Draw what the lids of a mask's valves look like: JSON values for `valves`."""
    return {
        "valve_lid": LIDS[draw_index(rng, (0.3, 0.25, 0.45))],
        "valve_slots": draw_one(rng, (3, 4, 6, 8)),
        "valve_turn": round(float(rng.uniform(0.0, 1.0)), 5),
        "valve_gloss": round(float(rng.uniform(0.08, 0.4)), 5),
    }


def valves(sheet: Sheet, kind: str, fit: Mapping[str, Any]) -> list[Mesh]:
    """Return the valves of a mask, seated on its cloth."""
    return [_valve(sheet, across, down, kind, fit) for across, down in _places(kind, fit)]


def shade_below(texture: F32, texels: Texels, kind: str, fit: Mapping[str, Any], light: F32) -> None:
    """Darken cloth, in place, where valves keep the light off it: round their rims, and away from the light.

    Args:
        texture: Of the cloth (h, w, 3).
        texels: Of its sheet.
        kind: Of the valves.
        fit: How the mask is worn, as `place` drew it.
        light: Direction to the light (3,), as the camera sees it.
    """
    h, w = texture.shape[:2]
    thrown = np.float32(_CAST_CM * fit["valve_high"]) * light / np.float32(max(0.5, float(light[2])))
    for across, down in _places(kind, fit):
        i, j = round(down * (h - 1)), round((across + 1) / 2 * (w - 1))
        reach = fit["valve_cm"] + float(np.hypot(*thrown[:2])) + _SHADE_REACH_CM
        rows, columns = (_near(line, line[at], reach) for line, at in ((texels.down[:, j], i), (texels.across[i], j)))
        box = (rows, columns)
        x, y = texels.across[box] - texels.across[i, j], texels.down[box] - texels.down[i, j]
        left = np.ones_like(x)
        for dx, dy, share, soft in ((0.0, 0.0, _SHADE, _SHADE_CM), (-thrown[0], thrown[1], _CAST, 1.4 * _SHADE_CM)):
            away = np.hypot(x - np.float32(dx), y - np.float32(dy))
            beyond = np.maximum(away - np.float32(fit["valve_cm"]), 0) / np.float32(soft)
            left *= 1 - np.float32(share) * np.exp(-(beyond * beyond))
        texture[box] *= left[..., None]


def _near(line_cm: F32, middle_cm: float, reach_cm: float) -> slice:
    """Return the texels of a line, from one end to the other, that are within `reach_cm` of a place on it."""
    inside = np.flatnonzero(np.abs(line_cm - middle_cm) <= reach_cm)
    return slice(int(inside[0]), int(inside[-1]) + 1)


def _places(kind: str, fit: Mapping[str, Any]) -> Sequence[tuple[float, float]]:
    """Return where valves sit: across the cloth from -1 to 1, down it from 0 to 1."""
    if kind == "pair":
        return ((-fit["valve_across"], fit["valve_down"]), (fit["valve_across"], fit["valve_down"]))
    if kind in ("square", "side"):
        return ((fit["valve_across"] * fit["valve_side"], fit["valve_down"]),)
    return ((0.0, fit["valve_down"]),)


def _valve(sheet: Sheet, across: float, down: float, kind: str, fit: Mapping[str, Any]) -> Mesh:
    """Build a valve: each band of its profile has vertices of its own, so that edges between bands are sharp."""
    centre, right, up, normal = _seat(sheet, across, down)
    angle = np.arange(_AROUND) * (2 * np.pi / _AROUND)
    corner = 4.5 if kind == "square" else 2.0  # exponent of the superellipse
    c, s = np.cos(angle), np.sin(angle)
    stretch = (np.abs(c) ** corner + np.abs(s) ** corner) ** (-1 / corner)
    outline = np.stack([c * stretch, s * stretch * (0.8 if kind == "square" else 1.0)], -1) * fit["valve_cm"]
    outwards = np.stack([c, s], -1)
    in_slot = (angle * fit["valve_slots"] / (2 * np.pi) + fit["valve_turn"]) % 1.0 < 0.62
    profile = np.array((*_TURNED, *_TOPS[fit["valve_lid"]]))
    colour = np.asarray(fit["valve_colour"])
    points, normals, albedo, faces = [], [], [], []
    for k, (outer, inner) in enumerate(pairwise(profile)):
        for radius, height, light, slot in (outer, inner):
            lift = height * fit["valve_high"] + 0.05
            flat = outline * radius
            points.append(centre + flat[:, :1] * right + flat[:, 1:] * up + lift * normal)
            left = np.where(in_slot & (slot > 0), _SLOT_LIGHT, 1.0 if slot else light)
            albedo.append(left[:, None] * colour)
        run = (outer[0] - inner[0]) * fit["valve_cm"]
        rise = (inner[1] - outer[1]) * fit["valve_high"]
        slope = np.array([rise, run]) / (np.hypot(rise, run) + 1e-9)  # outwards and off the cloth
        tilted = slope[0] * (outwards[:, :1] * right + outwards[:, 1:] * up) + slope[1] * normal
        normals += [tilted, tilted]
        faces.append(grid_faces(2, _AROUND, wrap=True) + 2 * k * _AROUND)
    material = Material(albedo=np.concatenate(albedo), specular=fit["valve_gloss"], gloss=18.0)
    every = np.ascontiguousarray(np.concatenate(faces).astype(np.int32))
    return part(np.concatenate(points), every, material, normals=np.concatenate(normals))


def _seat(sheet: Sheet, across: float, down: float) -> tuple[F64, F64, F64, F64]:
    """Return where a valve sits on the cloth, and the directions right, up and off it there."""
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
    return p[i, j], right, np.cross(normal, right), normal
