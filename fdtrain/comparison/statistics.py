"""Means with their errors over test pictures and seeds, and how two methods differ on the same pictures.

Every method is a table of values, a row a seed and a column a test picture. Methods that do not train have one row.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.stats import t as student

Values = npt.NDArray[np.float64]

LEVEL = 0.95
"""Of an interval."""


@dataclass(frozen=True)
class Mean:
    """A mean over pictures and seeds; its standard error; the spread (standard deviation) of the seeds' means."""

    value: float
    error: float
    over_seeds: float
    seeds: int
    pictures: int


@dataclass(frozen=True)
class Difference:
    """A method minus the one it is compared with: mean, its 95 % interval, and p, adjusted for the number of tests.

    Interval and p are nan where nothing is tested: with one seed of a training, or with one picture.
    """

    value: float
    low: float
    high: float
    p: float
    pictures: int

    @property
    def tested(self) -> bool:
        """Whether there is an interval."""
        return math.isfinite(self.low)


def mean_of(values_SN: Values) -> Mean:
    """Return the mean of S seeds on N pictures, pictures without a finite value left out.

    Its squared error is the variance of the pictures' means over N plus that of the seeds' means over S: what another
    test split and what another training would change. What a picture has with one seed alone is in both, and counts
    once. With one seed the second part is not known, and left out.

    >>> found = mean_of(np.array([[1.0, 3.0], [2.0, 4.0]]))
    >>> found.value, round(found.over_seeds, 3), round(found.error, 3)
    (2.5, 0.707, 1.118)
    """
    kept_SN = values_SN[:, np.isfinite(values_SN).all(0)]
    n_seeds, n_pictures = kept_SN.shape
    if n_pictures == 0:
        return Mean(float("nan"), float("nan"), float("nan"), n_seeds, 0)
    over_pictures = float(kept_SN.mean(0).var(ddof=1)) / n_pictures if n_pictures > 1 else float("nan")
    if n_seeds == 1:
        return Mean(float(kept_SN.mean()), math.sqrt(over_pictures), float("nan"), 1, n_pictures)
    seeds = _Seeds.of(kept_SN)
    error = np.sqrt(np.maximum(over_pictures - seeds.by_chance, 0.0) + seeds.squared_error)
    over_seeds = float(kept_SN.mean(1).std(ddof=1))
    return Mean(float(kept_SN.mean()), float(error), over_seeds, n_seeds, n_pictures)


def difference(ours_SN: Values, theirs_SN: Values, *, trained: tuple[bool, bool] = (False, False)) -> Difference:
    """Compare two methods, each with its own seeds, on the same N pictures in the same order; `p` is not adjusted yet.

    A seed is a unit as a picture is: the squared error is that of the pictures' differences over N and, of either
    side, that of its seeds' means over their number. Interval and p are Student's (see `_tested`).

    `trained` says of either side whether its rows are seeds of a training. Where one is, and has one seed, nobody knows
    how far another training would be from it: there is a value, and no interval and no p.

    >>> pictures = np.array([[20.0, 24.0, 22.0]])
    >>> found = difference(pictures + [[1.0], [1.5], [1.4]], pictures, trained=(True, False))
    >>> round(found.value, 2), round(found.low, 2), round(found.high, 2)
    (1.3, 0.64, 1.96)
    >>> difference(pictures + 1, pictures, trained=(True, False)).low
    nan
    """
    both = np.isfinite(ours_SN).all(0) & np.isfinite(theirs_SN).all(0)
    sides = ours_SN[:, both], theirs_SN[:, both]
    by_picture = sides[0].mean(0) - sides[1].mean(0)
    if any(one and len(side) == 1 for one, side in zip(trained, sides, strict=True)):
        return _untested(by_picture)
    return _tested(by_picture, [_Seeds.of(side) for side in sides if len(side) > 1])


def paired(ours_SN: Values, theirs_SN: Values, *, trained: bool = True) -> Difference:
    """Compare two trainings with the same S seeds on the same N pictures, seed by seed; `p` is not adjusted.

    As `difference`, of the differences that each seed has. `trained` is False where neither side is a training: one row
    then has an interval, of other pictures. Raises `ValueError` where the shapes differ.

    >>> ours = np.array([[2.0, 3.0, 4.5], [2.5, 3.0, 4.0]])
    >>> found = paired(ours, ours - [[1.0], [1.5]])
    >>> round(found.value, 2), round(found.low, 1), round(found.high, 1)
    (1.25, -1.9, 4.4)
    """
    if ours_SN.shape != theirs_SN.shape:
        raise ValueError(f"seeds and pictures must be the same, got {ours_SN.shape} and {theirs_SN.shape}")
    both = np.isfinite(ours_SN).all(0) & np.isfinite(theirs_SN).all(0)
    by_SN = ours_SN[:, both] - theirs_SN[:, both]
    if len(by_SN) == 1:
        return _untested(by_SN[0]) if trained else _tested(by_SN[0], [])
    return _tested(by_SN.mean(0), [_Seeds.of(by_SN)])


@dataclass(frozen=True)
class _Seeds:
    """What the seeds of a method say of its mean: their squared error, its degrees of freedom, and a part of it.

    `by_chance` is the squared error that comes of what a picture has with one seed alone: pictures hold it too.
    """

    squared_error: float
    freedom: int
    by_chance: float

    @classmethod
    def of(cls, values_SN: Values) -> _Seeds:
        n_seeds, n_pictures = values_SN.shape
        if n_pictures < 2:
            return cls(float("nan"), n_seeds - 1, 0.0)
        rest = values_SN - values_SN.mean(0) - values_SN.mean(1, keepdims=True) + values_SN.mean()
        rest_variance = float((rest**2).sum()) / ((n_seeds - 1) * (n_pictures - 1))
        of_means = float(values_SN.mean(1).var(ddof=1))
        return cls(of_means / n_seeds, n_seeds - 1, rest_variance / (n_seeds * n_pictures))


def _untested(by_picture: npt.NDArray[np.float64]) -> Difference:
    nan = float("nan")
    return Difference(float(by_picture.mean()) if len(by_picture) else nan, nan, nan, nan, len(by_picture))


def _tested(by_picture: npt.NDArray[np.float64], seeds: Sequence[_Seeds]) -> Difference:
    """Return the mean difference with Student's interval and p, of pictures and of the seeds of either side.

    The seeds' degrees of freedom F are those of Satterthwaite (1946); with the pictures they become F over the seeds'
    share of the squared error. Satterthwaite's own sum takes the share's square: its intervals hold the truth 91 to 94
    times of 100 where two or three seeds and the pictures weigh alike, these 93 to 97 times, as
    tests/benchmarks/bench_coverage.py prints. They fall to 90 where two seeds, of one side or in pairs, differ by more
    than the pictures' error: take three.
    """
    n_pictures = len(by_picture)
    if n_pictures < 2:
        return _untested(by_picture)
    value = float(by_picture.mean())
    of_pictures = float(by_picture.var(ddof=1)) / n_pictures
    of_seeds = sum(one.squared_error for one in seeds)
    squared_error = max(of_pictures - sum(one.by_chance for one in seeds), 0.0) + of_seeds
    if squared_error == 0:  # every picture differs alike
        return Difference(value, value, value, 1.0 if value == 0 else 0.0, n_pictures)
    freedom = float(n_pictures - 1)
    if of_seeds > 0:
        freedom_of_seeds = of_seeds**2 / sum(one.squared_error**2 / one.freedom for one in seeds)
        freedom = min(freedom, freedom_of_seeds * squared_error / of_seeds)
    error = float(np.sqrt(squared_error))
    half = float(student.ppf((1 + LEVEL) / 2, freedom)) * error
    p = float(2 * student.sf(abs(value) / error, freedom))
    return Difference(value, value - half, value + half, p, n_pictures)


def differences(values: Mapping[str, Values], against: str, trained: Collection[str] = ()) -> dict[str, Difference]:
    """Compare every method with `against`; p is adjusted after Holm for as many tests as there are.

    `trained` names those whose rows are seeds of a training; with one seed of either there is no test.
    """
    found = {
        name: difference(ours, values[against], trained=(name in trained, against in trained))
        for name, ours in values.items()
        if name != against
    }
    adjusted = holm([one.p for one in found.values()])
    return {name: replace(one, p=p) for (name, one), p in zip(found.items(), adjusted, strict=True)}


def holm(ps: Sequence[float]) -> list[float]:
    """Return p-values adjusted for their number (Holm 1979); what is no number stays so.

    >>> [round(p, 3) for p in holm([0.01, 0.04, 0.03])]
    [0.03, 0.06, 0.06]
    """
    known = sorted((p, place) for place, p in enumerate(ps) if np.isfinite(p))
    adjusted, highest = list(ps), 0.0
    for rank, (p, place) in enumerate(known):
        highest = max(highest, min(p * (len(known) - rank), 1.0))
        adjusted[place] = highest
    return adjusted
