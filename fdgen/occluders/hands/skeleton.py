"""A rigged hand: read from a GLB file, bent at its joints, skinned, smoothed.

The hand's frame, in cm: origin at the wrist, y towards the middle finger, z out of the back of the hand, the thumb
towards -x. A left hand is mirrored into it, so that one pose serves both; whoever draws it mirrors it back.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from fdgen.analysis.geometry import vertex_normals
from fdgen.arrays import F64, I32
from fdgen.errors import AssetError
from fdgen.occluders.hands.joint_turns import bent, moved_points
from fdgen.runtime.jit import compiled

FINGERS = ("index", "middle", "ring", "pinky")
DIGITS = ("thumb", *FINGERS)

_PHALANGES = ("phalanx-proximal", "phalanx-intermediate", "phalanx-distal")
_NAMES = {"thumb": "thumb", "index": "index-finger", "middle": "middle-finger", "ring": "ring-finger"}
_NAMES["pinky"] = "pinky-finger"
JOINTS: tuple[str, ...] = (
    "wrist",
    *(f"thumb-{bone}" for bone in ("metacarpal", "phalanx-proximal", "phalanx-distal", "tip")),
    *(f"{_NAMES[finger]}-{bone}" for finger in FINGERS for bone in ("metacarpal", *_PHALANGES, "tip")),
)
"""The WebXR joints, in our order: wrist, thumb (4), then five of each finger from the metacarpal to the tip."""

PARENTS = (-1, 0, 1, 2, 3, *(p for f in range(4) for p in (0, *range(5 + 5 * f, 9 + 5 * f))))
_PARENTS = np.array(PARENTS, np.int64)


def digit_joints(digit: str) -> tuple[int, ...]:
    """Return the joints of a digit from its knuckle (thumb: its root) to its tip."""
    if digit == "thumb":
        return (1, 2, 3, 4)
    first = 6 + 5 * FINGERS.index(digit)
    return tuple(range(first, first + 4))


@dataclass(frozen=True, slots=True, eq=False)
class HandModel:
    """One hand at rest, flat, in its frame. Two are equal where they are one.

    The cage is what is skinned: `cage_cm` (C, 3), `cage_faces`, `cage_normals`, `weights` (C, 25). The drawn surface
    has four triangles for each of the cage's: its vertex i is the sum over k of `smooth_weight[i, k]` times cage vertex
    `smooth_index[i, k]`; `faces`, `uv` are the surface's.

    `joints_cm` (25, 3) and `frames` (25, 3, 3) are the joints at rest: local x flexes, y spreads, -z runs along the
    bone. `rest_spread` (4,) is where the fingers point at rest, in radians towards the thumb. `loop` are the cage
    vertices round the open wrist, in order. `bone` (C,) is the joint that moves a cage vertex most, `knuckle` (C, 15)
    how much the vertex stands out when that joint of `BENDING` bends, `radial` (C, 3) its offset from the axis of its
    finger's bone (nothing on the palm).
    """

    cage_cm: F64
    cage_faces: I32
    cage_normals: F64
    weights: F64
    bone: npt.NDArray[np.int64]
    knuckle: F64
    radial: F64
    joints_cm: F64
    frames: F64
    rest_spread: F64
    loop: npt.NDArray[np.int64]
    smooth_index: npt.NDArray[np.int64]
    smooth_weight: F64
    faces: I32
    uv: npt.NDArray[np.float32]

    def smooth(self, cage_values: F64) -> F64:
        """Carry values (C, K) of the cage over to the surface (N, K)."""
        result: F64 = _gather(self.smooth_index, self.smooth_weight, np.ascontiguousarray(cage_values))
        return result


BENDING = tuple(j for j in range(25) if JOINTS[j] != "wrist" and not JOINTS[j].endswith(("tip", "finger-metacarpal")))
"""Joints that bend: three of the thumb, three of each finger."""


def load_hand(data: bytes, side: str, asset_id: str) -> HandModel:
    """Read one hand from the bytes of a GLB file, once a process; raise `AssetError` where it is not such a hand."""
    try:
        return _load(data, side == "left")
    except (ValueError, KeyError, IndexError, TypeError, struct.error, UnicodeDecodeError) as error:
        raise AssetError(f"the {side} hand of asset {asset_id} cannot be read: {error}") from error


@lru_cache(maxsize=4)
def _load(data: bytes, mirrored: bool) -> HandModel:
    """Read and prepare one hand; all assets share the same two."""
    return _build(*_chunks(data), mirrored=mirrored)


def bend(model: HandModel, angles_deg: npt.ArrayLike) -> tuple[F64, F64]:
    """Return turn (25, 3, 3) and shift (25, 3) of each joint: a point p that it carries moves to turn @ p + shift.

    `angles_deg` (5, 4) has a row for thumb, index, middle, ring, pinky. A finger's angles: flexion of its three
    joints, then where it points in the plane of the palm, from the hand's axis towards the thumb. The thumb's: how far
    its root opposes it to the palm and how far it closes it towards the index finger, from rest, then flexion of its
    two joints.
    """
    posture = np.radians(np.asarray(angles_deg, np.float64))
    return bent(posture, model.rest_spread, model.frames, model.joints_cm, _PARENTS)


def skin(model: HandModel, angles_deg: npt.ArrayLike, girth: float = 1.0) -> tuple[F64, F64, F64]:
    """Bend the cage: its vertices (C, 3), the joints (25, 3) and the joints' turns (25, 3, 3), in the hand's frame.

    `girth` thickens or thins the fingers. Bent knuckles stand out, as bones under skin do.
    """
    angles = np.asarray(angles_deg, np.float64)
    turn, shift = bend(model, angles)
    flexion = np.concatenate([[0.0, angles[0, 2], angles[0, 3]], angles[1:, :3].ravel()])
    stand_out = model.knuckle @ (1 - np.cos(np.radians(np.clip(flexion, 0, 110))))
    rest = model.cage_cm + model.cage_normals * stand_out[:, None]
    if girth != 1.0:
        rest = rest + (girth - 1.0) * model.radial
    blended = model.weights @ np.concatenate([turn.reshape(25, 9), shift], 1)
    joints = np.einsum("jab,jb->ja", turn, model.joints_cm) + shift
    return moved_points(blended, rest), joints, turn


def _chunks(data: bytes) -> tuple[dict[str, Any], bytes]:
    """Split a GLB file into its JSON document and its binary chunk."""
    magic, _, _, length, _ = struct.unpack_from("<IIIII", data)
    if magic != 0x46546C67:
        raise ValueError("not a GLB file")
    return json.loads(data[20 : 20 + length].decode("utf-8")), data[28 + length :]


def _accessor(document: dict[str, Any], binary: bytes, index: int) -> npt.NDArray[Any]:
    """Return one array of the file, (count, components)."""
    accessor = document["accessors"][index]
    view = document["bufferViews"][accessor["bufferView"]]
    kind = {5121: "u1", 5123: "<u2", 5125: "<u4", 5126: "<f4"}[accessor["componentType"]]
    width = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}[accessor["type"]]
    offset = view.get("byteOffset", 0) + accessor.get("byteOffset", 0)
    return np.frombuffer(binary, kind, accessor["count"] * width, offset).reshape(-1, width)


def _build(document: dict[str, Any], binary: bytes, *, mirrored: bool) -> HandModel:
    """Bring the file into our frame and order, weld its seams, open its wrist and prepare the smooth surface."""
    attributes = document["meshes"][0]["primitives"][0]["attributes"]
    position = _accessor(document, binary, attributes["POSITION"]).astype(np.float64)
    uv = _accessor(document, binary, attributes["TEXCOORD_0"]).astype(np.float64)
    faces = _accessor(document, binary, document["meshes"][0]["primitives"][0]["indices"]).reshape(-1, 3)
    faces = faces.astype(np.int32)
    nodes = {node["name"]: node for node in document["nodes"]}
    listed = [document["nodes"][n]["name"] for n in document["skins"][0]["joints"]]
    own = np.array([listed.index(name) for name in JOINTS])
    joints = np.array([nodes[name]["translation"] for name in JOINTS], np.float64)
    frames = np.stack([_quaternion_matrix(nodes[name]["rotation"]) for name in JOINTS])

    # The joints are siblings in the file and its bind pose is the rest pose, so positions need no skinning.
    up = joints[JOINTS.index("middle-finger-phalanx-proximal")] - joints[0]
    up /= np.linalg.norm(up)
    across = (
        joints[JOINTS.index("pinky-finger-phalanx-proximal")] - joints[JOINTS.index("index-finger-phalanx-proximal")]
    )
    across -= up * (across @ up)
    across /= np.linalg.norm(across)
    basis = np.stack([across, up, np.cross(across, up) * (-1.0 if mirrored else 1.0)])
    position, joints = 100.0 * (position - joints[0]) @ basis.T, 100.0 * (joints - joints[0]) @ basis.T
    frames = basis @ frames
    if mirrored:  # the basis is left-handed: give the local frames their handedness back, and the faces their sense
        frames[:, :, 0] *= -1.0
        faces = faces[:, ::-1]

    weights = np.zeros((len(position), 25))
    named = _accessor(document, binary, attributes["JOINTS_0"]).astype(np.int64)
    share = _accessor(document, binary, attributes["WEIGHTS_0"]).astype(np.float64)
    position_of = np.argsort(own)
    for column in range(4):
        np.add.at(weights, (np.arange(len(position)), position_of[named[:, column]]), share[:, column])
    weights /= weights.sum(1, keepdims=True)

    faces = faces[_pieces(faces, len(position))]  # without the lid on the wrist, which is a piece of its own
    used = np.unique(faces)
    _, first, weld = np.unique(np.round(position[used], 3), axis=0, return_index=True, return_inverse=True)
    weld_of = np.full(len(position), -1)
    weld_of[used] = weld.ravel()
    cage, weights = position[used][first], weights[used][first]
    cage_faces = np.ascontiguousarray(weld_of[faces], np.int32)
    normals = vertex_normals(cage, cage_faces)
    smooth_index, smooth_weight, fine_faces, fine_uv = _subdivide(cage_faces, faces, weld_of, uv, len(cage))
    return HandModel(
        cage_cm=cage,
        cage_faces=cage_faces,
        cage_normals=normals,
        weights=weights,
        bone=weights.argmax(1),
        knuckle=_knuckles(cage, normals, joints, frames),
        radial=_radial(cage, weights, joints),
        joints_cm=joints,
        frames=frames,
        rest_spread=np.array([_heading(joints[6 + 5 * f], joints[8 + 5 * f]) for f in range(4)]),
        loop=_boundary(cage_faces),
        smooth_index=smooth_index,
        smooth_weight=smooth_weight,
        faces=fine_faces,
        uv=fine_uv.astype(np.float32),
    )


def _heading(start: F64, end: F64) -> float:
    """Return the angle of a bone in the plane of the palm, from the hand's axis towards the thumb, in radians."""
    return float(np.arctan2(start[0] - end[0], end[1] - start[1]))


def _quaternion_matrix(q: list[float]) -> F64:
    """Return the rotation of a quaternion (x, y, z, w)."""
    x, y, z, w = np.asarray(q, np.float64) / np.linalg.norm(q)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )


def _pieces(faces: I32, n: int) -> npt.NDArray[np.bool_]:
    """Return which faces do not belong to the smallest connected piece."""
    label = np.arange(n)
    while True:
        lowest = label[faces].min(1)
        spread = label.copy()
        for corner in range(3):
            np.minimum.at(spread, faces[:, corner], lowest)
        if np.array_equal(spread, label):
            break
        label = spread
    piece, count = np.unique(label[faces[:, 0]], return_counts=True)
    keep: npt.NDArray[np.bool_] = label[faces[:, 0]] != piece[count.argmin()]
    return keep


def _boundary(faces: I32) -> npt.NDArray[np.int64]:
    """Return the vertices round the open wrist, in order."""
    edges = {(int(a), int(b)) for f in faces for a, b in ((f[0], f[1]), (f[1], f[2]), (f[2], f[0]))}
    following = {a: b for a, b in edges if (b, a) not in edges}
    start = min(following)
    loop = [start]
    while following[loop[-1]] != start:
        loop.append(following[loop[-1]])
        if len(loop) > len(following):
            raise ValueError("the wrist is not one loop")
    return np.array(loop)


def _subdivide(
    cage_faces: I32, faces: I32, weld_of: npt.NDArray[np.int64], uv: F64, n_cage: int
) -> tuple[npt.NDArray[np.int64], F64, I32, F64]:
    """Prepare one step of Loop's subdivision (Loop, 1987): weights on the cage, faces and uv of the surface.

    Edges of the open wrist stay as they are, so that the forearm meets them.
    """
    opposite: dict[tuple[int, int], list[int]] = {}
    neighbours: list[set[int]] = [set() for _ in range(n_cage)]
    for f in cage_faces.tolist():
        for a, b, c in ((f[0], f[1], f[2]), (f[1], f[2], f[0]), (f[2], f[0], f[1])):
            opposite.setdefault((min(a, b), max(a, b)), []).append(c)
            neighbours[a].add(b)
            neighbours[b].add(a)
    at_rim = {v for edge, others in opposite.items() if len(others) < 2 for v in edge}
    rows: list[dict[int, float]] = []
    uv_rows: list[F64] = []
    corner_of: dict[int, int] = {}
    middle_of: dict[tuple[int, int], int] = {}

    def corner(v: int) -> int:
        if v not in corner_of:
            w = int(weld_of[v])
            ring, row = sorted(neighbours[w]), {w: 1.0}
            if w not in at_rim:
                n = len(ring)
                beta = (0.625 - (0.375 + 0.25 * np.cos(2 * np.pi / n)) ** 2) / n
                row = {w: 1 - n * beta, **dict.fromkeys(ring, beta)}
            corner_of[v] = len(rows)
            rows.append(row)
            uv_rows.append(uv[v])
        return corner_of[v]

    def middle(a: int, b: int) -> int:
        key = (min(a, b), max(a, b))
        if key not in middle_of:
            p, q = int(weld_of[a]), int(weld_of[b])
            others = opposite[(min(p, q), max(p, q))]
            row = {p: 0.375, q: 0.375, others[0]: 0.125, others[1]: 0.125} if len(others) == 2 else {p: 0.5, q: 0.5}
            middle_of[key] = len(rows)
            rows.append(row)
            uv_rows.append(0.5 * (uv[a] + uv[b]))
        return middle_of[key]

    fine: list[tuple[int, int, int]] = []
    for a, b, c in faces.tolist():
        ab, bc, ca = middle(a, b), middle(b, c), middle(c, a)
        fine += [(corner(a), ab, ca), (corner(b), bc, ab), (corner(c), ca, bc), (ab, bc, ca)]
    width = max(len(row) for row in rows)
    index, weight = np.zeros((len(rows), width), np.int64), np.zeros((len(rows), width))
    for i, row in enumerate(rows):
        index[i, : len(row)], weight[i, : len(row)] = list(row), list(row.values())
    return index, weight, np.array(fine, np.int32), np.array(uv_rows)


def _knuckles(cage: F64, normals: F64, joints: F64, frames: F64) -> F64:
    """Return by how many cm the back of each joint of `BENDING` stands out, times 1 - cos of its flexion: (C, 15)."""
    out = np.zeros((len(cage), len(BENDING)))
    for column, joint in enumerate(BENDING):
        if joint == 1:
            continue  # the thumb's root lies deep
        back = np.clip(normals @ frames[joint][:, 1], 0.0, 1.0)
        reach = 0.75 if JOINTS[joint].endswith("proximal") else 0.5
        distance = ((cage - joints[joint]) ** 2).sum(1)
        out[:, column] = (0.22 if reach > 0.6 else 0.14) * back * np.exp(-distance / (2 * reach**2))
    return out


def _radial(cage: F64, weights: F64, joints: F64) -> F64:
    """Return the offset of each vertex of a finger from its bone's axis (C, 3); it fades out on the palm."""
    out = np.zeros_like(cage)
    for digit in DIGITS:
        chain = digit_joints(digit)
        for joint, following in pairwise(chain):
            if (digit, joint) != ("thumb", 1):
                axis = joints[following] - joints[joint]
                axis /= np.linalg.norm(axis)
                arm = cage - joints[joint]
                out += (arm - (arm @ axis)[:, None] * axis) * weights[:, joint : joint + 1]
        tip = chain[-1]
        arm = cage - joints[chain[-2]]
        axis = joints[tip] - joints[chain[-2]]
        axis /= np.linalg.norm(axis)
        out += (arm - (arm @ axis)[:, None] * axis) * weights[:, tip : tip + 1]
    return out


@compiled
def _gather(index: npt.NDArray[np.int64], weight: F64, values: F64) -> F64:
    """Sum weight[i, k] * values[index[i, k]] over k: (N, C)."""
    out = np.zeros((index.shape[0], values.shape[1]))
    for i in range(index.shape[0]):
        for k in range(index.shape[1]):
            w = weight[i, k]
            if w != 0.0:
                j = index[i, k]
                for c in range(values.shape[1]):
                    out[i, c] += w * values[j, c]
    return out
