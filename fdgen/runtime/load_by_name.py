"""Loads the code that a row of a table names by path, so that tables need the standard library only."""

from __future__ import annotations

import importlib
from operator import attrgetter
from typing import Any


def load_by_name(path: str) -> Any:
    """Import and return what `module:attribute` names.

    >>> load_by_name("math:pi") > 3
    True
    """
    module, _, attribute = path.partition(":")
    return attrgetter(attribute)(importlib.import_module(module))
