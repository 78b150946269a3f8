"""One photograph in memory to one triplet, without a dataset: `fdgen.occlude`.

    photograph --> landmarks, found or given --> crop: CelebA's frame, or the photograph's own pixels --> triplet

In its own pixels a photograph keeps its size, and every pixel that no occluder touches stays as it was.
"""

from __future__ import annotations

import functools
import hashlib
import math
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fdgen.analysis.worn_already import detect_preexisting
from fdgen.arrays import Image
from fdgen.assets import AssetLibrary
from fdgen.contract.crop_limit import MOST_OUTSIDE
from fdgen.contract.frame import Frame, crop, eye_frame, to_crop, to_picture, zoom_of
from fdgen.contract.records import Reject, Triplet
from fdgen.errors import FdError, PictureError, in_words
from fdgen.faces.detection import MAX_SIZE_PX, MIN_SIZE_PX, find_landmarks
from fdgen.faces.face import Face
from fdgen.faces.landmarks import N_POINTS, Landmarks, eye_centres
from fdgen.faces.sources import MAX_BYTES, Source
from fdgen.io.pictures.images import decode
from fdgen.io.regular_file import read_regular
from fdgen.kinds import KINDS
from fdgen.networks import DetectorName
from fdgen.recipe.schema import Recipe
from fdgen.render.scene import Analysis, Scene
from fdgen.settings.suggestion import did_you_mean
from fdgen.synthesis.generator import generate

__all__ = ["MOST_REMEMBERED", "OccluderOf", "PictureInMemory", "occlude"]

PointsOfPicture = npt.NDArray[np.floating[Any]]
"""(478, 3): landmarks of FaceMesh in pixels of the photograph, x right, y down, z away from the viewer."""

PROBE_PX = 256
"""Landmarks in a photograph's own pixels are found at this size."""

REACH = 1.5
"""In a photograph's own pixels occluders may reach this far, in sides of CelebA's crop: sleeves, hats and straps end
beyond that crop."""

MOST_REMEMBERED = 4_096
"""Photographs whose landmarks and analysis are kept, about 5 kB each: what comes again costs half."""


def occlude(
    picture: Image | str | Path,
    kind: str | Sequence[str] | None = None,
    *,
    seed: int = 0,
    variant: int = 0,
    size_px: int | None = None,
    recipe: Recipe | str | Path = "default",
    landmarks: Landmarks | PointsOfPicture | None = None,
    detector: DetectorName = "builtin",
) -> Triplet:
    """Put an occluder on the face of one photograph: a function of its pixels, the recipe, seed and variant.

    Args:
        picture: uint8 RGB (height, width, 3), or the path of a file.
        kind: What to put on, as `mask`; of several, one is drawn. None draws as the recipe does.
        seed: Seed of all choices; takes the place of the recipe's.
        variant: Another one for the same photograph, from 0.
        size_px: Side of the triplet's pictures, cropped and turned to CelebA's frame as `build` does it. None keeps the
            photograph's own size and pixels.
        recipe: What else is asked for: shares of kinds, coverage, pose, assets.
        landmarks: Where the face lies; None finds the largest face.
        detector: Whose networks find it.

    Returns the triplet; `triplet.record` says what was put where. Raises `PictureError` where the photograph cannot be
    read, shows no face, or one that no attempt of the recipe could occlude; its `reason` is that of a reject.
    """
    asked = OccluderOf(recipe, kinds_asked(kind), size_px, detector)
    return asked(PictureInMemory.of(picture), seed=seed, variant=variant, landmarks=landmarks)


def kinds_asked(kind: str | Sequence[str] | None) -> tuple[str, ...]:
    """Return the kinds that a caller names, checked; raise `FdError` for one that is not known."""
    kinds = () if kind is None else (kind,) if isinstance(kind, str) else tuple(kind)
    for name in kinds:
        if name not in KINDS:
            raise FdError(
                f"there is no kind of occluder {name!r}{did_you_mean(name, KINDS)}", hint="`fdgen assets` lists them"
            )
    return kinds


@dataclass(frozen=True, eq=False)
class PictureInMemory:
    """A photograph, uint8 RGB (height, width, 3), and the digest by which its choices are drawn."""

    pixels_HWC: Image
    sha256: str
    name: str = "picture"

    @classmethod
    def of(cls, picture: Image | str | Path) -> PictureInMemory:
        """Read a file, whose digest is that of its bytes, or take an array; raise `PictureError` for anything else."""
        if isinstance(picture, str | Path):
            path = Path(picture)
            try:
                data = read_regular(path, most_bytes=MAX_BYTES)
            except OSError as error:
                raise PictureError(
                    f"{path} cannot be read: {in_words(error)}", reason="unreadable", hint="check the path"
                ) from error
            return cls(decode(data, name=str(path)), hashlib.sha256(data).hexdigest(), path.name)
        pixels = np.asarray(picture)
        if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or 0 in pixels.shape:
            raise PictureError(
                f"a picture is uint8 RGB of (height, width, 3), got {pixels.dtype} of {pixels.shape}",
                reason="not-a-picture",
                hint="convert it; of a torch tensor: `(x * 255).round().byte().permute(1, 2, 0).numpy()`",
            )
        pixels = np.ascontiguousarray(pixels)
        digest = hashlib.sha256(f"{pixels.shape} ".encode() + pixels.tobytes())
        return cls(pixels, digest.hexdigest())


@dataclass
class OccluderOf:
    """`occlude` with its settings, for many photographs: those that come again are not analysed again.

    Picklable; what is remembered stays in its process. `kinds` are drawn in the recipe's proportions, alike where it
    draws none of them. `remember` is a number of photographs. Raises `RecipeError` where the recipe cannot be read, or
    balances over strata, which only a dataset can.
    """

    recipe: Recipe | str | Path = "default"
    kinds: tuple[str, ...] = ()
    size_px: int | None = None
    detector: DetectorName = "builtin"
    remember: int = 0
    _read: Recipe = field(init=False, repr=False)
    _known: OrderedDict[str, tuple[Landmarks, bytes]] = field(init=False, repr=False, default_factory=OrderedDict)

    def __post_init__(self) -> None:
        if self.size_px is not None and not MIN_SIZE_PX <= self.size_px <= MAX_SIZE_PX:
            raise FdError(f"the size of a crop is {MIN_SIZE_PX} to {MAX_SIZE_PX} px, got {self.size_px}")
        recipe = self.recipe if isinstance(self.recipe, Recipe) else _recipe(self.recipe)
        recipe = _of_kinds(recipe, self.kinds) if self.kinds else recipe
        self._read = recipe if self.size_px else _reaching(recipe)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_known": OrderedDict()}

    def __call__(
        self,
        picture: PictureInMemory,
        *,
        seed: int,
        variant: int = 0,
        landmarks: Landmarks | PointsOfPicture | None = None,
    ) -> Triplet:
        """Put an occluder on one photograph, as `occlude` does."""
        if seed < 0 or variant < 0:
            raise FdError(f"seed and variant are whole numbers from 0, got {seed} and {variant}")
        face, analysis = self._face(picture, landmarks)
        recipe = self._read.model_copy(update={"seed": int(seed)})
        made = generate(face, recipe, _library(), variant, analysis=analysis)
        if isinstance(made, Reject):
            raise PictureError(
                f"no occluder could be put on the face in {picture.name}: {made.detail}",
                reason=made.reason,
                hint="ask for another kind, or for a recipe with faces.worn=ignore"
                if made.reason == "already-worn"
                else "ask for another kind, or widen the recipe's limits",
            )
        if self.size_px:
            return made
        whole, cut = _into_picture(made, picture.pixels_HWC, face.landmarks.frame)
        if cut:
            raise PictureError(
                f"the {' or '.join(made.record.kinds)} would end in the middle of {picture.name}, which shows "
                "much more than the face",
                reason="cut-off",
                hint="cut the picture closer to the face, ask for another kind, or for a crop with size_px=256",
            )
        return whole

    def _face(self, picture: PictureInMemory, given: Landmarks | PointsOfPicture | None) -> tuple[Face, Analysis]:
        """Return the part of a photograph that is drawn on, and what is estimated of it."""
        known = self._known.get(picture.sha256) if given is None else None
        source, pixels = Source(picture.name, picture.sha256), picture.pixels_HWC
        if known is not None:
            landmarks, analysis = known[0], Analysis.from_bytes(known[1])
            self._known.move_to_end(picture.sha256)
            return Face(source, crop(pixels, landmarks.frame, landmarks.size_px), landmarks), analysis
        landmarks = found = self._find(picture) if given is None else _given(given, self.size_px)
        if self.size_px is None:
            landmarks = _in_own_pixels(found, picture)
        face = Face(source, crop(pixels, landmarks.frame, landmarks.size_px), landmarks)
        analysis = Scene.of(face).analysis
        if landmarks is not found:  # what is worn is measured in CelebA's frame
            worn = detect_preexisting(crop(pixels, found.frame, found.size_px))
            analysis = replace(analysis, worn=worn)
        if given is None and self.remember:
            self._keep(picture.sha256, landmarks, analysis.to_bytes())
        return face, analysis

    def _find(self, picture: PictureInMemory) -> Landmarks:
        outside = MOST_OUTSIDE if self.size_px is None else self._read.faces.max_outside
        return find_landmarks(
            picture.pixels_HWC,
            self.size_px or PROBE_PX,
            name=picture.name,
            max_outside=outside,
            detector=self.detector,
        )

    def _keep(self, sha256: str, landmarks: Landmarks, analysis: bytes) -> None:
        self._known[sha256] = landmarks, analysis
        if len(self._known) > self.remember:
            self._known.popitem(last=False)


@functools.cache
def _library() -> AssetLibrary:
    return AssetLibrary.load()


@functools.lru_cache(maxsize=64)
def _recipe(path_or_name: str | Path) -> Recipe:
    return Recipe.load(path_or_name)


def _of_kinds(recipe: Recipe, kinds: tuple[str, ...]) -> Recipe:
    """Return the recipe with these kinds alone, one a face."""
    shares = recipe.kinds.shares()
    weights = {kind: shares.get(kind, 0.0) for kind in kinds}
    if not any(weights.values()):
        weights = dict.fromkeys(kinds, 1.0)
    alone = type(recipe.kinds).model_validate(weights)
    return recipe.model_copy(
        update={"kinds": alone, "several": recipe.several.model_copy(update={"two": 0.0, "three": 0.0})}
    )


def _reaching(recipe: Recipe) -> Recipe:
    """Return the recipe with its coverage, a share of CelebA's crop, as one of the larger square."""
    limits = {"min": recipe.coverage.min / REACH**2, "max": recipe.coverage.max / REACH**2}
    return recipe.model_copy(update={"coverage": recipe.coverage.model_copy(update=limits)})


def _given(landmarks: Landmarks | PointsOfPicture, size_px: int | None) -> Landmarks:
    """Return landmarks that a caller gave, in a crop of CelebA's frame."""
    size = size_px or PROBE_PX
    if isinstance(landmarks, Landmarks):
        if size_px is None or landmarks.size_px == size_px:
            return landmarks
        scale = size_px / landmarks.size_px
        return Landmarks.rounded(landmarks.points_px * scale, landmarks.frame * scale, size_px)
    points = np.asarray(landmarks, np.float64)
    if points.shape != (N_POINTS, 3) or not np.isfinite(points).all():
        raise FdError(
            f"landmarks are the {N_POINTS} points of FaceMesh with their depth, ({N_POINTS}, 3) px of the picture, "
            f"got {points.shape}",
            hint="leave them out: they are found",
        )
    frame = eye_frame(np.round(eye_centres(points) * 16) / 16, size)
    in_crop = np.concatenate([to_crop(frame, points[:, :2]), points[:, 2:] * zoom_of(frame)], axis=1)
    return Landmarks.rounded(in_crop, frame, size)


def _in_own_pixels(found: Landmarks, picture: PictureInMemory) -> Landmarks:
    """Return landmarks in the upright square of whole pixels around their crop, `REACH` as wide."""
    zoom = zoom_of(found.frame)
    side = math.ceil(REACH * found.size_px / zoom)
    if not MIN_SIZE_PX <= side <= MAX_SIZE_PX:
        raise PictureError(
            f"the face in {picture.name} takes a square of {side:,} px of the picture, and "
            f"{MIN_SIZE_PX} to {MAX_SIZE_PX:,} px can be drawn on",
            reason="too-small" if side < MIN_SIZE_PX else "too-large",
            hint="resize the picture, or ask for a crop with size_px=256",
        )
    middle = to_picture(found.frame, np.full((1, 2), found.size_px / 2))[0]
    left, top = (int(corner) for corner in np.floor(middle - side / 2))
    frame = np.array([[1.0, 0.0, -left], [0.0, 1.0, -top]])
    places = to_picture(found.frame, found.points_px[:, :2].astype(np.float64)) - (left, top)
    return Landmarks.rounded(np.concatenate([places, found.points_px[:, 2:] / zoom], axis=1), frame, side)


def _into_picture(made: Triplet, picture_HWC: Image, frame: Frame) -> tuple[Triplet, bool]:
    """Put the pictures of a triplet back where their square was cut; return whether that cuts an occluder off."""
    height, width = picture_HWC.shape[:2]
    left, top = round(-frame[0, 2]), round(-frame[1, 2])
    side = made.mask_HW.shape[0]
    right, bottom = left + side, top + side
    rows, columns = slice(max(0, top), min(height, bottom)), slice(max(0, left), min(width, right))
    within = slice(rows.start - top, rows.stop - top), slice(columns.start - left, columns.stop - left)
    occluded = picture_HWC.copy()
    occluded[rows, columns] = made.occluded_HWC[within]
    mask, alpha = (np.zeros((height, width), np.uint8) for _ in range(2))
    mask[rows, columns], alpha[rows, columns] = made.mask_HW[within], made.alpha_HW[within]
    edges = (
        (top > 0, alpha[rows.start, columns]),
        (bottom < height, alpha[rows.stop - 1, columns]),
        (left > 0, alpha[rows, columns.start]),
        (right < width, alpha[rows, columns.stop - 1]),
    )
    record = replace(made.record, coverage=round(float(np.count_nonzero(mask)) / mask.size, 6))
    cut = any(inside and bool(edge.any()) for inside, edge in edges)
    return Triplet(picture_HWC, occluded, mask, alpha, record), cut
