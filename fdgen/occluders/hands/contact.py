"""Contact of a hand with a face: the surface that can be touched, and signed distances to it.

`hand.py` places the hand.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fdgen.analysis.geometry import canonical_face, lengths, vertex_normals
from fdgen.arrays import F64
from fdgen.occluders.hands.joint_turns import carried, digit_turn, product
from fdgen.occluders.hands.skeleton import DIGITS, HandModel, digit_joints
from fdgen.render.scene import skull
from fdgen.runtime.jit import compiled

_JAW = (234, 93, 132, 58, 172, 136, 150, 149, 176, 148, 152, 377, 400, 378, 379, 365, 397, 288, 361, 323, 454)
"""The face's lower rim from ear to ear, whence the surface turns under the chin."""

_BLEND_CM = 0.45
"""Within this distance beyond the nearest, points of the surface share in the distance."""

_STEPS = 7
"""Bisections of an angle: 60 degrees to half a degree, 0.7 mm at a fingertip."""


_FINGER_PLAN = np.array([[0.0, 28.0, 40.0], [1.0, 22.0, 50.0], [2.0, 12.0, 40.0]])
_THUMB_PLAN = np.array([[1.0, 20.0, 35.0], [2.0, 20.0, 30.0], [3.0, 15.0, 30.0]])
"""Columns of a digit's angles, from the knuckle out, and how far each may open and close from where the pose has it."""


@dataclass(frozen=True, slots=True)
class Surface:
    """What can be touched of a head: points (3, P) in head cm with outward normals (3, P).

    A row a coordinate: distances to several points are computed at once.
    """

    points_cm: F64
    normals: F64

    @classmethod
    def of(cls, points_cm: F64, normals: F64) -> Surface:
        """Return the surface of points (P, 3) with their normals (P, 3)."""
        return cls(np.ascontiguousarray(points_cm.T), np.ascontiguousarray(normals.T))

    def distance(self, points_cm: F64) -> F64:
        """Return the signed distances (N,) in cm of points (N, 3): negative inside the head."""
        result: F64 = _distance(np.ascontiguousarray(points_cm), self.points_cm, self.normals)
        return result

    def near(self, points_cm: F64, reach_cm: float) -> Surface:
        """Return the part of it within `reach_cm` of the box round some points, or all where that is empty."""
        low, high = points_cm.min(0) - reach_cm, points_cm.max(0) + reach_cm
        inside = _between(self.points_cm, low, high)
        if len(inside) < 8:
            return self
        return Surface(self.points_cm.take(inside, axis=1), self.normals.take(inside, axis=1))


def touchable(mesh_cm: F64, *, mirrored: bool = False) -> Surface:
    """Return the surface of a personal face (468, 3) with forehead, temples and the underside of the jaw.

    `mirrored` reflects it, for a left hand that is placed as a right one.
    """
    triangles = canonical_face().triangles
    normals = vertex_normals(mesh_cm, triangles)
    skull_cm, _ = skull(mesh_cm)
    centre = 0.5 * (mesh_cm[234] + mesh_cm[454])
    half = 0.5 * (mesh_cm[454, 0] - mesh_cm[234, 0])
    below_top = skull_cm[:, 1] < mesh_cm[10, 1] + 0.3
    under_face = below_top & (np.abs(skull_cm[:, 0] - centre[0]) < half * 1.05) & (skull_cm[:, 2] > centre[2] + 0.5)
    low = skull_cm[:, 1] < mesh_cm[152, 1] + 4.0
    keep = ~(under_face | low)
    jaw = mesh_cm[list(_JAW)]
    inward = np.column_stack([centre[0] - jaw[:, 0], np.zeros(len(jaw)), np.zeros(len(jaw))]) * 0.10
    rows = [jaw + inward * t + np.array([0.0, 0.12 * t, -1.0 * t]) for t in (0.8, 1.8, 3.0, 4.5)]
    under = np.concatenate(rows)
    sideways = np.tile((jaw[:, :1] - centre[0]) / half, (4, 1)) ** 3
    down = np.column_stack([sideways[:, 0], -1.0 + 0.6 * np.abs(sideways[:, 0]), np.full(len(under), 0.25)])
    points = np.concatenate([mesh_cm, skull_cm[keep], under])
    outward = np.concatenate(
        [
            normals,
            _ellipsoid_normals(skull_cm)[keep],
            down / lengths(down),
        ]
    )
    if mirrored:
        points, outward = points * (-1.0, 1.0, 1.0), outward * (-1.0, 1.0, 1.0)
    return Surface.of(points, outward)


def _ellipsoid_normals(vertices: F64) -> F64:
    """Return the outward normals of an ellipsoid along the axes from points all over it."""
    low, high = vertices.min(0), vertices.max(0)
    normals = (vertices - 0.5 * (low + high)) / (high - low) ** 2
    normals /= lengths(normals)
    result: F64 = normals
    return result


def settle(surface: Surface, points_cm: F64, approach: F64, press_cm: float) -> float:
    """Return how far to move points (N, 3) along `approach` until the first of them is `press_cm` deep in the surface.

    They are first drawn back until clear. Distance to a surface bounds the step that is safe, as in sphere tracing.
    """
    points = np.ascontiguousarray(points_cm)
    return _settled(points, np.asarray(approach, np.float64), surface.points_cm, surface.normals, press_cm)


@compiled
def _settled(points: F64, approach: F64, surface: F64, normals: F64, press_cm: float) -> float:
    moved, step = -8.0, 0.0
    for _ in range(24):
        gap = _least_distance(points + moved * approach, surface, normals, -1e9) + press_cm
        if gap < 0.0:
            break
        step = max(gap, 0.3)  # a surface seen edge-on seems nearer than it is
        moved += step
        if moved > 6.0:
            return 0.0  # passes by: leave it where the pose puts it
    low, high = moved - step, moved
    for _ in range(5):
        middle = 0.5 * (low + high)
        if _least_distance(points + middle * approach, surface, normals, -press_cm) + press_cm < 0.0:
            high = middle
        else:
            low = middle
    return low


def rest_digits(
    model: HandModel,
    angles_deg: F64,
    digits: tuple[str, ...],
    rotation: F64,
    origin_cm: F64,
    scale: float,
    surface: Surface,
    press_cm: float,
    girth: float,
) -> F64:
    """Bend digits until they rest on the surface; return the new posture (5, 4) in degrees.

    Joint after joint, from the knuckle out, each turns as far as what it carries lets it; one that meets nothing stays
    about where the pose has it.

    Args:
        model: The hand.
        angles_deg: The posture to begin with (5, 4).
        digits: Names of the digits that are bent.
        rotation: Carries the hand's frame to the head's, (3, 3).
        origin_cm: The hand's origin in head cm, (3,).
        scale: Head cm to a cm of the hand.
        surface: What can be touched.
        press_cm: How deep a digit may be in the surface.
        girth: Factor on the thickness of the digits.
    """
    angles = np.array(angles_deg, np.float64)
    for digit in digits:
        row = DIGITS.index(digit)
        chain = digit_joints(digit)
        points, bones = _feelers(model, digit, girth)
        to_head = rotation * scale  # wrist and metacarpals do not bend
        local = surface.near(points @ to_head.T + origin_cm, 5.0)
        joints = list(chain[:3])
        angles[row] = _close(
            angles[row],
            _THUMB_PLAN if digit == "thumb" else _FINGER_PLAN,
            digit == "thumb",
            0.0 if digit == "thumb" else model.rest_spread[row - 1],
            model.frames[joints],
            model.joints_cm[joints],
            points,
            bones,
            to_head,
            origin_cm,
            local.points_cm,
            local.normals,
            press_cm,
        )
    return angles


def _feelers(model: HandModel, digit: str, girth: float) -> tuple[F64, npt.NDArray[np.int64]]:
    """Return some points of a digit's palm side (N, 3) at rest and the segment, 0 to 2 from the knuckle, of each."""
    chain = digit_joints(digit)
    of_digit = np.flatnonzero((model.bone >= chain[0]) & (model.bone <= chain[-1]))
    palm = model.frames[model.bone[of_digit], :, 1]
    front = -np.einsum("nc,nc->n", model.cage_normals[of_digit], palm)
    chosen = of_digit[front > 0.35][::2]
    points = model.cage_cm[chosen] + (girth - 1.0) * model.radial[chosen]
    return points, np.minimum(model.bone[chosen] - chain[0], 2)


@compiled
def _clearance(
    angles_deg: F64,
    thumb: bool,
    rest_spread: float,
    frames: F64,
    pivots: F64,
    points: F64,
    bones: npt.NDArray[np.int64],
    first_bone: int,
    to_head: F64,
    at_head: F64,
    surface: F64,
    normals: F64,
    enough_cm: float,
) -> Any:
    """Return the least distance to the surface of a digit's points from segment `first_bone` on, bent by `angles_deg`.

    The angles are those of `skeleton.bend`; each point is carried by one bone. The first distance under `enough_cm`
    is returned without looking for a lesser one.
    """
    a = np.radians(angles_deg)
    turn, shift = np.eye(3), np.zeros(3)
    least = 1e9
    moved, squared = np.empty(3), np.empty(surface.shape[1])
    for segment in range(3):
        local = digit_turn(a, thumb, segment, rest_spread, frames[segment])
        pivot = pivots[segment]
        shift = carried(turn, pivot - carried(local, pivot)) + shift
        turn = product(turn, local)
        if segment < first_bone:
            continue
        whole, offset = product(to_head, turn), carried(to_head, shift) + at_head
        for n in range(points.shape[0]):
            if bones[n] == segment:
                at = carried(whole, points[n])
                for q in range(3):
                    moved[q] = at[q] + offset[q]
                least = min(least, _distance_of(moved, surface, normals, squared))
                if least < enough_cm:
                    return least
    return least


@compiled
def _close(
    angles_deg: F64,
    plan: F64,
    thumb: bool,
    rest_spread: float,
    frames: F64,
    pivots: F64,
    points: F64,
    bones: npt.NDArray[np.int64],
    to_head: F64,
    at_head: F64,
    surface: F64,
    normals: F64,
    press_cm: float,
) -> F64:
    """Bend one digit, joint after joint, until what each carries is `press_cm` deep in the surface."""
    angles = angles_deg.copy()
    for stage in range(plan.shape[0]):
        column = int(plan[stage, 0])
        start = angles[column]
        low, high = start - plan[stage, 1], start + plan[stage, 2]
        for _ in range(_STEPS):
            angles[column] = 0.5 * (low + high)
            gap = _clearance(
                angles, thumb, rest_spread, frames, pivots, points, bones, stage, to_head, at_head, surface, normals,
                -press_cm,
            )  # fmt: skip
            if gap < -press_cm:
                high = angles[column]
            else:
                low = angles[column]
        untouched = low > start + 0.97 * plan[stage, 2]
        angles[column] = start + 0.2 * plan[stage, 2] if untouched else low
    return angles


@compiled
def _between(points: F64, low: F64, high: F64) -> npt.NDArray[np.int64]:
    """Return the indices of the points (3, N) that lie in a box."""
    out, n = np.empty(points.shape[1], np.int64), 0
    for k in range(points.shape[1]):
        x, y, z = points[0, k], points[1, k], points[2, k]
        inside = low[0] < x < high[0] and low[1] < y < high[1] and low[2] < z < high[2]
        out[n] = k
        n += inside
    return out[:n]


@compiled
def _least(values: F64) -> Any:
    """Return the least of some values, four runs of them at a time: each would wait for its last comparison."""
    a, b, c, d = 1e30, 1e30, 1e30, 1e30
    n = values.shape[0]
    for k in range(0, n - 3, 4):
        a, b, c, d = min(a, values[k]), min(b, values[k + 1]), min(c, values[k + 2]), min(d, values[k + 3])
    for k in range(n - n % 4, n):
        a = min(a, values[k])
    return min(min(a, b), min(c, d))


@compiled
def _distance(points: F64, surface: F64, normals: F64) -> F64:
    """Signed distance to a cloud of points with normals: planes through the nearest, blended smoothly."""
    out = np.empty(points.shape[0])
    squared = np.empty(surface.shape[1])
    for n in range(points.shape[0]):
        out[n] = _distance_of(points[n], surface, normals, squared)
    return out


@compiled
def _least_distance(points: F64, surface: F64, normals: F64, enough_cm: float) -> Any:
    """Return the least of `_distance`, or the first that is under `enough_cm`."""
    squared, least = np.empty(surface.shape[1]), 1e9
    for n in range(points.shape[0]):
        least = min(least, _distance_of(points[n], surface, normals, squared))
        if least < enough_cm:
            break
    return least


@compiled
def _distance_of(point: F64, surface: F64, normals: F64, squared: F64) -> Any:
    """Return the distance of one point (3,); `squared` (P,) is room for the squared distances to the surface's."""
    x, y, z = point[0], point[1], point[2]
    for k in range(surface.shape[1]):  # several at once, as a comparison within would forbid
        dx, dy, dz = x - surface[0, k], y - surface[1, k], z - surface[2, k]
        squared[k] = dx * dx + dy * dy + dz * dz
    nearest = np.sqrt(_least(squared))
    limit = (nearest + _BLEND_CM) ** 2
    total, weight = 0.0, 0.0
    for k in range(surface.shape[1]):
        if squared[k] < limit:
            w = 1.0 - (np.sqrt(squared[k]) - nearest) / _BLEND_CM
            w = w * w
            dx, dy, dz = x - surface[0, k], y - surface[1, k], z - surface[2, k]
            total += w * (dx * normals[0, k] + dy * normals[1, k] + dz * normals[2, k])
            weight += w
    return total / weight
