"""Reads untrusted JSON: limited size and depth, UTF-8, finite numbers; one sentence reports what is wrong.

`read_json` reads a file, `parse_json` bytes, `read_lines` a log with an object a line. `fits` compares what was read
with a type.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np

from fdgen.errors import DatasetError, FdError
from fdgen.io.regular_file import read_regular
from fdgen.io.storage import Place, read_file

MOST_BYTES = 64_000_000
"""Of one file; the receipt of a shard of ten thousand samples has 30 MB."""

MOST_DEPTH = 64
"""Of lists and objects within each other; ours have eight."""

_LONG_NUMBER = re.compile("[0-9]{300}")
"""No float holds a whole number that long, and what computes with one fails."""

_STEPS = np.zeros(256, np.int8)
_STEPS[[ord("["), ord("{")]], _STEPS[[ord("]"), ord("}")]] = 1, -1


def read_json(
    path: Place,
    *,
    within: Place | None = None,
    error: type[FdError] = DatasetError,
    hint: str = "",
    most_bytes: int = MOST_BYTES,
) -> Any:
    """Return what a JSON file holds.

    Args:
        path: The file, here or behind a URL.
        within: Folder that no link may lead out of; None for any.
        error: Type of the error to raise.
        hint: What to do about it, for the error.
        most_bytes: Largest file that is read, in bytes.

    Raises `error`, with `hint`, where it cannot be read, is too large, too deep or no JSON; where a link leads to it
    out of the folder `within`.
    """
    try:
        return parse_json(read_file(path, most_bytes=most_bytes, within=within))
    except (OSError, ValueError) as fault:
        raise error(f"{path} cannot be read: {why(fault)}", hint=hint) from fault


def read_object(
    path: Place,
    *,
    within: Place | None = None,
    error: type[FdError] = DatasetError,
    hint: str = "",
    most_bytes: int = MOST_BYTES,
) -> dict[str, Any]:
    """Return the object that a JSON file holds.

    Args:
        path: The file, here or behind a URL.
        within: Folder that no link may lead out of; None for any.
        error: Type of the error to raise.
        hint: What to do about it, for the error.
        most_bytes: Largest file that is read, in bytes.

    Raises `error` as `read_json` does, and where the file holds something else.
    """
    values = read_json(path, within=within, error=error, hint=hint, most_bytes=most_bytes)
    if not isinstance(values, dict):
        raise error(f"{path} cannot be read: it is not a JSON object", hint=hint)
    return values


def parse_json(data: bytes | str) -> Any:
    """Return what JSON says; raise `ValueError` where it is none, too deep, or has a number that is not finite."""
    try:
        raw = data.encode() if isinstance(data, str) else data
        text = data if isinstance(data, str) else data.decode("utf-8-sig")
    except UnicodeError as error:
        raise ValueError("it is not UTF-8") from error
    if (depth := depth_of(raw)) > MOST_DEPTH:
        raise ValueError(f"it is nested {depth:,} deep, and the limit is {MOST_DEPTH}")
    if _LONG_NUMBER.search(text):
        raise ValueError("it has a number of hundreds of digits")
    values = json.loads(text, parse_float=_finite, parse_constant=_finite)
    if "\\ud" in text.lower():  # half a character, which JSON can spell and no file or terminal takes
        try:
            json.dumps(values, ensure_ascii=False).encode()
        except UnicodeEncodeError as error:
            raise ValueError("it holds half a character") from error
    return values


def depth_of(data: bytes) -> int:
    """Return how deep lists and objects lie within each other, of JSON text that need not be whole.

    >>> depth_of(b'{"a": [1, "[[["]}')
    2
    """
    bare = data.replace(rb"\\", b"").replace(rb"\"", b"") if b"\\" in data else data
    outside = b"".join(bare.split(b'"')[::2])
    steps = _STEPS[np.frombuffer(outside, np.uint8)]
    return max(int(np.cumsum(steps, dtype=np.int64).max(initial=0)), 0)


def read_lines(
    path: Path,
    *,
    within: Path | None = None,
    error: type[FdError] = DatasetError,
    hint: str = "",
    most_bytes: int = MOST_BYTES,
) -> list[dict[str, Any]]:
    """Return the objects of a log, one a line; the last line, which a kill may have cut short, only where it is whole.

    Args:
        path: The file.
        within: Folder that no link may lead out of; None for any.
        error: Type of the error to raise.
        hint: What to do about it, for the error.
        most_bytes: Largest file that is read, in bytes.

    Raises `error` as `read_json` does, naming the line.
    """
    try:
        lines = read_regular(path, most_bytes=most_bytes, within=within).split(b"\n")
    except OSError as fault:
        raise error(f"{path} cannot be read: {why(fault)}", hint=hint) from fault
    found = []
    for number, line in enumerate(lines[:-1], 1):
        if not line.endswith(b"}"):
            continue
        try:
            values = parse_json(line)
        except ValueError as fault:
            raise error(f"{path} cannot be read: line {number}: {why(fault)}", hint=hint) from fault
        if not isinstance(values, dict):
            raise error(f"{path} cannot be read: line {number} is not a JSON object", hint=hint)
        found.append(values)
    return found


def fits(kind: Any, values: Any) -> str | None:
    """Say what in `values` is not as the pydantic model or dataclass `kind` has it; None where all fits.

    Nothing is converted: text that spells a number is no number. Lists fit tuples, as JSON has no other.
    """
    from pydantic import ValidationError

    if dataclasses.is_dataclass(kind) and isinstance(values, dict):
        known = {field.name for field in dataclasses.fields(kind)}
        if unknown := sorted(values.keys() - known):
            return f"its field {unknown[0]!r} is unknown"
    try:
        adapter_of(kind).validate_json(json.dumps(values), strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        return f"its field {where!r} is not right: {first['msg']}" if where else str(first["msg"])
    return None


@functools.cache
def adapter_of(kind: Any) -> Any:
    """Return what compares values with a type; made once, since that takes longer than comparing."""
    from pydantic import TypeAdapter

    return TypeAdapter(kind)


def why(fault: BaseException) -> str:
    """Return the words of an exception of reading, in one line and without the path that is named already."""
    text = getattr(fault, "strerror", None) or str(fault)
    return " ".join(text.split()) or type(fault).__name__


def _finite(text: str) -> float:
    value = float(text.replace("Infinity", "inf"))
    if not math.isfinite(value):
        raise ValueError(f"{text[:40]} is not a finite number")
    return value
