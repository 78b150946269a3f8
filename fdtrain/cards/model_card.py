"""The card of a model: facts that are read, and words that its publisher edits.

    run or file, dataset, evaluations --> numbers.json, with card.toml --> README.md

`check` makes it again and names what differs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fdgen.io.differences import MOST_BYTES, text_differences, value_differences
from fdgen.io.json_file import read_object, why
from fdgen.io.regular_file import read_regular
from fdtrain.cards.facts import data_facts, evaluation_facts, model_facts, on_the_fly_facts
from fdtrain.cards.readme import card_text
from fdtrain.cards.words import WORDS, Words, read_card_words, starting_words
from fdtrain.errors import RunError
from fdtrain.run_files import make_folder, write_text

NUMBERS, README = "numbers.json", "README.md"

SCHEMA = 1

_ODD = (KeyError, IndexError, TypeError, AttributeError, ValueError, OverflowError)
"""All errors that writing out facts can raise where these are of other types than ours."""


@dataclass(frozen=True)
class CardProblem:
    """One thing in which a file of a card is not what it is to be."""

    file: str
    message: str


def default_out(model: Path) -> Path:
    """Return the folder of a model's card: that of a run itself, `NAME-card` next to a file."""
    return model if model.is_dir() else model.with_name(f"{model.stem}-card")


def gather(
    model: Path,
    *,
    data: Path | None = None,
    evaluations: Sequence[Path] = (),
    tones: Mapping[str, str] | None = None,
    tone_order: Sequence[str] = (),
) -> dict[str, Any]:
    """Return all facts of a card; raise `FdError` where something named is not there, damaged or of another model.

    Args:
        model: Folder of a run, file of weights, or ONNX file.
        data: Folder of the dataset that it was trained on; None where that is not at hand.
        evaluations: Folders that `fdtrain eval --out` wrote.
        tones: Class of skin by the key of a picture; None where nobody looked.
        tone_order: The classes in the order of their rows.
    """
    of_model = model_facts(model)
    of_data = on_the_fly_facts(of_model) if data is None else data_facts(data, str(of_model.get("content_id", "")))
    found = [evaluation_facts(folder, of_model, tones or {}, tone_order) for folder in evaluations]
    facts = {"schema": SCHEMA, "model": of_model, "data": of_data, "tables": [one for group in found for one in group]}
    plain: dict[str, Any] = json.loads(json.dumps(facts))  # as it is read back
    return plain


def write_card(model: Path, facts: Mapping[str, Any], out: Path | None = None) -> Path:
    """Write numbers.json, README.md and, where it is missing, card.toml; return the folder.

    Raises `ConfigError` where card.toml is wrong, `RunError` where the folder cannot be written to.
    """
    out = default_out(model) if out is None else out
    make_folder(out)
    if not (out / WORDS).exists():
        kind = None if facts["data"] is None else facts["data"]["photographs"]
        write_text(out / WORDS, starting_words(facts["model"]["name"], facts["model"]["task"], kind))
    words = read_card_words(out / WORDS)
    write_text(out / NUMBERS, _numbers_text(facts))
    write_text(out / README, card_text(facts, words))
    return out


def is_card(folder: Path) -> bool:
    """Return whether a folder holds a model card."""
    return (folder / WORDS).is_file() and (folder / NUMBERS).is_file()


def check(out: Path, facts: Mapping[str, Any] | None) -> list[CardProblem]:
    """Compare a card with `facts` of its model; with its own numbers where they are None.

    What the facts do not speak of (the dataset or evaluations, which were not named) is taken from numbers.json. Raises
    `RunError` where there is no card, `ConfigError` where card.toml is wrong.
    """
    if not is_card(out):
        raise RunError(f"{out} holds no model card: it has no {WORDS} and {NUMBERS}", hint="run `fdtrain card` first")
    words = read_card_words(out / WORDS)
    held = read_object(out / NUMBERS, within=out, error=RunError, hint="write the card again")
    problems = []
    if facts is None:
        true: Mapping[str, Any] = held
    else:
        true = {
            **facts,
            "data": held.get("data") if facts["data"] is None else facts["data"],
            "tables": facts["tables"] or held.get("tables", []),
        }
        if held != true:
            problems += [CardProblem(NUMBERS, told) for told in value_differences(held, true)]
    return [*problems, *_text_problems(out, true, words)]


def _text_problems(out: Path, facts: Mapping[str, Any], words: Words) -> list[CardProblem]:
    try:
        wanted = card_text(facts, words)
    except _ODD as error:
        return [CardProblem(NUMBERS, f"it lacks a field of a card: {why(error)}")]
    try:
        found = read_regular(out / README, most_bytes=MOST_BYTES, within=out).decode("utf-8")
    except (OSError, ValueError):
        return [CardProblem(README, "it is missing or not a text")]
    return [] if found == wanted else [CardProblem(README, told) for told in text_differences(found, wanted)]


def _numbers_text(facts: Mapping[str, Any]) -> str:
    return json.dumps(facts, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
