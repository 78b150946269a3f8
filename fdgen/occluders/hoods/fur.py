"""Fur along the edge of a hood: tufts of tapering hairs that lean outwards."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from fdgen.analysis.geometry import lengths
from fdgen.arrays import F64
from fdgen.render.mesh import Material, Mesh, part

_HAIRS = 9000
_JOINTS = 4
_WIDE_CM = 0.10
"""Width of a hair at its root: of a lock of a few, as a portrait shows."""
_ROOT_LIGHT = 0.35
"""Share of the light that reaches the root of a hair."""
_PEPPER = 0.35
"""How much hairs differ in brightness."""


def fur_mesh(edge: F64, middle: F64, values: Mapping[str, Any]) -> Mesh:
    """Build fur along a closed edge (N, 3) round a face whose middle is `middle` (2,)."""
    rng = np.random.default_rng([values["seed"], 3])
    at = rng.uniform(0.0, len(edge) - 1.001, _HAIRS)
    low = at.astype(int)
    root = edge[low] + (at - low)[:, None] * (edge[low + 1] - edge[low])
    outward = np.column_stack([root[:, :2] - middle, np.zeros(_HAIRS)])
    outward /= lengths(outward)
    along = edge[low + 1] - edge[low]
    along /= lengths(along) + 1e-9
    ahead = np.array([0.0, 0.0, 1.0])
    # From hairs that lean over the opening to those that lie back on the cloth; tufts lean alike.
    tuft = np.random.default_rng([values["seed"], 4]).normal(0.0, 0.35, len(edge))[low]
    lean = rng.uniform(-0.55, 1.5, _HAIRS)[:, None]
    way = np.sin(lean) * outward + np.cos(lean) * ahead + (tuft[:, None] + rng.normal(0, 0.25, (_HAIRS, 1))) * along
    way /= lengths(way)
    long = values["size"]["fur_cm"] * rng.uniform(0.45, 1.0, _HAIRS)[:, None]
    bend = rng.normal(0.0, 0.24, (_HAIRS, 3)) - (0.0, 0.22, 0.0)
    share = np.linspace(0.0, 1.0, _JOINTS)
    spine = root[:, None] + (long * way)[:, None] * share[None, :, None]
    spine += (long * bend)[:, None] * (share**2)[None, :, None] + 0.25 * outward[:, None]
    side = np.cross(way, ahead + 0.3 * along)
    side /= lengths(side) + 1e-9
    width = 0.5 * _WIDE_CM * (1 - 0.85 * share)
    vertices = np.stack([spine - width[:, None] * side[:, None], spine + width[:, None] * side[:, None]], 2)
    ladder = np.array(
        [(2 * k + a, 2 * k + b, 2 * k + c) for k in range(_JOINTS - 1) for a, b, c in ((0, 1, 2), (1, 3, 2))]
    )
    faces = (2 * _JOINTS * np.arange(_HAIRS)[:, None, None] + ladder[None]).reshape(-1, 3)
    normals = 0.5 * outward + 0.7 * ahead + 0.5 * way
    normals /= lengths(normals)
    tone = np.exp(rng.normal(0.0, _PEPPER, _HAIRS))
    pale = np.clip(values["fur_tips"] * share[None] ** 2 * rng.uniform(0.3, 1.3, (_HAIRS, 1)), 0.0, 1.0)
    rgb = np.array(values["fur_rgb"])
    colour = rgb + pale[..., None] * (0.75 * np.array([1.0, 0.96, 0.9]) - rgb)
    lit = (_ROOT_LIGHT + (1 - _ROOT_LIGHT) * share)[None] * tone[:, None]
    albedo = np.clip(colour * lit[..., None], 0.004, 0.85)
    count = 2 * _JOINTS
    return part(
        vertices.reshape(-1, 3),
        faces.astype(np.int32),
        Material(np.repeat(albedo.reshape(-1, 3), 2, 0), specular=0.03, gloss=10.0, two_sided=True),
        normals=np.repeat(normals, count, 0),
    )
