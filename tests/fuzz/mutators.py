"""Ways to damage a file, and to forge one: functions of its bytes and a random generator, equal for equal seeds."""

from __future__ import annotations

import copy
import io
import json
import re
import struct
import zlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

Mutator = Callable[[bytes, np.random.Generator, Sequence[bytes]], bytes]
"""Takes the bytes, where chance comes from, and the other seeds of the format, to splice with."""

EDGES = (
    0,
    1,
    -1,
    127,
    128,
    255,
    256,
    2**15,
    2**16 - 1,
    2**31 - 1,
    2**31,
    2**32 - 1,
    2**33,
    2**62,
    2**63 - 1,
    2**64 - 1,
)

NASTY: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 0.5, -0.0, 1e308, 2**31, 2**33, 2**63, 2**70, -(2**63), "", "x", "0", "NaN", "../../x",
    "/etc/passwd", "a\x00b", "a\nb\nc", "\x1b[31mred", "é" * 40, "x" * 10_000, "C:\\x", "train-99999", "[" * 100, [],
    {}, [[]], [None], {"a": None}, {"": {}}, [1, 2, 3], ["x"], "0" * 64, "nan", "\u2028", "..", ".", "mask", "test",
)  # fmt: skip
"""Values to put in the place of others."""

_RAW = ("NaN", "Infinity", "-Infinity", "1e999", '"\\ud800"', "1" * 5000, "[" * 3000 + "]" * 3000)


def flip(data: bytes, rng: np.random.Generator, others: Sequence[bytes]) -> bytes:
    """Flip a few bits."""
    found = bytearray(data or b"\0")
    for place in rng.integers(0, len(found), int(rng.integers(1, 9))):
        found[place] ^= 1 << int(rng.integers(8))
    return bytes(found)


def overwrite(data: bytes, rng: np.random.Generator, others: Sequence[bytes]) -> bytes:
    """Write a number at the edge of what fits somewhere, in either order of bytes."""
    width = int(rng.choice([1, 2, 4, 8]))
    value = int(EDGES[int(rng.integers(len(EDGES)))]) % 256**width
    number = value.to_bytes(width, "little" if rng.random() < 0.7 else "big")
    place = int(rng.integers(0, max(len(data) - width, 0) + 1))
    return data[:place] + number + data[place + width :]


def change_head(data: bytes, rng: np.random.Generator, others: Sequence[bytes]) -> bytes:
    """Change the header, where formats of pictures say their sizes, lengths and counts; sometimes to no extreme."""
    place = int(rng.integers(0, max(min(len(data), 400) - 4, 1)))
    width = int(rng.choice([1, 2, 4]))
    value = int(rng.integers(1, 300)) if rng.random() < 0.4 else int(EDGES[int(rng.integers(len(EDGES)))])
    number = (value % 256**width).to_bytes(width, "little" if rng.random() < 0.5 else "big")
    return data[:place] + number + data[place + width :]


def cut(data: bytes, rng: np.random.Generator, others: Sequence[bytes]) -> bytes:
    """Leave out the end."""
    return data[: int(rng.integers(0, len(data) + 1))]


def remove(data: bytes, rng: np.random.Generator, others: Sequence[bytes]) -> bytes:
    """Leave out a part of the middle."""
    start, end = sorted(int(place) for place in rng.integers(0, len(data) + 1, 2))
    return data[:start] + data[min(end, start + 4096) :]


def repeat(data: bytes, rng: np.random.Generator, others: Sequence[bytes]) -> bytes:
    """Write a part several times."""
    start, end = sorted(int(place) for place in rng.integers(0, len(data) + 1, 2))
    end = min(end, start + 4096)
    return data[:end] + data[start:end] * int(rng.integers(1, 20)) + data[end:]


def splice(data: bytes, rng: np.random.Generator, others: Sequence[bytes]) -> bytes:
    """Go on as another file does."""
    other = others[int(rng.integers(len(others)))]
    return data[: int(rng.integers(0, len(data) + 1))] + other[int(rng.integers(0, len(other) + 1)) :]


def insert(data: bytes, rng: np.random.Generator, others: Sequence[bytes]) -> bytes:
    """Put bytes of chance in somewhere."""
    place = int(rng.integers(0, len(data) + 1))
    return data[:place] + rng.bytes(int(rng.integers(1, 64))) + data[place:]


def change_digits(data: bytes, rng: np.random.Generator, others: Sequence[bytes]) -> bytes:
    """Put another number in the place of one that is written in digits."""
    numbers = list(re.finditer(rb"-?\d+(\.\d+)?", data[:1_000_000]))
    if not numbers:
        return flip(data, rng, others)
    match = numbers[int(rng.integers(len(numbers)))]
    words = [str(edge).encode() for edge in EDGES] + [b"1e999", b"-1.5", b"nan", b"0x10", b"1" * 400]
    return data[: match.start()] + words[int(rng.integers(len(words)))] + data[match.end() :]


def nest(data: bytes, rng: np.random.Generator, others: Sequence[bytes]) -> bytes:
    """Nest the file, or a place in it, deeply."""
    depth = int(rng.choice([50, 500, 5_000, 50_000]))
    opening, closing = ((b"[", b"]"), (b'{"a":', b"}"))[int(rng.integers(2))]
    if rng.random() < 0.5:
        return opening * depth + data + closing * depth
    place = int(rng.integers(0, len(data) + 1))
    return data[:place] + opening * depth + data[place:]


BYTES: tuple[Mutator, ...] = (flip, overwrite, cut, remove, repeat, splice, insert)
"""For any file."""


def change_json(data: bytes, rng: np.random.Generator, others: Sequence[bytes]) -> bytes:
    """Change, remove, add or repeat values of a JSON document, one to three."""
    try:
        values = json.loads(data)
    except (ValueError, RecursionError):
        return flip(data, rng, others)
    for _ in range(int(rng.integers(1, 4))):
        values = _changed(values, rng)
    text = json.dumps(values, ensure_ascii=bool(rng.random() < 0.5))
    if rng.random() < 0.15:  # what no writer of JSON writes
        text = text.replace('"fuzz-raw"', _RAW[int(rng.integers(len(_RAW)))])
    return text.encode("utf-8", "surrogatepass")


def change_lines(data: bytes, rng: np.random.Generator, others: Sequence[bytes]) -> bytes:
    """Change one line of a log of JSON objects, or of a table; or their order."""
    lines = data.split(b"\n")
    place = int(rng.integers(len(lines)))
    what = int(rng.integers(4))
    if what == 0:
        lines[place] = (
            change_json(lines[place], rng, others) if lines[place][:1] == b"{" else flip(lines[place], rng, others)
        )
    elif what == 1:
        cells = lines[place].split(b",")
        cells[int(rng.integers(len(cells)))] = str(_nasty(rng)).encode("utf-8", "surrogatepass")
        lines[place] = b",".join(cells)
    elif what == 2:
        lines = [lines[int(number)] for number in rng.permutation(len(lines))]
    else:
        lines.insert(place, lines[int(rng.integers(len(lines)))])
    return b"\n".join(lines)


def change_toml(data: bytes, rng: np.random.Generator, others: Sequence[bytes]) -> bytes:
    """Give a key of a TOML file another value, or write a key or a table twice."""
    lines = data.split(b"\n")
    with_value = [number for number, line in enumerate(lines) if b"=" in line]
    if not with_value:
        return flip(data, rng, others)
    number = with_value[int(rng.integers(len(with_value)))]
    key, _, old = lines[number].partition(b"=")
    what = rng.random()
    if what < 0.1:
        lines.insert(number, lines[number])
    elif what < 0.2:
        lines[number] = b".".join([key.strip() or b"a"] * int(rng.choice([2, 50, 20_000]))) + b" =" + old
    elif what < 0.3:
        lines[number] = key + b"= " + b"[" * int(rng.choice([2, 100, 5_000])) + b"]"
    elif what < 0.4:
        lines[number] = (
            rng.choice([b"[a]", b"[[a]]", b"[shape.anchors]", b"x = {a.b = 1, a = 2}"]) + b"\n" + lines[number]
        )
    else:
        value = _nasty(rng)
        text = "inf" if value is None else json.dumps(value) if not isinstance(value, dict) else "{a = nan}"
        lines[number] = key + b"= " + text.encode()
    return b"\n".join(lines)


def change_parquet(data: bytes, rng: np.random.Generator, others: Sequence[bytes]) -> bytes:
    """Write a table with another value, type, name, order or number of columns or rows: whole, and forged."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(io.BytesIO(data))
    except (pa.ArrowException, OSError, ValueError):
        return flip(data, rng, others)
    number = int(rng.integers(table.num_columns))
    name, column = table.schema.names[number], table[number]
    what = int(rng.integers(9))
    if what <= 3 and len(table):
        values = column.to_pylist()
        value = _nasty(rng)
        places = rng.integers(0, len(values), 1 if what < 3 else len(values))
        for place in places:
            values[int(place)] = value
        try:
            table = table.set_column(number, name, pa.array(values, column.type))
        except (pa.ArrowException, OverflowError, TypeError, ValueError):
            texts = [None if one is None else str(one).encode("utf-8", "replace").decode() for one in values]
            table = table.set_column(number, name, pa.array(texts, pa.string()))
    elif what == 4:
        kinds = (pa.string(), pa.large_string(), pa.int8(), pa.float32(), pa.binary(), pa.list_(pa.int64()), pa.null())
        kind = kinds[int(rng.integers(len(kinds)))]
        try:
            table = table.set_column(number, name, column.cast(kind))
        except (pa.ArrowException, ValueError):
            table = table.set_column(number, name, pa.nulls(len(table), kind))
    elif what == 5:
        table = table.remove_column(number)
    elif what == 6:
        table = table.append_column(name if rng.random() < 0.5 else "more", column)
    elif what == 7:
        rows = rng.integers(0, max(len(table), 1), int(rng.integers(0, 2 * len(table) + 2)))
        table = table.take(pa.array(rows)) if len(table) else table
    else:
        table = table.rename_columns([*rng.permutation(table.schema.names).tolist()])
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression=str(rng.choice(["zstd", "NONE", "snappy"])))
    return buffer.getvalue()


def change_safetensors(data: bytes, rng: np.random.Generator, others: Sequence[bytes]) -> bytes:
    """Change the header of a safetensors file, whose length then fits, or the JSON text within its metadata."""
    size = int.from_bytes(data[:8], "little")
    try:
        header = json.loads(data[8 : 8 + size])
        if rng.random() < 0.6:
            key = next(iter(header["__metadata__"]))
            inner = change_json(header["__metadata__"][key].encode(), rng, others)
            header["__metadata__"][key] = inner.decode("utf-8", "replace")
        else:
            header = _changed(header, rng)
    except (ValueError, KeyError, StopIteration, TypeError, AttributeError, RecursionError):
        return flip(data, rng, others)
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data[8 + size :]


def change_glb(data: bytes, rng: np.random.Generator, others: Sequence[bytes]) -> bytes:
    """Change the JSON document of a GLB file, whose lengths then fit."""
    size = int.from_bytes(data[12:16], "little")
    document = change_json(data[20 : 20 + size], rng, others)
    document += b" " * (-len(document) % 4)
    rest = data[20 + size :]
    length = 20 + len(document) + len(rest)
    return data[:8] + struct.pack("<III", length, len(document), 0x4E4F534A) + document + rest


def change_png(data: bytes, rng: np.random.Generator, others: Sequence[bytes]) -> bytes:
    """Change what a chunk of a PNG holds, with a checksum that fits; or its size, its name, or its order."""
    chunks, place = [], 8
    while place + 12 <= len(data):
        size = int.from_bytes(data[place : place + 4], "big")
        chunks.append([data[place + 4 : place + 8], data[place + 8 : place + 8 + size]])
        place += 12 + size
    if not chunks:
        return flip(data, rng, others)
    number = int(rng.integers(len(chunks)))
    what = int(rng.integers(4))
    if what == 0:
        chunks[number][1] = overwrite(chunks[number][1], rng, others)
    elif what == 1:
        chunks[number][0] = [b"IHDR", b"IDAT", b"PLTE", b"acTL", b"fdAT", b"iCCP", b"tRNS"][int(rng.integers(7))]
    elif what == 2:
        chunks.insert(number, list(chunks[int(rng.integers(len(chunks)))]))
    else:
        chunks.pop(number)
    parts = [
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in chunks
    ]
    return data[:8] + b"".join(parts)


def _nasty(rng: np.random.Generator) -> Any:
    return copy.deepcopy(NASTY[int(rng.integers(len(NASTY)))])


def _changed(values: Any, rng: np.random.Generator) -> Any:
    """Return a document with one value changed, removed, added or moved."""
    places: list[tuple[Any, Any]] = []
    waiting = [values]
    while waiting:
        found = waiting.pop()
        keys = list(found) if isinstance(found, dict) else range(len(found)) if isinstance(found, list) else ()
        for key in keys:
            places.append((found, key))
            waiting.append(found[key])
    what = rng.random()
    if not places or what < 0.03:
        return _nasty(rng)
    found, key = places[int(rng.integers(len(places)))]
    if what < 0.7:
        found[key] = "fuzz-raw" if rng.random() < 0.1 else _nasty(rng)
    elif what < 0.85:
        del found[key]
    elif isinstance(found, dict):
        found[str(_nasty(rng))] = found[key]
    else:
        found.append(found[key])
    return values
