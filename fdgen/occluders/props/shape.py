"""Random shapes, textured at random: no real thing, so that a model learns what faces are and not what hides them.

After RandOcc (Voo, Jiang and Loy, 2022): blobs, polygons and strips; some are lit as real things are, some flat.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import cv2
import numpy as np
import numpy.typing as npt

from fdgen.analysis.geometry import grid_faces, lengths, rotation_matrix
from fdgen.arrays import F32, F64
from fdgen.assets import Asset
from fdgen.occluders.asset_table import AssetTable
from fdgen.occluders.base import Placement
from fdgen.occluders.cloth.fabric import any_colour, dress, paint
from fdgen.occluders.cloth.patterns import PATTERNS
from fdgen.occluders.props.spec import happens, pick
from fdgen.render.draw import Layer, Style, draw
from fdgen.render.mesh import Material, Mesh, part, spline
from fdgen.render.scene import Scene
from fdgen.settings.values import Range, Share, Weights, known, one_of


class ShapeSpec(AssetTable):
    """What an asset of this kind says: words, ranges with their defaults, tables of weights, chances."""

    form: Annotated[str, one_of(("blob", "polygon", "strip"))]
    across_cm: Range = (5.0, 13.0)
    slender: Range = (0.5, 1.0)  # the smaller side as a share of the larger
    corners: Range = (3.0, 8.0)  # of a polygon; waves of a blob; bends of a strip
    rough: Range = (0.05, 0.35)  # how far the outline strays, in radii
    dome: Range = (0.0, 0.35)  # how far its middle is in front of its rim, in radii
    tilt_deg: Range = (-28.0, 28.0)
    surfaces: Weights[Annotated[str, known(("cloth", "cloud", "marble", "photo"))]]
    lit: Share = 0.6
    translucent: Share = 0.12


_MIDDLES = (4, 13, 159, 386, 50, 280, 151, 152, 6)
"""Landmarks about which shapes lie: nose, mouth, eyes, cheeks, brow, chin."""
_TEXTURE_PX = 192
_RINGS, _AROUND = 10, 72
_CLEAR_CM = 0.6


@dataclass(frozen=True, slots=True)
class Shape:
    """The occluder of kind `shape`; its assets are families of outlines."""

    kind: str = "shape"

    def place(self, scene: Scene, asset: Asset, rng: np.random.Generator) -> Placement:
        """Draw an outline, where it lies, and what covers it."""
        spec = ShapeSpec.of(asset)
        size = spec.draw(rng)
        lit = happens(spec.lit, rng)
        values: dict[str, Any] = {
            "size": size,
            "outline_seed": int(rng.integers(2**31)),
            "middle": int(rng.choice(_MIDDLES)),
            "offset_cm": [round(float(v), 5) for v in rng.normal(0.0, 2.0, 2)],
            "away_cm": round(float(rng.uniform(0.0, 4.0)), 5),
            "spin_deg": round(float(rng.uniform(-180, 180)), 4),
            "yaw_deg": round(float(rng.uniform(*spec.tilt_deg)), 4),
            "lit": lit,
            "opacity": round(float(rng.uniform(0.55, 0.9)), 4) if happens(spec.translucent, rng) else 1.0,
            "surface": pick(spec.surfaces, rng),
            "surface_seed": int(rng.integers(2**31)),
            "shades": [[round(float(c), 5) for c in any_colour(rng)] for _ in range(2)],
            "shine": round(float(rng.uniform(0.0, 0.3)), 5) if lit else 0.0,
            **dress(rng, "cloth", dict.fromkeys(sorted(PATTERNS), 1.0)),
        }
        values["moist"] = 0.0
        return Placement(self.kind, asset.id, int(rng.integers(2**31)), values)

    def render(self, scene: Scene, placement: Placement, asset: Asset) -> Layer:
        """Draw the shape over the scene. Pure."""
        values = placement.values
        mesh = build(scene, values, ShapeSpec.of(asset).form)
        return draw(scene, mesh, Style(depth_test=False, shadow=1.0 if values["lit"] else 0.0))


def build(scene: Scene, values: Mapping[str, Any], form: str) -> Mesh:
    """Build the shape in head cm: a sheet before the face, its texture on it."""
    size = values["size"]
    rng = np.random.default_rng(values["outline_seed"])
    flat, uv, faces = _strip(size, rng) if form == "strip" else _disc(_outline(form, size, rng))
    radius = 0.5 * size["across_cm"]
    height = size["dome"] * radius * np.clip(1 - (flat**2).sum(1) / radius**2, 0, 1)
    turn = rotation_matrix((0.0, 0.0, np.radians(values["spin_deg"])))
    lean = rotation_matrix((np.radians(size["tilt_deg"]), 0.0, 0.0)) @ rotation_matrix(
        (0.0, np.radians(values["yaw_deg"]), 0.0)
    )
    points = np.column_stack([flat, height]) @ turn.T
    rise = 2 * size["dome"] / radius
    normals = np.column_stack([rise * flat, np.ones(len(flat))]) @ turn.T
    normals /= lengths(normals)
    # Its frame is the viewer's: it faces the camera for any pose of the head.
    to_head = scene.pose.rotation.T @ lean
    points, normals = points @ to_head.T, normals @ to_head.T
    middle = scene.mesh_cm[values["middle"]] + scene.pose.rotation.T @ np.array([*values["offset_cm"], 0.0])
    forward = scene.pose.rotation[2]
    points += middle
    near = scene.mesh_cm[np.abs(scene.mesh_cm - middle).max(1) < 0.7 * radius]
    touching = float((near @ forward).max() - (points @ forward).min()) if len(near) else 0.0
    points += forward * (max(touching, 0.0) + _CLEAR_CM + values["away_cm"])
    if not values["lit"]:
        normals[:] = forward
    look = Material((1.0, 1.0, 1.0), opacity=values["opacity"], specular=values["shine"], gloss=18.0, two_sided=True)
    mesh = part(points, faces, look, normals=normals, uv_N2=uv)
    texture = _texture(scene, values)
    return Mesh(
        **{name: getattr(mesh, name) for name in mesh.__slots__ if name != "texture"},
        texture=np.ascontiguousarray(texture),
    )


def _outline(form: str, size: Mapping[str, float], rng: np.random.Generator) -> F64:
    """Return the outline (_AROUND, 2) of a blob or polygon about the origin, in cm: any ray meets it once."""
    radius, count = 0.5 * size["across_cm"], round(size["corners"])
    angle = np.arange(_AROUND) * (2 * np.pi / _AROUND)
    if form == "polygon":
        turns = (np.arange(count) + rng.uniform(-0.3, 0.3, count)) * (2 * np.pi / count)
        reach = 1 + rng.uniform(-2.0, 0.6, count) * size["rough"]
        corners = np.column_stack([np.cos(turns), np.sin(turns)]) * np.clip(reach, 0.35, 1.3)[:, None]
        far = np.full(_AROUND, np.inf)
        for a, b in zip(corners, np.roll(corners, -1, 0), strict=True):
            edge = b - a
            cross = np.cos(angle) * edge[1] - np.sin(angle) * edge[0]
            share = (np.cos(angle) * a[1] - np.sin(angle) * a[0]) / np.where(np.abs(cross) < 1e-9, 1e-9, -cross)
            reached = np.cos(angle) * (a[0] + share * edge[0]) + np.sin(angle) * (a[1] + share * edge[1])
            far = np.where((share >= 0) & (share <= 1) & (reached > 0), np.minimum(far, reached), far)
        length = np.where(np.isfinite(far), far, 0.5)
    else:
        length = np.ones(_AROUND)
        for k in range(1, count + 1):
            length += size["rough"] * rng.normal(0, 1 / np.sqrt(k)) * np.cos(k * angle + rng.uniform(0, 2 * np.pi))
        length = np.clip(length, 0.3, 1.6)
    ray = np.column_stack([np.cos(angle), size["slender"] * np.sin(angle)])
    outline: F64 = ray * (radius * length)[:, None]
    return outline


def _disc(outline: F64) -> tuple[F64, F32, npt.NDArray[np.int32]]:
    """Fill an outline with rings: points, texture coordinates, triangles."""
    shares = np.linspace(0.001, 1.0, _RINGS)
    points = (shares[:, None, None] * outline[None]).reshape(-1, 2)
    return points, _plane_uv(points), grid_faces(_RINGS, _AROUND, wrap=True)


def _strip(size: Mapping[str, float], rng: np.random.Generator) -> tuple[F64, F32, npt.NDArray[np.int32]]:
    """Build a bent band, longer than a face is wide."""
    count = max(3, round(size["corners"]))
    along = np.linspace(-1.0, 1.0, count) * 1.4 * size["across_cm"]
    stray = rng.normal(0.0, 1.0, count) * size["rough"] * size["across_cm"]
    path = spline(np.column_stack([along, stray, np.zeros(count)]), 60)[:, :2]
    ahead = np.gradient(path, axis=0)
    ahead /= lengths(ahead) + 1e-9
    side = np.column_stack([-ahead[:, 1], ahead[:, 0]])
    half = 0.22 * size["slender"] * size["across_cm"] * (1 + 0.3 * np.sin(np.linspace(0, 9, 60) * rng.random()))
    rows = [path + side * (half * s)[:, None] for s in np.linspace(-1, 1, 5)]
    points = np.array(rows).reshape(-1, 2)
    return points, _plane_uv(points), grid_faces(5, 60)


def _plane_uv(points: F64) -> F32:
    """Map a texture of 30 cm onto the plane, its middle at the origin."""
    return np.asarray(np.clip(points / 30.0 + 0.5, 0.0, 1.0), np.float32)


def _texture(scene: Scene, values: Mapping[str, Any]) -> F32:
    """Paint what covers a shape (h, w, 3), linear."""
    rng = np.random.default_rng(values["surface_seed"])
    n, kind = _TEXTURE_PX, values["surface"]
    if kind == "cloth":
        line = np.linspace(0, 30, n, dtype=np.float32)
        across, down = (np.ascontiguousarray(a) for a in np.meshgrid(line - 15, line - 8))
        return paint(across, down, values)
    if kind == "photo":  # a piece of the photograph itself: the colours fit, the content does not
        half = scene.size_px // 2
        row, column = rng.integers(0, half, 2)
        piece = scene.linear_HWC[row : row + half, column : column + half]
        piece = np.rot90(piece, int(rng.integers(4)))
        enlarged = cv2.resize(np.ascontiguousarray(piece), (n, n), interpolation=cv2.INTER_LINEAR)
        return np.asarray(enlarged / max(scene.light.mean_irradiance, 0.05), np.float32)
    field = np.zeros((n, n), np.float32)
    for octave in range(5):
        cells = 3 * 2**octave
        noise = rng.standard_normal((cells, cells)).astype(np.float32)
        field += cv2.resize(noise, (n, n), interpolation=cv2.INTER_CUBIC) * np.float32(0.55**octave)
    if kind == "marble":
        field = np.sin(3.0 * field + np.linspace(0, 12 * rng.random(), n, dtype=np.float32)[None])
    share = 1 / (1 + np.exp(-2.5 * field))[..., None]
    first, second = (np.array(shade, np.float32) ** 2.2 for shade in values["shades"])
    return np.asarray(first + (second - first) * share, np.float32)
