"""Straps that go round the head, over the hair: of goggles, of face shields."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from fdgen.analysis.geometry import grid_faces, lengths
from fdgen.arrays import F64
from fdgen.occluders.headwear.head_surface import HeadSurface
from fdgen.render.mesh import Material, Mesh, part
from fdgen.render.scene import Scene

_RINGS = 44
_LAST = np.radians(165.0)
"""Angle from the front at which a strap ends, behind the head."""
_THICK_CM = 0.14
_PROFILE = ((-1.0, -1.0, -0.9), (-0.97, 0.4, -0.5), (-0.6, 1.0, -0.08), (0.0, 1.0, 0.0))
"""Of one half of the section: place across in half widths, height in half thicknesses, lean of the normal."""
_MOST_HAIR_CM, _GIVES_CM = 2.4, 0.7
"""How far a strap stands off the skull at most, and how far hair gives way under it."""
_FULL_CM = 1.6
"""Hair that stands off the head by more closes over a strap where that turns away."""
_TURNED = (0.05, 0.4)
"""How much a strap faces the camera where such hair hides it, and where it does not yet."""


@dataclass(frozen=True, slots=True)
class Strap:
    """How a strap goes round one side of a head.

    `start_cm` (3,) is where it leaves what it holds, `rise_cm` how much higher it is behind the head, `width_cm` its
    width, `hair_cm` how far hair stands off the skull on this side.
    """

    side: int
    start_cm: F64
    rise_cm: float
    width_cm: float
    hair_cm: float


def strap_mesh(scene: Scene, surface: HeadSurface, strap: Strap, material: Material) -> tuple[Mesh, float]:
    """Build a strap, and return its length in cm: (u, v) of its texture run along it and across it.

    `surface` is that of the scene's head.
    """
    path = _path(surface, strap)
    along = np.gradient(path, axis=0)
    along /= lengths(along) + 1e-9
    out = np.cross(along, np.array([0.0, 1.0, 0.0])) * strap.side
    out /= lengths(out) + 1e-9
    up = np.cross(out, along)
    up *= np.sign(up[:, 1:2] + 1e-9)
    section = np.array([*_PROFILE, *((-a, b, -c) for a, b, c in _PROFILE[-2::-1])])
    across, height, lean = section.T
    vertices = (
        path[:, None]
        + 0.5 * strap.width_cm * across[None, :, None] * up[:, None]
        + 0.5 * _THICK_CM * height[None, :, None] * out[:, None]
    )
    normals = out[:, None] * np.sqrt(1 - lean**2)[None, :, None] + up[:, None] * lean[None, :, None]
    step = np.linalg.norm(np.diff(path, axis=0), axis=1)
    run = np.concatenate([[0.0], np.cumsum(step)])
    u, v = np.meshgrid(run / run[-1], 0.5 - 0.5 * across, indexing="ij")
    n = len(section)
    if strap.hair_cm > _FULL_CM:
        facing = np.clip((scene.pose.to_view(out)[:, 2] - _TURNED[0]) / (_TURNED[1] - _TURNED[0]), 0.0, 1.0)
        material = replace(material, presence=np.repeat(facing, n))
    mesh = part(
        vertices.reshape(-1, 3),
        grid_faces(_RINGS, n),
        material,
        normals=normals.reshape(-1, 3),
        uv_N2=np.stack([u, v], -1).reshape(-1, 2),
    )
    return mesh, float(run[-1])


def _path(surface: HeadSurface, strap: Strap) -> F64:
    """Return the middle line (rings, 3) of a strap that is pulled taut round the head."""
    (first,), (far,) = surface.aim(strap.start_cm[None])
    angle = np.linspace(first, strap.side * _LAST, 90)
    share = np.linspace(0.0, 1.0, len(angle))
    y = strap.start_cm[1] + strap.rise_cm * share**0.7
    hair = float(np.clip(strap.hair_cm - _GIVES_CM, 0.12, _MOST_HAIR_CM))
    grown = 0.12 + (hair - 0.12) * np.clip((np.abs(angle) - np.radians(50.0)) / np.radians(40.0), 0.0, 1.0)
    radius = surface.radius(angle, y) + grown
    radius[0] = far
    flat = np.column_stack([radius * np.sin(angle), radius * np.cos(angle)])
    beyond = np.array([[-3.0 * far * strap.side, flat[end, 1]] for end in (0, -1)])  # the other half of the head
    hull = cv2.convexHull(np.concatenate([flat, beyond]).astype(np.float32), returnPoints=False).ravel()
    kept = np.unique(np.concatenate([[0], hull[hull < len(flat)], [len(flat) - 1]]))
    taut = np.column_stack([np.interp(share, share[kept], flat[kept, axis]) for axis in (0, 1)])
    step = np.linalg.norm(np.diff(taut, axis=0), axis=1)
    run = np.concatenate([[0.0], np.cumsum(step)])
    at = np.linspace(0.0, run[-1], _RINGS)
    x, z, height = (np.interp(at, run, line) for line in (*taut.T, y))
    return np.column_stack([x + surface.axis_cm[0], height, z + surface.axis_cm[1]])
