"""Imported glasses: the picture on a curved plate that sits on the nose, and temples made to its hinges."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from fdgen.analysis.geometry import grid_faces, lengths
from fdgen.arrays import F64
from fdgen.occluders.eyewear.fit import SIDES, behind_ear, bulge, face_depth
from fdgen.occluders.eyewear.frame_mesh import TEMPLE_RING, TEMPLE_RINGS, temple_mesh, turn_matrix
from fdgen.occluders.imported.spec import ImportedSpec
from fdgen.occluders.imported.texture import WHITE_ROWS, Cutout
from fdgen.render.mesh import Material, Mesh, join, part
from fdgen.render.scene import Scene

ROWS, COLUMNS = 15, 41
"""Vertices of the plate, down and across."""
_RIDGE = (8, 168, 6, 197, 195, 5, 4)
"""Down the ridge of the nose, from between the brows to its tip."""
_CORNER = np.array([[0.0, 0.0, 0.0], [0.03, 0.0, -0.40]])
"""How a temple turns the corner behind its hinge, in cm outwards, up and forward."""
_CLEARANCE_CM = 0.08
_MOST_PUSH_CM = 0.9
_ALWAYS_SHOWN = 4
"""Rings of a temple that no hair hides."""
_EYES_BELOW_CM = 0.1
"""The middle of a lens lies about this far under the pupil."""
_DOME_CM = 9.0
"""Radius of the dome that lenses are ground to: it decides where a lamp shines back."""
_MIRROR = 0.02
"""What lenses and frames reflect of their surroundings, seen straight on."""


def build_plate(scene: Scene, spec: ImportedSpec, picture: Cutout, fit: Mapping[str, Any]) -> Mesh:
    """Build the glasses of a placement, temples included, in head cm."""
    plate = _Plate(scene.mesh_cm, {name: np.array(point) for name, point in spec.anchors.items()}, fit)
    rows, columns = picture.shape
    y, x = np.linspace(0.0, rows - 1.0, ROWS), np.linspace(0.0, columns - 1.0, COLUMNS)
    texels = np.stack(np.broadcast_arrays(x[None], y[:, None]), -1).astype(np.float64)
    flat = plate.to_sheet(picture.to_picture(texels).reshape(-1, 2))
    points, normals = plate.to_head(flat)
    uv = picture.to_uv(texels).reshape(-1, 2)
    glass = Material(albedo=(1.0, 1.0, 1.0), specular=spec.specular, gloss=spec.gloss, mirror=_MIRROR)
    front = part(points, grid_faces(ROWS, COLUMNS), glass, normals=normals, uv_N2=uv)
    parts = [front]
    white = (0.5, WHITE_ROWS / 2 / picture.cutout_HW2.shape[0])
    for (side, vertex, _), name in zip(SIDES, ("left_hinge", "right_hinge"), strict=True):
        hinge, _ = plate.to_head(plate.to_sheet(np.array([spec.anchors[name]])), -0.5 * fit["thick_cm"])
        colour = picture.colour_near(spec.anchors[name])
        parts.append(_temple(scene, hinge[0], side, vertex, colour, spec, fit))
        parts[-1].uv_N2[:] = white
    return replace(join(parts, texture=picture.albedo_HWC), cutout_HW2=picture.cutout_HW2)


class _Plate:
    """Where the front sits: px of the picture to its flat sheet in cm, and that, bent, to the head."""

    def __init__(self, mesh_cm: F64, anchors: Mapping[str, F64], fit: Mapping[str, Any]) -> None:
        self._curve = float(fit["curve_cm"])
        across = anchors["right_hinge"] - anchors["left_hinge"]
        wide = float(mesh_cm[356, 0] - mesh_cm[127, 0])
        self._scale = fit["width"] * wide / float(np.hypot(*across))
        level = np.arctan2(across[1], across[0])  # a picture taken askew is put straight
        self._turn = np.array([[np.cos(level), np.sin(level)], [np.sin(level), -np.cos(level)]])
        self._middle = 0.5 * (anchors["left_lens"] + anchors["right_lens"])
        left, right = (mesh_cm[list(corners)].mean(0) for _, _, corners in SIDES)
        eyes = 0.5 * (left + right)
        roll = float(np.degrees(np.arctan2(right[1] - left[1], right[0] - left[0])))
        self._rotation = turn_matrix(-fit["tilt_deg"], 0.7 * roll + fit["roll_deg"], fit["yaw_deg"])
        nose = mesh_cm[list(_RIDGE)]
        self._origin = np.array(
            [
                0.5 * (eyes[0] + nose[1:3, 0].mean()) + fit["shift_cm"],
                eyes[1] - _EYES_BELOW_CM - fit["slip_cm"],
                0.0,
            ]
        )
        rest, _ = self.to_head(self.to_sheet(anchors["bridge"][None]), -float(fit["thick_cm"]))
        ridge = float(np.interp(rest[0, 1], nose[::-1, 1], nose[::-1, 2]))
        self._origin[2] = ridge + 0.12 + fit["stand_cm"] - rest[0, 2]
        rim = self._probe(anchors)
        placed, _ = self.to_head(self.to_sheet(rim), -float(fit["thick_cm"]))
        inside = face_depth(mesh_cm, placed[:, :2]) + _CLEARANCE_CM - placed[:, 2]
        self._origin[2] += float(np.clip(inside.max(), 0.0, _MOST_PUSH_CM))

    @staticmethod
    def _probe(anchors: Mapping[str, F64]) -> F64:
        """Return points of the picture about which brows and cheeks may touch the frame."""
        found = []
        for lens, hinge in (("left_lens", "left_hinge"), ("right_lens", "right_hinge")):
            half = 0.8 * abs(anchors[hinge][0] - anchors[lens][0])
            around = np.arange(8) * (np.pi / 4)
            found.append(anchors[lens] + half * np.column_stack([np.cos(around), 0.7 * np.sin(around)]))
        return np.concatenate(found)

    def to_sheet(self, points_px: F64) -> F64:
        """Turn px (N, 2) into cm on the flat front, y up, from between the lenses."""
        result: F64 = self._scale * ((points_px - self._middle) @ self._turn.T)
        return result

    def to_head(self, sheet: F64, depth: float = 0.0) -> tuple[F64, F64]:
        """Bend the sheet (N, 2) round the head: points (N, 3) in head cm and unit normals."""
        turn = np.clip(sheet[:, 0] / self._curve, -1.4, 1.4)
        cos, sin, zero = np.cos(turn), np.sin(turn), np.zeros_like(turn)
        out = np.column_stack([sin, zero, cos])
        points = np.column_stack([self._curve * sin, sheet[:, 1], self._curve * (cos - 1)]) + out * depth
        normals = out + np.column_stack([zero, sheet[:, 1] / _DOME_CM, zero])
        normals /= lengths(normals)
        return self._origin + points @ self._rotation.T, normals @ self._rotation.T


def _temple(
    scene: Scene, hinge: F64, side: int, vertex: int, colour: Any, spec: ImportedSpec, fit: Mapping[str, Any]
) -> Mesh:
    """Build a temple from a hinge to behind the ear's root."""
    mesh_cm = scene.mesh_cm
    half_height, half_thick = 0.5 * fit["temple_height_cm"], 0.5 * fit["thick_cm"]
    half_width = 0.5 * (mesh_cm[356, 0] - mesh_cm[127, 0])
    middle = 0.5 * (mesh_cm[356] + mesh_cm[127])
    ear = np.array(
        [
            middle[0] + side * (half_width + 0.12 + half_thick),
            0.5 * (mesh_cm[vertex, 1] + middle[1]) + 0.75 + fit["ear_up_cm"],
            middle[2] - 1.65,
        ]
    )
    outwards = np.array([side, 1.0, 1.0])
    corner = hinge + outwards * (_CORNER - (half_thick, 0.0, 0.0))
    ear[0] += side * bulge(mesh_cm, hinge, ear, side)
    end, bare = behind_ear(scene, ear, side)
    start = corner[-1]
    rest = [
        start + 0.35 * (ear - start) + outwards * np.array([0.08, 0.0, 0.0]),
        start + 0.7 * (ear - start),
        ear,
        end + outwards * np.array([0.0, -0.1, -0.45]),
    ]
    heights = [half_height, half_height, 0.85 * half_height, *[0.75 * half_height] * 3]
    surface = temple_mesh(np.concatenate([corner, rest]), heights, half_thick, side=side, slim=False)
    material = Material(albedo=colour, specular=spec.specular, gloss=spec.gloss)
    strand = (TEMPLE_RINGS, TEMPLE_RING, TEMPLE_RINGS if bare else _ALWAYS_SHOWN)
    return part(surface.vertices, surface.faces, material, normals=surface.normals, strand=strand)
