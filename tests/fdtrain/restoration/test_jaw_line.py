"""The line of a jaw: before a plain wall, and before anything where a face is frontal, as landmarks show it."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from fdgen.arrays import F64, Image
from fdgen.contract.face_points import OVAL
from fdtrain.restoration import jaw_line
from fdtrain.restoration.jaw_line import with_jaw_line

SIZE = 96
SKIN, WALL, CLOTH = (200, 150, 130), (60, 90, 160), (20, 20, 25)


@pytest.fixture
def points(monkeypatch: pytest.MonkeyPatch) -> F64:
    """Return the landmarks of a round face in the middle, which every crop is seen to show."""
    points_px = np.zeros((468, 3))
    angles = np.linspace(0, 2 * np.pi, len(OVAL), endpoint=False)
    points_px[list(OVAL), 0] = SIZE / 2 + 24 * np.sin(angles)
    points_px[list(OVAL), 1] = SIZE / 2 - 32 * np.cos(angles)
    points_px[1, :2] = SIZE / 2
    monkeypatch.setattr(jaw_line, "seen_points", lambda crop_HWC: points_px)
    points_px[:, 0][points_px[:, 0] == 0] = SIZE / 2
    return points_px


def scene(points: F64) -> tuple[Image, Image, Image]:
    """Return what a network made, which lets the face melt into the wall; the occluded crop; and its mask."""
    crop_HWC = np.full((SIZE, SIZE, 3), WALL, np.uint8)
    outline = np.round(points[list(OVAL), :2] - 0.5).astype(np.int32)
    cv2.fillPoly(crop_HWC, [outline], SKIN)
    mask_HW = np.zeros((SIZE, SIZE), np.uint8)
    mask_HW[46:86, 14:82] = 255
    occluded_HWC = np.where(mask_HW[..., None] > 0, np.array(CLOTH, np.uint8), crop_HWC)
    made_HWC = crop_HWC.copy()
    made_HWC[40:90, 10:86] = SKIN
    return made_HWC, occluded_HWC, mask_HW


def test_a_plain_wall_goes_on_up_to_the_outline_of_the_face(points: F64) -> None:
    made_HWC, occluded_HWC, mask_HW = scene(points)
    lined_HWC = with_jaw_line(made_HWC, occluded_HWC, mask_HW)
    for x in (16, 80):  # beside the face
        assert np.abs(lined_HWC[56, x].astype(int) - WALL).max() <= 2
    assert (lined_HWC[40:80, 40:56] == made_HWC[40:80, 40:56]).all()  # the face
    assert (lined_HWC[78:86, 44:52] == made_HWC[78:86, 44:52]).all()  # the neck
    assert (lined_HWC[64:80, 4:12] == occluded_HWC[64:80, 4:12]).all()  # what is known beside it


def turn(points: F64) -> None:
    """Turn the face, as far as its nose tells."""
    points[1, 0] = SIZE / 2 + 16


def striped(occluded_HWC: Image) -> Image:
    """Return the crop with stripes on all that is seen beside the left half of the face."""
    stripes_HWC = occluded_HWC.copy()
    stripes_HWC[::2, :14] = 250
    stripes_HWC[:46:2, :24] = 250
    stripes_HWC[86::2, :40] = 250
    return stripes_HWC


def test_one_side_of_a_turned_face_may_be_plain_and_the_other_not(points: F64) -> None:
    made_HWC, occluded_HWC, mask_HW = scene(points)
    turn(points)
    lined_HWC = with_jaw_line(made_HWC, striped(occluded_HWC), mask_HW)
    assert (lined_HWC[:, :40] == made_HWC[:, :40]).all()
    assert np.abs(lined_HWC[56, 80].astype(int) - WALL).max() <= 2


def test_beside_a_frontal_face_patterns_go_on_below_the_brows(points: F64) -> None:
    made_HWC, occluded_HWC, mask_HW = scene(points)
    points[[105, 334], 1] = 60.0
    striped_HWC = striped(occluded_HWC)
    lined_HWC = with_jaw_line(made_HWC, striped_HWC, mask_HW)
    beside_C = lined_HWC[64:80, 15:18].mean((0, 1))
    assert np.abs(beside_C - (np.array(WALL) + 250) / 2).max() < 40  # neither skin nor cloth
    assert (lined_HWC[:56, 22:40] == made_HWC[:56, 22:40]).all()  # above them, where there may be hair
    assert np.abs(lined_HWC[48:56, 15].mean(0) - SKIN).max() > 40  # and beside that
    assert (lined_HWC[60:80, 40:56] == made_HWC[60:80, 40:56]).all()  # the face
    assert (lined_HWC[64:80, 4:12] == striped_HWC[64:80, 4:12]).all()  # what is known beside it


def test_without_a_face_or_a_wall_nothing_changes(points: F64, monkeypatch: pytest.MonkeyPatch) -> None:
    made_HWC, occluded_HWC, mask_HW = scene(points)
    assert with_jaw_line(made_HWC, occluded_HWC, np.full_like(mask_HW, 255)) is made_HWC  # nothing is known
    turn(points)
    rng = np.random.default_rng(0)
    noise_HWC = np.where(mask_HW[..., None] > 0, occluded_HWC, rng.integers(0, 255, occluded_HWC.shape, np.uint8))
    assert with_jaw_line(made_HWC, noise_HWC, mask_HW) is made_HWC
    monkeypatch.setattr(jaw_line, "seen_points", lambda crop_HWC: None)
    assert with_jaw_line(made_HWC, occluded_HWC, mask_HW) is made_HWC
