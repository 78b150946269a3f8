"""Recipes: what is read is what was written, every law is stated, and nothing misspelt is taken for granted."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fdgen.errors import RecipeError
from fdgen.kinds import KINDS
from fdgen.occluders import OCCLUDERS
from fdgen.recipe.schema import Recipe, recipe_names, recipe_text


def test_built_in_recipes_load_and_are_named_as_their_files() -> None:
    assert set(recipe_names()) >= {"default", "sunglasses", "masks", "hands"}
    assert recipe_names()[0] == "default"
    for name in recipe_names():
        recipe = Recipe.load(name)
        assert recipe.name == name
        assert recipe.description


@pytest.mark.parametrize(("name", "kind"), [("sunglasses", "sunglasses"), ("masks", "mask"), ("hands", "hand")])
def test_recipes_of_one_kind_draw_only_it(name: str, kind: str) -> None:
    assert Recipe.load(name).kinds.shares() == {kind: 1.0}


def test_default_recipe_explains_every_value() -> None:
    lines = recipe_text("default").splitlines()
    for number, line in enumerate(lines):
        if "=" in line and not line.startswith("#"):
            assert "#" in line or any(above.startswith("#") for above in lines[max(0, number - 8) : number]), line


def test_the_first_ten_kinds_have_a_weight_and_the_default_is_mostly_glasses_masks_and_hands() -> None:
    shares = Recipe.load("default").kinds.shares()
    assert set(shares) == {kind for kind in OCCLUDERS if KINDS[kind].since_ten}
    assert shares["sunglasses"] + shares["mask"] + shares["hand"] > 0.8
    alike = Recipe.load("everything").kinds.shares()
    half = ("hat", "hood")
    real = [kind for kind in OCCLUDERS if kind not in (*half, "scarf")]
    share = 1 / (len(real) + 0.5 * len(half))
    assert alike == pytest.approx({**dict.fromkeys(real, share), **dict.fromkeys(half, 0.5 * share)})


def test_shares_add_up_and_leave_out_zeros() -> None:
    shares = Recipe.load("sunglasses", ["kinds.mask=2"]).kinds.shares()
    assert shares == {"sunglasses": pytest.approx(1 / 3), "mask": pytest.approx(2 / 3)}


def test_own_file_is_laid_over_the_default_and_named_by_its_file(tmp_path: Path) -> None:
    path = tmp_path / "winter.toml"
    path.write_text('seed = 7\n[assets.weights]\n"mask-*" = 3\n', encoding="utf-8")
    recipe = Recipe.load(path)
    assert (recipe.name, recipe.seed, recipe.description) == ("winter", 7, "")
    assert recipe.coverage == Recipe.load("default").coverage
    assert recipe.assets.weight("mask-ffp2") == 3.0


def test_overrides_apply_in_order_and_above_the_file() -> None:
    recipe = Recipe.load(
        "default", ["seed=1", "seed = 2", ("coverage.max", 0.5), ("size_px", "128"), "splits.mode=source"]
    )
    assert (recipe.seed, recipe.coverage.max, recipe.size_px, recipe.splits.mode) == (2, 0.5, 128, "source")


def test_override_values_are_toml_or_bare_text() -> None:
    recipe = Recipe.load(
        "default", ["description=two = words", 'assets.exclude=["a", "b"]', "assets.include=hand-*", "coverage.min=.1"]
    )
    assert recipe.description == "two = words"
    assert recipe.assets.exclude == ("a", "b")
    assert recipe.assets.include == ("hand-*",)
    assert recipe.coverage.min == 0.1


def test_asset_weights_by_id_pattern_and_exclusion() -> None:
    overrides = [
        "assets.weights.mask-*=2",
        "assets.weights.mask-ffp2*=3",
        "assets.weights.mask-ffp2.v1=4",
        "assets.exclude=mask-old",
    ]
    assets = Recipe.load("default", overrides).assets
    assert assets.weight("mask-ffp2.v1") == 4.0
    assert assets.weight("mask-ffp2-white") == 3.0
    assert assets.weight("mask-cloth") == 2.0
    assert assets.weight("hand-fist") == 1.0
    assert assets.weight("mask-old") == 0.0


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("coverage.max=1.3", "coverage.max must be in [0, 1], got 1.3"),
        ("coverage.min=nan", "coverage.min must be a finite number, got nan"),
        ("coverage.min=0.9", "coverage must have min below max, got min 0.9 and max 0.6"),
        ("seed=x", "seed must be a whole number, got 'x'"),
        ("seed=true", "seed must be a whole number, got True"),
        ("seed=-1", "seed must be 0 or more, got -1"),
        ("size_px=32", "size_px must be in [64, 1024], got 32"),
        ("size_px=256.5", "size_px must be a whole number, got 256.5"),
        ("attempts=0", "attempts must be in [1, 1000], got 0"),
        ("kinds.mask=1e308", "kinds.mask must be 1,000,000 or less, got 1e+308"),
        ("kinds.mask=-1", "kinds.mask must be 0 or more, got -1"),
        ("pose.max_residual_px=0", "pose.max_residual_px must be greater than 0, got 0"),
        ("splits.mode=random", "splits.mode must be one of 'auto', 'official', 'identity' or 'source', got 'random'"),
        ("splits.val=0.2", "splits must have train + val + test = 1, got 1.15"),
        ("assets.weights.a.b=-2", "assets.weights.a.b must be 0 or more, got -2"),
        ("assets.include=3", "assets.include must be a list, got 3"),
        ("coverage=3", "coverage is a table, got 3"),
        ("covrage.max=1", "a recipe has no key 'covrage.max', did you mean 'coverage.max'?"),
        ("max_yaw=1", "a recipe has no key 'max_yaw', did you mean 'pose.max_yaw_deg'?"),
        ("kinds.maks=1", "a recipe has no key 'kinds.maks', did you mean 'kinds.mask'?"),
        ("quux=1", "a recipe has no key 'quux'"),
        ("seed", "the override 'seed' is not of the form KEY=VALUE"),
    ],
)  # fmt: skip
def test_a_wrong_override_states_the_law_and_the_value(override: str, message: str) -> None:
    with pytest.raises(RecipeError) as caught:
        Recipe.load("default", [override])
    assert caught.value.message == message
    assert caught.value.hint
    assert caught.value.exit_code == 2


def test_all_kinds_off_is_refused() -> None:
    with pytest.raises(RecipeError, match="at least one weight above 0"):
        Recipe.load("masks", ["kinds.mask=0"])


def test_a_misspelt_name_lists_the_recipes_and_guesses() -> None:
    with pytest.raises(RecipeError, match=r"no recipe 'mask', did you mean 'masks'\?; the built-in ones are default, "):
        Recipe.load("mask")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("seed = \n", "is not valid TOML"),
        ("sead = 1\n", "a recipe has no key 'sead', did you mean 'seed'?"),
        (f"seed = {'[' * 5000}", "is nested too deeply"),
        ("[coverage]\nmax = 2\n", "coverage.max must be in [0, 1], got 2"),
    ],
)
def test_a_wrong_file_is_named(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(RecipeError) as caught:
        Recipe.load(str(path))
    assert str(path) in caught.value.message
    assert words in caught.value.message


def test_an_override_at_fault_is_not_blamed_on_the_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("seed = 3\n", encoding="utf-8")
    with pytest.raises(RecipeError) as caught:
        Recipe.load(path, ["coverage.max=2"])
    assert str(path) not in caught.value.message


def test_missing_files_folders_and_binary_files_are_one_sentence(tmp_path: Path) -> None:
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe\x00")
    for path, words in [
        (tmp_path / "none.toml", "no recipe file"),
        (tmp_path, "is a folder"),
        (binary, "not valid TOML"),
    ]:
        with pytest.raises(RecipeError, match=words):
            Recipe.load(path)


def test_digest_sees_every_value_but_words() -> None:
    default = Recipe.load("default")
    assert Recipe.load("default", ["name=other", "description=other"]).digest() == default.digest()
    assert Recipe.load("default", ["coverage.min=0.030"]).digest() == default.digest()
    changes = [
        "seed=1", "size_px=128", "attempts=3", "kinds.mask=2", "coverage.min=0.1", "pose.max_yaw_deg=30",
        "pose.max_pitch_deg=30", "pose.max_roll_deg=30", "pose.max_residual_px=3", "splits.mode=source",
        "shards.samples=100", "assets.include=a", "assets.exclude=a", "assets.weights.a=2",
    ]  # fmt: skip
    digests = {Recipe.load("default", [change]).digest() for change in changes}
    assert len(digests | {default.digest()}) == len(changes) + 1


def test_a_recorded_recipe_must_be_whole() -> None:
    values = Recipe.load("hands").as_dict()
    assert Recipe.from_dict(values) == Recipe.load("hands")
    del values["attempts"]
    with pytest.raises(RecipeError, match="attempts is missing"):
        Recipe.from_dict(values)


def test_recipes_are_immutable() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Recipe.load("default").seed = 4  # type: ignore[misc]


text = st.text(st.characters(codec="utf-8"), max_size=20)


@given(
    seed=st.integers(0, 2**63),
    description=text,
    weights=st.dictionaries(text, st.floats(0, 1e6), max_size=3),
    exclude=st.lists(text, max_size=3),
)
def test_toml_round_trip(
    tmp_path_factory: pytest.TempPathFactory,
    seed: int,
    description: str,
    weights: dict[str, float],
    exclude: list[str],
) -> None:
    recipe = Recipe.from_dict(
        {
            **Recipe.load("default").as_dict(),
            "seed": seed,
            "description": description,
            "assets": {"include": ["*"], "exclude": exclude, "weights": weights},
        }
    )
    path = tmp_path_factory.mktemp("recipes", numbered=True) / "mine.toml"
    path.write_text(recipe.to_toml(), encoding="utf-8", newline="\n")
    assert Recipe.load(path) == recipe
    assert Recipe.load(path).digest() == recipe.digest()


def test_assets_that_nothing_matches_are_refused() -> None:
    ids = ["mask-ffp2", "mask-cloth", "hand-fist"]
    Recipe.load("default", ["assets.exclude=hand-*", "assets.weights.mask-cloth=2"]).assets.check(ids)
    for key, value in (("include", "mask-fpp2"), ("exclude", "mask-fpp2"), ("weights", {"mask-fpp2": 1})):
        with pytest.raises(RecipeError) as caught:
            Recipe.load("default", [(f"assets.{key}", value)]).assets.check(ids)
        assert caught.value.message == (
            f"assets.{key} names 'mask-fpp2', and no asset matches that, did you mean 'mask-ffp2'?"
        )


def test_flat_has_dotted_keys() -> None:
    flat = Recipe.load("default", ["assets.weights.a=2"]).flat()
    assert flat["coverage.max"] == 0.6
    assert flat["assets.weights.a"] == 2.0
    assert "coverage" not in flat


def test_a_kind_that_is_drawn_needs_an_asset() -> None:
    few = ["hand-stop", "mask-cup", "mask-kn95", "sunglasses-round"]
    ids = [*few, *(f"{kind}-one" for kind in OCCLUDERS if kind not in ("hand", "mask", "sunglasses"))]
    Recipe.load("default").check_assets(ids)
    with pytest.raises(RecipeError, match="draws the kind 'eyeglasses'"):
        Recipe.load("default").check_assets(few)
    Recipe.load("masks").check_assets(["mask-cup"])
    with pytest.raises(RecipeError, match="draws the kind 'mask', and leaves no asset"):
        Recipe.load("default", [("assets.exclude", ["mask-*"])]).check_assets(ids)
    with pytest.raises(RecipeError, match="draws the kind 'hand'"):
        Recipe.load("default", [("assets.weights", {"hand-stop": 0.0})]).check_assets(ids)
