"""What is measured of a pair, on pictures made so that the answer is known, and what a broken bound leads to."""

from __future__ import annotations

import dataclasses
import itertools

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from fdgen.analysis.directional_light import DirectionalLight, fit_directional_light
from fdgen.analysis.lighting import sh_basis
from fdgen.analysis.noise import noise_levels
from fdgen.arrays import Image
from fdgen.assets import AssetLibrary
from fdgen.contract.records import Reject, Triplet
from fdgen.recipe.schema import Recipe
from fdgen.render.draw import Layer
from fdgen.render.scene import Scene
from fdgen.synthesis import generator as generating
from fdgen.synthesis import realism
from fdgen.synthesis.acceptance import check_gates
from fdgen.synthesis.generator import generate, replay
from tests.support import scenes

LIBRARY = AssetLibrary.load()
SIZE = 256


def disc(radius_px: float = 60.0) -> tuple[npt.NDArray[np.float64], Image]:
    """Return the distance from a disc's rim (positive inside) and its alpha, smooth over a pixel."""
    rows, columns = np.mgrid[:SIZE, :SIZE]
    inside = radius_px - np.hypot(rows - 128.0, columns - 128.0)
    return inside, np.round(255 * np.clip(inside + 0.5, 0, 1)).astype(np.uint8)


def blended(inner: float, outer: float, noise: float = 0.0) -> tuple[npt.NDArray[np.float32], Image]:
    inside, alpha = disc()
    share = np.clip(inside + 0.5, 0, 1)
    picture = outer + (inner - outer) * share + np.random.default_rng(1).normal(0, noise, inside.shape)
    return picture.astype(np.float32), alpha


@pytest.mark.parametrize(("inner", "outer"), [(200, 90), (40, 90), (90, 90)])
@pytest.mark.parametrize("noise", [0.0, 3.0])
def test_an_edge_that_goes_straight_from_one_side_to_the_other_has_no_halo(
    inner: float, outer: float, noise: float
) -> None:
    picture, alpha = blended(inner, outer, noise)
    share = realism.halo(picture, alpha, noise)
    assert share is not None
    assert share <= 0.002


@pytest.mark.parametrize("fringe", [60.0, -60.0])
def test_a_fringe_along_a_part_of_the_outline_is_told_by_that_part(fringe: float) -> None:
    """White or black halos, over noise: MaskTheFace leaves the first on 27 % of its outline."""
    picture, alpha = blended(150, 100, 3.0)
    inside, _ = disc()
    rows, columns = np.mgrid[:SIZE, :SIZE]
    turn = (np.arctan2(rows - 128.0, columns - 128.0) + np.pi) / (2 * np.pi)
    on_fringe = (np.abs(inside) < 1.5) & (turn < 0.27)
    picture[on_fringe] = (180 if fringe > 0 else 70) + fringe
    assert realism.halo(picture, alpha, 3.0) == pytest.approx(0.27, abs=0.02)


def test_the_photograph_s_own_noise_is_no_halo() -> None:
    picture, alpha = blended(100, 100, 6.0)
    assert realism.halo(picture, alpha, 6.0) == 0
    as_if_clean = realism.halo(picture, alpha, 0.0)
    assert as_if_clean is not None
    assert as_if_clean > 0


def test_a_thin_strap_has_no_sides_to_compare() -> None:
    alpha = np.zeros((SIZE, SIZE), np.uint8)
    alpha[100:104, 20:230] = 255
    assert realism.halo(alpha.astype(np.float32), alpha, 0.0) is None


@pytest.mark.parametrize("ratio", [0.5, 1.0, 2.0])
def test_known_noise_is_found_again_beside_edges_and_shading(ratio: float) -> None:
    """Half of each side is a print or pores; both are shaded; the ratio still is that of the noise."""
    rng = np.random.default_rng(5)
    rows, columns = np.mgrid[:SIZE, :SIZE]
    shading = 110 + 40 * columns / SIZE + 10 * np.sin(rows / 25)
    stripes = np.where((rows % 64 < 26) & (columns // 3 % 2 == 0), 30, 0)
    left = columns < 128
    sigma = np.where(left, 2.0 * ratio, 2.0)
    picture = (shading + stripes + rng.normal(0, 1, (SIZE, SIZE)) * sigma).astype(np.float32)
    inside, outside = noise_levels(picture, left), noise_levels(picture, ~left)
    assert inside is not None
    assert outside is not None
    assert inside / outside == pytest.approx(ratio, rel=0.08)
    assert outside == pytest.approx(2.0, rel=0.25)


def test_noise_is_not_measured_where_black_or_white_cut_it_off() -> None:
    for level in (3.0, 252.0):
        assert noise_levels(np.full((SIZE, SIZE), level, np.float32), np.ones((SIZE, SIZE), np.bool_)) is None
    assert noise_levels(np.full((SIZE, SIZE), 90.0, np.float32), np.zeros((SIZE, SIZE), np.bool_)) is None


def normals(n: int = 400, seed: int = 2) -> npt.NDArray[np.float32]:
    drawn = np.random.default_rng(seed).normal(size=(n, 3))
    drawn[:, 2] = np.abs(drawn[:, 2])
    return (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("direction", [(0.6, 0.3, 0.74), (-0.7, 0.0, 0.71), (0.0, 0.8, 0.6), (0.0, 0.0, 1.0)])
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_a_lamp_is_found_again(direction: tuple[float, float, float], share: float) -> None:
    n = normals()
    truth = np.array(direction) / np.linalg.norm(direction)
    seen = (1 - share) + share * np.maximum(0, n @ truth) + np.random.default_rng(0).normal(0, 0.02, len(n))
    lamp = fit_directional_light(n, seen, np.ones(len(n)))
    assert realism.angle_deg(lamp.direction, truth) < 4
    assert lamp.share == pytest.approx(share, abs=0.06)
    assert lamp.explained > 0.8


def test_a_lamp_needs_something_to_be_fitted_to() -> None:
    with pytest.raises(ValueError, match="a weight above 0, got none"):
        fit_directional_light(normals(), np.ones(400), np.zeros(400))


def test_the_harmonics_of_a_lamp_are_its_light() -> None:
    """A clamped cosine to second order errs by a few hundredths; turning the lamp turns all nine with it."""
    for direction in ((0.6, 0.0, 0.8), (0.0, -0.6, 0.8), (0.48, 0.64, 0.6)):
        lamp = DirectionalLight(np.array(direction, np.float32), 0.8, 0.15, 1.0)
        n = normals()
        given = sh_basis(n) @ lamp.harmonics()
        assert np.abs(given - (0.15 + 0.8 * np.maximum(0, n @ np.array(direction)))).max() < 0.09


def lit_layer(scene: Scene, direction: npt.NDArray[np.float64], level: float) -> Layer:
    empty = np.zeros((SIZE, SIZE), np.float32)
    n = normals(300)
    light = level * scene.light.mean_irradiance * (0.3 + 0.7 * np.maximum(0, n @ direction))
    shading = np.column_stack([n, light]).astype(np.float32)
    whole = (slice(0, SIZE), slice(0, SIZE))
    return Layer(
        colour_HWC=empty[..., None].repeat(3, -1),
        opacity_HW=empty,
        silhouette_HW=empty,
        clear_HW=empty,
        shadow_HW=empty,
        shadow_rgb=np.ones(3, np.float32),
        grain_HWC=empty[..., None].repeat(3, -1),
        box=whole,
        shading_N4=shading,
    )


def lit_scene(direction: npt.NDArray[np.float64], directional: float = 0.8) -> Scene:
    scene = scenes.scene()
    light = dataclasses.replace(scene.light, direction=direction.astype(np.float32), directional=directional)
    return dataclasses.replace(scene, analysis=dataclasses.replace(scene.analysis, light=light))


@pytest.mark.parametrize("off_deg", [0, 30, 80])
def test_light_from_elsewhere_is_told_by_its_angle(off_deg: float) -> None:
    face_light = np.array([0.5, 0.2, 0.84])
    face_light /= np.linalg.norm(face_light)
    turn = cv2.Rodrigues(np.radians(off_deg) * np.array([0.0, 1.0, 0.0]))[0]
    scene = lit_scene(face_light)
    layers = [lit_layer(scene, turn.T @ face_light, 1.0)]
    found = realism.measure(scene, layers, scene.face.clean_HWC, disc()[1])
    expected = realism.angle_deg(turn.T @ face_light, face_light)
    assert found["light_deg"] == pytest.approx(expected, abs=6)


def test_more_light_than_the_face_gets_is_told_in_stops() -> None:
    scene = lit_scene(np.array([0.0, 0.0, 1.0]))
    alpha = disc()[1]
    once, fourfold = (
        realism.measure(scene, [lit_layer(scene, np.array([0.0, 0.0, 1.0]), level)], scene.face.clean_HWC, alpha)
        for level in (1.0, 4.0)
    )
    assert fourfold["light_stops"] - once["light_stops"] == pytest.approx(2, abs=0.01)


def test_light_without_a_direction_or_on_a_plate_is_not_compared() -> None:
    towards = np.array([0.5, 0.2, 0.84])
    diffuse = lit_scene(towards, directional=0.1)
    alpha = disc()[1]
    assert "light_deg" not in realism.measure(
        diffuse, [lit_layer(diffuse, towards, 1.0)], diffuse.face.clean_HWC, alpha
    )
    scene = lit_scene(towards)
    plate = lit_layer(scene, towards, 1.0)
    plate.shading_N4[:, :3] = (0, 0, 1)
    assert "light_deg" not in realism.measure(scene, [plate], scene.face.clean_HWC, alpha)


def test_a_face_out_of_proportion_has_a_scale_error() -> None:
    mesh = scenes.scene().mesh_cm
    assert realism.scale_error(mesh) < 0.1
    assert realism.scale_error(mesh * 1.5) > 0.35


def made(result: Triplet | Reject) -> Triplet:
    assert isinstance(result, Triplet), result
    return result


@pytest.mark.parametrize("kind", ["sunglasses", "mask", "hand"])
def test_every_pair_carries_its_figures_and_replays_them(kind: str) -> None:
    face = scenes.face(yaw_deg=10)
    recipe = Recipe.load("default", [(f"kinds.{name}", float(name == kind)) for name in ("sunglasses", "mask", "hand")])
    triplet = made(generate(face, recipe, LIBRARY, 2))
    assert set(triplet.record.gates) <= set(realism.GATES)
    assert {"halo", "light_stops", "scale_error"} <= set(triplet.record.gates)
    assert check_gates(triplet.record.gates, recipe.gates) is None
    assert replay(triplet.record, face, LIBRARY).record.gates == triplet.record.gates


BROKEN = {
    "halo": ({"halo": 0.9}, "of the outline's pixels stick out"),
    "too-little-noise": ({"noise_ratio": 0.01}, "of the face's noise, at least"),
    "too-much-noise": ({"noise_ratio": 30.0}, "of the face's noise, at most"),
    "light-direction": ({"light_deg": 120.0}, "degrees off the face's"),
    "too-dark": ({"light_stops": -4.0}, "it gets 4 stops less light than the face, at most"),
    "too-bright": ({"light_stops": 4.0}, "stops more light"),
    "scale-unsure": ({"scale_error": 0.9}, "proportions"),
}


@pytest.mark.parametrize("reason", BROKEN)
def test_a_pair_beyond_a_bound_is_drawn_again_then_refused_by_reason(
    reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second draw is kept where it passes, the same one every time; where none passes, the reason is told."""
    figures, text = BROKEN[reason]
    face, recipe = scenes.face(), Recipe.load("masks", [("attempts", 3)])
    drawn = (made(generate(face, recipe, LIBRARY, variant)) for variant in range(9))
    first = next(one for one in drawn if one.record.attempt == 0)
    variant = first.record.variant
    calls = itertools.count()
    monkeypatch.setattr(generating, "measure", lambda *_: figures if next(calls) % 2 == 0 else {})
    second = made(generate(face, recipe, LIBRARY, variant))
    assert second.record.attempt == 1
    assert second.record.kinds == first.record.kinds
    assert not np.array_equal(second.occluded_HWC, first.occluded_HWC)
    assert np.array_equal(made(generate(face, recipe, LIBRARY, variant)).occluded_HWC, second.occluded_HWC)
    monkeypatch.setattr(generating, "measure", lambda *_: figures)
    refused = generate(face, recipe, LIBRARY, variant)
    assert isinstance(refused, Reject)
    assert refused.reason == reason
    assert text in refused.detail
