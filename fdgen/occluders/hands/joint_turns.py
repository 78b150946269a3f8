"""Rotations of a hand's joints, compiled: of one about its own axes, and of all, each carried by those before it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fdgen.arrays import F64
from fdgen.runtime.jit import compiled


@compiled
def turned(angle: float, axis: int, frame: F64) -> F64:
    """Return the rotation about an axis of a joint's frame."""
    c, s = np.cos(angle), np.sin(angle)
    x, y, z = frame[0, axis], frame[1, axis], frame[2, axis]
    k = 1.0 - c
    out = np.empty((3, 3))
    out[0, 0], out[0, 1], out[0, 2] = c + x * x * k, x * y * k - z * s, x * z * k + y * s
    out[1, 0], out[1, 1], out[1, 2] = y * x * k + z * s, c + y * y * k, y * z * k - x * s
    out[2, 0], out[2, 1], out[2, 2] = z * x * k - y * s, z * y * k + x * s, c + z * z * k
    return out


@compiled
def product(a: F64, b: F64) -> F64:
    """Return a @ b of (3, 3) matrices; numba's own looks for BLAS in scipy, and rounds as that does."""
    out = np.empty((3, 3))
    for i in range(3):
        for j in range(3):
            out[i, j] = a[i, 0] * b[0, j] + a[i, 1] * b[1, j] + a[i, 2] * b[2, j]
    return out


@compiled
def carried(turn: F64, point: F64) -> F64:
    """Return turn @ point, (3, 3) by (3,)."""
    out = np.empty(3)
    for i in range(3):
        out[i] = turn[i, 0] * point[0] + turn[i, 1] * point[1] + turn[i, 2] * point[2]
    return out


@compiled
def digit_turn(angles_rad: F64, thumb: bool, segment: int, rest_spread: float, frame: F64) -> F64:
    """Return the rotation (3, 3) of one joint of a digit about its own axes.

    Args:
        angles_rad: The digit's row of a posture (4,).
        thumb: Whether it is the thumb, whose first angle turns its root aside; of a finger the last does.
        segment: Number of the joint from the knuckle out, 0 to 2.
        rest_spread: Where a finger points at rest.
        frame: The joint's frame at rest (3, 3).
    """
    bend = turned(-angles_rad[segment + 1 if thumb else segment], 0, frame)
    if segment > 0:
        return bend
    return product(turned(angles_rad[0] if thumb else angles_rad[3] - rest_spread, 1, frame), bend)


@compiled
def bent(
    posture_rad: F64, rest_spread: F64, frames: F64, joints: F64, parents: npt.NDArray[np.int64]
) -> tuple[F64, F64]:
    """Return turn (25, 3, 3) and shift (25, 3) of each joint: a point p that it carries moves to turn @ p + shift.

    Args:
        posture_rad: A row for thumb, index, middle, ring, pinky, (5, 4), as `skeleton.bend` has it in degrees.
        rest_spread: Where each finger points at rest, (4,).
        frames: Frames of the joints at rest (25, 3, 3).
        joints: Where they are at rest (25, 3).
        parents: Which joint carries each; under 0 none does.
    """
    n = joints.shape[0]
    local = np.zeros((n, 3, 3))
    for joint in range(n):
        for q in range(3):
            local[joint, q, q] = 1.0
    for row in range(5):
        first = 1 + 5 * row if row else 1
        spread = rest_spread[row - 1] if row else 0.0
        for k in range(3):
            put(digit_turn(posture_rad[row], row == 0, k, spread, frames[first + k]), local[first + k])
    turn, shift = np.empty((n, 3, 3)), np.empty((n, 3))
    for joint in range(n):
        own, parent = carried(local[joint], joints[joint]), parents[joint]
        for q in range(3):
            own[q] = joints[joint, q] - own[q]
        if parent < 0:
            put(local[joint], turn[joint])
            for q in range(3):
                shift[joint, q] = own[q]
            continue
        put(product(turn[parent], local[joint]), turn[joint])
        moved = carried(turn[parent], own)
        for q in range(3):
            shift[joint, q] = moved[q] + shift[parent, q]
    return turn, shift


@compiled
def put(matrix: F64, into: F64) -> None:
    """Copy (3, 3), value by value: an assignment of whole arrays takes numba seconds to compile."""
    for i in range(3):
        for j in range(3):
            into[i, j] = matrix[i, j]


@compiled
def moved_points(moves: F64, points: F64) -> F64:
    """Return points (N, 3), each moved by a turn, row by row, and a shift: moves (N, 12)."""
    out = np.empty(points.shape)
    for n in range(points.shape[0]):
        x, y, z = points[n, 0], points[n, 1], points[n, 2]
        for q in range(3):
            turn = moves[n, 3 * q] * x + moves[n, 3 * q + 1] * y + moves[n, 3 * q + 2] * z
            out[n, q] = turn + moves[n, 9 + q]
    return out


@compiled
def seen_faces(faces: npt.NDArray[np.int32], normals: F64, towards: F64, least: float) -> npt.NDArray[np.int32]:
    """Return the faces of a closed surface that may be seen: not those whose normals all turn away.

    Args:
        faces: Triangles (M, 3).
        normals: Of the vertices (N, 3).
        towards: Direction to the viewer (3,).
        least: Cosine under which a normal turns away.
    """
    away = np.empty(normals.shape[0], np.bool_)
    for n in range(normals.shape[0]):
        away[n] = normals[n, 0] * towards[0] + normals[n, 1] * towards[1] + normals[n, 2] * towards[2] < least
    out = np.empty(faces.shape, np.int32)
    count = 0
    for t in range(faces.shape[0]):
        if not (away[faces[t, 0]] and away[faces[t, 1]] and away[faces[t, 2]]):
            for q in range(3):
                out[count, q] = faces[t, q]
            count += 1
    return out[:count]
