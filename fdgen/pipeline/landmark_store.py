"""The landmarks of a build: asked for in batches, cached as they come, and packed for the shards that need them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from fdgen.contract.records import Reject
from fdgen.faces.cache import FaceCache
from fdgen.faces.detection import recall_packed, remember
from fdgen.faces.given_up import GivenUp
from fdgen.faces.landmarks import Landmarks
from fdgen.faces.sources import GIVEN_UP_REASONS, PASSING_REASONS, FaceSource, Source
from fdgen.faces.supervised_pool import WorkersLost
from fdgen.pipeline.executors import Pool, lost
from fdgen.pipeline.face_queue import MOST_AT_ONCE, Looked
from fdgen.pipeline.worker import Steps, went_missing
from fdgen.runtime.scratch import Scratch

BATCH = 16
"""Photographs that a worker looks at in one go: a tenth of a second, so that shards do not wait behind many."""

_KEPT_AT_ONCE = 256
"""Photographs that are written to a temporary cache in one go: a kill loses it anyway."""


class LandmarkStore:
    """Landmarks of usable faces: looked up in the cache again, which is a temporary one where none was given.

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
        self._faces, self._size_px, self._given = faces, size_px, cache
        self._scratch = Scratch("landmarks") if cache is None else None
        self._cache = cache or FaceCache(self._temporary() / "faces.sqlite", lasting=False)
        self._workers, self._steps, self._pool, self._on_face = workers, steps, pool, on_face
        self._watching, self._given_up, self._on_given_up = watching, given_up, on_given_up
        self._recalled: dict[str, bytes | Reject] = {}  # of batches under way, what the cache knew
        self._unwritten: list[tuple[Source, Landmarks | Reject]] = []  # to the cache
        self._seen = 0

    def __enter__(self) -> LandmarkStore:
        return self

    def __exit__(self, *_: object) -> None:
        if self._scratch is not None:
            self._cache.close()
            self._scratch.close()

    @property
    def _kept_under(self) -> dict[str, Any]:
        """What the cache keeps landmarks under, in addition to the photograph."""
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
        if self._given is not None:  # a temporary one knows nothing that was not asked for
            self._recalled |= recall_packed(self._cache, batch, **self._kept_under)
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
        if (self._pool is not None or self._given is None) and found:
            new = [(source, one) for source in batch if not isinstance(one := found.get(source.sha256, b""), bytes)]
            self._unwritten += new
            if self._scratch is None or len(self._unwritten) >= _KEPT_AT_ONCE:
                self._write()
        known = {source.sha256: found.get(source.sha256) or self._recalled.pop(source.sha256) for source in batch}
        for sha256, one in known.items():
            if isinstance(one, Reject) and one.reason in PASSING_REASONS:
                raise went_missing(one.detail)
            if isinstance(one, Reject) and one.reason in GIVEN_UP_REASONS - {self._given_up.faces.get(sha256)}:
                self._given_up.faces[sha256] = one.reason
                self._on_given_up()
        return known

    def packed(self, sources: Sequence[Source]) -> list[bytes]:
        """Return the landmarks of sources that were found usable, as `Landmarks.to_bytes` packs them."""
        self._write()
        known = recall_packed(self._cache, sources, **self._kept_under)
        missing = [source for source in sources if not isinstance(known.get(source.sha256), bytes)]
        if missing:  # somebody has emptied the cache meanwhile
            found = self._steps.detect(
                self._faces, missing, size_px=self._size_px, cache=self._given, workers=self._workers, **self._watching
            )
            known |= {key: one.to_bytes() for key, one in found.items() if isinstance(one, Landmarks)}
        return [packed for source in sources if isinstance(packed := known.get(source.sha256), bytes)]

    def unpacked(self, sources: Sequence[Source]) -> list[Landmarks]:
        """Return the landmarks of sources that were found usable."""
        return [self._cache.unpacked(data) for data in self.packed(sources)]

    def _write(self) -> None:
        if self._unwritten:
            remember(self._cache, self._unwritten, **self._kept_under)
            self._unwritten = []

    def _temporary(self) -> Path:
        return Path() if self._scratch is None else self._scratch.path

    def _look_here(self, batch: Sequence[Source]) -> Looked:
        if not batch:
            return {}
        seen, on_face = self._seen, self._on_face
        found = self._steps.detect(
            self._faces,
            batch,
            size_px=self._size_px,
            cache=self._given,
            workers=self._workers,
            on_face=lambda done, of: on_face and on_face(seen + done, seen + of),
            **self._watching,
        )
        self._seen += len(batch)
        return found
