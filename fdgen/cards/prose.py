"""The words of a card: `card.toml`, which its publisher edits. Made once with words to start from, then left alone.

It holds no number of the dataset: those are counted (`fdgen.cards.numbers`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from importlib import resources
from pathlib import Path
from typing import Any

from fdgen.contract.licences import terms_of
from fdgen.contract.words_file import read_words, words_text
from fdgen.errors import RecipeError
from fdgen.io.toml_file import parse_toml

CARD = "card.toml"


@dataclass(frozen=True)
class Plan:
    """What a card without a lock is to become, once somebody builds it: `[planned]` of card.toml."""

    name: str
    version: str
    count: int
    faces: str


@dataclass(frozen=True)
class Prose:
    """The words of a card. `published` is a date (2026-01-31) or empty; `url` where the dataset lies, or empty."""

    title: str
    authors: tuple[str, ...]
    contact: str
    url: str
    published: str
    citation: str
    licence_tag: str
    licence_name: str
    licence_url: str
    licence: str
    summary: str
    motivation: str
    composition: str
    collection: str
    preprocessing: str
    people: str
    uses: str
    out_of_scope: str
    biases: str
    limits: str
    maintenance: str
    planned: Plan | None = None


EXPLAINED = {
    "title": "What the dataset is called in words.",
    "authors": "Who answers for it, a name each.",
    "contact": "How they are reached.",
    "url": "Where the dataset lies, if it is published: https://...; Croissant finds the shards there.",
    "published": "When it was published: 2026-01-31.",
    "citation": "How it is cited; empty: name, version and content_id.",
    "licence_tag": "Licence as Hugging Face names it; `other` where it knows none.",
    "licence_name": "Its name, where it is `other`.",
    "licence_url": "Where its text stands.",
    "licence": "What it allows, in words.",
    "summary": "The first paragraph.",
    "motivation": "What for, and by whom it was made.",
    "composition": "What the samples are.",
    "collection": "Where the photographs come from.",
    "preprocessing": "What was done to them.",
    "people": "What it says of real people, and whether they were asked.",
    "uses": "What it is good for.",
    "out_of_scope": "What it must not be used for.",
    "biases": "Whom it shows and whom not.",
    "limits": "Where it errs.",
    "maintenance": "Who mends it, and how versions follow each other.",
}

WORDS = resources.files("fdgen.cards.words")
"""What cards start with: a file for any, and one for each kind of photographs."""


def starting_text(kind: str, name: str, planned: Plan | None = None) -> str:
    """Return a card.toml to start from, for photographs of a kind (`celeba`, `samples`, `folder`)."""
    terms = terms_of(kind)
    values: dict[str, Any] = {
        **dict.fromkeys(EXPLAINED, ""),
        "title": name.replace("-", " ").capitalize(),
        "authors": [],
        "licence_tag": terms.tag,
        "licence_name": terms.name,
        "licence_url": terms.url,
        "licence": terms.text,
        **_words("any"),
        **_words(kind if WORDS.joinpath(f"{kind}.toml").is_file() else "folder"),
    }
    heading = "The words of a data card. Edit them, then run `fdgen card` again. Its numbers are counted, not typed."
    text = words_text(heading, EXPLAINED, values)
    if planned is None:
        return text
    lines = ["", "# What is to be built; the card has no lock yet.", "[planned]"]
    lines += [f"{field.name} = {json.dumps(getattr(planned, field.name))}" for field in fields(Plan)]
    return text + "\n".join(lines) + "\n"


def read_prose(path: Path) -> Prose:
    """Read a card.toml; raise `RecipeError` naming what is wrong in it."""
    words, tables = read_words(path, EXPLAINED, error=RecipeError, tables=("planned",))
    return Prose(**words, planned=_plan(path, tables["planned"]) if "planned" in tables else None)


def _plan(path: Path, values: Any) -> Plan:
    types: Mapping[str, type] = {"name": str, "version": str, "count": int, "faces": str}
    if not isinstance(values, dict) or values.keys() != types.keys():
        raise RecipeError(f"{path}: [planned] has the keys {', '.join(types)} and no others")
    for key, kind in types.items():
        if type(values[key]) is not kind:
            raise RecipeError(f"{path}: planned.{key} must be {kind.__name__}, got {values[key]!r}")
    return Plan(**values)


def _words(name: str) -> dict[str, str]:
    return parse_toml(WORDS.joinpath(f"{name}.toml").read_bytes())
