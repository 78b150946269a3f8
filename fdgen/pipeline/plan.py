"""The samples and shards of a build: a pure function of the recipe, the faces, the count and the rejects.

A candidate is a face and a variant. Faces are in the order of a digest of seed and photograph; candidates are variant 0
of every face in that order, then variant 1 of every face, and so on. The first round takes as many candidates as
samples are wanted; while some were rejected, another round takes as many more as are missing.

Photographs may be looked at elsewhere meanwhile: a shard is planned as soon as its own faces are known, and where the
next one must wait, the plan says for what.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

import numpy as np

from fdgen.contract.digests import digest_json
from fdgen.contract.records import SPLITS, Reject
from fdgen.errors import DatasetError, RecipeError
from fdgen.faces.source_table import SourceTable
from fdgen.faces.sources import Source
from fdgen.pipeline.face_queue import Candidate, FaceQueue, Looked
from fdgen.recipe.schema import Recipe, Splits
from fdgen.runtime.rng import fraction

_REJECTED, _MADE, _PASSED_OVER = range(3)
"""What became of a candidate; the first also of one of which that is not known yet."""


@dataclass(frozen=True, slots=True)
class ShardPlan:
    """What one shard is asked to hold."""

    name: str
    split: str
    candidates: tuple[Candidate, ...]

    def digest(self) -> str:
        """Return the sha256 of name, split and candidates."""
        return digest_json([self.name, self.split, [[c.source.sha256, c.variant] for c in self.candidates]])


@dataclass(frozen=True, slots=True)
class SplitRule:
    """Which split a photograph belongs to; `basis` is `official`, `identity` or `source`.

    The hash takes no seed: a person, or a photograph, is in the same split of every dataset with these shares, so that
    what one trains on is never what another tests on.
    """

    basis: str
    splits: Splits
    note: str

    def split_of(self, source: Source) -> str:
        """Return `train`, `val` or `test`."""
        if self.basis == "official" and source.split is not None:
            return source.split
        if self.basis == "identity" and source.identity is not None:
            place = fraction("split-identity", source.identity)
        else:
            place = fraction("split-source", source.sha256)
        return "train" if place < self.splits.train else "val" if place < 1 - self.splits.test else "test"


def split_rule(splits: Splits, sources: Sequence[Source]) -> SplitRule:
    """Decide how photographs are split; raise `RecipeError` where the recipe's mode asks for what they do not say."""
    table = SourceTable.of(sources)
    no_split, no_identity = table.without_split, table.without_identity
    for mode, missing, what in (("official", no_split, "official split"), ("identity", no_identity, "known identity")):
        if splits.mode == mode and missing:
            raise RecipeError(
                f"splits.mode is {mode!r}, but {missing} of {len(sources)} photographs have no {what}",
                hint="set splits.mode=auto, or give the lists that belong to the photographs",
            )
    if splits.mode == "official" or (splits.mode == "auto" and not no_split):
        return SplitRule("official", splits, "splits follow the official partition of the photographs")
    if splits.mode == "source" or no_identity == len(sources):
        return SplitRule("source", splits, "splits are by photograph: one person may be in two splits")
    note = "splits are by identity: nobody is in two splits"
    if no_identity:
        note = (
            f"splits are by identity, but {no_identity} of {len(sources)} photographs have none and are split by "
            "photograph: the person in them may be in two splits"
        )
    return SplitRule("identity", splits, note)


class Planner:
    """Plans rounds of shards until the asked count is made, or no face gives more."""

    def __init__(self, recipe: Recipe, queue: FaceQueue, rule: SplitRule, count: int | None) -> None:
        self._queue, self.rule, self._shard_samples = queue, rule, recipe.shards.samples
        self._count = count
        self._shards_of = dict.fromkeys(SPLITS, 0)
        self._members: dict[str, array[int]] = {}  # of each shard of this round: places of its candidates
        self._outcomes = bytearray()  # of the candidates of this round
        self._barren = 0
        self._goal = count  # candidates, with this round; None is one a usable face
        self._ended = False
        self.made = 0
        self.used = 0
        """Candidates planned so far, without those of a round that is being planned."""

    @property
    def target(self) -> int:
        """Samples asked for: the count, or one a usable face, which is known when all have been looked at."""
        return self._queue.at_most if self._count is None else self._count

    @property
    def to_look_at(self) -> int:
        """Photographs that this round looks at, with those of the rounds before, if no more are rejected."""
        return self._queue.to_look_at(self._goal)

    @property
    def looked_at(self) -> int:
        """Photographs looked at so far."""
        return self._queue.looked_at

    def wants_more(self) -> bool:
        """Return whether there is another round.

        Without a count, a rejected face is not replaced: every face has had its turn. With one, rounds end when the
        count is made or when as many candidates as there are faces were rejected without a break.
        """
        if self._ended or self._count is None or self.made >= self._count:
            return not self._ended and self._count is None
        return not self._barren or self._barren < self._queue.find(self._barren + 1)

    def next_round(self) -> Iterator[ShardPlan | Future[Looked]]:
        """Yield the shards of the next round as their faces are known; where one must wait, what it waits for.

        Raises `DatasetError` where the first round leaves the train split empty; nothing was yielded then.
        """
        first, index = not self.used, self.used
        self._members, self._outcomes = {}, bytearray()
        if self._count is not None:
            self._goal = self.used + self._count - self.made
        waiting = {split: _Waiting() for split in SPLITS}
        counts = dict.fromkeys(SPLITS, 0)
        full: list[ShardPlan] = []  # held back while it may be that no face is in the train split
        ready = index  # up to where faces are known
        while self._goal is None or index < self._goal:
            if index >= ready:
                self._queue.ask(self._goal)
                if (pending := self._queue.missing(index + 1)) is not None:
                    yield pending
                    continue
                if self._count is None and index >= self._queue.find(None):
                    break
                ready = max(self._queue.known, index + 1)
            candidate = self._queue.candidate(index)
            if candidate is None:
                break
            split = self.rule.split_of(candidate.source)
            counts[split] += 1
            waiting[split].places.append(index)
            waiting[split].candidates.append(candidate)
            self._outcomes.append(_REJECTED)
            index += 1
            if len(waiting[split].places) == self._shard_samples:
                full.append(self._shard(split, waiting[split]))
                waiting[split] = _Waiting()
            if full and (counts["train"] or not first):
                yield from full
                full, ready = [], index  # time has gone by: more may be known
        n_round = index - self.used
        if n_round and first and not counts["train"]:
            raise DatasetError(
                f"the train split would be empty: of {n_round} samples "
                + ", ".join(f"{number} go to {split}" for split, number in counts.items() if number),
                hint="ask for more samples, give more photographs, or set splits.mode and its shares",
            )
        self._ended = self._count is None or not n_round
        yield from (self._shard(split, some) for split, some in waiting.items() if some.places)

    def plan(self, name: str) -> ShardPlan:
        """Return the plan of a shard of this round, once more."""
        candidates = (self._queue.candidate(place) for place in self._members[name])
        return ShardPlan(name, name.partition("-")[0], tuple(one for one in candidates if one is not None))

    def note(self, name: str, made: Collection[str], passed_over: Collection[str] = ()) -> None:
        """Take in which keys of a shard of this round became samples, and which were passed over by chance.

        The latter say nothing of what a face can give: its next variant may be taken.
        """
        for place in self._members[name]:
            if (key := self._queue.key(place)) in made:
                self._outcomes[place - self.used] = _MADE
            elif key in passed_over:
                self._outcomes[place - self.used] = _PASSED_OVER

    def end_round(self) -> None:
        """Count what came of this round: all its shards have been noted."""
        outcomes = np.frombuffer(bytes(self._outcomes), np.uint8)
        places_made = np.flatnonzero(outcomes == _MADE)
        since = places_made[-1] + 1 if places_made.size else 0
        self._barren = (0 if places_made.size else self._barren) + int((outcomes[since:] == _REJECTED).sum())
        self.made += places_made.size
        self.used += len(outcomes)

    def passed_over(self) -> Iterator[Reject]:
        """Yield the photographs without a usable face that were met on the way, so far."""
        return self._queue.rejects(None if self._count is None else self.used)

    def _shard(self, split: str, waiting: _Waiting) -> ShardPlan:
        name = f"{split}-{self._shards_of[split]:05d}"
        self._shards_of[split] += 1
        self._members[name] = waiting.places
        return ShardPlan(name, split, tuple(waiting.candidates))


@dataclass(slots=True)
class _Waiting:
    """The candidates that wait for their shard to be full, and their places."""

    places: array[int] = field(default_factory=lambda: array("i"))
    candidates: list[Candidate] = field(default_factory=list)
