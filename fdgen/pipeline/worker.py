"""One shard in one call, in any process: an executor is given only `make_shard`.

A task carries no pixels: photographs and landmarks become faces in the worker, which keeps the few that it used last.
"""

from __future__ import annotations

import contextlib
import functools
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from fdgen.contract.crop_limit import MAX_OUTSIDE
from fdgen.contract.digests import digest_json
from fdgen.contract.records import Reject, ShardReceipt, Triplet
from fdgen.dataset.shards import write_shard
from fdgen.errors import DatasetError, PictureError
from fdgen.faces.cache import FaceCache
from fdgen.faces.face import Face
from fdgen.faces.landmarks import Landmarks
from fdgen.faces.sources import PASSING_REASONS, FaceSource, Source
from fdgen.io.storage import Place
from fdgen.networks import DetectorName
from fdgen.pipeline.face_queue import Candidate
from fdgen.pipeline.plan import ShardPlan
from fdgen.recipe.schema import Recipe
from fdgen.version import GENERATOR_VERSION

FACES_KEPT = 16
"""Faces a worker keeps, for sets with few faces and many variants; one is about 1 MB at 256 px with its analysis."""


class Library(Protocol):
    """What a build must know of the occluders."""

    def digests(self) -> dict[str, str]:
        """Return the sha256 of each asset by its id."""


def _nothing_asked(recipe: Recipe, library: Any, *, cache: Any, on_trial: Any) -> None:
    """Find no targets."""


@dataclass(frozen=True)
class Steps:
    """The steps that know faces and occluders. Module-level callables, so that they can be sent to other processes.

    `detect` and `load_face` are those of `fdgen.faces.detection`, `generate` that of `fdgen.synthesis.generator`.
    `analyse` makes of a face what `generate` takes as `analysis`; it has `to_bytes`, and `read_analysis` reads those
    again. They are cached under `analysis_version` and that of the detector.
    """

    detector_version: Callable[[], str]
    detect: Callable[..., Mapping[str, Landmarks | Reject]]
    load_face: Callable[[FaceSource, Source, Landmarks], Face]
    analyse: Callable[[Face], Any]
    read_analysis: Callable[[bytes], Any]
    analysis_version: str
    load_library: Callable[[], Library]
    generate: Callable[..., Triplet | Reject]
    max_outside: float = MAX_OUTSIDE
    """The limit by which `detect` rejects faces that reach out of the picture: a cache keeps them under it."""
    find_targets: Callable[..., Any] = _nothing_asked
    """Returns what `generate` takes as `targets`, or None; raises `RecipeError` where a recipe asks too much.

    It is that of `fdgen.synthesis.coverage_trials`: given recipe, library, and by name the cache and what to call on
    each trial.
    """

    @classmethod
    def real(
        cls, packs: Sequence[str] = (), detector: DetectorName = "builtin", max_outside: float = MAX_OUTSIDE
    ) -> Steps:
        """Return the steps of a real build.

        Args:
            packs: Folders of occluders in addition to our own.
            detector: Who finds landmarks.
            max_outside: Share of a crop that may lie outside its photograph.
        """
        from fdgen.faces.detection import detect, detector_version, load_face
        from fdgen.packs.library import LibraryLoader
        from fdgen.render.scene import ANALYSIS_VERSION, Analysis
        from fdgen.synthesis.coverage_trials import find_targets
        from fdgen.synthesis.generator import generate

        return cls(
            detector_version=functools.partial(detector_version, detector),
            detect=functools.partial(detect, detector=detector, max_outside=max_outside),
            max_outside=max_outside,
            load_face=load_face,
            analyse=analyse_face,
            read_analysis=Analysis.from_bytes,
            analysis_version=ANALYSIS_VERSION,
            load_library=LibraryLoader(tuple(str(Path(pack).absolute()) for pack in packs)),
            generate=generate,
            find_targets=find_targets,
        )


@dataclass(frozen=True)
class ShardTask:
    """All that a worker needs to make one shard. `landmarks` are those of the plan's candidates, packed, one each."""

    root: Place
    plan: ShardPlan
    spec_id: str
    recipe: Recipe
    tools: str
    """`tools_digest` where the build was planned."""
    detector: str
    faces: FaceSource
    landmarks: Sequence[bytes]
    cache_path: Path | None
    steps: Steps
    targets: Any = None
    """What `Steps.find_targets` found where the build was planned."""
    slot: int = 0
    """Which counter of the pool this task counts its samples in."""
    given_up: Mapping[int, Reject] = field(default_factory=dict)
    """Candidates of the plan that are not tried, by their place in it: a worker hung or died at each, twice."""


def make_shard(
    task: ShardTask,
    on_sample: Callable[[int], None] = lambda made: None,
    at: Callable[[int], None] = lambda place: None,
) -> ShardReceipt:
    """Make and write the shard of a task; `on_sample` gets how many samples it has, after each candidate.

    `at` is called with the place of a candidate in the plan before it is begun, and with -1 after the last.

    Raises `DatasetError` where the disk refuses, the photographs are gone, or this process has other assets than the
    one that planned.
    """
    library = _library(task.steps.load_library, task.tools)
    if tools_digest(library) != task.tools:
        raise DatasetError(
            "a worker has another generator or other occluder assets than the build was planned with",
            hint="install the same version of the package on every machine, and leave packs alone during a build",
        )

    def results(faces: _FaceLoader) -> Iterator[Triplet | Reject]:
        made = 0
        for place, (candidate, landmarks) in enumerate(zip(task.plan.candidates, task.landmarks, strict=True)):
            result: Triplet | Reject | None = task.given_up.get(place)
            if result is None:
                at(place)
                result = _make_sample(task, faces, library, candidate, landmarks)
            yield result
            made += isinstance(result, Triplet)
            on_sample(made)
        at(-1)
        faces.remember()

    with contextlib.ExitStack() as stack:
        cache = None if task.cache_path is None else stack.enter_context(FaceCache(task.cache_path))
        return write_shard(
            task.root,
            name=task.plan.name,
            split=task.plan.split,
            spec_id=task.spec_id,
            plan_sha256=task.plan.digest(),
            results=results(_FaceLoader(task, cache)),
            codec=task.recipe.codec,
        )


def went_missing(detail: str) -> DatasetError:
    """Return the error of a photograph that was listed and is no longer there, or no longer the same."""
    return DatasetError(
        f"a photograph went missing during the build: {detail}",
        hint="correct that and run the same command again: finished shards are kept",
    )


def tools_digest(library: Library) -> str:
    """Return one digest of what, other than the task itself, makes the pixels: our own code and the assets."""
    return digest_json([GENERATOR_VERSION, library.digests()])


def analyse_face(face: Face) -> Any:
    """Return the analysis of a face, newly computed."""
    from fdgen.render.scene import Scene

    return Scene.of(face).analysis


class _FaceLoader:
    """Loads and analyses the faces of a task, keeps the last few, and shares the analyses through the cache."""

    def __init__(self, task: ShardTask, cache: FaceCache | None) -> None:
        self._task, self._steps, self._cache = task, task.steps, cache
        self._version = f"{task.steps.analysis_version}, {task.detector}"  # an analysis is of pixels under landmarks
        self._kept: OrderedDict[str, tuple[Face, Any]] = OrderedDict()
        self._new: dict[str, bytes] = {}

    def load(self, source: Source, packed_landmarks: bytes) -> tuple[Face, Any]:
        """Return a face and its analysis; raise `PictureError`.

        The analysis is None where it would be used once and forgotten: `generate` makes its own then, which is faster.
        """
        if source.sha256 not in self._kept:
            face = self._steps.load_face(self._task.faces, source, _unpacked(source, packed_landmarks))
            self._kept[source.sha256] = face, None if self._cache is None else self._recall(face, self._cache)
            if len(self._kept) > FACES_KEPT:
                self._kept.popitem(last=False)
        elif self._kept[source.sha256][1] is None:
            face = self._kept[source.sha256][0]
            self._kept[source.sha256] = face, self._steps.analyse(face)
        self._kept.move_to_end(source.sha256)
        return self._kept[source.sha256]

    def _recall(self, face: Face, cache: FaceCache) -> Any:
        sha256, size_px, version = face.source.sha256, face.landmarks.size_px, self._version
        data = self._new.get(sha256) or cache.get_blob(sha256, size_px=size_px, name="analysis", version=version)
        if data is not None:
            with contextlib.suppress(ValueError):  # damaged: made again, and written over
                return self._steps.read_analysis(data)
        analysis = self._steps.analyse(face)
        self._new[sha256] = analysis.to_bytes()
        return analysis

    def remember(self) -> None:
        """Write the new analyses to the cache, at once: each transaction waits for the disk."""
        if self._cache is not None and self._new:
            size_px, version = self._task.recipe.size_px, self._version
            self._cache.put_blobs(self._new, size_px=size_px, name="analysis", version=version)
            self._new = {}


def _unpacked(source: Source, packed_landmarks: bytes) -> Landmarks:
    try:
        return Landmarks.from_bytes(packed_landmarks)
    except ValueError as error:
        raise DatasetError(
            f"the cache is damaged: its landmarks of {source.path} cannot be read",
            hint="delete the cache, or name another file with --cache or FDGEN_CACHE: finished shards are kept",
        ) from error


def _make_sample(
    task: ShardTask, faces: _FaceLoader, library: Library, candidate: Candidate, landmarks: bytes
) -> Triplet | Reject:
    source, variant = candidate.source, candidate.variant
    try:
        face, analysis = faces.load(source, landmarks)
    except PictureError as error:
        if error.reason in PASSING_REASONS:
            raise went_missing(error.message) from error
        return Reject(source.path, source.sha256, variant, error.reason, error.message)
    more = {} if task.targets is None else {"targets": task.targets}
    return task.steps.generate(face, task.recipe, library, variant, split=task.plan.split, analysis=analysis, **more)


@functools.lru_cache(maxsize=1)
def _library(load: Callable[[], Library], tools: str) -> Library:
    """Load the occluders once a process and build: `tools` is their digest where it was planned."""
    return load()
