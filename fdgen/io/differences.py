"""What differs between a text or a JSON value and what it is to be, in sentences: how cards are checked."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping
from typing import Any

MOST_BYTES = 2_000_000
"""Of a text that is compared: comparing two takes time with the square of their lines."""

MOST_SHOWN = 100
"""Characters of a value; of a longer one, the part around the difference is shown."""

MOST_TOLD = 20
"""Differences that are named of one file; the rest is counted."""


def text_differences(found: str | None, wanted: str) -> list[str]:
    r"""Return a sentence for each place where lines differ; None for `found` is a file that is missing or no text.

    >>> text_differences("one\ntwo\n", "one\nthree\n")
    ["line 2 is 'two', and should be 'three'"]
    """
    if found is None:
        return ["it is missing or not a text"]
    before, after = found.split("\n"), wanted.split("\n")
    told = []
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    for what, start, end, to_start, to_end in matcher.get_opcodes():
        if what != "equal":
            is_, to_be = _where_they_differ("; ".join(before[start:end]), "; ".join(after[to_start:to_end]))
            told.append(f"line {start + 1} is {is_}, and should be {to_be}")
    return _few(told)


def value_differences(found: Any, wanted: Any) -> list[str]:
    """Return a sentence for each value that differs, by its dotted key.

    >>> value_differences({"a": {"b": 1}}, {"a": {"b": 2}})
    ['a.b is 1, and should be 2']
    """
    before, after = dict(_flat(found)), dict(_flat(wanted))
    told = []
    for key in [*after, *(before.keys() - after.keys())]:
        if key not in before or key not in after or before[key] != after[key]:
            is_, to_be = _shown(before, key), _shown(after, key)
            if max(len(is_), len(to_be)) > MOST_SHOWN:
                is_, to_be = _where_they_differ(is_, to_be)
            told.append(f"{key} is {is_}, and should be {to_be}")
    return _few(told or ["it is not written as we write it"])


def _where_they_differ(found: str, wanted: str) -> tuple[str, str]:
    """Return of two long texts the parts around the first character in which they differ, quoted."""
    same = next(
        (i for i, (a, b) in enumerate(zip(found, wanted, strict=False)) if a != b), min(len(found), len(wanted))
    )
    start = max(same - 40, 0)
    told = []
    for text in (found, wanted):
        part = text[start : start + 100]
        told.append(f"'{'...' if start else ''}{part}{'...' if len(text) > start + 100 else ''}'" if text else "empty")
    return told[0], told[1]


def _few(told: list[str]) -> list[str]:
    rest = len(told) - MOST_TOLD
    return told[:MOST_TOLD] + ([f"{rest} more differences"] if rest > 0 else [])


def _flat(value: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict | list) and value:
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _flat(inner, f"{prefix}.{key}" if prefix else str(key))
    else:
        yield prefix, value


def _shown(values: Mapping[str, Any], key: str) -> str:
    return json.dumps(values[key], ensure_ascii=False) if key in values else "missing"
