"""Triplets made when they are asked for, a fresh occluder for each face and epoch: training without a dataset.

    photographs --> split as `build` splits them --> landmarks, found once and cached --> faces that can be used
    (face, epoch) --> variant --> triplet: a function of (seed, photograph, epoch) alone

Photographs without landmarks and heads turned too far are left out at once. Where all tries of an epoch are rejected,
another face takes the turn of that one, which the result says.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from fdgen.analysis.geometry import fit_pose
from fdgen.contract.digests import digest_json
from fdgen.contract.records import SPLITS, Reject, Triplet, sample_key
from fdgen.dataset.spec import make_spec, spec_id
from fdgen.errors import DatasetError, FacesError, FdError, PictureError
from fdgen.faces.cache import FaceCache
from fdgen.faces.exclusion import chosen_faces
from fdgen.faces.landmarks import Landmarks
from fdgen.faces.sources import PASSING_REASONS, FaceSource, OnFile, Source
from fdgen.io.storage import Place
from fdgen.pipeline.face_loader import FaceLoader
from fdgen.pipeline.face_queue import MOST_AT_ONCE
from fdgen.pipeline.plan import split_rule
from fdgen.pipeline.worker import Steps
from fdgen.recipe.schema import Recipe
from fdgen.runtime.rng import rank
from fdgen.synthesis.acceptance import check_pose

DRAWS = 1
"""Version of the way from (face, epoch) to a variant. Raise it with every change of `FreshTriplets.make`."""

TRIES = 4
"""Variants of a face that are tried in one epoch, before another face takes its turn."""

MOST_PASSED = 64
"""Faces in a row that may give nothing; then it is the recipe, and not the faces."""

OnDone = Callable[[int, int], None]


class Made(NamedTuple):
    """One triplet, and the place of the face in it: another than was asked for where that one gave none."""

    triplet: Triplet
    place: int


@dataclass(frozen=True)
class FreshFaces:
    """The faces of a source that a recipe can use, by split, in the order of a build; picklable."""

    recipe: Recipe
    faces: FaceSource
    steps: Steps
    cache_path: Path
    spec: Mapping[str, Any]
    by_split: Mapping[str, tuple[Source, ...]]
    rejects: tuple[Reject, ...]
    notes: tuple[str, ...]
    basis: str
    targets: Any = None

    @classmethod
    def find(
        cls,
        recipe: Recipe,
        faces: FaceSource,
        cache: FaceCache,
        *,
        workers: int = 1,
        steps: Steps | None = None,
        on_file: OnFile | None = None,
        on_face: OnDone | None = None,
        on_trial: OnDone | None = None,
    ) -> FreshFaces:
        """List photographs, split them, and find the landmarks that the cache does not know.

        Args:
            recipe: What is drawn.
            faces: The photographs.
            cache: Keeps landmarks and analyses, for any number of processes and runs.
            workers: Processes that find landmarks.
            steps: The steps that know faces and occluders; None takes the real ones.
            on_file: Called as (done, of) while photographs are listed.
            on_face: Called as (done, of) while landmarks are found.
            on_trial: Called as (done, of) while occluders are tried on for strata.

        Raises `FacesError` where no photograph can be used, `RecipeError`, `AssetError`.
        """
        steps = steps or Steps.real(recipe.assets.packs, max_outside=recipe.faces.max_outside)
        library = steps.load_library()
        recipe.check_assets(library.digests().keys())
        faces = chosen_faces(faces, identity=recipe.faces.identity, exclude=recipe.faces.exclude)
        sources = faces.sources(on_file)
        rule = split_rule(recipe.splits, sources)
        targets = steps.find_targets(recipe, library, cache=cache, on_trial=on_trial)
        rejects, usable = list(faces.rejects()), list[Source]()
        for start in range(0, len(sources), MOST_AT_ONCE):
            batch = sources[start : start + MOST_AT_ONCE]
            found = steps.detect(
                faces, batch, size_px=recipe.size_px, cache=cache, workers=workers,
                on_face=None if on_face is None else _shifted(on_face, start, len(sources)),
            )  # fmt: skip
            for source in batch:
                reject = _refused(source, found[source.sha256], recipe)
                usable += [source] if reject is None else []
                rejects += [] if reject is None else [reject]
        if not usable:
            reasons = ", ".join(f"{name} {n:,}" for name, n in Counter(one.reason for one in rejects).most_common(3))
            raise FacesError(
                f"no photograph in {faces.root} shows a face that can be used ({reasons})",
                hint="`fdgen landmarks` reports why not; the limits of pose are in the recipe",
            )
        usable.sort(key=lambda source: (rank(recipe.seed, source.sha256), source.sha256))
        return cls(
            recipe=recipe,
            faces=faces,
            steps=steps,
            cache_path=cache.path,
            spec=make_spec(recipe, None, sources, library.digests(), steps.detector_version()),
            by_split={name: tuple(one for one in usable if rule.split_of(one) == name) for name in SPLITS},
            rejects=tuple(rejects),
            notes=(rule.note, *faces.notes),
            basis=rule.basis,
            targets=targets,
        )

    @property
    def content_id(self) -> str:
        """Digest of all that decides what is made: the spec, the faces that can be used, and how they are drawn."""
        used = {split: [source.sha256 for source in sources] for split, sources in self.by_split.items()}
        return digest_json({"draws": DRAWS, "spec_id": spec_id(self.spec), "used": used})

    def facts(self) -> dict[str, Any]:
        """Return what a run records of its data, as JSON holds it: enough to distinguish it from any other."""
        spec = self.spec
        return {
            "spec_id": spec_id(spec),
            "recipe": dict(spec["recipe"]),
            "sources": {"kind": self.faces.kind, **spec["sources"]},
            "assets": digest_json(spec["assets"]),
            "landmarks": spec["landmarks"],
            "generator": spec["generator"],
            "draws": DRAWS,
            "splits": {"basis": self.basis, **{split: len(used) for split, used in self.by_split.items()}},
            "rejects": dict(sorted(Counter(reject.reason for reject in self.rejects).items())),
        }

    def fresh(self, split: str, *, seed: int) -> FreshTriplets:
        """Return the triplets of a split, new in each epoch, as `seed` and the recipe's own seed decide."""
        return FreshTriplets(self, split, int(digest_json([self.recipe.seed, seed])[:12], 16))

    def fixed(self, split: str, limit: int | None = None, on_done: OnDone | None = None) -> FixedTriplets:
        """Make the first triplets of a split, at most `limit`: those that `build` makes of these faces.

        They are in memory, about half a megabyte each at 256 px. `on_done` is called as (made, wanted).
        """
        drawn, made, at = FreshTriplets(self, split, self.recipe.seed), list[Triplet](), list[int]()
        wanted = len(drawn) if limit is None else min(limit, len(drawn))
        for place in range(len(drawn)):
            if len(made) == wanted:
                break
            triplet = drawn.variant(place, 0)
            if isinstance(triplet, Triplet):
                made.append(triplet)
                at.append(place)
                if on_done is not None:
                    on_done(len(made), wanted)
        return FixedTriplets(drawn, tuple(made), tuple(at))


class _Split:
    """What the triplets of a split have in common, fresh or fixed."""

    found: FreshFaces
    split: str

    @property
    def root(self) -> Place:
        """The folder of the photographs, or its URL."""
        return self.found.faces.root

    @property
    def name(self) -> str:
        """What the data is called in records."""
        return f"{self.found.recipe.name}, on the fly"

    @property
    def content_id(self) -> str:
        """That of `FreshFaces`."""
        return self.found.content_id

    @property
    def size_px(self) -> int:
        """Side of the pictures."""
        return self.found.recipe.size_px

    def facts(self) -> dict[str, Any]:
        """Return those of `FreshFaces`."""
        return self.found.facts()


class FreshTriplets(_Split):
    """The triplets of a split, made when they are asked for: `len()`, and `make(place, epoch)`. Picklable."""

    is_fixed = False

    def __init__(self, found: FreshFaces, split: str, seed: int) -> None:
        self.found, self.split, self.seed = found, split, seed
        self._recipe = found.recipe.model_copy(update={"seed": seed})
        self._sources = found.by_split[split]
        self.loader = FaceLoader(
            found.faces, found.steps, found.cache_path, found.recipe.size_px, found.spec["landmarks"]
        )
        self._last: tuple[tuple[int, int], Made] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_last": None}

    def __len__(self) -> int:
        return len(self._sources)

    def source(self, place: int) -> Source:
        """Return the photograph of a face."""
        return self._sources[place]

    def key(self, place: int) -> str:
        """Return the key of a face's samples, as its first one in a dataset has it."""
        return sample_key(self._sources[place].sha256, 0)

    def kinds(self, place: int) -> str:
        """Return nothing: they are drawn again in each epoch."""
        return ""

    def make(self, place: int, epoch: int) -> Made:
        """Return the triplet of a face in an epoch, or of the next face that gives one.

        Raises `DatasetError` where `MOST_PASSED` faces in a row give none, or a photograph is gone.
        """
        if self._last is not None and self._last[0] == (place, epoch):
            return self._last[1]
        last = "nothing was tried"
        for step in range(min(len(self), MOST_PASSED)):
            at = (place + step) % len(self)
            for number in range(TRIES):
                result = self.variant(at, epoch * TRIES + number)
                if isinstance(result, Triplet):
                    made = Made(result, at)
                    self._last = (place, epoch), made
                    return made
                last = f"{result.source}: {result.detail}"
        n_faces = min(len(self), MOST_PASSED)
        raise DatasetError(
            f"{n_faces} faces of {self.root} in a row gave no triplet, the last of them {last}",
            hint="widen the limits of the recipe: `fdgen preview --recipe NAME --faces FOLDER` shows what it gives",
        )

    def variant(self, place: int, variant: int) -> Triplet | Reject:
        """Return one variant of a face, or why it is none; raise `DatasetError` where its photograph is gone."""
        source, found = self._sources[place], self.found
        try:
            face, analysis = self.loader.load(source)
        except PictureError as error:
            if error.reason in PASSING_REASONS:
                raise DatasetError(f"a photograph went missing: {error.message}", hint=error.hint) from error
            return Reject(source.path, source.sha256, variant, error.reason, error.message)
        except FdError as error:
            raise DatasetError(error.message, hint=error.hint) from error
        more = {} if found.targets is None else {"targets": found.targets}
        return found.steps.generate(
            face, self._recipe, self.loader.library, variant, split=self.split, analysis=analysis, **more
        )

    def points_px(self, place: int, epoch: int) -> npt.NDArray[np.float32]:
        """Return the landmarks of the face in `make(place, epoch)` (478, 3), px of its pictures."""
        return self.loader.landmarks(self._sources[self.make(place, epoch).place]).points_px


class FixedTriplets(_Split):
    """Triplets that were made once, the same in every epoch, as `FreshTriplets` gives them."""

    is_fixed = True

    def __init__(self, drawn: FreshTriplets, triplets: tuple[Triplet, ...], at: tuple[int, ...]) -> None:
        self.found, self.split = drawn.found, drawn.split
        self._drawn, self._triplets, self._at = drawn, triplets, at

    def __len__(self) -> int:
        return len(self._triplets)

    def source(self, place: int) -> Source:
        """Return the photograph of a face."""
        return self._drawn.source(self._at[place])

    def key(self, place: int) -> str:
        """Return the key that the sample has in a dataset."""
        return self._triplets[place].record.key

    def kinds(self, place: int) -> str:
        """Return what is worn: `hand+mask` where there are two."""
        return "+".join(sorted(self._triplets[place].record.kinds))

    def make(self, place: int, epoch: int) -> Made:
        """Return a triplet."""
        return Made(self._triplets[place], place)

    def points_px(self, place: int, epoch: int) -> npt.NDArray[np.float32]:
        """Return the landmarks of a face (478, 3), px of its pictures."""
        return self._drawn.loader.landmarks(self.source(place)).points_px


def _refused(source: Source, found: Landmarks | Reject, recipe: Recipe) -> Reject | None:
    """Return why a photograph can never be used, None where it may."""
    if isinstance(found, Reject):
        return found
    failure = check_pose(fit_pose(found.points_px), recipe.pose, found.size_px)
    return None if failure is None else Reject(source.path, source.sha256, 0, failure.reason, failure.detail)


def _shifted(on_face: OnDone, before: int, total: int) -> OnDone:
    return lambda done, of: on_face(before + done, total)


def photographs_by_split(recipe: Recipe, faces: FaceSource, on_file: OnFile | None = None) -> dict[str, int]:
    """Return how many photographs are in each split, whether they show a face or not; nothing is looked into."""
    chosen = chosen_faces(faces, identity=recipe.faces.identity, exclude=recipe.faces.exclude)
    sources = chosen.sources(on_file)
    rule = split_rule(recipe.splits, sources)
    counts = Counter(rule.split_of(source) for source in sources)
    return {split: counts[split] for split in SPLITS}
