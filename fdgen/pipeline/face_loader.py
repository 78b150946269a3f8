"""Faces for triplets that are made when they are asked for: their landmarks, pixels and analyses, in any process."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fdgen.errors import DatasetError
from fdgen.faces.cache import FaceCache
from fdgen.faces.detection import recall
from fdgen.faces.face import Face
from fdgen.faces.landmarks import Landmarks
from fdgen.faces.sources import FaceSource, Source
from fdgen.pipeline.worker import Steps

KEPT_AT_ONCE = 32
"""Analyses that a process gathers before it writes them to the cache: each write waits for the disk."""


@dataclass
class FaceLoader:
    """Loads faces whose landmarks are in the cache, and keeps their analyses there; picklable.

    Each process opens cache and occluders for itself. `detector` is the version of what found the landmarks.
    """

    faces: FaceSource
    steps: Steps
    cache_path: Path
    size_px: int
    detector: str
    _opened: tuple[int, FaceCache, Any] | None = field(default=None, repr=False)
    _new: dict[str, bytes] = field(default_factory=dict, repr=False)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_opened": None, "_new": {}}

    @property
    def library(self) -> Any:
        """The occluders."""
        return self._here()[2]

    def landmarks(self, source: Source) -> Landmarks:
        """Return what was found in a photograph; raise `DatasetError` where the cache has lost it."""
        cache, limit = self._here()[1], self.steps.max_outside
        known = recall(cache, [source], detector=self.detector, size_px=self.size_px, max_outside=limit)
        found = known.get(source.sha256)
        if isinstance(found, Landmarks):
            return found
        raise DatasetError(
            f"{cache.path} has lost the landmarks of {source.path} since this began",
            hint="run the same command again: it finds them anew",
        )

    def load(self, source: Source) -> tuple[Face, Any]:
        """Return a face and its analysis; raise `PictureError` where the photograph cannot be read."""
        face = self.steps.load_face(self.faces, source, self.landmarks(source))
        version = f"{self.steps.analysis_version}, {self.detector}"  # an analysis is of pixels under landmarks
        kept: Mapping[str, Any] = {"size_px": self.size_px, "name": "analysis", "version": version}
        cache = self._here()[1]
        data = self._new.get(source.sha256) or cache.get_blob(source.sha256, **kept)
        if data is not None:
            with contextlib.suppress(ValueError):  # damaged: made again, and written over
                return face, self.steps.read_analysis(data)
        analysis = self.steps.analyse(face)
        self._new[source.sha256] = analysis.to_bytes()
        if len(self._new) >= KEPT_AT_ONCE:
            cache.put_blobs(self._new, **kept)
            self._new = {}
        return face, analysis

    def _here(self) -> tuple[int, FaceCache, Any]:
        """Return cache and occluders of this process; those of the one that it was forked from are not touched."""
        if self._opened is None or self._opened[0] != os.getpid():
            self._opened = os.getpid(), FaceCache(self.cache_path), self.steps.load_library()
            self._new = {}
        return self._opened
