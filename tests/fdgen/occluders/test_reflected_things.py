"""Shapes in the map of a place: their edges are smooth, they are cut at its borders, and small things meet round it."""

from __future__ import annotations

import numpy as np

from fdgen.occluders.reflected_things import CROWN, OVAL, SHEET, Thing, lay, ragged_outline, small_things


def _map() -> np.ndarray:
    return np.zeros((96, 192, 3), np.float32)


def test_a_shape_covers_its_share_of_the_map_with_a_smooth_edge() -> None:
    painted = _map()
    lay(painted, [Thing(OVAL, 0.5, 0.5, 0.2, 0.4, 2.0, 1.0)])
    assert (painted[48, 96] == 2.0).all()
    assert abs(painted.mean() / 2.0 - np.pi / 4 * 0.2 * 0.4) < 0.004
    between = (painted > 0.1) & (painted < 1.9)
    assert 0.003 < between.mean() < 0.03


def test_a_sheet_seen_aslant_is_higher_on_one_side() -> None:
    painted = _map()
    lay(painted, [Thing(SHEET, 0.5, 0.45, 0.3, 0.3, 1.0, 1.0, skew=0.4)])
    left, right = (painted[:, column, 0].sum() for column in (70, 122))
    assert left > 1.4 * right


def test_what_reaches_over_the_border_is_cut_there() -> None:
    painted = _map()
    beyond = Thing(CROWN, 1.2, 0.5, 0.1, 0.2, 1.0, 1.0, ragged=ragged_outline(np.random.default_rng(0)))
    lay(painted, [Thing(SHEET, 0.0, 0.05, 0.2, 0.3, 1.0, 1.0, soft_px=2.0), beyond])
    assert painted[0, 0, 0] > 0.5
    assert not painted[60:, 100:].any()


def test_a_shape_that_fades_is_darker_below() -> None:
    painted = _map()
    lay(painted, [Thing(SHEET, 0.5, 0.5, 0.4, 0.6, 1.0, 1.0, fade=0.5)])
    assert painted[22, 96, 0] > 0.9 > 0.6 > painted[74, 96, 0]


def test_the_last_thing_is_before_the_others_and_none_is_too_bright() -> None:
    painted = _map()
    lay(painted, [Thing(SHEET, 0.5, 0.5, 0.4, 0.6, 9.0, 1.0), Thing(OVAL, 0.5, 0.5, 0.1, 0.2, 0.25, 1.0)], 3.0)
    assert painted[48, 96, 0] == 0.25
    assert painted.max() == 3.0


def test_a_crown_is_ragged_and_as_large_as_it_is_drawn() -> None:
    painted = _map()
    lay(painted, [Thing(CROWN, 0.5, 0.5, 0.2, 0.4, 1.0, 1.0, ragged=ragged_outline(np.random.default_rng(0)))])
    assert abs(painted.mean() / (np.pi / 4 * 0.2 * 0.4) - 1) < 0.15
    assert not np.allclose(painted, painted[:, ::-1], atol=0.5)


def test_small_things_are_one_in_the_mean_and_meet_round_the_back() -> None:
    things = small_things(96, 192)
    assert abs(things[32:].mean() - 1) < 0.01
    beside = np.abs(things[40:, 0] - things[40:, -1]).mean()
    assert beside < 2 * np.abs(np.diff(things[40:], axis=1)).mean()
