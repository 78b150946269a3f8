"""What a recipe asked of its samples, next to what they are: kinds, pose, coverage, regions."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fdgen.recipe.combinations import Combination, label
from fdgen.recipe.schema import Recipe
from fdgen.recipe.strata import Bin

if TYPE_CHECKING:
    import pandas as pd

    from fdgen.contract.records import SampleRecord


@dataclass(frozen=True, slots=True)
class Asked:
    """One share that a recipe asks for: of which of its samples, in what stratum.

    `what` is `kinds`, `pose`, `coverage` or `region`; `of` is `all` or the label of a combination.
    """

    what: str
    of: str
    stratum: str
    share: float


@dataclass(frozen=True, slots=True)
class TargetShare:
    """What was asked, and how many of how many samples are in that stratum."""

    asked: Asked
    got: int
    samples: int

    @property
    def share(self) -> float:
        """Return the share of the samples that are in the stratum."""
        return self.got / self.samples if self.samples else 0.0

    @property
    def z(self) -> float | None:
        """Return by how many standard errors of the sampling it differs; None where there is none.

        Where all or nothing is asked there is no sampling error: met exactly it is 0.
        """
        share = self.asked.share
        error = math.sqrt(share * (1 - share) / self.samples) if self.samples else 0.0
        if error > 0:
            return (self.share - share) / error
        return 0.0 if self.samples and self.share == share else None


def asked(recipe: Recipe) -> list[Asked]:
    """Return all shares that a recipe asks for."""
    return [one for one, _, _ in _asked(recipe)]


def target_shares_of(recipe: Recipe, table: pd.DataFrame | Mapping[str, Sequence[Any]]) -> list[TargetShare]:
    """Compare the samples of a manifest's table, or of its columns, with what their recipe asked."""
    import numpy as np

    worn = np.array([label(json.loads(text)) for text in table["kinds"]])
    counts = Counter(worn.tolist())
    found = []
    for one, members, place in _asked(recipe):
        if one.what == "kinds":
            found.append(TargetShare(one, counts[one.stratum], len(worn)))
            continue
        rows = np.isin(worn, [label(combination) for combination in members])
        column = {"pose": "yaw_deg", "coverage": "coverage"}.get(one.what, f"coverage_{one.stratum}")
        values = np.asarray(table[column], np.float64)[rows]
        if one.what == "region":
            inside = values >= recipe.strata.covered
        else:
            values = np.abs(values) if one.what == "pose" else values
            inside = (values >= place.low) & (values < place.high)
        found.append(TargetShare(one, int(inside.sum()), int(rows.sum())))
    return found


def not_asked(recipe: Recipe, record: SampleRecord) -> str | None:
    """Say why a recipe asks for no sample such as this: its kinds together, its pose or its coverage; None if it does.

    Of the regions it covers, only those count that all samples are to cover, or none.
    """
    if record.kinds not in recipe.combinations():
        return f"the recipe never puts {label(record.kinds)} on one face"
    strata = recipe.strata
    for what, value, bins in (
        ("yaw", abs(record.yaw_deg), strata.pose_bins(record.kinds)),
        ("coverage", record.coverage, strata.coverage_bins(record.kinds)),
    ):
        if bins and not any(value in one for one in bins if one.share > 0):
            return f"its {what} is {value:g}, and the recipe asks for no such sample"
    for region, share in strata.region_shares(record.kinds).items():
        covered = getattr(record, f"coverage_{region}") >= strata.covered
        if share == float(not covered):
            return f"the {region} {'is' if covered else 'is not'} covered, and the recipe asks for no such sample"
    return None


def _asked(recipe: Recipe) -> Iterator[tuple[Asked, list[Combination], Any]]:
    """Yield what is asked, the combinations it is asked of, and the bin if it is one."""
    combinations, strata = recipe.combinations(), recipe.strata
    for combination, share in combinations.items():
        yield Asked("kinds", "all", label(combination), share), [*combinations], None
    for what in ("pose", "coverage", "region"):
        groups: dict[str, list[Combination]] = {}
        for combination in combinations:
            groups.setdefault(strata.group(what, combination), []).append(combination)
        for group, members in groups.items():
            shares: Mapping[str, tuple[float, Bin | None]]
            if what == "region":
                shares = {name: (share, None) for name, share in strata.region_shares(members[0]).items()}
            else:
                bins = strata.pose_bins(members[0]) if what == "pose" else strata.coverage_bins(members[0])
                shares = {one.name: (one.share, one) for one in bins}
            for name, (share, place) in shares.items():
                yield Asked(what, group, name, share), members, place
