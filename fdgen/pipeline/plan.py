"""The samples and shards of a build: a pure function of the recipe, the faces, the count and the rejects.

A candidate is a face and a variant. Faces stand in the order of a digest of seed and photograph; candidates are variant
0 of every face in that order, then variant 1 of every face, and so on. The first round takes as many candidates as
samples are wanted; while some were rejected, another round takes as many more as are missing.

Photographs may be looked at elsewhere meanwhile: a shard is planned as soon as its own faces are known, and where the
next one must wait, the plan says for what.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol

from fdgen.contract.digests import digest_json
from fdgen.contract.records import SPLITS, Reject, sample_key
from fdgen.errors import DatasetError, RecipeError
from fdgen.faces.landmarks import Landmarks
from fdgen.faces.sources import Source
from fdgen.recipe.schema import Recipe, Splits
from fdgen.runtime.rng import fraction, rank

Looked = Mapping[str, Landmarks | Reject]
"""The landmarks of photographs, or why they have none, by sha256."""

SPARE = 1.02
"""Share of photographs looked at beyond those that are needed, so that a few rejects cost no second look."""

MOST_AT_ONCE = 4096
"""Photographs looked at in one go: their landmarks are in memory together, about 6 kB each."""


class Looking(Protocol):
    """Finds landmarks, perhaps in other processes while the caller goes on."""

    @property
    def batch(self) -> int:
        """How many photographs are looked at in one go, at most."""
        ...

    @property
    def in_flight(self) -> int:
        """How many batches may be under way at once."""
        ...

    def ask(self, batch: Sequence[Source]) -> Future[Looked]:
        """Begin to look at photographs."""
        ...

    def take(self, batch: Sequence[Source], future: Future[Looked]) -> Looked:
        """Return what is known of the photographs of a batch that was asked for; its future is done."""
        ...


@dataclass(frozen=True)
class AtOnce:
    """Looks at photographs when it is asked to, and returns when all is found."""

    look: Callable[[Sequence[Source]], Looked]
    in_flight: int = 1

    @property
    def batch(self) -> int:
        """As many as are wanted."""
        return MOST_AT_ONCE

    def ask(self, batch: Sequence[Source]) -> Future[Looked]:
        """Look; the future is there already."""
        future: Future[Looked] = Future()
        future.set_result(self.look(batch))
        return future

    def take(self, batch: Sequence[Source], future: Future[Looked]) -> Looked:
        """Return what was found."""
        return future.result()


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
        return SplitRule("source", splits, "splits are by photograph: one person may be in two splits")
    note = "splits are by identity: nobody is in two splits"
    if no_identity:
        note = (
            f"splits are by identity, but {no_identity} of {len(sources)} photographs have none and are split by "
            "photograph: the person in them may be in two splits"
        )
    return SplitRule("identity", splits, note)


class FaceQueue:
    """The photographs that have a usable face, in the order of the seed, looked at only as far as they are needed."""

    def __init__(self, sources: Sequence[Source], seed: int, looking: Looking) -> None:
        self._waiting = sorted(sources, key=lambda source: (rank(seed, source.sha256), source.sha256), reverse=True)
        self._looking = looking
        self._asked: deque[tuple[list[Source], Future[Looked]]] = deque()
        self._usable: list[Source] = []
        self._rejects: list[tuple[int, Reject]] = []  # with the number of usable faces before each

    @property
    def looked_at(self) -> int:
        """Photographs of which it is known whether they can be used."""
        return len(self._usable) + len(self._rejects)

    @property
    def at_most(self) -> int:
        """How many usable faces there are, as far as that is known."""
        return len(self._usable) + self._under_way + len(self._waiting)

    def to_look_at(self, count: int | None) -> int:
        """Return how many photographs are looked at for `count` usable faces (None: all), if no more are rejected."""
        return self.looked_at + min(self._wanted(count), self._under_way + len(self._waiting))

    def ask(self, count: int | None) -> None:
        """Have photographs looked at until `count` usable faces are known (None: all); do not wait for it."""
        self._gather()
        wanted = self._wanted(count) - self._under_way
        while wanted > 0 and self._waiting and len(self._asked) < self._looking.in_flight:
            n = min(wanted, len(self._waiting), self._looking.batch, MOST_AT_ONCE)
            batch = [self._waiting.pop() for _ in range(n)]
            self._asked.append((batch, self._looking.ask(batch)))
            wanted -= n
        self._gather()

    def missing(self, count: int | None) -> Future[Looked] | None:
        """Return what must be waited for before `count` usable faces are known (None: all); None where they are.

        They are known, too, where no photograph is left that nobody has looked at.
        """
        while (count is None or len(self._usable) < count) and (self._asked or self._waiting):
            self.ask(count)
            if self._asked:
                return self._asked[0][1]
        return None

    def find(self, count: int | None) -> int:
        """Wait until `count` usable faces are known (None: all); return how many are."""
        while (pending := self.missing(count)) is not None:
            pending.result()
        return len(self._usable)

    def candidate(self, index: int) -> Candidate | None:
        """Return the candidate at a place in the endless list of them; None where there is no usable face at all."""
        faces = self.find(index + 1)
        return Candidate(self._usable[index % faces], index // faces) if faces else None

    def rejects(self, candidates: int | None) -> list[Reject]:
        """Return the photographs passed over on the way to this many candidates (None: all), never a spare one."""
        everyone = candidates is None or candidates > len(self._usable)
        return [reject for before, reject in self._rejects if everyone or before < (candidates or 0)]

    @property
    def _under_way(self) -> int:
        return sum(len(batch) for batch, _ in self._asked)

    def _wanted(self, count: int | None) -> int:
        """Return how many photographs are to be looked at from here on for so many usable faces."""
        if count is None:
            return self._under_way + len(self._waiting)
        return round((count - len(self._usable)) * SPARE) + 8 if count > len(self._usable) else 0

    def _gather(self) -> None:
        """Take in what was found, in the order of the queue."""
        while self._asked and self._asked[0][1].done():
            batch, future = self._asked.popleft()
            found = self._looking.take(batch, future)
            for source in batch:
                result = found[source.sha256]
                if isinstance(result, Reject):
                    self._rejects.append((len(self._usable), result))
                else:
                    self._usable.append(source)


class Planner:
    """Plans rounds of shards until the asked count is made, or no face gives more."""

    def __init__(self, recipe: Recipe, queue: FaceQueue, rule: SplitRule, count: int | None) -> None:
        self._queue, self.rule, self._shard_samples = queue, rule, recipe.shards.samples
        self._count = count
        self._round: list[Candidate] = []
        self._shards_of = dict.fromkeys(SPLITS, 0)
        self._barren = 0
        self._goal = count  # candidates, with this round; None is one a usable face
        self._ended = False
        self.made = 0
        self.used = 0
        """Candidates planned so far."""

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
        """Tell whether there is another round.

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
        first, self._round = not self.used, []
        if self._count is not None:
            self._goal = self.used + self._count - self.made
        waiting: dict[str, list[Candidate]] = {split: [] for split in SPLITS}
        counts = dict.fromkeys(SPLITS, 0)
        full: list[ShardPlan] = []  # held back while it may be that no face is in the train split
        while self._goal is None or self.used + len(self._round) < self._goal:
            index = self.used + len(self._round)
            self._queue.ask(self._goal)
            if (pending := self._queue.missing(index + 1)) is not None:
                yield pending
                continue
            if self._count is None and index >= self._queue.find(None):
                break
            candidate = self._queue.candidate(index)
            if candidate is None:
                break
            self._round.append(candidate)
            split = self.rule.split_of(candidate.source)
            counts[split] += 1
            waiting[split].append(candidate)
            if len(waiting[split]) == self._shard_samples:
                full.append(self._shard(split, waiting[split]))
                waiting[split] = []
            if counts["train"] or not first:
                yield from full
                full = []
        if self._round and first and not counts["train"]:
            raise DatasetError(
                f"the train split would be empty: of {len(self._round)} samples "
                + ", ".join(f"{number} go to {split}" for split, number in counts.items() if number),
                hint="ask for more samples, give more photographs, or set splits.mode and its shares",
            )
        self.used += len(self._round)
        self._ended = self._count is None or not self._round
        yield from (self._shard(split, found) for split, found in waiting.items() if found)

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

    def _shard(self, split: str, candidates: Sequence[Candidate]) -> ShardPlan:
        name = f"{split}-{self._shards_of[split]:05d}"
        self._shards_of[split] += 1
        return ShardPlan(name, split, tuple(candidates))
