"""CelebA's lists in every common dialect: official text, CSV, as an editor or a notebook saves them.

The digits of its name identify a picture, with any text before or after them: the lists say `000001.jpg` of the
edition in PNG too, and a notebook makes 1 of 000001.
"""

from __future__ import annotations

import csv
import functools
import itertools
import math
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from fdgen.errors import FacesError, in_words

Value = TypeVar("Value")

SPLITS = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
_CODES = {0.0: "train", 1.0: "val", 2.0: "test"}
_FLAGS = {"true": True, "false": False}
_NAME = re.compile(r"(?:.*[/\\])?(\d{1,6})(?:\.\w{1,5})?")
_WHOLE = re.compile(r"(\d+)\.0*")
_IMAGE_COLUMN = ("", "image_id", "image", "image_name", "img", "file", "filename", "file_name", "name", "id")
_AGAIN = "download it again, or remove it"


class CelebAList:
    """One list of CelebA, read line by line; raises `FacesError` naming the file and the line that is malformed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._in_csv = path.suffix.lower() == ".csv"

    def identities(self, wanted: Iterable[str]) -> dict[str, str]:
        """Return the person on each wanted picture that the list names: `000001.jpg 2880`."""
        return self._pairs(wanted, _identity)

    def splits(self, wanted: Iterable[str]) -> dict[str, str]:
        """Return the split of each wanted picture that the list names: `000001.jpg 0`."""
        return self._pairs(wanted, _split)

    def attributes(self, wanted: Iterable[str]) -> dict[str, tuple[str, ...]]:
        """Return the attributes that each wanted picture has: `000001.jpg -1 1 ...` under a row of their names."""
        names, rows = self._table()
        found = _Found[tuple[str, ...]](self, wanted)
        for number, row in rows:
            if len(row) != len(names) + 1:
                raise self.malformed(number, f"expected {len(names) + 1} columns, found {len(row)}")
            if found.wants(row[0]):
                try:
                    flags = [_flag(cell) for cell in row[1:]]
                except ValueError as error:
                    raise self.malformed(number, str(error)) from error
                found.add(number, row[0], tuple(name for name, flag in zip(names, flags, strict=True) if flag))
        return found.whole()

    def numbers(self, wanted: Iterable[str], count: int) -> dict[str, tuple[float, ...]]:
        """Return `count` numbers of each wanted picture: its landmarks, `000001.jpg 69 109 ...` under their names."""
        found = _Found[tuple[float, ...]](self, wanted)
        for number, row in self._table()[1]:
            if len(row) != count + 1:
                raise self.malformed(number, f"expected an image and {count} numbers")
            if found.wants(row[0]):
                try:
                    values = tuple(float(cell) for cell in row[1:])
                except ValueError as error:
                    raise self.malformed(number, f"expected an image and {count} numbers") from error
                if not all(map(math.isfinite, values)):
                    raise self.malformed(number, f"expected an image and {count} numbers")
                found.add(number, row[0], values)
        return found.whole()

    def malformed(self, number: int, why: str) -> FacesError:
        """Return the error of a line."""
        return FacesError(f"line {number} of {self.path} is malformed: {why}", hint=_AGAIN)

    def _pairs(self, wanted: Iterable[str], read: Callable[[str], str]) -> dict[str, str]:
        found = _Found[str](self, wanted)
        for place, (number, row) in enumerate(self._lines()):
            if place == 0 and (_is_count(row) or self._is_head(row)):
                continue  # how many pictures there are, or the names of the columns
            if len(row) != 2:
                raise self.malformed(number, f"expected 2 columns, found {len(row)}")
            try:
                value = read(row[1])
            except ValueError as error:
                raise self.malformed(number, str(error)) from error
            if found.wants(row[0]):
                found.add(number, row[0], value)
        return found.whole()

    def _is_head(self, row: list[str]) -> bool:
        named = row[0].lower() in _IMAGE_COLUMN
        return named or (self._in_csv and len(row) == 2 and not _NAME.fullmatch(row[0]))

    def _table(self) -> tuple[list[str], Iterator[tuple[int, list[str]]]]:
        """Return the names of the columns without that of the image, and the rows."""
        lines = self._lines()
        names = next(lines, (1, []))[1]
        if _is_count(names):  # the number of images, which some delete
            names = next(lines, (2, []))[1]
        first = next(lines, None)
        if first is None:
            return names, iter(())
        if (self._in_csv and len(first[1]) == len(names)) or (
            names[:1] and names[0].lower() in _IMAGE_COLUMN
        ):  # else the column of images has no name
            names = names[1:]
        return names, itertools.chain([first], lines)

    def _lines(self) -> Iterator[tuple[int, list[str]]]:
        """Yield (line number, cells without blanks and quotes around them) of each line that is not empty."""
        try:
            with self.path.open(encoding="utf-8-sig") as lines:  # -sig: editors on Windows begin with a mark
                for number, line in enumerate(lines, 1):
                    if text := line.strip():
                        yield number, _cells(text, commas=self._in_csv)
        except OSError as error:
            raise FacesError(f"{self.path} cannot be read: {in_words(error)}", hint=_AGAIN) from error
        except UnicodeDecodeError as error:
            raise FacesError(f"{self.path} cannot be read: {error}", hint=_AGAIN) from error


class _Found(dict[str, Value]):
    """What a list says of the wanted pictures, by their own names."""

    def __init__(self, of: CelebAList, wanted: Iterable[str]) -> None:
        super().__init__()
        self._of = of
        self._wanted: dict[str, list[str]] = {}
        for name in wanted:
            if (digits := _digits(name)) is not None:
                self._wanted.setdefault(digits, []).append(name)
        self._example: str | None = None

    def wants(self, listed: str) -> bool:
        """Return whether the list means a wanted picture."""
        self._example = self._example or listed
        return _digits(listed) in self._wanted

    def add(self, number: int, listed: str, value: Value) -> None:
        """Remember what a line says; raise `FacesError` where an earlier one said otherwise."""
        for picture in self._wanted.get(_digits(listed) or "", ()):
            if self.setdefault(picture, value) != value:
                raise self._of.malformed(number, f"its entry for {listed} contradicts an earlier line")

    def whole(self) -> dict[str, Value]:
        """Return all of it; raise `FacesError` where the list is of other pictures altogether."""
        if self or not self._wanted:
            return dict(self)
        names = f"it names {self._example!r}, say" if self._example else "it names no pictures"
        raise FacesError(
            f"{self._of.path} is a list of other pictures: it matches none of the {len(self._wanted):,} here, such as "
            f"{next(iter(self._wanted.values()))[0]}; {names}",
            hint="give the list that belongs to these pictures, or remove it",
        )


def _digits(name: str) -> str | None:
    """Return the six digits by which CelebA distinguishes its pictures; None where a name is none of CelebA's."""
    found = _NAME.fullmatch(name)
    return found[1].zfill(6) if found else None


def _cells(text: str, *, commas: bool) -> list[str]:
    if '"' in text or "'" in text:
        text = text.replace("'", '"')
        cells = next(csv.reader([text], skipinitialspace=True)) if commas or "," in text else text.split()
        return [cell.strip().strip('"').strip() for cell in cells]
    return [cell.strip() for cell in text.split(",")] if commas or "," in text else text.split()


def _is_count(row: list[str]) -> bool:
    return len(row) == 1 and row[0].isdigit()


@functools.lru_cache(maxsize=256)
def _flag(cell: str) -> bool:
    """Return whether an attribute is there: 1 or -1, 0 for -1, also as fractions and words."""
    if (flag := _FLAGS.get(cell.lower())) is not None:
        return flag
    number = _number(cell)
    if number not in (1.0, -1.0, 0.0):
        raise ValueError(f"an attribute is 1 or -1 (or 0, or True or False), not {cell!r}")
    return number == 1.0


@functools.lru_cache(maxsize=256)
def _split(cell: str) -> str:
    """Return the split that a partition means: 0, 1 or 2, also as fractions, or its name."""
    split = SPLITS.get(cell.lower()) or _CODES.get(_number(cell))
    if split is None:
        raise ValueError(f"the partition is 0, 1 or 2, not {cell!r}")
    return split


def _identity(cell: str) -> str:
    """Return who a person is: their number, without the fraction that a notebook may have given it."""
    if not cell:
        raise ValueError("the person is missing")
    whole = _WHOLE.fullmatch(cell)
    return whole[1] if whole else cell


def _number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return math.nan
