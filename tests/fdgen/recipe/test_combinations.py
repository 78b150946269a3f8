"""Combinations: shares that add up, nothing worn twice in one place, layers in the order in which they lie."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fdgen.errors import RecipeError
from fdgen.kinds import kind_of
from fdgen.occluders import OCCLUDERS
from fdgen.recipe.combinations import Several, combination_shares, label
from fdgen.recipe.schema import Recipe

KINDS = ("sunglasses", "eyeglasses", "mask", "scarf", "hand", "cup", "phone", "hat", "shape", "beard")
APART = [
    ("sunglasses", "eyeglasses"), ("mask", "scarf"), ("mask", "cup"), ("hand", "cup"), ("hand", "phone"),
    ("cup", "phone"), ("scarf", "cup"),
]  # fmt: skip


@settings(deadline=None)
@given(
    weights=st.dictionaries(st.sampled_from(KINDS), st.integers(1, 9), min_size=1),
    two=st.integers(0, 5),
    three=st.integers(0, 5),
)
def test_shares_add_up_and_nothing_is_worn_twice_in_one_place(weights: dict[str, int], two: int, three: int) -> None:
    shares = {kind: weight / sum(weights.values()) for kind, weight in weights.items()}
    several = Several(two=two / 10, three=three / 10, never=("mask+hand",))
    try:
        found = combination_shares(shares, several)
    except ValueError as error:
        number = 2 if "several.two" in str(error) else 3
        assert len(weights) < number or len(weights) < 7  # seven of these kinds always hold three that go together
        return
    assert math.fsum(found.values()) == pytest.approx(1)
    for size, share in ((2, two), (3, three)):
        assert math.fsum(p for combination, p in found.items() if len(combination) == size) == pytest.approx(share / 10)
    for combination in found:
        assert len(set(combination)) == len(combination)
        assert label(reversed(combination)) == "+".join(combination)
        assert not any({*pair} <= {*combination} for pair in [*APART, ("mask", "hand")])


def test_one_occluder_is_drawn_by_the_kinds_alone() -> None:
    recipe = Recipe.load("default", ["kinds.mask=2"])
    assert {combination[0]: share for combination, share in recipe.combinations().items()} == recipe.kinds.shares()


def test_pairs_are_drawn_by_the_product_of_their_shares() -> None:
    found = combination_shares({"mask": 0.5, "sunglasses": 0.25, "hand": 0.25}, Several(two=0.5, three=0.1, never=()))
    assert found["mask", "sunglasses"] == pytest.approx(0.5 * 0.125 / 0.3125)
    assert found["sunglasses", "hand"] == pytest.approx(0.5 * 0.0625 / 0.3125)
    assert found["mask", "sunglasses", "hand"] == pytest.approx(0.1)
    assert found["mask",] == pytest.approx(0.4 * 0.5)


def test_every_kind_goes_with_another_and_not_with_itself() -> None:
    """A kind that is new needs no line here to be worn with others."""
    shares = {kind: 1 / (len(OCCLUDERS) + 1) for kind in (*OCCLUDERS, "monocle")}
    pairs = [
        combination
        for combination in combination_shares(shares, Several(two=1.0, three=0.0, never=()))
        if len(combination) == 2
    ]
    assert {kind for pair in pairs for kind in pair} == shares.keys()


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["several.two=0.7", "several.three=0.5"], "several must have two + three of 1 at most, got 1.2"),
        (["several.two=1.2"], "several.two must be in [0, 1], got 1.2"),
        (["several.never=mask"], "several.never must be of pairs such as 'hand+mask', got 'mask'"),
        (["several.never=mask+hnad"], "several.never names no kind 'hnad', did you mean 'hand'?"),
        (
            ["several.two=0.1", "kinds.hand=0", "several.never=sunglasses+mask"],
            "several.two is 0.1, and no two of the kinds drawn can be combined",
        ),
    ],
)
def test_what_cannot_be_is_refused(overrides: list[str], message: str) -> None:
    off = [f"kinds.{kind}=0" for kind in OCCLUDERS if kind not in ("sunglasses", "mask", "hand")]
    with pytest.raises(RecipeError) as caught:
        Recipe.load("default", [*off, *overrides])
    assert caught.value.message == message


def test_every_fifth_sample_of_the_default_recipe_has_two() -> None:
    shares = Recipe.load("default").combinations()
    assert sum(share for group, share in shares.items() if len(group) == 2) == pytest.approx(0.2)
    assert ("mask", "sunglasses") in shares
    assert not any({"eyeglasses", "sunglasses"} <= set(group) for group in shares)


@pytest.mark.parametrize(
    ("text", "overrides", "two"),
    [
        ("", (), 0.2),
        ("seed = 1", ("size_px=128",), 0.2),
        ("[kinds]\nmask = 1", (), 0.0),
        ("seed = 1", ("kinds.hat=1",), 0.0),
        ("[kinds]\nmask = 1", ("several.two=0.3",), 0.3),
        ("[kinds]\nmask = 1\n[several]\ntwo = 0.1", (), 0.1),
    ],
)
def test_who_names_kinds_has_one_on_each_face_unless_told_otherwise(
    text: str, overrides: tuple[str, ...], two: float, tmp_path: Path
) -> None:
    """So recipes that were written before the default paired its kinds ask for what they did."""
    path = tmp_path / "own.toml"
    path.write_text(text, encoding="utf-8")
    assert Recipe.load(path, overrides).several.two == two
    if not text:
        assert Recipe.load("default", overrides).several.two == two


def test_goggles_go_with_a_mask_and_a_face_shield_and_not_under_a_hood() -> None:
    together = [("goggles", "mask"), ("goggles", "shield"), ("mask", "shield"), ("hood", "mask"), ("goggles", "veil")]
    apart = [("goggles", "hood"), ("hood", "shield"), ("veil", "mask"), ("veil", "hood"), ("shield", "hand")]
    for pair in (*together, *apart):
        parts = [set(kind_of(kind).parts) for kind in pair]
        assert parts[0].isdisjoint(parts[1]) == (pair in together), pair
