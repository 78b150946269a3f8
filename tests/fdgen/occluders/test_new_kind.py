"""A kind that is added is one module and one row; what was there before it stays what it is."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from fdgen.analysis.worn_already import fits
from fdgen.assets import AssetLibrary
from fdgen.contract.manifest import Manifest
from fdgen.dataset.spec import make_spec, spec_id
from fdgen.errors import RecipeError
from fdgen.exporters.coco import categories
from fdgen.faces.face import Face
from fdgen.faces.folders import SampleFaces
from fdgen.faces.landmarks import Landmarks
from fdgen.faces.sources import Source
from fdgen.kinds import KINDS, Kind
from fdgen.packs.library import write_index
from fdgen.pipeline.builder import build
from fdgen.pipeline.worker import Steps
from fdgen.recipe.schema import Recipe, recipe_names, recipe_text
from fdgen.verification.verifier import verify
from fdgen.versions.drift import drifts
from fdgen.versions.lock import read_lock
from fdgen.versions.reproduction import reproduce
from tests.support import scenes
from tests.support.fake_build import STEPS, FakeFaces, FakeLibrary
from tests.support.paths import ROOT
from tests.support.snapshots import FACES, build_first

DEMO = ROOT / "data_cards" / "faces-demo-1.0.0"

MODULE = '''
"""A round sticker on the nose."""

from dataclasses import dataclass

import numpy as np

from fdgen.occluders.base import Placement
from fdgen.render.draw import Style, draw
from fdgen.render.mesh import Material, part


@dataclass(frozen=True, slots=True)
class Sticker:
    kind: str

    def place(self, scene, asset, rng):
        values = {"radius_cm": round(float(rng.uniform(*asset.shape["radius_cm"])), 4), "red": 0.8}
        return Placement(self.kind, asset.id, int(rng.integers(2**31)), values)

    def render(self, scene, placement, asset):
        values = placement.values
        angle = np.arange(24) * (2 * np.pi / 24)
        rim = np.column_stack([np.cos(angle), np.sin(angle), np.zeros(24)]) * values["radius_cm"]
        points = np.concatenate([np.zeros((1, 3)), rim]) + scene.mesh_cm[4] + (0.0, 0.0, 0.5)
        faces = np.array([[0, 1 + k, 1 + (k + 1) % 24] for k in range(24)])
        mesh = part(points, faces, Material((values["red"], 0.1, 0.1), two_sided=True))
        return draw(scene, mesh, Style(depth_test=False))
'''

TABLE = """
id = "sticker-round"
kind = "sticker"
title = "Round sticker"
licence = "CC0-1.0"
origin = "painted for a test"

[shape]
radius_cm = [3.0, 4.0]
"""

ROW = Kind("sticker", "sticker_of_a_test:Sticker", parts=("mouth",), height=8, excluded_by=("mask",))


@pytest.fixture
def added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Add a kind, as somebody would: its module and its row; return a pack with one shape of it."""
    (tmp_path / "sticker_of_a_test.py").write_text(MODULE, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(KINDS, ROW.name, ROW)  # type: ignore[arg-type]
    shape = tmp_path / "pack" / "sticker" / "round.toml"
    shape.parent.mkdir(parents=True)
    shape.write_text(TABLE, encoding="utf-8")
    write_index(tmp_path / "pack")
    return tmp_path / "pack"


def posed(source: Source) -> Face:
    number = int(source.path[5:10])
    return dataclasses.replace(scenes.face(yaw_deg=3.0 * number), source=source)


def detect(faces: FakeFaces, wanted: Sequence[Source], **options: Any) -> dict[str, Landmarks]:
    return {source.sha256: posed(source).landmarks for source in wanted}


def load_face(faces: FakeFaces, source: Source, landmarks: Landmarks) -> Face:
    return posed(source)


def test_a_kind_is_built_with_once_it_has_its_row(added: Path, tmp_path: Path) -> None:
    recipe = Recipe.load("masks", ["kinds.mask=0", "kinds.sticker=1", ("assets.packs", [str(added)])])
    assert recipe.kinds.shares() == {"sticker": 1.0}
    steps = dataclasses.replace(Steps.real([str(added)]), detect=detect, load_face=load_face)  # type: ignore[arg-type]
    out = tmp_path / "set"
    manifest = build(recipe, FakeFaces.of(3), out, steps=steps)
    assert [json.loads(kinds) for kinds in manifest.table["kinds"]] == [["sticker"]] * 3
    assert (manifest.table["coverage"] > 0.03).all()
    assert verify(out, deep=True, packs=[added]) == []
    assert [one["name"] for one in categories(set())] == [*KINDS]


def test_its_row_says_where_it_is_worn_and_what_is_in_its_way(added: Path) -> None:
    two = Recipe.load("paper", ["kinds.hand=0", "kinds.sticker=1", "several.two=1"])
    assert set(two.combinations()) == {("mask", "sunglasses"), ("sunglasses", "sticker")}
    assert fits(["sticker"], ["hat"])
    assert not fits(["sticker"], ["mask"])


def test_recipes_and_what_they_ask_for_are_the_same_when_a_kind_is_added(request: pytest.FixtureRequest) -> None:
    def all_of_them() -> list[tuple[str, str, dict[str, Any]]]:
        loaded = [Recipe.load(name, ["kinds.hat=0.5"]) for name in recipe_names()]
        texts = [recipe_text(name) for name in recipe_names()]
        return [(text, one.digest(), one.as_dict()) for text, one in zip(texts, loaded, strict=True)]

    before = all_of_them()
    request.getfixturevalue("added")
    assert all_of_them() == before
    assert Recipe.load("masks", ["kinds.sticker=0"]).digest() == Recipe.load("masks").digest()
    assert Recipe.load("masks", ["kinds.sticker=1"]).digest() != Recipe.load("masks").digest()


def test_a_recipe_of_before_a_kind_was_there_is_read_and_stays_as_it_is() -> None:
    older = Recipe.load("hands").as_dict()
    del older["kinds"]["phone"]
    read = Recipe.from_dict(older)
    assert read.as_dict() == older
    assert read.kinds.shares() == {"hand": 1.0}
    assert read.assets_asked({"hand-a": "1", "phone-a": "2"}) == {"hand-a": "1"}


def test_a_kind_of_a_later_version_is_named() -> None:
    later = Recipe.load("hands").as_dict()
    later["kinds"]["sticker"] = 1.0
    with pytest.raises(RecipeError, match="kinds has 'sticker', which is no kind of this version"):
        Recipe.from_dict(later)


def test_the_published_card_asks_for_the_same_when_a_kind_is_added(added: Path) -> None:
    lock = read_lock(DEMO)
    recipe = Recipe.from_dict(lock.recipe)
    assert recipe.as_dict() == lock.recipe
    assert verify(DEMO) == []
    digests = {**AssetLibrary.load().digests(), "sticker-round": "00" * 32}
    sources = SampleFaces().sources()
    detector = lock.facts["landmarks"]
    asked = recipe.assets_asked(digests)
    assert not [one for one in drifts(lock, recipe, sources, asked, detector, given=True) if one.asked]
    assert spec_id(make_spec(recipe, lock.facts["count"], sources, digests, detector)) == lock.facts["spec_id"]


@pytest.mark.slow
@pytest.mark.sample
@pytest.mark.processor
def test_the_published_card_is_rebuilt_when_a_kind_is_added(added: Path, tmp_path: Path) -> None:
    found = reproduce(DEMO, SampleFaces(), tmp_path / "again", packs=[added])
    # Landmarks by another opencv are asked for otherwise, and nothing is built; recipe and occluders never are.
    assert {one.what for one in found.findings if one.asked} <= {"landmarks"}
    assert found.same or found.findings


def load_library_with_a_sticker() -> FakeLibrary:
    return FakeLibrary((*FakeLibrary().assets, ("sticker-round", "77" * 32)))


def test_a_dataset_of_before_is_verified_and_reproduced(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    first = build_first(tmp_path / "first")
    request.getfixturevalue("added")
    assert verify(first) == []
    steps = dataclasses.replace(STEPS, load_library=load_library_with_a_sticker)
    found = reproduce(first.parent / "card", FACES, tmp_path / "again", steps=steps)
    assert (list(found.findings), found.same) == ([], True)
    assert Manifest.load(tmp_path / "again").dataset["spec_id"] == Manifest.load(first).dataset["spec_id"]


def test_verify_says_so_where_it_cannot_read_the_recipe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Recipe, "as_dict", functools.partialmethod(_with_a_sticker, Recipe.as_dict))
        first = build_first(tmp_path)
    problems = verify(first)
    assert [(one.file, one.law) for one in problems] == [("dataset.json", "recipe")]
    assert "no sample is compared with what it asks for: kinds has 'sticker'" in problems[0].message
    request.getfixturevalue("added")
    assert verify(first) == []


def _with_a_sticker(recipe: Recipe, as_dict: Any) -> dict[str, Any]:
    values: dict[str, Any] = as_dict(recipe)
    return {**values, "kinds": {**values["kinds"], "sticker": 0.5}}


def test_built_in_recipes_ask_for_what_they_always_did() -> None:
    """Since generator 5 halos have another bound and `default` pairs occluders; of late `everything` has few hats."""
    halo = "gates.max_halo=0.08"
    assert Recipe.load("default", ["several.two=0.0", halo]).digest()[:12] == "cb948460c9aa"
    later = ["coverage.max=0.6", *(f"kinds.{kind}=0" for kind in ("goggles", "shield", "veil", "hood"))]
    older = Recipe.load("everything", ["kinds.hat=1", "kinds.scarf=1", halo, *later])
    assert older.digest()[:12] == "f4a353506212"
    digests = {name: Recipe.load(name).digest()[:12] for name in recipe_names() if name not in ("everything", "props")}
    assert digests == {
        "default": "92eb33b036c8",
        "eyewear": "5a38050adfd5",
        "hands": "da3097bdc87c",
        "masks": "9fbb89ea7d26",
        "paper": "5785baa2ffe1",
        "sunglasses": "9c3c6440702c",
    }
    widened = {name: Recipe.load(name, later).digest()[:12] for name in ("everything", "props")}
    assert widened == {"everything": "7c65cc3bcb2a", "props": "429858bd2a07"}  # kinds of later are in them
