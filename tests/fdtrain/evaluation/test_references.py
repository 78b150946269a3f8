"""References: they are what they are called, and the numbers behind them are right."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from fdgen.errors import DatasetError, FdError
from fdtrain.data.eigenfaces import FaceSpace, clean_faces, fit_face_space
from fdtrain.data.triplets import Pictures, TripletDataset
from fdtrain.evaluation.classical import Biharmonic, Inpainting, open_patchmatch
from fdtrain.evaluation.references import (
    REFERENCES,
    Copy,
    Eigenfaces,
    MeanFace,
    learn_faces,
    open_references,
    reference_notes,
)
from fdtrain.inference.finish import membrane, with_residual
from tests.support.sets import smooth_face


@pytest.fixture(scope="module")
def faces() -> np.ndarray:
    return np.stack([smooth_face(seed, 24) for seed in range(40)])


@pytest.fixture(scope="module")
def space(faces: np.ndarray) -> FaceSpace:
    return fit_face_space(faces, n=8)


def holed(size_px: int = 24) -> np.ndarray:
    mask = np.zeros((size_px, size_px), np.uint8)
    mask[8:14, 6:18] = 255
    return mask


def test_components_are_the_principal_ones(faces: np.ndarray, space: FaceSpace) -> None:
    centred = faces.reshape(40, -1) - faces.reshape(40, -1).mean(axis=0, dtype=np.float64)
    _, singular, right = np.linalg.svd(centred, full_matrices=False)
    np.testing.assert_allclose(space.variances, singular[:8] ** 2 / 40, rtol=1e-3)
    np.testing.assert_allclose(np.abs(np.sum(space.components * right[:8], axis=1)), 1, atol=1e-3)
    np.testing.assert_allclose(space.components @ space.components.T, np.eye(8), atol=1e-4)
    left_over = (centred**2).sum() / 40 - space.variances.sum()
    assert space.noise == pytest.approx(left_over / (centred.shape[1] - 8), rel=1e-3)


def test_the_same_faces_give_the_same_space(faces: np.ndarray, space: FaceSpace) -> None:
    np.testing.assert_array_equal(fit_face_space(faces, n=8).components, space.components)


def test_fewer_faces_give_fewer_components() -> None:
    few = np.stack([smooth_face(seed, 24) for seed in range(4)])
    assert len(fit_face_space(few).components) == 3
    same = fit_face_space(np.repeat(few[:1], 3, axis=0))
    assert np.isfinite(same.complete(few[1], holed())[0]).all()
    with pytest.raises(DatasetError, match="2 photographs or more, got 1"):
        fit_face_space(few[:1])


@pytest.mark.parametrize("ridge", [1.0, 30.0])
def test_completion_is_masked_least_squares(space: FaceSpace, ridge: float) -> None:
    """Against the definition: known rows alone, a penalty of ridge * noise / variance on each coefficient."""
    picture, mask = smooth_face(77, 24), holed()
    known = np.repeat(mask.reshape(-1) == 0, 3)
    rows = space.components[:, known].T.astype(np.float64)
    penalty = np.diag(np.sqrt(ridge * space.noise / space.variances))
    target = np.concatenate([picture.reshape(-1)[known] - space.mean[known], np.zeros(8)])
    c = np.linalg.lstsq(np.concatenate([rows, penalty]), target, rcond=None)[0]
    expected = (space.mean + c @ space.components).reshape(24, 24, 3)
    for ridges in ((ridge,), (5.0, ridge)):
        np.testing.assert_allclose(space.complete(picture, mask, ridges)[-1], expected, atol=1e-2)


def test_what_lies_in_the_hole_does_not_matter(space: FaceSpace) -> None:
    picture, mask = smooth_face(78, 24), holed()
    other = np.where(mask[..., None] > 0, 255 - picture, picture)
    classical = (Inpainting("telea"), Inpainting("navier-stokes"), Biharmonic(), open_patchmatch())
    for method in (*classical, MeanFace(space.mean_HWC), Eigenfaces(space)):
        one, same = method.fill(picture, mask), method.fill(other, mask)
        np.testing.assert_array_equal(one, same)
        np.testing.assert_array_equal(one[mask == 0], picture[mask == 0])
        assert one.dtype == np.uint8


def test_better_references_are_better(faces: np.ndarray, space: FaceSpace) -> None:
    mask, errors = holed(), dict[str, float]()
    methods = (Copy(), Inpainting("telea"), MeanFace(space.mean_HWC), Eigenfaces(space))
    for seed in range(100, 120):
        clean = smooth_face(seed, 24)
        occluded = np.where(mask[..., None] > 0, np.uint8(0), clean)
        for method in methods:
            difference = method.fill(occluded, mask)[mask > 0].astype(float) - clean[mask > 0]
            errors[method.names[0]] = errors.get(method.names[0], 0) + float((difference**2).mean())
    ranked = [errors[method.names[0]] for method in methods]
    assert ranked == sorted(ranked, reverse=True)
    assert ranked[3] < ranked[2] / 2


def test_inpainting_is_that_of_opencv() -> None:
    picture, mask = smooth_face(5, 24), holed()
    expected = cv2.inpaint(picture[..., ::-1].copy(), mask, 3, cv2.INPAINT_TELEA)[..., ::-1]
    np.testing.assert_array_equal(Inpainting("telea").fill(picture, mask), expected)


def test_a_biharmonic_filling_goes_on_with_the_slope() -> None:
    """A plane satisfies the equation, so that a hole in it is filled with the plane."""
    plane = np.repeat((np.add.outer(np.arange(24) * 3, np.arange(24) * 2) + 20)[..., None], 3, 2).astype(np.uint8)
    mask = holed()
    filled = Biharmonic().fill(np.where(mask[..., None] > 0, np.uint8(0), plane), mask)
    assert np.abs(filled.astype(int) - plane).max() <= 1


def test_patches_repeat_what_the_picture_shows_and_are_the_same_every_time() -> None:
    """Stripes go on through a hole, where diffusion loses them; and nothing is made of nothing."""
    row = np.where((np.arange(96) // 8) % 2, 220, 20).astype(np.uint8)
    stripes = np.repeat(np.tile(row, (96, 1))[..., None], 3, 2)
    mask = np.zeros((96, 96), np.uint8)
    mask[36:60, 36:60] = 255
    occluded = np.where(mask[..., None] > 0, np.uint8(0), stripes)

    def error(filled: np.ndarray) -> float:
        return float(np.abs(filled.astype(int) - stripes)[mask > 0].mean())

    method = open_patchmatch()
    filled = method.fill(occluded, mask)
    assert error(filled) < 35 < 50 < error(Inpainting("telea").fill(occluded, mask))
    np.testing.assert_array_equal(filled, method.fill(occluded, mask))
    mask[:, ::4] = 255
    np.testing.assert_array_equal(method.fill(stripes, mask), stripes)


def test_a_membrane_is_the_mean_of_its_neighbours() -> None:
    picture = smooth_face(3, 24).astype(np.float32)
    mask = holed()
    mask[0:3, 20:24] = 255  # beyond the picture's edge there is nothing
    filled = membrane(picture, mask)
    padded = np.pad(filled, ((1, 1), (1, 1), (0, 0)), constant_values=np.nan)
    around = np.stack([padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:]])
    np.testing.assert_allclose(filled[mask > 0], np.nanmean(around, axis=0)[mask > 0], atol=1e-2)
    np.testing.assert_array_equal(filled[mask == 0], picture[mask == 0])
    np.testing.assert_array_equal(membrane(picture, np.zeros_like(mask)), picture)
    assert not membrane(picture, np.full_like(mask, 255)).any()
    one = np.zeros_like(mask)
    one[5, 5] = 255
    np.testing.assert_allclose(membrane(picture, one)[5, 5], around_mean(picture, 5, 5), atol=1e-3)


def around_mean(picture: np.ndarray, row: int, column: int) -> np.ndarray:
    near = [picture[row - 1, column], picture[row + 1, column], picture[row, column - 1], picture[row, column + 1]]
    return np.mean(near, axis=0)


def test_a_plane_of_residuals_is_continued() -> None:
    """A mean face that is too dark on one side is corrected inside the hole as it is around."""
    face = smooth_face(9, 24).astype(np.float32)
    slope = np.linspace(-20, 20, 24, dtype=np.float32)[None, :, None]
    clean = (face * 0.6 + 50 + slope).clip(0, 255).astype(np.uint8)
    filled = with_residual(face * 0.6 + 50, np.where(holed()[..., None] > 0, np.uint8(0), clean), holed())
    assert np.abs(filled.astype(int) - clean).max() <= 2


def test_the_ridge_is_the_best_one(faces: np.ndarray, space: FaceSpace) -> None:
    mask = holed()
    triplets = [Pictures(c, np.where(mask[..., None] > 0, np.uint8(9), c), mask) for c in faces[:6]]

    def finish(face: np.ndarray, occluded: np.ndarray, mask_HW: np.ndarray) -> np.ndarray:
        return with_residual(face, occluded, mask_HW)

    def score(ridge: float) -> float:
        total = 0.0
        for clean, occluded, mask_HW in triplets:
            filled = finish(space.complete(occluded, mask_HW, (ridge,))[0], occluded, mask_HW)
            total += 10 * np.log10(255**2 / ((filled[mask_HW > 0].astype(float) - clean[mask_HW > 0]) ** 2).mean())
        return total

    grid = (1e-3, 1.0, 1e5)
    assert space.tuned(triplets, finish, grid).ridge == max(grid, key=score)


def test_a_photograph_counts_once(triplets: Path) -> None:
    dataset = TripletDataset(triplets, "train", size_px=32)
    assert len(clean_faces(dataset, range(len(dataset)))) == dataset.table["source"].nunique()
    dataset.table["source"] = "one.jpg"
    assert len(clean_faces(dataset, range(len(dataset)))) == 1


def test_the_tuning_part_makes_no_face(triplets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = TripletDataset(triplets, "train", size_px=32)
    made_of: set[str] = set()

    def spy(dataset: TripletDataset, indices: Sequence[int]) -> np.ndarray:
        made_of.update(dataset.table["source"].iloc[list(indices)])
        return clean_faces(dataset, indices)

    def tuned(space: FaceSpace, tuning: Sequence[Pictures], finish: object) -> FaceSpace:
        clean = {one.clean_HWC.tobytes() for one in tuning}
        by_source = zip(dataset.table["source"], range(len(dataset)), strict=True)
        tuned_on.update(source for source, index in by_source if dataset.pictures(index).clean_HWC.tobytes() in clean)
        return space

    tuned_on: set[str] = set()
    monkeypatch.setattr("fdtrain.evaluation.references.clean_faces", spy)
    monkeypatch.setattr(FaceSpace, "tuned", tuned)
    assert learn_faces(dataset, n=5).n_faces == len(made_of)
    assert tuned_on.isdisjoint(made_of)
    assert tuned_on | made_of == set(dataset.table["source"])
    assert len(tuned_on) == len(made_of | tuned_on) // 5


def test_all_references_open_by_name(triplets: Path) -> None:
    def train() -> TripletDataset:
        return TripletDataset(triplets, "train", size_px=32)

    methods = open_references(REFERENCES, train)
    names = [name for method in methods for name in method.names]
    assert names == [
        "copy of the input",
        "Telea",
        "Navier-Stokes",
        "biharmonic",
        "Mumford-Shah-Euler",
        "structure + texture",
        "joint interpolation",
        "PatchMatch",
        "mean face",
        f"{int(names[-1].split()[0])} eigenfaces",
    ]

    telea, navier_stokes, *variational, patchmatch, eigenfaces = reference_notes(methods)
    assert telea == "Telea: OpenCV's, with a radius of 3 px"
    assert navier_stokes.startswith("Navier-Stokes: ")
    assert [note.split(";")[0] for note in variational] == [
        "Mumford-Shah-Euler: Esedoglu and Shen 2002",
        "structure + texture: Bertalmio, Vese, Sapiro and Osher 2003",
        "joint interpolation: Ballester, Caselles and Verdera 2004",
    ]
    assert patchmatch.startswith("PatchMatch: of the package patchmatch-cython ")
    space = learn_faces(train())
    assert f"of {space.n_faces} photographs of the train split, with a ridge of {space.ridge:g} times" in eigenfaces

    def never() -> TripletDataset:
        raise AssertionError("the training split is not needed")

    assert len(open_references(["copy", "telea"], never)) == 2
    with pytest.raises(FdError, match="no reference 'lama'"):
        open_references(["lama"], never)
