"""The cards that the project publishes: each agrees with itself, and the demonstration set is built again."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest

from fdgen.cards import check
from fdgen.finish import environment

FOLDER = Path(__file__).parent.parent / "data_cards"
CARDS = sorted(path.parent for path in FOLDER.glob("*/card.toml"))
PIXELS = ("numpy", "opencv-python", "mediapipe", "numba", "platform")
"""What of the environment may change pixels; the rest may change the bytes of tables alone."""


def script() -> ModuleType:
    """Import the script that makes the card."""
    spec = importlib.util.spec_from_file_location("make_demo", FOLDER / "make_demo.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.name)
def test_every_card_agrees_with_its_words_and_its_lock(card: Path) -> None:
    found = check(card)
    assert found.problems == ()
    assert found.planned == (card.name == "celeba-occluded-1.0.0")
    assert f"({card.name}/README.md)" in (FOLDER / "README.md").read_text(encoding="utf-8")
    assert not any(path.suffix in (".png", ".jpg", ".tar") for path in card.rglob("*"))


@pytest.mark.slow
@pytest.mark.sample
def test_the_demonstration_set_is_built_again(tmp_path: Path) -> None:
    """Bit for bit where the versions that decide pixels are those of the card; make it anew where they moved."""
    make_demo = script()
    lock = json.loads((make_demo.CARD / "lock.json").read_bytes())
    now, then = environment(), lock["environment"]
    if moved := [name for name in PIXELS if now[name] != then[name]]:
        pytest.skip(f"the card was made with {', '.join(f'{name} {then[name]}' for name in moved)}")
    dataset = make_demo.make(tmp_path / "set").dataset
    assert (dataset["spec_id"], dataset["content_id"]) == (lock["spec_id"], lock["content_id"])
    if now == then:
        assert check(tmp_path / "set", make_demo.CARD).problems == ()
