"""A few triplets to look at, without a dataset: the first samples of a build, or one occluder."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence

from fdgen.arrays import Image
from fdgen.assets import AssetLibrary
from fdgen.contract.records import Reject, Triplet
from fdgen.errors import FacesError, PictureError
from fdgen.faces.detection import FaceCache, Landmarks, detect, load_face
from fdgen.faces.exclusion import leave_out
from fdgen.faces.face import Face
from fdgen.faces.folders import FaceSource, Source
from fdgen.faces.identities import name_people
from fdgen.networks import DetectorName
from fdgen.occluders import occluder_of
from fdgen.packs.library import open_library
from fdgen.pipeline.face_queue import AtOnce, FaceQueue
from fdgen.pipeline.plan import split_rule
from fdgen.recipe.schema import Recipe
from fdgen.recipe.strata import PASSED_OVER
from fdgen.render.scene import Scene
from fdgen.runtime.rng import sample_rng
from fdgen.synthesis.coverage_trials import find_targets
from fdgen.synthesis.generator import generate, render_placements

OnDone = Callable[[int, int], None]


def preview_samples(
    recipe: Recipe,
    faces: FaceSource,
    sources: Sequence[Source],
    count: int,
    *,
    cache: FaceCache | None = None,
    detector: DetectorName = "builtin",
    workers: int = 1,
    on_trial: OnDone | None = None,
    on_face: OnDone | None = None,
) -> Iterator[Triplet]:
    """Yield the first triplets of a recipe, in the order of a build: the same faces, the same pixels.

    Faces that give none are passed over; there are fewer triplets where no face gives more.

    Args:
        recipe: What is asked for.
        faces: The source that reads the photographs.
        sources: Those of `faces`.
        count: Number of triplets.
        cache: Keeps landmarks and trials; None keeps none.
        detector: Whose networks find landmarks, as `build` takes it.
        workers: Processes that find landmarks; 0 finds them in this one.
        on_trial: Called as (done, of) while occluders are tried on for strata.
        on_face: Called as (done, of) while landmarks are found.

    Raises `FacesError` where no photograph shows a face, and what `detect` raises.
    """
    library = open_library(recipe.assets.packs)
    targets = find_targets(recipe, library, cache=cache, on_trial=on_trial)
    kept, _ = leave_out(recipe.faces.exclude, sources, faces.rejects())
    sources = name_people(recipe.faces.identity, kept)
    rule = split_rule(recipe.splits, sources)
    known: dict[str, Landmarks] = {}

    def look(batch: Sequence[Source]) -> Mapping[str, Landmarks | Reject]:
        found = detect(
            faces,
            batch,
            size_px=recipe.size_px,
            cache=cache,
            detector=detector,
            max_outside=recipe.faces.max_outside,
            workers=workers,
            on_face=on_face,
        )
        known.update((sha256, one) for sha256, one in found.items() if isinstance(one, Landmarks))
        return found

    queue = FaceQueue(sources, recipe.seed, AtOnce(look))
    if not queue.find(count):
        raise FacesError(
            f"no photograph in {faces.root} shows a face that can be used", hint="`fdgen landmarks` reports why not"
        )
    made = index = barren = 0
    while made < count and not (barren and barren >= queue.find(barren + 1)):
        candidate = queue.candidate(index)
        if candidate is None:
            return
        index, source = index + 1, candidate.source
        try:
            face = load_face(faces, source, known[source.sha256])
        except PictureError:
            barren += 1
            continue
        triplet = generate(face, recipe, library, candidate.variant, split=rule.split_of(source), targets=targets)
        if isinstance(triplet, Reject):
            barren += triplet.reason != PASSED_OVER
            continue
        made, barren = made + 1, 0
        yield triplet


def try_on(asset_id: str, faces: Sequence[Face], library: AssetLibrary, *, seed: int = 0) -> list[Image]:
    """Return each face with one occluder on it, as its laws of placement put it, regardless of what it covers."""
    asset = library[asset_id]
    own = int.from_bytes(hashlib.sha256(asset_id.encode()).digest()[:4], "big")  # else all would draw the same colours
    pictures = []
    for face in faces:
        scene = Scene.of(face)
        placement = occluder_of(asset).place(scene, asset, sample_rng(seed, face.source.sha256, own))
        pictures.append(render_placements(scene, [placement], library)[0])
    return pictures
