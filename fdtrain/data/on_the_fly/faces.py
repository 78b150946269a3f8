"""Training without a dataset on disk: the photographs of `data.on_the_fly`, made ready to be occluded.

The one module of fdtrain that imports what draws occluders, inside functions: only a run that asks for it pays.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fdgen.errors import DatasetError
from fdtrain.config.data import OnTheFlyConfig
from fdtrain.config.schema import FitConfig
from fdtrain.data.on_the_fly.samples import FreshSamples

if TYPE_CHECKING:
    from fdgen.pipeline.fresh_triplets import FreshFaces
    from fdgen.recipe.schema import Recipe

REJECTS = "rejects.csv"
"""In the folder of a run: photographs that cannot be used, and why."""

MOST_WORKERS = 8
"""That find landmarks, where `machine.workers` says nothing."""

OnDone = Callable[[int, int], None]


@dataclass(frozen=True)
class FacesOnTheFly:
    """Photographs with their landmarks, split, and the recipe that is drawn on them."""

    found: FreshFaces

    def samples(self, split: str, *, seed: int) -> FreshSamples:
        """Return the triplets of a split, other ones each epoch."""
        return self.found.fresh(split, seed=seed)

    def fixed(self, split: str, limit: int | None) -> FreshSamples:
        """Make the first triplets of a split, which stay the same: those that `fdgen build` makes."""
        return self.found.fixed(split, limit)

    def has(self, split: str) -> bool:
        """Return whether there is any face in a split."""
        return bool(self.found.by_split[split])

    def facts(self) -> Mapping[str, Any]:
        """Return what a run records of its data."""
        return self.found.facts()

    def notes(self) -> list[str]:
        """Return what a user should know of these faces, a sentence each."""
        found, notes = self.found, list(self.found.notes)
        if found.rejects:
            n_all = len(found.rejects) + sum(len(used) for used in found.by_split.values())
            reasons = Counter(reject.reason for reject in found.rejects).most_common()
            told = ", ".join(f"{reason} {count:,}" for reason, count in reasons)
            notes.append(f"{len(found.rejects):,} of {n_all:,} photographs cannot be used ({told}): see {REJECTS}")
        return notes

    def write_rejects(self, run_dir: Path) -> None:
        """List the photographs that cannot be used in the folder of a run."""
        from fdgen.dataset.tables import RejectColumns, write_rejects

        rejects = RejectColumns()
        rejects.add(self.found.rejects)
        write_rejects(run_dir / REJECTS, rejects)


def find_faces(
    config: FitConfig, *, on_phase: Callable[[str], None] | None = None, on_face: OnDone | None = None
) -> FacesOnTheFly:
    """List the photographs that a config asks for, and find the landmarks that the cache of this machine does not know.

    Args:
        config: Every setting; `data.on_the_fly` names photographs and recipe.
        on_phase: Called with what is done.
        on_face: Called as (done, of) while landmarks are found.

    Raises `FacesError` and `RecipeError` where they cannot be used, `DatasetError` where no face is in the train split.
    """
    from fdgen.assets import AssetLibrary
    from fdgen.faces.cache import FaceCache, default_cache_path
    from fdgen.faces.folders import open_faces
    from fdgen.pipeline.fresh_triplets import FreshFaces
    from fdgen.pipeline.warmup import compile_renderer, is_compiled

    asked, phase = config.data.on_the_fly, on_phase or (lambda title: None)
    recipe = recipe_of(asked)
    with FaceCache(default_cache_path()) as cache:
        phase("listing the photographs")
        faces = open_faces(asked.faces, digests=cache)
        faces.sources()
        if not is_compiled():
            phase("compiling the renderer, once")
            compile_renderer(AssetLibrary.load())
        phase("finding landmarks")
        found = FreshFaces.find(recipe, faces, cache, workers=_workers(config), on_face=on_face)
    if not found.by_split["train"]:
        raise DatasetError(
            f"no face of {faces.root} is in the train split",
            hint="give more photographs, or change the recipe: --set data.on_the_fly.overrides=splits.mode=source",
        )
    return FacesOnTheFly(found)


def recipe_of(asked: OnTheFlyConfig) -> Recipe:
    """Return the recipe that the settings ask for; raise `RecipeError`."""
    from fdgen.recipe.schema import Recipe

    return Recipe.load(asked.recipe, asked.overrides)


def kinds_drawn(asked: OnTheFlyConfig) -> Iterable[str]:
    """Return the kinds of occluder that the recipe draws, in alphabetical order."""
    return sorted(recipe_of(asked).kinds.shares())


def count_photographs(asked: OnTheFlyConfig) -> dict[str, int]:
    """Return how many photographs each split has, whether they show a face or not; raise `FacesError`."""
    from fdgen.faces.cache import FaceCache, default_cache_path
    from fdgen.faces.folders import open_faces
    from fdgen.pipeline.fresh_triplets import photographs_by_split

    with FaceCache(default_cache_path()) as cache:
        return photographs_by_split(recipe_of(asked), open_faces(asked.faces, digests=cache))


def _workers(config: FitConfig) -> int:
    """Return how many processes find landmarks: in a process of their own at least, for this one may fork later."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(config.machine.workers or min(cores, MOST_WORKERS), 1)
