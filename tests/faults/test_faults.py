"""A disk that refuses at any moment: folders are as before or as after, and the next run ends in the same bytes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.disturbing import Undisturbed
from tests.faults.faulty import KINDS
from tests.faults.scenarios import SCENARIOS

_SAMPLED = len(KINDS)
"""Faults of a scenario that are tried in any run of the tests; the slow one tries each kind at each place."""


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_fault_leaves_nothing_by_halves(name: str, tmp_path: Path) -> None:
    undisturbed = Undisturbed(SCENARIOS[name], tmp_path)
    n_places = len(undisturbed.places)
    assert n_places >= _SAMPLED
    print(f"{name}: {n_places} places")
    for number, kind in enumerate(KINDS):  # each kind of fault, and places from the first to the last
        at = 1 + number * (n_places - 1) // (_SAMPLED - 1)
        assert undisturbed.disturbed(at, kind) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", SCENARIOS)
def test_a_fault_at_any_place_leaves_nothing_by_halves(name: str, tmp_path: Path) -> None:
    undisturbed = Undisturbed(SCENARIOS[name], tmp_path)
    places = range(1, len(undisturbed.places) + 1)
    assert [one for at in places for kind in KINDS for one in undisturbed.disturbed(at, kind)] == []
