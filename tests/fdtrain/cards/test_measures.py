"""The tables of a model card: rows by kind and tone of skin, means over the pictures that have a score."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from fdtrain.cards.measures import FEWEST, GREY, Table, tables_of

TONES = ("light", "dark")


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Return a table of 20 masks and one hand, one of them restored exactly; half of the masks are on light skin."""
    rows = ["method,key,kind,psnr_hole"]
    rows += [f"{name},k{i},mask,{20 + i % 2 + shift}" for name, shift in (("a", 0), ("b", 5)) for i in range(FEWEST)]
    rows += ["a,hand,hand,inf", "b,hand,hand,30"]
    path = tmp_path / "images.csv"
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def test_rows_are_all_and_what_has_enough_pictures(images: Path) -> None:
    tones = {**{f"k{i}": "light" for i in range(10)}, "k10": GREY, "k11": "dark"}
    [table] = tables_of("set", "restore", images, tones, TONES)
    assert list(table.columns) == ["all", "mask", "skin: light", "skin: dark", GREY]
    of_all = table.columns["all"]["a"]
    assert (of_all.n, of_all.mean) == (FEWEST, 20.5)  # what is restored exactly has no PSNR
    assert of_all.error == pytest.approx(math.sqrt(0.25 * 20 / 19 / 20))
    assert table.columns["skin: dark"]["a"].n == 1
    assert math.isnan(table.columns["skin: dark"]["a"].error)
    text = table.markdown(intervals=True)
    assert "| mask | 20 | 20.50 [20.26, 20.74] | 25.50 [25.26, 25.74] |" in text
    assert "| skin: dark | 1 | 21.00 | 26.00 |" in text
    assert Table.of_json(table.json()).markdown() == table.markdown()


def test_scores_of_another_task_are_no_table(images: Path) -> None:
    assert tables_of("set", "mask", images, {}, TONES) == []
