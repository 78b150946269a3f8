"""The outlines drawn over photographs of real occluders, and how predictions are scored against them."""

from __future__ import annotations

import re

import numpy as np
import pytest

from tests.benchmarks.outlines import HEIGHT_PX, KINDS, WIDTH_PX, Labelled, bootstrap, iou, load

LABELLED = load()


def square(what: str, low: float, high: float) -> tuple[str, np.ndarray]:
    return what, np.array([[low, low], [high, low], [high, high], [low, high]], np.float64)


def test_there_are_enough_of_each_kind_to_speak_of() -> None:
    count = {kind: sum(entry.kind == kind for entry in LABELLED) for kind in KINDS}
    assert len(LABELLED) == len({entry.sha256 for entry in LABELLED}) == sum(count.values())
    assert count["mask"] >= 36
    assert min(count.values()) >= 5


@pytest.mark.parametrize("entry", LABELLED, ids=lambda entry: entry.name)
def test_outlines_are_sane(entry: Labelled) -> None:
    assert re.fullmatch(r"(masks|glasses-hands)/\d{5}\.png", entry.name)
    assert re.fullmatch(r"[0-9a-f]{64}", entry.sha256)
    for what, xy in entry.outlines:
        assert what in (*KINDS, "ignore", "hole")
        assert xy.shape[1] == 2
        assert len(xy) >= 4
        assert (xy >= 0).all()
        assert (xy <= (WIDTH_PX, HEIGHT_PX)).all()
        x, y = xy.T
        assert 8 < abs(x @ np.roll(y, 1) - y @ np.roll(x, 1)) / 2 < 0.6 * WIDTH_PX * HEIGHT_PX
    covered, counts = entry.regions()
    low, high = {"mask": (0.08, 0.45), "sunglasses": (0.03, 0.2), "hand": (0.04, 0.45)}[entry.kind]
    assert low < covered.mean() < high
    assert counts.mean() > 0.6
    assert counts[covered].all()


def test_an_outline_covers_what_it_encloses_less_its_holes() -> None:
    entry = Labelled("", "mask", "", (square("mask", 40, 80), square("hole", 50, 60), square("ignore", 70, 90)))
    covered, counts = entry.regions()
    assert covered.sum() == 40 * 40 - 10 * 10
    assert covered[20, 40]
    assert not covered[19, 40]
    assert not covered[35, 55]
    assert (~counts).sum() == 20 * 20 - 10 * 10


def test_what_is_ignored_is_not_scored_and_what_is_found_elsewhere_is() -> None:
    entry = Labelled("", "mask", "", (square("mask", 40, 60), square("ignore", 100, 140)))
    covered, counts = entry.regions()
    assert iou(covered, entry) == 1.0
    assert iou(covered | ~counts, entry) == 1.0
    beside = covered.copy()
    beside[:10, :40] = True
    assert iou(beside, entry) == pytest.approx(0.5)
    assert iou(np.zeros_like(covered), entry) == 0.0


def test_the_interval_holds_the_mean_and_narrows_with_more_photographs() -> None:
    few = np.random.default_rng(0).random(10).tolist()
    mean, low, high = bootstrap(few)
    assert low < mean < high
    more = bootstrap(few * 16)
    assert more[0] == pytest.approx(mean)
    assert 3 < (high - low) / (more[2] - more[1]) < 5
