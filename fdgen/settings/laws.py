"""Which law a value of settings breaks, as a clause of an error's sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_TYPES = {
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "string_type": "must be text",
    "bool_type": "must be true or false",
    "tuple_type": "must be a list",
    "dict_type": "must be a table",
    "model_type": "must be a table",
    "finite_number": "must be a finite number",
}


_PATTERN = "must be of letters, digits, '.', '_' and '-' and start with a letter or digit"


def law(key: str, problem: Mapping[str, Any], *, foreign: str, pattern: str = _PATTERN) -> str:
    """Return which law the value at `key` breaks, as a clause.

    `problem` is one of pydantic's `ValidationError.errors()`. `foreign` is the clause about a key that does not exist,
    `pattern` the law of text that must match one.
    """
    kind, value = problem["type"], problem["input"]
    if kind == "value_error":
        return f"{key} {problem['ctx']['error']}".strip()
    if kind == "literal_error":
        return f"{key} must be one of {problem['ctx']['expected']}, got {value!r}"
    if kind == "string_pattern_mismatch":
        return f"{key} {pattern}, got {value!r}"
    if kind == "extra_forbidden":
        return foreign
    if kind == "missing":
        return f"{key} is missing"
    return f"{key} {_TYPES.get(kind, problem['msg'])}, got {value!r}"
