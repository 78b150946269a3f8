"""Trials of coverage: the shares of a picture and of its eyes, nose and mouth that placed occluders cover.

They use a few synthetic heads, and depend on the recipe and the occluders alone, never on the photographs.
Trials are kept in the cache, a kind at a time, by all that they depend on.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fdgen.analysis.geometry import N_FACE, canonical_face, region_mask, rotation_matrix
from fdgen.arrays import Bools, Image
from fdgen.assets import AssetLibrary
from fdgen.contract.digests import canonical_json, digest_json
from fdgen.faces.cache import FaceCache
from fdgen.faces.face import Face
from fdgen.faces.folders import Source
from fdgen.faces.landmarks import N_POINTS, Landmarks
from fdgen.networks.face_networks import networks_version
from fdgen.recipe.combinations import Combination
from fdgen.recipe.schema import Recipe
from fdgen.recipe.strata import REGION_NAMES
from fdgen.render.scene import ANALYSIS_VERSION, Scene
from fdgen.runtime.processes import one_blas_thread
from fdgen.synthesis.acceptance import check_coverage
from fdgen.synthesis.generator import candidates, draw_placements, render_placements, weight
from fdgen.synthesis.targets import Targets, Trials
from fdgen.version import GENERATOR_VERSION

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
_NAME = "trials"
"""What they are called in the cache."""


OnTrial = Callable[[int, int], None]
"""Called with (trials done, trials in all) while occluders are tried on; never where all of them were kept."""


def find_targets(
    recipe: Recipe, library: AssetLibrary, *, cache: FaceCache | None = None, on_trial: OnTrial | None = None
) -> Targets:
    """Return what the samples of a recipe are to be; where it asks anything of placements, after trials of seconds.

    `cache` keeps the trials; the targets are the same with and without. Raises `RecipeError` where what is asked cannot
    be met.
    """
    if not recipe.strata.asks_of_placements:
        return Targets.of(recipe)
    return Targets.of(recipe, run_trials(recipe, library, recipe.combinations(), cache=cache, on_trial=on_trial))


@one_blas_thread()
def run_trials(
    recipe: Recipe,
    library: AssetLibrary,
    combinations: Iterable[Combination],
    *,
    cache: FaceCache | None = None,
    on_trial: OnTrial | None = None,
) -> dict[Combination, Trials]:
    """Return what each combination offers: its kinds worn as the recipe says, one over the other.

    Args:
        recipe: What is asked for.
        library: The assets.
        combinations: Combinations of kinds, each the lowest layer first.
        cache: Keeps trials, a kind at a time; None keeps none.
        on_trial: Called as (done, of) during the trials.

    Raises `AssetError` where the recipe leaves no asset of a kind.
    """
    combinations = list(combinations)
    heads = [_head(*one) for one in _HEADS]
    worn = _worn(
        recipe, library, {kind for combination in combinations for kind in combination}, heads, cache, on_trial
    )
    regions = [_regions(head) for head in heads]
    return {combination: _offer(recipe, [worn[kind] for kind in combination], regions) for combination in combinations}


@dataclass(frozen=True, slots=True)
class _Trial:
    """One occluder on one head: what it hides, and what it or its shadow touches (H, W)."""

    asset_id: str
    hidden: Bools
    touched: Bools


def _worn(
    recipe: Recipe,
    library: AssetLibrary,
    kinds: Iterable[str],
    heads: Sequence[Face],
    cache: FaceCache | None,
    on_trial: OnTrial | None,
) -> dict[str, list[_Trial]]:
    """Return the trials of each kind: those that are kept, and those made now, which are kept from now on."""
    keys = {kind: _key(recipe, library, kind) for kind in sorted(kinds)}
    worn = {} if cache is None else {kind: kept for kind, key in keys.items() if (kept := _recall(cache, key))}
    missing = [kind for kind in keys if kind not in worn]
    scenes = [Scene.of(head) for head in heads] if missing else []
    done, total = len(worn) * N_TRIALS, len(keys) * N_TRIALS
    for kind in missing:
        worn[kind] = []
        for number in range(N_TRIALS):
            if on_trial is not None:
                on_trial(done, total)
            worn[kind].append(_try(recipe, library, kind, number, scenes[number % len(scenes)]))
            done += 1
        if cache is not None:
            cache.put_blob(keys[kind], _packed(worn[kind]), size_px=_SIZE_PX, name=_NAME, version=_version())
    if missing and on_trial is not None:
        on_trial(done, total)
    return worn


def _key(recipe: Recipe, library: AssetLibrary, kind: str) -> str:
    """Return a digest of all that the trials of a kind depend on but `_version`: nothing else of a recipe does."""
    assets = [(asset.id, asset.sha256, weight(asset, recipe)) for asset in candidates(library, recipe, kind, "train")]
    return digest_json([kind, assets, N_TRIALS, _SIZE_PX, _HEADS, _CENTRE, _SKIN.tolist(), _SEED])


def _version() -> str:
    """Name the code that heads are analysed and trials rendered by."""
    networks = networks_version("builtin")  # of which one finds the person
    return f"generator {GENERATOR_VERSION}, analysis {ANALYSIS_VERSION}, numpy {np.__version__}, {networks}"


def _packed(trials: Sequence[_Trial]) -> bytes:
    ids = canonical_json([trial.asset_id for trial in trials])
    masks = np.packbits([[trial.hidden, trial.touched] for trial in trials])
    return zlib.compress(ids.encode() + b"\n" + masks.tobytes())


def _recall(cache: FaceCache, key: str) -> list[_Trial] | None:
    """Return the trials of a kind that are kept; None where there are none, or damaged ones, which are made again."""
    data = cache.get_blob(key, size_px=_SIZE_PX, name=_NAME, version=_version())
    if data is None:
        return None
    try:
        head, _, packed = zlib.decompress(data).partition(b"\n")
        masks = np.unpackbits(np.frombuffer(packed, np.uint8)).astype(bool).reshape(N_TRIALS, 2, _SIZE_PX, _SIZE_PX)
        return [_Trial(str(asset_id), *pair) for asset_id, pair in zip(json.loads(head), masks, strict=True)]
    except (ValueError, TypeError, zlib.error):
        return None


def _try(recipe: Recipe, library: AssetLibrary, kind: str, number: int, scene: Scene) -> _Trial:
    rng = np.random.default_rng(np.random.SeedSequence(_SEED, spawn_key=(zlib.crc32(kind.encode()), number)))
    (placement,) = draw_placements(scene, (kind,), recipe, library, "train", rng)
    _, mask, alpha = render_placements(scene, [placement], library)
    return _Trial(placement.asset_id, alpha >= 128, mask > 0)


def _offer(recipe: Recipe, layers: Sequence[Sequence[_Trial]], regions: Sequence[Mapping[str, Bools]]) -> Trials:
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
    return Trials(np.array(coverages), regions_N3, N_TRIALS, assets, worn)


def _head(yaw_deg: float, pitch_deg: float, scale_px: float) -> Face:
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
    return Face(source, picture, Landmarks.rounded(points, np.eye(2, 3), _SIZE_PX))


def _regions(head: Face) -> Mapping[str, Bools]:
    points = head.landmarks.points_px
    return {name: region_mask(points, name, _SIZE_PX) > 0 for name in ("face", *REGION_NAMES)}
