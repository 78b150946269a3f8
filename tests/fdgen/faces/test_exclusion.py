"""Photographs that a recipe leaves out: named in place, in a file or by the marks of the browser, and told of."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from fdgen.contract.manifest import Manifest, read_finished
from fdgen.contract.records import sample_key
from fdgen.dataset.folder import read_dataset
from fdgen.errors import FacesError, RecipeError
from fdgen.faces.exclusion import chosen_faces
from fdgen.recipe.schema import Recipe
from tests.support import fake_build
from tests.support.fake_build import FACES, FakeFaces

TWO = (FACES.source(4), FACES.source(8))


def chosen(*exclude: str) -> list[str]:
    return [one.path for one in chosen_faces(FACES, identity="auto", exclude=exclude).sources()]


def test_they_are_left_out_by_path_and_by_the_key_of_a_sample() -> None:
    everybody = [source.path for source in FACES.sources()]
    wanted = [path for path in everybody if path not in {one.path for one in TWO}]
    assert chosen(TWO[0].path, TWO[1].path) == wanted
    assert chosen(sample_key(TWO[0].sha256, 0), sample_key(TWO[1].sha256, 3), TWO[1].path) == wanted
    faces = chosen_faces(FACES, identity="auto", exclude=[TWO[0].path])
    assert Counter(one.reason for one in faces.rejects()) == {"duplicate": 1, "excluded": 1}
    assert "photographs that the recipe leaves out by name: 1" in faces.notes
    assert chosen_faces(FACES, identity="auto", exclude=()) is FACES


def test_a_name_that_matches_nothing_is_refused_with_the_nearest() -> None:
    with pytest.raises(
        RecipeError, match=r"names 'some/00004.jpeg', and no photograph .* did you mean 'some/00004.jpg'"
    ):
        chosen("some/00004.jpeg")
    with pytest.raises(RecipeError, match="names 'f0123456789abcdef-0', and no photograph"):
        chosen("f0123456789abcdef-0")
    assert len(chosen("some/twin.jpg")) == len(FACES.numbers)  # a file that cannot be used may be named
    nobody = chosen_faces(FakeFaces.of(2), identity="auto", exclude=["some/00000.jpg", "some/00001.jpg"])
    with pytest.raises(FacesError, match="excluded"):
        nobody.sources()


@pytest.mark.parametrize("form", ["in place", "recipe's file", "override"])
def test_the_contents_and_not_the_path_are_part_of_the_recipe(form: str, tmp_path: Path) -> None:
    names = [one.path for one in TWO]
    (tmp_path / "photographs.txt").write_text("".join(f"{name}\n" for name in reversed(names)), encoding="utf-8")
    told = {
        "in place": f"[faces]\nexclude = {json.dumps(names)}\n",
        "recipe's file": '[faces]\nexclude = "photographs.txt"\n',
        "override": "[faces]\n",
    }
    (tmp_path / "mine.toml").write_text(told[form], encoding="utf-8")
    overrides = [f"faces.exclude={tmp_path / 'photographs.txt'}"] if form == "override" else []
    recipe = Recipe.load(tmp_path / "mine.toml", overrides)
    assert recipe.as_dict()["faces"]["exclude"] == sorted(names)
    assert str(tmp_path) not in json.dumps(recipe.as_dict())
    assert Recipe.from_dict(recipe.as_dict()) == recipe
    plain = Recipe.load("default")
    assert recipe.digest() != plain.digest()
    assert "exclude" not in plain.as_dict()["faces"]  # recipes of before keep their digests


def test_files_that_hold_no_names_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"the names in .*nowhere.txt cannot be read"):
        Recipe.load("default", [f"faces.exclude={tmp_path / 'nowhere.txt'}"])
    (tmp_path / "picture.jpg").write_bytes(b"\xff\xd8\xff\xe0")
    with pytest.raises(RecipeError, match="is no list of names: it is not UTF-8"):
        Recipe.load("default", [f"faces.exclude={tmp_path / 'picture.jpg'}"])


def test_a_build_leaves_them_out_and_says_so(tmp_path: Path) -> None:
    fake_build.run(tmp_path / "less", FACES, f'faces.exclude=["{TWO[0].path}"]')
    fake_build.run(tmp_path / "all", FACES)
    less, everything = (Manifest.load(tmp_path / name).table for name in ("less", "all"))
    assert set(everything["source"]) - set(less["source"]) <= {TWO[0].path}
    assert TWO[0].path not in set(less["source"])
    dataset = read_finished(tmp_path / "less")
    assert dataset["rejects"]["excluded"] == 1
    assert any("leaves out by name: 1" in note for note in dataset["notes"])
    known = read_dataset(tmp_path / "all")
    assert known is not None
    assert known["spec_id"] != dataset["spec_id"]
    assert TWO[0].path in (tmp_path / "less" / "rejects.csv").read_text(encoding="utf-8")
