"""The samples and shards of a build: a pure function of the recipe, the faces, the count and the rejects.

A candidate is a face and a variant. Faces stand in the order of a digest of seed and photograph; candidates are variant
0 of every face in that order, then variant 1 of every face, and so on. The first round takes as many candidates as
samples are wanted; while some were rejected, another round takes as many more as are missing.

Photographs may be looked at elsewhere meanwhile: a shard is planned as soon as its own faces are known, and where the
next one must wait, the plan says for what. Faces and candidates are kept as numbers of a few bytes, from which they are
made when they are asked for: the memory of a build hardly grows with it.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from fdgen.contract.digests import digest_json
from fdgen.contract.records import SPLITS, Reject, sample_key
from fdgen.errors import DatasetError, RecipeError
from fdgen.faces.landmarks import Landmarks
from fdgen.faces.sources import Source
from fdgen.recipe.schema import Recipe, Splits
from fdgen.runtime.rng import fraction, rank

Looked = Mapping[str, Landmarks | bytes | Reject]
"""The landmarks of photographs, perhaps as `Landmarks.to_bytes` packs them, or why they have none, by sha256."""

SPARE = 1.02
"""Share of photographs looked at beyond those that are needed, so that a few rejects cost no second look."""

_PATH = "\0"
"""Stands for the path of a photograph in the reason why it has no face, so that many share one."""

_REJECTED, _MADE, _PASSED_OVER = range(3)
"""What became of a candidate; the first also of one of which that is not known yet."""

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


def seed_order(sources: Sequence[Source], seed: int) -> npt.NDArray[np.int32]:
    """Return the places of photographs in the order of a seed."""
    ranks = bytearray()
    for source in sources:
        ranks += bytes.fromhex(rank(seed, source.sha256))
    columns = np.frombuffer(bytes(ranks), ">u8").reshape(-1, 4).T
    return np.lexsort(columns[::-1]).astype(np.int32)


class FaceQueue:
    """The photographs that have a usable face, in the order of the seed, looked at only as far as they are needed."""

    def __init__(self, sources: Sequence[Source], seed: int, looking: Looking) -> None:
        self._sources = sources
        self._order = seed_order(sources, seed)
        self._begun = 0  # of the order
        self._looking = looking
        self._asked: deque[tuple[list[int], Future[Looked]]] = deque()
        self._usable = array("i")
        self._rejected = _Rejected(sources)

    @property
    def looked_at(self) -> int:
        """Photographs of which it is known whether they can be used."""
        return len(self._usable) + len(self._rejected)

    @property
    def at_most(self) -> int:
        """How many usable faces there are, as far as that is known."""
        return len(self._usable) + self._under_way + self._waiting

    def to_look_at(self, count: int | None) -> int:
        """Return how many photographs are looked at for `count` usable faces (None: all), if no more are rejected."""
        return self.looked_at + min(self._wanted(count), self._under_way + self._waiting)

    def ask(self, count: int | None) -> None:
        """Have photographs looked at until `count` usable faces are known (None: all); do not wait for it."""
        self._gather()
        wanted = self._wanted(count) - self._under_way
        while wanted > 0 and self._waiting and len(self._asked) < self._looking.in_flight:
            n = min(wanted, self._waiting, self._looking.batch, MOST_AT_ONCE)
            places = self._order[self._begun : self._begun + n].tolist()
            self._begun += n
            self._asked.append((places, self._looking.ask([self._sources[place] for place in places])))
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
        return Candidate(self._sources[self._usable[index % faces]], index // faces) if faces else None

    def rejects(self, candidates: int | None) -> Iterator[Reject]:
        """Yield the photographs passed over on the way to this many candidates (None: all), never a spare one."""
        everyone = candidates is None or candidates > len(self._usable)
        return self._rejected.before(None if everyone else candidates)

    @property
    def _waiting(self) -> int:
        return len(self._order) - self._begun

    @property
    def _under_way(self) -> int:
        return sum(len(places) for places, _ in self._asked)

    def _wanted(self, count: int | None) -> int:
        """Return how many photographs are to be looked at from here on for so many usable faces."""
        if count is None:
            return self._under_way + self._waiting
        return round((count - len(self._usable)) * SPARE) + 8 if count > len(self._usable) else 0

    def _gather(self) -> None:
        """Take in what was found, in the order of the queue."""
        while self._asked and self._asked[0][1].done():
            places, future = self._asked.popleft()
            batch = [self._sources[place] for place in places]
            found = self._looking.take(batch, future)
            for place, source in zip(places, batch, strict=True):
                result = found[source.sha256]
                if isinstance(result, Reject):
                    self._rejected.add(place, len(self._usable), result)
                else:
                    self._usable.append(place)


class _Rejected:
    """Photographs without a usable face, 12 bytes each: where they are, and a reason that many of them share."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self._sources = sources
        self._places, self._usable_before, self._codes = array("i"), array("i"), array("i")
        self._reasons: dict[tuple[str, str], int] = {}

    def __len__(self) -> int:
        return len(self._places)

    def add(self, place: int, usable_before: int, reject: Reject) -> None:
        reason = reject.reason, reject.detail.replace(reject.source, _PATH)
        self._places.append(place)
        self._usable_before.append(usable_before)
        self._codes.append(self._reasons.setdefault(reason, len(self._reasons)))

    def before(self, candidates: int | None) -> Iterator[Reject]:
        """Yield those with fewer usable faces before them than there are candidates; all where that is None."""
        reasons = list(self._reasons)
        for place, usable_before, code in zip(self._places, self._usable_before, self._codes, strict=True):
            if candidates is None or usable_before < candidates:
                source, (reason, detail) = self._sources[place], reasons[code]
                yield Reject(source.path, source.sha256, 0, reason, detail.replace(_PATH, source.path))


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
        first, index = not self.used, self.used
        self._members, self._outcomes = {}, bytearray()
        if self._count is not None:
            self._goal = self.used + self._count - self.made
        waiting = {split: array("i") for split in SPLITS}
        counts = dict.fromkeys(SPLITS, 0)
        full: list[ShardPlan] = []  # held back while it may be that no face is in the train split
        while self._goal is None or index < self._goal:
            self._queue.ask(self._goal)
            if (pending := self._queue.missing(index + 1)) is not None:
                yield pending
                continue
            if self._count is None and index >= self._queue.find(None):
                break
            candidate = self._queue.candidate(index)
            if candidate is None:
                break
            split = self.rule.split_of(candidate.source)
            counts[split] += 1
            waiting[split].append(index)
            self._outcomes.append(_REJECTED)
            index += 1
            if len(waiting[split]) == self._shard_samples:
                full.append(self._shard(split, waiting[split]))
                waiting[split] = array("i")
            if counts["train"] or not first:
                yield from full
                full = []
        n_round = index - self.used
        if n_round and first and not counts["train"]:
            raise DatasetError(
                f"the train split would be empty: of {n_round} samples "
                + ", ".join(f"{number} go to {split}" for split, number in counts.items() if number),
                hint="ask for more samples, give more photographs, or set splits.mode and its shares",
            )
        self._ended = self._count is None or not n_round
        yield from (self._shard(split, places) for split, places in waiting.items() if places)

    def plan(self, name: str) -> ShardPlan:
        """Return the plan of a shard of this round, once more."""
        candidates = (self._queue.candidate(place) for place in self._members[name])
        return ShardPlan(name, name.partition("-")[0], tuple(one for one in candidates if one is not None))

    def note(self, name: str, made: Collection[str], passed_over: Collection[str] = ()) -> None:
        """Take in which keys of a shard of this round became samples, and which were passed over by chance.

        The latter say nothing of what a face can give: its next variant may be taken.
        """
        for place, candidate in zip(self._members[name], self.plan(name).candidates, strict=True):
            if candidate.key in made:
                self._outcomes[place - self.used] = _MADE
            elif candidate.key in passed_over:
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

    def _shard(self, split: str, places: array[int]) -> ShardPlan:
        name = f"{split}-{self._shards_of[split]:05d}"
        self._shards_of[split] += 1
        self._members[name] = places
        return self.plan(name)
