"""Rebuilds a version from its card, and reports whether the result is the same; if not, what differs first.

What was asked is compared before anything is built: photographs, occluders, detector. Where one of them differs, the
ids cannot be equal, and the build is only made where that is wanted.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from fdgen.contract.manifest import Manifest
from fdgen.contract.records import PICTURES, Reject, ShardReceipt
from fdgen.dataset.picture_difference import PictureDifference, differences, within_a_level
from fdgen.dataset.tables import read_landmark_digests, read_landmarks
from fdgen.errors import DatasetError
from fdgen.faces.cache import FaceCache
from fdgen.faces.detection import detector_named
from fdgen.faces.exclusion import chosen_faces
from fdgen.faces.given_up import GivenUp
from fdgen.faces.landmarks import Landmarks
from fdgen.faces.sources import FaceSource, OnFile, Source
from fdgen.faces.supervised_pool import TIME_LIMIT_S
from fdgen.io.pictures.images import decode_png
from fdgen.pipeline.builder import Progress, build
from fdgen.pipeline.worker import Steps
from fdgen.recipe.schema import Recipe
from fdgen.versions.difference import Difference, SampleChange, diff
from fdgen.versions.drift import Drift, drifts
from fdgen.versions.lock import Lock, read_lock
from fdgen.versions.same_generator import refuse_other_generator
from fdgen.versions.snapshot import Snapshot


@dataclass(frozen=True)
class Reproduction:
    """What came of it. `difference` is None where nothing was built; `apart` is how far samples are from the original's
    pictures, by key, where those were at hand.
    """

    lock: Lock
    findings: Sequence[Drift]
    difference: Difference | None
    apart: Mapping[str, tuple[PictureDifference, ...]] = field(default_factory=dict)

    @property
    def same(self) -> bool:
        """Return whether the version was rebuilt, and both ids are equal."""
        return self.difference is not None and self.difference.same

    @property
    def first(self) -> SampleChange | None:
        """Return the first sample that differs, in the order of the version."""
        return None if self.difference is None else next(iter(self.difference.samples), None)


def reproduce(
    card: str | Path,
    faces: FaceSource,
    out: str | Path,
    *,
    landmarks: str | Path | None = None,
    against: str | Path | None = None,
    packs: Sequence[str | Path] = (),
    anyway: bool = False,
    workers: int = 1,
    cache: FaceCache | None = None,
    steps: Steps | None = None,
    on_file: OnFile | None = None,
    on_trial: Callable[[int, int], None] | None = None,
    on_face: Callable[[int, int], None] | None = None,
    on_shard: Callable[[ShardReceipt], None] | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    time_limit_s: float | None = TIME_LIMIT_S,
    on_setback: Callable[[str], None] | None = None,
) -> Reproduction:
    """Build the version of a card again into the folder `out`, and compare; running it again resumes.

    Photographs that the version gave up on are not tried.

    Args:
        card: Folder of the card, with its lock.
        faces: The photographs, as the version had them.
        out: Folder of the new dataset.
        landmarks: The landmarks.parquet of the version: photographs that gave samples then need no detector, and that
            of the version counts as used. None detects all of them.
        against: The dataset itself: pictures are compared too, in grey levels. None compares ids alone.
        packs: Folders of occluders in addition to our own.
        anyway: Builds even where what was asked for differs; else nothing is built then.
        workers: Processes that work, as `build` takes it.
        cache: Keeps landmarks and analyses, as `build` takes it; None keeps none.
        steps: The parts of a build, as `build` takes it; None takes the real ones.
        on_file: Called as (done, of) while photographs are listed.
        on_trial: Called as (done, of) while occluders are tried on for strata.
        on_face: Called as (done, of) while landmarks are found.
        on_shard: Called with the receipt of each shard, made or kept.
        on_progress: Called with how far the build is.
        time_limit_s: Seconds that a photograph may keep a worker, as `build` takes it; None is no limit.
        on_setback: Called with a sentence each time that a worker is lost to a photograph.

    Raises `DatasetError` where the card has no whole lock or another version of the generator made it; what `build`
    raises.
    """
    lock, out = read_lock(card), Path(out)
    refuse_other_generator(lock.title, lock.facts["generator"], lock.facts["release"])
    original = None if against is None else _original(against, lock)
    recipe = _recipe(lock, packs)
    detector_name = detector_named(lock.facts["landmarks"]) or "builtin"
    steps = steps or Steps.real(recipe.assets.packs, detector_name, recipe.faces.max_outside)
    if landmarks is not None:
        given = _given(Path(landmarks), lock)
        named = functools.partial(str, lock.facts["landmarks"])
        steps = replace(steps, detect=_Given(given, steps.detect, cache), detector_version=named)
        cache = None  # it keeps analyses by the detector's version: those of landmarks from a file are none of its own
    sources = chosen_faces(faces, identity=recipe.faces.identity, exclude=recipe.faces.exclude).sources(on_file)
    digests, detector = recipe.assets_asked(steps.load_library().digests()), steps.detector_version()
    findings = drifts(lock, recipe, sources, digests, detector, given=landmarks is not None)
    if any(one.asked for one in findings) and not anyway:
        return Reproduction(lock, findings, None)
    build(
        recipe,
        faces,
        out,
        count=lock.facts["count"],
        name=lock.facts["name"],
        version=lock.facts["version"],
        workers=workers,
        cache=cache,
        steps=steps,
        on_trial=on_trial,
        on_face=on_face,
        on_shard=on_shard,
        on_progress=on_progress,
        time_limit_s=time_limit_s,
        on_setback=on_setback,
        given_up=GivenUp.of(lock.facts.get("given_up")),
    )
    difference = diff(Snapshot.open(card), Snapshot.open(out))
    apart = {} if original is None else _apart(original, Manifest.load(out), difference.samples)
    return Reproduction(lock, findings, difference, apart)


# Before the build


def _recipe(lock: Lock, packs: Sequence[str | Path]) -> Recipe:
    return Recipe.from_dict(
        {**lock.recipe, "assets": {**lock.recipe["assets"], "packs": [str(pack) for pack in packs]}}
    )


def _original(root: str | Path, lock: Lock) -> Manifest:
    original = Manifest.load(root)
    if original.dataset["content_id"] != lock.facts["content_id"]:
        raise DatasetError(
            f"{root} does not hold {lock.title}: its content_id is another",
            hint="name the dataset of the card, or none",
        )
    return original


# Landmarks that are given


def _given(path: Path, lock: Lock) -> dict[str, bytes]:
    """Return the landmarks of a version, packed; raise `DatasetError` where the file does not hold just those."""
    if not path.is_file():
        raise DatasetError(f"there is no file {path}", hint="--landmarks takes the landmarks.parquet of the version")
    columns = (lock.samples[name].to_pylist() for name in ("source", "source_sha256", "landmarks_sha256"))
    digests = read_landmark_digests(path)
    for source, sha256, digest in zip(*columns, strict=True):
        if digests.get(sha256) != digest:
            how = "has no landmarks" if sha256 not in digests else "has other landmarks than the version"
            raise DatasetError(f"{path} {how} of {source}", hint="name the landmarks.parquet of the very same version")
    return {sha256: found.to_bytes() for sha256, found in read_landmarks(path)}


class _Given:
    """Finds landmarks among those that are given, and looks at the photographs that are not among them."""

    def __init__(self, packed: Mapping[str, bytes], detect: Callable[..., Any], cache: FaceCache | None) -> None:
        self._packed, self._detect, self._cache = packed, detect, cache

    def __reduce__(self) -> tuple[Any, ...]:
        return _Given, ({}, self._detect, None)  # workers detect nothing: 2 kB a face need not travel to each

    def __call__(
        self,
        faces: FaceSource,
        wanted: Sequence[Source],
        *,
        size_px: int,
        cache: FaceCache | None,
        workers: int = 1,
        on_face: Callable[[int, int], None] | None = None,
        **watching: Any,
    ) -> dict[str, Landmarks | Reject]:
        rest = [source for source in wanted if source.sha256 not in self._packed]
        options = {"size_px": size_px, "cache": self._cache, "workers": workers, "on_face": on_face, **watching}
        found: dict[str, Landmarks | Reject] = dict(self._detect(faces, rest, **options)) if rest else {}
        for source in wanted:
            if source.sha256 in self._packed:
                found[source.sha256] = Landmarks.from_bytes(self._packed[source.sha256])
        return found


# After the build


def _apart(
    original: Manifest, rebuilt: Manifest, samples: Sequence[SampleChange]
) -> dict[str, tuple[PictureDifference, ...]]:
    """Compare the pictures of the samples that changed."""
    return {
        one.key: differences(_pictures(original, one.before or one.key), _pictures(rebuilt, one.key))
        for one in samples
        if one.change == "changed"
    }


def _pictures(manifest: Manifest, key: str) -> dict[str, Any]:
    return {name: decode_png(manifest.read_member(key, f"{name}.png"), intact=True) for name in PICTURES}


def beyond_a_level(apart: Mapping[str, tuple[PictureDifference, ...]]) -> list[str]:
    """Return the keys of the samples that differ by more than one grey level somewhere."""
    return [key for key, found in apart.items() if not within_a_level(found)]
