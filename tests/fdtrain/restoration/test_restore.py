"""Restoring photographs: every pixel outside the mask stays, and what cannot be used is named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch
from torch import nn

from fdgen.errors import PictureError
from fdtrain.data.pictures import decode_rgb, encode_png, read_file, resized, resized_mask, write_png
from fdtrain.networks.restorer import Restoration
from fdtrain.restoration.aligned import find_crop, read_mask, read_photo, restore
from fdtrain.training.checkpoint import load_model
from tests.support.sets import smooth_face
from tests.support.weights import write_weights


class Blue(nn.Module):
    """Puts out blue, and black as its first stage."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, occluded_B3HW: torch.Tensor, mask_B1HW: torch.Tensor) -> Restoration:
        blue = torch.full_like(occluded_B3HW, -1)
        blue[:, 2] = 1
        return Restoration(torch.full_like(occluded_B3HW, -1), blue)


def photo_of(high: int, wide: int) -> np.ndarray:
    return np.ascontiguousarray(smooth_face(1, max(high, wide))[:high, :wide])


@pytest.mark.parametrize(
    ("high", "wide", "top", "side"),
    [(218, 178, 20, 178), (109, 89, 10, 89), (256, 256, 0, 256), (32, 32, 0, 32), (20, 20, 0, 20)],
)
def test_only_masked_pixels_change(high: int, wide: int, top: int, side: int) -> None:
    photo, mask = photo_of(high, wide), np.zeros((high, wide), np.uint8)
    mask[top + side // 3 : top + side // 2, side // 3 : side // 2] = 255
    done = restore(Blue(), photo, mask, size_px=32)
    np.testing.assert_array_equal(done.picture_HWC[mask == 0], photo[mask == 0])
    assert (done.picture_HWC[mask > 0] == (0, 0, 255)).all()
    square = slice(top, top + side)
    np.testing.assert_array_equal(done.input_HWC, resized(photo[square, :side], 32))
    np.testing.assert_array_equal(done.mask_HW, resized_mask(mask[square, :side], 32))
    assert not done.coarse_HWC.any()
    assert (done.refined_HWC == (0, 0, 255)).all()


def test_a_mask_beyond_the_crop_keeps_the_photograph_there() -> None:
    photo, mask = photo_of(218, 178), np.zeros((218, 178), np.uint8)
    mask[:60, 80:100] = 255
    done = restore(Blue(), photo, mask, size_px=32)
    np.testing.assert_array_equal(done.picture_HWC[:20], photo[:20])
    assert (done.picture_HWC[20:60, 80:100] == (0, 0, 255)).all()


def test_a_model_from_its_file(tmp_path: Path) -> None:
    model = load_model(write_weights(tmp_path / "weights.safetensors"))
    photo, mask = photo_of(64, 64), np.zeros((64, 64), np.uint8)
    mask[20:40, 20:40] = 255
    one, same = (restore(model, photo, mask, size_px=32).picture_HWC for _ in range(2))
    np.testing.assert_array_equal(one, same)
    assert (one != photo).any()


def test_other_frames_are_refused(tmp_path: Path) -> None:
    write_png(tmp_path / "wide.png", photo_of(40, 60))
    with pytest.raises(PictureError, match=r"wide\.png is 60x40 and not aligned") as caught:
        read_photo(tmp_path / "wide.png")
    assert "178x218" in caught.value.hint
    assert find_crop(photo_of(218, 178), "x") == (20, 0, 178)


def test_photographs_that_are_none(tmp_path: Path) -> None:
    for name, content, words in (
        ("empty.png", b"", "is empty: it has zero bytes"),
        ("text.png", b"not a picture", "is not a picture"),
        ("cut.png", encode_png(photo_of(64, 64))[:60], "is not a picture"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(PictureError, match=words) as caught:
            read_photo(tmp_path / name)
        assert caught.value.hint
    for path in (tmp_path / "missing.png", tmp_path):
        with pytest.raises(PictureError, match="cannot be read"):
            read_photo(path)


def test_rotated_grey_and_transparent_photographs(tmp_path: Path) -> None:
    picture = PIL.Image.fromarray(photo_of(178, 218))
    exif = PIL.Image.Exif()
    exif[0x0112] = 6  # turned clockwise by the viewer
    picture.save(tmp_path / "turned.jpg", exif=exif)
    assert read_photo(tmp_path / "turned.jpg").shape == (218, 178, 3)
    PIL.Image.fromarray(photo_of(64, 64)).convert("L").save(tmp_path / "grey.png")
    PIL.Image.fromarray(photo_of(64, 64)).convert("RGBA").save(tmp_path / "clear.png")
    assert read_photo(tmp_path / "grey.png").shape == (64, 64, 3)
    np.testing.assert_array_equal(read_photo(tmp_path / "clear.png"), photo_of(64, 64))


def test_colours_survive_the_codec(tmp_path: Path) -> None:
    red = np.zeros((16, 16, 3), np.uint8)
    red[..., 0] = 200
    write_png(tmp_path / "red.png", red)
    np.testing.assert_array_equal(np.asarray(PIL.Image.open(tmp_path / "red.png")), red)
    np.testing.assert_array_equal(decode_rgb(read_file(tmp_path / "red.png"), "red"), red)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda mask: mask[:, :30], "is 30x40, its photograph 40x40"),
        (lambda mask: mask // 2, r"has grey values: 25\.0% of its pixels"),
        (lambda mask: mask * 0, "marks nothing"),
        (lambda mask: mask | 255, "marks everything"),
    ],
)
def test_masks_that_cannot_be_used(tmp_path: Path, change: object, words: str) -> None:
    mask = np.zeros((40, 40), np.uint8)
    mask[10:30, 10:30] = 255
    write_png(tmp_path / "mask.png", np.ascontiguousarray(change(mask)))  # type: ignore[operator]
    with pytest.raises(PictureError, match=words) as caught:
        read_mask(tmp_path / "mask.png", photo_of(40, 40))
    assert caught.value.hint


def test_a_threshold_takes_grey_masks(tmp_path: Path) -> None:
    mask = np.zeros((40, 40), np.uint8)
    mask[10:30, 10:30] = 200
    mask[15, 15] = 100
    write_png(tmp_path / "mask.png", mask)
    found = read_mask(tmp_path / "mask.png", photo_of(40, 40), threshold=128)
    np.testing.assert_array_equal(found, np.where(mask >= 128, 255, 0))
