"""Combinations of occluders: how many a face gets, which kinds go together, and the order of their layers."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated

from pydantic import AfterValidator, model_validator

from fdgen.kinds import kind_of
from fdgen.settings.values import Names, Section, Share

Combination = tuple[str, ...]
"""The kinds that one face wears, the lowest layer first."""


def _pairs(names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        kinds = name.split("+")
        if len(kinds) != 2 or not all(kinds):
            raise ValueError(f"must be of pairs such as 'hand+mask', got {name!r}")
    return tuple(label(name.split("+")) for name in names)


class Several(Section):
    """How many samples have more than one occluder, and which kinds are never together."""

    two: Share
    three: Share
    never: Annotated[Names, AfterValidator(_pairs)]

    @model_validator(mode="after")
    def _leave_room(self) -> Several:
        if self.two + self.three > 1:
            raise ValueError(f"must have two + three of 1 at most, got {self.two + self.three:g}")
        return self


def label(kinds: Iterable[str]) -> str:
    """Name a combination, the lowest layer first.

    >>> label(["hand", "sunglasses", "mask"])
    'mask+sunglasses+hand'
    """
    return "+".join(sorted(kinds, key=_order))


def combination_shares(shares: Mapping[str, float], several: Several) -> dict[Combination, float]:
    """Return the probability of every combination; they add up to 1.

    `shares` are those of the kinds. One occluder is drawn by them; two or three are drawn by the product of their
    shares among the kinds that go together. Raises `ValueError` where too few do.

    >>> combination_shares({"mask": 0.5, "hand": 0.5}, Several(two=0.2, three=0.0, never=()))
    {('mask',): 0.4, ('hand',): 0.4, ('mask', 'hand'): 0.2}
    """
    found: dict[Combination, float] = {
        (kind,): share * (1 - several.two - several.three) for kind, share in shares.items()
    }
    for name, size, share in (("two", 2, several.two), ("three", 3, several.three)):
        if share <= 0:
            continue
        drawn = sorted(shares, key=_order)
        groups = [
            group
            for group in itertools.combinations(drawn, size)
            if all(_go_together(*pair, several.never) for pair in itertools.combinations(group, 2))
        ]
        weights = [math.prod(shares[kind] for kind in group) for group in groups]
        if not groups:
            raise ValueError(f"several.{name} is {share:g}, and no {name} of the kinds drawn can be combined")
        total = math.fsum(weights)
        found |= {group: share * weight / total for group, weight in zip(groups, weights, strict=True)}
    return {combination: share for combination, share in found.items() if share > 0}


def _go_together(one: str, other: str, never: Sequence[str]) -> bool:
    return not {*kind_of(one).parts} & {*kind_of(other).parts} and label((one, other)) not in never


def _order(kind: str) -> tuple[int, str]:
    return kind_of(kind).height, kind
