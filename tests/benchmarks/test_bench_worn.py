"""How ranking and thresholds are measured, and what composites say is visible."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from fdgen.analysis.models.accessory_network import CLASSES
from tests.benchmarks.bench_worn import best_margin, ranking, scores
from tests.benchmarks.parser_pictures import seen_of


def test_a_ranking_without_a_fault_has_an_area_of_one() -> None:
    assert ranking(np.array([0.1, 2.0, -1.0]), np.array([False, True, False])) == {"auc": 1.0, "average_precision": 1.0}


def test_equal_margins_say_nothing() -> None:
    found = ranking(np.zeros(4), np.array([True, False, False, False]))
    assert found == {"auc": 0.5, "average_precision": 0.25}


def test_nothing_can_be_ranked_where_all_are_alike() -> None:
    assert ranking(np.zeros(3), np.ones(3, bool)) is None


def test_the_best_margin_is_where_f1_is_highest() -> None:
    found = best_margin(np.array([-2.0, -1.0, 0.5, 1.0]), np.array([False, True, False, True]))
    assert found == {"margin": -1.0, "f1": 0.8, "half_right": -2.0}


def test_pictures_of_which_nobody_is_sure_count_for_nothing() -> None:
    seen = {name: {"hat": margin} for name, margin in (("a", 1.0), ("b", -1.0), ("c", 1.0), ("d", 1.0))}
    found = scores(seen, {"hat": ["a", "b"], "unsure": {"hat": ["d"]}}, "hat")
    assert (found["hit"], found["missed"], found["false"], found["bare"]) == (1, 1, 1, 0)
    assert found["which"] == {"false": ["c"], "missed": ["b"]}


def layer(rows: slice) -> SimpleNamespace:
    """Return a layer that covers some rows of a picture of 128 px."""
    silhouette = np.zeros((128, 128), np.float32)
    silhouette[rows] = 1
    return SimpleNamespace(opacity_HW=silhouette, silhouette_HW=silhouette, clear_HW=np.zeros_like(silhouette))


def test_what_lies_over_another_hides_it() -> None:
    maps, there = seen_of(["sunglasses", "hand"], [layer(slice(40, 60)), layer(slice(30, 70))])
    assert there.tolist() == [0, 0, 0, 1]
    assert maps[..., CLASSES.index("eyewear")].max() == 0
    assert maps[25, 32, CLASSES.index("hand")] == 255


def test_what_shows_through_is_there() -> None:
    _, there = seen_of(["mask", "hand"], [layer(slice(60, 110)), layer(slice(60, 64))])
    assert there.tolist() == [0, 1, 0, 1]


@pytest.mark.parametrize(("rows", "said"), [(1, -1), (2, 1)])
def test_of_what_is_hardly_seen_nothing_is_said(rows: int, said: int) -> None:
    _, there = seen_of(["hat"], [layer(slice(0, rows))])
    assert there[CLASSES.index("hat")] == said
