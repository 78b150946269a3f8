"""An imported GLB mesh: rigid, put on the face by its anchor points."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from fdgen.arrays import F64
from fdgen.assets import Asset
from fdgen.occluders.cloth.drape import head_map
from fdgen.occluders.eyewear.fit import SIDES, face_depth
from fdgen.occluders.eyewear.frame_mesh import turn_matrix
from fdgen.occluders.imported.cloth import anchor_directions, straps_between
from fdgen.occluders.imported.spec import ImportedSpec
from fdgen.render.glb import read_glb
from fdgen.render.mesh import Material, Mesh, join, part
from fdgen.render.scene import Scene

_WHITE = 2
"""Rows and columns of white at the texture's corner, for parts without a picture."""
_LENS_OUT_CM = 1.7
"""How far in front of the corners of the eye a lens is."""
_SIDES = ("left", "right")
_MOST_PUSH_CM = 2.0


def build_mesh(scene: Scene, spec: ImportedSpec, asset: Asset, fit: Mapping[str, Any]) -> Mesh:
    """Build the mesh of a placement in head cm."""
    model = read_glb(asset.files[spec.file], spec.file)
    source = np.array(list(spec.anchors.values()), np.float64)
    strands: list[Mesh] = []
    if spec.form == "card":
        scale = fit["width_cm"] / float(np.ptp(model.vertices[:, 0]))
        turn = turn_matrix(0.0, -fit["turn_deg"], 0.0)
        placed = np.asarray(fit["spot_cm"], np.float64) + scale * ((model.vertices - source[0]) @ turn.T)
        placed[:, 2] += _push(scene, placed, fit["gap"])
    else:
        target = _on_the_face(scene, spec, fit)
        scale, turn, shift = similarity(source, target)
        placed = shift + scale * (model.vertices @ turn.T)
        push = float(np.clip(_push(scene, placed, fit.get("gap", 0.08)), 0.0, _MOST_PUSH_CM))
        placed[:, 2] += push
        if spec.form == "drape":
            points = {
                name: shift + scale * (turn @ np.array(spec.anchors[name])) + (0, 0, push) for name in spec.anchors
            }
            run = np.linspace(0.0, 1.0, 9)[:, None]
            left, right = (points[f"{s}_top"] + run * (points[f"{s}_bottom"] - points[f"{s}_top"]) for s in _SIDES)
            strands = straps_between(scene, head_map(scene.mesh_cm), spec.straps, left, right, fit)
    white = 0.0
    texture, uv = np.ones((1, 1, 3), np.float32), np.zeros_like(model.uv_N2)
    if model.texture is not None:
        rows, columns = model.texture.shape[:2]
        texture = np.pad(model.texture, ((_WHITE, 0), (_WHITE, 0), (0, 0)), constant_values=1.0)
        inside = (model.uv_N2 * (columns - 1, rows - 1) + _WHITE + 0.5) / (columns + _WHITE, rows + _WHITE)
        white = 0.5 * _WHITE / (max(rows, columns) + _WHITE)
        uv = np.where(model.uv_N2 < 0, white, inside)
    material = Material(
        albedo=model.albedo_N3 * np.float32(spec.exposure),
        specular=spec.specular,
        gloss=spec.gloss,
        two_sided=True,
    )
    whole = part(placed, model.faces, material, normals=model.normals @ turn.T, uv_N2=uv)
    for strand in strands:
        strand.uv_N2[:] = white
    return join([whole, *strands], texture=texture)


def similarity(source: F64, target: F64) -> tuple[float, F64, F64]:
    """Return scale, rotation and shift that carry points (K, 3) to others best, by least squares (Umeyama, 1991)."""
    a, b = source - source.mean(0), target - target.mean(0)
    u, spread, vt = np.linalg.svd(np.einsum("ki,kj->ij", b, a))
    sign = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    turn = (u * sign) @ vt
    scale = float((spread * sign).sum() / max(float((a**2).sum()), 1e-12))
    return scale, turn, target.mean(0) - scale * (turn @ source.mean(0))


def _on_the_face(scene: Scene, spec: ImportedSpec, fit: Mapping[str, Any]) -> F64:
    """Return where each anchor belongs (K, 3), in head cm."""
    mesh = scene.mesh_cm
    if spec.form == "drape":
        head = head_map(mesh)
        aims = anchor_directions(head, mesh, fit)
        theta, phi = np.array([aims[name] for name in spec.anchors]).T
        return head.points(theta, phi, head.radius(theta, phi) + fit["gap"])
    left, right = (mesh[list(corners)].mean(0) for _, _, corners in SIDES)
    wide = fit["width"] * float(mesh[356, 0] - mesh[127, 0])
    out, down = np.array([0.0, 0.0, _LENS_OUT_CM]), np.array([0.0, -fit["slip_cm"], 0.0])
    middle = 0.5 * (left + right)
    bridge = np.array([0.5 * (middle[0] + mesh[168, 0]), middle[1] + 0.3, mesh[6, 2] + 0.3 + fit["stand_cm"]])
    hinge = np.array([0.5 * wide, 0.5, 0.2])
    points = {
        "bridge": bridge,
        "left_lens": left + out,
        "right_lens": right + out,
        "left_hinge": middle + hinge * (-1.0, 1.0, 1.0),
        "right_hinge": middle + hinge,
    }
    found: F64 = np.array([points[name] for name in spec.anchors]) + down
    return found


def _push(scene: Scene, placed: F64, gap: float) -> float:
    """Return how far forward a mesh must go so that none of it lies deeper than `gap` before the face, cm.

    A little of it may press in: noses are soft, and meshes have backs.
    """
    some = placed[:: max(1, len(placed) // 400)]
    ahead = some[some[:, 2] > float(np.median(some[:, 2])) - 1.0]
    ground = face_depth(scene.mesh_cm, ahead[:, :2])
    over = ground > -8.0
    if not over.any():
        return 0.0
    inside = ground[over] + gap - ahead[over, 2]
    return float(np.clip(np.percentile(inside, 98), -_MOST_PUSH_CM, _MOST_PUSH_CM))
