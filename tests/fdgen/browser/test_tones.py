"""Skin tones are measured when they are asked for, of each photograph once."""

from __future__ import annotations

import time
from pathlib import Path

from fdgen.browser.tones import Tones
from fdgen.browser.version import Version
from fdgen.cards.numbers import gather
from fdgen.contract.manifest import Manifest

PATIENCE_S = 60


def measured(tones: Tones) -> dict[str, object]:
    end_s = time.monotonic() + PATIENCE_S
    while "done" in (found := tones.progress()) and time.monotonic() < end_s:
        time.sleep(0.01)
    return found


def test_tones_are_those_of_the_card(built: Path, version: Version) -> None:
    found = measured(Tones(version))
    names, tones = found["names"], found["tones"]
    assert isinstance(names, list)
    assert isinstance(tones, dict)
    assert set(tones) == set(version.table["source_sha256"].to_pylist())
    counts = {name: sum(code == place for code in tones.values()) for place, name in enumerate(names)}
    card = gather(Manifest.load(built))["skin_tone"]
    assert counts == {name: card.get(name, 0) for name in names}


def test_what_cannot_be_measured_is_told(built: Path, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(built, tmp_path / "set")
    (tmp_path / "set" / "landmarks.parquet").write_bytes(b"none")
    assert "landmarks.parquet" in str(measured(Tones(Version.open(tmp_path / "set")))["wrong"])
