"""Occluder meshes: geometry in head centimetres with a material at each vertex, and the shapes they are built from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from fdgen.analysis.geometry import grid_faces, vertex_normals
from fdgen.arrays import F32, F64, I32
from fdgen.runtime.jit import compiled

PLAIN = np.ones((1, 1, 3), np.float32)
"""The texture that changes nothing."""

WHOLE = np.ones((1, 1, 2), np.float32)
"""The cutout without holes."""


@dataclass(frozen=True, slots=True)
class Material:
    """What a surface is made of; one for a whole part, or arrays with a value a vertex.

    `albedo` is linear RGB. `opacity` is what it covers of what lies behind (a tinted lens 0.9, cloth 1); `presence`
    whether it is there at all; `counts` whether it is part of the silhouette, and throws a shadow, which the clear lens
    of eyeglasses does not. `specular` and `gloss` are strength and exponent of the highlight, `mirror` the share of
    the environment that it reflects, one number or RGB (..., 3): gold reflects yellow. `two_sided` turns normals to the
    viewer: for cloth, which has no inside.
    """

    albedo: npt.ArrayLike
    opacity: npt.ArrayLike = 1.0
    presence: npt.ArrayLike = 1.0
    specular: npt.ArrayLike = 0.0
    gloss: npt.ArrayLike = 20.0
    mirror: npt.ArrayLike = 0.0
    counts: npt.ArrayLike = 1.0
    two_sided: bool = False


@dataclass(frozen=True, slots=True)
class Strand:
    """A run of `rings` rings of `ring` vertices each, from vertex `start`: a temple, a strap, an ear loop.

    Where it goes under hair it stays under: the renderer lets it fade along its path once it has left skin. The first
    `shown` rings always show.
    """

    start: int
    rings: int
    ring: int
    shown: int


@dataclass(frozen=True, slots=True)
class Mesh:
    """Triangles with materials, ready to draw; vertices (N, 3) in head cm, faces (M, 3).

    `surface_N8` is opacity, presence, specular, gloss, mirror in RGB, and counts. All parts of a joined mesh share one
    texture: those that want none put their `uv_N2` on a white texel (see `join`). `parts_M` numbers the part of each
    face: the renderer looks closer where two parts meet in a pixel. `cutout_HW2` is a texture of its own for surfaces
    with holes: nothing is there where its first channel is under a half, and its second multiplies the opacity.
    """

    vertices_cm: F64
    faces: I32
    normals: F64
    uv_N2: F32
    albedo_N3: F32
    surface_N8: F32
    two_sided_N: npt.NDArray[np.bool_]
    parts_M: I32
    texture: F32 = field(default_factory=lambda: PLAIN)
    cutout_HW2: F32 = field(default_factory=lambda: WHOLE)
    strands: tuple[Strand, ...] = ()


def part(
    vertices_cm: F64,
    faces: I32,
    material: Material,
    *,
    normals: F64 | None = None,
    uv_N2: npt.NDArray[np.floating[Any]] | None = None,
    strand: tuple[int, int, int] | None = None,
) -> Mesh:
    """Make a mesh of one material.

    Args:
        vertices_cm: Vertices (N, 3) in head cm.
        faces: Triangles (M, 3), by their vertices.
        material: The material; its values are one for all vertices, or one for each.
        normals: Outward unit normals (N, 3); None computes them from the faces.
        uv_N2: Texture coordinates; None puts all at (0, 0).
        strand: (rings, vertices a ring, rings that always show) of what hair may hide; None for none.
    """
    n = len(vertices_cm)
    surface = np.empty((n, 8), np.float32)
    columns = (material.opacity, material.presence, material.specular, material.gloss, material.counts)
    alike = [value if isinstance(value, float | int) else 0.0 for value in columns]
    surface[:] = (*alike[:4], 0.0, 0.0, 0.0, alike[4])
    for column, value in zip((0, 1, 2, 3, 7), columns, strict=True):
        if not isinstance(value, float | int):
            surface[:, column] = value
    mirror = np.asarray(material.mirror, np.float32)
    surface[:, 4:7] = mirror if mirror.shape[-1:] == (3,) else mirror[..., None]
    albedo = np.empty((n, 3), np.float32)
    albedo[:] = material.albedo
    return Mesh(
        vertices_cm=np.asarray(vertices_cm, np.float64),
        faces=np.ascontiguousarray(faces, np.int32),
        normals=vertex_normals(vertices_cm, faces) if normals is None else normals,
        uv_N2=np.zeros((n, 2), np.float32) if uv_N2 is None else np.asarray(uv_N2, np.float32),
        albedo_N3=albedo,
        surface_N8=surface,
        two_sided_N=np.full(n, material.two_sided),
        parts_M=np.zeros(len(faces), np.int32),
        strands=() if strand is None else (Strand(0, *strand),),
    )


def join(parts: Sequence[Mesh], *, texture: F32 | None = None) -> Mesh:
    """Join parts into one mesh under one texture (H, W, 3) that multiplies the albedo.

    The texture's first two rows and columns should be white where some parts have no `uv_N2`: they sample (0, 0).
    """
    offsets = np.cumsum([0] + [len(p.vertices_cm) for p in parts])
    numbers = np.cumsum([0] + [int(p.parts_M.max(initial=0)) + 1 for p in parts])
    return Mesh(
        vertices_cm=np.concatenate([p.vertices_cm for p in parts]),
        faces=np.concatenate([p.faces + np.int32(o) for p, o in zip(parts, offsets, strict=False)]),
        normals=np.concatenate([p.normals for p in parts]),
        uv_N2=np.concatenate([p.uv_N2 for p in parts]),
        albedo_N3=np.concatenate([p.albedo_N3 for p in parts]),
        surface_N8=np.concatenate([p.surface_N8 for p in parts]),
        two_sided_N=np.concatenate([p.two_sided_N for p in parts]),
        parts_M=np.concatenate([p.parts_M + np.int32(o) for p, o in zip(parts, numbers, strict=False)]),
        texture=PLAIN if texture is None else np.ascontiguousarray(texture, np.float32),
        strands=tuple(
            replace(s, start=s.start + int(o)) for p, o in zip(parts, offsets, strict=False) for s in p.strands
        ),
    )


_WHITE_ROWS = 3


def bind(parts: Sequence[tuple[Mesh, F32 | None]]) -> Mesh:
    """Join meshes that have each a texture (H, W, 3) of its own, or None for none, under one that holds them all.

    Their (u, v) lie in 0..1: nothing repeats beyond its own texture.
    """
    pictures = [np.pad(texture, ((1, 1), (1, 1), (0, 0)), "edge") for _, texture in parts if texture is not None]
    if not pictures:
        return join([mesh for mesh, _ in parts])
    width = max(picture.shape[1] for picture in pictures)
    pages = [np.ones((_WHITE_ROWS, width, 3), np.float32)]
    pages += [np.pad(picture, ((0, 0), (0, width - picture.shape[1]), (0, 0)), "edge") for picture in pictures]
    height, first = sum(len(page) for page in pages), _WHITE_ROWS
    placed = []
    for mesh, texture in parts:
        if texture is None:
            uv = np.tile(np.array([0.5, 0.5 * _WHITE_ROWS / height], np.float32), (len(mesh.uv_N2), 1))
        else:
            rows, columns = texture.shape[:2]
            low, high = np.float32(0.5), np.array([columns, rows], np.float32) - np.float32(0.5)
            texel = np.clip(mesh.uv_N2 * np.array([columns, rows], np.float32), low, high)
            at = texel + np.array([1, first + 1], np.float32)
            uv = np.asarray(at / np.array([width, height], np.float32), np.float32)
            first += rows + 2
        placed.append(replace(mesh, uv_N2=uv))
    return join(placed, texture=np.concatenate(pages))


def tube(
    path_cm: F64,
    radius_cm: npt.ArrayLike,
    *,
    depth_cm: npt.ArrayLike | None = None,
    sides: int = 8,
    closed: bool = False,
) -> tuple[F64, I32]:
    """Sweep an ellipse along a path: vertices and faces of the tube, rings of `sides` vertices.

    A path that itself runs along z takes `depth_cm` as its height.

    Args:
        path_cm: The path (N, 3) in cm.
        radius_cm: Radius across the path in the plane of the picture, one or one for each point.
        depth_cm: Radius along z, one or one for each point; None is the same as `radius_cm`.
        sides: Vertices a ring.
        closed: Whether the end of the path is joined to its start.
    """
    path = np.ascontiguousarray(path_cm, np.float64)
    n = len(path)
    # Copies, which may be written to: for what may not, as some of these are, the kernel would be compiled anew.
    radius = np.broadcast_to(np.asarray(radius_cm, np.float64), n).copy()
    depth = radius if depth_cm is None else np.broadcast_to(np.asarray(depth_cm, np.float64), n).copy()
    return _swept(path, radius, depth, sides, closed), _tube_faces(n + closed, sides)


@cache
def _tube_faces(rings: int, sides: int) -> I32:
    return np.ascontiguousarray(grid_faces(rings, sides, wrap=True)[:, ::-1])


@compiled
def _swept(path: F64, radius: F64, depth: F64, sides: int, closed: bool) -> F64:
    """Return the vertices of a tube, as `tube` says; a closed path gets its first ring again as its last."""
    n = path.shape[0]
    rings = n + 1 if closed else n
    out = np.empty((rings * sides, 3))
    for i in range(rings):
        k = i % n
        before, after = (k - 1) % n, (k + 1) % n
        if not closed:
            before, after = max(k - 1, 0), min(k + 1, n - 1)
        x, y, z = (path[after, 0] - path[before, 0], path[after, 1] - path[before, 1], path[after, 2] - path[before, 2])
        length = np.sqrt(x * x + y * y + z * z) + 1e-12
        x, y, z = x / length, y / length, z / length
        up_y, up_z = (1.0, 0.0) if abs(z) > 0.8 else (0.0, 1.0)
        ax, ay, az = y * up_z - z * up_y, -x * up_z, x * up_y
        length = np.sqrt(ax * ax + ay * ay + az * az) + 1e-12
        ax, ay, az = ax / length, ay / length, az / length
        ux, uy, uz = ay * z - az * y, az * x - ax * z, ax * y - ay * x
        for s in range(sides):
            angle = s * (2 * np.pi / sides)
            across, up = np.cos(angle) * radius[k], np.sin(angle) * depth[k]
            vertex = out[i * sides + s]
            vertex[0] = path[k, 0] + across * ax + up * ux
            vertex[1] = path[k, 1] + across * ay + up * uy
            vertex[2] = path[k, 2] + across * az + up * uz
    return out


def spline(knots: npt.ArrayLike, n: int) -> F64:
    """Run a smooth curve (n, 3) through knots (K, 3): centripetal Catmull-Rom, which neither loops nor overshoots."""
    return _through(np.ascontiguousarray(knots, np.float64), n)


@compiled
def _through(knots: F64, n: int) -> F64:
    k = knots.shape[0]
    p, t = np.empty((k + 2, 3)), np.zeros(k + 2)
    for q in range(3):
        p[0, q], p[k + 1, q] = 2 * knots[0, q] - knots[1, q], 2 * knots[k - 1, q] - knots[k - 2, q]
        for i in range(k):
            p[i + 1, q] = knots[i, q]
    for i in range(1, k + 2):
        x, y, z = p[i, 0] - p[i - 1, 0], p[i, 1] - p[i - 1, 1], p[i, 2] - p[i - 1, 2]
        t[i] = t[i - 1] + np.sqrt(np.sqrt(x * x + y * y + z * z)) + 1e-9
    out = np.empty((n, 3))
    at = 1
    for i in range(n):
        x = t[1] + (t[k] - t[1]) * i / (n - 1)
        while at < k - 1 and t[at + 1] <= x:
            at += 1
        t0, t1, t2, t3 = t[at - 1], t[at], t[at + 1], t[at + 2]
        for q in range(3):
            p0, p1, p2, p3 = p[at - 1, q], p[at, q], p[at + 1, q], p[at + 2, q]
            a1 = ((t1 - x) * p0 + (x - t0) * p1) / (t1 - t0)
            a2 = ((t2 - x) * p1 + (x - t1) * p2) / (t2 - t1)
            a3 = ((t3 - x) * p2 + (x - t2) * p3) / (t3 - t2)
            b1 = ((t2 - x) * a1 + (x - t0) * a2) / (t2 - t0)
            b2 = ((t3 - x) * a2 + (x - t1) * a3) / (t3 - t1)
            out[i, q] = ((t2 - x) * b1 + (x - t1) * b2) / (t2 - t1)
    return out
