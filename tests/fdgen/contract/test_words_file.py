"""The words of a card come back from their file as they were written, and a date is a day that there is."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fdgen.contract.words_file import read_words, words_text
from fdgen.errors import FdError
from fdgen.io.toml_file import read_toml

EXPLAINED = {"authors": "Names.", "published": "A day.", "summary": "Text."}
LONG = "It has learned from the people in its photographs alone, and of all others it knows nothing whatever at all."


def written(path: Path, **values: object) -> Path:
    path.write_text(words_text("Words", EXPLAINED, {"authors": [], "published": "", "summary": "", **values}), "utf-8")
    return path


@pytest.mark.parametrize(
    "text",
    [
        "short", LONG, f"{LONG} {LONG}", f"{LONG}\n\n- {LONG}\n- {LONG}", f"{LONG}\n    indented",
        f"{LONG}  two blanks", f'{LONG} """quoted""" \\ and \t{LONG}', f"{LONG}\x7f\x00", "\x7f",
        f"{LONG}\r\n{LONG}", "\n" * 95,
    ],
)  # fmt: skip
def test_text_comes_back_as_it_was(text: str, tmp_path: Path) -> None:
    assert read_toml(written(tmp_path / "card.toml", summary=text))["summary"] == text


@given(st.text(st.sampled_from('ab \n\\"\t\x7f'), min_size=90, max_size=300))
def test_whatever_it_is(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.getbasetemp() / "words.toml"
    assert read_toml(written(path, summary=text))["summary"] == text


@pytest.mark.parametrize("day", ["2026-02-30", "2026-13-01", "20260131", "2026-W05-6", "٢٠٢٦-٠١-٣١", "31.01.2026"])
def test_what_is_no_day_is_refused(day: str, tmp_path: Path) -> None:
    with pytest.raises(FdError, match="published must be a date as 2026-01-31"):
        read_words(written(tmp_path / "card.toml", published=day), EXPLAINED, error=FdError)


@pytest.mark.parametrize("day", ["", "2026-01-31", "2026-01-31\n", " "])
def test_a_day_or_nothing_is_taken_without_its_blanks(day: str, tmp_path: Path) -> None:
    words, _ = read_words(written(tmp_path / "card.toml", published=day), EXPLAINED, error=FdError)
    assert words["published"] == day.strip()
