"""One picture in memory to one triplet: `fdgen.occlude`."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

import fdgen
from fdgen.contract.frame import to_picture
from fdgen.errors import PictureError
from fdgen.faces.detection import find_landmarks
from fdgen.io.pictures.images import decode
from fdgen.recipe.schema import Recipe
from fdgen.synthesis.one_picture import OccluderOf, PictureInMemory
from tests.support.paths import ROOT

PORTRAIT = ROOT / "fdgen" / "faces" / "sample_faces" / "eileen_collins.jpg"


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    return decode(PORTRAIT.read_bytes(), name=PORTRAIT.name)


def test_a_picture_keeps_its_size_and_the_pixels_outside_the_mask(picture: np.ndarray) -> None:
    before = picture.copy()
    made = fdgen.occlude(picture, "mask", seed=7)
    assert np.array_equal(picture, before)
    assert np.array_equal(made.clean_HWC, picture)
    assert made.occluded_HWC.shape == picture.shape
    assert made.mask_HW.shape == picture.shape[:2]
    changed = (made.occluded_HWC != picture).any(axis=2)
    assert changed.any()
    assert not changed[made.mask_HW == 0].any()
    assert made.record.kinds == ("mask",)
    assert made.record.coverage_mouth > 0.9
    assert made.record.coverage == round(float((made.mask_HW > 0).mean()), 6)


def test_it_is_a_function_of_pixels_seed_and_variant(picture: np.ndarray) -> None:
    made = {
        (seed, variant): fdgen.occlude(picture, "mask", seed=seed, variant=variant).occluded_HWC.tobytes()
        for seed in (7, 8)
        for variant in (0, 1)
    }
    assert len(set(made.values())) == 4
    assert fdgen.occlude(picture.copy(), ["mask"], seed=7).occluded_HWC.tobytes() == made[7, 0]


def test_a_crop_is_that_of_a_build(tmp_path: Path) -> None:
    faces = tmp_path / "faces"
    faces.mkdir()
    (faces / PORTRAIT.name).write_bytes(PORTRAIT.read_bytes())
    # Fractions of splits do not matter to the pixels of one that takes no held-out asset.
    only = [("kinds." + kind, float(kind == "sunglasses")) for kind in ("sunglasses", "mask", "hand")]
    recipe = fdgen.Recipe.load("paper", [*only, ("size_px", 96), ("seed", 3)])
    source = fdgen.open_faces(faces).sources()[0]
    landmarks = fdgen.detect(fdgen.open_faces(faces), [source], size_px=96, cache=None, workers=0)[source.sha256]
    assert isinstance(landmarks, fdgen.Landmarks)
    face = fdgen.load_face(fdgen.open_faces(faces), source, landmarks)
    expected = fdgen.generate(face, recipe, fdgen.AssetLibrary.load(), 2)
    assert isinstance(expected, fdgen.Triplet)
    got = fdgen.occlude(faces / PORTRAIT.name, seed=3, variant=2, size_px=96, recipe=recipe)
    assert np.array_equal(got.occluded_HWC, expected.occluded_HWC)
    assert got.record.placement == expected.record.placement
    assert got.record.key == expected.record.key


def test_landmarks_may_be_given(picture: np.ndarray) -> None:
    found = find_landmarks(picture, 256, name="")
    made = fdgen.occlude(picture, "sunglasses", seed=1, landmarks=found)
    assert np.array_equal(made.occluded_HWC, fdgen.occlude(picture, "sunglasses", seed=1).occluded_HWC)
    scale = np.linalg.norm(found.frame[:, 0])
    places = to_picture(found.frame, found.points_px[:, :2].astype(np.float64))
    points = np.concatenate([places, found.points_px[:, 2:] / scale], axis=1)
    near = fdgen.occlude(picture, "sunglasses", seed=1, landmarks=points)
    overlap = np.logical_and(near.mask_HW, made.mask_HW).sum() / np.logical_or(near.mask_HW, made.mask_HW).sum()
    assert overlap > 0.9  # rounded otherwise


def test_what_is_remembered_changes_nothing(picture: np.ndarray) -> None:
    occluder = OccluderOf(kinds=("mask",), remember=1)
    first = occluder(PictureInMemory.of(picture), seed=4)
    again = occluder(PictureInMemory.of(picture), seed=4)
    elsewhere = pickle.loads(pickle.dumps(occluder))(PictureInMemory.of(picture), seed=4)
    for other in (again, elsewhere, fdgen.occlude(picture, "mask", seed=4)):
        assert np.array_equal(first.occluded_HWC, other.occluded_HWC)


def test_an_occluder_leaves_the_picture_or_ends_in_it(picture: np.ndarray) -> None:
    """Arms leave a portrait by its edge; in a picture of much more than the face they would end in its middle."""
    made = fdgen.occlude(picture, "hand", seed=2)
    assert made.alpha_HW[-1].any() or made.alpha_HW[:, [0, -1]].any()
    wide = np.pad(picture, ((40, 160), (160, 160), (0, 0)), mode="edge")
    with pytest.raises(fdgen.FdError, match="would end in the middle"):
        fdgen.occlude(wide, "hand", seed=2)
    assert fdgen.occlude(wide, "mask", seed=2).alpha_HW.any()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (np.zeros((64, 64), np.uint8), "uint8 RGB"),
        (np.zeros((64, 64, 3), np.float32), "uint8 RGB"),
        (np.zeros((64, 64, 3), np.uint8), "no face was found"),
        ("nowhere.jpg", "cannot be read"),
    ],
)
def test_what_is_no_portrait_is_one_sentence(wrong: object, words: str) -> None:
    with pytest.raises(fdgen.FdError, match=words):
        fdgen.occlude(wrong, "mask")  # type: ignore[arg-type]


def test_wrong_settings_are_one_sentence(picture: np.ndarray) -> None:
    with pytest.raises(fdgen.FdError, match="no kind of occluder 'masc'"):
        fdgen.occlude(picture, "masc")
    with pytest.raises(fdgen.FdError, match="whole numbers from 0"):
        fdgen.occlude(picture, "mask", seed=-1)
    with pytest.raises(fdgen.FdError, match="the size of a crop"):
        fdgen.occlude(picture, "mask", size_px=8)
    with pytest.raises(fdgen.FdError, match="478 points"):
        fdgen.occlude(picture, "mask", landmarks=np.zeros((68, 2)))


def test_a_face_that_has_a_hand_before_it_is_refused_with_the_way_out(
    picture: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fdgen.render.scene.detect_preexisting", lambda clean_HWC: ("hand",))
    with pytest.raises(PictureError, match="already shows hand") as refused:
        fdgen.occlude(picture, "hand", size_px=256)
    assert "faces.worn=ignore" in (refused.value.hint or "")
    ignoring = Recipe.load("default", ["faces.worn=ignore"])
    assert fdgen.occlude(picture, "hand", size_px=256, recipe=ignoring).record.kinds == ("hand",)
