"""Splits too small to measure by are told of, with settings that make them larger."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import pytest

from fdgen.dataset.split_size_warnings import LEAST, remarks, small_splits
from fdgen.recipe.schema import Recipe
from tests.support.paths import ROOT


def dataset(
    train: int, val: int, test: int, *, kind: str = "folder", basis: str = "source", shares: Mapping[str, float] = {}
) -> dict[str, Any]:
    """Return of dataset.json what tells of splits."""
    splits = {"mode": "auto", "train": 0.9, "val": 0.05, "test": 0.05, **shares}
    empty = [f"the {name} split is empty" for name, n in (("train", train), ("val", val), ("test", test)) if not n]
    return {
        "splits": {"basis": basis, "train": train, "val": val, "test": test},
        "recipe": {"splits": splits},
        "sources": {"kind": kind},
        "notes": ["a note"],
        "warnings": ["a warning", *empty],
    }


def test_small_splits_are_told_of_with_what_to_change() -> None:
    notes, warnings = remarks(dataset(117, 7, 4))
    assert notes == ["a note"]
    assert warnings == [
        "a warning",
        "the val split has 7 samples, test 4: under 30 samples say little; another folder with --count 660, or "
        "--set splits.train=0.5 --set splits.val=0.25 --set splits.test=0.25, has more",
    ]


@pytest.mark.parametrize("sizes", [(117, 7, 4), (110, 0, 18), (200, 40, 3), (560, 29, 31)])
def test_what_is_advised_makes_every_split_large_enough(sizes: tuple[int, int, int]) -> None:
    told = remarks(dataset(*sizes))[1][-1]
    given = re.search(r"--count (\d+)", told)
    assert given is not None
    assert 0.05 * int(given[1]) >= LEAST
    asked = re.findall(r"--set (splits\.\w+=[\d.]+)", told)
    assert len(asked) == 3
    splits = Recipe.load("default", asked).splits  # refuses shares that do not add up
    assert all(sum(sizes) * share >= LEAST for share in (splits.val, splits.test))


def test_shares_that_would_leave_too_little_to_train_on_are_not_advised() -> None:
    told = remarks(dataset(60, 3, 4))[1][-1]
    assert "--count 660" in told
    assert "--set" not in told


def test_a_split_that_was_not_asked_for_is_none_too_small() -> None:
    asked = dataset(900, 0, 100, shares={"train": 0.9, "val": 0.0, "test": 0.1})
    assert small_splits(asked) == {}
    assert remarks(dataset(1000, 60, 60)) == (["a note"], ["a warning"])


def test_an_official_partition_is_as_it_is() -> None:
    told = remarks(dataset(100, 12, 15, basis="official"))[1][-1]
    assert "the val split has 12 samples, test 15" in told
    assert "--count 350" in told
    assert "splits.mode=source" in remarks(dataset(100, 0, 50, basis="official"))[1][-1]


def test_of_the_sample_faces_it_is_said_quietly() -> None:
    notes, warnings = remarks(dataset(48, 0, 16, kind="samples", basis="official"))
    assert warnings == ["a warning"]
    assert notes[1:] == ["the val split has no samples, test 16: enough to try the tool, too few to measure with"]


def test_a_card_of_an_earlier_version_is_read() -> None:
    (path,) = (ROOT / "data_cards").glob("faces-demo-*/lock.json")
    lock = json.loads(path.read_text(encoding="utf-8"))
    assert remarks(lock)[0]
