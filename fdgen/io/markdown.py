"""Pieces of Markdown that cards are made of: sections, tables, lists, bars, front matter."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

BAR_CHARACTERS = 20
_EIGHTHS = " ▏▎▍▌▋▊▉"


def section(title: str, *parts: str) -> str:
    """Return a section of the parts that say something; nothing where none does."""
    body = [part for part in parts if part]
    return "\n\n".join([f"## {title}", *body]) if body else ""


def table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Format a table; columns of whole numbers are set to the right.

    >>> print(table(("kind", "samples"), [("mask", 1200)]))
    | kind | samples |
    |---|---:|
    | mask | 1,200 |
    """
    right = [bool(rows) and all(isinstance(row[i], int) for row in rows) for i in range(len(head))]
    texts = [[f"{cell:,}" if isinstance(cell, int) else str(cell).replace("|", "\\|") for cell in row] for row in rows]
    lines = [f"| {' | '.join(head)} |", f"|{'|'.join('---:' if one else '---' for one in right)}|"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in texts)])


def bullets(lines: Sequence[str]) -> str:
    """Return a list of sentences."""
    return "\n".join(f"- {line[:1].upper()}{line[1:]}{'' if line.endswith('.') else '.'}" for line in lines)


def bar(share: float) -> str:
    """Return a bar for a share in [0, 1]; what is not 0 shows.

    >>> bar(0.5), bar(0.0001), bar(0.0)
    ('██████████', '▏', '')
    """
    eighths = max(round(share * BAR_CHARACTERS * 8), 1 if share > 0 else 0)
    return "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()


def yaml_text(text: str) -> str:
    """Return a text as YAML takes it: every JSON string is one of YAML."""
    return json.dumps(text, ensure_ascii=False)


def licence_lines(tag: str, name: str, url: str) -> list[str]:
    """Return the lines of front matter that state a licence, as the Hub has them: `other` has a name and a link."""
    lines = [f"license: {yaml_text(tag)}"]
    if tag == "other":
        lines += [f"license_name: {yaml_text(name)}"] if name else []
        lines += [f"license_link: {yaml_text(url)}"] if url else []
    return lines
