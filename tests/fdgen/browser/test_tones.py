"""Skin tones are measured when they are asked for, of each photograph once."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fdgen.browser.tones import Tones
from fdgen.browser.version import Version
from fdgen.cards import sample_tones, skin_tones
from fdgen.cards.numbers import gather
from fdgen.contract.manifest import Manifest
from fdgen.errors import DatasetError

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


def test_tones_that_broke_off_are_not_taken_for_all(version: Version, monkeypatch: pytest.MonkeyPatch) -> None:
    real = skin_tones.skin_tones

    def broken(*arguments: Any) -> Iterator[tuple[str, str]]:
        yield next(iter(real(*arguments)))
        raise MemoryError

    monkeypatch.setattr(skin_tones, "skin_tones", broken)
    monkeypatch.setattr(threading, "excepthook", lambda told: None)
    tones = Tones(version)
    found = measured(tones)
    assert tones._thread is not None
    tones._thread.join()
    assert "broke off" in str(found.get("wrong"))
    assert "tones" not in found


def test_a_photograph_without_landmarks_is_told(built: Path, version: Version, monkeypatch: pytest.MonkeyPatch) -> None:
    real = sample_tones.read_landmarks
    key, source = version.key(0), version.table["source_sha256"][0].as_py()
    assert set(sample_tones.tones_of(built, [key], "grey")) <= {key}
    monkeypatch.setattr(sample_tones, "read_landmarks", lambda path: (row for row in real(path) if row[0] != source))
    with pytest.raises(DatasetError, match=r"landmarks.parquet of .* has no row for 1 photographs") as raised:
        sample_tones.tones_of(built, [key], "grey")
    assert "fdgen verify" in raised.value.hint
