"""The fit of eyewear on a face: size, height and depth of the front, and the direction of its temples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from fdgen.analysis.geometry import canonical_face
from fdgen.arrays import F64
from fdgen.occluders.eyewear.frame_mesh import Front, turn_matrix
from fdgen.occluders.eyewear.spec import FrameSpec
from fdgen.render.scene import Scene

_RIDGE = (10, 151, 9, 8, 168, 6, 197, 195, 5, 4)
"""Down the middle of the face, from the hairline between the brows and along the ridge of the nose to its tip."""
_NASION = 3
"""Where on that line the nose begins."""
_BRIDGE = (168, 6)
"""Where the bridge of a pair of glasses is."""
SIDES = ((-1, 127, (33, 133)), (1, 356, (263, 362)))
"""Viewer's left and right: the side, the vertex at the temple, the corners of the eye."""

_CLEARANCE_CM = 0.08
_MOST_PUSH_CM = 0.7
_RAISED_CM, _MOST_RAISED_PUSH_CM = 2.0, 4.0
"""Glasses that sit so much higher than the eyes lie on the forehead by their rims, not on the nose by their bridge."""
_MOST_SWING_CM = 0.6
_MOST_UNEVEN = 0.1
"""More than this by which the halves of a face differ from their mean is an error of the landmarks."""
_FAR_SIDE, _MOST_BEYOND_CM = 0.17, 0.6
"""Sine of the angle by which a side of the head is turned away from which it is the far one, and how far outside
its hinge a temple is seen there."""
_BEHIND_CM = np.array([(1.1, 1.9) * 3, (-1.3, -1.3, -0.5, -0.5, 0.3, 0.3)])
"""How far behind and above the tragus it is looked for skin."""
_FARTHER = np.linspace(0.0, 1.0, 6)[:, None]
"""Shares of the way past the ear's root at which a temple may slip behind it."""
_EAR_LIKENESS = 0.34
"""Tells bare ears from covered ones in 17 of 20 portraits judged by eye."""


@dataclass(frozen=True, slots=True)
class Fit:
    """Where a front sits: head = origin + scale · rotation · front.

    `widths` are factors on the front's left and right half. A camera that is near shows the far half of a turned head
    smaller; the head's pose, which knows no perspective, cannot.
    """

    origin: F64
    scale: float
    rotation: F64
    widths: tuple[float, float] = (1.0, 1.0)

    def to_head(self, points: F64) -> F64:
        """Put front points (N, 3) on the face, in head cm."""
        front = points.copy()
        front[:, 0] *= np.where(front[:, 0] < 0.0, *self.widths)
        result: F64 = front @ self.rotation.T
        result *= self.scale
        result += self.origin
        return result


def eyes_of(mesh_cm: F64) -> tuple[F64, float, float]:
    """Return the point between the eyes of a face (468, 3), its size against the canonical one, by eyes and temples,
    and the slope of the line through its eyes in degrees.
    """
    left, right = (mesh_cm[list(corners)].mean(0) for _, _, corners in SIDES)
    model = canonical_face().vertices_cm
    model_left, model_right = (model[list(corners)].mean(0) for _, _, corners in SIDES)
    between = (right[0] - left[0]) / (model_right[0] - model_left[0])
    wide = (mesh_cm[356, 0] - mesh_cm[127, 0]) / (model[356, 0] - model[127, 0])
    level = float(np.degrees(np.arctan2(right[1] - left[1], right[0] - left[0])))
    return 0.5 * (left + right), float(0.5 * between + 0.5 * wide), level


def fit_front(mesh_cm: F64, front: Front, spec: FrameSpec, wear: Mapping[str, float]) -> Fit:
    """Fit a front to a face (468, 3) in head cm: as wide as the head asks, pupils where they belong, on the nose.

    It rests on the ridge of the nose, or on the forehead that it was pushed up to, and comes forward where rims or
    lenses would cut into brows or cheeks.
    """
    shape = front.shape
    eyes, size, level = eyes_of(mesh_cm)
    scale = shape["fit"] * size
    rotation = turn_matrix(shape["tilt_deg"] + wear["tilt_deg"], 0.7 * level + wear["roll_deg"], wear["yaw_deg"])

    pupil_y = shape["lens_height_cm"] * (0.5 - shape["pupil_height"])
    bridge_y, clear = _bridge_rest(front, spec)
    anchors, _, _ = front.bend(np.array([[0.0, pupil_y], [0.0, bridge_y]]), np.array([0.0, -shape["rim_depth_cm"]]))
    pupil, rest = scale * (anchors @ rotation.T)
    raised = wear["slip_cm"] < -_RAISED_CM
    nose = mesh_cm[list(_RIDGE if raised else _RIDGE[_NASION:])]
    middle = 0.5 * (eyes[0] + mesh_cm[list(_BRIDGE), 0].mean())
    origin = np.array([middle + wear["shift_cm"], eyes[1] - pupil[1] - wear["slip_cm"], 0.0])
    origin[2] = np.interp(origin[1] + rest[1], nose[::-1, 1], nose[::-1, 2]) + clear + wear["stand_cm"] - rest[2]

    rim, lens = front.outer[::6], 0.5 * (front.lens[::12] + np.array([front.centre_x, 0.0]))
    probe = np.concatenate([rim, lens])
    depth = np.repeat([-0.3 * shape["rim_depth_cm"], -0.1], (len(rim), len(lens)))
    both = np.concatenate([probe, probe * (-1.0, 1.0)])
    points, _, _ = front.bend(both, np.tile(depth, 2))
    widths = _halves(mesh_cm)
    placed = Fit(origin, scale, rotation, widths).to_head(points)
    inside = face_depth(mesh_cm, placed[:, :2]) + _CLEARANCE_CM - placed[:, 2]
    origin[2] += float(np.clip(inside.max(), 0.0, _MOST_RAISED_PUSH_CM if raised else _MOST_PUSH_CM))
    return Fit(origin, scale, rotation, widths)


def _halves(mesh_cm: F64) -> tuple[float, float]:
    """Return how wide the left and right half of a face are, by its eyes, over their mean."""
    bridge = mesh_cm[list(_BRIDGE), 0].mean()
    left, right = (abs(float(mesh_cm[list(corners), 0].mean() - bridge)) for _, _, corners in SIDES)
    uneven = float(np.clip((right - left) / (right + left), -_MOST_UNEVEN, _MOST_UNEVEN))
    return 1.0 - uneven, 1.0 + uneven


def _bridge_rest(front: Front, spec: FrameSpec) -> tuple[float, float]:
    """Return where on the sheet's middle line the bridge rests, and how far before the nose it stands there."""
    shape = front.shape
    if spec.bridge in ("keyhole", "saddle"):
        top = front.bridge_top()[1]
        return float(top + shape["bridge_sag"] - shape["bridge_height_cm"]), 0.1
    if spec.bridge == "none":
        return float(front.lens[front.index_at(200.0)][1]), 0.1
    return float(front.lens[front.index_at(160.0)][1]), 0.22  # on pads: the bridge itself stands clear


def face_depth(mesh_cm: F64, points: F64) -> F64:
    """Interpolate the depth of the face's front at head x and y (N, 2) from near vertices; far back beside it."""
    facing = mesh_cm[mesh_cm[:, 2] > 0.0]
    squared = (points[:, :1] - facing[:, 0]) ** 2 + (points[:, 1:] - facing[:, 1]) ** 2
    weight = (squared + 0.03) ** -2
    depth = weight @ facing[:, 2] / weight.sum(1)
    result: F64 = np.where(squared.min(1) < 0.6, depth, -9.0)
    return result


def behind_ear(scene: Scene, ear: F64, side: int) -> tuple[F64, bool]:
    """Return where the temple slips behind the ear, and whether the ear is bare.

    Before a bare ear hair is short, and the temple runs over it until there is skin again; under long hair it hides.
    """
    mesh_cm = scene.mesh_cm
    half_width = 0.5 * (mesh_cm[356, 0] - mesh_cm[127, 0])
    tragus = mesh_cm[454 if side > 0 else 234]
    back, up = _BEHIND_CM
    n = len(back)
    points = np.empty((n + len(_FARTHER), 3))
    points[:n, 0] = 0.5 * (mesh_cm[356, 0] + mesh_cm[127, 0]) + side * (half_width + 0.1 + 0.3 * back)
    points[:n, 1], points[:n, 2] = tragus[1] + up, tragus[2] - back
    points[n:] = ear + _FARTHER * (0.25 * side, -0.3, -1.5)
    likeness = scene.skin_likeness(scene.pose.to_screen(points)[:, :2].astype(np.float32))
    ordered = np.sort(likeness[:n])
    bare = 0.5 * float(ordered[n // 2 - 1] + ordered[n // 2]) > _EAR_LIKENESS
    skin = np.flatnonzero(likeness[n:] > _EAR_LIKENESS)
    return points[n + (skin[0] if bare and len(skin) else 2)], bare


def seen_of(scene: Scene, path_cm: F64, side: int) -> F64:
    """Return how much of a temple is seen at points (N, 3) from its hinge on, 0 to 1.

    On the far side of a turned head it runs behind the face: no more of it is seen than sticks out past the hinge.
    """
    turned_away = -float(scene.pose.rotation[2, 0]) * side
    if turned_away < _FAR_SIDE:
        return np.ones(len(path_cm))
    screen = scene.pose.to_screen(path_cm)[:, 0]
    beyond = np.maximum.accumulate(side * (screen - screen[0]) / scene.pose.scale_px)
    seen: F64 = np.clip((_MOST_BEYOND_CM - beyond) / (0.5 * _MOST_BEYOND_CM), 0.0, 1.0)
    return seen


def bulge(mesh_cm: F64, hinge: F64, ear: F64, side: int) -> float:
    """Return how far the temple must swing out to clear the side of the head on its straight way to the ear."""
    along = (mesh_cm[:, 2] - hinge[2]) / (ear[2] - hinge[2])
    line = hinge + np.clip(along, 0.0, 1.0)[:, None] * (ear - hinge)
    beside = (along > 0.25) & (along < 1.0) & (np.abs(mesh_cm[:, 1] - line[:, 1]) < 0.8)
    if not beside.any():
        return 0.0
    excess = (side * (mesh_cm[:, 0] - line[:, 0]) + _CLEARANCE_CM)[beside] / along[beside]
    return float(np.clip(excess.max(), 0.0, _MOST_SWING_CM))
