"""Photographs as files: every format and damage of the field, what is dropped, what stays."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import PIL.Image
import PIL.ImageCms
import pytest

from fdgen.errors import FdError, PictureError
from fdtrain.data.pictures import decode_grey, encode_png
from fdtrain.networks.canny import LUMA
from fdtrain.restoration.aligned import read_mask
from fdtrain.restoration.before_after import LARGEST_PX, side_by_side
from fdtrain.restoration.files import is_video, list_photos, read_photo_file, write_photo
from fdtrain.restoration.photo_restorer import PhotoRestorer
from fdtrain.restoration.photograph import RestoredPhotograph
from fdtrain.restoration.strokes import read_strokes
from fdtrain.restoration.video import Frames, VideoFile
from tests.fdtrain.restoration.test_photograph import Eyes, Lower, Paint
from tests.support.sets import smooth_face

PHOTO = np.ascontiguousarray(smooth_face(2, 60)[:40])


def saved(path: Path, picture: PIL.Image.Image, **options: object) -> Path:
    picture.save(path, **options)  # type: ignore[arg-type]
    return path


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif"])
def test_every_orientation_is_applied(tmp_path: Path, suffix: str, orientation: int) -> None:
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    picture = PIL.Image.fromarray(PHOTO)
    lossless = {"lossless": True} if suffix == "webp" else {}
    path = saved(tmp_path / f"a.{suffix}", picture, exif=exif, **lossless)
    turns = {
        1: PHOTO,
        2: PHOTO[:, ::-1],
        3: PHOTO[::-1, ::-1],
        4: PHOTO[::-1],
        5: PHOTO.transpose(1, 0, 2),
        6: PHOTO.transpose(1, 0, 2)[:, ::-1],
        7: PHOTO.transpose(1, 0, 2)[::-1, ::-1],
        8: PHOTO.transpose(1, 0, 2)[::-1],
    }
    found = read_photo_file(path).picture_HWC
    assert found.shape == turns[orientation].shape
    assert np.abs(found.astype(int) - turns[orientation]).mean() < (4 if suffix == "jpg" else 0.01)
    luma_HW = turns[orientation] @ np.array(LUMA)
    assert np.abs(decode_grey(path.read_bytes(), suffix) - luma_HW).mean() < 4  # a mask may be turned, too


def test_place_and_camera_are_dropped_and_the_profile_stays(tmp_path: Path) -> None:
    exif = PIL.Image.Exif()
    exif[0x010F] = "CAMERA-MAKER"
    exif.get_ifd(0x8825)[1] = "N"
    profile = PIL.ImageCms.ImageCmsProfile(PIL.ImageCms.createProfile("sRGB")).tobytes()
    path = saved(tmp_path / "a.jpg", PIL.Image.fromarray(PHOTO), exif=exif, icc_profile=profile)
    read = read_photo_file(path)
    assert read.profile == profile
    write_photo(tmp_path / "b.png", read.picture_HWC, read.profile)
    with PIL.Image.open(tmp_path / "b.png") as written:
        assert written.info["icc_profile"] == profile
        assert not dict(written.getexif())
        np.testing.assert_array_equal(np.asarray(written), read.picture_HWC)
    assert b"CAMERA" not in (tmp_path / "b.png").read_bytes()
    # A profile of grey or CMYK pixels does not fit the RGB that is written.
    grey = profile[:16] + b"GRAY" + profile[20:]
    path = saved(tmp_path / "c.png", PIL.Image.fromarray(PHOTO).convert("L"), icc_profile=grey)
    assert read_photo_file(path).profile is None


def png16(picture: np.ndarray) -> bytes:
    """A PNG of 16 bits a channel."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    high, wide = picture.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in picture.astype(np.uint32) * 257)
    header = struct.pack(">IIBBBBB", wide, high, 16, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def test_depth_alpha_palette_cmyk_and_grey(tmp_path: Path) -> None:
    (tmp_path / "deep.png").write_bytes(png16(PHOTO))
    read = read_photo_file(tmp_path / "deep.png")
    np.testing.assert_array_equal(read.picture_HWC, PHOTO)
    assert read.notes == ("16 bits a channel were reduced to 8",)
    picture = PIL.Image.fromarray(PHOTO)
    for path, note in (
        (saved(tmp_path / "clear.png", picture.convert("RGBA")), "its transparency was dropped"),
        (saved(tmp_path / "print.jpg", picture.convert("CMYK")), "it was turned from CMYK to RGB without its profile"),
        (saved(tmp_path / "print.tif", picture.convert("CMYK")), "it was turned from CMYK to RGB without its profile"),
        (
            saved(tmp_path / "anim.png", picture, save_all=True, append_images=[picture.rotate(90)]),
            "of several pictures in it the first was taken",
        ),
    ):
        read = read_photo_file(path)
        assert read.notes == (note,)
        assert read.picture_HWC.shape == PHOTO.shape
        assert np.abs(read.picture_HWC.astype(int) - PHOTO).mean() < 8
    for mode in ("L", "1", "P", "LA"):
        assert read_photo_file(saved(tmp_path / f"{mode}.png", picture.convert(mode))).picture_HWC.shape == PHOTO.shape


def test_damage_is_told(tmp_path: Path) -> None:
    whole = io.BytesIO()
    PIL.Image.fromarray(PHOTO).save(whole, "JPEG")
    cases = {
        "empty.jpg": (b"", "is empty"),
        "cut.jpg": (whole.getvalue()[:-40], "is cut short"),
        "head.jpg": (whole.getvalue()[:30], "is not a picture|is cut short"),
        "text.png": (b"no picture at all", "is not a picture"),
        "cut.png": (encode_png(PHOTO)[:80], "is not a picture"),
        "dot.png": (encode_png(PHOTO[:7]), "is 60x7, and a photograph has 8 px a side"),
        "page.pdf": (b"%PDF-1.4\n1 0 obj\n", "is not a picture"),
    }
    for name, (data, words) in cases.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(PictureError, match=words) as caught:
            read_photo_file(tmp_path / name)
        assert caught.value.hint
    # What stands after the end of a JPEG, a video say, does it no harm.
    (tmp_path / "more.jpg").write_bytes(whole.getvalue() + b"a film" * 100)
    assert read_photo_file(tmp_path / "more.jpg").picture_HWC.shape == PHOTO.shape


def test_damage_beside_the_picture_does_it_no_harm(tmp_path: Path) -> None:
    picture = PIL.Image.fromarray(PHOTO)
    # Opencv 4.11 ends the process on damage in an animated PNG; it is not shown that it is animated.
    path = saved(tmp_path / "anim.png", picture, save_all=True, append_images=[picture.rotate(90)])
    data = bytearray(path.read_bytes())
    data[-30] ^= 0xFF  # in the second picture
    path.write_bytes(data)
    np.testing.assert_array_equal(read_photo_file(path).picture_HWC, PHOTO)
    data[data.index(b"IDAT") + 104] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(PictureError, match="is not a picture"):
        read_photo_file(path)
    # A second picture of a TIFF whose sizes are lost: Pillow cannot count them.
    path = saved(tmp_path / "two.tif", picture, save_all=True, append_images=[picture])
    data = bytearray(path.read_bytes())
    second = data.rindex(struct.pack("<HHI", 256, 4, 1))
    data[second : second + 2] = struct.pack("<H", 255)
    path.write_bytes(data)
    np.testing.assert_array_equal(read_photo_file(path).picture_HWC, PHOTO)


def test_a_bomb_is_refused_unread(tmp_path: Path) -> None:
    for side in (11_000, 60_000):
        data = encode_png(np.zeros((8, 8, 3), np.uint8))
        header = struct.pack(">II", side, side) + data[24:29]
        bomb = data[:16] + header + struct.pack(">I", zlib.crc32(b"IHDR" + header)) + data[33:]
        (tmp_path / "bomb.png").write_bytes(bomb)
        with pytest.raises(PictureError, match="megapixels; the limit is 120"):
            read_photo_file(tmp_path / "bomb.png")


def test_folders_are_listed_by_name(tmp_path: Path) -> None:
    for name in ("b.JPG", "a.png", "ünï.webp", "notes.txt", ".hidden.png", "clip.mp4"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "deeper.png").mkdir()
    listed, passed_over = list_photos([tmp_path, tmp_path / "notes.txt"])
    assert [path.name for path in listed] == ["a.png", "b.JPG", "clip.mp4", "ünï.webp", "notes.txt"]
    assert passed_over == [tmp_path / "notes.txt"]
    assert is_video(listed[2])
    (tmp_path / "empty").mkdir()
    with pytest.raises(PictureError, match="holds no photograph"):
        list_photos([tmp_path / "empty"])


def test_a_video_comes_back_without_loss(tmp_path: Path) -> None:
    frames = [np.roll(PHOTO, step, axis=1) for step in range(4)]
    written = VideoFile(tmp_path / "clip.mkv", 12.0)
    for frame in frames:
        written.write(frame)
    assert written.part.exists()
    assert not written.path.exists()
    assert written.close(whole=True) == tmp_path / "clip.mkv"
    assert not written.part.exists()
    read = Frames(tmp_path / "clip.mkv")
    assert read.rate == 12.0
    for found, frame in zip(read, frames, strict=True):
        np.testing.assert_array_equal(found, frame)
    (tmp_path / "none.mp4").write_bytes(b"no video")
    with pytest.raises(PictureError, match="is no video"):
        Frames(tmp_path / "none.mp4")
    with pytest.raises(FdError, match="cannot be written"):
        VideoFile(tmp_path / "nowhere" / "clip.mkv", 12.0).write(PHOTO)


def phone_video(path: Path, upright_HWC: np.ndarray, turn: int) -> Path:
    """Write an MP4 as a phone does: pixels as the sensor lies, the turn (degrees clockwise) in the track's header."""
    stored = np.ascontiguousarray(np.rot90(upright_HWC, turn // 90))
    high, wide = stored.shape[:2]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 10, (wide, high))
    for _ in range(3):
        writer.write(np.ascontiguousarray(stored[..., ::-1]))
    writer.release()
    data, one = bytearray(path.read_bytes()), 1 << 16
    matrix = {
        0: (one, 0, 0, 0, one, 0, 0, 0),
        90: (0, one, 0, -one, 0, 0, high << 16, 0),
        180: (-one, 0, 0, 0, -one, 0, wide << 16, high << 16),
        270: (0, -one, 0, one, 0, 0, 0, wide << 16),
    }[turn]
    struct.pack_into(">9i", data, data.index(b"tkhd") + 44, *matrix, 1 << 30)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
def test_a_phones_video_is_upright(tmp_path: Path, turn: int) -> None:
    upright = np.full((48, 80, 3), 128, np.uint8)
    upright[:24, :40], upright[:24, 40:], upright[24:, :40] = (220, 30, 40), (20, 200, 60), (20, 60, 200)
    frames = list(Frames(phone_video(tmp_path / "clip.mp4", upright, turn)))
    assert len(frames) == 3
    for frame in frames:
        assert frame.shape == upright.shape
        assert np.abs(frame.astype(int) - upright).mean() < 12
    mask = np.zeros((48, 80), np.uint8)  # drawn on the video as players show it
    mask[4:20, 4:30] = 255
    PIL.Image.fromarray(mask).save(tmp_path / "mask.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "mask.png", frames[0]), mask)


def test_strokes_of_a_file(tmp_path: Path) -> None:
    drawn = np.zeros_like(PHOTO)
    drawn[:5, :7] = (0, 255, 0)
    (tmp_path / "s.png").write_bytes(encode_png(drawn))
    assert int(read_strokes(tmp_path / "s.png", PHOTO).sum()) == 35
    (tmp_path / "s.png").write_bytes(encode_png(PHOTO * 0))
    with pytest.raises(PictureError, match="shows no stroke"):
        read_strokes(tmp_path / "s.png", PHOTO)
    with pytest.raises(PictureError, match="are 60x40, their photograph 40x40"):
        read_strokes(tmp_path / "s.png", PHOTO[:, :40])


def test_which_way_a_photograph_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Aligned sizes and small squares go as they always did where a mask is given; all others are searched."""
    asked: list[tuple[int, ...]] = []

    def find(photo: np.ndarray) -> list[Eyes]:
        asked.append(photo.shape)
        return [Eyes((20.0, 20.0), (32.0, 20.0))] if photo.shape[1] > 80 else []

    def restored(high: int, wide: int, *, masked: bool, how: str = "auto") -> RestoredPhotograph:
        asked.clear()
        photo = np.full((high, wide, 3), 90, np.uint8)
        mask = np.zeros((high, wide), np.uint8)
        mask[high // 2 : high // 2 + 5, 20:30] = 255
        restorer = PhotoRestorer(Paint(), 32, find, Lower(), how)  # type: ignore[arg-type]
        return restorer.restore(photo, mask_HW=mask if masked else None)[0]

    for high, wide, side in ((218, 178, 178), (109, 89, 89), (64, 64, 64)):
        done = restored(high, wide, masked=True)
        assert asked == []
        assert done.faces[0].frame.side_px == pytest.approx(side)
        assert (done.picture_HWC[done.mask_HW > 0] == (200, 40, 90)).all()  # pasted as it is: no grain, no levels
    assert restored(218, 178, masked=False).faces[0].frame.side_px == pytest.approx(178)
    assert asked == []
    assert restored(64, 64, masked=False).faces == ()
    assert asked == [(64, 64, 3)]
    assert restored(64, 64, masked=False, how="aligned").faces[0].frame.side_px == pytest.approx(64)
    assert restored(30, 30, masked=False, how="aligned").faces[0].outcome == "too small"
    assert restored(100, 100, masked=False).faces[0].frame.side_px != pytest.approx(100)
    assert restored(600, 600, masked=True).faces[0].face_score == 0.8
    assert asked == [(600, 600, 3)]
    assert restored(60, 70, masked=True).faces == ()
    monkeypatch.setattr("fdtrain.restoration.photo_restorer.LARGEST_CROP_PX", 50)
    assert restored(64, 64, masked=True).faces[0].frame.side_px == pytest.approx(64)  # looked for, not found
    assert asked == [(64, 64, 3)]
    assert restored(218, 178, masked=True, how="find").faces[0].face_score == 0.8
    with pytest.raises(PictureError, match="not aligned"):
        restored(60, 70, masked=True, how="aligned")


def test_before_mask_and_after_beside_each_other() -> None:
    photo = np.full((900, 2000, 3), 80, np.uint8)
    mask = np.zeros((900, 2000), np.uint8)
    mask[:, :1000] = 255
    shown = side_by_side(photo, RestoredPhotograph(photo + np.uint8(9), mask, (), 0.0))
    assert shown.shape == (576, 3 * LARGEST_PX + 16, 3)
    assert (shown[300, 100] == 80).all()
    red = shown[300, LARGEST_PX + 8 + 100].astype(int)
    assert red[0] > 2 * red[1]
    assert np.ptp(shown[300, LARGEST_PX + 8 + 1000]) == 0
    assert (shown[300, -5] == 89).all()
