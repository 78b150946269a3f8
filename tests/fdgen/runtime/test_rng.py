"""Draws from tables of weights: what numpy's own `choice` draws, without its cost."""

from __future__ import annotations

import numpy as np
import pytest

from fdgen.runtime.rng import draw_index, draw_key, draw_one


@pytest.mark.parametrize("weights", [(1.0,), (0.3, 0.25, 0.45), (13, 3, 5, 0.8, 1.2, 0.5), (0.0, 2.0, 0.0, 1.0)])
def test_a_number_is_drawn_as_numpy_draws_it(weights: tuple[float, ...]) -> None:
    shares = np.array(weights) / np.sum(weights)
    ours, numpys = np.random.default_rng(5), np.random.default_rng(5)
    for _ in range(500):
        assert draw_index(ours, weights) == numpys.choice(len(weights), p=shares)
    assert ours.bit_generator.state == numpys.bit_generator.state


def test_a_key_is_drawn_by_its_weight() -> None:
    rng = np.random.default_rng(6)
    drawn = [draw_key(rng, {"never": 0.0, "often": 3.0, "seldom": 1.0}) for _ in range(400)]
    assert "never" not in drawn
    assert 0.15 < drawn.count("seldom") / len(drawn) < 0.35


def test_one_of_some_options_is_drawn_as_numpy_draws_it() -> None:
    ours, numpys = np.random.default_rng(7), np.random.default_rng(7)
    for n in range(1, 200):
        assert draw_one(ours, range(n)) == numpys.choice(n)
    assert ours.bit_generator.state == numpys.bit_generator.state
