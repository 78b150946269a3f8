"""A disk that refuses at any moment: folders are as before or as after, and the next run ends in the same bytes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.disturbing import Undisturbed
from tests.faults.faulty import KINDS
from tests.faults.scenarios import SCENARIOS

TRAININGS = ("fit", "compare")
"""Scenarios that take a second: all kinds at all their places take an hour (`python -m tests.faults fit compare`)."""

_OF_TRAININGS = ("ENOSPC", "short", "dead")
"""Kinds that are tried of those in any run of the tests; of others all are."""


@pytest.mark.slow
@pytest.mark.parametrize("name", SCENARIOS)
def test_a_fault_leaves_nothing_by_halves(name: str, tmp_path: Path) -> None:
    undisturbed = Undisturbed(SCENARIOS[name], tmp_path)
    n_places = len(undisturbed.places)
    print(f"{name}: {n_places} places")
    kinds = _OF_TRAININGS if name in TRAININGS else KINDS
    for number, kind in enumerate(kinds):  # places from the first to the last
        at = 1 + number * (n_places - 1) // (len(kinds) - 1)
        assert undisturbed.disturbed(at, kind) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", SCENARIOS)
def test_a_fault_at_any_place_leaves_nothing_by_halves(name: str, tmp_path: Path) -> None:
    """Every place is tried, with two kinds in turn, of trainings one: all kinds everywhere are an hour's command."""
    undisturbed = Undisturbed(SCENARIOS[name], tmp_path)
    for at in range(1, len(undisturbed.places) + 1):
        for number in (at,) if name in TRAININGS else (at, at + 3):
            kind = KINDS[number % len(KINDS)]
            assert undisturbed.disturbed(at, kind) == []
