"""Means with their errors over test pictures and seeds, and how two methods differ on the same pictures.

Every method is a table of values, a row a seed and a column a test picture. Methods that do not train have one row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import t as student
from scipy.stats import wilcoxon

Values = npt.NDArray[np.float64]

DRAWS, LEVEL = 2_000, 0.95
"""Of the bootstrap: its interval moves in the second digit of its width from one seed to another."""


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
    """A method minus the one it is compared with: mean, its 95 % interval, and p, adjusted for the number of tests."""

    value: float
    low: float
    high: float
    p: float
    pictures: int


def mean_of(values_SN: Values) -> Mean:
    """Return the mean of S seeds on N pictures, pictures without a finite value left out.

    Its squared error is the variance of the pictures' means over N plus that of the seeds' means over S: what another
    test split and what another training would change. With one seed the second part is not known, and left out.

    >>> found = mean_of(np.array([[1.0, 3.0], [2.0, 4.0]]))
    >>> found.value, round(found.over_seeds, 3), round(found.error, 3)
    (2.5, 0.707, 1.118)
    """
    kept_SN = values_SN[:, np.isfinite(values_SN).all(0)]
    n_seeds, n_pictures = kept_SN.shape
    if n_pictures == 0:
        return Mean(float("nan"), float("nan"), float("nan"), n_seeds, 0)
    over_pictures = float(kept_SN.mean(0).var(ddof=1)) / n_pictures if n_pictures > 1 else float("nan")
    by_seed = float(kept_SN.mean(1).var(ddof=1)) if n_seeds > 1 else float("nan")
    error = np.sqrt(over_pictures + (by_seed / n_seeds if n_seeds > 1 else 0.0))
    return Mean(float(kept_SN.mean()), float(error), float(np.sqrt(by_seed)), n_seeds, n_pictures)


def difference(ours_SN: Values, theirs_SN: Values, *, seed: int = 0) -> Difference:
    """Compare two methods on the same N pictures, in the same order; `p` is not adjusted yet.

    The interval is of a bootstrap that draws pictures, and seeds of either method, with replacement. p is Wilcoxon's
    signed-rank test of the pictures' differences, means over seeds: it speaks of these trainings on other pictures.
    """
    both = np.isfinite(ours_SN).all(0) & np.isfinite(theirs_SN).all(0)
    ours_SN, theirs_SN = ours_SN[:, both], theirs_SN[:, both]
    n = int(both.sum())
    if n == 0:
        return Difference(float("nan"), float("nan"), float("nan"), float("nan"), 0)
    rng = np.random.Generator(np.random.PCG64(seed))
    draws = np.empty(DRAWS)
    for draw in range(DRAWS):
        pictures = rng.integers(0, n, n)
        sides = [side[rng.integers(0, len(side), len(side))].mean(0)[pictures] for side in (ours_SN, theirs_SN)]
        draws[draw] = (sides[0] - sides[1]).mean()
    by_picture = ours_SN.mean(0) - theirs_SN.mean(0)
    low, high = np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    p = float(wilcoxon(by_picture).pvalue) if np.any(by_picture != 0) else 1.0
    return Difference(float(by_picture.mean()), float(low), float(high), p, n)


def paired(ours_SN: Values, theirs_SN: Values) -> Difference:
    """Compare two trainings with the same S seeds on the same N pictures, seed by seed; `p` is not adjusted.

    The squared error of the mean difference is that of `mean_of`; interval and p are Student's, with the degrees of
    freedom that Satterthwaite (1946) gives to such a sum: three seeds do not pass for many. With one seed they speak of
    this training on other pictures. Raises `ValueError` where the shapes differ.

    >>> ours = np.array([[2.0, 3.0, 4.5], [2.5, 3.0, 4.0]])
    >>> found = paired(ours, ours - [[1.0], [1.5]])
    >>> round(found.value, 2), round(found.low, 1), round(found.high, 1)
    (1.25, -1.9, 4.4)
    """
    if ours_SN.shape != theirs_SN.shape:
        raise ValueError(f"seeds and pictures must be the same, got {ours_SN.shape} and {theirs_SN.shape}")
    both = np.isfinite(ours_SN).all(0) & np.isfinite(theirs_SN).all(0)
    by_SN = ours_SN[:, both] - theirs_SN[:, both]
    n_seeds, n_pictures = by_SN.shape
    nan = float("nan")
    if n_pictures < 2:
        return Difference(float(by_SN.mean()) if n_pictures else nan, nan, nan, nan, n_pictures)
    value = float(by_SN.mean())
    of_pictures = float(by_SN.mean(0).var(ddof=1)) / n_pictures
    of_seeds = float(by_SN.mean(1).var(ddof=1)) / n_seeds if n_seeds > 1 else 0.0
    error = np.sqrt(of_pictures + of_seeds)
    if error == 0:  # every picture differs alike
        return Difference(value, value, value, 1.0 if value == 0 else 0.0, n_pictures)
    freedom = (of_pictures + of_seeds) ** 2 / (
        of_pictures**2 / (n_pictures - 1) + (of_seeds**2 / (n_seeds - 1) if n_seeds > 1 else 0.0)
    )
    half = float(student.ppf((1 + LEVEL) / 2, freedom)) * error
    p = float(2 * student.sf(abs(value) / error, freedom))
    return Difference(value, float(value - half), float(value + half), p, n_pictures)


def differences(values: Mapping[str, Values], against: str) -> dict[str, Difference]:
    """Compare every method with `against`; p is adjusted after Holm for as many tests as there are others."""
    found = {name: difference(ours, values[against]) for name, ours in values.items() if name != against}
    adjusted = holm([one.p for one in found.values()])
    return {
        name: Difference(one.value, one.low, one.high, p, one.pictures)
        for (name, one), p in zip(found.items(), adjusted, strict=True)
    }


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
