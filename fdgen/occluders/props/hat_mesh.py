"""The geometry and cloth of hats: a crown round the skull, a visor or brim, cuff, band, pompom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from fdgen.analysis.geometry import grid_faces, rotation_matrix
from fdgen.arrays import F32, F64
from fdgen.occluders.cloth.fabric import paint
from fdgen.occluders.props.materials import grain
from fdgen.occluders.props.solids import Solid, turned
from fdgen.render.mesh import Material, Mesh
from fdgen.render.scene import skull

Parts = list[tuple[Mesh, F32 | None]]

FABRICS = ("knit", "woven", "felt", "straw")

_AROUND, _UP = 64, 22
"""Vertices of a crown, round and up."""
_WRINKLES_CM = {"knit": 0.40, "woven": 0.28, "felt": 0.16, "straw": 0.10}
_TEXELS_CM = 7.0
_BAND_CM = 1.2
_VISOR_DEG = 68.0
"""Half the arc of a visor."""


@dataclass(frozen=True, slots=True)
class Head:
    """Where a hat sits: the ellipse in which its rim goes round the head, in head cm.

    `half` is the ellipse's half width and half depth, `spare` how much of the width is hair that soft cloth presses
    down at the rim, `up` how high the crown must rise; `rotation` (3, 3) carries the
    rim's own frame, y up from it and z to the front, to the head's, and `middle` is the ellipse's.
    """

    middle: F64
    half: tuple[float, float]
    up: float
    spare: float
    rotation: F64

    @classmethod
    def of(cls, mesh_cm: F64, values: Mapping[str, Any], *, stiff: bool) -> Head:
        """Find the rim of a hat on a personal face (468, 3); a stiff one gives less way at its rim."""
        size = values["size"]
        brow, upper, hairline = mesh_cm[9], mesh_cm[151], mesh_cm[10]
        y = float(brow[1] + size["front"] * (hairline[1] - brow[1]))
        front = float(np.interp(y, [brow[1], upper[1], hairline[1]], [brow[2], upper[2], hairline[2]])) + 0.25
        vertices, _ = skull(mesh_cm)
        low, high = vertices.min(0), vertices.max(0)
        centre, radii = 0.5 * (low + high), 0.5 * (high - low)
        level = np.sqrt(max(1 - ((y - 0.6 - centre[1]) / radii[1]) ** 2, 0.3))
        wide = float(radii[0] * (0.55 + 0.45 * level)) + 0.55 + 0.8 * values["side_cm"]
        back = float(centre[2] - radii[2]) - 0.8
        deep = 0.5 * (front - back)
        tilt = np.radians(size["tilt_deg"])
        rotation = (
            rotation_matrix((0.0, 0.0, np.radians(values["lean_deg"])))
            @ rotation_matrix((-tilt, 0.0, 0.0))
            @ rotation_matrix((0.0, np.radians(values["turn_deg"]), 0.0))
        )
        middle = np.array([centre[0], y - np.tan(tilt) * deep, front - deep])
        up = float(high[1]) + values["top_cm"] + size["height_cm"] - float(middle[1])
        return cls(middle, (wide, deep), up, (0.3 if stiff else 0.7) * (0.3 + values["side_cm"]), rotation)

    def ring(self, angle: F64, grow: float = 0.0) -> F64:
        """Return points of the rim (N, 3) in its own frame at angles from the front, `grow` cm outside it."""
        return np.column_stack(
            [(self.half[0] + grow) * np.sin(angle), np.zeros_like(angle), (self.half[1] + grow) * np.cos(angle)]
        )


def hat_parts(head: Head, form: str, fabric: str, values: Mapping[str, Any]) -> Parts:
    """Build all parts of a hat, with their textures."""
    size = values["size"]
    crown, across, down = _crown(head, size, form != "brimmed", _WRINKLES_CM[fabric], values["seed"])
    cloth = _cloth(across, down, fabric, values)
    if form == "cap":
        _seams(cloth, values)
    if values["band"]:
        high = max(1, round(len(cloth) * _BAND_CM / head.up))
        cloth[-high:] = np.array(values["second"], np.float32) ** 2.2
    look = Material((1.0, 1.0, 1.0), specular=0.02, gloss=8.0, two_sided=True)
    parts: Parts = [(_placed(crown, head).made_of(look, printed=True), cloth)]
    if size["cuff_cm"] > 0.3:
        cuff, across, down = _cuff(head, size)
        parts.append((_placed(cuff, head).made_of(look, printed=True), _cloth(across, down, fabric, values)))
    if form == "cap" and not values["backwards"]:
        own = np.array(values["second"] if values["patch"] else values["colours"][0])
        for piece in _visor(head, size):
            parts.append((_placed(piece, head).made_of(_dyed(own, look)), None))
    if form == "brimmed":
        for piece in _brim(head, size, values["seed"]):
            across, down = (
                np.ascontiguousarray(a, np.float32)
                for a in np.meshgrid(np.linspace(0, 60, 300), np.linspace(0, size["brim_cm"], 60))
            )
            parts.append(
                (
                    _placed(piece, head).made_of(look, printed=True),
                    _cloth(across, down, fabric, {**values, "band": False}),
                )
            )
    if values["pompom"]:
        ball = np.radians(np.linspace(-90, 90, 12))
        profile = np.column_stack([2.1 * np.cos(ball).clip(0), 2.1 * np.sin(ball) + head.up + 1.2])
        fluff = grain({"kind": "foam", "seed": values["seed"]}) * np.array(values["colours"][1], np.float32) ** 2.2
        parts.append((_placed(turned(profile, sides=24), head).made_of(look, printed=True), fluff))
    return parts


def _dyed(colour: F64, look: Material) -> Material:
    return Material(np.clip(colour**2.2, 0.008, 0.7), specular=look.specular, gloss=look.gloss, two_sided=True)


def _placed(solid: Solid, head: Head) -> Solid:
    return solid.moved(head.rotation, head.middle)


def _sheet(points: F64) -> Solid:
    """Return a grid of points (rows, columns, 3), seen from outside with rows downwards, as a solid."""
    across = np.gradient(points, axis=1)
    down = np.gradient(points, axis=0)
    normals = np.cross(down, across)
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True) + 1e-9
    rows, columns = points.shape[:2]
    u, v = np.meshgrid(np.linspace(0, 1, columns), np.linspace(0, 1, rows))
    uv = np.stack([u, v], -1).reshape(-1, 2)
    return Solid(points.reshape(-1, 3), normals.reshape(-1, 3), grid_faces(rows, columns), uv)


def _crown(head: Head, size: Mapping[str, float], soft: bool, wrinkles_cm: float, seed: int) -> tuple[Solid, F32, F32]:
    """Build the crown, and the distances on it, across and down, for each texel of its cloth."""
    angle = np.linspace(-np.pi, np.pi, _AROUND + 1)
    rise = np.sin(np.linspace(0.5 * np.pi, 0.0, _UP)) ** 0.9  # 1 at the top
    shrink = (1 - rise ** size["round"]) ** (1 / size["round"]) * (1 + size["flare"] * np.sin(np.pi * rise))
    rim = head.ring(angle)
    points = rim[None] * shrink[:, None, None]
    if soft:  # cloth lies on at its rim
        points[..., 0] *= 1 - (head.spare / head.half[0]) * np.clip(1 - rise[:, None] / 0.35, 0, 1) ** 2
    points[..., 1] = (head.up * rise)[:, None]
    if size["dent_cm"] > 0:
        crease = np.exp(-((points[..., 0] / 1.8) ** 2)) * np.clip((rise - 0.55) / 0.45, 0, 1)[:, None]
        points[..., 1] -= size["dent_cm"] * crease
    noise = np.tile(np.random.default_rng(seed).standard_normal((_UP, _AROUND)), (1, 3))
    bumps: F64 = np.asarray(cv2.GaussianBlur(noise, (0, 0), sigmaX=1.5, sigmaY=2.2), np.float64)
    bumps = bumps[:, _AROUND : 2 * _AROUND + 1]  # the noise goes round thrice, so that its ends meet
    height = wrinkles_cm * bumps / (np.abs(bumps).max() + 1e-9) * np.clip(3 * (1 - rise) * (rise + 0.1), 0, 1)[:, None]
    points += points / (np.linalg.norm(points, axis=-1, keepdims=True) + 1e-9) * height[..., None]
    return (_sheet(points), *_texels(2 * np.pi * 0.5 * sum(head.half), 1.15 * head.up))


def _cuff(head: Head, size: Mapping[str, float]) -> tuple[Solid, F32, F32]:
    """Build the turned-up edge of a beanie."""
    angle = np.linspace(-np.pi, np.pi, _AROUND + 1)
    levels = [(1.0, 0.0), (0.985, 0.32), (0.6, 0.42), (0.15, 0.42), (0.0, 0.28), (-0.04, 0.0)]
    rows = []
    for share, stand in levels:
        ring = head.ring(angle, stand)
        ring[:, 0] *= 1 - (head.spare / head.half[0]) * max(1 - share * size["cuff_cm"] / (0.35 * head.up), 0.0) ** 2
        rise = share * size["cuff_cm"] / head.up
        ring *= (1 - max(rise, 0.0) ** size["round"]) ** (1 / size["round"])
        ring[:, 1] = share * size["cuff_cm"]
        rows.append(ring)
    return (_sheet(np.array(rows)), *_texels(2 * np.pi * 0.5 * sum(head.half), size["cuff_cm"]))


def _visor(head: Head, size: Mapping[str, float]) -> list[Solid]:
    """Build the visor of a cap: its upper and its lower side."""
    u = np.linspace(-1.0, 1.0, 33)
    rim = head.ring(np.radians(_VISOR_DEG) * u, 0.12)
    rim[:, 0] *= 1 - head.spare / head.half[0]
    droop = np.radians(size["droop_deg"])
    reach = size["brim_cm"] * np.sqrt(np.clip(1 - np.abs(u) ** 2.6, 0, 1))
    sides = []
    for offset in (0.09, -0.09):
        rows = []
        for share in np.linspace(0.0, 1.0, 9):
            row = rim.copy()
            out = share * reach
            row[:, 2] += out * np.cos(droop)
            row[:, 1] += offset - out * np.sin(droop) - size["arch_cm"] * np.abs(u) ** 2.2 * share
            row[:, 1] += 0.35 * (1 - share)
            rows.append(row)
        sides.append(_sheet(np.array(rows)))
    return sides


def _brim(head: Head, size: Mapping[str, float], seed: int) -> list[Solid]:
    """Build a brim all round: its upper and its lower side."""
    angle = np.linspace(-np.pi, np.pi, _AROUND + 1)
    phase = np.random.default_rng(seed).uniform(0, 2 * np.pi, 2)
    droop = np.radians(size["droop_deg"])
    sides = []
    for offset in (0.1, -0.1):
        rows = []
        for share in np.linspace(0.0, 1.0, 9):
            row = head.ring(angle, 0.1 + share * size["brim_cm"] * np.cos(droop))
            fall = share * size["brim_cm"] * np.sin(droop) * (0.55 + 0.45 * np.cos(angle))
            rolled = size["arch_cm"] * share**1.6 * np.sin(angle) ** 2
            wave = size["wave_cm"] * share * (np.cos(2 * angle + phase[0]) + 0.6 * np.cos(3 * angle + phase[1]))
            row[:, 1] = offset - fall + rolled + wave
            rows.append(row)
        sides.append(_sheet(np.array(rows)))
    return sides


def _texels(around_cm: float, height_cm: float) -> tuple[F32, F32]:
    """Return the distances in cm, across from the front and down, at the texels of a piece of cloth."""
    columns = int(np.clip(around_cm * _TEXELS_CM, 60, 318))
    rows = int(np.clip(height_cm * _TEXELS_CM, 20, 200))
    x = (np.linspace(-0.5, 0.5, columns) * around_cm).astype(np.float32)
    y = np.linspace(0.0, height_cm, rows).astype(np.float32)
    across, down = np.meshgrid(x, y)
    return np.ascontiguousarray(across), np.ascontiguousarray(down)


def _cloth(across: F32, down: F32, fabric: str, values: Mapping[str, Any]) -> F32:
    """Paint cloth with its print and the shading of its fabric."""
    albedo = paint(across, down, values)
    pitch = np.float32(values["size"]["rib_cm"])
    rng = np.random.default_rng(values["seed"])
    rough = rng.standard_normal(across.shape).astype(np.float32)
    if fabric == "knit":
        rib = 0.5 + 0.5 * np.cos(2 * np.pi * across / pitch)
        stitch = 0.5 + 0.5 * np.cos(2 * np.pi * (down / (0.6 * pitch) + np.abs((across / pitch) % 1 - 0.5)))
        shade = 0.48 + 0.55 * np.sqrt(rib) + 0.14 * stitch + 0.06 * rough
    elif fabric == "straw":
        weave = np.cos(2 * np.pi * across / pitch) * np.cos(2 * np.pi * down / (0.7 * pitch))
        albedo = albedo * 0.25 + np.array([0.55, 0.40, 0.20], np.float32) * np.float32(0.75)
        shade = 0.9 + 0.2 * weave + 0.10 * rough
    elif fabric == "felt":
        shade = 1.0 + 0.05 * np.asarray(cv2.GaussianBlur(rough, (0, 0), 1.2), np.float32) * 3
    else:
        shade = 0.97 + 0.05 * rough
    shaded: F32 = (albedo * np.clip(shade, 0.3, 1.4)[..., None]).astype(np.float32)
    return shaded


def _seams(cloth: F32, values: Mapping[str, Any]) -> None:
    """Sew the six panels of a cap, and perhaps a patch on its front, in place."""
    rows, columns = cloth.shape[:2]
    for panel in range(6):
        at = round(panel * columns / 6)
        cloth[:, at : at + 1] *= np.float32(0.62)
    if values["patch"]:
        patch = np.zeros((rows, columns), np.uint8)
        size = (round(columns * 0.055), round(rows * 0.13))
        cv2.ellipse(patch, (columns // 2, round(rows * 0.7)), size, 0, 0, 360, (255,), -1, cv2.LINE_AA)
        share = (patch * np.float32(1 / 255))[..., None]
        cloth += share * (np.array(values["second"], np.float32) ** 2.2 - cloth)
