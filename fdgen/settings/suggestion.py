"""Suggestions for misspelt names."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def did_you_mean(word: str, known: Iterable[str], *, cutoff: float = 0.6) -> str:
    """Return `, did you mean 'X'?` for the known name closest to `word`, or nothing where none is close.

    Of dotted names the last part is enough: "yaw_deg" is close to "pose.max_yaw_deg".

    >>> did_you_mean("masc", ["hat", "mask"])
    ", did you mean 'mask'?"
    >>> did_you_mean("umbrella", ["hat", "mask"])
    ''
    """
    by_end = {name.rpartition(".")[2]: name for name in known}
    close = difflib.get_close_matches(word, [*by_end.values(), *by_end], n=1, cutoff=cutoff)
    return f", did you mean {by_end.get(close[0], close[0])!r}?" if close else ""
