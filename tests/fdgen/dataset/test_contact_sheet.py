"""Contact sheets: a plain grid, and samples that show every kind."""

from __future__ import annotations

import io
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from fdgen.contract.manifest import Manifest
from fdgen.dataset.contact_sheet import dataset_sheet, spread
from fdgen.io.pictures.captions import line_px, text_line, text_px_for, wrapped
from fdgen.io.pictures.contact_sheet import PAPER, contact_sheet, encode_jpeg
from tests.support.fake_build import FakeFaces, run


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    faces = FakeFaces.of(60)
    return run(tmp_path_factory.mktemp("built") / "set", faces, "kinds.mask=4", "kinds.hand=0.5", count=40)


def test_pictures_stand_in_their_places_and_nothing_between_them() -> None:
    red = np.full((4, 6, 3), (200, 0, 0), np.uint8)
    grey = np.full((3, 2), 50, np.uint8)
    sheet = contact_sheet([[red, grey], [grey]], gap_px=2)
    assert sheet.shape == (2 + 4 + 2 + 3 + 2, 2 + 6 + 2 + 2 + 2, 3)
    expected = np.full(sheet.shape, PAPER, np.uint8)
    expected[2:6, 2:8] = red
    expected[2:5, 10:12] = 50
    expected[8:11, 2:4] = 50
    assert np.array_equal(sheet, expected)


def test_texts_keep_to_the_pictures_they_belong_to() -> None:
    """Above a column and under as many pictures as there are headings, nothing reaches beyond them or lies on them."""
    grey = np.full((40, 40), 128, np.uint8)
    rows, headings = [[grey] * 4, [grey] * 2], ("first heading", "second")
    long = "a text that is far too long for two small pictures, " * 5
    captions = [["short", long], [long]]
    sheet = contact_sheet(rows, headings=headings, captions=captions, gap_px=4)
    bare = contact_sheet(rows, gap_px=4)
    assert sheet.shape[1] == bare.shape[1]
    line = line_px(text_px_for(40))
    assert sheet.shape[0] == bare.shape[0] + line + 2 * 3 * line
    for column in range(1, 5):  # between any two columns, over the headings
        assert (sheet[: 4 + line, 44 * column : 44 * column + 4] == PAPER).all()
    assert (sheet[:, 88:92] == PAPER).all()  # between two samples, from top to bottom
    for top in (4 + line, 4 + line + 44 + 3 * line):
        assert (sheet[top : top + 40, 4:44] == 128).all()
    assert sheet[4 + line + 40 :, 92:][: 3 * line].min() < 100


def test_a_text_that_is_too_long_is_cut() -> None:
    assert "".join(wrapped("mask", 200, 12)) == "mask"
    assert wrapped("mask + sunglasses, 30%, train", 64, 11) == ["mask +", "sunglasses,", "30%, train"]
    narrow = text_line("a very long text indeed", 40, 14)
    assert narrow.shape == (line_px(14), 40, 3)
    assert narrow[:, -1].min() == PAPER
    assert text_line("", 40, 14).min() == PAPER


@pytest.mark.parametrize("rows", [[], [[]], [[], []]])
def test_an_empty_sheet_is_refused(rows: list[list[np.ndarray]]) -> None:
    with pytest.raises(ValueError, match="at least one picture"):
        contact_sheet(rows)


@pytest.mark.parametrize("n", [1, 2, 7, 12, 40, 99])
def test_samples_are_spread_over_the_kinds(manifest: Manifest, n: int) -> None:
    keys = manifest.table["key"].iloc[spread(manifest.table["kinds"].tolist(), n)].tolist()
    assert len(keys) == len(set(keys)) == min(n, 40)
    there = Counter(manifest.table["kinds"])
    shown = Counter(manifest.row(key)["kinds"] for key in keys)
    if n >= len(there):
        assert shown.keys() == there.keys()
    for kind, number in shown.items():
        assert number >= min(there[kind], n // len(there))


def test_the_sheet_of_a_dataset_shows_clean_occluded_and_mask(manifest: Manifest) -> None:
    sheet = dataset_sheet(manifest.root, 4, 2, cell_px=32)
    line = line_px(text_px_for(32))
    below = (sheet.shape[0] - 4 - line - 2 * 36) // 2  # lines of text under a sample
    assert below in (line, 2 * line, 3 * line)
    assert sheet.shape == (4 + line + 2 * (36 + below), 4 + 6 * 36, 3)
    tops = [4 + line + (36 + below) * row for row in range(2)]
    cells = [sheet[top:, 4 + 36 * column :][:32, :32] for top in tops for column in range(6)]
    for top in tops:
        for left in (4, 4 + 3 * 36):
            assert sheet[top + 32 : top + 32 + line, left : left + 104].min() < 100  # something is written
    for clean, occluded, mask in zip(cells[0::3], cells[1::3], cells[2::3], strict=True):
        assert (clean != occluded).any()
        far = np.s_[mask[..., 0] == 0]
        assert np.abs(clean[far].astype(int) - occluded[far]).max() < 255
        assert (mask[..., 0] == mask[..., 2]).all()


def test_the_preview_of_a_build_is_its_sheet(manifest: Manifest) -> None:
    data = (manifest.root / "preview.jpg").read_bytes()
    assert data == encode_jpeg(dataset_sheet(manifest.root))
    with PIL.Image.open(io.BytesIO(data)) as picture:
        assert picture.mode == "RGB"


def test_a_lost_shard_is_one_sentence(manifest: Manifest, tmp_path: Path) -> None:
    from fdgen.errors import DatasetError

    shutil.copy(manifest.root / "manifest.parquet", tmp_path)
    with pytest.raises(DatasetError, match="tar cannot be read"):
        dataset_sheet(tmp_path, 4)
