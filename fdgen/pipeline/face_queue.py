"""The photographs with a usable face, in the order of the seed, looked at only as far as they are needed.

They may be looked at elsewhere meanwhile. Photographs and candidates are kept as numbers of a few bytes, from which
they are made when they are asked for: the memory of a build hardly grows with it.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from fdgen.contract.records import Reject, sample_key
from fdgen.faces.landmarks import Landmarks
from fdgen.faces.source_table import SourceTable
from fdgen.faces.sources import Source
from fdgen.runtime.rng import rank

Looked = Mapping[str, Landmarks | bytes | Reject]
"""The landmarks of photographs, perhaps as `Landmarks.to_bytes` packs them, or why they have none, by sha256."""

SPARE = 1.02
"""Share of photographs looked at beyond those that are needed, so that a few rejects cost no second look."""

_PATH = "\0"
"""Takes the place of the path of a photograph in the reason why it has no face, so that many share one."""

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


def seed_order(sources: Sequence[Source], seed: int) -> npt.NDArray[np.int32]:
    """Return the places of photographs in the order of a seed."""
    ranks = bytearray()
    for sha256 in SourceTable.of(sources).hex_digests():
        ranks += rank(seed, sha256)
    columns = np.frombuffer(bytes(ranks), ">u8").reshape(-1, 4).T
    order: npt.NDArray[np.int32] = np.lexsort(columns[::-1]).astype(np.int32)
    return order


class FaceQueue:
    """The photographs that have a usable face, in the order of the seed, looked at only as far as they are needed."""

    def __init__(self, sources: Sequence[Source], seed: int, looking: Looking) -> None:
        self._sources = SourceTable.of(sources)
        self._order = seed_order(self._sources, seed)
        self._begun = 0  # of the order
        self._looking = looking
        self._asked: deque[tuple[list[int], list[Source], Future[Looked]]] = deque()
        self._under_way = 0  # photographs that were asked for and not taken in
        self._usable = array("i")
        self._rejected = _Rejected(self._sources)

    @property
    def known(self) -> int:
        """How many usable faces are known."""
        return len(self._usable)

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
            self._under_way += n
            batch = [self._sources[place] for place in places]
            self._asked.append((places, batch, self._looking.ask(batch)))
            wanted -= n
        self._gather()

    def missing(self, count: int | None) -> Future[Looked] | None:
        """Return what must be waited for before `count` usable faces are known (None: all); None where they are.

        They are known, too, where no photograph is left that nobody has looked at.
        """
        while (count is None or len(self._usable) < count) and (self._asked or self._waiting):
            self.ask(count)
            if self._asked:
                return self._asked[0][-1]
        return None

    def find(self, count: int | None) -> int:
        """Wait until `count` usable faces are known (None: all); return how many are."""
        while (pending := self.missing(count)) is not None:
            pending.result()
        return len(self._usable)

    def candidate(self, index: int) -> Candidate | None:
        """Return the candidate at a place in the endless list of them; None where there is no usable face at all."""
        faces = len(self._usable) if index < len(self._usable) else self.find(index + 1)
        return Candidate(self._sources[self._usable[index % faces]], index // faces) if faces else None

    def key(self, index: int) -> str:
        """Return the key of a candidate, at a place where there is one."""
        faces = len(self._usable) if index < len(self._usable) else self.find(index + 1)
        return sample_key(self._sources.sha256(self._usable[index % faces]), index // faces)

    def rejects(self, candidates: int | None) -> Iterator[Reject]:
        """Yield the photographs passed over on the way to this many candidates (None: all), never a spare one."""
        everyone = candidates is None or candidates > len(self._usable)
        return self._rejected.before(None if everyone else candidates)

    @property
    def _waiting(self) -> int:
        return len(self._order) - self._begun

    def _wanted(self, count: int | None) -> int:
        """Return how many photographs are to be looked at from here on for so many usable faces."""
        if count is None:
            return self._under_way + self._waiting
        return round((count - len(self._usable)) * SPARE) + 8 if count > len(self._usable) else 0

    def _gather(self) -> None:
        """Take in what was found, in the order of the queue."""
        while self._asked and self._asked[0][-1].done():
            places, batch, future = self._asked.popleft()
            self._under_way -= len(places)
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
