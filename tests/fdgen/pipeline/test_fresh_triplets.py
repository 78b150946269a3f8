"""Triplets made when they are asked for: fixed ones are those of a build, the rest is another each epoch."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

import fdgen
from fdgen.errors import FacesError
from fdgen.faces.cache import FaceCache
from fdgen.faces.folders import SampleFaces, open_faces
from fdgen.pipeline.fresh_triplets import FreshFaces, photographs_by_split
from fdgen.recipe.schema import Recipe


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fresh")


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    return Recipe.load("default", ["size_px=64"])


@pytest.fixture(scope="module")
def found(place: Path, recipe: Recipe) -> FreshFaces:
    with FaceCache(place / "faces.sqlite") as cache:
        return FreshFaces.find(recipe, SampleFaces(), cache)


def test_fixed_ones_are_those_of_a_build(found: FreshFaces, place: Path, recipe: Recipe) -> None:
    manifest = fdgen.build(recipe, SampleFaces(), place / "set")
    for split in ("train", "test"):
        fixed = found.fixed(split)
        built = manifest.samples(split)
        assert {fixed.key(at) for at in range(len(fixed))} == set(built["key"])
        for at in range(len(fixed)):
            triplet = fixed.make(at, 0).triplet
            assert triplet.record == manifest.record(fixed.key(at))


def test_each_epoch_is_a_function_of_seed_face_and_epoch(found: FreshFaces) -> None:
    train = found.fresh("train", seed=3)
    elsewhere = pickle.loads(pickle.dumps(train))
    first, later = train.make(0, 0).triplet, train.make(0, 5).triplet
    assert first.record.placement != later.record.placement
    assert np.array_equal(first.clean_HWC, later.clean_HWC)
    assert np.array_equal(elsewhere.make(0, 5).triplet.occluded_HWC, later.occluded_HWC)
    assert np.array_equal(found.fresh("train", seed=3).make(0, 0).triplet.occluded_HWC, first.occluded_HWC)
    assert found.fresh("train", seed=4).make(0, 0).triplet.record.placement != first.record.placement
    outside = later.mask_HW == 0
    assert np.array_equal(later.occluded_HWC[outside], later.clean_HWC[outside])


def test_heads_that_the_recipe_refuses_are_listed(place: Path, recipe: Recipe) -> None:
    narrow = Recipe.load("default", ["size_px=64", "pose.max_yaw_deg=0"])
    with (
        FaceCache(place / "faces.sqlite") as cache,
        pytest.raises(FacesError, match=r"can be used \(yaw-too-large 4\)"),
    ):
        FreshFaces.find(narrow, SampleFaces(), cache)


def test_photographs_are_counted_by_split_without_being_looked_into(recipe: Recipe) -> None:
    assert photographs_by_split(recipe, SampleFaces()) == {"train": 3, "val": 0, "test": 1}


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FacesError, match="there is no folder"):
        open_faces(tmp_path / "nowhere")
