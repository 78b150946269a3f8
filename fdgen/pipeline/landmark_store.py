"""The landmarks of a build: asked for in batches, cached as they come, and packed for the shards that need them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any

from fdgen.contract.records import Reject
from fdgen.faces.cache import FaceCache
from fdgen.faces.detection import recall, remember
from fdgen.faces.given_up import GivenUp
from fdgen.faces.landmarks import Landmarks
from fdgen.faces.sources import GIVEN_UP_REASONS, PASSING_REASONS, FaceSource, Source
from fdgen.faces.supervised_pool import WorkersLost
from fdgen.pipeline.executors import Pool, lost
from fdgen.pipeline.plan import MOST_AT_ONCE, Looked
from fdgen.pipeline.worker import Steps, went_missing

BATCH = 16
"""Photographs that a worker looks at in one go: a tenth of a second, so that shards do not wait behind many."""


class LandmarkStore:
    """Landmarks of usable faces: looked up in the cache again where there is one, else kept, about 2 kB a face.

    With a `pool`, its workers look at photographs while the build goes on; without, `Steps.detect` does so at once, in
    `workers` processes with `watching` among its arguments, and `on_face` is called as (done, of). Photographs in
    `given_up` are not looked at; `on_given_up` is called when there is another.
    """

    def __init__(
        self,
        faces: FaceSource,
        size_px: int,
        cache: FaceCache | None,
        workers: int,
        steps: Steps,
        pool: Pool | None,
        on_face: Callable[[int, int], None] | None,
        *,
        watching: Mapping[str, Any],
        given_up: GivenUp,
        on_given_up: Callable[[], None],
    ) -> None:
        self._faces, self._size_px, self._cache = faces, size_px, cache
        self._workers, self._steps, self._pool, self._on_face = workers, steps, pool, on_face
        self._watching, self._given_up, self._on_given_up = watching, given_up, on_given_up
        self._kept: dict[str, bytes] = {}
        self._recalled: dict[str, Landmarks | Reject] = {}  # of batches under way, what the cache knew
        self._seen = 0

    @property
    def _kept_under(self) -> dict[str, Any]:
        """What the cache keeps landmarks under, beside the photograph."""
        steps = self._steps
        return {"detector": steps.detector_version(), "size_px": self._size_px, "max_outside": steps.max_outside}

    @property
    def batch(self) -> int:
        """How many photographs are looked at in one go."""
        return MOST_AT_ONCE if self._pool is None else BATCH

    @property
    def in_flight(self) -> int:
        """How many batches may be under way at once: one waits behind each that is looked at."""
        return 1 if self._pool is None else 2 * self._workers

    def ask(self, batch: Sequence[Source]) -> Future[Looked]:
        """Begin to look at photographs that the cache does not know."""
        if self._pool is not None and self._cache is not None:
            self._recalled |= recall(self._cache, batch, **self._kept_under)
        for source in batch:
            if (reject := self._given_up.face(source)) is not None:
                self._recalled[source.sha256] = reject
        missing = [source for source in batch if source.sha256 not in self._recalled]
        if missing and self._pool is not None:
            return self._pool.look(self._steps.detect, missing, self._size_px)
        future: Future[Looked] = Future()
        future.set_result(self._look_here(missing))
        return future

    def take(self, batch: Sequence[Source], future: Future[Looked]) -> Looked:
        """Return what was found in a batch; what is new is cached.

        Raises `DatasetError` where the worker died, or a photograph that was listed is gone.
        """
        try:
            found = future.result()
        except WorkersLost as error:
            raise lost(error, "landmarks were detected") from error
        finally:
            if self._pool is not None:
                self._pool.tell()
        if self._pool is not None and self._cache is not None and found:
            new = [(source, found[source.sha256]) for source in batch if source.sha256 in found]
            remember(self._cache, new, **self._kept_under)
        known = {source.sha256: found.get(source.sha256) or self._recalled.pop(source.sha256) for source in batch}
        for sha256, one in known.items():
            if isinstance(one, Reject) and one.reason in PASSING_REASONS:
                raise went_missing(one.detail)
            if isinstance(one, Reject) and one.reason in GIVEN_UP_REASONS - {self._given_up.faces.get(sha256)}:
                self._given_up.faces[sha256] = one.reason
                self._on_given_up()
        if self._cache is None:
            self._kept |= {sha256: one.to_bytes() for sha256, one in known.items() if isinstance(one, Landmarks)}
        return known

    def packed(self, sources: Sequence[Source]) -> list[bytes]:
        """Return the landmarks of sources that were found usable, as `Landmarks.to_bytes` packs them."""
        if self._cache is None:
            return [self._kept[source.sha256] for source in sources]
        found = self._steps.detect(
            self._faces,
            sources,
            size_px=self._size_px,
            cache=self._cache,
            workers=self._workers,
            **self._watching,
        )
        return [one.to_bytes() for source in sources if isinstance(one := found[source.sha256], Landmarks)]

    def unpacked(self, sources: Sequence[Source]) -> list[Landmarks]:
        """Return the landmarks of sources that were found usable."""
        return [Landmarks.from_bytes(data) for data in self.packed(sources)]

    def _look_here(self, batch: Sequence[Source]) -> Looked:
        if not batch:
            return {}
        seen, on_face = self._seen, self._on_face
        found = self._steps.detect(
            self._faces,
            batch,
            size_px=self._size_px,
            cache=self._cache,
            workers=self._workers,
            on_face=lambda done, of: on_face and on_face(seen + done, seen + of),
            **self._watching,
        )
        self._seen += len(batch)
        return found
