"""The dry run: reports what a build would do."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fdgen.contract.records import SPLITS
from fdgen.dataset.folder import refuse_foreign, refuse_other_spec
from fdgen.dataset.spec import make_spec, spec_id
from fdgen.dataset.split_size_warnings import remarks
from fdgen.errors import RecipeError
from fdgen.faces.cache import FaceCache
from fdgen.faces.exclusion import chosen_faces
from fdgen.faces.sources import FaceSource, OnFile
from fdgen.io.storage import Place, open_place
from fdgen.networks import DetectorName
from fdgen.pipeline.face_queue import AtOnce, FaceQueue
from fdgen.pipeline.plan import Planner, ShardPlan, split_rule
from fdgen.pipeline.resume import planned_receipt
from fdgen.pipeline.worker import Steps
from fdgen.recipe.combinations import label
from fdgen.recipe.schema import Recipe

SAMPLE_BYTES = 270_000
"""What a sample takes on the disk at 256 px, at most: soft portraits take 210 kB. It grows with the crop's area."""


MOST_SAMPLES = 10_000_000
"""More than anybody trains on; the plan of a build is in memory, about 300 bytes a sample."""


@dataclass(frozen=True, slots=True)
class BuildPlan:
    """What a build would do, as far as it can be known without looking into the photographs."""

    spec_id: str
    count: int
    photographs: int
    samples: dict[str, int]
    """By split, if no face is rejected."""
    shards: dict[str, int]
    kinds: dict[str, float]
    size_px: int
    bytes: int
    shards_done: int
    notes: tuple[str, ...]


def plan_build(
    recipe: Recipe,
    faces: FaceSource,
    out: str | Place | None = None,
    *,
    count: int | None = None,
    cache: FaceCache | None = None,
    detector: DetectorName = "builtin",
    steps: Steps | None = None,
    on_file: OnFile | None = None,
    on_trial: Callable[[int, int], None] | None = None,
) -> BuildPlan:
    """Return what `build` would do with the same arguments; nothing is written and no photograph is looked into.

    Args:
        recipe: What is asked for.
        faces: The photographs.
        out: Folder of the dataset, or its URL, to count what is done already; None counts nothing.
        count: Number of samples; None is one of each usable face.
        cache: Keeps trials of occluders, where the recipe asks for strata; None keeps none.
        detector: Whose networks find landmarks, as `build` takes it.
        steps: The parts of a build; None takes the real ones.
        on_file: Called as (done, of) while photographs are listed.
        on_trial: Called as (done, of) while occluders are tried on for strata.

    Raises what `build` would raise at its start, `MixingError` included.
    """
    check_arguments(count, 1)
    steps = steps or Steps.real(recipe.assets.packs, detector, recipe.faces.max_outside)
    place = None if out is None else open_place(out)
    if place is not None:
        refuse_foreign(place)
    library = steps.load_library()
    assets = library.digests()
    recipe.check_assets(assets.keys())
    faces = chosen_faces(faces, identity=recipe.faces.identity, exclude=recipe.faces.exclude)
    sources = faces.sources(on_file)
    rule = split_rule(recipe.splits, sources)
    steps.find_targets(recipe, library, cache=cache, on_trial=on_trial)
    spec = make_spec(recipe, count, sources, assets, steps.detector_version())
    nobody_rejected = AtOnce(lambda batch: dict.fromkeys((s.sha256 for s in batch), _NO_POINTS))
    planner = Planner(recipe, FaceQueue(sources, recipe.seed, nobody_rejected), rule, count)
    dataset_id = spec_id(spec)
    samples, shards = dict.fromkeys(SPLITS, 0), dict.fromkeys(SPLITS, 0)
    names = []
    for plan in planner.next_round():
        if isinstance(plan, ShardPlan):
            names.append(plan.name)
            shards[plan.split] += 1
            samples[plan.split] += len(plan.candidates)
    done = 0
    if place is not None:
        refuse_other_spec(place, spec, sources)
        done = sum(planned_receipt(place, planner.plan(name), dataset_id) is not None for name in names)
    notes = [rule.note, *faces.notes]
    if rejects := faces.rejects():
        notes.append(f"{len(rejects)} files cannot be used and would be listed in rejects.csv")
    planned = {
        "splits": {"basis": rule.basis, **samples},
        "recipe": recipe.as_dict(),
        "sources": {"kind": faces.kind},
        "notes": notes,
    }
    return BuildPlan(
        spec_id=dataset_id,
        count=planner.target,
        photographs=len(sources),
        samples=samples,
        shards=shards,
        kinds={label(combination): share for combination, share in recipe.combinations().items()},
        size_px=recipe.size_px,
        bytes=disk_bytes(recipe, planner.target),
        shards_done=done,
        notes=tuple(itertools.chain(*remarks(planned))),
    )


def check_arguments(count: int | None, workers: int) -> None:
    """Raise `RecipeError` where one is out of range."""
    if count is not None and count > MOST_SAMPLES:
        raise RecipeError(
            f"count must be {MOST_SAMPLES:,} or less, got {count:,}", hint="make several datasets, with other seeds"
        )
    for name, value in (("count", count), ("workers", workers)):
        if value is not None and value < 1:
            raise RecipeError(f"{name} must be 1 or more, got {value}")


def disk_bytes(recipe: Recipe, samples: int) -> int:
    """Return about how much room samples of a recipe take on the disk, rather too much than too little."""
    return int(samples * SAMPLE_BYTES * (recipe.size_px / 256) ** 2)


_NO_POINTS: Any = object()  # in place of landmarks where nobody looks at them
