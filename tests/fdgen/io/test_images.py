"""The codec: every kind of photograph in, RGB out; what is broken is refused, never half decoded."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import PIL.Image
import PIL.ImageOps
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fdgen.errors import PictureError
from fdgen.io.pictures import images
from fdgen.io.pictures.png import encode_png

RED, BLUE = (220, 30, 40), (20, 60, 200)


def _scene(width: int = 48, height: int = 32) -> PIL.Image.Image:
    """A picture without symmetry: red left, blue right, a white corner top left, smooth enough for JPEG."""
    picture = PIL.Image.new("RGB", (width, height), BLUE)
    picture.paste(RED, (0, 0, width // 2, height))
    picture.paste((255, 255, 255), (0, 0, width // 4, height // 2))
    return picture


def _noise(width: int = 120, height: int = 90) -> PIL.Image.Image:
    grain = np.random.default_rng(3).integers(0, 256, (height, width, 3), np.uint8)
    return PIL.Image.fromarray(cv2.GaussianBlur(grain, (0, 0), 1.5))


def _saved(picture: PIL.Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def _decode(data: bytes) -> np.ndarray[Any, Any]:
    decoded = images.decode(data, name="a.file")
    assert decoded.dtype == np.uint8
    assert decoded.ndim == 3
    assert decoded.shape[2] == 3
    assert decoded.flags.c_contiguous
    return decoded


def _reason(data: bytes) -> str:
    with pytest.raises(PictureError) as caught:
        images.decode(data, name="odd/a.file")
    assert caught.value.message.startswith("odd/a.file ")
    assert "\n" not in caught.value.message
    return caught.value.reason


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF"])
def test_every_format_gives_rgb(kind: str) -> None:
    decoded = _decode(_saved(_scene(), kind))
    assert decoded.shape == (32, 48, 3)
    for column, colour in ((20, RED), (40, BLUE)):
        assert np.abs(decoded[24, column].astype(int) - colour).max() < 12


def test_lossless_formats_keep_every_pixel() -> None:
    picture = _noise()
    for data in (_saved(picture, "PNG"), _saved(picture, "TIFF"), _saved(picture, "WEBP", lossless=True)):
        assert np.array_equal(_decode(data), np.asarray(picture))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_undone(kind: str, orientation: int) -> None:
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    lossless = {"lossless": True} if kind == "WEBP" else {"quality": 95} if kind == "JPEG" else {}
    decoded = _decode(_saved(_scene(), kind, exif=exif, **lossless))
    plain = PIL.Image.open(io.BytesIO(_saved(_scene(), "PNG", exif=exif)))
    upright = np.asarray(PIL.ImageOps.exif_transpose(plain)).astype(int)
    assert decoded.shape == upright.shape
    assert np.abs(decoded - upright).mean() < 4


def test_damaged_exif_leaves_the_picture_usable() -> None:
    data = _saved(_scene(), "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xff garbage")
    assert _decode(data).shape == (32, 48, 3)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "BMP"])
def test_grey_becomes_rgb(kind: str) -> None:
    decoded = _decode(_saved(_scene().convert("L"), kind))
    assert np.array_equal(decoded[..., 0], decoded[..., 1])
    assert np.array_equal(decoded[..., 0], decoded[..., 2])
    assert decoded[4, 4, 0] > 250


def test_bilevel_and_palette_become_rgb() -> None:
    assert set(np.unique(_decode(_saved(_scene().convert("1"), "PNG")))) <= {0, 255}
    assert np.abs(_decode(_saved(_scene().convert("P"), "PNG"))[24, 40].astype(int) - BLUE).max() < 40


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_sixteen_bits_are_scaled_not_clipped(suffix: str) -> None:
    ramp_HW = np.linspace(0, 65535, 256).astype(np.uint16)[None].repeat(4, axis=0)
    colour_HWC = np.dstack([ramp_HW, ramp_HW[:, ::-1], ramp_HW])
    for array in (ramp_HW, colour_HWC):
        decoded = _decode(cv2.imencode(suffix, array)[1].tobytes())
        assert np.abs(decoded[..., 0].astype(int) - np.arange(256)).max() <= 1
    assert decoded[0, 0].tolist() == [0, 255, 0]


def test_cmyk_and_its_inverted_jpeg_agree() -> None:
    cmyk = PIL.Image.new("CMYK", (32, 32), (200, 20, 10, 30))
    expected = np.asarray(cmyk.convert("RGB"))[0, 0].astype(int)
    for data in (_saved(cmyk, "JPEG", quality=95), _saved(cmyk, "TIFF")):
        assert np.abs(_decode(data)[16, 16].astype(int) - expected).max() <= 3
    assert expected[0] < expected[1] < expected[2]


def test_ycck_jpeg_is_read() -> None:
    # Pillow writes Adobe's transform 0 (CMYK); with 2 the same bytes are YCCK. Neutral chroma makes both predictable.
    data = bytearray(_saved(PIL.Image.new("CMYK", (16, 16), (255 - 128, 255 - 128, 255 - 128, 0)), "JPEG"))
    marker = data.index(b"Adobe")
    data[marker + 11] = 2
    decoded = _decode(bytes(data))
    assert np.abs(decoded.astype(int) - 128).max() <= 3


def _png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def test_hidden_colour_of_transparent_pixels_does_not_show() -> None:
    rgba = np.zeros((8, 8, 4), np.uint8)
    rgba[..., 0] = 255
    rgba[:, 4:, 3] = 255
    rgba[:, 3, 3] = 128
    for kind in ("PNG", "TIFF", "WEBP"):
        options = {"lossless": True, "exact": True} if kind == "WEBP" else {}
        decoded = _decode(_saved(PIL.Image.fromarray(rgba), kind, **options))
        assert (decoded[:, :3] == images.BACKGROUND).all()
        assert (decoded[:, 4:] == (255, 0, 0)).all()
        assert np.abs(decoded[0, 3].astype(int) - (192, 64, 64)).max() <= 1


def test_transparent_palette_entries_and_colour_keys_become_the_background() -> None:
    palette = _scene().quantize(4)
    decoded = _decode(_saved(palette, "PNG", transparency=int(np.asarray(palette)[24, 40])))
    assert (decoded[24, 40] == images.BACKGROUND).all()
    assert np.abs(decoded[24, 20].astype(int) - RED).max() < 12
    assert (_decode(_saved(_scene(), "PNG", transparency=BLUE))[24, 40] == images.BACKGROUND).all()
    grey16 = _png_chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 1, 16, 0, 0, 0, 0)) + _png_chunk(b"tRNS", b"\x80\x01")
    grey16 += _png_chunk(b"IDAT", zlib.compress(b"\0\x80\x01\xff\xff")) + _png_chunk(b"IEND", b"")
    assert _decode(b"\x89PNG\r\n\x1a\n" + grey16)[0].tolist() == [[images.BACKGROUND] * 3, [255] * 3]


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF"])
def test_an_animation_gives_its_first_frame(kind: str) -> None:
    options = {"lossless": True} if kind == "WEBP" else {}
    frames = [PIL.Image.new("RGB", (16, 16), colour) for colour in (RED, BLUE)]
    decoded = _decode(_saved(frames[0], kind, save_all=True, append_images=frames[1:], **options))
    assert np.abs(decoded.astype(int) - RED).max() < 4


def test_what_is_no_picture_says_so() -> None:
    assert _reason(b"") == "empty-file"
    assert _reason(b"hello, world. This is text") == "not-a-picture"
    assert _reason(b"%PDF-1.7 and so on") == "not-a-picture"
    assert _reason(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n") == "not-a-picture"
    assert _reason(b"\0" * 4096) == "not-a-picture"


def test_a_header_alone_is_damage() -> None:
    for kind in ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF"):
        assert _reason(_saved(_scene(), kind)[:16]) == "corrupt"


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9, 0.98])
def test_a_truncated_file_is_an_error_not_half_a_picture(kind: str, share: float) -> None:
    options = {"progressive": share > 0.5} if kind == "JPEG" else {}
    data = _saved(_noise(), kind, **options)
    assert _reason(data[: int(share * len(data))]) == "corrupt"


def test_a_truncated_jpeg_with_its_end_marker_mended_is_an_error() -> None:
    data = _saved(_noise(), "JPEG")
    assert _reason(data[: len(data) // 2] + b"\xff\xd9") == "corrupt"


def test_numbers_without_a_brightness_are_refused() -> None:
    assert _reason(cv2.imencode(".tif", np.ones((8, 8), np.float32))[1].tobytes()) == "unsupported"
    assert _reason(_saved(PIL.Image.fromarray(np.ones((8, 8), np.int32)), "TIFF")) == "unsupported"


def _png_of_size(width: int, height: int) -> bytes:
    header = _png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + _png_chunk(b"IDAT", zlib.compress(bytes(99))) + _png_chunk(b"IEND", b"")


@pytest.mark.parametrize(("side", "megapixels"), [(11_000, "121"), (30_000, "900"), (60_000, "3,600")])
def test_a_decompression_bomb_is_refused_unread_with_the_figures(side: int, megapixels: str) -> None:
    with pytest.raises(PictureError) as caught:
        images.decode(_png_of_size(side, side), name="bomb.png")
    assert caught.value.reason == "too-large"
    assert caught.value.message == f"bomb.png has {megapixels} megapixels; the limit is 120"


def test_a_large_picture_under_the_limit_does_not_warn(capfd: pytest.CaptureFixture[str]) -> None:
    assert _reason(_png_of_size(10_000, 10_000)) == "corrupt"  # past the size check, and warnings are errors here
    assert capfd.readouterr() == ("", "")


def _mutations() -> st.SearchStrategy[Callable[[bytes], bytes]]:
    def flip(place: float, value: int) -> Callable[[bytes], bytes]:
        def apply(data: bytes) -> bytes:
            at = int(place * (len(data) - 1))
            return data[:at] + bytes([data[at] ^ value]) + data[at + 1 :]

        return apply

    def blot(place: float, value: int) -> Callable[[bytes], bytes]:
        def apply(data: bytes) -> bytes:
            at = int(place * len(data))
            return data[:at] + bytes([value]) * 24 + data[at + 24 :]

        return apply

    return st.builds(
        lambda make, place, value: make(place, value),
        st.sampled_from([flip, blot]),
        st.one_of(st.floats(0, 1), st.floats(0, 0.05)),
        st.integers(1, 255),
    )


_SEEDS = [
    _saved(_noise(40, 30), kind, **options)
    for kind, options in (
        ("JPEG", {}),
        ("JPEG", {"progressive": True}),
        ("PNG", {}),
        ("WEBP", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("TIFF", {}),
        ("BMP", {}),
        ("GIF", {}),
    )
] + [_saved(_noise(40, 30).convert("CMYK"), "JPEG"), _saved(_noise(40, 30).quantize(8), "PNG")]


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(_SEEDS), st.lists(_mutations(), min_size=1, max_size=3))
def test_damage_gives_a_picture_or_a_picture_error_never_another(
    data: bytes, mutations: list[Callable[[bytes], bytes]]
) -> None:
    for mutate in mutations:
        data = mutate(data)
    reasons = []
    try:
        _decode(data)
    except PictureError as error:
        reasons.append(error.reason)
    assert set(reasons) <= {"not-a-picture", "corrupt", "too-large", "unsupported"}


def test_native_complaints_stay_away_from_the_user(capfd: pytest.CaptureFixture[str]) -> None:
    lzw = bytearray(_saved(_noise(), "TIFF", compression="tiff_lzw"))
    lzw[len(lzw) // 2 : len(lzw) // 2 + 50] = b"\xff" * 50
    jpeg = _saved(_noise(), "JPEG")
    for data in (bytes(lzw), jpeg[: len(jpeg) // 2] + b"\xff\xd9", _saved(_noise(), "PNG")[:-60]):
        assert _reason(data) == "corrupt"
    with pytest.raises(PictureError):
        images.decode_png(_saved(_noise(), "PNG")[:-60])
    tiff = _saved(_scene(), "TIFF")
    samples_per_pixel = tiff.index(struct.pack("<HHI", 277, 3, 1))
    logged = tiff[: samples_per_pixel + 8] + b"\xff" + tiff[samples_per_pixel + 9 :]
    assert _reason(logged) == "corrupt"
    assert capfd.readouterr() == ("", "")


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.booleans(), st.integers(0, 2**32 - 1))
def test_png_round_trip_is_exact_for_us_and_for_pillow(height: int, width: int, grey: bool, seed: int) -> None:
    shape = (height, width) if grey else (height, width, 3)
    array = np.random.default_rng(seed).integers(0, 256, shape, np.uint8)
    data = encode_png(array)
    assert data == encode_png(array.copy())
    assert np.array_equal(images.decode_png(data), array)
    assert np.array_equal(np.asarray(PIL.Image.open(io.BytesIO(data))), array)


def test_a_mask_reads_back_as_0_and_255() -> None:
    mask_HW = np.zeros((16, 16), np.uint8)
    mask_HW[4:9, 3:12] = 255
    read_back = np.asarray(PIL.Image.open(io.BytesIO(encode_png(mask_HW))))
    assert read_back.dtype == np.uint8
    assert set(np.unique(read_back)) == {0, 255}


def test_encode_and_decode_png_refuse_other_arrays() -> None:
    for array in (np.zeros((4, 4), np.float32), np.zeros((4, 4, 4), np.uint8), np.zeros(4, np.uint8)):
        with pytest.raises(ValueError, match="a picture is uint8"):
            encode_png(array)  # type: ignore[arg-type]
    for data in (b"", b"none", cv2.imencode(".png", np.zeros((4, 4), np.uint16))[1].tobytes()):
        with pytest.raises(PictureError):
            images.decode_png(data)


def test_resize_averages_down_and_interpolates_up() -> None:
    checks_HW = np.indices((64, 64)).sum(axis=0).astype(np.uint8) % 2 * 255
    assert np.abs(images.resize(checks_HW, 16, 16).astype(int) - 127).max() <= 1  # no aliasing
    step_HW = np.repeat(np.uint8([[40, 200]]), 8, axis=1).repeat(16, axis=0)
    grown_HW = images.resize(step_HW, 64, 64)
    assert grown_HW.max() > 200  # a cubic overshoots at an edge, a linear does not
    assert np.array_equal(images.resize(step_HW, 16, 16), step_HW)
