"""Mask networks in use: measures against known cases and references, what a masker promises, and `fdtrain eval`."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial import cKDTree
from scipy.spatial.distance import jaccard
from skimage.segmentation import find_boundaries

from fdgen.errors import FdError
from fdtrain.data.silhouettes import SilhouetteDataset
from fdtrain.errors import CheckpointError
from fdtrain.evaluation.masks import at_temperature_1, evaluate_masks, open_measured
from fdtrain.inference.mask_decision import grown, threshold_mask, with_lines
from fdtrain.inference.maskers import MaskPrediction, open_masker
from fdtrain.metrics.segmentation import N_BINS, Bools, Calibration, boundary, boundary_f, iou
from fdtrain.objectives.mask import soft_dice_loss
from fdtrain.training.checkpoint import load_masknet, save_model
from tests.support.weights import write_mask_weights, write_weights

EMPTY = np.zeros((40, 40), bool)


def block(top: int, left: int, high: int, wide: int, side: int = 40) -> Bools:
    region_HW = np.zeros((side, side), bool)
    region_HW[top : top + high, left : left + wide] = True
    return region_HW


def blobs(seed: int) -> Bools:
    """Return a few overlapping blocks, some of them at the edges of the picture."""
    rng = np.random.default_rng(seed)
    region_HW = EMPTY.copy()
    for _ in range(4):
        top, left, high, wide = rng.integers((0, 0, 3, 3), (36, 36, 20, 20))
        region_HW |= block(int(top), int(left), int(high), int(wide))
    return region_HW


# Measures.


def test_iou_of_known_cases() -> None:
    one = block(10, 10, 10, 10)
    assert iou(one, one) == 1.0
    assert iou(one, block(10, 15, 10, 10)) == pytest.approx(50 / 150)
    assert iou(one, EMPTY) == 0.0
    assert iou(EMPTY, EMPTY) == 1.0
    assert iou(one, block(10, 10, 10, 20), block(0, 0, 40, 20)) == 1.0  # what differs does not count


@pytest.mark.parametrize("seed", range(5))
def test_iou_and_boundaries_are_those_of_the_references(seed: int) -> None:
    ours_HW, truth_HW = blobs(seed), blobs(seed + 100)
    inner_HW = find_boundaries(ours_HW, connectivity=1, mode="inner")
    assert np.array_equal(boundary(ours_HW), inner_HW)
    points, others = (np.argwhere(boundary(region_HW)) for region_HW in (ours_HW, truth_HW))
    near = 2.0
    precision = (cKDTree(others).query(points)[0] <= near).mean()
    recall = (cKDTree(points).query(others)[0] <= near).mean()
    expected = 2 * precision * recall / (precision + recall)
    assert boundary_f(ours_HW, truth_HW, tolerance_px=near) == pytest.approx(expected, abs=1e-6)
    assert iou(ours_HW, truth_HW) == pytest.approx(1 - jaccard(ours_HW.ravel(), truth_HW.ravel()))


def test_boundary_f_of_known_cases() -> None:
    one = block(10, 10, 12, 12)
    assert boundary_f(one, one) == 1.0
    assert boundary_f(EMPTY, EMPTY) == 1.0
    assert boundary_f(one, EMPTY) == boundary_f(EMPTY, one) == 0.0
    assert boundary_f(one, block(11, 10, 12, 12), tolerance_px=1.0) == 1.0
    assert 0.3 < boundary_f(one, block(13, 10, 12, 12), tolerance_px=1.0) < 0.9
    # Where the picture ends there is no boundary: one column of two is met, and the other is not there.
    assert boundary(block(0, 0, 40, 20)).sum() == 40
    # The tolerance is a share of the diagonal: at 4 times the size the same shift in pixels is no shift.
    big, shifted = block(40, 40, 48, 48, 160), block(41, 40, 48, 48, 160)
    assert boundary_f(big, shifted) == 1.0
    assert boundary_f(one, block(11, 10, 12, 12)) < 1.0 == boundary_f(one, one)


def test_calibration_error_is_known_where_it_was_made() -> None:
    rng = np.random.default_rng(0)
    probability = rng.random(300_000).astype(np.float32)
    right, late = Calibration(), Calibration()
    right.add(probability, rng.random(300_000) < probability)
    late.add(probability, rng.random(300_000) < probability**2)
    assert right.error < 0.005
    assert late.error == pytest.approx(1 / 2 - 1 / 3, abs=0.005)  # the mean of p - p^2
    assert len(right.n) == N_BINS
    assert right.n.sum() == 300_000
    assert math.isnan(Calibration().error)
    sure = Calibration()
    sure.add(np.array([1.0, 1.0, 0.0, 0.0], np.float32), np.array([True, False, False, False]))
    assert sure.error == pytest.approx(0.25)


def test_temperature_1_is_found_again() -> None:
    logits = np.linspace(-6, 6, 50)
    cooled = (1 / (1 + np.exp(-logits / 2.5))).astype(np.float32)
    assert np.allclose(at_temperature_1(cooled, 2.5), 1 / (1 + np.exp(-logits)), atol=1e-4)


# What a masker promises.


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_mask_weights(tmp_path_factory.mktemp("masks") / "masks.safetensors", temperature=2.0)


def test_a_guess_has_the_size_of_its_crop_and_does_not_depend_on_the_others(weights: Path) -> None:
    masker = open_masker(weights, "cpu")
    assert (masker.size_px, masker.kinds) == (32, ("hand", "mask", "sunglasses"))
    rng = np.random.default_rng(0)
    crops = [rng.integers(0, 256, (side, side, 3), np.uint8) for side in (32, 20, 177)]
    guesses = masker.predict(crops)
    for crop_HWC, guess in zip(crops, guesses, strict=True):
        assert guess.occluder_HW.shape == crop_HWC.shape[:2]
        assert guess.occluder_HW.dtype == np.float32
        assert 0 <= guess.occluder_HW.min() <= guess.occluder_HW.max() <= 1
        assert list(guess.kinds) == list(masker.kinds)
        assert np.allclose(masker.predict([crop_HWC])[0].occluder_HW, guess.occluder_HW, atol=1e-5)
    assert masker.predict([]) == []
    with pytest.raises(ValueError, match=r"must be square RGB pictures, got an array of \(20, 30, 3\)"):
        masker.predict([np.zeros((20, 30, 3), np.uint8)])


def test_the_temperature_of_the_file_softens_probabilities(weights: Path, tmp_path: Path) -> None:
    crop_HWC = np.random.default_rng(1).integers(0, 256, (32, 32, 3), np.uint8)
    sharp = open_masker(write_mask_weights(tmp_path / "sharp.safetensors"), "cpu").predict([crop_HWC])[0].occluder_HW
    soft = open_masker(weights, "cpu").predict([crop_HWC])[0].occluder_HW
    assert np.allclose(at_temperature_1(soft, 2.0), sharp, atol=1e-5)
    assert not np.allclose(soft, sharp, atol=1e-3)


def test_what_is_no_mask_network_is_refused_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "broken.safetensors").write_bytes(b"\x10\0\0\0\0\0\0\0{not json}")
    (tmp_path / "run").mkdir()
    faces = write_weights(tmp_path / "faces.safetensors")
    for path, words in (
        (tmp_path / "broken.safetensors", "is not a whole safetensors file"),
        (tmp_path / "nowhere", "there is no file of weights"),
        (tmp_path / "run", "is not a run with weights: the folder is empty"),
        (faces, "holds generators, which restore faces and find no occluders"),
    ):
        with pytest.raises(CheckpointError, match=words) as caught:
            open_masker(path)
        assert str(path) in str(caught.value)
        assert caught.value.hint


def test_a_mask_reaches_around_what_was_found() -> None:
    found_HW = block(15, 15, 10, 10).astype(np.float32) * 0.7
    assert not threshold_mask(np.zeros((40, 40), np.float32), 40).any()
    assert np.array_equal(threshold_mask(found_HW, 40, threshold=0.5, reach=0), block(15, 15, 10, 10))
    assert not threshold_mask(found_HW, 40, threshold=0.8).any()
    last = 0
    for reach in (0.025, 0.05, 0.1):
        mask_HW = threshold_mask(found_HW, 40, reach=reach)
        assert mask_HW[20, 15 - round(reach * 40)]
        assert not mask_HW[20, 15 - round(reach * 40) - 1]
        assert mask_HW.sum() > last
        last = int(mask_HW.sum())


def test_straps_go_with_their_mask_and_hair_does_not() -> None:
    mask_HW, strap_HW = block(50, 30, 40, 40, 100), block(20, 32, 30, 3, 100)
    hair_HW, apart_HW = block(5, 50, 45, 20, 100), block(20, 5, 30, 3, 100)
    likely_HW = mask_HW * np.float32(0.9)
    without_HW = threshold_mask(likely_HW, 100)
    with_strap_HW = threshold_mask(np.maximum(likely_HW, strap_HW * np.float32(0.2)), 100)
    assert with_strap_HW[strap_HW].all()
    assert with_strap_HW[without_HW].all()
    assert not with_strap_HW[:15].any()
    for other_HW, probability in ((hair_HW, 0.2), (apart_HW, 0.2), (strap_HW, 0.1)):
        found_HW = np.maximum(likely_HW, other_HW * np.float32(probability))
        assert threshold_mask(found_HW, 100)[:40].sum() == 0
    # A strap alone is no mask.
    assert not threshold_mask(strap_HW * np.float32(0.2), 100).any()


@pytest.mark.parametrize("size_px", [96, 256])
@pytest.mark.parametrize("darker", [False, True])
def test_a_thin_line_that_the_crop_shows_beside_the_face_is_a_strap(size_px: int, darker: bool) -> None:
    def part(top: float, left: float, height: float, width: float) -> Bools:
        return block(*(round(share * size_px) for share in (top, left, height, width)), size_px)

    mask_HW, strap_HW, lashes_HW = part(0.55, 0.26, 0.4, 0.48), part(0.3, 0.26, 0.35, 0.02), part(0.4, 0.45, 0.2, 0.02)
    hair_HW, unsure_HW = part(0.2, 0.72, 0.4, 0.15), part(0.25, 0.2, 0.4, 0.6)
    crop_HWC = np.full((size_px, size_px, 3), 140, np.uint8)
    for shown_HW in (strap_HW, lashes_HW, hair_HW):
        crop_HWC[shown_HW] = 140 - 40 if darker else 140 + 40
    for unsure, goes in ((0.05, True), (0.02, False)):
        found_HW = np.maximum(mask_HW * np.float32(0.9), unsure_HW * np.float32(unsure))
        before_HW = threshold_mask(found_HW, size_px)
        added_HW = threshold_mask(with_lines(found_HW, crop_HWC), size_px) & ~before_HW
        assert added_HW[strap_HW & ~before_HW].mean() > 0.7 if goes else not added_HW.any()
        assert not added_HW[:, size_px // 2 :].any()  # neither lashes nor hair, which is broad
        assert not (added_HW & ~grown(strap_HW, 0.04 * size_px)).any()


def test_maskers_cost_nothing_before_one_is_opened() -> None:
    code = "import sys, fdtrain.inference.maskers; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


# Evaluation.


def test_every_picture_is_measured_once_and_a_perfect_network_is_perfect(triplets: Path, weights: Path) -> None:
    dataset = SilhouetteDataset(triplets, "test", size_px=32)
    [one] = open_measured([weights], device="cpu")

    def perfect(crops: list[np.ndarray]) -> list[MaskPrediction]:
        seen = {dataset.seen(k).occluded_HWC.tobytes(): k for k in range(len(dataset))}
        bare = {dataset.bare_face(k).tobytes() for k in range(len(dataset))}
        places = [seen.get(crop.tobytes()) for crop in crops]
        assert all(crop.tobytes() in bare for crop, k in zip(crops, places, strict=True) if k is None)
        return [
            MaskPrediction(np.zeros((32, 32), np.float32))
            if k is None
            else MaskPrediction(
                (dataset.seen(k).alpha_HW >= 128).astype(np.float32),
                {kind: float(kind == dataset.table["kind"][k]) for kind in ("hand", "mask", "sunglasses")},
            )
            for k in places
        ]

    heard: list[int] = []
    one.masker.predict = perfect  # type: ignore[method-assign, assignment]
    found = evaluate_masks([one], dataset, batch=3, on_image=lambda done, of: heard.append(done))
    assert found.frame["key"].tolist() == dataset.keys
    assert (found.frame[["iou", "boundary_f", "precision", "recall", "kind_found", "bare_left"]] == 1).all(axis=None)
    assert found.calibration["masks"].error == 0
    assert heard[-1] == len(dataset)


def test_a_network_that_marks_all_leaves_no_bare_face(triplets: Path, weights: Path) -> None:
    dataset = SilhouetteDataset(triplets, "test", size_px=32)
    [one] = open_measured([weights], device="cpu")
    everything = MaskPrediction(np.ones((32, 32), np.float32))
    one.masker.predict = lambda crops: [everything for _ in crops]  # type: ignore[method-assign]
    assert (evaluate_masks([one], dataset).frame["bare_left"] == 0).all()


def test_dice_is_of_pictures_that_show_something() -> None:
    truth_B1HW = torch.zeros(3, 1, 4, 4)
    truth_B1HW[0, :, :2] = 1
    found_B1HW = torch.zeros(3, 1, 4, 4)
    found_B1HW[0, :, 1:3] = 1  # half of it, and as much beside it
    found_B1HW[1] = 0.9
    assert soft_dice_loss(found_B1HW, truth_B1HW).item() == pytest.approx(1 - (2 * 4 + 1) / (8 + 8 + 1))
    assert soft_dice_loss(found_B1HW[1:], truth_B1HW[1:]).item() == 0


def test_networks_of_two_sizes_are_not_compared(weights: Path, tmp_path: Path) -> None:
    masknet, held = load_masknet(weights)
    held["config"]["data"]["size_px"] = 64
    save_model(tmp_path / "other.safetensors", masknet.net, held)
    with pytest.raises(FdError, match="masks of 32 px, other of 64 px"):
        open_measured([weights, tmp_path / "other.safetensors"], device="cpu")
