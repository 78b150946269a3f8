"""Reads untrusted TOML: limited size, UTF-8, no key so long that reading it takes minutes."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from fdgen.io.regular_file import read_regular

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

MOST_BYTES = 1_000_000
"""Of one file; a recipe has 10 kB, the words of a card 20."""

MOST_DOTS = 256
"""Between two commas, equals signs or line ends: the parser's time grows with the square of a dotted key's parts."""


def read_toml(path: Path, *, within: Path | None = None) -> dict[str, Any]:
    """Return the tables of a file; raise `OSError` where it cannot be read, `ValueError` where it is no TOML."""
    return parse_toml(read_regular(path, most_bytes=MOST_BYTES, within=within))


def parse_toml(data: bytes) -> dict[str, Any]:
    """Return the tables of a text; raise `ValueError` where it is none, not UTF-8, or nested too deeply."""
    try:
        text = data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeError as error:
        raise ValueError("it is not UTF-8") from error
    if any(part.count(".") > MOST_DOTS for part in re.split("[,=\n]", text)):
        raise ValueError("it has a key of hundreds of parts")
    try:
        values = tomllib.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    waiting: list[Any] = [values]
    while waiting:
        one = waiting.pop()
        waiting += one.values() if isinstance(one, dict) else one if isinstance(one, list) else ()
        if type(one) is int and abs(one) >= 10**300:  # which no float holds, and what computes with one fails
            raise ValueError("it has a number of hundreds of digits")
    return values
