"""The results of an ablation: its tables, and whether each ordering that the paper reports holds here."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from fdtrain.comparison.ablation import MEASURED_THERE, Ablation
from fdtrain.comparison.image_table import read_images
from fdtrain.comparison.markup import interval
from fdtrain.comparison.plan import Ask, Task
from fdtrain.comparison.runner import Done
from fdtrain.comparison.statistics import Difference, Values, holm, mean_of, paired
from fdtrain.comparison.tables import Tables, finite
from fdtrain.comparison.task import IMAGES_FILE
from fdtrain.metrics.registry import columns_by_stratum, columns_compared

Verdict = Literal["holds", "reversed", "not distinguished at 95 %", "one seed: no test", "not computed"]

VERDICTS: dict[Verdict, str] = {
    "holds": "hold here",
    "reversed": "are reversed",
    "not distinguished at 95 %": "are not distinguished at 95 %",
    "one seed: no test": "are of one seed, which is no test",
    "not computed": "are not computed",
}


@dataclass(frozen=True)
class Ordering:
    """Two rows that the paper sets apart by a measure: its difference, ours, and whether ours has the same sign."""

    ours: str
    theirs: str
    measure: str
    paper: float
    here: Difference | None
    verdict: Verdict


class Frames:
    """Every number of every picture of a comparison that is done, by row and seed."""

    def __init__(self, done: Done) -> None:
        self.frames: dict[str, dict[int | None, pd.DataFrame]] = {}
        for task, folder in done.results.items():
            frame = read_images(folder / IMAGES_FILE, ("key",)).set_index("key")
            self.frames.setdefault(task.name, {})[task.seed] = frame

    def seeds(self, name: str) -> dict[int | None, pd.DataFrame]:
        """Return the numbers of a row by seed: nothing where none is done."""
        return self.frames.get(name, {})

    def both(
        self, ours: str, theirs: str, column: str, keep: npt.NDArray[np.bool_] | None = None
    ) -> tuple[Values, Values] | None:
        """Return the values of two rows on the same pictures, for the seeds that both have; None where there are none.

        A row that does not train is the same for every seed. `keep` says which pictures count, in their order.
        """
        mine, other = self.seeds(ours), self.seeds(theirs)
        seeds: list[int | None] = [seed for seed in dict.fromkeys((*mine, *other)) if seed is not None] or [None]
        pairs = [(_of_seed(mine, seed), _of_seed(other, seed)) for seed in seeds]
        both = [(one, two) for one, two in pairs if one is not None and two is not None]
        if not both or any(column not in frame or frame[column].isna().all() for pair in both for frame in pair):
            return None
        keys = both[0][0].index if keep is None else both[0][0].index[keep]
        sides = [np.stack([pair[side].loc[keys, column].to_numpy(np.float64) for pair in both]) for side in (0, 1)]
        return sides[0], sides[1]

    def difference(
        self, ours: str, theirs: str, column: str, keep: npt.NDArray[np.bool_] | None = None
    ) -> Difference | None:
        """Return how two rows differ, picture by picture and seed by seed; None where that cannot be known."""
        sides = self.both(ours, theirs, column, keep)
        if sides is None:
            return None
        trained = any(seed is not None for seed in (*self.seeds(ours), *self.seeds(theirs)))
        return paired(*sides, trained=trained)


@dataclass(frozen=True)
class Findings(Tables):
    """The tables of an ablation."""

    ablation: Ablation
    orderings: tuple[Ordering, ...]
    strata: Mapping[str, list[list[str]]]

    tested_by: ClassVar[str] = (
        "mean over pictures and seeds, its 95 % interval, and p adjusted after Holm for the rows; Student's, of "
        "differences paired by picture and by seed, with the error of both"
    )

    @classmethod
    def over(
        cls, ablation: Ablation, tasks: Sequence[Task], done: Done, ask: Ask, asked: Mapping[str, Any]
    ) -> Findings:
        """Read every result and sum it up.

        Args:
            ablation: What was changed, and the row that the others are tested against.
            tasks: All rows and seeds.
            done: Which of them have results.
            ask: The terms that all share.
            asked: Those terms as facts, for the tables.

        Raises what reading a result raises.
        """
        plain = Tables.of(tasks, done, ask, asked, ablation.against)
        frames = Frames(done)
        names = [name for name in dict.fromkeys(task.name for task in tasks) if name != ablation.against]
        tests: dict[str, Mapping[str, Difference]] = {}
        for measure in _tested():
            told = {name: frames.difference(name, ablation.against, measure) for name in names}
            found = {name: one for name, one in told.items() if one is not None}
            ps = holm([one.p for one in found.values()])
            if found:
                tests[measure] = {
                    name: Difference(one.value, one.low, one.high, p, one.pictures)
                    for (name, one), p in zip(found.items(), ps, strict=True)
                }
        return cls(
            rows=plain.rows,
            against=ablation.against,
            tests=tests,
            facts={**plain.facts, "title": ablation.title, "preset": ablation.preset},
            ablation=ablation,
            orderings=tuple(_orderings(ablation, frames)),
            strata=_strata(ablation, frames) if ablation.unseen is not None else {},
        )

    @property
    def title(self) -> str:
        """What the table of means is called."""
        return self.ablation.title

    def grids(self) -> dict[str, list[list[str]]]:
        """Return every table by its title."""
        found = super().grids()
        if self.orderings:
            found["The paper's orderings"] = self.ordering_grid()
        return found | dict(self.strata)

    def ordering_grid(self) -> list[list[str]]:
        """Return a line for each two rows and measure that the paper sets apart."""
        lines = [["", "measure", "in the paper", "here", "verdict"]]
        for one in self.orderings:
            column = f"{one.measure}_composited"
            here = interval(one.here, columns_compared()[column].digits) if one.here is not None else "-"
            paper = f"{one.paper:+.{3 if one.measure in ('ssim', 'psnr') else 2}f}"
            lines.append([f"{one.ours} minus {one.theirs}", columns_compared()[column].head, paper, here, one.verdict])
        return lines

    def findings(self) -> list[str]:
        """Say what was trained, what unseen kinds change, and which of the paper's orderings hold."""
        found = [f"all rows train {self.ablation.preset}, changed as their names say", *self.ablation.notes]
        for title, grid in self.strata.items():
            found.append(f"{title.partition(' by ')[0]}: what was never trained on changes it by {grid[1][-1]}")
        if not self.orderings:
            return found
        n = len(self.orderings)
        for verdict, words in VERDICTS.items():
            told = [one for one in self.orderings if one.verdict == verdict]
            listed = ", ".join(f"{one.measure.upper()} of {one.ours} and {one.theirs}" for one in told)
            found.append(f"of the paper's {n} orderings, {len(told)} {words}{': ' if told else ''}{listed}")
        found.append("orderings are of the composited output; the paper does not say what it measured")
        return found

    def json(self) -> dict[str, Any]:
        """Return everything as JSON holds it."""
        told = [{**asdict(one), "here": asdict(one.here) if one.here is not None else None} for one in self.orderings]
        plain: dict[str, Any] = {
            **super().json(),
            "orderings": finite(told),
            "strata": dict(self.strata),
            "changes": {one.name: list(one.overrides) for one in self.ablation.variants},
        }
        return plain


def _tested() -> tuple[str, ...]:
    """Return what rows are tested by: the hole alone, the paper's measures, and those of perception."""
    in_the_hole, *perceptual = columns_by_stratum()
    return (in_the_hole, *(f"{name}_composited" for name in MEASURED_THERE), *perceptual)


def _of_seed(frames: Mapping[int | None, pd.DataFrame], seed: int | None) -> pd.DataFrame | None:
    return frames.get(seed, frames.get(None))


def _orderings(ablation: Ablation, frames: Frames) -> Iterator[Ordering]:
    told = [one for one in ablation.variants if one.paper]
    for theirs, ours in itertools.combinations(told, 2):
        for measure in MEASURED_THERE:
            paper = ours.paper[measure] - theirs.paper[measure]
            if paper == 0:
                continue
            here = frames.difference(ours.name, theirs.name, f"{measure}_composited")
            yield Ordering(ours.name, theirs.name, measure, round(paper, 6), here, verdict_of(paper, here))


def verdict_of(paper: float, here: Difference | None) -> Verdict:
    """Return whether a difference that the paper reports holds: where the whole interval has its sign.

    >>> verdict_of(-0.5, Difference(-1.0, -1.5, -0.5, 0.01, 100))
    'holds'
    """
    if here is None or not math.isfinite(here.value):
        return "not computed"
    if not here.tested:
        return "one seed: no test" if here.pictures > 1 else "not computed"
    if here.low <= 0 <= here.high:
        return "not distinguished at 95 %"
    return "holds" if (here.value > 0) == (paper > 0) else "reversed"


def _strata(ablation: Ablation, frames: Frames) -> dict[str, list[list[str]]]:
    """Return, by measure, what each row reaches on pictures with the unseen kind, on others, and on held-out shapes."""
    kind, (seen, unseen) = ablation.unseen or "", (one.name for one in ablation.variants)
    anything = next(iter(frames.seeds(seen).values()), None)
    if anything is None:
        return {}
    worn = np.array([kind in str(one).split("+") for one in anything["kind"]])
    held_out = anything["held_out"].to_numpy(bool)
    strata = {
        f"wearing {kind}": worn,
        f"wearing no {kind}": ~worn,
        f"wearing {kind}, held-out shapes": worn & held_out,
        "any kind, held-out shapes": held_out,
        "any kind, shapes of training": ~held_out,
    }
    beside = ablation.beside[0]
    grids = {}
    for measure in columns_by_stratum():
        lines = [["pictures", "n", beside, seen, unseen, f"{seen} minus {beside}", f"{unseen} minus {seen}"]]
        for title, keep in strata.items():
            gain, cost = frames.difference(seen, beside, measure, keep), frames.difference(unseen, seen, measure, keep)
            if keep.sum() < 2 or gain is None:
                continue
            means = [_mean(frames, name, measure, keep) for name in (beside, seen, unseen)]
            told = [
                interval(one, columns_compared()[measure].digits) if one is not None else "-" for one in (gain, cost)
            ]
            lines.append([title, str(int(keep.sum())), *means, *told])
        if len(lines) > 1:
            grids[f"{columns_compared()[measure].head} by what is worn"] = lines
    return grids


def _mean(frames: Frames, name: str, measure: str, keep: npt.NDArray[np.bool_]) -> str:
    sides = frames.both(name, name, measure, keep)
    return f"{mean_of(sides[0]).value:.{columns_compared()[measure].digits}f}" if sides is not None else "-"
