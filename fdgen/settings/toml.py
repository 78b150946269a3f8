"""Settings as TOML tables: overrides of single keys, merging of tables, and writing.

The library tomli-w writes each item of a list on a line of its own: no built-in recipe or preset would be the bytes
that published cards and runs hold.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def split_override(override: str) -> tuple[str, Any]:
    """Return key and value of `KEY=VALUE`; raise `ValueError` where it is not of that form.

    >>> split_override("loss.hole_weight=6")
    ('loss.hole_weight', 6)
    """
    key, equals, text = override.partition("=")
    if not equals or not key.strip():
        raise ValueError(f"the override {override!r} is not of the form KEY=VALUE")
    return key.strip(), value_of(text.strip())


def value_of(text: str) -> Any:
    """Return what a text means as a value of TOML; what is none, as a bare word or date, is the text itself.

    >>> value_of(".5"), value_of("[1, 2]"), value_of("paper")
    (0.5, [1, 2], 'paper')
    """
    number = text.replace(".", "0.", 1) if re.match(r"[+-]?\.\d", text) else text  # TOML wants the 0 of 0.5
    try:
        parsed = tomllib.loads(f"value = {number}")
    except (ValueError, RecursionError):
        return text
    value = parsed["value"]
    whole = len(parsed) == 1 and isinstance(value, str | bool | int | float | list | dict)
    return value if whole else text  # a bare date, or text that runs on into other keys, is meant as text


def flatten(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield one level of dotted keys from nested tables.

    >>> dict(flatten({"seed": 1, "pose": {"max_yaw_deg": 30}}))
    {'seed': 1, 'pose.max_yaw_deg': 30}
    """
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from flatten(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def nested(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Return nested tables from one level of dotted keys: the inverse of `flatten`."""
    values: dict[str, Any] = {}
    for key, value in flat.items():
        *tables, name = key.split(".")
        table = values
        for part in tables:
            table = table.setdefault(part, {})
        table[name] = value
    return values


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Return tables with others merged over them, table by table."""
    result = dict(below)
    for key, value in above.items():
        under = result.get(key)
        result[key] = merged(under, value) if isinstance(under, dict) and isinstance(value, dict) else value
    return result


def parse_tables(text: str) -> dict[str, Any]:
    """Return the tables of what `write_tables` wrote."""
    values: dict[str, Any] = tomllib.loads(text)
    return values


def write_tables(values: Mapping[str, Any]) -> str:
    """Return tables as TOML; None is written as "none", for TOML has no null.

    >>> print(write_tables({"seed": 1, "pose": {"max_yaw_deg": 30.0}}), end="")
    seed = 1
    <BLANKLINE>
    [pose]
    max_yaw_deg = 30.0
    """
    return "\n".join(_lines(values, "")).strip() + "\n"


def _lines(table: Mapping[str, Any], name: str) -> Iterator[str]:
    if name:
        yield f"\n[{name}]"
    for key, value in table.items():
        if not isinstance(value, Mapping):
            yield f"{_key(key, name)} = {_written(value)}"
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _lines(value, f"{name}.{_key(key, name)}" if name else key)


def _key(key: str, table: str) -> str:
    """Write a key, between quotes in the tables whose keys are a user's: ids, patterns, bins, kinds worn together."""
    return _quoted(key) if "." in table else key


def _written(value: Any) -> str:
    if value is None:
        return '"none"'
    if isinstance(value, list):
        return f"[{', '.join(_written(item) for item in value)}]"
    return _quoted(value) if isinstance(value, str) else json.dumps(value)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")  # TOML wants DEL escaped, JSON does not
