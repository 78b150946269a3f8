"""An imported cloth over a face: its anchors are where a mask's are, and a membrane carries the rest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from fdgen.analysis.geometry import grid_faces
from fdgen.arrays import F64
from fdgen.occluders.cloth.drape import HeadMap, bake_relief, directions, head_map, shade_texture, stretch, tighten
from fdgen.occluders.imported.spec import ImportedSpec
from fdgen.occluders.imported.texture import WHITE_ROWS, Cutout
from fdgen.occluders.masks.pattern import Sheet
from fdgen.occluders.masks.straps import rows_for, straps
from fdgen.render.kernels import sh_irradiance
from fdgen.render.mesh import Material, Mesh, join, part
from fdgen.render.scene import Scene

ROWS, COLUMNS = 45, 61
"""Vertices of the cloth, down and across."""
_MIDDLE = (168, 6, 197, 195, 5, 4, 1, 2, 164, 0, 17, 18, 200, 199)
"""The middle of the face from between the eyes to the chin."""
_WIDEST = np.radians(112.0)
_HIGHEST, _LOWEST = np.radians(50.0), np.radians(-62.0)
"""What the head map holds."""
_KNEE = 0.5
"""Linear level above which highlights are held back, as for masks that we draw."""
_OVERHANG = 0.5
"""How strongly the warp runs on beyond the anchors: straight on would wrap a loop round the neck."""


def build_cloth(scene: Scene, spec: ImportedSpec, picture: Cutout, fit: Mapping[str, Any]) -> Mesh:
    """Build the cloth of a placement, with its straps, in head cm."""
    head = head_map(scene.mesh_cm)
    texels = _grid(picture)
    theta, phi = _warp(head, scene.mesh_cm, spec, picture.to_picture(texels), fit)
    points, clearance = _stretched(head, theta, phi, picture.present(texels), fit)
    points = _wrinkled(points, clearance, picture, fit)
    normals = _normals(points)
    texture = picture.albedo_HWC.copy()
    _relight(scene, points, normals, picture, fit, texture[WHITE_ROWS:])
    material = Material(albedo=(1.0, 1.0, 1.0), specular=spec.specular, gloss=spec.gloss, two_sided=True)
    uv = picture.to_uv(texels).reshape(-1, 2)
    cloth = part(points.reshape(-1, 3), grid_faces(ROWS, COLUMNS), material, normals=normals, uv_N2=uv)
    parts = [cloth, *_straps(scene, head, spec, picture, texels, points, fit)]
    return replace(join(parts, texture=texture), cutout_HW2=picture.cutout_HW2)


def _grid(picture: Cutout) -> F64:
    """Return the texel positions (ROWS, COLUMNS, 2) of the vertices: evenly over the picture."""
    rows, columns = picture.shape
    y, x = np.linspace(0.0, rows - 1.0, ROWS), np.linspace(0.0, columns - 1.0, COLUMNS)
    grid: F64 = np.stack(np.broadcast_arrays(x[None], y[:, None]), -1).astype(np.float64)
    return grid


def anchor_directions(head: HeadMap, mesh: F64, fit: Mapping[str, Any]) -> dict[str, tuple[float, float]]:
    """Return theta and phi at which each anchor lies on this face."""
    chin, ear = mesh[152, 1], 0.5 * (mesh[234, 1] + mesh[454, 1])
    place = float(np.clip(fit["top"], 0.0, len(_MIDDLE) - 1.001))
    k = int(place)
    bridge = mesh[_MIDDLE[k]] + (place - k) * (mesh[_MIDDLE[k + 1]] - mesh[_MIDDLE[k]])
    theta, phi = head.aim(np.stack([bridge, mesh[152]]))
    side = np.radians(fit["side_deg"])
    found = {"nose": (float(theta[0]), float(phi[0]))}
    for name, sign, share in (
        ("left_top", -1.0, fit["corner_top"]),
        ("right_top", 1.0, fit["corner_top"]),
        ("left_bottom", -1.0, fit["corner_bottom"]),
        ("right_bottom", 1.0, fit["corner_bottom"]),
    ):
        at = np.array([sign * side])
        height = float(chin + share * (ear - chin))
        found[name] = (float(at[0]), float(head.phi_at(at, np.array([height]))[0]))
    jaw = float(np.interp(theta[1], head.jaw[:, 0], head.jaw[:, 1]))
    found["chin"] = (float(theta[1]), jaw - float(np.radians(fit["wrap_deg"])))
    return found


def _warp(head: HeadMap, mesh: F64, spec: ImportedSpec, points_px: F64, fit: Mapping[str, Any]) -> tuple[F64, F64]:
    """Return theta and phi (ROWS, COLUMNS) of the vertices: a thin-plate spline through the anchors.

    A cloth photographed on a head is foreshortened towards its sides: there the sine of theta, not theta itself, grows
    evenly across the picture.
    """
    names = list(spec.anchors)
    targets = anchor_directions(head, mesh, fit)
    source = np.array([spec.anchors[name] for name in names], np.float64)
    aims = np.array([targets[name] for name in names], np.float64)
    worn = spec.view == "worn"
    if worn:
        aims[:, 0] = np.sin(aims[:, 0])
    centre, reach = source.mean(0), float(np.abs(source - source.mean(0)).max())
    placed = thin_plate((source - centre) / reach, aims, (points_px.reshape(-1, 2) - centre) / reach)
    theta, phi = placed.T.reshape(2, *points_px.shape[:2])
    if worn:
        theta = np.arcsin(np.clip(theta, -0.92, 0.92)) + np.sign(theta) * np.maximum(np.abs(theta) - 0.92, 0.0)
    tilt = np.radians(fit["tilt_deg"])
    theta, phi = theta + np.radians(fit["shift_deg"]) + tilt * 0.3 * (phi - phi.mean()), phi + tilt * theta
    return np.clip(theta, -_WIDEST, _WIDEST), np.clip(phi, _LOWEST, _HIGHEST)


def thin_plate(source: F64, target: F64, at: F64) -> F64:
    """Carry points `at` (N, 2) by the thin-plate spline that takes `source` (K, 2) to `target` (K, 2)."""

    def bump(a: F64, b: F64) -> F64:
        squared = ((a[:, None] - b[None]) ** 2).sum(-1)
        result: F64 = 0.5 * squared * np.log(np.maximum(squared, 1e-12))
        return result

    k = len(source)
    affine = np.column_stack([np.ones(k), source])
    system = np.zeros((k + 3, k + 3))
    system[:k, :k] = bump(source, source) + 0.02 * np.eye(k)  # a little slack: anchors are set by hand
    system[:k, k:], system[k:, :k] = affine, affine.T
    weights = np.linalg.solve(system, np.concatenate([target, np.zeros((3, 2))]))
    basis = np.column_stack([bump(at, source), np.ones(len(at)), at])
    result: F64 = np.einsum("nk,kd->nd", basis, weights)
    return result


def _stretched(
    head: HeadMap, theta: F64, phi: F64, present: npt.NDArray[np.float32], fit: Mapping[str, Any]
) -> tuple[F64, F64]:
    """Return the cloth's points (ROWS, COLUMNS, 3) and the air between it and the skin (ROWS, COLUMNS), in cm."""
    towards = directions(theta, phi)
    skin = head.radius(theta, phi) + fit["gap"]
    radius = stretch(skin, towards, pressure=0.0, hold_edges=False)
    radius += fit["taut"] * (tighten(radius, phi) - radius)
    level = np.cos(phi)
    radius += fit["tent"] * (tighten((radius * level).T, -theta.T).T / level - radius)
    solid = (present >= 0.5).astype(np.uint8)
    inside = np.asarray(cv2.distanceTransform(np.pad(solid, 1), cv2.DIST_L2, 5), np.float64)[1:-1, 1:-1]
    deep = inside / max(float(inside.max()), 1.0)
    radius += fit["beak_cm"] * np.sin(0.5 * np.pi * np.clip(1.6 * deep, 0.0, 1.0))
    wide = fit["stiff"] * COLUMNS / ROWS
    bent = cv2.GaussianBlur(radius, (0, 0), sigmaX=wide, sigmaY=fit["stiff"], borderType=cv2.BORDER_REPLICATE)
    radius = np.maximum(np.asarray(bent, np.float64), skin)
    rim = fit["hug"] * np.exp(-((inside / 2.2) ** 2))
    radius += rim * (skin - radius)
    return head.points(theta, phi, radius), radius - skin


def _wrinkled(points: F64, clearance: F64, picture: Cutout, fit: Mapping[str, Any]) -> F64:
    """Raise the broader folds of the picture from the cloth, as far as there is room above the skin."""
    coarse = cv2.resize(cv2.blur(picture.folds_HW, (3, 3)), (COLUMNS, ROWS), interpolation=cv2.INTER_AREA)
    height = np.maximum(fit["folds_cm"] * coarse.astype(np.float64), -0.8 * np.maximum(clearance, 0.0))
    raised: F64 = points + _normals(points).reshape(points.shape) * height[..., None]
    return raised


def _normals(points: F64) -> F64:
    """Return unit normals (ROWS · COLUMNS, 3) of a grid of points: across its central differences."""
    padded = np.pad(points, ((1, 1), (1, 1), (0, 0)), "reflect", reflect_type="odd")
    right, up = padded[1:-1, 2:] - padded[1:-1, :-2], padded[:-2, 1:-1] - padded[2:, 1:-1]
    normals = np.cross(right, up).reshape(-1, 3)
    normals /= np.sqrt(np.einsum("ij,ij->i", normals, normals))[:, None] + 1e-12
    return normals


def _relight(
    scene: Scene,
    points: F64,
    normals: F64,
    picture: Cutout,
    fit: Mapping[str, Any],
    texture: npt.NDArray[np.float32],
) -> None:
    """Light the fine folds of the picture by this face's lamp, in its texture (h, w, 3), in place."""
    light = scene.light
    view = scene.pose.to_view(points.reshape(-1, 3)).astype(np.float32)
    lit = sh_irradiance(scene.pose.to_view(normals).astype(np.float32), light.harmonics, light.floor)
    lamp = np.append(light.direction, np.clip(light.directional, 0.35, 0.9)).astype(np.float32)
    height = np.ascontiguousarray(picture.folds_HW * np.float32(fit["folds_cm"]))
    ratio, smooth_lit = bake_relief(view.reshape(ROWS, COLUMNS, 3), lit.reshape(ROWS, COLUMNS), height, lamp, 0.45)
    ratio = np.asarray(cv2.GaussianBlur(ratio, (3, 3), 0.7), np.float32)
    shade_texture(texture, ratio, np.ones_like(ratio), smooth_lit, 0.2, _KNEE)


def _straps(
    scene: Scene,
    head: HeadMap,
    spec: ImportedSpec,
    picture: Cutout,
    texels: F64,
    points: F64,
    fit: Mapping[str, Any],
) -> list[Mesh]:
    """Make straps from the corner anchors, on the white rows."""
    if spec.straps == "none":
        return []
    sides = []
    for upper, lower in (("left_top", "left_bottom"), ("right_top", "right_bottom")):
        run = np.linspace(0.0, 1.0, ROWS)[:, None]
        first, last = np.array(spec.anchors[upper]), np.array(spec.anchors[lower])
        middle = np.mean([spec.anchors[name] for name in ("nose", "chin")], axis=0)
        line = first + run * (last - first)
        line += 0.03 * (middle - line)  # just inside the cloth
        at = (line - picture.origin_px) / picture.px_a_texel - 0.5
        sides.append(_points_at(points, texels, at))
    made = straps_between(scene, head, spec.straps, sides[0], sides[1], fit)
    rows = picture.cutout_HW2.shape[0]
    for mesh in made:
        mesh.uv_N2[:] = (0.5, WHITE_ROWS / 2 / rows)
    return made


def straps_between(scene: Scene, head: HeadMap, kind: str, left: F64, right: F64, fit: Mapping[str, Any]) -> list[Mesh]:
    """Make straps that start along the edges of a mask, in head cm, from the top.

    Args:
        scene: The face.
        head: Radii of the head by direction.
        kind: Kind of straps: ears, head, ties or none.
        left: Left edge of the mask, (N, 3) in head cm.
        right: Right edge, (N, 3) in head cm.
        fit: How the mask is worn, as it was drawn.
    """
    pair = np.stack([left, left, right, right], 1)
    empty = np.zeros((len(left), 4))
    worn = Sheet(pair, empty, empty, empty, empty, np.zeros(4), empty)
    return straps(scene, head, worn, kind, {**fit, "strap_rows": rows_for(kind)})


def _points_at(points: F64, texels: F64, at: F64) -> F64:
    """Look up head points (N, 3) at texel positions (N, 2)."""
    last = texels[-1, -1]
    x = (at[:, 0] / last[0] * (COLUMNS - 1)).astype(np.float32)[None]
    y = (at[:, 1] / last[1] * (ROWS - 1)).astype(np.float32)[None]
    found = cv2.remap(points.astype(np.float32), x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    points_at: F64 = np.asarray(found, np.float64)[0]
    return points_at
