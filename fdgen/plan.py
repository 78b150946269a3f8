"""What a build will make, in which shards: a pure function of the recipe, the faces, the count and what was rejected.

A candidate is a face and a variant. Faces stand in the order of a digest of seed and photograph; candidates are variant
0 of every face in that order, then variant 1 of every face, and so on. The first round takes as many candidates as
samples are wanted; while some were rejected, another round takes as many more as are missing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from fdgen.contract import SPLITS, Reject, digest_json, sample_key
from fdgen.errors import DatasetError, RecipeError
from fdgen.points import Landmarks
from fdgen.recipe import Recipe, Splits
from fdgen.rng import fraction, rank
from fdgen.sources import Source

Look = Callable[[Sequence[Source]], Mapping[str, Landmarks | Reject]]
"""Finds the landmarks of photographs, or why they have none, by sha256."""

SPARE = 1.02
"""Share of photographs looked at beyond those that are needed, so that a few rejects cost no second look."""

MOST_AT_ONCE = 4096
"""Photographs looked at in one go: their landmarks are in memory together, about 6 kB each."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A face and the number of the sample made from it."""

    source: Source
    variant: int

    @property
    def key(self) -> str:
        """Key of the sample that it becomes."""
        return sample_key(self.source.sha256, self.variant)


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

    The hash takes no seed: a person, or a photograph, stands in the same split of every dataset with these shares, so
    that what one trains on is never what another tests on.
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
    """Decide how photographs are split; raise `RecipeError` where the recipe's mode asks for what they do not tell."""
    no_split = sum(source.split is None for source in sources)
    no_identity = sum(source.identity is None for source in sources)
    for mode, missing, what in (("official", no_split, "official split"), ("identity", no_identity, "known identity")):
        if splits.mode == mode and missing:
            raise RecipeError(
                f"splits.mode is {mode!r}, but {missing} of {len(sources)} photographs have no {what}",
                hint="set splits.mode=auto, or give the lists that belong to the photographs",
            )
    if splits.mode == "official" or (splits.mode == "auto" and not no_split):
        return SplitRule("official", splits, "splits follow the official partition of the photographs")
    if splits.mode == "source" or no_identity == len(sources):
        return SplitRule("source", splits, "splits are by photograph: one person may stand in two splits")
    note = "splits are by identity: nobody stands in two splits"
    if no_identity:
        note = (
            f"splits are by identity, but {no_identity} of {len(sources)} photographs have none and are split by "
            "photograph: the person in them may stand in two splits"
        )
    return SplitRule("identity", splits, note)


class FaceQueue:
    """The photographs that have a usable face, in the order of the seed, looked at only as far as they are needed."""

    def __init__(self, sources: Sequence[Source], seed: int, look: Look) -> None:
        self._waiting = sorted(sources, key=lambda source: (rank(seed, source.sha256), source.sha256), reverse=True)
        self._look = look
        self._usable: list[Source] = []
        self._rejects: list[tuple[int, Reject]] = []  # with the number of usable faces before each

    def find(self, count: int | None) -> int:
        """Look until `count` usable faces are known (None: all); return how many are."""
        while self._waiting and (count is None or len(self._usable) < count):
            missing = len(self._waiting) if count is None else round((count - len(self._usable)) * SPARE) + 8
            batch = [self._waiting.pop() for _ in range(min(missing, len(self._waiting), MOST_AT_ONCE))]
            found = self._look(batch)
            for source in batch:
                result = found[source.sha256]
                if isinstance(result, Reject):
                    self._rejects.append((len(self._usable), result))
                else:
                    self._usable.append(source)
        return len(self._usable)

    def candidate(self, index: int) -> Candidate | None:
        """Return the candidate at a place in the endless list of them; None where there is no usable face at all."""
        faces = self.find(index + 1)
        return Candidate(self._usable[index % faces], index // faces) if faces else None

    def rejects(self, candidates: int | None) -> list[Reject]:
        """Return the photographs passed over on the way to this many candidates (None: all), never a spare one."""
        everyone = candidates is None or candidates > len(self._usable)
        return [reject for before, reject in self._rejects if everyone or before < (candidates or 0)]


class Planner:
    """Plans rounds of shards until the asked count is made, or no face gives more."""

    def __init__(self, recipe: Recipe, queue: FaceQueue, rule: SplitRule, count: int | None) -> None:
        self._queue, self._rule, self._shard_samples = queue, rule, recipe.shards.samples
        self._count = count
        self._round: list[Candidate] = []
        self._shards_of = dict.fromkeys(SPLITS, 0)
        self._barren = 0
        self.target = queue.find(None) if count is None else count
        """Samples asked for: the count, or one a usable face."""
        self.made = 0
        self.used = 0
        """Candidates planned so far."""

    def next_round(self) -> list[ShardPlan]:
        """Return the shards of the next round; none where there is nothing left to do.

        Without a count, a rejected face is not replaced: every face has had its turn. With one, rounds end when the
        count is made or when as many candidates as there are faces were rejected without a break.
        """
        missing = self.target - self.made
        everyone_refused = self._barren > 0 and self._barren >= self._queue.find(self._barren + 1)
        if missing <= 0 or everyone_refused or (self.used and self._count is None):
            return []
        chosen = (self._queue.candidate(index) for index in range(self.used, self.used + missing))
        self._round = [candidate for candidate in chosen if candidate is not None]
        self.used += len(self._round)
        by_split: dict[str, list[Candidate]] = {split: [] for split in SPLITS}
        for candidate in self._round:
            by_split[self._rule.split_of(candidate.source)].append(candidate)
        if self._round and self.used == len(self._round) and not by_split["train"]:
            raise DatasetError(
                f"the train split would be empty: of {len(self._round)} samples "
                + ", ".join(f"{len(found)} go to {split}" for split, found in by_split.items() if found),
                hint="ask for more samples, give more photographs, or set splits.mode and its shares",
            )
        return [shard for split, found in by_split.items() for shard in self._chunk(split, found)]

    def record(self, made: Collection[str], passed_over: Collection[str] = ()) -> None:
        """Tell which keys of the last round became samples, and which were passed over by chance.

        The latter say nothing of what a face can give: its next variant may be taken.
        """
        self.made += len(made)
        for candidate in self._round:
            if candidate.key not in passed_over:
                self._barren = 0 if candidate.key in made else self._barren + 1

    def passed_over(self) -> list[Reject]:
        """Return the photographs without a usable face that were met on the way, so far."""
        return self._queue.rejects(None if self._count is None else self.used)

    def _chunk(self, split: str, candidates: Sequence[Candidate]) -> list[ShardPlan]:
        chunks = []
        for start in range(0, len(candidates), self._shard_samples):
            name = f"{split}-{self._shards_of[split]:05d}"
            chunks.append(ShardPlan(name, split, tuple(candidates[start : start + self._shard_samples])))
            self._shards_of[split] += 1
        return chunks
