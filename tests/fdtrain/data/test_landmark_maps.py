"""Maps of where the parts of a face lie: seen through an occluder, none without a face, alike in training and use."""

from __future__ import annotations

import functools
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from fdgen.arrays import Image
from fdgen.contract.frame import crop as cut
from fdgen.faces.detection import find_landmarks
from fdgen.faces.landmarks import Points
from fdtrain.config.face_maps import REGIONS
from fdtrain.data.pictures import decode_rgb, to_values
from fdtrain.data.tensors import maps_on
from fdtrain.data.triplets import Draw, TripletDataset
from fdtrain.faces.face_mesh import POLYGONS
from fdtrain.faces.landmark_maps import MISSED, landmark_maps, maps_of_values, maps_to_values, no_maps
from tests.support.paths import ROOT

SIZE = 96
PORTRAITS = sorted((ROOT / "fdgen" / "faces" / "sample_faces").glob("*.jpg"))


@functools.cache
def crop(portrait: Path, size_px: int = SIZE) -> tuple[Image, Points]:
    """Return an embedded face, and its landmarks."""
    picture_HWC = decode_rgb(portrait.read_bytes(), portrait.name)
    landmarks = find_landmarks(picture_HWC, size_px, name=portrait.name)
    return cut(picture_HWC, landmarks.frame, size_px), landmarks.points_px


def masked(portrait: Path) -> Image:
    """Return the face with a blue cloth from its nose to its chin, as wide as its jaw."""
    clean_HWC, points = crop(portrait)
    low = [point for point in POLYGONS["face"][0] if points[point, 1] > points[4, 1]]
    cloth = np.array([*points[low, :2], points[6, :2] * 0.3 + points[4, :2] * 0.7])
    worn_HWC = clean_HWC.copy()
    cv2.fillPoly(worn_HWC, [np.round(cv2.convexHull(cloth.astype(np.float32))).astype(np.int32)], (120, 160, 210))
    return worn_HWC


def drawn(points: Points, name: str) -> Image:
    """Return the true map of a region."""
    map_HW = np.zeros((SIZE, SIZE), np.uint8)
    for polygon in POLYGONS[name]:
        cv2.fillPoly(map_HW, [np.round(points[list(polygon), :2] - 0.5).astype(np.int32)], (255,))
    return map_HW


def middle(map_HW: Image) -> np.ndarray:
    """Return the centre of what is inside, (y, x) px."""
    return np.argwhere(map_HW > 127).mean(0)


def overlap(one_HW: Image, other_HW: Image) -> float:
    """Return the intersection over the union."""
    one, other = one_HW > 127, other_HW > 127
    return float((one & other).sum() / (one | other).sum())


@pytest.mark.parametrize("portrait", PORTRAITS, ids=lambda path: path.stem)
def test_a_jaw_is_seen_through_a_mask(portrait: Path) -> None:
    points = crop(portrait)[1]
    maps_MHW = landmark_maps(masked(portrait))
    assert maps_MHW.shape == (len(REGIONS), SIZE, SIZE)
    for name, map_HW in zip(REGIONS, maps_MHW, strict=True):
        true_HW = drawn(points, name)
        assert np.hypot(*(middle(map_HW) - middle(true_HW))) < 0.04 * SIZE, name
    assert overlap(maps_MHW[0], drawn(points, "face")) > 0.85
    face_HW = maps_MHW[0] > 127
    chin_y = points[152, 1]
    assert abs(np.flatnonzero(face_HW.any(1)).max() + 1 - chin_y) < 0.06 * SIZE
    assert set(np.unique(maps_MHW)) > {0, 255}  # edges are soft


def test_without_a_face_all_is_empty() -> None:
    rng = np.random.default_rng(0)
    for nothing in (np.full((SIZE, SIZE, 3), 90, np.uint8), rng.integers(0, 255, (SIZE, SIZE, 3)).astype(np.uint8)):
        assert np.array_equal(landmark_maps(nothing), no_maps(SIZE))


def test_a_mirrored_face_has_mirrored_maps_and_a_larger_one_larger_maps() -> None:
    worn_HWC = masked(PORTRAITS[0])
    maps_MHW = landmark_maps(worn_HWC)
    mirrored_MHW = landmark_maps(np.ascontiguousarray(worn_HWC[:, ::-1]))[..., ::-1]
    larger_MHW = landmark_maps(cv2.resize(worn_HWC, (2 * SIZE, 2 * SIZE), interpolation=cv2.INTER_CUBIC))
    for map_HW, mirrored_HW, larger_HW in zip(maps_MHW, mirrored_MHW, larger_MHW, strict=True):
        shrunk_HW = cv2.resize(larger_HW, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
        for other_HW in (mirrored_HW, shrunk_HW):
            assert np.hypot(*(middle(map_HW) - middle(other_HW))) < 0.03 * SIZE
    assert overlap(maps_MHW[0], mirrored_MHW[0]) > 0.9


def test_values_are_those_of_the_bytes_in_numpy_and_on_a_device() -> None:
    pictures = [masked(portrait) for portrait in PORTRAITS[:2]]
    maps = np.stack([landmark_maps(picture) for picture in pictures])
    values = maps_of_values(np.stack([to_values(picture) for picture in pictures]))
    assert np.array_equal(values, maps_to_values(maps))
    assert values.dtype == np.float32
    assert values.max() == 1
    assert torch.equal(maps_on(torch.device("cpu"), torch.from_numpy(maps), False), torch.from_numpy(values))


def test_a_dataset_shows_what_is_seen_in_the_occluded_picture_and_now_and_then_nothing(
    triplets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bytes] = []

    def spy(occluded_HWC: Image) -> Image:
        asked.append(occluded_HWC.tobytes())
        return np.full((len(REGIONS), 32, 32), 7, np.uint8)

    monkeypatch.setattr("fdtrain.data.triplets.landmark_maps", spy)
    train = TripletDataset(triplets, "train", size_px=32, landmark_maps=True, mix=0.5, seed=3)
    missed = []
    for epoch in range(20):
        for index in range(len(train)):
            sample = train[Draw(index, epoch)]
            missed.append(not sample["landmark_maps"].any())
            if not missed[-1]:
                assert asked[-1] == train.pictures(index, epoch).occluded_HWC.tobytes()
    assert 0.2 * MISSED < np.mean(missed) < 3 * MISSED
    assert "landmark_maps" not in TripletDataset(triplets, "train", size_px=32)[0]
