"""The target of each sample, drawn from its own random numbers before its occluders: combination, pose, stratum.

A stratum is a bin of coverage together with the regions covered. What is asked of coverage and of each region is met
jointly: of all ways to do so, the one nearest to what the occluders give by themselves.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from fdgen.contract.records import SampleRecord
from fdgen.errors import RecipeError
from fdgen.recipe.combinations import Combination, label
from fdgen.recipe.schema import Recipe
from fdgen.recipe.strata import PASSED_OVER, REGION_NAMES, Bin, Strata
from fdgen.runtime.rng import draw_index, draw_key
from fdgen.synthesis.acceptance import Failure
from fdgen.synthesis.proportional_fitting import Constraint, fit_proportions

_LEAST_SEEN = 3
"""Trials of a combination in which a stratum must have been seen: fewer may be a fluke that takes hundreds to meet."""
_DOUBT = 2.0
"""Trials of an asset, as many as any other's falling in a stratum, that are added to its own few."""
_TOLERANCE = 0.002
"""Share of samples by which what can be met may miss what is asked: under the sampling error of any set to train on."""


@dataclass(frozen=True, slots=True)
class Trials:
    """How a combination was worn in trials that kept the recipe's laws: coverage (N,), regions covered (N, 3), 0 to 1.

    The regions are those of `REGION_NAMES`; `tried` is how many trials there were with those that broke a law. `assets`
    are those worn in each of the N, and `worn` says how often each was in any.
    """

    coverage: npt.NDArray[np.float64]
    regions: npt.NDArray[np.float64]
    tried: int
    assets: Sequence[tuple[str, ...]] = ()
    worn: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stratum:
    """Where the placement of a sample is to fall: a bin of coverage if one is asked, regions to cover or leave free.

    `share` is the share of all samples that get it, `offered` that of a combination's placements that fall in it.
    `favour` says how much more often than another an asset is tried for it: those that fell in it in the trials. An
    asset not named counts 1.
    """

    coverage: Bin | None
    regions: Mapping[str, bool]
    covered: float
    share: float
    offered: float
    favour: Mapping[str, float]

    def check(self, record: SampleRecord) -> Failure | None:
        """Refuse a sample that is not in it."""
        hides = {name: getattr(record, f"coverage_{name}") >= self.covered for name in self.regions}
        if (self.coverage is None or record.coverage in self.coverage) and hides == self.regions:
            return None
        return Failure("stratum-not-met", f"no placement {self}")

    def __str__(self) -> str:
        parts = [] if self.coverage is None else [f"covers {self.coverage.name} of the crop"]
        parts += [f"{'hides' if hidden else 'leaves'} the {name}" for name, hidden in self.regions.items()]
        return ", ".join(parts)


@dataclass(frozen=True, slots=True)
class Target:
    """What one sample is to be. `chance` decides whether a face of its pose is taken, where poses are asked for."""

    combination: Combination
    poses: tuple[Bin, ...]
    chance: float
    stratum: Stratum | None
    attempts: int

    def check_pose(self, yaw_deg: float) -> Failure | None:
        """Refuse a face whose pose is not asked for, or asked for less often than it is offered."""
        if not self.poses:
            return None
        turned = abs(yaw_deg)
        taken = next((one for one in self.poses if turned in one), None)
        if taken is None or taken.share <= 0:
            return Failure("pose-not-asked", f"yaw is {yaw_deg:.1f} degrees, and strata.pose asks for none of that")
        if self.chance >= taken.share:
            return Failure(
                PASSED_OVER,
                f"yaw is {yaw_deg:.1f} degrees: the recipe takes {taken.share:.3f} of such faces, and not this one",
            )
        return None

    @property
    def favour(self) -> Mapping[str, float]:
        """How much more often than another each asset is to be tried, 1 where nothing is named."""
        return {} if self.stratum is None else self.stratum.favour

    def check(self, record: SampleRecord) -> Failure | None:
        """Refuse a sample that is not in the stratum asked for."""
        return None if self.stratum is None else self.stratum.check(record)


@dataclass(frozen=True)
class Targets:
    """All that samples of a recipe may be, with how often.

    `poses` has for each bin of |yaw| the probability that a face there is taken, and `taken` that of any face.
    """

    combinations: Mapping[Combination, float]
    poses: Mapping[Combination, tuple[Bin, ...]]
    taken: float
    strata: Mapping[Combination, tuple[Stratum, ...]]
    attempts: int

    @classmethod
    def of(cls, recipe: Recipe, trials: Mapping[Combination, Trials] | None = None) -> Targets:
        """Return those of a recipe; `trials`, of `coverage_trials`, is needed where it asks anything of placements.

        Raises `RecipeError` where what is asked cannot be met.
        """
        combinations, strata = recipe.combinations(), recipe.strata
        poses, taken = strata.acceptance(list(combinations))
        if not strata.asks_of_placements:
            return cls(combinations, poses, taken, {}, recipe.attempts)
        if trials is None:
            raise RecipeError(
                "the recipe asks for strata of coverage or regions, and the coverage of the occluders was not measured",
                hint="pass the targets that `fdgen.synthesis.coverage_trials.find_targets(recipe, library)` returns",
            )
        return cls(combinations, poses, taken, _plan(combinations, trials, strata), strata.attempts)

    def draw(self, rng: np.random.Generator) -> Target:
        """Draw what a sample is to be; what is not asked draws nothing."""
        combination = draw_key(rng, self.combinations)
        poses = self.poses.get(combination, ())
        chance = float(rng.random()) if poses else 0.0
        strata = self.strata.get(combination, ())
        stratum = strata[draw_index(rng, tuple(one.share for one in strata))] if strata else None
        return Target(combination, poses, chance, stratum, self.attempts)

    def placements_a_sample(self) -> float:
        """Return how many placements a sample takes on average, as far as the trials show."""
        total = sum(share for combination, share in self.combinations.items() if combination not in self.strata)
        return total + sum(one.share / one.offered for strata in self.strata.values() for one in strata)


def _plan(
    combinations: Mapping[Combination, float], trials: Mapping[Combination, Trials], strata: Strata
) -> dict[Combination, tuple[Stratum, ...]]:
    """Share the strata out so that all that is asked is met; combinations of which nothing is asked have none."""
    cells: list[tuple[Combination, Stratum]] = []
    for combination in combinations:
        cells += [(combination, one) for one in _seen(combination, trials[combination], strata)]
    prior = np.array([combinations[combination] * one.offered for combination, one in cells])
    constraints = _constraints(combinations, cells, strata)
    found = fit_proportions(prior, constraints)
    for constraint in constraints:
        met = zip(constraint.names, constraint.shares, constraint.sums(found), strict=True)
        for name, asked, got in sorted(met, key=lambda one: one[2] - one[1]):  # what falls short first
            if abs(got - asked) > _TOLERANCE:
                raise RecipeError(
                    f"{constraint.what} asks for {name} in {asked:.1%} of all samples, and together with all else that "
                    f"is asked the occluders allow {got:.1%}",
                    hint="ask for less of it, or raise the weights of the kinds that can do it",
                )
    planned: dict[Combination, list[Stratum]] = {}
    for (combination, one), share in zip(cells, found, strict=True):
        if share > 0 and (one.coverage or one.regions):
            planned.setdefault(combination, []).append(replace(one, share=float(share)))
    return {combination: tuple(found) for combination, found in planned.items()}


def _seen(combination: Combination, trials: Trials, strata: Strata) -> list[Stratum]:
    """Return the strata in which a combination was seen, `offered` as its share of all trials."""
    bins, names = strata.coverage_bins(combination), tuple(strata.region_shares(combination))
    columns = [REGION_NAMES.index(name) for name in names]
    counts: Counter[tuple[Bin | None, tuple[bool, ...]]] = Counter()
    hits: dict[tuple[Bin | None, tuple[bool, ...]], Counter[str]] = {}
    for number, (coverage, regions) in enumerate(zip(trials.coverage, trials.regions, strict=True)):
        place = next((one for one in bins if float(coverage) in one), None)
        if bins and place is None:
            continue
        hides = tuple(bool(regions[column] >= strata.covered) for column in columns)
        counts[place, hides] += 1
        if trials.assets:
            hits.setdefault((place, hides), Counter()).update(trials.assets[number])
    order = sorted(counts, key=lambda key: (key[0].low if key[0] else 0.0, key[1]))
    found = []
    for place, hides in order:
        if counts[place, hides] < _LEAST_SEEN:
            continue
        offered = counts[place, hides] / trials.tried
        seen = hits.get((place, hides), Counter())
        favour = {asset: (seen[asset] / offered + _DOUBT) / (n + _DOUBT) for asset, n in trials.worn.items()}
        covers = dict(zip(names, hides, strict=True))
        found.append(Stratum(place, covers, strata.covered, 0.0, offered, favour))
    return found


def _constraints(
    combinations: Mapping[Combination, float], cells: Sequence[tuple[Combination, Stratum]], strata: Strata
) -> list[Constraint]:
    """Return all that is asked of the shares of the cells: by coverage, by region, and last by combination."""
    found = []
    groups: dict[tuple[str, str], list[Combination]] = {}
    for combination in combinations:
        for what in ("coverage", "region"):
            groups.setdefault((what, strata.group(what, combination)), []).append(combination)
    for (what, group), members in groups.items():
        total = sum(combinations[combination] for combination in members)
        where = f"strata.{what}" if group == "all" else f"strata.{what}.{group}"
        inside = [combination in members for combination, _ in cells]
        bins = strata.coverage_bins(members[0])
        if what == "coverage" and bins:
            labels = [bins.index(one.coverage) if one.coverage in bins else -1 for _, one in cells]
            names = [f"a coverage of {one.name}" for one in bins]
            found.append(Constraint(where, names, [one.share * total for one in bins], _within(labels, inside)))
        for region, share in strata.region_shares(members[0]).items() if what == "region" else ():
            labels = [int(one.regions.get(region, False)) for _, one in cells]
            names = [f"the {region} left free", f"the {region} covered"]
            shares = [(1 - share) * total, share * total]
            found.append(Constraint(where, names, shares, _within(labels, inside)))
    order = list(combinations)
    labels = [order.index(combination) for combination, _ in cells]
    names = [label(combination) for combination in order]
    return [*found, Constraint("kinds", names, list(combinations.values()), np.array(labels, np.int64))]


def _within(labels: Sequence[int], inside: Sequence[bool]) -> npt.NDArray[np.int64]:
    return np.where(inside, labels, -1).astype(np.int64)
