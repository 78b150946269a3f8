"""Imported pictures of any other form: a relief held before the face."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from fdgen.analysis.geometry import grid_faces
from fdgen.arrays import F64
from fdgen.occluders.imported.spec import ImportedSpec
from fdgen.occluders.imported.texture import Cutout
from fdgen.render.mesh import Material, Mesh, join, part
from fdgen.render.rasteriser import SUPERSAMPLE
from fdgen.render.scene import FAR, Scene

ROWS, COLUMNS = 49, 49
"""Vertices of the relief, down and across."""
SPOTS: Mapping[str, tuple[int, ...]] = {
    "mouth": (13, 14),
    "nose": (1, 4),
    "chin": (152, 200),
    "left_cheek": (205, 50),
    "right_cheek": (425, 280),
    "left_eye": (33, 133),
    "right_eye": (263, 362),
    "forehead": (151, 10),
    "top": (10,),
}
"""Vertices of the face about which a relief may be held."""
_MOST_SAG_CM = 3.0
"""A relief gives way no further than this to a face that recedes behind it."""
_ROUND_CM = 4.5
"""How far from its outline a thing is as thick as it gets, at most."""


def build_held(scene: Scene, spec: ImportedSpec, picture: Cutout, fit: Mapping[str, Any]) -> Mesh:
    """Build the relief of a placement in head cm."""
    rows, columns = picture.shape
    y, x = np.linspace(0.0, rows - 1.0, ROWS), np.linspace(0.0, columns - 1.0, COLUMNS)
    texels = np.stack(np.broadcast_arrays(x[None], y[:, None]), -1).astype(np.float64)
    present = picture.present(texels)
    scale = fit["width_cm"] / (columns * picture.px_a_texel[0])
    local = (picture.to_picture(texels) - spec.anchors["centre"]) * (scale, -scale)
    local[..., 0] *= fit["mirror"]
    angle = np.radians(fit["turn_deg"] + scene.pose.roll_deg)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    spot = scene.pose.to_screen(np.asarray(fit["spot_cm"], np.float64)[None])[0, :2]
    screen = spot + scene.pose.scale_px * (local @ turn.T) * (1.0, -1.0)
    depth_px = scene.pose.scale_px * _depth(scene, screen, present, columns * picture.px_a_texel[0] * scale, fit)
    points = scene.pose.to_head(np.column_stack([screen.reshape(-1, 2), depth_px.ravel()]))
    faces = grid_faces(ROWS, COLUMNS)
    if fit["mirror"] < 0:
        faces = np.ascontiguousarray(faces[:, ::-1])
    material = Material(albedo=(1.0, 1.0, 1.0), specular=spec.specular, gloss=spec.gloss, two_sided=True)
    relief = part(points, faces, material, uv_N2=picture.to_uv(texels).reshape(-1, 2))
    return replace(join([relief], texture=picture.albedo_HWC), cutout_HW2=picture.cutout_HW2)


def _depth(scene: Scene, screen: F64, present: npt.NDArray[np.float32], width_cm: float, fit: Mapping[str, Any]) -> F64:
    """Return the relief's depth (ROWS, COLUMNS) in cm: it touches the face where that comes forward most, gives way
    to it elsewhere as far as it bends, and bulges away from its outline.
    """
    at = (screen * SUPERSAMPLE).astype(np.float32)
    head = cv2.remap(
        scene.depth_HW,
        at[..., 0],
        at[..., 1],
        cv2.INTER_NEAREST,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=(float(FAR),),
    )
    behind = np.asarray(head, np.float64) / scene.pose.scale_px
    over = (behind > float(FAR) / scene.pose.scale_px / 2) & (present >= 0.5)
    solid = np.pad((present >= 0.5).astype(np.uint8), 1)
    cell_cm = width_cm / (COLUMNS - 1)
    inside = np.asarray(cv2.distanceTransform(solid, cv2.DIST_L2, 5), np.float64)[1:-1, 1:-1] * cell_cm
    reach = float(np.clip(inside.max(), 0.3, _ROUND_CM))
    share = np.clip(inside / reach, 0.0, 1.0)
    bulge = fit["thick_cm"] * min(1.0, reach / _ROUND_CM + 0.2) * np.sqrt(np.maximum(1 - (1 - share) ** 2, 0.0))
    bulge = np.asarray(cv2.GaussianBlur(bulge, (0, 0), 1.0, borderType=cv2.BORDER_REPLICATE), np.float64)
    if not over.any():
        return bulge + float(scene.mesh_cm[:, 2].max())
    front = float(np.percentile(behind[over], 97))
    ground = np.where(over, np.maximum(behind, front - _MOST_SAG_CM), front - _MOST_SAG_CM)
    weight = np.where(over, 1.0, 0.05)
    soft = cv2.GaussianBlur(ground * weight, (0, 0), 3.0, borderType=cv2.BORDER_REPLICATE)
    soft = soft / cv2.GaussianBlur(weight, (0, 0), 3.0, borderType=cv2.BORDER_REPLICATE)
    bent = np.maximum(front + fit["bend"] * (soft - front), np.where(over, ground, soft) - 0.25)
    bent = np.asarray(cv2.GaussianBlur(bent, (0, 0), 1.2, borderType=cv2.BORDER_REPLICATE), np.float64)
    depth: F64 = bent + fit["gap"] + bulge
    return depth
