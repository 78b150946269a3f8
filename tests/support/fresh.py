"""Made-up faces that are occluded on the fly: fast steps, importable by loader workers."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fdgen.contract.records import Reject, Triplet
from fdgen.faces import folders
from fdgen.faces.cache import FaceCache
from fdgen.faces.detection import remember
from fdgen.faces.face import Face
from fdgen.faces.landmarks import Landmarks
from fdgen.faces.sources import Source
from fdgen.pipeline import warmup
from fdgen.pipeline.worker import Steps
from fdgen.recipe.schema import Recipe
from fdgen.runtime.rng import sample_rng
from tests.support import fake_build, sets
from tests.support.fake_build import FakeFaces, FakeLibrary

FACES = FakeFaces.of(60, official=True, identities=False)
BARREN = ("some/00004.jpg", "some/00006.jpg")
"""Faces of train and of val that never give a triplet, which only the generator knows."""

LOOKED_AT: list[str] = []
"""Photographs that landmarks were asked of which the cache did not know."""


@dataclass(frozen=True)
class Mean:
    """What is estimated of a made-up face."""

    levels: float

    def to_bytes(self) -> bytes:
        return repr(self.levels).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> Mean:
        return cls(float(data))


def detect(
    faces: FakeFaces, wanted: Sequence[Source], *, size_px: int, cache: FaceCache, **options: Any
) -> Mapping[str, Landmarks | Reject]:
    """Find the faces that the cache does not know, and remember them."""
    known = cache.get_many(wanted, detector="fake 1", size_px=size_px)
    missing = [source for source in wanted if source.sha256 not in known]
    LOOKED_AT.extend(source.path for source in missing)
    found = sets.detect(faces, missing, size_px=size_px, cache=cache, **options)
    remember(cache, [(source, found[source.sha256]) for source in missing], detector="fake 1", size_px=size_px)
    return {**known, **found}


def generate(
    face: Face, recipe: Recipe, library: FakeLibrary, variant: int = 0, *, split: str = "train", analysis: Mean
) -> Triplet | Reject:
    """Place a block of one colour, as the seed, the face, the variant and the analysis decide."""
    if face.source.path in BARREN:
        return Reject(face.source.path, face.source.sha256, variant, "already-worn", "the face wears glasses already")
    made = fake_build.generate(face, recipe, library, variant, split=split)
    if isinstance(made, Reject):
        return made
    if recipe.gates.max_halo == 0:
        return Reject(face.source.path, face.source.sha256, variant, "halo", "its halo is wider than the recipe allows")
    rng = sample_rng(recipe.seed, face.source.sha256, variant)
    size = len(made.mask_HW)
    high, wide = rng.integers(size // 5, size // 2, 2)
    top, left = rng.integers(size // 5, size * 4 // 5 - high), rng.integers(size // 5, size * 4 // 5 - wide)
    mask = np.zeros((size, size), np.uint8)
    mask[top : top + high, left : left + wide] = 255
    colour = (rng.integers(0, 256, 3) + int(analysis.levels)).astype(np.uint8)
    occluded = np.where(mask[..., None] > 0, colour, face.clean_HWC)
    return Triplet(face.clean_HWC, occluded, mask, mask, made.record)


def analyse(face: Face) -> Mean:
    """Estimate what is estimated."""
    return Mean(float(face.clean_HWC.mean()))


STEPS: Steps = dataclasses.replace(
    fake_build.STEPS,
    detect=detect,  # type: ignore[arg-type]
    load_face=sets.load_face,  # type: ignore[arg-type]
    analyse=analyse,
    read_analysis=Mean.from_bytes,
    generate=generate,
)


def use_fake_faces(monkeypatch: pytest.MonkeyPatch, cache: Path, faces: FakeFaces = FACES) -> None:
    """Let every folder of photographs hold these faces, and keep what is found of them in a cache of their own."""
    monkeypatch.setenv("FDGEN_CACHE", str(cache))
    monkeypatch.setattr(folders, "open_faces", lambda path, *, digests=None: faces)
    monkeypatch.setattr(warmup, "is_compiled", lambda: True)
    monkeypatch.setattr(Steps, "real", classmethod(lambda cls, *args, **options: STEPS))
