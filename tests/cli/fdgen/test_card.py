"""`fdgen card`: what it writes and says, and the exit code of a check."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from fdgen.analysis.skin_tone import BINS
from tests.support.running import assert_refused, run

Built = tuple[Path, dict[str, Any]]


@pytest.fixture
def dataset(built: Built, tmp_path: Path) -> Path:
    return Path(shutil.copytree(built[0], tmp_path / "set"))


def test_a_card_is_written_checked_and_found_out(dataset: Path, tmp_path: Path) -> None:
    card = tmp_path / "ünï card"
    done = run("card", dataset, "--out", card, "--json")
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout) == {"card": str(card), "planned": False}
    assert run("verify", dataset, "--quiet").exit_code == 0
    assert run("verify", card, "--quiet").exit_code == 0
    for arguments in ((dataset, "--out", card), (card,)):
        checked = run("card", *arguments, "--check")
        assert (checked.exit_code, checked.stdout) == (0, "")
        assert "agree" in checked.stderr
    readme = card / "README.md"
    readme.write_text(
        readme.read_text(encoding="utf-8").replace("12 of 64 × 64 px", "13 of 64 × 64 px"), encoding="utf-8"
    )
    edited = run("card", dataset, "--out", card, "--check")
    assert edited.exit_code == 3
    assert edited.stdout.startswith("card\tREADME.md\tline ")
    assert "13 of 64" in edited.stdout
    assert "12 of 64" in edited.stdout
    facts = json.loads(run("card", card, "--check", "--json").stdout)
    assert (facts["ok"], facts["planned"], facts["problems"][0]["file"]) == (False, False, "README.md")
    assert run("card", dataset, "--out", card).exit_code == 0
    assert run("card", card, "--check").exit_code == 0


def test_it_counts_the_people_of_the_sample_faces(dataset: Path, tmp_path: Path) -> None:
    assert run("card", dataset, "--out", tmp_path / "card").exit_code == 0
    numbers = json.loads((tmp_path / "card" / "numbers.json").read_bytes())
    assert numbers["identities"] == numbers["photographs_used"] == 4
    assert set(numbers["skin_tone"]) == {name for name, _ in BINS}  # skin is seen on all of them
    assert sum(numbers["skin_tone"].values()) == 4
    assert all(one["licence"] == "MIT" for one in numbers["occluders"].values())


def test_by_default_it_goes_to_the_folder_of_cards(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("card", dataset).exit_code == 0
    [card] = (tmp_path / "data_cards").iterdir()
    assert card.name.startswith("default-0.0.0+")
    assert run("card", dataset, "--check").exit_code == 0


def test_it_refuses_what_it_must(dataset: Path, tmp_path: Path) -> None:
    assert_refused(run("card", tmp_path), 1, "not a dataset")
    assert_refused(run("card", dataset, "--out", dataset), 1, "lies within")
    assert_refused(run("card", dataset, "--out", tmp_path / "no", "--check"), 1, "card.toml")
    (tmp_path / "card").mkdir()
    (tmp_path / "card" / "card.toml").write_text("title = 'x'\n", encoding="utf-8")
    assert_refused(run("card", dataset, "--out", tmp_path / "card"), 2, "card.toml", "has no")
    (dataset / "shards" / "train-00000.tar").write_bytes(b"cut")
    assert_refused(run("card", dataset, "--out", tmp_path / "other"), 1, "is cut short")
    assert not (tmp_path / "other").exists()
