"""A disk that refuses at any moment: folders are as before or as after, and the next run ends in the same bytes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.disturbing import Undisturbed
from tests.faults.faulty import KINDS
from tests.faults.scenarios import SCENARIOS

_OF_TRAININGS = ("ENOSPC", "short", "dead")
"""Kinds that are tried in any run of the tests where a scenario takes a second; of others all are."""


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_fault_leaves_nothing_by_halves(name: str, tmp_path: Path) -> None:
    undisturbed = Undisturbed(SCENARIOS[name], tmp_path)
    n_places = len(undisturbed.places)
    print(f"{name}: {n_places} places")
    kinds = _OF_TRAININGS if name in ("fit", "compare") else KINDS
    for number, kind in enumerate(kinds):  # places from the first to the last
        at = 1 + number * (n_places - 1) // (len(kinds) - 1)
        assert undisturbed.disturbed(at, kind) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", SCENARIOS)
def test_a_fault_at_any_place_leaves_nothing_by_halves(name: str, tmp_path: Path) -> None:
    undisturbed = Undisturbed(SCENARIOS[name], tmp_path)
    places = range(1, len(undisturbed.places) + 1)
    assert [one for at in places for kind in KINDS for one in undisturbed.disturbed(at, kind)] == []
