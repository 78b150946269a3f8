"""What the asset of a prop may say: words, ranges and chances, checked against what its kind knows."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from fdgen.assets import Asset
from fdgen.errors import AssetError

Range = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What a kind reads from its assets: `words` by key and what each may be, `ranges` with their defaults.

    `weights` are tables that choose among names, `rows` lists of rows of numbers by key and their length, `chances`
    numbers in [0, 1] with their defaults.
    """

    words: Mapping[str, Collection[str]]
    ranges: Mapping[str, Range]
    weights: Mapping[str, Collection[str]]
    rows: Mapping[str, int]
    chances: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Spec:
    """The table of one asset, read."""

    words: Mapping[str, str]
    ranges: Mapping[str, Range]
    weights: Mapping[str, Mapping[str, float]]
    rows: Mapping[str, tuple[tuple[float, ...], ...]]
    chances: Mapping[str, float]

    def draw(self, rng: np.random.Generator) -> dict[str, float]:
        """Draw a value from every range, in the order of their names."""
        return {key: round(float(rng.uniform(*self.ranges[key])), 5) for key in sorted(self.ranges)}

    def happens(self, key: str, rng: np.random.Generator) -> bool:
        """Draw whether a chance comes true."""
        return bool(rng.random() < self.chances[key])

    def pick(self, key: str, rng: np.random.Generator) -> str:
        """Draw a name of a table of weights."""
        names = sorted(self.weights[key])
        share = np.array([self.weights[key][name] for name in names])
        return names[int(rng.choice(len(names), p=share / share.sum()))]


def read(asset: Asset, known: Vocabulary) -> Spec:
    """Read an asset's table; raise `AssetError` naming the asset and the key that is wrong."""
    shape = asset.shape
    hint = "correct its table and rebuild the index"

    def wrong(key: str, what: str) -> AssetError:
        return AssetError(f"shape.{key} of the asset {asset.id} {what}", hint=hint)

    for key in shape:
        if not any(key in names for names in (known.words, known.ranges, known.weights, known.rows, known.chances)):
            raise wrong(key, f"is not a parameter of a {asset.kind}")
    words, weights, rows = {}, {}, {}
    for key, choices in known.words.items():
        if shape.get(key) not in choices:
            raise wrong(key, f"must be one of {', '.join(sorted(choices))}, got {shape.get(key)!r}")
        words[key] = str(shape[key])
    for key, choices in known.weights.items():
        table = shape.get(key)
        if not isinstance(table, Mapping) or not table:
            raise wrong(key, "must be a table of weights")
        for name, weight in table.items():
            if name not in choices:
                raise wrong(f"{key}.{name}", f"is unknown; there are {', '.join(sorted(choices))}")
            if not _is_number(weight) or weight <= 0:
                raise wrong(f"{key}.{name}", f"must be a number above 0, got {weight!r}")
        weights[key] = {name: float(weight) for name, weight in table.items()}
    for key, length in known.rows.items():
        table = shape.get(key)
        if not isinstance(table, list) or len(table) < 2:
            raise wrong(key, f"must have at least two rows of {length} numbers")
        for row in table:
            if not isinstance(row, list) or len(row) != length or not all(_is_number(value) for value in row):
                raise wrong(key, f"must have rows of {length} numbers, got {row!r}")
        rows[key] = tuple(tuple(float(value) for value in row) for row in table)
    ranges = {key: _range(shape.get(key, default), key, wrong) for key, default in known.ranges.items()}
    chances = {}
    for key, default in known.chances.items():
        value = shape.get(key, default)
        if not _is_number(value) or not 0 <= value <= 1:
            raise wrong(key, f"must be a chance in [0, 1], got {value!r}")
        chances[key] = float(value)
    return Spec(words, ranges, weights, rows, chances)


def _range(value: Any, key: str, wrong: Any) -> Range:
    if not isinstance(value, list | tuple) or len(value) != 2 or not all(_is_number(v) for v in value):
        raise wrong(key, f"must be [low, high], got {value!r}")
    if value[0] > value[1]:
        raise wrong(key, f"runs backwards: {value!r}")
    return float(value[0]), float(value[1])


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
