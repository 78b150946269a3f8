"""Sources of faces: what is listed, what is left out and said, what is refused in one sentence."""

from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
import sys
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

from fdgen.errors import FacesError, PictureError
from fdgen.faces import folders
from fdgen.faces.folders import CelebA, FolderFaces, SampleFaces, Source, open_faces
from fdgen.io.pictures import images


def _picture(seed: int, size: tuple[int, int] = (40, 30), kind: str = "JPEG", **options: Any) -> bytes:
    grain = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), np.uint8)
    buffer = io.BytesIO()
    PIL.Image.fromarray(grain).save(buffer, kind, **options)
    return buffer.getvalue()


def _write(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def _refusal(path: Path) -> FacesError:
    with pytest.raises(FacesError) as caught:
        open_faces(path).sources()
    assert str(path) in caught.value.message
    assert "\n" not in caught.value.message
    assert caught.value.hint
    return caught.value


# --- the samples


@pytest.mark.parametrize("name", [None, "samples"])
def test_the_samples_are_four_people_three_to_train_on(name: str | None) -> None:
    source = open_faces(name)
    assert source.kind == "samples"
    found = source.sources()
    assert [one.split for one in found].count("train") == 3
    assert [one.split for one in found].count("test") == 1
    assert len({one.identity for one in found}) == 4
    assert source.rejects() == []
    assert any("4 people" in note for note in source.notes)
    for one in found:
        data = (source.root / one.path).read_bytes()
        assert hashlib.sha256(data).hexdigest() == one.sha256
        assert len(data) < 150_000
        assert source.read(one).shape == (436, 356, 3)
        assert b"Exif" not in data


def test_every_sample_has_a_source_and_a_licence() -> None:
    listed = (folders.SAMPLES / "SOURCES.md").read_text(encoding="utf-8")
    for one in SampleFaces().sources():
        assert f"`{one.path}`" in listed


# --- a folder of photographs


def test_a_folder_is_read_recursively_in_order_of_paths(tmp_path: Path) -> None:
    _write(tmp_path / "b.jpg", _picture(1))
    _write(tmp_path / "a" / "z.PNG", _picture(2, kind="PNG"))
    _write(tmp_path / "a" / "c" / "no_suffix", _picture(3, kind="WEBP"))
    source = open_faces(tmp_path)
    assert isinstance(source, FolderFaces)
    assert [one.path for one in source.sources()] == ["a/c/no_suffix", "a/z.PNG", "b.jpg"]
    assert all(one.identity is None and one.split is None and one.attributes is None for one in source.sources())
    assert [source.read(one).shape for one in source.sources()] == [(30, 40, 3)] * 3


def test_identical_files_count_once_and_broken_ones_are_listed(tmp_path: Path) -> None:
    _write(tmp_path / "a.jpg", _picture(1))
    _write(tmp_path / "copy.jpg", _picture(1))
    _write(tmp_path / "empty.jpg", b"")
    _write(tmp_path / "text.png", b"<html>404</html>")
    _write(tmp_path / "phone.heic", b"\0\0\0\x18ftypqt  ")
    (tmp_path / "gone.jpg").symlink_to(tmp_path / "nowhere")
    source = FolderFaces(tmp_path)
    assert [one.path for one in source.sources()] == ["a.jpg"]
    reasons = {reject.source: reject.reason for reject in source.rejects()}
    assert reasons == {
        "copy.jpg": "duplicate",
        "empty.jpg": "empty-file",
        "gone.jpg": "unreadable",
        "phone.heic": "not-a-picture",
        "text.png": "not-a-picture",
    }
    assert "a.jpg" in next(reject.detail for reject in source.rejects() if reject.reason == "duplicate")


def test_other_files_are_ignored_but_counted(tmp_path: Path) -> None:
    _write(tmp_path / "a.jpg", _picture(1))
    for name in ("notes.txt", "index.csv", "deep/readme.md"):
        _write(tmp_path / name, b"text")
    _write(tmp_path / "._a.jpg", b"resource fork")
    _write(tmp_path / ".thumbnails" / "a.jpg", _picture(2))
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")  # opening it would wait for ever
    source = FolderFaces(tmp_path)
    assert [one.path for one in source.sources()] == ["a.jpg"]
    assert source.rejects() == []
    n_other = 4 if hasattr(os, "mkfifo") else 3
    assert any(note.endswith(f"no pictures: {n_other}") for note in source.notes)
    assert any(note.endswith("hidden: 1") for note in source.notes)


def test_links_are_followed_and_loops_end(tmp_path: Path) -> None:
    root = tmp_path / "faces"
    _write(root / "a" / "1.jpg", _picture(1))
    _write(tmp_path / "elsewhere" / "2.jpg", _picture(2))
    (root / "a" / "up").symlink_to(root)
    (root / "linked").symlink_to(tmp_path / "elsewhere")
    (root / "loop").symlink_to(root / "loop")
    assert [one.path for one in FolderFaces(root).sources()] == ["a/1.jpg", "linked/2.jpg"]


def test_a_dataset_of_ours_below_the_folder_is_left_out(tmp_path: Path) -> None:
    _write(tmp_path / "a.jpg", _picture(1))
    _write(tmp_path / "out" / "dataset.json", b'{"spec_id": "ab"}')
    _write(tmp_path / "out" / "preview.jpg", _picture(2))
    source = FolderFaces(tmp_path)
    assert [one.path for one in source.sources()] == ["a.jpg"]
    assert any("skipped: out" in note for note in source.notes)


@pytest.mark.skipif(sys.platform != "linux", reason="other file systems refuse such a name")
def test_a_name_that_no_manifest_could_hold_is_rejected(tmp_path: Path) -> None:
    _write(tmp_path / "a.jpg", _picture(1))
    with open(os.fsencode(tmp_path) + b"/caf\xe9.jpg", "wb") as file:
        file.write(_picture(2))
    rejects = FolderFaces(tmp_path).rejects()
    assert [(reject.source, reject.reason) for reject in rejects] == [("caf\\xe9.jpg", "bad-name")]
    json.dumps(rejects[0].source, ensure_ascii=False).encode()


def test_listing_tells_its_progress(tmp_path: Path) -> None:
    for number in range(3):
        _write(tmp_path / f"{number}.jpg", _picture(number))
    seen: list[tuple[int, int]] = []
    source = FolderFaces(tmp_path)
    source.sources(lambda done, of: seen.append((done, of)))
    source.sources(lambda done, of: seen.append((done, of)))  # known by now
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_a_photograph_that_changed_or_went_away_is_not_read(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.jpg", _picture(1))
    source = FolderFaces(tmp_path)
    (listed,) = source.sources()
    path.write_bytes(_picture(2))
    with pytest.raises(PictureError, match=r"a\.jpg has changed since") as caught:
        source.read(listed)
    assert caught.value.reason == "changed"
    path.unlink()
    with pytest.raises(PictureError, match=r"a\.jpg cannot be read") as caught:
        source.read(listed)
    assert caught.value.reason == "unreadable"


def test_sources_travel_light_to_a_worker(tmp_path: Path) -> None:
    for number in range(50):
        _write(tmp_path / f"{number:02}.png", _picture(number, kind="PNG"))
    source = FolderFaces(tmp_path)
    listed = source.sources()
    packed = pickle.dumps(source)
    assert len(packed) < 500
    assert np.array_equal(pickle.loads(packed).read(listed[7]), source.read(listed[7]))


# --- what is no folder of faces


def test_a_file_too_large_to_be_a_photograph_is_not_read_whole(tmp_path: Path) -> None:
    _write(tmp_path / "good.jpg", _picture(1))
    with _write(tmp_path / "huge.jpg", _picture(2)).open("r+b") as file:
        file.truncate(1 << 40)  # a hole: it takes no room
    source = FolderFaces(tmp_path)
    assert [one.path for one in source.sources()] == ["good.jpg"]
    assert [(reject.source, reject.reason) for reject in source.rejects()] == [("huge.jpg", "too-large")]


def test_a_folder_without_name_is_not_the_current_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _write(tmp_path / "good.jpg", _picture(1))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FacesError, match="has no name"):
        open_faces("")


def test_each_wrong_folder_gets_its_own_sentence(tmp_path: Path) -> None:
    assert "there is no folder" in _refusal(tmp_path / "missing").message
    assert "is a file" in _refusal(_write(tmp_path / "faces.zip", b"PK")).message
    (tmp_path / "empty").mkdir()
    assert "there is no picture" in _refusal(tmp_path / "empty").message
    _write(tmp_path / "texts" / "a.txt", b"text")
    assert "there is no picture" in _refusal(tmp_path / "texts").message
    _write(tmp_path / "broken" / "a.jpg", b"")
    assert "can be used: 1 rejected (empty-file)" in _refusal(tmp_path / "broken").message
    assert "a.jpg" in _refusal(tmp_path / "broken").message


def test_a_dataset_given_as_faces_is_refused(tmp_path: Path) -> None:
    _write(tmp_path / "set" / "dataset.json", b'{"spec_id": "ab"}')
    _write(tmp_path / "set" / "preview.jpg", _picture(1))
    assert "dataset that fdgen wrote" in _refusal(tmp_path / "set").message
    _write(tmp_path / "other" / "dataset.json", b'{"images": []}')  # another program's file of that name
    _write(tmp_path / "other" / "a.jpg", _picture(1))
    assert len(open_faces(tmp_path / "other").sources()) == 1


# --- CelebA


def _celeba(root: Path, size: tuple[int, int] = (178, 218), folder: str = "img_align_celeba") -> Path:
    for number in range(1, 5):
        _write(root / folder / f"{number:06}.jpg", _picture(number, size))
    return root


def _lists(folder: Path, names: list[str]) -> None:
    _write(folder / "identity_CelebA.txt", "".join(f"{name} {2880 + n}\n" for n, name in enumerate(names)).encode())
    _write(folder / "list_eval_partition.txt", "".join(f"{name} {n % 3}\n" for n, name in enumerate(names)).encode())
    rows = "".join(f"{name} {'1 -1  1' if n % 2 else '-1 -1 -1'}\n" for n, name in enumerate(names))
    attributes = f"{len(names)}\nEyeglasses Male Wearing_Hat \n{rows}"
    _write(folder / "list_attr_celeba.txt", attributes.encode())


def test_celeba_with_its_lists_knows_people_splits_and_attributes(tmp_path: Path) -> None:
    _lists(_celeba(tmp_path), [f"{number:06}.jpg" for number in range(1, 5)])
    source = open_faces(tmp_path)
    assert isinstance(source, CelebA)
    assert source.notes == ()
    first, second, third, fourth = source.sources()
    assert (first.path, first.identity, first.split, first.attributes) == ("000001.jpg", "2880", "train", ())
    assert (second.split, second.attributes) == ("val", ("Eyeglasses", "Wearing_Hat"))
    assert (third.split, fourth.split) == ("test", "train")
    assert source.read(first).shape == (218, 178, 3)


def test_celeba_as_kaggle_packs_it(tmp_path: Path) -> None:
    _celeba(tmp_path, folder="img_align_celeba/img_align_celeba")
    _write(tmp_path / "list_eval_partition.csv", b"image_id,partition\n000001.jpg,2\n000002.jpg,0\n\n")
    _write(tmp_path / "list_attr_celeba.csv", b"image_id,Bald,Young\n000001.jpg,-1,1\n000002.jpg,1,1\n")
    first, second = open_faces(tmp_path).sources()[:2]
    assert (first.split, first.attributes, first.identity) == ("test", ("Young",), None)
    assert (second.split, second.attributes) == ("train", ("Bald", "Young"))


def test_celebas_five_points_are_read_where_they_are(tmp_path: Path) -> None:
    _celeba(tmp_path)
    assert CelebA(tmp_path).annotated_points() == {}
    path = tmp_path / "list_landmarks_align_celeba.txt"
    _write(path, b"1\nlefteye_x lefteye_y etc\n000001.jpg 69  109 106 113  77 142  73 152 108 154\n")
    points = CelebA(tmp_path).annotated_points()["000001.jpg"]
    assert points[:2].tolist() == [[69, 109], [106, 113]]
    _write(path, b"1\nlefteye_x etc\n000001.jpg 69 109 106 x 77 142 73 152 108 154\n")
    with pytest.raises(FacesError, match="line 3"):
        CelebA(tmp_path).annotated_points()


def test_celeba_is_the_same_from_whichever_folder_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _lists(_celeba(tmp_path), [f"{number:06}.jpg" for number in range(1, 5)])
    from_root, from_images = open_faces(tmp_path), open_faces(tmp_path / "img_align_celeba")
    assert from_root.sources() == from_images.sources()
    monkeypatch.chdir(tmp_path / "img_align_celeba")
    from_within = open_faces(".")
    monkeypatch.chdir(tmp_path)
    assert from_within.sources() == from_root.sources()
    assert from_within.read(from_within.sources()[0]).shape == (218, 178, 3)


@pytest.mark.parametrize(
    ("images_in", "lists_in"),
    [("Img/img_align_celeba", "Anno"), ("img_align_celeba/img_align_celeba", "."), ("img_align_celeba", "Eval")],
)
def test_celeba_as_it_is_downloaded(tmp_path: Path, images_in: str, lists_in: str) -> None:
    _celeba(tmp_path, folder=images_in)
    _lists(tmp_path / lists_in, [f"{number:06}.jpg" for number in range(1, 5)])
    source = open_faces(tmp_path)
    assert isinstance(source, CelebA)
    assert source.sources()[0].identity == "2880"


def test_celeba_says_which_lists_are_missing_and_what_that_costs(tmp_path: Path) -> None:
    notes = open_faces(_celeba(tmp_path, size=(89, 109))).notes
    assert len(notes) == 4
    assert any("identity_CelebA.txt is missing" in note and "two splits" in note for note in notes)
    assert any("list_eval_partition.txt is missing" in note for note in notes)
    assert any("list_attr_celeba.txt is missing" in note for note in notes)
    assert any("89x109" in note for note in notes)


def test_celeba_says_whom_its_lists_lack(tmp_path: Path) -> None:
    _lists(_celeba(tmp_path), ["000001.jpg", "000002.jpg", "009999.jpg"])
    source = open_faces(tmp_path)
    assert [one.identity for one in source.sources()] == ["2880", "2881", None, None]
    assert sum("lacks 2 of the 4 images" in note for note in source.notes) == 3


def test_celeba_rejects_duplicates_and_broken_files(tmp_path: Path) -> None:
    _celeba(tmp_path)
    _write(tmp_path / "img_align_celeba" / "000003.jpg", _picture(1, (178, 218)))
    _write(tmp_path / "img_align_celeba" / "000004.jpg", b"")
    source = open_faces(tmp_path)
    assert [one.path for one in source.sources()] == ["000001.jpg", "000002.jpg"]
    assert [reject.reason for reject in source.rejects()] == ["duplicate", "empty-file"]


@pytest.mark.parametrize(
    ("name", "text", "where"),
    [
        ("identity_CelebA.txt", "000001.jpg 1\n000002.jpg\n", "line 2"),
        ("list_eval_partition.txt", "000001.jpg 7\n", "line 1"),
        ("list_attr_celeba.txt", "1\nA B\n000001.jpg 1\n", "line 3"),
        ("identity_CelebA.txt", "\xff\xfe", "cannot be read"),
    ],
)
def test_a_malformed_list_is_named_with_the_line(tmp_path: Path, name: str, text: str, where: str) -> None:
    _celeba(tmp_path)
    _write(tmp_path / name, text.encode("latin-1"))
    with pytest.raises(FacesError, match=name) as caught:
        open_faces(tmp_path).sources()
    assert where in caught.value.message


def test_an_empty_image_folder_is_no_celeba(tmp_path: Path) -> None:
    (tmp_path / "img_align_celeba").mkdir()
    _refusal(tmp_path)
    with pytest.raises(FacesError, match="is not CelebA"):
        CelebA(tmp_path)


def test_a_source_knows_nothing_that_it_was_not_told() -> None:
    assert Source("a.jpg", "00") == Source("a.jpg", "00", None, None, None)


def test_the_header_alone_tells_the_size() -> None:
    assert images.picture_size(_picture(1, (89, 109)), name="a") == (89, 109)
