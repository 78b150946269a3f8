"""What a stranger's picture may cost: it is refused by its header, in a sentence, before a decoder sets room aside."""

from __future__ import annotations

import contextlib
import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import PIL.Image
import pytest

from fdgen.errors import AssetError, PictureError
from fdgen.io.pictures import images, safe_decoding
from fdgen.io.pictures.formats import PICTURE_FORMATS, what_it_needs
from fdgen.io.pictures.headers import MOST_SCANS, SIZES, plain_bytes, plain_png, unpacks_to_more
from fdgen.io.pictures.png import encode_png
from fdgen.io.pictures.safe_decoding import MAX_PIXELS, decode_by_opencv, read_header
from fdgen.render.glb import read_glb
from fdtrain.data.pictures import decode_grey, decode_rgb, member_grey, member_rgb
from fdtrain.demo.visit import read_upload
from fdtrain.restoration.aligned import read_mask
from fdtrain.restoration.files import read_photo_file
from fdtrain.restoration.strokes import read_strokes
from tests.fuzz.harness import CORPUS
from tests.support.cutouts import textured

PHOTO = cv2.GaussianBlur(np.random.default_rng(3).integers(0, 256, (64, 96, 3), np.uint8), (0, 0), 3.0)
READ = [one.name for one in PICTURE_FORMATS if not what_it_needs(one.name)]
MEMBERS = (images.decode_png, lambda data: member_rgb(data, "x"), lambda data: member_grey(data, "x"))
PHOTOGRAPHS = (
    lambda data: images.decode(data, name="x"),
    lambda data: decode_rgb(data, "x"),
    lambda data: decode_grey(data, "x"),
)


def saved(name: str, picture: np.ndarray = PHOTO, mode: str = "", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image = PIL.Image.fromarray(picture)
    (image.convert(mode) if mode else image).save(buffer, name, **options)
    return buffer.getvalue()


def film(name: str) -> bytes:
    others = [PIL.Image.fromarray(np.ascontiguousarray(np.roll(PHOTO, step, 1))) for step in (9, 18)]
    return saved(name, save_all=True, append_images=others)


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width: int, height: int, packed: bytes, *more: bytes, bits: int = 8, colour: int = 2) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    parts = [chunk(b"IHDR", header), *more, chunk(b"IDAT", packed), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def zeros(n_mb: int) -> bytes:
    packer = zlib.compressobj(9)
    return b"".join([packer.compress(bytes(1 << 20)) for _ in range(n_mb)] + [packer.flush()])


def tiff(*entries: tuple[int, int]) -> bytes:
    """Return a TIFF of nothing but a directory of whole numbers."""
    rows = [struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries]
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(rows)) + b"".join(rows) + bytes(400)


def siz(data: bytes, *numbers: int) -> bytes:
    """Return a JPEG 2000 whose codestream says other sides, origins and tiles."""
    at = data.index(b"\xff\x4f\xff\x51") + 8
    return data[:at] + struct.pack(">8I", *numbers) + data[at + 32 :]


@pytest.fixture
def closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """No decoder may be asked."""

    def asked(*arguments: object, **options: object) -> None:
        raise AssertionError("a decoder was asked")

    monkeypatch.setattr(safe_decoding.cv2, "imdecode", asked)
    monkeypatch.setattr(safe_decoding.PIL.Image, "open", asked)


def refused(read: Callable[[], object]) -> PictureError:
    with pytest.raises(PictureError) as caught:
        read()
    assert "\n" not in caught.value.message
    assert caught.value.hint
    return caught.value


# --- sizes


def test_every_format_has_a_reader_of_its_size() -> None:
    assert SIZES.keys() == {one.name for one in PICTURE_FORMATS}


@pytest.mark.parametrize("name", READ)
@pytest.mark.usefixtures("closed")
def test_sides_are_read_without_a_decoder(name: str) -> None:
    data = saved(name)
    assert read_header(data, "x").size[:2] == (96, 64)
    assert read_header(data, "x").format == name


@pytest.mark.parametrize("name", READ)
def test_a_header_that_stops_anywhere_is_refused_or_whole(name: str) -> None:
    data = saved(name)
    for length in range(min(len(data), 700)):
        with contextlib.suppress(PictureError):
            assert read_header(data[:length], "x").size[:2] == (96, 64)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("JPEG", {"progressive": True, "mode": "CMYK"}),
        ("PNG", {"mode": "1"}),
        ("PNG", {"mode": "P", "transparency": 1}),
        ("PNG", {"mode": "LA"}),
        ("WEBP", {"lossless": True}),
        ("WEBP", {"lossless": True, "mode": "RGBA"}),
        ("TIFF", {"big_tiff": True}),
        ("TIFF", {"compression": "tiff_lzw", "mode": "CMYK"}),
        ("BMP", {"mode": "P"}),
        ("GIF", {"mode": "P"}),
        ("JPEG2000", {"no_jp2": True, "tile_size": (32, 32)}),
    ],
)
def test_sides_of_other_kinds(name: str, options: dict[str, Any]) -> None:
    assert read_header(saved(name, **options), "x").size[:2] == (96, 64)


def test_a_gif_whose_picture_is_larger_than_its_screen() -> None:
    data = saved("GIF", mode="P")
    small = data[:6] + struct.pack("<HH", 4, 4) + data[10:]
    assert read_header(small, "x").size[:2] == (96, 64)
    assert images.decode(small, name="x").shape[:2] == (64, 96)


@pytest.mark.parametrize("top_down", [False, True])
def test_a_bitmap_may_begin_with_either_row(top_down: bool) -> None:
    data = saved("BMP")
    turned = data[:22] + struct.pack("<i", -64 if top_down else 64) + data[26:]
    assert read_header(turned, "x").size[:2] == (96, 64)
    old = b"BM" + bytes(8) + struct.pack("<IIHHHH", 26, 12, 96, 64, 1, 24) + bytes(96 * 64 * 3)
    assert read_header(old, "x").size[:2] == (96, 64)


# --- found by fuzzing: each ended the process, or took seconds and gigabytes


@pytest.mark.usefixtures("closed")
@pytest.mark.parametrize("read", MEMBERS)
def test_an_animated_member_is_refused_before_opencv_sees_it(read: Callable[[bytes], object]) -> None:
    for name in ("animated.png", "animated-damaged.png"):  # the second: a segmentation fault
        error = refused(lambda name=name: read((CORPUS / "dataset-png" / name).read_bytes()))
        assert error.reason == "animated"


@pytest.mark.usefixtures("closed")
@pytest.mark.parametrize("read", MEMBERS)
def test_a_member_is_a_png_and_nothing_else(read: Callable[[bytes], object]) -> None:
    files = [saved(name) for name in READ if name != "PNG"]
    for data in (*files, (CORPUS / "dataset-png" / "webp.png").read_bytes(), b"", b"P6 9 9 255\n" + bytes(243)):
        assert refused(lambda data=data: read(data)).reason == "not-a-picture"


@pytest.mark.usefixtures("closed")
@pytest.mark.parametrize("read", [*MEMBERS, *PHOTOGRAPHS])
@pytest.mark.parametrize(
    "file", ["photograph-png/chunk-length.png", "photograph-png/header-length.png", "strokes-png/chunk-length.png"]
)
def test_the_length_of_a_part_is_no_room_set_aside(read: Callable[[bytes], object], file: str) -> None:
    data = (CORPUS / file).read_bytes()
    assert len(data) < 30_000
    assert refused(lambda: read(data)).reason in ("corrupt", "animated")


@pytest.mark.usefixtures("closed")
def test_far_larger_strokes_and_masks_are_refused_unread() -> None:
    path = CORPUS / "strokes-png" / "far-larger.png"
    photo_HWC = np.zeros((96, 96, 3), np.uint8)
    for read in (read_strokes, read_mask):
        error = refused(lambda read=read: read(path, photo_HWC))
        assert (error.reason, "10900x11000" in error.message) == ("mask-size", True)


def test_turned_strokes_and_masks_fit_their_photograph(tmp_path: Path) -> None:
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    drawn_HWC = np.zeros((64, 96, 3), np.uint8)
    drawn_HWC[10:30, 20:50] = (0, 255, 0)
    (tmp_path / "strokes.png").write_bytes(saved("PNG", drawn_HWC, exif=exif))
    (tmp_path / "mask.png").write_bytes(saved("PNG", drawn_HWC[..., 1], exif=exif))
    photo_HWC = np.zeros((96, 64, 3), np.uint8)
    assert read_strokes(tmp_path / "strokes.png", photo_HWC).shape == (96, 64)
    assert read_mask(tmp_path / "mask.png", photo_HWC).shape == (96, 64)
    assert refused(lambda: read_strokes(tmp_path / "strokes.png", photo_HWC[:64])).reason == "mask-size"


def test_a_broken_jpeg_2000_does_not_reach_opencv(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of one whose box and codestream disagree, opencv 4.11 ends the process."""
    monkeypatch.setattr(safe_decoding.cv2, "imdecode", pytest.fail)
    data = (CORPUS / "photograph-jpeg2000" / "sides.jp2").read_bytes()
    for read in PHOTOGRAPHS:
        assert refused(lambda read=read: read(data)).reason == "corrupt"


@pytest.mark.usefixtures("closed")
@pytest.mark.parametrize("read", MEMBERS)
def test_a_png_without_its_end_does_not_reach_opencv(read: Callable[[bytes], object]) -> None:
    """Opencv 4.11 read a length from memory that was never written, and set that aside: a gigabyte, or none."""
    data = saved("PNG")
    for cut in (data[:33], data[:-12], data[:-4], data[:-1], data[:33] + data[-12:]):
        assert refused(lambda cut=cut: read(cut)).reason == "corrupt"


# --- bombs


@pytest.mark.usefixtures("closed")
@pytest.mark.parametrize(
    ("data", "words"),
    [
        (png(10_000, 10_000, zeros(1)), "part of its data is missing"),
        (png(96, 96, zeros(100)), "its pixels have more bytes than its size needs"),
        (tiff((256, 96), (257, 96), (322, 16384), (323, 16384)), "its tiles are larger than its picture"),
        (tiff((256, 96), (257, 96), (258, 64), (277, 65535)), "its pixels have too many channels"),
        (tiff((256, 0), (257, 96)), "its header says that it has no pixels"),
        (siz(b"\xff\x4f\xff\x51" + bytes(60), 60000, 1000, 0, 0, 1, 1000, 0, 0), "more tiles than its size needs"),
        (siz(b"\xff\x4f\xff\x51" + bytes(60), 96, 64, 96, 0, 96, 64, 0, 0), "its header is broken"),
    ],
    ids=["nothing there", "idat", "tiles", "channels", "no pixels", "tiles of jpeg 2000", "nothing left of it"],
)
def test_numbers_that_cost_more_than_the_size_says(data: bytes, words: str) -> None:
    if data.startswith(b"\xff\x4f") and what_it_needs("JPEG2000"):
        pytest.skip("no OpenJPEG")
    for read in PHOTOGRAPHS:
        error = refused(lambda read=read: read(data))
        assert words in error.message
        assert error.reason == "corrupt"


@pytest.mark.usefixtures("closed")
@pytest.mark.parametrize("read", [*MEMBERS, *PHOTOGRAPHS])
def test_more_than_the_limit_is_refused_unread(read: Callable[[bytes], object]) -> None:
    assert MAX_PIXELS < 12_000 * 11_000
    assert refused(lambda: read(png(12_000, 11_000, b"x"))).reason == "too-large"


def test_pixels_that_unpack_to_more_than_the_size_needs() -> None:
    plain = bytes(plain_bytes(1200, 1200, 8, 2))
    noise = np.random.default_rng(0).bytes(2_500_000)
    packed = zlib.compress(noise + zeros(0) + plain)
    data = png(1200, 1200, packed)
    assert len(packed) > 1 << 21
    assert unpacks_to_more(data)
    assert refused(lambda: decode_rgb(data, "x")).reason == "corrupt"
    whole = encode_png(np.random.default_rng(0).integers(0, 256, (1000, 1000, 3), np.uint8))
    assert not unpacks_to_more(whole)
    assert images.decode_png(whole).shape == (1000, 1000, 3)


def test_texts_and_profiles_are_not_unpacked() -> None:
    rows = zlib.compress(b"".join(b"\0" + row.tobytes() for row in PHOTO))
    parts = (chunk(b"iCCP", b"a\0\0" + zeros(9)), chunk(b"zTXt", b"a\0\0" + zeros(9)))
    data = png(96, 64, rows, *parts)
    assert plain_png(data) == png(96, 64, rows)
    assert np.array_equal(images.decode_png(data), PHOTO)
    assert np.array_equal(decode_rgb(data, "x"), PHOTO)


def test_a_jpeg_of_a_thousand_scans() -> None:
    data = saved("JPEG", mode="L", progressive=True)
    at = data.rindex(b"\xff\xda")
    scan = data[at:-2]
    for n_scans, wanted in ((20, False), (MOST_SCANS + 20, True)):
        many = data[:-2] + scan * n_scans + b"\xff\xd9"
        if wanted:
            assert "scans" in refused(lambda many=many: images.decode(many, name="x")).message
        else:
            assert read_header(many, "x").size[:2] == (96, 64)
    behind = data + b"\xff\xda" * (2 * MOST_SCANS)  # as in a film that stands behind a photograph
    assert read_header(behind, "x").size[:2] == (96, 64)


# --- what was read before is read still


@pytest.mark.parametrize("name", ["PNG", "WEBP", "GIF", "TIFF"])
def test_the_first_picture_of_several_is_taken(name: str) -> None:
    for read in PHOTOGRAPHS[:2]:
        assert np.abs(read(film(name)).astype(int) - PHOTO).mean() < 8
    if name in ("PNG", "WEBP"):
        assert read_header(film(name), "x").size.animated
        assert not read_header(saved(name), "x").size.animated


def test_every_kind_of_png_is_read_as_opencv_reads_it() -> None:
    grey16 = PHOTO[..., 0].astype(np.uint16) * 257
    files = [saved("PNG", mode=mode) for mode in ("1", "L", "P", "LA", "RGB", "RGBA")]
    files += [saved("PNG", grey16), saved("PNG") + b"what a camera left", saved("PNG", icc_profile=b"x" * 300)]
    for data in files:
        plain = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
        assert np.array_equal(decode_rgb(data, "x"), plain)
        grey = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)
        assert np.array_equal(member_grey(data, "x"), grey)


def test_what_opencv_raises_is_an_error_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    data = saved("PNG")
    for raised in (cv2.error("no memory"), MemoryError()):

        def fail(*arguments: object, raised: BaseException = raised) -> None:
            raise raised

        monkeypatch.setattr(safe_decoding.cv2, "imdecode", fail)
        assert refused(lambda: decode_by_opencv(data, 1, "x")).reason == "corrupt"
    monkeypatch.setattr(safe_decoding.cv2, "imdecode", lambda *arguments: np.zeros((9, 9, 3), np.uint8))
    assert "disagree" in refused(lambda: decode_by_opencv(data, 1, "x")).message


def test_textures_and_uploads_go_through_the_door(tmp_path: Path) -> None:
    assert read_glb(textured(saved("PNG")), "x.glb").texture is not None
    with pytest.raises(AssetError, match="holds a texture that cannot be read: the texture has 100 megapixels"):
        read_glb(textured(png(10_000, 10_000, b"x")), "x.glb")
    for data in (png(8, 8, zeros(90)), b"P6 9 9 255\n" + bytes(243)):
        (tmp_path / "a.png").write_bytes(data)
        for read in (read_upload, read_photo_file):
            assert "a.png" in refused(lambda read=read: read(tmp_path / "a.png")).message
