"""What commands write: data to standard output, words to standard error."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import click

DAYS_OF_A_YEAR = 365.25


@dataclass(frozen=True)
class Voice:
    """Words for the person at the terminal; none with `--quiet`. Errors do not pass here."""

    quiet: bool = False

    def say(self, text: str = "") -> None:
        """Write one line to standard error."""
        if not self.quiet:
            # The stream by its name: under a bar it is rich's, which writes above the bar; click takes what is below.
            click.echo(text, file=sys.stderr, err=True)


def open_closed_streams() -> None:
    """Open what is closed of standard input, output and error, to nowhere.

    A daemon's are. The next file opened would get the number, and what native code says on 2 would end up in it.
    """
    for number in range(3):
        if not _is_open(number):
            os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free: this one


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def emit(text: str) -> None:
    """Write one line of data to standard output."""
    click.echo(_writable(text))


def emit_json(value: Any) -> None:
    """Write one JSON document to standard output."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    try:
        text.encode()
    except UnicodeEncodeError:  # the name of a file that is no Unicode
        text = json.dumps(value, indent=2, allow_nan=False)
    click.echo(text)


def _writable(text: str) -> str | bytes:
    """Return text, or its bytes where it holds the name of a file that is no Unicode: so that both name that file."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return os.fsencode(text)
    return text


def aligned(rows: Sequence[Sequence[Any]], *, indent: int = 0) -> list[str]:
    """Arrange rows in columns: numbers to the right, the rest to the left, two spaces between."""
    texts = [[str(cell) for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in texts) for i in range(len(texts[0]))] if texts else []
    right = [all(isinstance(row[i], int | float) for row in rows) for i in range(len(widths))]
    lines = []
    for row in texts:
        cells = [
            cell.rjust(width) if r else cell.ljust(width) for cell, width, r in zip(row, widths, right, strict=True)
        ]
        lines.append((" " * indent + "  ".join(cells)).rstrip())
    return lines


def counted(number: int, noun: str, plural: str = "") -> str:
    """Return `1 face`, `2 faces`, `2,000 faces`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def a_few(names: Sequence[str], most: int = 5) -> str:
    """Return the first of many names, and how many more there are: `a.txt, b.txt and 12 more`."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def by_count(counts: Mapping[str, int]) -> str:
    """Return `sunglasses 12, mask 9`: the most frequent first."""
    return ", ".join(
        f"{name} {number:,}" for name, number in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    )


def duration(seconds: float) -> str:
    """Return `8.2 s`, `3 min 05 s`, `2 h 10 min`, `5.3 days`, `1,200 years`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    if minutes < 48 * 60:
        return f"{minutes // 60} h {minutes % 60:02d} min"
    days = seconds / 86_400
    if days < 2 * DAYS_OF_A_YEAR:
        return f"{days:.1f} days"
    years = days / DAYS_OF_A_YEAR
    return f"{years:.1f} years" if years < 10 else f"{years:,.0f} years"
