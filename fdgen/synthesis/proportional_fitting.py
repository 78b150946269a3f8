"""Iterative proportional fitting: shares of cells with the sums asked for, as near as possible to the given shares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Shares = npt.NDArray[np.float64]

_ROUNDS = 5_000
_SETTLED = 1e-9


@dataclass(frozen=True, slots=True)
class Constraint:
    """What the cells of each group are to add up to.

    `labels` (N,) gives the group of each cell, -1 where the constraint says nothing of it; group i is to have
    `shares[i]`. `what` and `names` say in words which constraint and group it is.
    """

    what: str
    names: Sequence[str]
    shares: Sequence[float]
    labels: npt.NDArray[np.int64]

    def sums(self, cells: Shares) -> Shares:
        """Return what the cells of each group add up to."""
        spoken_of = self.labels >= 0
        sums: Shares = np.bincount(self.labels[spoken_of], cells[spoken_of], len(self.shares)).astype(np.float64)
        return sums


def fit_proportions(cells: Shares, constraints: Sequence[Constraint]) -> Shares:
    """Return shares (N,) that meet all constraints, of all such the nearest to `cells` in relative entropy.

    Where no shares meet all of them, the last constraint is met and the others about as well as can be: compare the
    sums. A cell of 0 stays 0.

    Deming and Stephan 1940; Csiszar 1975 for what it converges to.
    """
    found = cells.astype(np.float64)
    for _ in range(_ROUNDS):
        before = found
        for constraint in constraints:
            sums = constraint.sums(found)
            wanted = np.asarray(constraint.shares, np.float64)
            scale = np.divide(wanted, sums, out=np.ones_like(sums), where=sums > 0)
            found = found * np.where(constraint.labels >= 0, scale[constraint.labels], 1.0)
        if np.abs(found - before).max(initial=0.0) < _SETTLED:
            break
    return found
