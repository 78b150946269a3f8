"""Pose, personal face and regions: what is put in comes out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fdgen.analysis.geometry import REGIONS, canonical_face, fit_pose, median, personal_face, region_mask
from tests.support import scenes


@pytest.mark.parametrize(
    ("yaw", "pitch", "roll"), [(0, 0, 0), (35, 0, 0), (-35, 0, 0), (0, 20, 0), (0, -20, 0), (0, 0, 15), (25, -12, 8)]
)
def test_the_pose_that_was_put_in_is_found(yaw: float, pitch: float, roll: float) -> None:
    pose = fit_pose(scenes.landmarks(yaw_deg=yaw, pitch_deg=pitch, roll_deg=roll).points_px)
    assert pose.yaw_deg == pytest.approx(yaw, abs=0.3)
    assert pose.pitch_deg == pytest.approx(pitch, abs=0.3)
    assert pose.roll_deg == pytest.approx(roll, abs=0.3)
    assert pose.scale_px == pytest.approx(9.4, rel=0.005)
    assert pose.residual_px < 0.2


def test_signs_are_as_documented() -> None:
    nose, chin, eyes = 4, 152, (33, 263)
    right = scenes.landmarks(yaw_deg=30).points_px
    front = scenes.landmarks().points_px
    assert right[nose, 0] > front[nose, 0]  # the nose moves to the viewer's right
    up = scenes.landmarks(pitch_deg=20).points_px
    assert up[nose, 1] - up[chin, 1] < front[nose, 1] - front[chin, 1]  # the nose rises
    tilted = scenes.landmarks(roll_deg=15).points_px
    assert tilted[eyes[1], 1] > tilted[eyes[0], 1]  # clockwise: the eye on the viewer's right sinks


def test_the_personal_face_projects_onto_its_landmarks() -> None:
    points = scenes.landmarks(yaw_deg=20, roll_deg=5).points_px
    pose = fit_pose(points)
    screen = pose.to_screen(personal_face(points, pose))
    assert np.abs(screen[:, :2] - points[:468, :2]).max() < 1e-3


def test_projecting_and_lifting_are_inverse() -> None:
    pose = fit_pose(scenes.landmarks(yaw_deg=-20, pitch_deg=10).points_px)
    points = canonical_face().vertices_cm
    assert np.abs(pose.to_head(pose.to_screen(points)) - points).max() < 1e-9


@pytest.mark.parametrize("region", REGIONS)
def test_regions_are_where_they_should_be(region: str) -> None:
    points = scenes.landmarks().points_px
    mask = region_mask(points, region, scenes.SIZE_PX)
    rows, columns = np.nonzero(mask)
    assert len(rows) > 100
    centre = points[{"face": 4, "eyes": 168, "nose": 4, "mouth": 13}[region], :2]
    assert abs(columns.mean() - centre[0]) < 4
    assert abs(rows.mean() - centre[1]) < 25


@pytest.mark.parametrize("shape", [(1,), (2,), (7,), (8,), (9, 3), (10, 3)])
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_the_median_is_numpys(shape: tuple[int, ...], kind: type[np.floating[Any]]) -> None:
    values = np.random.default_rng(3).normal(size=shape).astype(kind)
    assert np.array_equal(median(values), np.median(values, axis=0))
    assert median(values).dtype == kind
