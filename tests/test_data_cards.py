"""The cards that the project publishes are whole; those of the faces that come with it are rebuilt, byte by byte."""

from __future__ import annotations

from pathlib import Path

import pytest

from fdgen.faces import SampleFaces
from fdgen.reproduce import reproduce
from fdgen.verify import verify
from fdgen.version_lock import LOCK, is_card, read_lock

CARDS = sorted(path for path in (Path(__file__).parent.parent / "data_cards").iterdir() if is_card(path))
LOCKED = [card for card in CARDS if (card / LOCK).exists()]


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.name)
def test_a_card_is_whole_and_its_folder_is_called_as_it_is(card: Path) -> None:
    assert verify(card) == []
    if card in LOCKED:
        facts = read_lock(card).facts
        assert card.name == f"{facts['name']}-{facts['version']}"


@pytest.mark.slow
@pytest.mark.sample
@pytest.mark.parametrize("card", LOCKED, ids=lambda card: card.name)
def test_a_version_of_the_sample_faces_is_rebuilt(card: Path, tmp_path: Path) -> None:
    if read_lock(card).facts["sources"].get("kind") != SampleFaces.kind:
        pytest.skip("it is of photographs that do not come with the package")
    found = reproduce(card, SampleFaces(), tmp_path / "again", workers=2)
    assert not [one for one in found.findings if one.asked], "what a card asks for changed: publish a new version"
    if not found.same and found.findings:
        pytest.skip(f"bytes are promised for the libraries of the card alone: {found.findings[0].message}")
    assert found.same, found.first
