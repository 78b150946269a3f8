"""The cards that the project publishes: whole, agreeing with themselves, and rebuilt where the faces are at hand."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from fdgen.cards.card import check
from fdgen.faces.detection import detector_version
from fdgen.faces.folders import SampleFaces
from fdgen.pipeline.finish import environment
from fdgen.verification.verifier import verify
from fdgen.versions.lock import LOCK, is_card, read_lock
from fdgen.versions.reproduction import reproduce
from tests.support.paths import ROOT

FOLDER = ROOT / "data_cards"
CARDS = sorted(path for path in FOLDER.iterdir() if is_card(path))
LOCKED = [card for card in CARDS if (card / LOCK).exists()]


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.name)
def test_a_card_is_whole_and_its_folder_is_called_as_it_is(card: Path) -> None:
    assert verify(card) == []
    found = check(card)
    assert found.problems == ()
    assert found.planned == (card not in LOCKED)
    if card in LOCKED:
        facts = read_lock(card).facts
        assert card.name == f"{facts['name']}-{facts['version']}"
    assert f"({card.name}/README.md)" in (FOLDER / "README.md").read_text(encoding="utf-8")
    assert not any(path.suffix in (".png", ".jpg", ".tar") for path in card.rglob("*"))


def test_the_demonstration_card_is_that_of_its_script() -> None:
    spec = importlib.util.spec_from_file_location("make_demo", FOLDER / "make_demo.py")
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    facts = read_lock(script.CARD).facts
    assert (facts["name"], facts["version"], facts["count"]) == (script.NAME, script.VERSION, script.COUNT)


@pytest.mark.slow
@pytest.mark.sample
@pytest.mark.processor
@pytest.mark.parametrize("card", LOCKED, ids=lambda card: card.name)
def test_a_version_of_the_sample_faces_is_rebuilt(card: Path, tmp_path: Path) -> None:
    facts = read_lock(card).facts
    if facts["sources"].get("kind") != SampleFaces.kind:
        pytest.skip("it is of photographs that do not come with the package")
    found = reproduce(card, SampleFaces(), tmp_path / "again", workers=2)
    asked = [one for one in found.findings if one.asked]
    if asked and facts["landmarks"] != detector_version():
        assert [one.what for one in asked] == ["landmarks"]
        pytest.skip(f"bytes are promised for the libraries of the card alone: {asked[0].message}")
    assert not asked, "what a card asks for changed: publish a new version"
    if not found.same and found.findings:
        changed = [one for one in found.difference.samples if one.change != "moved"]
        assert {one.reasons for one in changed} == {("library",)}
        pytest.skip(f"bytes are promised for the libraries of the card alone: {found.findings[0].message}")
    assert found.same, found.first
    if facts["environment"] == environment():  # else the tables may be of other bytes, which Croissant names
        assert check(tmp_path / "again", card).problems == ()
