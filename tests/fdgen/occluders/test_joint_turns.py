"""Compiled rotations of a hand's joints, against the same in numpy."""

from __future__ import annotations

import numpy as np

from fdgen.analysis.geometry import grid_faces, rotation_matrix, vertex_normals
from fdgen.occluders.hands.joint_turns import bent, moved_points, seen_faces, turned
from fdgen.occluders.hands.skeleton import PARENTS

_RNG = np.random.default_rng(7)


def test_a_turn_is_about_the_axis_of_its_frame() -> None:
    frame = rotation_matrix([0.3, -1.1, 0.4])
    for axis in range(3):
        assert np.allclose(turned(0.7, axis, frame), rotation_matrix(0.7 * frame[:, axis]))


def test_a_joint_carries_those_beyond_it() -> None:
    frames = np.stack([rotation_matrix(v) for v in _RNG.normal(size=(25, 3))])
    joints = _RNG.normal(size=(25, 3))
    posture = np.zeros((5, 4))
    posture[2] = 0.4, 0.5, 0.6, 0.1  # the middle finger: three bends, and aside
    turn, shift = bent(posture, np.zeros(4), frames, joints, np.array(PARENTS))
    moved = np.einsum("jab,jb->ja", turn, joints) + shift
    still = [j for j in range(25) if not 12 <= j <= 14]
    assert np.allclose(moved[still], joints[still])
    knuckle = rotation_matrix(0.1 * frames[11][:, 1]) @ rotation_matrix(-0.4 * frames[11][:, 0])
    assert np.allclose(turn[11], knuckle)
    assert np.allclose(turn[12], knuckle @ rotation_matrix(-0.5 * frames[12][:, 0]))
    assert np.allclose(moved[12], knuckle @ (joints[12] - joints[11]) + joints[11])


def test_points_are_turned_and_shifted() -> None:
    moves, points = _RNG.normal(size=(9, 12)), _RNG.normal(size=(9, 3))
    expected = np.einsum("nab,nb->na", moves[:, :9].reshape(-1, 3, 3), points) + moves[:, 9:]
    assert np.allclose(moved_points(moves, points), expected)


def test_the_far_side_of_a_closed_surface_is_left_out() -> None:
    polar, around = np.meshgrid(np.linspace(0.05, np.pi - 0.05, 20), np.arange(30) * (2 * np.pi / 30), indexing="ij")
    sphere = np.stack([np.sin(polar) * np.cos(around), np.cos(polar), np.sin(polar) * np.sin(around)], -1)
    vertices, faces = sphere.reshape(-1, 3), grid_faces(20, 30, wrap=True)
    normals = vertex_normals(vertices, faces)
    normals *= np.sign((normals * vertices).sum(1, keepdims=True))
    seen = seen_faces(faces, normals, np.array([0.0, 0.0, 1.0]), -0.25)
    assert 0.5 < len(seen) / len(faces) < 0.75
    kept, away = {tuple(face) for face in seen.tolist()}, normals[:, 2] < -0.25
    for face in faces.tolist():
        assert (tuple(face) in kept) != away[face].all()
