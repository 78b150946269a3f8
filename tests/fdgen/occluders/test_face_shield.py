"""Face shields: a band on the forehead, and a clear sheet that changes the face and hides it only where it glares."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import numpy as np
import pytest

from fdgen.analysis.geometry import region_mask
from fdgen.assets import AssetLibrary
from fdgen.contract.digests import canonical_json
from fdgen.occluders.base import Placement
from fdgen.occluders.headwear.head_surface import HeadSurface
from fdgen.occluders.headwear.shield_mesh import ShieldFit, band_mesh, sheet_mesh
from fdgen.occluders.headwear.shield_spec import ShieldSpec
from fdgen.occluders.layers import stacked
from fdgen.render.composite import composite
from fdgen.render.draw import Layer, Style, draw
from fdgen.render.mesh import Material, part
from fdgen.render.scene import Scene
from tests.support import wearing
from tests.support.wearing import assert_moves_with_the_landmarks, assert_read_back_the_same, scene

ASSETS = {name: asset for name, asset in AssetLibrary.load().assets.items() if asset.kind == "shield"}
NAMES = sorted(ASSETS)


def wear(on: Scene, name: str, seed: int = 0, **sheet: Any) -> tuple[Placement, Layer]:
    return wearing.wear(on, ASSETS[name], seed, sheet=sheet)


@pytest.mark.parametrize("name", NAMES)
def test_the_whole_face_lies_behind_the_sheet_and_only_the_band_hides_it(name: str) -> None:
    on = scene()
    placement, layer = wear(on, name, seed=3, mirror=0.0, haze=0.0)
    json.loads(canonical_json(placement.to_dict()))  # plain JSON
    occluded, mask, alpha = composite(on.face.clean_HWC, [layer])
    assert np.array_equal(occluded[mask == 0], on.face.clean_HWC[mask == 0])
    assert (layer.silhouette_HW + layer.clear_HW).max() <= 1 + 1e-5
    for region in ("eyes", "nose", "mouth"):
        inside = region_mask(on.face.landmarks.points_px, region, on.size_px) > 0
        assert (mask[inside] == 255).all()
        hidden = placement.values["sheet"]["kind"] == "smoke"
        assert (alpha[inside] >= 128).mean() == (1.0 if hidden else 0.0)
    assert (alpha >= 128).mean() > 0.01


def test_what_the_sheet_hides_by_its_glare_belongs_to_the_alpha() -> None:
    on = scene()
    _, clear = wear(on, "shield-foam", seed=3, mirror=0.0)
    _, faint = wear(on, "shield-foam", seed=3, mirror=0.05)
    _, glaring = wear(on, "shield-foam", seed=3, mirror=40.0)
    mouth = region_mask(on.face.landmarks.points_px, "mouth", on.size_px) > 0
    assert clear.silhouette_HW[mouth].max() < 0.05
    assert faint.silhouette_HW[mouth].mean() < 0.3
    assert glaring.silhouette_HW[mouth].mean() > 0.9


@pytest.mark.parametrize("name", ["shield-foam", "shield-printed", "shield-crown"])
def test_a_placement_read_back_from_json_renders_the_same_bytes(name: str) -> None:
    assert_read_back_the_same(ASSETS[name])


def test_moving_the_landmarks_moves_the_shield() -> None:
    assert_moves_with_the_landmarks(ASSETS["shield-foam"], scale_px=8.0)


@pytest.mark.parametrize("name", NAMES)
def test_the_sheet_is_clear_of_the_face_and_the_band_rests_on_the_forehead(name: str) -> None:
    on = scene()
    placement, _ = wear(on, name, seed=5)
    surface = HeadSurface.of(on.mesh_cm)
    fit = ShieldFit.of(on.mesh_cm, surface, placement.values)
    solid, places = sheet_mesh(fit, placement.values)
    before = (np.abs(solid.vertices[:, 0]) < 5.0) & (solid.vertices[:, 1] > -9.0)
    assert surface.gap(solid.vertices[before]).min() > 0.4
    assert places.min() >= 0
    assert places.max() <= 1
    band = band_mesh(fit, surface, ShieldSpec.of(ASSETS[name]).band, placement.values["size"])
    gap = surface.gap(band.vertices)
    assert gap.max() < placement.values["size"]["stand_cm"] * fit.scale + 3.0
    assert gap.min() < 1.6


def test_a_layer_over_another_hides_it_as_far_as_it_is_opaque() -> None:
    on = dataclasses.replace(scene(), keeps_surfaces=True)

    def square(z: float, x: float, **material: Any) -> Layer:
        flat = np.array([[-2.0, -2.0, 0.0], [2.0, -2.0, 0.0], [2.0, 2.0, 0.0], [-2.0, 2.0, 0.0]])
        corners = flat + np.array([x, 0.0, z])
        faces = np.array([[0, 1, 2], [0, 2, 3]], np.int32)
        made = part(corners, faces, Material((0.3, 0.3, 0.3), two_sided=True, **material))
        return draw(on, made, Style(depth_test=False))

    lower, glass, wall = square(9.0, 1.0), square(12.0, -1.0, opacity=0.25, counts=0.0), square(12.0, -1.0)
    y, x = 138, 128  # where both lie
    both = stacked(lower, glass)
    assert both.opacity_HW[y, x] == pytest.approx(1.0)
    assert (both.silhouette_HW[y, x], both.clear_HW[y, x]) == (1.0, 0.0)
    assert both.clear_HW[y, x - 20] == pytest.approx(1.0)
    assert both.colour_HWC[y, x] == pytest.approx(glass.colour_HWC[y, x] + 0.75 * lower.colour_HWC[y, x], abs=1e-5)
    assert stacked(lower, wall).colour_HWC[y, x] == pytest.approx(wall.colour_HWC[y, x])
    rows, columns = both.box
    assert both.grain_HWC.shape[:2] == (rows.stop - rows.start, columns.stop - columns.start)
    assert (rows.start, columns.start) == (glass.box[0].start, glass.box[1].start)
    rows, columns = both.surface_box
    depth = both.surface_HW4[y - rows.start, x - columns.start, 3]
    assert depth == pytest.approx(12.0 * on.pose.scale_px, rel=0.02)
    assert np.isfinite(both.surface_HW4[..., 3]).sum() > np.isfinite(lower.surface_HW4[..., 3]).sum()
