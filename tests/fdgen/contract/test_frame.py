"""CelebA's frame: crops fall where the frame says, sharp, and the same however the picture lay before."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fdgen.contract import frame as alignment
from fdgen.faces.landmarks import N_POINTS, Landmarks
from fdgen.io.pictures import images

Array = np.ndarray[Any, Any]


def _photo(width: int, height: int, seed: int = 5) -> Array:
    grain = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    return cv2.normalize(cv2.GaussianBlur(grain, (0, 0), 4), None, 0, 255, cv2.NORM_MINMAX)


def _similarity(zoom: float, turn_deg: float, centre: tuple[float, float], size_px: int) -> Array:
    matrix = cv2.getRotationMatrix2D(centre, turn_deg, zoom)
    matrix[:, 2] += size_px / 2 - np.array(centre)
    return alignment.quantise(matrix)


@pytest.mark.parametrize(("width", "height", "top"), [(178, 218, 20), (89, 109, 10), (356, 436, 40)])
def test_a_picture_of_celebas_size_is_only_cut_and_resized(width: int, height: int, top: int) -> None:
    photo_HWC = _photo(width, height)
    frame = alignment.aligned_frame(width, height, 256)
    assert frame is not None
    expected = images.resize(photo_HWC[top : top + width], 256, 256)
    assert np.array_equal(alignment.crop(photo_HWC, frame, 256), expected)


@pytest.mark.parametrize("size", [(178, 217), (218, 178), (100, 100)])
def test_no_other_size_counts_as_aligned(size: tuple[int, int]) -> None:
    assert alignment.aligned_frame(*size, 256) is None


def test_warping_by_the_aligned_frame_is_the_same_crop() -> None:
    photo_HWC = _photo(178, 218)
    frame = alignment.aligned_frame(178, 218, 256)
    assert frame is not None
    cut = alignment.crop(photo_HWC, frame, 256).astype(int)
    warped = alignment.warp(photo_HWC, frame, 256, 256).astype(int)
    assert np.abs(cut - warped)[8:-8, 8:-8].mean() < 1.0


eye = st.tuples(st.floats(0, 4000), st.floats(0, 4000))


@given(eye, eye, st.sampled_from([64, 178, 256, 512]))
def test_the_eye_frame_brings_eyes_to_celebas(left: tuple[float, float], right: tuple[float, float], size: int) -> None:
    eyes = np.array([left, right])
    if np.linalg.norm(eyes[1] - eyes[0]) < 20:
        return
    frame = alignment.eye_frame(eyes, size)
    assert np.abs(alignment.to_crop(frame, eyes) - alignment.CELEBA_EYES_PX * size / 178).max() < 0.02
    assert np.isclose(frame[0, 0], frame[1, 1])
    assert np.isclose(frame[0, 1], -frame[1, 0])
    assert np.abs(alignment.to_picture(frame, alignment.to_crop(frame, eyes)) - eyes).max() < 1e-6
    assert np.array_equal(alignment.quantise(frame), frame)


@pytest.mark.parametrize("zoom", [0.2, 0.37, 0.8, 1.0, 1.6, 3.0])
@pytest.mark.parametrize("turn_deg", [0, 17, -90])
def test_what_lies_at_a_point_lands_where_the_frame_maps_it(zoom: float, turn_deg: float) -> None:
    yy, xx = np.mgrid[:600, :700] + 0.5
    place = np.array([[371.0, 262.5]])
    sigma = max(2.0, 3 / zoom)
    blob_HW = 200 * np.exp(-((xx - place[0, 0]) ** 2 + (yy - place[0, 1]) ** 2) / (2 * sigma**2))
    photo_HWC = np.repeat(np.round(blob_HW).astype(np.uint8)[..., None], 3, axis=2)
    frame = _similarity(zoom, turn_deg, (360, 270), 128)
    found_HW = alignment.crop(photo_HWC, frame, 128)[..., 0].astype(float)
    yy, xx = np.mgrid[:128, :128] + 0.5
    centroid = np.array([(found_HW * xx).sum(), (found_HW * yy).sum()]) / found_HW.sum()
    assert np.abs(centroid - alignment.to_crop(frame, place)[0]).max() < 0.06


def test_shrinking_does_not_alias() -> None:
    checks_HWC = np.repeat((np.indices((900, 900)).sum(axis=0) % 2 * 255).astype(np.uint8)[..., None], 3, axis=2)
    shrunk = alignment.crop(checks_HWC, _similarity(0.21, 9, (450, 450), 128), 128)
    assert np.abs(shrunk.astype(int) - 127).max() <= 5


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 90), st.integers(0, 90), st.floats(0.4, 2.0), st.floats(-30, 30))
def test_moving_the_picture_and_the_frame_together_changes_nothing(
    right: int, down: int, zoom: float, turn_deg: float
) -> None:
    photo_HWC = _photo(400, 400)
    frame = _similarity(zoom, turn_deg, (200, 200), 64)
    moved_HWC = _photo(500, 500, seed=6)
    moved_HWC[down : down + 400, right : right + 400] = photo_HWC
    moved = frame.copy()
    moved[:, 2] -= frame[:, :2] @ (right, down)
    assert np.array_equal(alignment.crop(moved_HWC, moved, 64), alignment.crop(photo_HWC, frame, 64))


def test_beyond_the_edge_the_picture_is_mirrored_and_blurred_and_within_it_untouched() -> None:
    whole_HWC = _photo(300, 300)
    frame = _similarity(1.0, 0, (200, 150), 128)  # the crop covers columns 136 to 264
    cut_HWC = np.ascontiguousarray(whole_HWC[:, :240])  # its right 24 columns are gone
    assert alignment.outside_share(frame, 300, 300, 128) == 0
    assert abs(alignment.outside_share(frame, 240, 300, 128) - 24 / 128) < 0.01
    with_border = alignment.crop(cut_HWC, frame, 128)
    assert np.array_equal(with_border[:, :102], alignment.crop(whole_HWC, frame, 128)[:, :102])
    detail = np.abs(np.diff(with_border.astype(int), axis=0)).mean(axis=(0, 2))
    assert detail[120:].mean() < 0.5 * detail[:100].mean()
    assert abs(with_border[:, 104:].mean() - with_border[:, 80:104].mean()) < 20


@pytest.mark.parametrize("shift", [(5000.0, 0.0), (0.0, -5000.0)])
def test_a_crop_that_lies_outside_altogether_is_still_a_picture(shift: tuple[float, float]) -> None:
    frame = _similarity(1.0, 0, (20, 20), 64)
    frame[:, 2] += shift
    assert alignment.crop(_photo(40, 40), frame, 64).shape == (64, 64, 3)
    assert alignment.outside_share(frame, 40, 40, 64) == 1
    assert alignment.crop(np.zeros((1, 1, 3), np.uint8), frame, 64).shape == (64, 64, 3)


def _landmarks(seed: int) -> Landmarks:
    rng = np.random.default_rng(seed)
    return Landmarks.rounded(rng.normal(128, 300, (N_POINTS, 3)), rng.normal(size=(2, 3)), 256)


def test_points_are_rounded_to_a_sixteenth_and_survive_packing() -> None:
    landmarks = _landmarks(1)
    assert landmarks.points_px.dtype == np.float32
    assert np.array_equal(landmarks.points_px * 16, np.round(landmarks.points_px * 16))
    unpacked = Landmarks.from_bytes(landmarks.to_bytes())
    assert np.array_equal(unpacked.points_px, landmarks.points_px)
    assert unpacked.points_px.flags.c_contiguous
    assert np.array_equal(unpacked.frame, landmarks.frame)
    assert (unpacked.size_px, unpacked.digest()) == (256, landmarks.digest())
    assert unpacked.digest() != _landmarks(2).digest()


def test_absurd_points_and_torn_bytes_are_refused() -> None:
    with pytest.raises(ValueError, match="within 2048 px"):
        Landmarks.rounded(np.full((N_POINTS, 3), 3000.0), np.eye(2, 3), 256)
    with pytest.raises(ValueError, match="landmarks are"):
        Landmarks.rounded(np.full((N_POINTS, 3), np.nan), np.eye(2, 3), 256)
    for torn in (b"", b"x" * 40, _landmarks(1).to_bytes()[:-9]):
        with pytest.raises(ValueError, match="no packed landmarks"):
            Landmarks.from_bytes(torn)
