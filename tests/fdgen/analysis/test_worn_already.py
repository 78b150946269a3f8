"""What a face wears or has before it already: it is noticed, never doubled, and reported in the record."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from fdgen.analysis.worn_already import WORN, detect_preexisting, fits, worn_by
from fdgen.assets import AssetLibrary
from fdgen.contract.manifest import Manifest
from fdgen.contract.records import ADDED, Reject, SampleRecord, Triplet
from fdgen.dataset.tables import MANIFEST, read_manifest
from fdgen.errors import RecipeError
from fdgen.faces.face import Face
from fdgen.faces.folders import SampleFaces
from fdgen.kinds import KINDS
from fdgen.occluders import OCCLUDERS
from fdgen.recipe.schema import FaceChoice, Recipe
from fdgen.render.scene import Analysis, Scene
from fdgen.synthesis.generator import generate, replay
from tests.support import fake_build, scenes

LIBRARY = AssetLibrary.load()
SMALL = {"size_px": 64, "scale_px": 2.35, "shift_px": (32.0, 35.5)}


def small_recipe(*overrides: str) -> Recipe:
    return Recipe.load("default", ["size_px=64", *overrides])


def small_face() -> Face:
    """Make a small synthetic face of which nobody has told what it wears."""
    face = scenes.face(**SMALL)  # type: ignore[arg-type]
    return dataclasses.replace(face, source=dataclasses.replace(face.source, attributes=None))


def wearing(face: Face, *worn: str) -> Analysis:
    return dataclasses.replace(Scene.of(face).analysis, worn=worn)


def test_every_kind_that_is_told_stands_in_some_occluders_way() -> None:
    assert {name for row in KINDS.values() for name in row.excluded_by} == set(WORN)


def test_nothing_is_held_where_a_hand_is_before_the_face_already() -> None:
    held = {name for name, row in KINDS.items() if "held" in row.parts}
    assert held == {name for name, row in KINDS.items() if "hand" in row.excluded_by}


@pytest.mark.parametrize("worn", WORN)
def test_nothing_is_put_where_something_is_worn(worn: str) -> None:
    face = small_face()
    analysis = wearing(face, worn)
    drawn = set()
    for variant in range(12):
        made = generate(face, small_recipe(), LIBRARY, variant, analysis=analysis)
        assert isinstance(made, Triplet)
        assert made.record.worn == (worn,)
        drawn |= set(made.record.kinds)
    assert not [kind for kind in drawn if worn in KINDS[kind].excluded_by]
    assert drawn, "the other kinds are still drawn"


@pytest.mark.parametrize(("kind", "worn"), [("sunglasses", "eyewear"), ("hand", "hand")])
def test_a_face_that_leaves_no_kind_is_rejected_by_reason(kind: str, worn: str) -> None:
    face = small_face()
    only = [f"kinds.{name}={float(name == kind)}" for name in OCCLUDERS]
    refused = generate(face, small_recipe(*only), LIBRARY, analysis=wearing(face, worn))
    assert isinstance(refused, Reject)
    assert refused.reason == "already-worn"
    assert f"the photograph already shows {worn}," in refused.detail, "nobody wears a hand"


def test_exclude_rejects_whatever_is_worn_and_ignore_takes_the_face_as_bare() -> None:
    face = small_face()
    for worn in WORN:
        refused = generate(face, small_recipe("faces.worn=exclude"), LIBRARY, analysis=wearing(face, worn))
        assert isinstance(refused, Reject)
        assert refused.reason == "already-worn"
    for variant in range(4):
        bare = generate(face, small_recipe("faces.worn=ignore"), LIBRARY, variant, analysis=wearing(face))
        worn_anyway = generate(face, small_recipe("faces.worn=ignore"), LIBRARY, variant, analysis=wearing(face, *WORN))
        assert isinstance(bare, Triplet)
        assert isinstance(worn_anyway, Triplet)
        assert np.array_equal(bare.occluded_HWC, worn_anyway.occluded_HWC)
        assert worn_anyway.record.worn == WORN, "what is ignored is told all the same"


def test_a_bare_face_draws_what_it_drew_before() -> None:
    face = small_face()
    for variant in range(4):
        avoiding = generate(face, small_recipe(), LIBRARY, variant, analysis=wearing(face))
        ignoring = generate(face, small_recipe("faces.worn=ignore"), LIBRARY, variant, analysis=wearing(face))
        assert isinstance(avoiding, Triplet)
        assert isinstance(ignoring, Triplet)
        assert np.array_equal(avoiding.occluded_HWC, ignoring.occluded_HWC)


def test_a_combination_fits_where_all_of_it_does() -> None:
    assert fits(("mask", "hand"), ("eyewear", "hat"))
    assert not fits(("mask", "phone"), ("hand",))
    assert not fits(("mask", "sunglasses"), ("eyewear",))
    assert fits(("sunglasses",), ())


def test_attributes_are_believed_where_they_are_known() -> None:
    assert worn_by(None, ("eyewear", "mask")) == ("eyewear", "mask")
    assert worn_by((), ("eyewear", "mask")) == ("mask",), "CelebA says nothing of masks"
    assert worn_by(("Wearing_Hat", "Smiling", "Eyeglasses"), ("mask",)) == ("eyewear", "mask", "hat")
    assert worn_by((), ("hat", "hand")) == ("hand",), "nor of hands"


def test_attributes_decide_in_a_sample() -> None:
    face = small_face()
    told = dataclasses.replace(face, source=dataclasses.replace(face.source, attributes=("Eyeglasses",)))
    made = generate(told, small_recipe(), LIBRARY, analysis=wearing(face))
    assert isinstance(made, Triplet)
    assert made.record.worn == ("eyewear",)
    assert made.record.kinds != ("sunglasses",)
    # A dataset does not hold the attributes, and the record replays without them.
    again = replay(SampleRecord.from_mapping(json.loads(made.record.to_json())), face, LIBRARY)
    assert np.array_equal(again.occluded_HWC, made.occluded_HWC)
    assert again.record.to_json() == made.record.to_json()


@pytest.mark.parametrize("size_px", [64, 128, 256])
def test_the_sample_portraits_are_told_apart(size_px: int) -> None:
    """Grace Hopper wears glasses and a cap; the three others wear nothing."""
    from fdgen.contract.frame import aligned_frame, crop

    faces = SampleFaces()
    for source in faces.sources():
        picture = faces.read(source)
        worn = detect_preexisting(crop(picture, aligned_frame(picture.shape[1], picture.shape[0], size_px), size_px))
        assert worn == (("eyewear", "hat") if source.identity == "grace-hopper" else ()), source.path


@pytest.mark.parametrize(
    ("kind", "worn", "least"), [("hand", "hand", 1), ("mask", "mask", 3), ("sunglasses", "eyewear", 3)]
)
def test_what_is_put_on_a_bare_portrait_is_noticed(kind: str, worn: str, least: int) -> None:
    """Of one put on each of the three bare portraits, so many are seen at least; hands need a high score."""
    from fdgen.synthesis.one_picture import occlude

    faces, seen = SampleFaces(), []
    for source in faces.sources():
        if source.identity != "grace-hopper":
            made = occlude(faces.read(source), kind, seed=1, size_px=256)
            seen.append(worn in detect_preexisting(made.occluded_HWC))
    assert sum(seen) >= least


def test_an_analysis_keeps_what_was_seen() -> None:
    for worn in (("eyewear", "hat"), ("mask", "hand"), ()):
        assert Analysis.from_bytes(wearing(small_face(), *worn).to_bytes()).worn == worn


def test_a_recipe_refuses_another_choice() -> None:
    with pytest.raises(RecipeError, match=r"faces\.worn must be one of 'avoid', 'exclude' or 'ignore', got 'maybe'"):
        Recipe.load("default", ["faces.worn=maybe"])


def test_a_recipe_of_an_older_dataset_ignored_what_is_worn() -> None:
    values = Recipe.load("default").as_dict()
    del values["faces"]
    assert Recipe.from_dict(values).faces == FaceChoice(worn="ignore")


def test_records_without_the_newer_fields_are_read_and_written_as_they_were() -> None:
    made = generate(small_face(), small_recipe(), LIBRARY)
    assert isinstance(made, Triplet)
    values = json.loads(made.record.to_json())
    for name in ("worn", "hair"):
        del values[name]
    older = SampleRecord.from_mapping(values)
    assert older.worn is None
    assert older.hair is None
    assert json.loads(older.to_json()) == values


def test_datasets_made_before_the_newer_fields_are_read_as_ever(tmp_path: Path) -> None:
    root = tmp_path / "set"
    fake_build.run(root, fake_build.FakeFaces.of(12))  # its records have no such fields
    path = root / "manifest.parquet"
    pq.write_table(pq.read_table(path).drop_columns(list(ADDED)), path)
    manifest = Manifest.load(root)
    assert manifest.record(next(iter(manifest))).worn is None
    table = read_manifest(path)
    assert table.schema.equals(MANIFEST)
    assert table.column("worn").null_count == len(table) == len(manifest)
