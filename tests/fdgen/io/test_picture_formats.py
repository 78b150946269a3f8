"""Both programs read the same files: every format, whatever stands behind the picture, and refuse the same ones."""

from __future__ import annotations

import importlib
import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from fdgen.errors import PictureError
from fdgen.faces.folders import FolderFaces
from fdgen.io.pictures import formats, images, jpeg
from fdgen.io.pictures.formats import HEAD_BYTES, PICTURE_FORMATS, PICTURE_SUFFIXES, picture_format, pillow_formats
from fdtrain.data.pictures import decode_grey
from fdtrain.restoration.files import read_photo_file
from tests.support.sets import smooth_face

PHOTO = np.ascontiguousarray(smooth_face(3, 90)[:70])
NAMES = [one.name for one in PICTURE_FORMATS]
JUNK = b"\0\0\0\x18ftypmp42\0\0\0\0isommp42" + b"\x01\x02\xff\xda\x03\x04acTL\xff\xd9" * 20


def encoded(name: str, picture: np.ndarray = PHOTO, **options: object) -> bytes:
    if name == "HEIF":
        pytest.importorskip("pillow_heif")
        pillow_formats(b"\0\0\0\x1cftypheic")  # lets Pillow know of it
    buffer = io.BytesIO()
    PIL.Image.fromarray(picture).save(buffer, name, **options)  # type: ignore[arg-type]
    return buffer.getvalue()


def by_both(path: Path) -> tuple[np.ndarray, np.ndarray]:
    return images.decode(path.read_bytes(), name=path.name), read_photo_file(path).picture_HWC


def refused_by_both(path: Path) -> str:
    reasons = set()
    for read in (lambda: images.decode(path.read_bytes(), name=path.name), lambda: read_photo_file(path)):
        with pytest.raises(PictureError) as caught:
            read()
        assert path.name in caught.value.message
        assert caught.value.hint
        reasons.add(caught.value.reason)
    assert len(reasons) == 1
    return reasons.pop()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("after", [b"", JUNK], ids=["alone", "with a film behind it"])
def test_every_format_is_read_by_both(tmp_path: Path, name: str, after: bytes) -> None:
    data = encoded(name) + (after if name != "JPEG2000" else b"")  # OpenJPEG wants a file to end; no phone writes it
    assert picture_format(data[:HEAD_BYTES]) == name
    suffix = PICTURE_FORMATS[NAMES.index(name)].suffixes[0]
    for path in (tmp_path / f"a{suffix}", tmp_path / "named.wrong"):
        path.write_bytes(data)
        for found in by_both(path):
            assert found.shape == PHOTO.shape
            assert np.abs(found.astype(int) - PHOTO).mean() < 8
    assert decode_grey(data, "a mask").shape == PHOTO.shape[:2]
    assert [one.path for one in FolderFaces(tmp_path).sources()] == [f"a{suffix}"]


@pytest.mark.parametrize("name", ["JPEG2000", "AVIF", "HEIF", "GIF"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_half_a_file_is_no_picture(tmp_path: Path, name: str, share: float) -> None:
    data = encoded(name)
    (tmp_path / "a.x").write_bytes(data[: int(share * len(data))])
    with pytest.raises(PictureError):
        images.decode((tmp_path / "a.x").read_bytes(), name="a.x")
    with pytest.raises(PictureError, match=r"a\.x (is damaged|is not a picture)") as caught:
        read_photo_file(tmp_path / "a.x")
    assert " object at 0x" not in caught.value.message  # as Pillow calls a file that it was given as bytes


@pytest.mark.parametrize("name", ["AVIF", "HEIF"])
def test_decoding_is_the_same_each_time_and_upright(tmp_path: Path, name: str) -> None:
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    (tmp_path / "a.x").write_bytes(encoded(name, exif=exif))
    # HEIC is turned by a property of its own, which its reader follows: its EXIF data must not turn it once more.
    upright = PHOTO if name == "HEIF" else PHOTO.transpose(1, 0, 2)[:, ::-1]
    first = by_both(tmp_path / "a.x")
    for found in (*first, *by_both(tmp_path / "a.x")):
        assert found.shape == upright.shape
        assert np.abs(found.astype(int) - upright).mean() < 8
        np.testing.assert_array_equal(found, first[0])


@pytest.fixture
def without_readers(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine on which neither pillow-heif nor a Pillow with AVIF is installed."""
    formats._reads.cache_clear()
    found = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "pillow_heif" else found(name))
    monkeypatch.setattr("PIL.features.check", lambda feature: False)
    yield
    formats._reads.cache_clear()


@pytest.mark.usefixtures("without_readers")
@pytest.mark.parametrize(
    ("brand", "title", "cure"), [("heic", "HEIC", "pip install pillow-heif"), ("avif", "AVIF", "pillow>=11.3")]
)
def test_what_nothing_here_reads_is_refused_with_the_cure(tmp_path: Path, brand: str, title: str, cure: str) -> None:
    path = tmp_path / f"phone.{brand}"
    path.write_bytes(b"\0\0\0\x18ftyp" + brand.encode() + bytes(80))
    assert refused_by_both(path) == "unsupported"
    with pytest.raises(PictureError, match=f"is {title}, which is not read here") as caught:
        read_photo_file(path)
    assert cure in (caught.value.hint or "")
    (tmp_path / "a.png").write_bytes(encoded("PNG"))
    rejects = FolderFaces(tmp_path).rejects()
    assert [(one.source, one.reason) for one in rejects] == [(path.name, "unsupported")]
    assert cure in rejects[0].detail


def test_a_heic_of_rubbish_is_damaged(tmp_path: Path) -> None:
    pytest.importorskip("pillow_heif")
    (tmp_path / "photo.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(range(64)))
    assert refused_by_both(tmp_path / "photo.heic") == "corrupt"
    with pytest.raises(PictureError, match="is not a picture that can be decoded: its size is missing"):
        read_photo_file(tmp_path / "photo.heic")


def test_suffixes_are_small_and_belong_to_one_format() -> None:
    listed = [suffix for one in PICTURE_FORMATS for suffix in one.suffixes]
    assert len(listed) == len(set(listed)) == len(PICTURE_SUFFIXES)
    assert all(suffix == suffix.lower() and suffix.startswith(".") for suffix in listed)


# --- JPEG: what libjpeg complains of


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("n", [1, 7, 8, 9, 64, 3000])
@pytest.mark.parametrize("kind", ["zeros", "noise", "text"])
def test_what_a_camera_left_before_the_end_marker_is_no_damage(
    tmp_path: Path, progressive: bool, n: int, kind: str
) -> None:
    noise = np.random.default_rng(n).integers(0, 255, n, np.uint8).tobytes()
    left = {"zeros": bytes(n), "noise": noise, "text": b"x" * n}[kind]
    for seed in range(4):  # their last bytes use 1 to 8 of their bits
        picture = smooth_face(seed, 72)
        whole = encoded("JPEG", picture, quality=90, progressive=progressive)
        (tmp_path / "a.jpg").write_bytes(whole[:-2] + left + whole[-2:])
        (tmp_path / "whole.jpg").write_bytes(whole)
        for found, wanted in zip(by_both(tmp_path / "a.jpg"), by_both(tmp_path / "whole.jpg"), strict=True):
            np.testing.assert_array_equal(found, wanted)


def test_bytes_before_a_restart_marker_are_damage(tmp_path: Path) -> None:
    data = encoded("JPEG", restart_marker_blocks=4)
    at = data.index(b"\xff\xd1")
    (tmp_path / "a.jpg").write_bytes(data[:at] + b"\x12" * 40 + data[at:])
    assert refused_by_both(tmp_path / "a.jpg") == "corrupt"


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("share", [0.2, 0.5, 0.95])
def test_a_premature_end_is_damage(tmp_path: Path, progressive: bool, share: float) -> None:
    data = encoded("JPEG", quality=90, progressive=progressive)
    cut = data[: int(share * len(data))]
    for name, text in (("cut.jpg", cut), ("mended.jpg", cut + b"\xff\xd9"), ("film.jpg", cut + JUNK)):
        (tmp_path / name).write_bytes(text)
        assert refused_by_both(tmp_path / name) == "corrupt"


def test_most_pictures_that_ran_out_of_blocks_are_seen(tmp_path: Path) -> None:
    """A flipped bit makes the blocks run out early: picture data is then left before the end marker."""
    data = encoded("JPEG", quality=90)
    start, seen, refused = data.index(b"\xff\xda") + 14, 0, 0
    for at in range(start, len(data) - 2, 3):
        broken = bytearray(data)
        broken[at] ^= 0x10
        _, complaint = jpeg._decoded(bytes(broken), 1)
        if "before marker 0xd9" in complaint:
            seen += 1
            try:
                images.decode(bytes(broken), name="a.jpg")
            except PictureError:
                refused += 1
    assert seen > 10
    assert refused > seen / 2


def test_a_damaged_cmyk_jpeg_is_refused_too(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    PIL.Image.fromarray(PHOTO).convert("CMYK").save(buffer, "JPEG")
    data = buffer.getvalue()
    (tmp_path / "a.jpg").write_bytes(data[: len(data) * 3 // 4] + b"\xff\xd9")
    assert refused_by_both(tmp_path / "a.jpg") == "corrupt"
