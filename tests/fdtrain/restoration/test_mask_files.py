"""Masks of a folder, found by their names: any suffix that is read, any case, and never one of two."""

from __future__ import annotations

from pathlib import Path

import pytest

from fdgen.errors import PictureError
from fdgen.io.pictures.formats import PICTURE_SUFFIXES
from fdtrain.restoration.mask_files import MaskFolder, is_named_as_mask, looked_for


def folder(path: Path, *names: str) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    for name in names:
        (path / name).write_bytes(b"x")
    return path


ENDINGS = [
    *sorted(PICTURE_SUFFIXES),
    ".PNG",
    ".Tif",
    ".mask.png",
    ".mask.TIF",
    "_mask.png",
    "_mask.webp",
    "_mask001.png",
]


@pytest.mark.parametrize("ending", [*ENDINGS, ".jpg.png", ".JPG.png", ".jpg_mask.png"])
@pytest.mark.parametrize("photo", ["a.JPG", "a.jpg", "b.c.jpg"])
def test_a_mask_is_found_whatever_its_suffix(tmp_path: Path, photo: str, ending: str) -> None:
    name = photo.rpartition(".")[0] + ending
    masks = folder(tmp_path / "masks", name, "another.png", "a.txt", "aa.png")
    assert MaskFolder(masks).find(tmp_path / photo) == masks / name


def test_what_is_meant_goes_before_what_may_be_meant(tmp_path: Path) -> None:
    masks = folder(tmp_path, "a.png", "a.mask.png", "k.occluded.png", "k.mask.png", "K.png", "k.png")
    assert MaskFolder(masks).find(Path("a.jpg")) == masks / "a.mask.png"
    assert MaskFolder(masks).find(masks / "k.occluded.png") == masks / "k.mask.png"
    assert MaskFolder(masks).find(Path("K.jpg")) == masks / "k.mask.png"


def test_two_of_equal_right_are_refused(tmp_path: Path) -> None:
    for names in (
        ("a.png", "a.tif"),
        ("a_mask001.png", "a_mask002.png"),
        ("a.png", "a.jpg.png"),
        ("a.PNG", "a_mask.png"),
    ):
        masks = folder(tmp_path / "-".join(names), *names)
        with pytest.raises(PictureError, match=r"has several masks for a\.jpg") as caught:
            MaskFolder(masks).find(Path("a.jpg"))
        assert all(name in caught.value.message for name in names)
        assert caught.value.hint


def test_a_photograph_is_not_its_own_mask(tmp_path: Path) -> None:
    photos = folder(tmp_path, "a.jpg", "b.jpg", "b_mask.png", "c.jpg", "c.png")
    assert MaskFolder(photos).find(photos / "a.jpg") is None
    assert MaskFolder(photos).find(photos / "b.jpg") == photos / "b_mask.png"
    assert MaskFolder(photos).find(photos / "c.jpg", beside=True) is None
    assert is_named_as_mask(photos / "b_mask.png")
    assert not is_named_as_mask(photos / "unmask.png")


def test_the_list_of_what_was_looked_for() -> None:
    assert looked_for(Path("in/d.jpg")) == "d.mask.*, d.*, d_mask.*, d_mask001.* or d.jpg.*"


def test_a_folder_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(PictureError, match="cannot be read"):
        MaskFolder(tmp_path / "missing")
