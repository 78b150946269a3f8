"""How often a comparison's 95 % interval holds the truth, and how often it finds a difference where there is none.

    python -m tests.benchmarks.bench_coverage --draws 4000

Simulates two methods whose true means are equal, on 645 pictures as the test split of the 64 px tables has, whose
trainings differ from seed to seed by 0.12 dB as three seeds of faithful-64 do. A third column has what an interval of
pictures alone would hold, which is what a test over pictures assumes.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import numpy as np

from fdtrain.comparison.statistics import Values, difference, paired

PICTURES = 645
PICTURE_DB, METHOD_DB, SEED_AND_PICTURE_DB = 3.0, 1.4, 0.6
"""Standard deviations: of pictures for both methods alike, for either method, and of a picture from seed to seed."""


@dataclass(frozen=True)
class Case:
    """Two methods: how many seeds each has (0 for one that does not train), and how far its seeds spread in dB."""

    name: str
    seeds: tuple[int, int]
    spread_db: tuple[float, float] = (0.0, 0.0)
    in_pairs: bool = False


CASES = (
    Case("one level: neither trains", (0, 0)),
    Case("one level: 3 and 3 seeds that do not differ", (3, 3)),
    Case("two levels: 2 and 2 seeds", (2, 2), (0.12, 0.12)),
    Case("two levels: 3 and 3 seeds", (3, 3), (0.12, 0.12)),
    Case("two levels: 5 and 5 seeds", (5, 5), (0.12, 0.12)),
    Case("two levels: 2 and 3 seeds", (2, 3), (0.12, 0.12)),
    Case("two levels: 3 and 3 seeds, one side steadier", (3, 3), (0.12, 0.03)),
    Case("two levels: 3 and 3 seeds that differ by 0.5 dB", (3, 3), (0.5, 0.5)),
    Case("two levels: 3 seeds and a method that does not train", (3, 0), (0.12, 0.0)),
    Case("two levels in pairs: 3 seeds", (3, 3), (0.12, 0.12), in_pairs=True),
    Case("two levels in pairs: 5 seeds", (5, 5), (0.12, 0.12), in_pairs=True),
)

CORNERS = (
    Case("2 seeds and a method that does not train", (2, 0), (0.12, 0.0)),
    Case("the same, seeds that differ by 0.5 dB", (2, 0), (0.5, 0.0)),
    Case("2 and 2 seeds, one side steadier", (2, 2), (0.12, 0.02)),
    Case("2 seeds in pairs", (2, 2), (0.12, 0.12), in_pairs=True),
)
"""Where one degree of freedom is all there is: printed, and promised nothing."""


def drawn(case: Case, rng: np.random.Generator, pictures: int = PICTURES) -> tuple[Values, Values]:
    """Draw what two methods of equal true mean would measure: seeds by pictures, of either."""
    shared_N = 20 + rng.normal(0, PICTURE_DB, pictures)
    sides = []
    for seeds, spread in zip(case.seeds, case.spread_db, strict=True):
        mine_N = shared_N + rng.normal(0, METHOD_DB / np.sqrt(2), pictures)
        shape = (max(seeds, 1), pictures)
        noise = rng.normal(0, spread, (shape[0], 1)) + rng.normal(0, SEED_AND_PICTURE_DB, shape) if seeds else 0.0
        sides.append(np.broadcast_to(mine_N, shape) + noise)
    return sides[0], sides[1]


def coverage(case: Case, draws: int, seed: int = 0) -> tuple[float, float]:
    """Return how often the interval holds zero, and how often one of pictures alone would."""
    rng = np.random.default_rng(seed)
    held = held_by_pictures = 0
    for _ in range(draws):
        ours, theirs = drawn(case, rng)
        trained = case.seeds[0] > 0, case.seeds[1] > 0
        found = paired(ours, theirs) if case.in_pairs else difference(ours, theirs, trained=trained)
        alone = difference(ours.mean(0, keepdims=True), theirs.mean(0, keepdims=True))
        held += found.low <= 0 <= found.high
        held_by_pictures += alone.low <= 0 <= alone.high
    return held / draws, held_by_pictures / draws


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=4000, help="Simulated comparisons a case (4000).")
    draws = parser.parse_args().draws
    print(f"{'case':<56}  held  by pictures alone")
    for case in (*CASES, *CORNERS):
        held, alone = coverage(case, draws)
        print(f"{case.name:<56} {held:5.1%}  {alone:5.1%}", flush=True)


if __name__ == "__main__":
    main()
