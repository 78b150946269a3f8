"""The words of a card as a TOML file that its publisher edits: texts, and lists of names, each under a comment."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Collection, Mapping
from datetime import date
from pathlib import Path
from typing import Any

from fdgen.errors import FdError
from fdgen.io.json_file import why
from fdgen.io.toml_file import read_toml
from fdgen.settings.suggestion import did_you_mean

LISTED, DATED = ("authors",), ("published",)
"""Keys that hold names, and those that hold a date or nothing; all others hold text."""


def words_text(heading: str, explained: Mapping[str, str], values: Mapping[str, Any]) -> str:
    """Return such a file: `explained` has the comment of each key, in their order."""
    lines = [f"# {heading}"]
    for key, comment in explained.items():
        lines += ["", f"# {comment}", f"{key} = {_toml(values[key])}"]
    return "\n".join(lines) + "\n"


def read_words(
    path: Path, explained: Mapping[str, str], *, error: type[FdError], tables: Collection[str] = ()
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the words of a file, stripped, lists as tuples; and those of its `tables` that are there, as they are.

    Raises `error` naming what is wrong in it.
    """
    try:
        values = read_toml(path, within=path.parent)
    except (OSError, ValueError) as cause:
        raise error(f"{path} cannot be read: {why(cause)}", hint="mend it, or delete it to start anew") from cause
    held = {name: values.pop(name) for name in tables if name in values}
    for key in values:
        if key not in explained:
            raise error(
                f"{path} has {key!r}, which no card has{did_you_mean(key, explained)}",
                hint=f"its keys: {', '.join(explained)}",
            )
    if missing := [key for key in explained if key not in values]:
        raise error(f"{path} has no {missing[0]!r}", hint="an empty text leaves it out of the card")
    for key, value in values.items():
        listed = key in LISTED
        if (
            not (isinstance(value, list) and all(isinstance(one, str) for one in value))
            if listed
            else type(value) is not str
        ):
            raise error(f"{path}: {key} must be {'a list of names' if listed else 'text'}, got {value!r}")
        if key in DATED and value.strip() and not _is_date(value.strip()):
            raise error(f"{path}: {key} must be a date as 2026-01-31, got {value!r}")
    return {key: tuple(value) if key in LISTED else value.strip() for key, value in values.items()}, held


def _is_date(text: str) -> bool:
    """Return whether text is a day that there is, as 2026-01-31: other forms of ISO 8601 are not taken."""
    try:
        return re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", text) is not None and bool(date.fromisoformat(text))
    except ValueError:
        return False


def _toml(value: Any) -> str:
    """Write text or a list; long text over several lines, folded by TOML's line-ending backslash.

    Lines of its own are kept. Text with blanks that a fold would eat is written in one line.
    """
    if isinstance(value, list | tuple) or len(value) < 90:
        return _quoted(value)
    folded = []
    for line in value.split("\n"):
        parts = textwrap.wrap(line, 116, break_long_words=False, break_on_hyphens=False)
        if " ".join(parts) != line or line[:1].isspace():
            return _quoted(value)
        folded.append(" \\\n".join(_quoted(part)[1:-1] for part in parts))
    return '"""\\\n' + "\\n\\\n".join(folded) + '"""'


def _quoted(value: Any) -> str:
    """Write text, or a list of texts, in one line."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")  # which TOML wants escaped, and JSON not
