"""The arm behind a hand: from the wrist's loop to the elbow and beyond, bare or in a sleeve."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from fdgen.analysis.geometry import cross, grid_faces
from fdgen.arrays import F64, I32
from fdgen.occluders.hands.joint_turns import put, turned
from fdgen.runtime.jit import compiled

_ALONG_CM = np.array([0.0, 0.6, 1.3, 2.1, 3.0, 4.2, 5.6, 7.5, 10.0, 13.0, 16.5, 20.0, 26.0, 39.0, 60.0])
"""Where the rings of the forearm are, from the loop."""

N_RINGS = len(_ALONG_CM)
ARM_CM = float(_ALONG_CM[-1])
"""Length of the arm, far beyond any picture."""

_WRIST_BEND_CM = 5.0
"""The wrist bends over this length: carpal bones, then skin."""

_STEPS_CM = np.diff(_ALONG_CM, prepend=0.0)
_SHARE = np.clip((_ALONG_CM + 0.4) / _WRIST_BEND_CM, 0.0, 1.0)
_BENT = _SHARE * _SHARE * (3 - 2 * _SHARE)
"""How much of the wrist's bend is made at each ring of `_ALONG_CM`."""

# Girth by distance from the loop, relative to the wrist's, and how round the section is there.
_GIRTH_AT_CM = (0.0, 3.0, 8.0, 14.0, 20.0, 26.0, 60.0)
_GIRTH = (1.0, 0.99, 1.10, 1.30, 1.42, 1.38, 1.45)

FLEXION_DEG, EXTENSION_DEG, RADIAL_DEG, ULNAR_DEG = 62.0, 58.0, 20.0, 32.0
"""How far a wrist goes: to the palm, to the back, towards the thumb, away from it."""


@dataclass(frozen=True, slots=True)
class Arm:
    """The centre line of an arm: ring centres (K, 3), frames (K, 3, 3) whose columns are the hand's x, y, z turned."""

    centres_cm: F64
    frames: F64
    along_cm: F64


def wrist_limited(direction: F64) -> F64:
    """Return the direction, in the hand's frame, nearest to `direction` that a wrist allows: from it to the elbow."""
    x, y, z = direction / (np.linalg.norm(direction) + 1e-9)
    straight = max(float(-y), 1e-3)
    back = np.clip(np.degrees(np.arctan2(z, straight)), -FLEXION_DEG, EXTENSION_DEG)
    aside = np.clip(np.degrees(np.arctan2(x, np.hypot(straight, z))), -RADIAL_DEG, ULNAR_DEG)
    f, a = np.radians(back), np.radians(aside)
    return np.array([np.sin(a), -np.cos(a) * np.cos(f), np.cos(a) * np.sin(f)])


def arm_line(centre_cm: F64, hand_turn: F64, direction: F64, scale: float) -> Arm:
    """Run the arm from the loop's centre: along the hand's axis at first, then bent into `direction` (head frame).

    `hand_turn` (3, 3) turns the hand's frame into the head's.
    """
    start = -hand_turn[:, 1]
    goal = direction / np.linalg.norm(direction)
    axis = cross(start, goal)
    sine = float(np.linalg.norm(axis))
    angle = float(np.arctan2(sine, start @ goal))
    axis = axis / sine if sine > 1e-6 else np.array([0.0, 0.0, 1.0])
    turns = _turns(angle * _BENT, axis)
    tangents = turns @ start
    steps = _STEPS_CM * scale
    middle = tangents.copy()
    middle[1:] = 0.5 * (tangents[1:] + tangents[:-1])
    centres = centre_cm + np.cumsum(middle * steps[:, None], 0)
    return Arm(centres, turns @ hand_turn, _ALONG_CM)


@compiled
def _turns(angles: F64, axis: F64) -> F64:
    """Return the rotations (K, 3, 3) by angles (K,) about one axis (3,)."""
    out, frame = np.empty((angles.shape[0], 3, 3)), np.empty((3, 1))
    for q in range(3):
        frame[q, 0] = axis[q]
    for k in range(angles.shape[0]):
        put(turned(angles[k], 0, frame), out[k])
    return out


def arm_rings(arm: Arm, loop_cm: F64, hand_turn: F64, *, stout: float) -> F64:
    """Return the rings (K, L, 3) of the bare arm from the wrist's loop (L, 3), in order; the first is the loop."""
    local = (loop_cm - loop_cm.mean(0)) @ hand_turn
    girth = np.interp(arm.along_cm, _GIRTH_AT_CM, _GIRTH)
    girth = 1.0 + (girth - 1.0) * stout
    fade = np.clip(arm.along_cm / 3.0, 0.0, 1.0)[:, None]
    rings = np.empty((len(girth), len(loop_cm), 3))
    radius = np.sqrt((local[:, [0, 2]] ** 2).sum(1))
    mean = radius.mean()
    # The section grows round towards the elbow, and the loop's own slant dies out over the first centimetres.
    roundness = np.clip((arm.along_cm - 1.0) / 16.0, 0.0, 0.75)[:, None]
    factor = girth[:, None] * ((1 - roundness) + roundness * mean / radius[None, :])
    rings[..., 0] = local[None, :, 0] * factor
    rings[..., 2] = local[None, :, 2] * factor
    rings[..., 1] = local[None, :, 1] * (1 - fade)
    result: F64 = np.einsum("kab,klb->kla", arm.frames, rings) + arm.centres_cm[:, None]
    return result


def rings_at(arm: Arm, rings: F64, along_cm: F64) -> F64:
    """Return the rings of an arm at other distances (M,) from the loop: (M, L, 3)."""
    index = np.clip(np.searchsorted(arm.along_cm, along_cm) - 1, 0, len(arm.along_cm) - 2)
    low, high = arm.along_cm[index], arm.along_cm[index + 1]
    share = ((along_cm - low) / (high - low))[:, None, None]
    result: F64 = rings[index] * (1 - share) + rings[index + 1] * share
    return result


def tube_normals(rings: F64) -> F64:
    """Return outward normals (K, L, 3) of a closed tube of rings."""
    normals, outward = _ring_normals(np.ascontiguousarray(rings))
    return normals if outward >= 0 else -normals


@compiled
def _ring_normals(rings: F64) -> tuple[F64, float]:
    """Return unit normals (K, L, 3) of a closed tube of rings, and how much they look away from its middle."""
    k, n = rings.shape[0], rings.shape[1]
    normals = np.empty(rings.shape)
    outward = 0.0
    for i in range(k):
        first, last = max(i - 1, 0), min(i + 1, k - 1)
        centre = np.zeros(3)
        for j in range(n):
            for q in range(3):
                centre[q] += rings[i, j, q] / n
        for j in range(n):
            after, before = (j + 1) % n, j - 1 if j else n - 1
            x, y, z = (
                rings[i, after, 0] - rings[i, before, 0],
                rings[i, after, 1] - rings[i, before, 1],
                rings[i, after, 2] - rings[i, before, 2],
            )
            u, v, w = (
                rings[last, j, 0] - rings[first, j, 0],
                rings[last, j, 1] - rings[first, j, 1],
                rings[last, j, 2] - rings[first, j, 2],
            )
            a, b, c = y * w - z * v, z * u - x * w, x * v - y * u
            length = np.sqrt(a * a + b * b + c * c) + 1e-12
            normals[i, j, 0], normals[i, j, 1], normals[i, j, 2] = a / length, b / length, c / length
            for q in range(3):
                outward += normals[i, j, q] * (rings[i, j, q] - centre[q])
    return normals, outward


@lru_cache(maxsize=64)
def _tube_faces(rows: int, columns: int) -> I32:
    """Return the faces of a grid, once a shape; not to be written to."""
    return grid_faces(rows, columns)


def tube_mesh(rings: F64) -> tuple[F64, I32, F64, npt.NDArray[np.float32]]:
    """Return vertices, faces, normals of a tube, its first column repeated as the last, and (u, v) in 0..1.

    u runs round, v along the tube.
    """
    normals = tube_normals(rings)
    closed = np.concatenate([rings, rings[:, :1]], 1)
    normals = np.concatenate([normals, normals[:, :1]], 1)
    k, n = closed.shape[:2]
    faces = _tube_faces(k, n)
    a, b, c = (closed.reshape(-1, 3)[faces[:8, i]] for i in range(3))
    flat = cross(b - a, c - a)
    if float((flat * normals.reshape(-1, 3)[faces[:8, 0]]).sum()) < 0:
        faces = faces[:, ::-1]
    length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(rings.mean(1), axis=0), axis=1))])
    uv = np.empty((k, n, 2), np.float32)
    uv[..., 0], uv[..., 1] = np.linspace(0, 1, n), (length / max(length[-1], 1e-6))[:, None]
    return closed.reshape(-1, 3), np.ascontiguousarray(faces), normals.reshape(-1, 3), uv.reshape(-1, 2)
