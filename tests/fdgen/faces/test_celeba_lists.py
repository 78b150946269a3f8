"""CelebA's lists in the dialects that people have them in; what is in none of them is refused by file and line."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

import pytest

from fdgen.errors import FacesError
from fdgen.faces.folders import CelebA, open_faces
from tests.fdgen.faces.test_faces import _picture, _write

NAMES = [f"{number:06}" for number in range(1, 5)]
PEOPLE = ["10", "10", "11", "11"]
CODES = ["0", "1", "2", "0"]
COLUMNS = ["Bald", "Eyeglasses", "Young"]
WORN = [("Eyeglasses", "Young"), ("Young",), (), ("Bald",)]


def _images(root: Path, suffix: str = ".jpg", kind: str = "JPEG") -> Path:
    folder = "img_align_celeba_png" if suffix.lower() == ".png" else "img_align_celeba"
    for number, name in enumerate(NAMES):
        _write(root / folder / f"{name}{suffix}", _picture(number, (178, 218), kind))
    return root


def _rows(name: Callable[[str], str] = "{}.jpg".format, yes: str = "1", no: str = "-1") -> list[list[str]]:
    return [
        [name(one), *(yes if column in worn else no for column in COLUMNS)]
        for one, worn in zip(NAMES, WORN, strict=True)
    ]


def _csv(rows: list[list[str]], *, quoting: int = csv.QUOTE_MINIMAL, end: str = "\n", pad: str = "") -> str:
    text = io.StringIO()
    csv.writer(text, quoting=quoting, lineterminator=end).writerows([[pad + cell for cell in row] for row in rows])
    return text.getvalue()


def _official(root: Path, *, mark: str = "", end: str = "\n", name: Callable[[str], str] = "{}.jpg".format) -> None:
    """The three lists as they are downloaded, saved by an editor that ends lines so and begins files so."""
    for file, lines in (
        ("identity_CelebA.txt", [f"{name(one)} {person}" for one, person in zip(NAMES, PEOPLE, strict=True)]),
        ("list_eval_partition.txt", [f"{name(one)} {code}" for one, code in zip(NAMES, CODES, strict=True)]),
        ("list_attr_celeba.txt", ["4", " ".join(COLUMNS) + " ", *("  ".join(row) for row in _rows(name))]),
    ):
        _write(root / file, (mark + end.join(lines) + end).encode())


def _assert_known(root: Path, *, people: bool = True, splits: bool = True, attributes: bool = True) -> None:
    source = open_faces(root)
    assert isinstance(source, CelebA)
    found = source.sources()
    assert len(found) == len(NAMES)
    if people:
        assert [one.identity for one in found] == PEOPLE
    if splits:
        assert [one.split for one in found] == ["train", "val", "test", "train"]
    if attributes:
        assert [one.attributes for one in found] == WORN
    if people and splits and attributes:
        assert source.notes == ()


@pytest.mark.parametrize(("suffix", "kind"), [(".png", "PNG"), (".JPG", "JPEG"), (".jpeg", "JPEG"), (".webp", "WEBP")])
def test_another_edition_has_the_same_lists(tmp_path: Path, suffix: str, kind: str) -> None:
    _official(_images(tmp_path, suffix, kind))
    _assert_known(tmp_path)


@pytest.mark.parametrize("name", ["{}.jpg", "{}.png", "{}", "img_align_celeba/{}.jpg", "celeba\\{}.JPEG"])
def test_names_are_told_by_their_digits(tmp_path: Path, name: str) -> None:
    _official(_images(tmp_path), name=name.format)
    _assert_known(tmp_path)


def test_a_notebook_makes_numbers_of_names(tmp_path: Path) -> None:
    _official(_images(tmp_path), name=lambda one: str(int(one)))
    _assert_known(tmp_path)


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_editors_may_have_saved_them(tmp_path: Path, mark: str, end: str) -> None:
    _official(_images(tmp_path), mark=mark, end=end)
    _assert_known(tmp_path)


@pytest.mark.parametrize(
    ("yes", "no"),
    [("1", "-1"), ("1", "0"), ("1.0", "-1.0"), ("1.0", "0.0"), ("True", "False"), ("TRUE", "false"), ("1e0", "-1.00")],
)
@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
@pytest.mark.parametrize("pad", ["", " "])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_attributes_in_every_spelling(tmp_path: Path, yes: str, no: str, quoting: int, pad: str, mark: str) -> None:
    text = mark + _csv([["image_id", *COLUMNS], *_rows(yes=yes, no=no)], quoting=quoting, pad=pad, end="\r\n")
    _write(_images(tmp_path) / "list_attr_celeba.csv", text.encode())
    _assert_known(tmp_path, people=False, splits=False)


def test_lists_of_two_columns_as_csv_with_a_head_or_without(tmp_path: Path) -> None:
    people = [[f"{one}.jpg", f"{person}.0"] for one, person in zip(NAMES, PEOPLE, strict=True)]
    splits = [[f"{one}.jpg", code] for one, code in zip(NAMES, ["train", "1.0", "test", "0"], strict=True)]
    for head in ([], [["image_id", "value"]]):
        _write(_images(tmp_path) / "identity_CelebA.csv", _csv(head + people, quoting=csv.QUOTE_ALL).encode())
        _write(tmp_path / "list_eval_partition.csv", _csv(head + splits, pad=" ").encode())
        _assert_known(tmp_path, attributes=False)


def test_the_count_may_be_there_or_not(tmp_path: Path) -> None:
    rows = "\n".join(" ".join(row) for row in _rows())
    for head in ("4\nBald Eyeglasses Young\n", "Bald Eyeglasses Young\n", "image_id Bald Eyeglasses Young\n"):
        _write(_images(tmp_path) / "list_attr_celeba.txt", f"{head}{rows}\n".encode())
        _assert_known(tmp_path, people=False, splits=False)


def test_landmarks_are_found_by_digits_too(tmp_path: Path) -> None:
    text = "\ufeff4\r\nlefteye_x etc\r\n000002.jpg 69 109 106 113.5 77 142 73 152 108 154\r\n"
    _write(_images(tmp_path, ".png", "PNG") / "list_landmarks_align_celeba.txt", text.encode())
    points = CelebA(tmp_path).annotated_points()
    assert list(points) == ["000002.png"]
    assert points["000002.png"][:2].tolist() == [[69, 109], [106, 113.5]]


@pytest.mark.parametrize(
    ("name", "line", "text", "why"),
    [
        ("list_attr_celeba.csv", 3, "image_id,Bald\n000001.jpg,1\n000002.jpg,yes\n", "'yes'"),
        ("list_attr_celeba.csv", 2, "image_id,Bald\n000001.jpg,2\n", "'2'"),
        ("list_attr_celeba.csv", 2, "image_id,Bald\n000001.jpg,\n", "''"),
        ("list_attr_celeba.csv", 2, "image_id,Bald\n000001.jpg,nan\n", "'nan'"),
        ("list_attr_celeba.txt", 3, "4\nBald Young\n000001.jpg 1 x\n", "'x'"),
        ("list_eval_partition.csv", 2, "image_id,partition\n000001.jpg,3\n", "'3'"),
        ("list_eval_partition.txt", 2, "000001.jpg 0\n000002.jpg 0.5\n", "'0.5'"),
        ("identity_CelebA.csv", 1, "000001.jpg,\n", "missing"),
        ("identity_CelebA.txt", 3, "000001.jpg 1\n000002.jpg 2\n1.jpg 2\n", "earlier line"),
        ("identity_CelebA.csv", 1, "000001.jpg;12\n", "2 columns"),
        ("identity_CelebA.txt", 2, "<!DOCTYPE html>\n<html>\n", "2 columns"),
    ],
)
def test_what_is_no_known_spelling_is_refused_by_file_and_line(
    tmp_path: Path, name: str, line: int, text: str, why: str
) -> None:
    path = _write(_images(tmp_path) / name, text.encode())
    with pytest.raises(FacesError) as caught:
        open_faces(tmp_path).sources()
    assert f"line {line} of {path} is malformed" in caught.value.message
    assert why in caught.value.message


@pytest.mark.parametrize(
    ("name", "text", "example"),
    [
        ("identity_CelebA.txt", "000101.jpg 1\n000102.jpg 2\n", "000101.jpg"),
        ("list_eval_partition.csv", "image_id,partition\nphoto-a.jpg,0\n", "photo-a.jpg"),
        ("list_attr_celeba.txt", "1\nBald\n202599.jpg 1\n", "202599.jpg"),
        ("list_attr_celeba.txt", "", "no pictures"),
    ],
)
def test_a_list_of_other_pictures_stops_the_build(tmp_path: Path, name: str, text: str, example: str) -> None:
    path = _write(_images(tmp_path) / name, text.encode())
    with pytest.raises(FacesError) as caught:
        open_faces(tmp_path).sources()
    assert f"{path} is a list of other pictures" in caught.value.message
    assert "none of the 4 here" in caught.value.message
    assert example in caught.value.message
    assert caught.value.hint
