"""Landmarks of many photographs: from the cache if they are known, else detected in worker processes."""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import TYPE_CHECKING, NamedTuple

from fdgen.arrays import Image
from fdgen.contract.crop_limit import MAX_OUTSIDE
from fdgen.contract.frame import crop
from fdgen.contract.records import Reject
from fdgen.errors import FdError, PictureError
from fdgen.faces.cache import FaceCache, default_cache_path
from fdgen.faces.face import Face
from fdgen.faces.folders import FaceSource, Source
from fdgen.faces.landmarks import Landmarks
from fdgen.faces.sources import GIVEN_UP_REASONS, OUT_OF_PICTURE, PASSING_REASONS
from fdgen.faces.supervised_pool import TIME_LIMIT_S, SupervisedPool, WorkersLost
from fdgen.io.counters import Counters
from fdgen.networks import DETECTORS, DetectorName
from fdgen.networks.face_networks import networks_of, networks_version
from fdgen.runtime.main_guard import leave_importing_worker
from fdgen.runtime.processes import interrupts_held
from fdgen.runtime.step_times import timed_step

if TYPE_CHECKING:
    from fdgen.faces.detector import Detector

__all__ = ["FaceCache", "Landmarks", "default_cache_path", "detect", "detector_version", "load_face"]

MIN_SIZE_PX, MAX_SIZE_PX = 32, 1024

_REVISION = 2
"""Of our own part (alignment, attempts, rounding). Raise it with every change that moves a landmark or a crop."""

_CHUNK = 16  # photographs a task: a tenth of a second, so that an interrupt loses little
_POLL_S = 0.2

_Found = list[tuple[Source, Landmarks | Reject]]


def detector_version(detector: DetectorName = "builtin") -> str:
    """Name all that landmarks depend on other than the photograph: they are cached under it, and datasets record it."""
    return f"{networks_version(detector)}, alignment {_REVISION}"


def detector_named(version: str) -> DetectorName | None:
    """Return the detector that is of a version, as it is installed here; None where none is."""
    return next((name for name in DETECTORS if detector_version(name) == version), None)


def networks_by_version(version: str) -> Mapping[str, str] | None:
    """Return the sha256 of each network that finds landmarks, by its file; None where that version is not installed."""
    name = detector_named(version)
    return None if name is None else networks_of(name)


def detect(
    faces: FaceSource,
    wanted: Sequence[Source],
    *,
    size_px: int,
    cache: FaceCache | None,
    detector: DetectorName = "builtin",
    max_outside: float = MAX_OUTSIDE,
    workers: int = 1,
    on_face: Callable[[int, int], None] | None = None,
    time_limit_s: float | None = TIME_LIMIT_S,
    on_setback: Callable[[str], None] | None = None,
    kept: KeptWorkers | None = None,
) -> dict[str, Landmarks | Reject]:
    """Find the landmarks of photographs: return them, or why there are none, by the photograph's sha256.

    Results do not depend on the number of workers. When this is interrupted, what was finished stays in the cache.

    Args:
        faces: The source that reads the photographs.
        wanted: The photographs to look at; each content is looked at once.
        size_px: Side of the square crop in px.
        cache: What it knows is not detected again, and results are added; None keeps none.
        detector: Whose networks find them.
        max_outside: Share of a crop that may lie outside its photograph, where it is mirrored.
        workers: Processes that detect; 0 detects in this one, which may then never fork.
        on_face: Called as (done, of) as results come.
        time_limit_s: Seconds after which a photograph that keeps a worker is tried once more; the second time, it is a
            reject of `GIVEN_UP_REASONS`, as is one that kills its worker twice. None is no limit; there is none in this
            process.
        on_setback: Called with a sentence each time that a worker is lost to a photograph.
        kept: Keeps the processes for the next call, of the same faces under the same settings; None ends them.

    Raises `FdError` where `size_px` or `workers` is out of range, or the work cannot be done.
    """
    if workers:
        leave_importing_worker()
    if not MIN_SIZE_PX <= size_px <= MAX_SIZE_PX:
        raise FdError(f"the size of a crop is {MIN_SIZE_PX} to {MAX_SIZE_PX} px, got {size_px}")
    if workers < 0:
        raise FdError(f"workers must be 0 or more, got {workers}")
    unique = list({source.sha256: source for source in wanted}.values())
    version = detector_version(detector)
    known = {} if cache is None else recall(cache, unique, detector=version, size_px=size_px, max_outside=max_outside)
    missing = [source for source in unique if source.sha256 not in known]
    if on_face is not None and known:
        on_face(len(known), len(unique))
    chunks = [missing[start : start + _CHUNK] for start in range(0, len(missing), _CHUNK)]
    with contextlib.closing(
        _detected(faces, chunks, _Look(size_px, detector, max_outside), workers, time_limit_s, on_setback, kept)
    ) as arriving:  # an interrupt ends the workers
        for found in arriving:
            if cache is not None:
                remember(cache, found, detector=version, size_px=size_px, max_outside=max_outside)
            known.update((source.sha256, one) for source, one in found)
            if on_face is not None:
                on_face(len(known), len(unique))
    return {source.sha256: known[source.sha256] for source in unique}


def recall(
    cache: FaceCache, wanted: Sequence[Source], *, detector: str, size_px: int, max_outside: float = MAX_OUTSIDE
) -> dict[str, Landmarks | Reject]:
    """Return what the cache knows of photographs under a limit, by their sha256.

    Args:
        cache: The cache.
        wanted: The photographs.
        detector: Version of what finds landmarks.
        size_px: Side of the square crop in px.
        max_outside: Share of a crop that may lie outside its photograph. A wider limit than the usual one changes
            nothing but what that one rejected.
    """
    found = recall_packed(cache, wanted, detector=detector, size_px=size_px, max_outside=max_outside)
    return {key: one if isinstance(one, Reject) else cache.unpacked(one) for key, one in found.items()}


def recall_packed(
    cache: FaceCache, wanted: Sequence[Source], *, detector: str, size_px: int, max_outside: float = MAX_OUTSIDE
) -> dict[str, bytes | Reject]:
    """Return what `recall` does, landmarks as `Landmarks.to_bytes` packs them.

    Args:
        cache: The cache.
        wanted: The photographs.
        detector: Version of the detector that found what is asked for.
        size_px: Side of the crops in px.
        max_outside: Share of a crop that may lie outside of its photograph.
    """
    known = cache.get_packed(wanted, detector=_kept_under(detector, max_outside), size_px=size_px)
    if max_outside <= MAX_OUTSIDE:
        return known
    usual = cache.get_packed(wanted, detector=detector, size_px=size_px)
    return {key: one for key, one in usual.items() if getattr(one, "reason", None) != OUT_OF_PICTURE} | known


def remember(
    cache: FaceCache,
    found: Iterable[tuple[Source, Landmarks | Reject]],
    *,
    detector: str,
    size_px: int,
    max_outside: float = MAX_OUTSIDE,
) -> None:
    """Put what was found into the cache, but what a mended disk, a file that is back or more time would change.

    Args:
        cache: The cache.
        found: Photographs with their landmarks, or why there are none.
        detector: Version of what finds landmarks.
        size_px: Side of the square crop in px.
        max_outside: Share of a crop that was allowed to lie outside its photograph.
    """
    passing = PASSING_REASONS | GIVEN_UP_REASONS
    lasting = [pair for pair in found if not (isinstance(pair[1], Reject) and pair[1].reason in passing)]
    cache.put_many(lasting, detector=_kept_under(detector, max_outside), size_px=size_px)


def _kept_under(detector: str, max_outside: float) -> str:
    """Return the name of the detector in the cache: with the limit, where it is not the usual one."""
    return detector if max_outside == MAX_OUTSIDE else f"{detector}, {max_outside!r} outside"


def find_landmarks(
    picture_HWC: Image, size_px: int, *, name: str, max_outside: float = MAX_OUTSIDE, detector: DetectorName = "builtin"
) -> Landmarks:
    """Find the landmarks of one picture in this process, as `Detector.find` does; threads take turns.

    Args:
        picture_HWC: The photograph, uint8 RGB.
        size_px: Side of the square crop in px.
        name: What errors call the picture.
        max_outside: Share of the crop that may lie outside the photograph.
        detector: Whose networks find them; after `mediapipe`, this process may never fork.

    Raises `PictureError` as `Detector.find` does.
    """
    with _own_lock:
        return _own_detector(detector).find(picture_HWC, size_px, name=name, max_outside=max_outside)


@timed_step("crop photograph")
def load_face(faces: FaceSource, source: Source, landmarks: Landmarks) -> Face:
    """Decode a photograph and cut the crop its landmarks were found on; no detector is needed.

    Raises `PictureError`.
    """
    return Face(source, crop(faces.read(source), landmarks.frame, landmarks.size_px), landmarks)


class _Look(NamedTuple):
    """What is asked of a detector in addition to the photograph."""

    size_px: int
    detector: DetectorName
    max_outside: float


def _detected(
    faces: FaceSource,
    chunks: list[list[Source]],
    asked: _Look,
    workers: int,
    time_limit_s: float | None,
    on_setback: Callable[[str], None] | None,
    kept: KeptWorkers | None,
) -> Generator[_Found, None, None]:
    if not chunks:
        return
    if workers:
        yield from _in_workers(faces, chunks, asked, workers, time_limit_s, on_setback, kept)
        return
    for chunk in chunks:
        with _own_lock:
            yield [(source, _look(faces, source, asked)) for source in chunk]


@functools.cache
def _own_detector(name: DetectorName) -> Detector:
    """Return the detector of this process, made when it is first asked for."""
    from fdgen.faces.detector import Detector

    return Detector(name)


_own_lock = threading.Lock()
"""Of the detector, which must not be used by two threads at once."""


def _in_workers(
    faces: FaceSource,
    chunks: list[list[Source]],
    asked: _Look,
    workers: int,
    time_limit_s: float | None,
    on_setback: Callable[[str], None] | None,
    kept: KeptWorkers | None,
) -> Iterator[_Found]:
    """Yield chunks as they are finished, in any order; few are under way at once, so that stopping is quick."""

    def start(most: int) -> SupervisedPool:
        return SupervisedPool(most, _prepare, (faces, asked), limit_s=time_limit_s)

    opened = start(min(workers, len(chunks))) if kept is None else contextlib.nullcontext(kept.pool(start, workers))
    with opened as pool:
        waiting = iter(chunks)
        running: set[Future[_Found]] = set()
        while True:
            for chunk in waiting:
                with interrupts_held():
                    photographs = [(source, 0) for source in chunk]
                    running.add(pool.submit(_look_at_chunk, chunk, photographs))
                if len(running) >= 2 * workers:
                    break
            if not running:
                return
            done, running = wait(running, _POLL_S, return_when=FIRST_COMPLETED)
            for sentence in pool.setbacks():
                if on_setback is not None:
                    on_setback(sentence)
            for future in done:
                try:
                    found = future.result()
                except WorkersLost as error:
                    raise FdError(
                        f"a landmark worker died{error.words}",
                        hint="run the same command again, with fewer workers: finished faces are kept in the cache",
                    ) from error
                yield found


class KeptWorkers:
    """The processes of several calls of `detect`, which start when there is something to do; a context manager.

    A process starts for half a second of CPU, in which it could have looked at a hundred photographs.
    """

    def __init__(self) -> None:
        self._pool: SupervisedPool | None = None

    def __enter__(self) -> KeptWorkers:
        return self

    def __exit__(self, *error: object) -> None:
        if self._pool is not None:
            self._pool.__exit__(*error)
            self._pool = None

    def pool(self, start: Callable[[int], SupervisedPool], workers: int) -> SupervisedPool:
        """Return the pool of the first call, which is made by `start` there."""
        if self._pool is None:
            self._pool = start(workers).__enter__()
        return self._pool


class _Worker:
    """What a worker process keeps between tasks."""

    faces: FaceSource
    asked: _Look


_worker = _Worker()


def _prepare(_: Counters, faces: FaceSource, asked: _Look) -> None:
    _worker.faces, _worker.asked = faces, asked


def _look_at_chunk(chunk: list[Source], given_up: Mapping[int, Reject], at: Callable[[int], None]) -> _Found:
    """Look at photographs in a worker."""
    found: _Found = []
    for place, source in enumerate(chunk):
        if place in given_up:
            found.append((source, given_up[place]))
            continue
        at(place)
        # The detector is made here, not as the worker starts, where nobody would see its errors.
        found.append((source, _look(_worker.faces, source, _worker.asked)))
    at(-1)
    return found


def _look(faces: FaceSource, source: Source, asked: _Look) -> Landmarks | Reject:
    detector = _own_detector(asked.detector)
    try:
        return detector.find(faces.read(source), asked.size_px, name=source.path, max_outside=asked.max_outside)
    except PictureError as error:
        return Reject(source.path, source.sha256, 0, error.reason, error.message)
