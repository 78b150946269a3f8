"""What occluders offer: which shares of a picture and of its eyes, nose and mouth they cover as they are worn.

It is measured on a few made-up heads: it depends on the recipe and the occluders alone, never on the photographs.
"""

from __future__ import annotations

import hashlib
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fdgen.assets import AssetLibrary
from fdgen.contract import Image
from fdgen.faces import Face, Source
from fdgen.generate import render_placements, wear
from fdgen.geometry import N_FACE, canonical_face, region_mask, rotation_matrix
from fdgen.outfit import Outfit
from fdgen.points import N_POINTS, Landmarks
from fdgen.processes import one_blas_thread
from fdgen.quality import check_coverage
from fdgen.recipe import Recipe
from fdgen.scene import Scene
from fdgen.strata import REGION_NAMES
from fdgen.targets import Offer, Targets

N_TRIALS = 128
"""Times each kind is worn, at about 10 ms each: what one placement in forty offers is seen in three of them."""

_SIZE_PX = 128
_HEADS = (
    (-26.0, -12.0, 4.4),
    (-14.0, -18.0, 4.15),
    (-5.0, -8.0, 4.7),
    (0.0, -12.0, 4.4),
    (5.0, -15.0, 4.15),
    (14.0, -5.0, 4.4),
    (26.0, -10.0, 4.65),
    (0.0, 0.0, 4.4),
)
"""Yaw and pitch in degrees, px a cm: spread as those of 150 faces of CelebA (scale 4.1 to 4.8, pitch -19 to 1)."""
_CENTRE = (0.5, 0.58)
"""Where the head's origin lies in the crop, as in the same faces."""
_SKIN = np.array([196.0, 150.0, 126.0])
_SEED = 0

Mask = npt.NDArray[np.bool_]


def find_targets(recipe: Recipe, library: AssetLibrary) -> Targets:
    """Return what the samples of a recipe are to be; where it asks anything of placements, after trials of seconds.

    Raises `RecipeError` where what is asked cannot be met.
    """
    asks = recipe.strata.asks_of_placements
    return Targets.of(recipe, offers(recipe, library, recipe.outfits()) if asks else None)


@one_blas_thread()
def offers(recipe: Recipe, library: AssetLibrary, outfits: Iterable[Outfit]) -> dict[Outfit, Offer]:
    """Return what each outfit offers: its kinds worn as the recipe says, one over the other."""
    outfits = list(outfits)
    heads = [_head(*one) for one in _HEADS]
    regions = [_regions(scene) for scene in heads]
    kinds = sorted({kind for outfit in outfits for kind in outfit})
    worn = {
        kind: [_try(recipe, library, kind, number, heads[number % len(heads)]) for number in range(N_TRIALS)]
        for kind in kinds
    }
    return {outfit: _offer(recipe, [worn[kind] for kind in outfit], regions) for outfit in outfits}


@dataclass(frozen=True, slots=True)
class _Trial:
    asset_id: str
    hidden: Mask
    touched: Mask


def _try(recipe: Recipe, library: AssetLibrary, kind: str, number: int, scene: Scene) -> _Trial:
    rng = np.random.default_rng(np.random.SeedSequence(_SEED, spawn_key=(zlib.crc32(kind.encode()), number)))
    (placement,) = wear(scene, (kind,), recipe, library, "train", rng)
    _, mask, alpha = render_placements(scene, [placement], library)
    return _Trial(placement.asset_id, alpha >= 128, mask > 0)


def _offer(recipe: Recipe, layers: Sequence[Sequence[_Trial]], regions: Sequence[Mapping[str, Mask]]) -> Offer:
    coverages, shares, assets = [], [], []
    for number, trials in enumerate(zip(*layers, strict=True)):
        hidden = np.logical_or.reduce([trial.hidden for trial in trials])
        coverage = float(np.logical_or.reduce([trial.touched for trial in trials]).mean())
        covered = {name: float(hidden[area].mean()) for name, area in regions[number % len(regions)].items()}
        if check_coverage(coverage, covered["face"], recipe.coverage) is None:
            coverages.append(coverage)
            shares.append([covered[name] for name in REGION_NAMES])
            assets.append(tuple(trial.asset_id for trial in trials))
    worn = Counter(trial.asset_id for trials in layers for trial in trials)
    regions_N3 = np.array(shares).reshape(-1, len(REGION_NAMES))
    return Offer(np.array(coverages), regions_N3, N_TRIALS, assets, worn)


def _head(yaw_deg: float, pitch_deg: float, scale_px: float) -> Scene:
    """Return the canonical face, turned and lit from the upper left, as a photograph of its own."""
    turn = rotation_matrix([0.0, np.radians(yaw_deg), 0.0]) @ rotation_matrix([np.radians(-pitch_deg), 0.0, 0.0])
    points = np.zeros((N_POINTS, 3))
    points[:N_FACE] = scale_px * (canonical_face().vertices_cm @ turn.T) * (1.0, -1.0, -1.0)
    points[N_FACE:] = points[[159, 158, 160, 145, 144, 386, 385, 387, 374, 380]]  # irises: between the lids
    points[:, :2] += np.array(_CENTRE) * _SIZE_PX
    rows, columns = np.mgrid[:_SIZE_PX, :_SIZE_PX] / _SIZE_PX - 0.5
    light = 0.85 - 0.35 * columns - 0.25 * rows
    grain = np.random.default_rng(_SEED).normal(0.0, 2.0, (_SIZE_PX, _SIZE_PX, 1))
    picture: Image = np.clip(_SKIN * light[..., None] + grain, 0, 255).astype(np.uint8)
    source = Source("", hashlib.sha256(picture.tobytes()).hexdigest())
    return Scene.of(Face(source, picture, Landmarks.rounded(points, np.eye(2, 3), _SIZE_PX)))


def _regions(scene: Scene) -> Mapping[str, Mask]:
    points = scene.face.landmarks.points_px
    return {name: region_mask(points, name, _SIZE_PX) > 0 for name in ("face", *REGION_NAMES)}
