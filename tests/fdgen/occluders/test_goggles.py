"""Goggles: sealed to the face, lenses that reflect or are clear, a strap round the head."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from fdgen.analysis.geometry import canonical_face, region_mask
from fdgen.assets import AssetLibrary
from fdgen.contract.digests import canonical_json
from fdgen.errors import AssetError
from fdgen.occluders.base import Placement
from fdgen.occluders.eyewear.goggle_mesh import GoggleFront, seal_mesh
from fdgen.occluders.eyewear.goggle_spec import GogglesSpec
from fdgen.occluders.eyewear.goggles import fit_goggles
from fdgen.occluders.headwear.head_surface import HeadSurface
from fdgen.occluders.headwear.round_strap import Strap, strap_mesh
from fdgen.render.composite import composite
from fdgen.render.draw import Layer
from fdgen.render.mesh import Material
from fdgen.render.scene import Scene
from tests.support import wearing
from tests.support.wearing import assert_moves_with_the_landmarks, assert_read_back_the_same, scene

ASSETS = {name: asset for name, asset in AssetLibrary.load().assets.items() if asset.kind == "goggles"}
NAMES = sorted(ASSETS)
CLEAR = {"mirror": [0.0, 0.0, 0.0], "mirror_below": [0.0, 0.0, 0.0], "through": [0.93, 0.93], "clear": True}
CLEAR |= {"kind": "plain", "tint": [1.0, 1.0, 1.0], "fade": [0.0, 1.0]}


def wear(on: Scene, name: str, seed: int = 0, **lens: Any) -> tuple[Placement, Layer]:
    return wearing.wear(on, ASSETS[name], seed, lens=lens)


def eyes(on: Scene) -> Any:
    return region_mask(on.face.landmarks.points_px, "eyes", on.size_px) > 0


@pytest.mark.parametrize("name", NAMES)
def test_goggles_cover_the_eyes_and_leave_the_mouth(name: str) -> None:
    for yaw_deg in (-30.0, 0.0, 30.0):
        on = scene(yaw_deg)
        placement, layer = wear(on, name, seed=3)
        json.loads(canonical_json(placement.to_dict()))  # plain JSON
        assert np.isfinite(layer.colour_HWC).all()
        assert layer.colour_HWC.min() >= 0
        covered = layer.silhouette_HW + layer.clear_HW
        assert covered.max() <= 1 + 1e-5
        assert (covered[eyes(on)] > 0.9).mean() > 0.95
        mouth = region_mask(on.face.landmarks.points_px, "mouth", on.size_px) > 0
        assert covered[mouth].max() < 0.05


@pytest.mark.parametrize("name", ["goggles-safety", "goggles-swim"])
def test_a_clear_lens_is_in_the_mask_and_not_in_the_alpha(name: str) -> None:
    on = scene()
    _, layer = wear(on, name, seed=3, **CLEAR)
    occluded, mask, alpha = composite(on.face.clean_HWC, [layer])
    assert (mask[eyes(on)] == 255).all()
    assert (alpha[eyes(on)] < 20).mean() > 0.9
    assert np.array_equal(occluded[mask == 0], on.face.clean_HWC[mask == 0])


def test_what_a_clear_lens_hides_by_its_glare_belongs_to_the_alpha() -> None:
    on = scene()
    _, layer = wear(on, "goggles-safety", seed=3, **(CLEAR | {"mirror": [20.0] * 3, "mirror_below": [20.0] * 3}))
    assert (layer.silhouette_HW[eyes(on)] > 0.9).mean() > 0.6


@pytest.mark.parametrize("name", ["goggles-ski", "goggles-swim", "goggles-safety"])
def test_a_placement_read_back_from_json_renders_the_same_bytes(name: str) -> None:
    assert_read_back_the_same(ASSETS[name])


@pytest.mark.parametrize("name", ["goggles-ski", "goggles-swim"])
def test_moving_the_landmarks_moves_the_goggles(name: str) -> None:
    assert_moves_with_the_landmarks(ASSETS[name], scale_px=8.0)


@pytest.mark.parametrize("name", NAMES)
def test_the_seal_runs_from_the_frame_to_the_skin(name: str) -> None:
    on, spec = scene(), GogglesSpec.of(ASSETS[name])
    placement, _ = wear(on, name, seed=1)
    front, surface = GoggleFront.draw(spec, placement.values["shape"]), HeadSurface.of(on.mesh_cm)
    fit = fit_goggles(on.mesh_cm, surface, front, placement.values["wear"])
    back, outward = front.back()
    gap = surface.gap(fit.to_head(back))
    assert np.percentile(gap, 6.0) > 0.4 * placement.values["shape"]["seal_cm"] - 0.05
    assert gap.max() < 4.5
    seal = seal_mesh(surface, fit.to_head(back), outward @ fit.rotation.T)
    assert np.abs(surface.gap(seal.vertices[-len(back) :])).max() < 0.9  # pressed in a little, smoothed


def test_the_surface_of_a_head_is_that_of_its_face() -> None:
    mesh = canonical_face().vertices_cm
    surface = HeadSurface.of(mesh)
    inside = mesh[[4, 9, 151, 50, 280, 127, 356]]
    assert np.abs(surface.gap(inside)).max() < 0.5
    assert np.allclose(surface.gap(surface.below(inside + np.array([0.0, 0.0, 2.0]))), 0.0, atol=0.05)
    back = surface.radius(np.radians(np.array([140.0, -140.0])), np.array([4.0, 4.0]))
    assert (back > 6.0).all()  # the skull


@pytest.mark.parametrize("side", [-1, 1])
def test_a_strap_goes_round_the_head_and_stays_outside_it(side: int) -> None:
    on = scene()
    surface = HeadSurface.of(on.mesh_cm)
    start = np.array([7.6 * side, 3.0, 2.0])
    mesh, length = strap_mesh(on, surface, Strap(side, start, 1.5, 3.0, 0.0), Material((0.5, 0.5, 0.5)))
    assert 13.0 < length < 34.0
    assert surface.gap(mesh.vertices_cm[mesh.vertices_cm[:, 2] > -6.0]).min() > -0.3
    assert (mesh.vertices_cm[:, 0] * side).max() > 7.0
    angle, _ = surface.aim(mesh.vertices_cm)
    outwards = np.column_stack([np.sin(angle), np.zeros_like(angle), np.cos(angle)])
    assert ((mesh.normals * outwards).sum(1) > 0).mean() > 0.95


def test_full_hair_closes_over_a_strap_where_it_turns_away() -> None:
    on = scene()
    surface = HeadSurface.of(on.mesh_cm)
    start = np.array([7.6, 3.0, 2.0])
    short, full = (
        strap_mesh(on, surface, Strap(1, start, 1.5, 3.0, hair), Material((0.5, 0.5, 0.5)))[0] for hair in (0.5, 4.0)
    )
    assert (short.surface_N8[:, 1] == 1).all()
    assert full.surface_N8[0, 1] > 0.5
    assert full.surface_N8[-1, 1] == 0


def test_a_word_that_no_goggles_know_is_refused() -> None:
    asset = ASSETS["goggles-ski"]
    with pytest.raises(AssetError, match=r"lenses\.stained"):
        GogglesSpec.of(replace(asset, shape={**asset.shape, "lenses": {"stained": 1.0}}))
