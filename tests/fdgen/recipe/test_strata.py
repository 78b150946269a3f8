"""Strata: what is asked is met within sampling error, and no sample depends on another."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import sqlite3
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from fdgen.analysis.geometry import REGIONS
from fdgen.assets import AssetLibrary
from fdgen.contract.manifest import Manifest
from fdgen.contract.records import Triplet
from fdgen.errors import RecipeError
from fdgen.faces.cache import FaceCache
from fdgen.occluders import OCCLUDERS
from fdgen.recipe.combinations import Combination
from fdgen.recipe.schema import Recipe
from fdgen.recipe.strata import PASSED_OVER, REGION_NAMES
from fdgen.recipe.target_shares import TargetShare, asked, target_shares_of
from fdgen.runtime.rng import sample_rng
from fdgen.synthesis import coverage_trials
from fdgen.synthesis.coverage_trials import N_TRIALS, find_targets, run_trials
from fdgen.synthesis.generator import generate
from fdgen.synthesis.proportional_fitting import Constraint, fit_proportions
from fdgen.synthesis.targets import Targets, Trials
from tests.support import scenes
from tests.support.fake_build import STRATIFIED, FakeFaces, digests, rejects_of, run, samples_of

ASKED = (
    "several.two=0.3",
    "strata.pose.0-10=0.3",
    "strata.pose.10-30=0.5",
    "strata.pose.30-45=0.2",
    "strata.offered.0-10=0.5",
    "strata.offered.10-30=0.4",
    "strata.offered.30-45=0.1",
    "strata.coverage.0.1-0.2=0.3",
    "strata.coverage.0.2-0.5=0.7",
    "strata.coverage.hand.0.05-0.15=0.6",
    "strata.coverage.hand.0.15-0.5=0.4",
    "strata.region.eyes=0.4",
    "strata.region.hand.mouth=0.9",
)


PAPER_ONLY = tuple(f"kinds.{kind}=0" for kind in OCCLUDERS if kind not in ("sunglasses", "mask", "hand"))
"""What the figures below were worked out for."""


def recipe(*overrides: str) -> Recipe:
    pairs: list[Any] = [*PAPER_ONLY]
    for override in overrides:  # a fourth part, as in `strata.coverage.hand.0.1-0.2`, is a table within
        key, _, value = override.partition("=")
        parts = key.split(".", 2)
        kind, _, rest = parts[2].partition(".") if parts[0] == "strata" and len(parts) == 3 else ("", "", "")
        pairs.append((f"{parts[0]}.{parts[1]}.{kind}", {rest: float(value)}) if kind.isalpha() and rest else override)
    return Recipe.load("default", pairs)


def uniform_offers(of: Recipe) -> dict[Combination, Trials]:
    """Offer every coverage and every set of regions alike."""
    rng = np.random.default_rng(5)
    return {
        combination: Trials(rng.uniform(0.03, 0.6, 400), rng.uniform(0, 1, (400, 3)), 400)
        for combination in of.combinations()
    }


def far_off(rows: list[TargetShare], errors: float = 4.0) -> list[TargetShare]:
    """Return the rows that no luck explains."""
    return [row for row in rows if row.z is None or abs(row.z) > errors]


# What a recipe may ask


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["strata.pose.0-15=0.5"], "strata.pose must have shares that add up to 1, got 0.5 of 0-15"),
        (["strata.pose.15-0=1"], "strata.pose must have bins whose first number is the smaller, got '15-0'"),
        (["strata.pose.front=1"], "strata.pose must be of bins such as '0.1-0.25', got 'front'"),
        (["strata.pose.0-50=1"], "strata.pose has the bin 0-50 beyond 0 and pose.max_yaw_deg (0, 45)"),
        (
            ["strata.pose.0-20=0.5", "strata.pose.15-45=0.5"],
            "strata.pose must have bins that do not overlap, got 0-20 and 15-45",
        ),
        (
            ["strata.pose.0-20=1", "strata.offered.0-10=1"],
            "strata.pose and strata.offered must have the same bins, got 0-20 and 0-10",
        ),
        (["strata.offered.0-10=0.6", "strata.offered.10-20=0.6"], "strata.offered must have shares of 1 together"),
        (
            ["strata.coverage.0.5-0.8=1"],
            "strata.coverage has the bin 0.5-0.8 beyond coverage.min and coverage.max (0.03, 0.6)",
        ),
        (["strata.coverage.0.1-0.2=-1"], "strata.coverage must have shares in [0, 1], got -1 for '0.1-0.2'"),
        (["strata.coverage=3"], "strata.coverage must be a table, got 3"),
        (["strata.region.eye=1"], "must name regions (eyes, nose, mouth), got 'eye', did you mean 'eyes'?"),
        (["strata.region.eyes=1.5"], "strata.region must have shares in [0, 1], got 1.5 for 'eyes'"),
        (["strata.covered=0"], "strata.covered must be greater than 0, got 0"),
        (["strata.attempts=0"], "strata.attempts must be in [1, 10000], got 0"),
        (["strata.poses.0-15=1"], "a recipe has no key 'strata.poses', did you mean 'strata.pose'?"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(overrides: list[str], message: str) -> None:
    with pytest.raises(RecipeError) as caught:
        Recipe.load("default", overrides)
    assert message in caught.value.message


def test_tables_of_a_kind_are_checked_too() -> None:
    with pytest.raises(RecipeError, match=r"strata.coverage names no kind 'hnad', did you mean 'hand'\?"):
        Recipe.load("default", [("strata.coverage", {"hnad": {"0.1-0.2": 1.0}})])
    with pytest.raises(RecipeError, match=r"strata.region must name regions .* \(of mask\)"):
        Recipe.load("default", [("strata.region", {"mask": {"ears": 1.0}})])
    with pytest.raises(RecipeError, match=r"one table of mask\+hand, got two"):
        Recipe.load("default", [("strata.region", {"mask+hand": {"eyes": 1.0}, "hand+mask": {"eyes": 1.0}})])


def test_one_way_to_write_a_bin_has_one_digest(tmp_path: Path) -> None:
    plain = recipe("strata.coverage.0.1-0.25=0.5", "strata.coverage.0.25-0.5=0.5")
    path = tmp_path / "mine.toml"
    path.write_text('[strata.coverage]\n"0.250 - .5" = 0.5\n"0.10-0.25" = 0.5\n', encoding="utf-8")
    assert Recipe.load(path, PAPER_ONLY).digest() == plain.digest()
    assert Recipe.from_dict(plain.as_dict()) == plain


def test_strata_survive_being_written_as_toml(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(recipe(*ASKED).to_toml(), encoding="utf-8")
    assert Recipe.load(path).digest() == recipe(*ASKED).digest()


def test_the_regions_are_those_that_are_measured() -> None:
    assert {*REGION_NAMES} == REGIONS.keys() - {"face"}


# What is planned


@settings(deadline=None)
@given(seed=st.integers(0, 10**6), cells=st.integers(2, 40))
def test_raking_meets_every_constraint_that_can_be_met(seed: int, cells: int) -> None:
    """The constraints are those of some other distribution over the same cells, so that there is a way."""
    rng = np.random.default_rng(seed)
    other, prior = rng.uniform(0.05, 1, cells), rng.uniform(0.05, 1, cells)
    other /= other.sum()
    constraints = []
    for groups in (2, 3, 4):
        labels = rng.integers(-1, groups, cells)
        shares = Constraint("", [""] * groups, [0.0] * groups, labels).sums(other)
        constraints.append(Constraint("", [""] * groups, shares.tolist(), labels))
    constraints.append(Constraint("", [""], [1.0], np.zeros(cells, np.int64)))
    found = fit_proportions(prior, constraints)
    assert found.sum() == pytest.approx(1)
    for one in constraints:
        assert one.sums(found) == pytest.approx(np.array(one.shares), abs=1e-4)


def test_raking_changes_nothing_that_fits() -> None:
    cells = np.array([0.1, 0.2, 0.3, 0.4])
    found = fit_proportions(cells, [Constraint("", ["a", "b"], [0.4, 0.6], np.array([0, 1, 0, 1]))])
    assert found == pytest.approx(cells)


def test_draws_meet_what_is_asked() -> None:
    """Of 4,000 draws each asked share is met within four standard errors; nothing is fitted to them."""
    of = recipe(*ASKED)
    targets = Targets.of(of, uniform_offers(of))
    drawn = [targets.draw(sample_rng(1, "ab" * 32, variant)) for variant in range(4000)]
    counted = {one: [0, 0] for one in asked(of) if one.what != "pose"}
    for one, numbers in counted.items():
        for target in drawn:
            name = "+".join(target.combination)
            own = of.strata.group(one.what, target.combination) if one.what != "kinds" else "all"
            if own != one.of:
                continue
            numbers[1] += 1
            stratum = target.stratum
            if one.what == "kinds":
                numbers[0] += name == one.stratum
            elif stratum is not None and one.what == "coverage":
                numbers[0] += stratum.coverage is not None and stratum.coverage.name == one.stratum
            elif stratum is not None:
                numbers[0] += stratum.regions[one.stratum]
    assert len(counted) > 10
    assert far_off([TargetShare(one, *numbers) for one, numbers in counted.items()]) == []


@settings(deadline=None)
@given(
    offered=st.lists(st.integers(1, 50), min_size=3, max_size=3),
    general=st.lists(st.integers(0, 9), min_size=3, max_size=3),
    of_hands=st.lists(st.integers(0, 9), min_size=3, max_size=3),
)
def test_poses_are_taken_as_asked_and_kinds_keep_their_shares(
    offered: list[int], general: list[int], of_hands: list[int]
) -> None:
    """Exactly, in expectation: offered times taken is as asked, and as many faces are lost to every kind."""
    assume(sum(general) and sum(of_hands))
    names = ("0-10", "10-20", "20-45")
    tables = [[number / sum(numbers) for number in numbers] for numbers in (offered, general, of_hands)]
    shares, everyone, hands = (dict(zip(names, table, strict=True)) for table in tables)
    of = Recipe.load("default", [("strata.offered", shares), ("strata.pose", {**everyone, "hand": hands})])
    taken, total = of.strata.acceptance(list(of.combinations()))
    assert 0 < total <= 1
    for combination, bins in taken.items():
        assert all(0 <= one.share <= 1 + 1e-9 for one in bins)
        kept = [one.share * shares[one.name] for one in bins]
        assert math.fsum(kept) == pytest.approx(total)
        wanted = hands if combination == ("hand",) else everyone
        assert kept == pytest.approx([total * wanted[one.name] for one in bins])


def test_poses_need_to_be_measured_and_offered() -> None:
    with pytest.raises(RecipeError) as caught:
        Targets.of(recipe("strata.pose.0-45=1"))
    assert "fdgen recipe offered" in caught.value.hint
    with pytest.raises(RecipeError, match="at 20-45 degrees, and no face offers that"):
        Targets.of(
            recipe("strata.pose.20-45=1", "strata.pose.0-20=0", "strata.offered.20-45=0", "strata.offered.0-20=1")
        )


def test_placements_need_to_be_tried() -> None:
    with pytest.raises(RecipeError, match="the coverage of the occluders was not measured"):
        Targets.of(recipe("strata.region.eyes=0.5"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["kinds.mask=0", "kinds.hand=0", "strata.region.mouth=0.3"], "the mouth covered in 30.0%"),
        (["kinds.sunglasses=0", "strata.region.eyes=0.95"], "strata.region asks for the eyes"),
        (["kinds.sunglasses=0", "kinds.hand=0", "strata.coverage.0.5-0.6=1"], "a coverage of 0.5-0.6 in 100.0%"),
    ],
)  # fmt: skip
def test_what_no_occluder_can_do_is_refused(overrides: list[str], words: str) -> None:
    """Sunglasses never cover a mouth: that is found by wearing them, so it is known of a new kind too."""
    with pytest.raises(RecipeError) as caught:
        find_targets(recipe(*overrides), AssetLibrary.load())
    assert words in caught.value.message
    assert "the occluders allow" in caught.value.message


@pytest.mark.slow
def test_what_is_offered_is_found_the_same_each_time() -> None:
    of, library = recipe("kinds.hand=0"), AssetLibrary.load()
    first, second = (run_trials(of, library, of.combinations()) for _ in range(2))
    for combination, one in first.items():
        assert one.tried == N_TRIALS
        assert np.array_equal(one.coverage, second[combination].coverage)
        assert np.array_equal(one.regions, second[combination].regions)
    assert (first["sunglasses",].regions[:, 0] > 0.5).mean() > 0.85  # some are pushed up, or have slipped
    assert first["mask",].regions[:, 2].mean() > 0.9


def alike(one: dict[Combination, Trials], other: dict[Combination, Trials]) -> bool:
    """Tell whether two measurements of what is offered are the same, bit by bit."""
    return one.keys() == other.keys() and all(
        np.array_equal(a.coverage, b.coverage)
        and np.array_equal(a.regions, b.regions)
        and (a.tried, a.assets, a.worn) == (b.tried, b.assets, b.worn)
        for a, b in ((one[combination], other[combination]) for combination in one)
    )


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let each kind be tried on a few times, and return the kinds tried from now on."""
    kinds: list[str] = []
    draw = coverage_trials.draw_placements

    def watched(scene: Any, combination: Combination, *args: Any) -> Any:
        kinds.append(*combination)
        return draw(scene, combination, *args)

    monkeypatch.setattr(coverage_trials, "N_TRIALS", 10)
    monkeypatch.setattr(coverage_trials, "draw_placements", watched)
    return kinds


def test_what_was_tried_is_kept(tried: list[str], tmp_path: Path) -> None:
    of, library, seen = recipe("several.two=0.2"), AssetLibrary.load(), []
    bare = run_trials(of, library, of.combinations())
    with FaceCache(tmp_path / "faces.sqlite") as cache:
        first = run_trials(of, library, of.combinations(), cache=cache, on_trial=lambda *at: seen.append(at))
        assert seen == [(done, 30) for done in range(31)]
        assert len(tried) == 60
        again = run_trials(of, library, of.combinations(), cache=cache, on_trial=lambda *at: seen.append(at))
        assert len(seen) == 31  # nothing is told where nothing is done
        assert len(tried) == 60
        wider = recipe("coverage.max=0.9", "seed=5", "strata.region.hand.eyes=0.4")
        run_trials(wider, library, wider.combinations(), cache=cache)
        assert len(tried) == 60
    assert alike(bare, first)
    assert alike(bare, again)


@pytest.mark.slow
def test_only_what_an_asset_changed_is_tried_again(tried: list[str], tmp_path: Path) -> None:
    library = AssetLibrary.load()
    of = recipe()
    masks = [one.id for one in library.select("mask", held_out=False)]
    other = recipe(f"assets.exclude=['{masks[0]}']")
    with FaceCache(tmp_path / "faces.sqlite") as cache:
        run_trials(of, library, of.combinations(), cache=cache)
        tried.clear()
        found = run_trials(other, library, other.combinations(), cache=cache)
        assert tried == ["mask"] * 10
        assert masks[0] not in found["mask",].worn
        tried.clear()
        edited = dataclasses.replace(library[masks[0]], sha256="0" * 64)
        run_trials(of, AssetLibrary({**library.assets, edited.id: edited}), of.combinations(), cache=cache)
        assert tried == ["mask"] * 10


@pytest.mark.slow
@pytest.mark.parametrize("data", [b"", b"nonsense", zlib.compress(b"[1]\n\0\0"), zlib.compress(b"{}")])
def test_damaged_trials_are_made_anew(data: bytes, tried: list[str], tmp_path: Path) -> None:
    of, library = recipe("kinds.hand=0", "kinds.mask=0"), AssetLibrary.load()
    path = tmp_path / "faces.sqlite"
    with FaceCache(path) as cache:
        first = run_trials(of, library, of.combinations(), cache=cache)
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        assert connection.execute("UPDATE blobs SET data = ? WHERE name = 'trials'", (data,)).rowcount == 1
    with FaceCache(path) as cache:
        assert alike(run_trials(of, library, of.combinations(), cache=cache), first)
        assert len(tried) == 20
        assert alike(run_trials(of, library, of.combinations(), cache=cache), first)
        assert len(tried) == 20


def test_another_generator_tries_again(tried: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    of, library = recipe("kinds.hand=0", "kinds.mask=0"), AssetLibrary.load()
    with FaceCache(tmp_path / "faces.sqlite") as cache:
        run_trials(of, library, of.combinations(), cache=cache)
        monkeypatch.setattr(coverage_trials, "GENERATOR_VERSION", "another")
        run_trials(of, library, of.combinations(), cache=cache)
    assert len(tried) == 20


# What is made


@pytest.mark.slow
def test_samples_fall_in_their_strata_and_strata_have_their_shares() -> None:
    """On real placements over made-up heads: sunglasses, masks and hands."""
    of = recipe(
        "size_px=64",
        "strata.region.eyes=0.5",
        "strata.coverage.hand.0.03-0.15=0.5",
        "strata.coverage.hand.0.15-0.6=0.5",
    )
    library = AssetLibrary.load()
    targets = find_targets(of, library)
    heads = [scenes.face(size_px=64, scale_px=2.35, shift_px=(32.0, 35.5), yaw_deg=yaw) for yaw in (-20, 0, 12)]
    records = []
    for variant in range(150):
        result = generate(heads[variant % 3], of, library, variant, targets=targets)
        if isinstance(result, Triplet):
            records.append(result.record)
    assert len(records) >= 145
    eyes = sum(record.coverage_eyes >= 0.5 for record in records)
    hands = [record for record in records if record.kinds == ("hand",)]
    little = sum(record.coverage < 0.15 for record in hands)
    assert len(hands) > 30
    for got, n in ((eyes, len(records)), (little, len(hands))):
        assert abs(got - n / 2) < 4 * math.sqrt(n / 4)


def test_a_stratum_out_of_reach_is_a_reject_by_reason() -> None:
    of = recipe("kinds.mask=0", "kinds.hand=0", "strata.region.eyes=1", "strata.attempts=3")
    never = {
        combination: Trials(np.full(9, 0.1), np.array([[1.0, 0.0, 1.0]] * 9), 9) for combination in of.combinations()
    }
    mouth = recipe("kinds.mask=0", "kinds.hand=0", "strata.region.mouth=1", "strata.attempts=3")
    refused = generate(scenes.face(), mouth, AssetLibrary.load(), targets=Targets.of(mouth, never))
    assert not isinstance(refused, Triplet)
    assert refused.reason == "stratum-not-met"
    assert "hides the mouth" in refused.detail


FACES = FakeFaces.of(120)
COUNT = 240


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Manifest]:
    """Return a dataset of several variants whose poses, kinds and regions are asked for."""
    out = tmp_path_factory.mktemp("strata") / "set"
    return out, run(out, FACES, *FAKE_ASKED, steps=STRATIFIED, count=COUNT)


FAKE_ASKED = (
    *PAPER_ONLY,
    "strata.pose.0-10=0.3",
    "strata.pose.10-30=0.3",
    "strata.pose.30-45=0.4",
    "strata.offered.0-10=0.444444",
    "strata.offered.10-30=0.333333",
    "strata.offered.30-45=0.222222",
    "several.two=0.3",
    "strata.region.eyes=0.6",
)


def test_a_dataset_has_what_was_asked(built: tuple[Path, Manifest]) -> None:
    out, manifest = built
    assert len(manifest) == COUNT
    rows = target_shares_of(recipe(*FAKE_ASKED), manifest.table)
    assert {row.asked.what for row in rows} == {"kinds", "pose", "region"}
    assert far_off(rows, 4.0) == []
    rejects = rejects_of(out)
    passed_over = [row for row in rejects if row["reason"] == PASSED_OVER]
    assert passed_over
    assert "the recipe takes" in passed_over[0]["detail"]


@pytest.mark.slow
def test_strata_are_the_same_bytes_for_any_number_of_workers(built: tuple[Path, Manifest], tmp_path: Path) -> None:
    run(tmp_path / "set", FACES, *FAKE_ASKED, steps=STRATIFIED, count=COUNT, workers=2)
    assert digests(tmp_path / "set") == digests(built[0])


@pytest.mark.parametrize("dropped", [0, 77])
def test_dropping_a_face_changes_no_other_sample(built: tuple[Path, Manifest], tmp_path: Path, dropped: int) -> None:
    """Law 3 with strata: whoever else is there, or was passed over, a sample stays what it was."""
    before = samples_of(built[0])
    out = tmp_path / "set"
    run(out, FACES.without(dropped), *FAKE_ASKED, steps=STRATIFIED, count=COUNT - 40)
    after = samples_of(out)
    gone = FACES.source(dropped).sha256[:16]
    assert not any(gone in key for key in after)
    common = before.keys() & after.keys()
    assert len(common) > COUNT - 60
    assert all(before[key] == after[key] for key in common)


@pytest.mark.slow
def test_faces_passed_over_do_not_end_a_build(tmp_path: Path) -> None:
    """With few faces, many in a row are passed over by chance; their next variants give the samples."""
    manifest = run(
        tmp_path / "set", FakeFaces.of(8), "strata.pose.0-30=0.02", "strata.pose.30-45=0.98",
        "strata.offered.0-30=0.9", "strata.offered.30-45=0.1", steps=STRATIFIED, count=40,
    )  # fmt: skip
    assert len(manifest) == 40
