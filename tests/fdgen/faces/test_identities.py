"""Who is on a photograph that is not CelebA's: `identities.csv`, or the folder; nobody is then in two splits."""

from __future__ import annotations

from pathlib import Path

import pytest

from fdgen.contract.manifest import Manifest
from fdgen.errors import FacesError, RecipeError
from fdgen.faces.folders import open_faces
from fdgen.faces.identities import with_people
from fdgen.pipeline.builder import plan_build
from fdgen.recipe.schema import Recipe
from tests.fdgen.faces.test_faces import _picture, _write
from tests.support.fake_build import STEPS, recipe
from tests.support.fake_build import run as build_fake

PEOPLE = 20


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty photographs: three of each person, in a folder of their own."""
    root = tmp_path_factory.mktemp("people")
    for number in range(3 * PEOPLE):
        _write(root / f"p{number // 3:03}" / f"{number:05}.jpg", _picture(number))
    return root


def splits_of(manifest: Manifest) -> dict[str, set[str]]:
    table = manifest.samples()
    return {person: set(own["split"]) for person, own in table.groupby("identity")}


def test_people_in_folders_are_in_one_split_each(people: Path, tmp_path: Path) -> None:
    asked = ("faces.identity=folder", "splits.train=0.6", "splits.val=0.2", "splits.test=0.2")
    manifest = build_fake(tmp_path / "out", open_faces(people), *asked)  # type: ignore[arg-type]
    found = splits_of(manifest)
    assert len(found) > PEOPLE / 2
    assert all(len(splits) == 1 for splits in found.values())
    assert len(set.union(*found.values())) > 1
    assert set(manifest.table["identity"]) <= {f"p{number:03}" for number in range(PEOPLE)}
    assert manifest.dataset["splits"]["basis"] == "identity"
    assert manifest.dataset["recipe"]["faces"]["identity"] == "folder"
    notes = " ".join(manifest.dataset["notes"])
    assert "nobody is in two splits" in notes
    assert f"{PEOPLE} people" in notes
    assert "no identities are known" not in notes
    again = plan_build(recipe(*asked), open_faces(people), tmp_path / "out", steps=STEPS)
    assert again.spec_id == manifest.dataset["spec_id"]


def test_without_it_photographs_are_split_one_by_one(people: Path, tmp_path: Path) -> None:
    asked = ("splits.train=0.6", "splits.val=0.2", "splits.test=0.2")
    plan = plan_build(recipe(*asked), open_faces(people), steps=STEPS)
    assert any("one person may be in two splits" in note for note in plan.notes)
    assert any("no identities are known" in note for note in plan.notes)


def test_folders_of_one_name_are_one_person(tmp_path: Path) -> None:
    for number, path in enumerate(("train/ann/1.jpg", "test/ann/2.jpg", "bob/3.jpg", "4.jpg")):
        _write(tmp_path / path, _picture(number))
    source = with_people("folder", open_faces(tmp_path))
    assert {one.path: one.identity for one in source.sources()} == {
        "4.jpg": None, "bob/3.jpg": "bob", "test/ann/2.jpg": "ann", "train/ann/1.jpg": "ann",
    }  # fmt: skip
    assert any("1 of the 4 photographs are in no folder" in note for note in source.notes)
    assert source.read(source.sources()[0]).shape == (30, 40, 3)


def test_photographs_without_folders_are_refused(tmp_path: Path) -> None:
    _write(tmp_path / "1.jpg", _picture(1))
    for faces in (open_faces(tmp_path), open_faces("samples")):
        with pytest.raises(FacesError, match=r"faces\.identity is 'folder', but no photograph in") as caught:
            with_people("folder", faces).sources()
        assert "identities.csv" in (caught.value.hint or "")


def test_a_setting_that_nobody_made_changes_no_digest() -> None:
    assert "identity" not in Recipe.load().as_dict()["faces"]
    assert Recipe.load("default", ["faces.identity=auto"]).digest() == Recipe.load().digest()
    by_folder = Recipe.load("default", ["faces.identity=folder"])
    assert by_folder.digest() != Recipe.load().digest()
    assert Recipe.from_dict(by_folder.as_dict()) == by_folder
    assert "max_outside" not in Recipe.load().as_dict()["faces"]
    wide = Recipe.load("default", ["faces.max_outside=0.3"])
    assert wide.digest() != Recipe.load().digest()
    assert Recipe.from_dict(wide.as_dict()) == wide
    with pytest.raises(RecipeError, match=r"faces\.max_outside must be"):
        Recipe.load("default", ["faces.max_outside=0.6"])
    with pytest.raises(RecipeError, match=r"faces\.identity must be one of"):
        Recipe.load("default", ["faces.identity=name"])


# --- identities.csv


def _three(root: Path, text: str) -> Path:
    for number in range(3):
        _write(root / "deep" / f"{number}.jpg", _picture(number))
    return _write(root / "identities.csv", text.encode())


@pytest.mark.parametrize("head", ["", "path,person\n", "\ufeffpath,person\n", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_list_of_ones_own_names_people(tmp_path: Path, head: str, end: str) -> None:
    lines = 'deep/0.jpg,ann\n./deep/1.jpg,"Bo, Jr"\ndeep\\2.jpg , ann\n\n'
    _three(tmp_path, (head + lines).replace("\n", end))
    source = open_faces(tmp_path)
    assert [one.identity for one in source.sources()] == ["ann", "Bo, Jr", "ann"]
    assert source.notes == ()


def test_whom_the_list_lacks_is_said(tmp_path: Path) -> None:
    _three(tmp_path, "deep/0.jpg,ann\ngone.jpg,bo\n")
    source = open_faces(tmp_path)
    assert [one.identity for one in source.sources()] == ["ann", None, None]
    assert any("lacks 2 of the 3 photographs" in note for note in source.notes)
    assert any("names files that are missing, or are rejected: 1" in note for note in source.notes)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("deep/0.jpg\n", "line 1 of {} is malformed: expected 2 columns, found 1"),
        ("path,person\ndeep/0.jpg,ann,7\n", "line 2 of {} is malformed: expected 2 columns, found 3"),
        ("deep/0.jpg,ann\n\ndeep/1.jpg,\n", "line 3 of {} is malformed: the person is missing"),
        ("deep/0.jpg,ann\ndeep/0.jpg,bo\n", "line 2 of {} is malformed: deep/0.jpg shows another person"),
        ("path,person\nother.jpg,ann\n", "{} names none of the 3 photographs here, such as deep/0.jpg"),
        ("", "{} names none of the 3 photographs here"),
        ("\udcff\udcfe,x\n", "{} cannot be read"),
    ],
)
def test_a_malformed_list_is_refused_by_line(tmp_path: Path, text: str, why: str) -> None:
    path = _three(tmp_path, "")
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(FacesError) as caught:
        open_faces(tmp_path).sources()
    assert why.format(path) in caught.value.message
    assert caught.value.hint
