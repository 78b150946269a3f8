"""Photographs in columns: what is known of each takes about 100 bytes, where an object takes four to six hundred."""

from __future__ import annotations

import functools
from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, overload

import numpy as np
import numpy.typing as npt

from fdgen.faces.sources import Source

_NOTHING = b"\xff"
"""Means None: no text in UTF-8 has this byte."""

_DIGEST_BYTES = 32
_AT_ONCE = 4096
"""Texts that are decoded in one go."""


class TextColumn(NamedTuple):
    """Texts in UTF-8, one after the other: text n is `data[offsets[n] : offsets[n + 1]]`, unless it is missing."""

    data: bytes
    offsets: npt.NDArray[np.int32]
    missing: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, texts: Iterable[str | None]) -> TextColumn:
        """Return texts as a column."""
        column = _Texts()
        for text in texts:
            column.append(text)
        return column.cut(0, len(column))


class Columns(NamedTuple):
    """Photographs in columns: a split and an attribute are places in lists of names; sha256 are in hex.

    Attributes are in one row: those of photograph n from `attribute_offsets[n]` on.
    """

    paths: TextColumn
    digests: TextColumn
    people: TextColumn
    splits: npt.NDArray[np.int32]
    split_names: list[str | None]
    attributes: npt.NDArray[np.int32]
    attribute_offsets: npt.NDArray[np.int32]
    attribute_names: list[str]
    without_attributes: npt.NDArray[np.bool_]


class SourceTable(Sequence[Source]):
    """A sequence of photographs that is kept in columns; each `Source` is made when it is asked for.

    It equals any sequence of the same photographs in the same order.
    """

    def __init__(self, sources: Iterable[Source] = ()) -> None:
        self._digests = bytearray()
        self._paths, self._people, self._attributes = _Texts(), _Texts(), _Texts()
        self._splits = array("B")
        self._spans = array("q")
        self._split_names: list[str | None] = [None]
        self._attribute_codes: dict[str, str] = {}
        self._attribute_names: list[str] = []
        self._attributes_of: dict[str, tuple[str, ...]] = {}
        for source in sources:
            self._append(source)

    @classmethod
    def of(cls, sources: Sequence[Source]) -> SourceTable:
        """Return photographs as a table: themselves, where they are one."""
        return sources if isinstance(sources, SourceTable) else cls(sources)

    def __len__(self) -> int:
        return len(self._splits)

    @overload
    def __getitem__(self, index: int) -> Source: ...

    @overload
    def __getitem__(self, index: slice) -> list[Source]: ...

    def __getitem__(self, index: int | slice) -> Source | list[Source]:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        return self._source(range(len(self._splits))[index])  # negative ones too; raises `IndexError`

    def __iter__(self) -> Iterator[Source]:
        spans, names, attributes_of = self._spans, self._split_names, self._attributes_of
        columns = zip(self._paths, self.hex_digests(), self._people, self._splits, self._attributes, strict=True)
        for number, (path, sha256, person, split, codes) in enumerate(columns):
            start = spans[2 * number]
            yield Source(
                path or "",
                sha256,
                person,
                names[split],
                None if codes is None else attributes_of.get(codes) or self._named(codes),
                None if start < 0 else (start, spans[2 * number + 1]),
            )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence):
            return NotImplemented
        return len(other) == len(self) and all(ours == theirs for ours, theirs in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]

    def sha256(self, place: int) -> str:
        """Return that of the photograph at a place, in hex."""
        return self._digests[place * _DIGEST_BYTES : (place + 1) * _DIGEST_BYTES].hex()

    @property
    def digests(self) -> npt.NDArray[np.uint8]:
        """The sha256 of each photograph, (N, 32)."""
        return np.frombuffer(self._digests, np.uint8).reshape(-1, _DIGEST_BYTES)

    def hex_digests(self) -> Iterator[str]:
        """Yield the sha256 of each photograph, in hex."""
        step = _AT_ONCE * _DIGEST_BYTES
        for start in range(0, len(self._digests), step):
            text = self._digests[start : start + step].hex()
            for at in range(0, len(text), 2 * _DIGEST_BYTES):
                yield text[at : at + 2 * _DIGEST_BYTES]

    @property
    def without_split(self) -> int:
        """How many photographs have no official split."""
        return sum(count for code, count in enumerate(self._split_counts()) if self._split_names[code] is None)

    @property
    def without_identity(self) -> int:
        """Of how many photographs it is not known who is in them."""
        return int(self._people.cut(0, len(self)).missing.sum())

    def columns(self, start: int, stop: int) -> Columns:
        """Return the photographs from place `start` up to `stop`."""
        codes = list(self._attributes.between(start, stop))
        digests = self._digests[start * _DIGEST_BYTES : stop * _DIGEST_BYTES].hex().encode()
        digest_offsets = np.arange(len(codes) + 1, dtype=np.int32) * np.int32(2 * _DIGEST_BYTES)
        return Columns(
            paths=self._paths.cut(start, stop),
            digests=TextColumn(digests, digest_offsets, np.zeros(len(codes), bool)),
            people=self._people.cut(start, stop),
            splits=np.array(self._splits[start:stop], np.int32),
            split_names=self._split_names,
            attributes=np.array([ord(code) for text in codes for code in text or ""], np.int32),
            attribute_offsets=np.cumsum([0, *(len(text or "") for text in codes)], dtype=np.int32),
            attribute_names=self._attribute_names,
            without_attributes=np.array([text is None for text in codes], bool),
        )

    def places(self, digests: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
        """Return where photographs of these sha256, (M, 32), are in the table: (M,), each of them once.

        Raises `ValueError` where one is not in the table.
        """
        ours, (heads, order) = self.digests, self._by_digest
        place = np.searchsorted(heads, leading_number(digests))
        found = np.full(len(digests), -1, np.int64)
        while (missing := np.flatnonzero(found < 0)).size:  # once, but for digests that begin alike
            here = place[missing]
            if here.max() >= len(order):
                raise ValueError("a photograph is not in the table")
            same = (ours[order[here]] == digests[missing]).all(1)
            found[missing[same]] = order[here[same]]
            place[missing] += 1
        return found

    @functools.cached_property
    def _by_digest(self) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int32]]:
        """How digests begin, in order, and where each of them is."""
        heads = leading_number(self.digests)
        order = np.argsort(heads).astype(np.int32)
        return heads[order], order

    def _split_counts(self) -> list[int]:
        codes = np.frombuffer(self._splits, np.uint8)
        return list(map(int, np.bincount(codes, minlength=len(self._split_names))))

    def _source(self, number: int) -> Source:
        spans, codes = self._spans, self._attributes[number]
        start = spans[2 * number]
        return Source(
            self._paths[number] or "",
            self.sha256(number),
            self._people[number],
            self._split_names[self._splits[number]],
            None if codes is None else self._attributes_of.get(codes) or self._named(codes),
            None if start < 0 else (start, spans[2 * number + 1]),
        )

    def _append(self, source: Source) -> None:
        digest = bytes.fromhex(source.sha256)
        if len(digest) != _DIGEST_BYTES:
            raise ValueError(f"a sha256 has 64 hex digits, got {source.sha256!r}")
        self._digests += digest
        self._paths.append(source.path)
        self._people.append(source.identity)
        if source.split not in self._split_names:
            self._split_names.append(source.split)
        self._splits.append(self._split_names.index(source.split))
        self._spans.extend(source.span or (-1, -1))
        self._attributes.append(None if source.attributes is None else "".join(map(self._code, source.attributes)))

    def _named(self, codes: str) -> tuple[str, ...]:
        names = self._attributes_of.get(codes)
        if names is None:
            names = self._attributes_of[codes] = tuple(self._attribute_names[ord(code)] for code in codes)
        return names

    def _code(self, attribute: str) -> str:
        if attribute not in self._attribute_codes:
            self._attribute_codes[attribute] = chr(len(self._attribute_names))
            self._attribute_names.append(attribute)
        return self._attribute_codes[attribute]


def leading_number(digests: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint64]:
    """Return the first 8 bytes of digests, (N, 32), as numbers (N,) of the same order."""
    return np.ascontiguousarray(digests[:, :8]).view(">u8").ravel().astype(np.uint64)


class _Texts:
    """A column of texts, some of which may be missing."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._ends = array("Q")

    def append(self, text: str | None) -> None:
        self._data += _NOTHING if text is None else text.encode("utf-8", "surrogatepass")
        self._ends.append(len(self._data))

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, number: int) -> str | None:
        data = self._data[self._ends[number - 1] if number else 0 : self._ends[number]]
        return None if data == _NOTHING else data.decode("utf-8", "surrogatepass")

    def __iter__(self) -> Iterator[str | None]:
        return self.between(0, len(self._ends))

    def between(self, first: int, last: int) -> Iterator[str | None]:
        """Yield the texts from place `first` up to `last`."""
        for low in range(first, last, _AT_ONCE):
            ends = self._ends[low : min(last, low + _AT_ONCE)]
            begin = start = self._ends[low - 1] if low else 0
            letters = self._data[begin : ends[-1]].decode("latin-1")  # one a byte
            for end in ends:
                text = letters[start - begin : end - begin]
                yield text if text.isascii() else _text(self._data[start:end])
                start = end

    def cut(self, first: int, last: int) -> TextColumn:
        """Return the texts from place `first` up to `last`."""
        ends = np.frombuffer(self._ends[max(first - 1, 0) : last], np.uint64).astype(np.int64)
        if not first:
            ends = np.concatenate([np.zeros(1, np.int64), ends])
        data = np.frombuffer(self._data[ends[0] : ends[-1]], np.uint8)
        offsets = ends - ends[0]
        missing = np.diff(offsets) == len(_NOTHING)
        missing[missing] = data[offsets[:-1][missing]] == _NOTHING[0]
        data[offsets[:-1][missing]] = ord("?")
        return TextColumn(data.tobytes(), offsets.astype(np.int32), missing)


def _text(data: bytearray) -> str | None:
    return None if data == _NOTHING else data.decode("utf-8", "surrogatepass")
