"""One face to one triplet, and back from a record to the same bytes."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from fdgen.analysis.worn_already import fits, worn_by
from fdgen.arrays import F32, Image
from fdgen.assets import Asset, AssetLibrary
from fdgen.contract.digests import canonical_json
from fdgen.contract.records import Reject, SampleRecord, Triplet, sample_key
from fdgen.errors import AssetError
from fdgen.faces.face import Face
from fdgen.kinds import Kind, kind_of
from fdgen.occluders import Placement, occluder_of
from fdgen.recipe.combinations import Combination
from fdgen.recipe.schema import Recipe
from fdgen.render.composite import composite, match_sensor, under_hair
from fdgen.render.draw import Layer
from fdgen.render.scene import Analysis, Scene
from fdgen.render.truth_layers import mattes, shadow, surface, visible_changes
from fdgen.runtime.kept_results import kept_for_objects
from fdgen.runtime.processes import one_blas_thread
from fdgen.runtime.rng import draw_index, sample_rng
from fdgen.runtime.step_times import timed_step
from fdgen.synthesis.acceptance import Failure, check_coverage, check_gates, check_pose, check_worn, region_coverage
from fdgen.synthesis.caption import caption
from fdgen.synthesis.realism import measure
from fdgen.synthesis.targets import Target, Targets

SURFACES = frozenset(("depth", "normals"))
"""Truth layers for which layers keep what surface was drawn."""

_MOST_DRAWS = 200
"""Draws of a combination before a face counts as leaving none: one in twenty that fits is missed by one face in
30,000."""


@timed_step("choose and check")
@one_blas_thread()
def generate(
    face: Face,
    recipe: Recipe,
    library: AssetLibrary,
    variant: int = 0,
    *,
    split: str = "train",
    analysis: Analysis | None = None,
    targets: Targets | None = None,
) -> Triplet | Reject:
    """Put occluders on a face: a function of (recipe, source digest, variant, split) alone.

    What is asked of the sample (kinds, stratum) is drawn once; placements that break a law of the recipe, or miss that,
    are drawn again, so that kinds and strata keep their proportions. Where no attempt passes, the result is a `Reject`
    with the last reason.

    Args:
        face: The photograph's crop (uint8, RGB) with its landmarks in px.
        recipe: What is asked for: kinds, coverage, pose, the seed.
        library: The assets that may be drawn.
        variant: Number of the sample among those of the same photograph, from 0.
        split: Split of the sample; assets that are held out are drawn for `test` alone.
        analysis: One made before of this face; None makes it.
        targets: Those of the recipe, needed where it asks for strata of placements (`coverage_trials.find_targets`);
            None makes those that need no trials.

    Raises `RecipeError` where targets are needed and not given, `AssetError` where no asset of a kind may be drawn.
    """
    source = face.source
    scene = Scene.of(face, analysis)
    if SURFACES.intersection(recipe.truth.layers):
        scene = dataclasses.replace(scene, keeps_surfaces=True)
    rng = sample_rng(recipe.seed, source.sha256, variant)
    worn = worn_by(source.attributes, scene.analysis.worn)
    target = _draw_target(targets or _targets(recipe), rng, worn if recipe.faces.worn == "avoid" else ())
    failure = check_pose(scene.pose, recipe.pose, face.landmarks.size_px) or target.check_pose(scene.pose.yaw_deg)
    failure = failure or check_worn(worn, recipe.faces, fits(target.combination, worn))
    if failure is None:
        for attempt in range(target.attempts):
            attempt_rng = rng.spawn(1)[0]
            placements = draw_placements(scene, target.combination, recipe, library, split, attempt_rng, target.favour)
            made = _make(
                scene, placements, library, variant, split, attempt, worn, recipe.mask.threshold, recipe.truth.layers
            )
            failure = check_coverage(made.record.coverage, made.record.coverage_face, recipe.coverage)
            failure = failure or target.check(made.record) or check_gates(made.record.gates, recipe.gates)
            if failure is None:
                return made
    refused = failure or Failure("not-drawn", "the recipe allows no attempt")
    return Reject(source.path, source.sha256, variant, refused.reason, refused.detail)


@kept_for_objects(1, most=10)
def _targets(recipe: Recipe) -> Targets:
    return Targets.of(recipe)


def _draw_target(targets: Targets, rng: np.random.Generator, worn: Sequence[str]) -> Target:
    """Draw what a sample is to be until nothing worn is in its way, at most `_MOST_DRAWS` times."""
    target = targets.draw(rng)
    for _ in range(_MOST_DRAWS - 1):
        if fits(target.combination, worn):
            break
        target = targets.draw(rng)
    return target


@timed_step("draw placements")
def draw_placements(
    scene: Scene,
    combination: Combination,
    recipe: Recipe,
    library: AssetLibrary,
    split: str,
    rng: np.random.Generator,
    favour: Mapping[str, float] = MappingProxyType({}),
) -> list[Placement]:
    """Draw which assets of a combination's kinds a face wears, and how: placements as a replay reads them.

    Args:
        scene: The face.
        combination: The kinds, the lowest layer first.
        recipe: Weights of the assets, and which are taken.
        library: The assets.
        split: Split of the sample; assets that are held out are drawn for `test` alone.
        rng: What all is drawn from.
        favour: Factors on the weights of the assets that it names; none by default.

    Raises `AssetError` where the recipe leaves no asset of a kind for the split.
    """
    placements = []
    for kind in combination:
        asset = _choose(*_choice(library, recipe, kind, split), favour, rng)
        placements.append(_as_json(occluder_of(asset).place(scene, asset, rng)))
    return placements


@one_blas_thread()
def replay(
    record: SampleRecord, face: Face, library: AssetLibrary, *, mask_threshold: int = 0, truth: Sequence[str] = ()
) -> Triplet:
    """Render a record again from its placement: the same bytes, given the same face, assets and versions.

    What is worn is taken from the record: CelebA's attributes, which may have shown it, are no part of a dataset.

    Args:
        record: The sample's record.
        face: The clean picture and its landmarks, as the dataset has them.
        library: The occluders.
        mask_threshold: `mask.threshold` of the dataset's recipe.
        truth: Further layers to make, of `fdgen.contract.truth.TRUTH`, whether the dataset has them or not.
    """
    placements = [Placement.from_dict(layer) for layer in record.placement]
    scene = dataclasses.replace(Scene.of(face), keeps_surfaces=bool(SURFACES.intersection(truth)))
    return _make(
        scene, placements, library, record.variant, record.split, record.attempt, record.worn, mask_threshold, truth
    )


def render_placements(
    scene: Scene, placements: Sequence[Placement], library: AssetLibrary
) -> tuple[Image, Image, Image]:
    """Render placements over a scene, the first lowest: (occluded_HWC, mask_HW, alpha_HW)."""
    return composite_layers(scene, render_layers(scene, placements, library))


def render_layers(scene: Scene, placements: Sequence[Placement], library: AssetLibrary) -> list[Layer]:
    """Render placements over a scene, each as its camera would have seen it."""
    layers = []
    for placement in placements:
        asset = library[placement.asset_id]
        layer = _render(scene, placement, asset)
        layer = match_sensor(layer, scene.analysis.optics, placement.grain_seed)
        over = placement.values.get("pushed_up", False)  # glasses up on the hair lie over it
        kind = kind_of(placement.kind)
        if scene.analysis.hair.state == "measured" and kind.under_hair and not over:
            layer = under_hair(layer, _hair_over(scene, kind))  # as blurred as the photograph is: after the sensor
        if kind.form == "drape" and "eyewear" in scene.analysis.worn:
            layer = under_hair(layer, scene.frames_HW)
        layers.append(layer)
    return layers


def _hair_over(scene: Scene, kind: Kind) -> F32:
    """Return how far hair hides an occluder of a kind: frames lie over thin hair, cloth under a lock alone."""
    if "eyes" in kind.parts:
        return scene.hair_over_frames_HW
    return scene.locks_HW if kind.form == "drape" else scene.hair_HW


@timed_step("build occluders")
def _render(scene: Scene, placement: Placement, asset: Asset) -> Layer:
    return occluder_of(asset).render(scene, placement, asset)


def composite_layers(scene: Scene, layers: Sequence[Layer]) -> tuple[Image, Image, Image]:
    """Composite layers over a scene, the first lowest: (occluded_HWC, mask_HW, alpha_HW)."""
    return composite(
        scene.face.clean_HWC,
        layers,
        grey=scene.light.grey,
        jpeg_quality=scene.analysis.optics.jpeg_quality,
        frame=scene.face.landmarks.frame,
    )


def _make(
    scene: Scene,
    placements: Sequence[Placement],
    library: AssetLibrary,
    variant: int,
    split: str,
    attempt: int,
    worn: tuple[str, ...] | None,
    mask_threshold: int,
    truth: Sequence[str],
) -> Triplet:
    """Render and measure: the triplet with its record."""
    face, pose = scene.face, scene.pose
    layers = render_layers(scene, placements, library)
    occluded, mask, alpha = composite_layers(scene, layers)
    if mask_threshold:
        occluded, mask = visible_changes(face.clean_HWC, occluded, mask, alpha, mask_threshold)
    regions = region_coverage(alpha, face.landmarks.points_px)
    record = SampleRecord(
        key=sample_key(face.source.sha256, variant),
        split=split,
        source=face.source.path,
        source_sha256=face.source.sha256,
        variant=variant,
        identity=face.source.identity,
        kinds=tuple(placement.kind for placement in placements),
        asset_ids=tuple(placement.asset_id for placement in placements),
        held_out=any(library[placement.asset_id].held_out for placement in placements),
        attempt=attempt,
        coverage=round(float(np.count_nonzero(mask)) / mask.size, 6),
        coverage_face=regions["face"],
        coverage_eyes=regions["eyes"],
        coverage_nose=regions["nose"],
        coverage_mouth=regions["mouth"],
        yaw_deg=round(pose.yaw_deg, 3),
        pitch_deg=round(pose.pitch_deg, 3),
        roll_deg=round(pose.roll_deg, 3),
        pose_residual_px=round(pose.residual_px, 3),
        gates=measure(scene, layers, occluded, alpha),
        placement=tuple(placement.to_dict() for placement in placements),
        worn=worn,
        hair=scene.analysis.hair.state,
    )
    made = _truth(scene, placements, layers, library, mask, truth) if truth else {}
    return Triplet(face.clean_HWC, occluded, mask, alpha, record, made)


def _truth(
    scene: Scene,
    placements: Sequence[Placement],
    layers: Sequence[Layer],
    library: AssetLibrary,
    mask_HW: Image,
    asked: Sequence[str],
) -> dict[str, Any]:
    """Return the truth layers that are asked for, by their names."""
    made: dict[str, Any] = {}
    if "caption" in asked:
        made["caption"] = caption([library[placement.asset_id] for placement in placements], scene.pose)
    if "mattes" in asked:
        made["mattes"] = mattes(layers, mask_HW)
    if "shadow" in asked:
        made["shadow"] = shadow(layers, mask_HW)
    if SURFACES.intersection(asked):
        depth, normals = surface(layers, scene.pose.scale_px)
        made |= {name: value for name, value in (("depth", depth), ("normals", normals)) if name in asked}
    return made


def candidates(library: AssetLibrary, recipe: Recipe, kind: str, split: str) -> list[Asset]:
    """Return the assets that this split may wear; held-out ones only in test; raise `AssetError` for none."""
    assets = library.select(
        kind, held_out=split == "test", include=recipe.assets.include, exclude=recipe.assets.exclude
    )
    assets = [asset for asset in assets if weight(asset, recipe) > 0]
    if not assets:
        raise AssetError(
            f"the recipe leaves no asset of kind {kind!r} for the split {split!r}",
            hint="widen assets.include or give the kind the weight 0",
        )
    return assets


def weight(asset: Asset, recipe: Recipe) -> float:
    """Return how often an asset is worn, against others of its kind."""
    return recipe.assets.weight(asset.id) * asset.weight


@kept_for_objects(2, most=100)
def _choice(library: AssetLibrary, recipe: Recipe, kind: str, split: str) -> tuple[Sequence[Asset], tuple[float, ...]]:
    """Return the assets to choose from, with their weights."""
    assets = candidates(library, recipe, kind, split)
    return assets, tuple(weight(asset, recipe) for asset in assets)


def _choose(
    assets: Sequence[Asset], weights: tuple[float, ...], favour: Mapping[str, float], rng: np.random.Generator
) -> Asset:
    if favour:
        weights = tuple(own * favour.get(asset.id, 1.0) for own, asset in zip(weights, assets, strict=True))
    return assets[draw_index(rng, weights)]


def _as_json(placement: Placement) -> Placement:
    """Pass a placement through JSON: what is rendered now is what a replay reads from the record."""
    return Placement.from_dict(json.loads(canonical_json(placement.to_dict())))
