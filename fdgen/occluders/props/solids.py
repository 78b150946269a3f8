"""Simple solids that props are built of: turned bodies, slabs and bent tubes, in a frame of their own, in cm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fdgen.analysis.geometry import grid_faces, lengths
from fdgen.arrays import F64, I32
from fdgen.render.mesh import Material, Mesh, part, tube

_CREASE = np.cos(np.radians(42.0))
"""Edges sharper than this keep their sharpness; softer ones are shaded round."""


@dataclass(frozen=True, slots=True)
class Solid:
    """A piece of geometry: vertices and outward unit normals (N, 3), triangles (M, 3), and (u, v) in 0..1 (N, 2)."""

    vertices: F64
    normals: F64
    faces: I32
    uv: F64

    def moved(self, rotation: F64, origin: npt.ArrayLike) -> Solid:
        """Return it turned by `rotation` (3, 3), then shifted."""
        return Solid(self.vertices @ rotation.T + np.asarray(origin), self.normals @ rotation.T, self.faces, self.uv)

    def made_of(self, material: Material, *, printed: bool = False) -> Mesh:
        """Return it as a mesh; `printed` keeps (u, v) for a texture."""
        uv = self.uv if printed else None
        return part(self.vertices, self.faces, material, normals=self.normals, uv_N2=uv)


def turned(profile: npt.ArrayLike, *, sides: int = 36) -> Solid:
    """Turn a profile (K, 2) of radius and height about the y axis; its first point is the lowest, inside on its left.

    u runs round from the back, seen from +z, and v from the last point of the profile (0) to the first (1).
    """
    points = np.asarray(profile, np.float64)
    step = np.diff(points, axis=0)
    length = np.hypot(step[:, 0], step[:, 1])
    outward = np.column_stack([step[:, 1], -step[:, 0]]) / (length[:, None] + 1e-9)
    along = np.concatenate([[0.0], np.cumsum(length)])
    rows: list[tuple[float, float, float, float, float]] = []
    for k, (radius, height) in enumerate(points):
        before, after = outward[max(k - 1, 0)], outward[min(k, len(outward) - 1)]
        sharp = float(before @ after) < _CREASE
        for normal in (before, after) if sharp else (before + after,):
            across, up = normal / (np.hypot(*normal) + 1e-9)
            rows.append((radius, height, across, up, along[k] / along[-1]))
    ring = np.array(rows)
    angle = np.linspace(-np.pi, np.pi, sides + 1)
    sin, cos = np.sin(angle), np.cos(angle)

    def around(radial: F64, upward: F64) -> F64:
        level = np.broadcast_to(upward[:, None], (len(ring), sides + 1))
        grid: F64 = np.stack([radial[:, None] * sin, level, radial[:, None] * cos], -1)
        return grid.reshape(-1, 3)

    u, v = np.meshgrid(np.linspace(0.0, 1.0, sides + 1), 1.0 - ring[:, 4])
    return Solid(
        around(ring[:, 0], ring[:, 1]),
        around(ring[:, 2], ring[:, 3]),
        grid_faces(len(ring), sides + 1),
        np.stack([u, v], -1).reshape(-1, 2),
    )


def slab(
    width: float, height: float, depth: float, *, corner: float, bevel: float, dome: float = 0.0
) -> tuple[Solid, Solid]:
    """Build a rounded plate about the origin in the xy plane: its face towards +z, and its sides with its back.

    Args:
        width: Extent along x in cm.
        height: Extent along y in cm.
        depth: Extent along z in cm.
        corner: Radius of the outline's corners in cm.
        bevel: Width of the bevel of the edges in cm.
        dome: How much the middle of the face lies before its rim, in cm; 0 is flat.
    """
    outline = rounded_rectangle(width, height, corner)
    inner = rounded_rectangle(width - 2 * bevel, height - 2 * bevel, max(corner - bevel, 0.05))
    n, z = len(outline), 0.5 * depth
    shares = (0.0, 0.45, 0.8, 1.0)
    rings = np.concatenate([np.column_stack([inner * s, np.full(n, z + dome * (1 - s * s))]) for s in shares])
    uv = rings[:, :2] / (width, -height) + 0.5
    lean = np.column_stack([2 * dome * rings[:, :2] / (0.25 * (width**2 + height**2)), np.ones(len(rings))])
    face = Solid(rings, lean / lengths(lean), _wrapped(len(shares), n), uv)
    out = outline - np.roll(outline, 1, 0)
    out = np.column_stack([out[:, 1], -out[:, 0], np.zeros(n)])
    out += np.roll(out, -1, 0)
    out /= lengths(out) + 1e-9
    forward = np.array([0.0, 0.0, 1.0])
    levels = [(inner, z, 0.7 * forward + 0.7 * out), (outline, z - bevel, out), (outline, bevel - z, out)]
    levels += [(inner, -z, 0.7 * out - 0.7 * forward), (inner * 0.01, -z, np.broadcast_to(-forward, (n, 3)))]
    vertices = np.concatenate([np.column_stack([line, np.full(n, at)]) for line, at, _ in levels])
    normals = np.concatenate([normal for _, _, normal in levels])
    side = Solid(vertices, normals, _wrapped(len(levels), n), np.zeros((len(vertices), 2)))
    return face, side


def rounded_rectangle(width: float, height: float, corner: float, *, steps: int = 6) -> F64:
    """Return the outline (4 · steps, 2) of a rectangle with round corners, counter-clockwise."""
    a = np.linspace(0.0, 0.5 * np.pi, steps)
    arcs = []
    for k, (x, y) in enumerate(((1, 1), (-1, 1), (-1, -1), (1, -1))):
        angle = a + 0.5 * np.pi * k
        arcs.append(
            np.column_stack(
                [
                    x * (0.5 * width - corner) + corner * np.cos(angle),
                    y * (0.5 * height - corner) + corner * np.sin(angle),
                ]
            )
        )
    return np.concatenate(arcs)


def bent_tube(path_cm: F64, radius_cm: npt.ArrayLike, *, depth_cm: npt.ArrayLike | None = None) -> Solid:
    """Sweep an ellipse along a path (K, 3): handles, goosenecks, cables."""
    vertices, faces = tube(path_cm, radius_cm, depth_cm=depth_cm, sides=10)
    middle = np.repeat(path_cm, 10, axis=0)
    normals = vertices - middle
    normals /= lengths(normals) + 1e-9
    return Solid(vertices, normals, faces, np.zeros((len(vertices), 2)))


def frame(up: npt.ArrayLike, towards: npt.ArrayLike) -> F64:
    """Return the rotation (3, 3) that carries y to `up` and z as nearly as may be to `towards`."""
    y = np.asarray(up, np.float64) / np.linalg.norm(up)
    z = np.asarray(towards, np.float64) - y * float(np.dot(towards, y))
    z /= np.linalg.norm(z) + 1e-9
    return np.stack([np.cross(y, z), y, z], 1)


def surface_points(solids: Sequence[Solid], *, every: int = 1) -> tuple[F64, F64]:
    """Return points and normals of solids, for fingers to rest on."""
    points = np.concatenate([solid.vertices for solid in solids])[::every]
    normals = np.concatenate([solid.normals for solid in solids])[::every]
    return np.ascontiguousarray(points), np.ascontiguousarray(normals)


def _wrapped(rings: int, n: int) -> I32:
    return grid_faces(rings, n, wrap=True)
