"""Truth layers of a sample, and masks of visible changes alone."""

from __future__ import annotations

import numpy as np
import pytest

from fdgen.assets import AssetLibrary
from fdgen.contract.records import Triplet
from fdgen.contract.truth import DEPTH_STEPS, DEPTH_ZERO, TRUTH
from fdgen.errors import RecipeError
from fdgen.kinds import KINDS
from fdgen.recipe.schema import Recipe
from fdgen.synthesis.generator import generate, replay
from tests.support import scenes

LIBRARY = AssetLibrary.load()
ALL = ("truth.layers", list(TRUTH))


def recipe(*kinds: str, **more: object) -> Recipe:
    values: list[tuple[str, object]] = [("faces.worn", "ignore")]
    values += [(f"kinds.{name}", float(name in kinds)) for name in KINDS]
    values += [(name.replace("__", "."), value) for name, value in more.items()]
    return Recipe.load("default", values)


def made(asked: Recipe, **pose: float) -> Triplet:
    result = generate(scenes.face(**pose), asked, LIBRARY)
    assert isinstance(result, Triplet), result
    return result


PAIR = recipe("mask", "sunglasses", several__two=1.0, truth__layers=list(TRUTH))


def test_a_recipe_that_asks_for_nothing_is_what_it_was_before_there_was_a_choice() -> None:
    plain = Recipe.load("default").as_dict()
    assert {"mask", "truth"}.isdisjoint(plain)
    assert Recipe.load("default", [ALL]).as_dict()["truth"] == {"layers": sorted(TRUTH)}
    assert Recipe.load("default", [ALL]).digest() != Recipe.load("default").digest()
    assert Recipe.from_dict(Recipe.load("default", [ALL, ("mask.threshold", 8)]).as_dict()).mask.threshold == 8


def test_a_layer_that_is_misspelt_is_named() -> None:
    with pytest.raises(RecipeError, match=r"truth\.layers has 'normal', which is no layer.*normals"):
        Recipe.load("default", ["truth.layers=normal"])


def test_layers_change_nothing_of_the_pair() -> None:
    plain = made(recipe("mask", "sunglasses", several__two=1.0))
    assert plain.truth == {}
    pair = made(PAIR)
    assert set(pair.truth) == set(TRUTH)
    assert np.array_equal(pair.occluded_HWC, plain.occluded_HWC)
    assert pair.record == plain.record


def test_mattes_are_one_an_occluder_and_make_up_the_silhouette() -> None:
    pair = made(PAIR)
    mattes = pair.truth["mattes"]
    assert isinstance(mattes, np.ndarray)
    assert mattes.dtype == np.uint8
    assert mattes.shape == (256, 256, 3)
    assert pair.record.kinds == ("mask", "sunglasses")
    mask, lenses = mattes[..., 0], mattes[..., 1]
    assert np.nonzero(mask > 128)[0].mean() > np.nonzero(lenses > 128)[0].mean() + 20  # rows: glasses lie higher
    assert not mattes[..., 2].any()
    assert not mattes[pair.mask_HW == 0].any()
    solid = mattes.max(2) > 250
    assert (pair.alpha_HW[solid] >= 250).all()


def test_shadow_lies_within_the_mask_and_darkens() -> None:
    pair = made(recipe("mask", truth__layers=["shadow"]))
    shadow = pair.truth["shadow"]
    assert isinstance(shadow, np.ndarray)
    assert not shadow[pair.mask_HW == 0].any()
    beside = (pair.alpha_HW == 0) & (shadow > 60)
    assert beside.sum() > 50
    assert (pair.occluded_HWC[beside].mean(0) < pair.clean_HWC[beside].mean(0) - 8).all()


@pytest.mark.parametrize("yaw", [-30.0, 30.0])
def test_depth_and_normals_are_those_of_a_surface(yaw: float) -> None:
    pair = made(recipe("mask", truth__layers=["depth", "normals"]), yaw_deg=yaw)
    depth, normals = pair.truth["depth"], pair.truth["normals"]
    assert isinstance(depth, np.ndarray)
    assert isinstance(normals, np.ndarray)
    assert depth.dtype == np.uint16
    there = depth > 0
    assert np.array_equal(there, normals.any(2))
    z_cm = (depth[there].astype(float) - DEPTH_ZERO) / DEPTH_STEPS
    assert -12 < z_cm.min() < z_cm.max() < 12  # a mask lies on the face
    n = (normals[there].astype(float) - 128) / 127
    assert np.abs(np.linalg.norm(n, axis=1) - 1).max() < 0.02
    assert (n[:, 2] > -0.01).all()  # turned to the camera
    # Where the surface falls away to the right it is turned to the right.
    slope = (np.roll(depth.astype(float), -2, 1) - np.roll(depth.astype(float), 2, 1))[there]
    assert np.corrcoef(slope[np.abs(slope) < 3000], n[:, 0][np.abs(slope) < 3000])[0, 1] < -0.5


def test_the_caption_says_what_is_worn_and_how_the_head_is_turned() -> None:
    text = made(recipe("mask", truth__layers=["caption"]), yaw_deg=30.0).truth["caption"]
    assert isinstance(text, str)
    assert text.startswith("A face turned to the right, with a mask (")
    assert "\n" not in text


def test_a_replay_makes_the_same_layers_whether_they_were_stored_or_not() -> None:
    face = scenes.face(yaw_deg=10.0)
    pair = generate(face, PAIR, LIBRARY)
    assert isinstance(pair, Triplet)
    again = replay(pair.record, face, LIBRARY, truth=PAIR.truth.layers)
    assert again.truth.keys() == pair.truth.keys()
    for name, value in pair.truth.items():
        assert np.array_equal(np.asarray(again.truth[name]), np.asarray(value)), name


def test_a_threshold_leaves_faint_shadow_out_of_mask_and_picture() -> None:
    whole, seen = made(recipe("sunglasses")), made(recipe("sunglasses", mask__threshold=8))
    assert seen.record.coverage < 0.9 * whole.record.coverage
    assert not (seen.mask_HW[whole.mask_HW == 0]).any()
    outside = seen.mask_HW == 0
    assert np.array_equal(seen.occluded_HWC[outside], seen.clean_HWC[outside])
    assert not seen.alpha_HW[outside].any()
    assert np.array_equal(seen.alpha_HW, whole.alpha_HW)
    left_out = outside & (whole.mask_HW > 0)
    change = np.abs(whole.occluded_HWC.astype(int) - whole.clean_HWC).max(2)[left_out]
    assert np.percentile(change, 95) <= 9
    face = scenes.face()
    assert np.array_equal(replay(seen.record, face, LIBRARY, mask_threshold=8).mask_HW, seen.mask_HW)
