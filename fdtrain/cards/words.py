"""The words of a model card: `card.toml`, which its publisher edits. Made once with words to start from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fdgen.contract.licences import terms_of
from fdgen.contract.words_file import read_words, words_text
from fdtrain.errors import ConfigError

WORDS = "card.toml"

EXPLAINED = {
    "title": "What the model is called in words.",
    "authors": "Who answers for it, a name each.",
    "contact": "How they are reached.",
    "citation": "How it is cited; empty: nothing is said.",
    "licence_tag": "Licence as the Hub names it; `other` where it knows none.",
    "licence_name": "Its name, where it is `other`.",
    "licence_url": "Where its text is.",
    "licence": "What it allows, in words. It cannot allow more than the photographs do.",
    "summary": "The first paragraph.",
    "uses": "What it is good for.",
    "out_of_scope": "What it must not be used for.",
    "biases": "Whom it has seen and whom not.",
    "limits": "Where it errs.",
}

MISUSE = """\
What is filled in is **invented**: it is no evidence of how a person looks, and must not be used to identify anybody, \
nor to show a face that somebody covered on purpose."""

_SUMMARY = {
    "restore": "Fills in what an occluder hides of a face, given the picture and the mask of the occluder.",
    "mask": "Finds what occludes a face: the probability of each pixel to show an occluder.",
}

_BIASES = """\
It has learned from the people in its photographs alone. On everybody who looks otherwise expect worse; the tables \
by tone of skin say how much, as far as it was measured."""

_LIMITS = """\
The occluders that it has seen are synthetic: measure on photographs of real ones too. One run with one seed: another \
differs by an amount that was not measured."""


@dataclass(frozen=True)
class Words:
    """The words of a model card, as `EXPLAINED` has them."""

    title: str
    authors: tuple[str, ...]
    contact: str
    citation: str
    licence_tag: str
    licence_name: str
    licence_url: str
    licence: str
    summary: str
    uses: str
    out_of_scope: str
    biases: str
    limits: str


def starting_words(name: str, task: str, photographs: str | None) -> str:
    """Return a card.toml to start from, for a model by its name and task, and the kind of photographs it learned from.

    None for `photographs` is a kind that is not known: then nothing may be passed on until its publisher says so.
    """
    terms = terms_of(photographs or "")
    values = {
        **dict.fromkeys(EXPLAINED, ""),
        "title": name.replace("-", " "),
        "authors": [],
        "licence_tag": terms.tag,
        "licence_name": terms.name,
        "licence_url": terms.url,
        "licence": f"Weights follow the photographs that they learned from. {terms.text}",
        "summary": _SUMMARY[task],
        "uses": "Research on the removal of occluders from faces.",
        "out_of_scope": MISUSE,
        "biases": _BIASES,
        "limits": _LIMITS,
    }
    heading = "The words of a model card. Edit them, then run `fdtrain card` again. Its numbers are read, not typed."
    return words_text(heading, EXPLAINED, values)


def read_card_words(path: Path) -> Words:
    """Read a card.toml; raise `ConfigError` naming what is wrong in it."""
    words, _ = read_words(path, EXPLAINED, error=ConfigError)
    return Words(**words)
