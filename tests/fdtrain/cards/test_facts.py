"""The facts of a model card: every setting that was changed, and evaluations of these weights alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fdgen.io.regular_file import sha256_of
from fdtrain.cards.facts import Facts, evaluation_facts, model_facts, settings_changed
from fdtrain.cards.readme import card_text
from fdtrain.cards.words import WORDS, read_card_words, starting_words
from fdtrain.config.schema import FitConfig
from fdtrain.errors import RunError
from tests.support.weights import write_weights

CHANGED = ("training.clip_norm=none", "training.ema_decay=none", 'data.without=["hand"]', "machine.workers=2")


def test_what_was_switched_off_is_a_change() -> None:
    config = FitConfig.load("modern-64", overrides=CHANGED)
    assert settings_changed(config.as_dict()) == {
        "training.clip_norm": None, "training.ema_decay": None, "data.without": ["hand"]
    }  # fmt: skip


def test_the_card_tells_of_it_and_its_command_makes_the_same_settings(tmp_path: Path) -> None:
    settings = settings_changed(FitConfig.load("modern-64", overrides=CHANGED).as_dict())
    facts = model_facts(write_weights(tmp_path / "mine.safetensors"))
    (tmp_path / WORDS).write_text(starting_words("mine", "restore", None), encoding="utf-8")
    plain = json.loads(json.dumps({**facts, "preset": "modern-64", "settings": settings}))
    text = card_text({"model": plain, "data": None, "tables": []}, read_card_words(tmp_path / WORDS))
    assert "| `training.clip_norm` | `none` |" in text
    assert '| `data.without` | `["hand"]` |' in text
    asked = [word.strip("'") for word in text.split("--set ")[1:]]
    overrides = [word.split("\n")[0].strip(" '") for word in asked]
    assert settings_changed(FitConfig.load("modern-64", overrides=overrides).as_dict()) == settings


@pytest.fixture
def model(tmp_path: Path) -> Facts:
    return model_facts(write_weights(tmp_path / "mine.safetensors"))


def written(folder: Path, *models: dict[str, str]) -> Path:
    """Write an evaluation of some models, as `fdtrain eval --out` does."""
    folder.mkdir()
    (folder / "images.csv").write_text("method,key,kind,psnr_hole\nmine,k,mask,20\n", encoding="utf-8")
    facts = {"dataset": {"split": "test"}, "methods": ["mine"], "models": list(models)}
    (folder / "eval.json").write_text(json.dumps(facts), encoding="utf-8")
    return folder


def test_an_evaluation_is_taken_where_it_measured_these_weights(model: Facts, tmp_path: Path) -> None:
    sha256 = sha256_of(tmp_path / "mine.safetensors")
    folder = written(tmp_path / "own", {"name": "other", "sha256": "0" * 64}, {"name": "mine", "sha256": sha256})
    [table] = evaluation_facts(folder, model, {}, ())
    assert table["columns"]["all"] == {"mine": [1, 20.0, None]}
    exported = {**model, "weights": {"sha256": "1" * 64}, "weights_sha256": sha256}
    assert evaluation_facts(folder, exported, {}, ()) == [table]  # of the weights that it was made from


@pytest.mark.parametrize(
    ("models", "words"),
    [
        (
            [{"name": "other", "sha256": "0" * 64}],
            r"is not of mine \(weights [0-9a-f]{16}\): it measured other \(0{16}\)",
        ),
        ([{"name": "mine"}], "does not say which weights it measured"),
        ([], "does not say which weights it measured"),
    ],
)
def test_measures_of_other_weights_are_refused(
    models: list[dict[str, str]], words: str, model: Facts, tmp_path: Path
) -> None:
    with pytest.raises(RunError, match=words) as raised:
        evaluation_facts(written(tmp_path / "other", *models), model, {}, ())
    assert "fdtrain eval" in raised.value.hint
