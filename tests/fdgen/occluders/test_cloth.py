"""What cloth looks like: prints that repeat without a seam, every hue and value, dirt where it is asked for."""

from __future__ import annotations

import colorsys

import numpy as np
import pytest

from fdgen.occluders.cloth.fabric import WHITEST, any_colour, dress, paint
from fdgen.occluders.cloth.patterns import PATTERNS, UPRIGHT, to_levels

COLOURS = [to_levels(c) for c in ((0.9, 0.9, 0.9), (0.1, 0.1, 0.2), (0.8, 0.2, 0.1), (0.2, 0.6, 0.3), (0.9, 0.8, 0.1))]
ONCE = frozenset({"figure", "panels", "slogan", "muzzle", "two_tone"})
"""Prints on a tile larger than a mask, which do not repeat."""


@pytest.mark.parametrize("pattern", ["scales", "dyed", "splashed", "mesh", "letters"])
@pytest.mark.parametrize("seed", range(4))
def test_a_print_repeats_without_a_seam(pattern: str, seed: int) -> None:
    draw = PATTERNS[pattern]
    tile = draw(COLOURS, 0.5, np.random.default_rng(seed))[0].astype(np.float64)
    for axis in (0, 1):
        steps = np.abs(tile - np.roll(tile, 1, axis)).mean((1 - axis, 2))  # the first is the one across the seam
        assert steps[0] <= 1.25 * steps[1:].max()


@pytest.mark.parametrize("pattern", sorted(ONCE & set(PATTERNS)))
def test_a_print_that_appears_once_is_larger_than_a_mask(pattern: str) -> None:
    assert PATTERNS[pattern](COLOURS, 0.5, np.random.default_rng(0))[1] >= 30.0


@pytest.mark.parametrize("pattern", sorted(PATTERNS))
def test_a_print_differs_from_draw_to_draw_and_is_the_same_for_one_seed(pattern: str) -> None:
    tiles = [PATTERNS[pattern](COLOURS, scale, np.random.default_rng(seed)) for scale, seed in ((0.2, 1), (0.7, 2))]
    again = PATTERNS[pattern](COLOURS, 0.2, np.random.default_rng(1))
    assert tiles[0][0].tobytes() == again[0].tobytes()
    assert pattern == "plain" or tiles[0][1] != tiles[1][1] or tiles[0][0].tobytes() != tiles[1][0].tobytes()


def test_any_colour_is_of_every_hue_every_value_and_every_saturation() -> None:
    rng = np.random.default_rng(0)
    drawn = np.array([colorsys.rgb_to_hsv(*any_colour(rng)) for _ in range(4000)])
    for column in drawn.T:
        assert (np.histogram(column, 8, (0.0, 1.0))[0] > 100).all()


def test_dirt_darkens_white_cloth_in_places_and_lightens_none() -> None:
    across, down = (a.astype(np.float32) for a in np.meshgrid(np.linspace(-9, 9, 160), np.linspace(0, 14, 120)))
    values = dress(np.random.default_rng(3), "medical", {"plain": 1.0})
    values |= {"wear": 0.0, "moist": 0.0, "dirt": 0.0, "colours": [[0.85, 0.85, 0.85]] * 5}
    clean, soiled = paint(across, down, values), paint(across, down, {**values, "dirt": 0.6})
    assert (soiled <= clean + 1e-6).all()
    darker = (soiled < 0.9 * clean).any(-1).mean()
    assert 0.02 < darker < 0.8
    assert clean.max() <= WHITEST


@pytest.mark.parametrize("seed", range(6))
def test_words_are_in_rows_with_bare_cloth_between(seed: int) -> None:
    colours = [to_levels((0.9, 0.9, 0.9)), *[to_levels((0.1, 0.1, 0.1))] * 4]
    canvas, _ = PATTERNS["letters"](colours, 0.5, np.random.default_rng(seed))
    inked = (canvas < 200).any(2)
    rows = inked.any(1)
    assert np.count_nonzero(np.diff(np.r_[rows[-1], rows].astype(int)) == 1) == 4
    assert 0.05 < inked.mean() < 0.35
    assert "letters" in UPRIGHT
