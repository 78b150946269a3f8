"""Face shields: a band on the forehead, and a clear sheet that changes the face and hides it only where it glares."""

from __future__ import annotations

import copy
import dataclasses
import json
from dataclasses import replace
from functools import cache
from typing import Any

import cv2
import numpy as np
import pytest

from fdgen.analysis.geometry import region_mask
from fdgen.assets import AssetLibrary
from fdgen.contract.digests import canonical_json
from fdgen.occluders.base import Placement
from fdgen.occluders.headwear.face_shield import FaceShield
from fdgen.occluders.headwear.head_surface import HeadSurface
from fdgen.occluders.headwear.shield_mesh import ShieldFit, band_mesh, sheet_mesh
from fdgen.occluders.headwear.shield_spec import ShieldSpec
from fdgen.occluders.layers import stacked
from fdgen.render.composite import composite
from fdgen.render.draw import Layer, Style, draw
from fdgen.render.mesh import Material, part
from fdgen.render.scene import Scene
from tests.support import scenes

ASSETS = {name: asset for name, asset in AssetLibrary.load().assets.items() if asset.kind == "shield"}
NAMES = sorted(ASSETS)
WORN = FaceShield()


@cache
def scene(yaw_deg: float = 0.0) -> Scene:
    return scenes.scene(yaw_deg=yaw_deg)


def wear(on: Scene, name: str, seed: int = 0, **sheet: Any) -> tuple[Placement, Layer]:
    placement = WORN.place(on, ASSETS[name], np.random.default_rng(seed))
    values = copy.deepcopy(dict(placement.values))
    values["sheet"] |= sheet
    placement = replace(placement, values=values)
    return placement, WORN.render(on, placement, ASSETS[name])


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
    on = scene(25.0)
    placement, layer = wear(on, name, seed=8)
    again = WORN.render(on, Placement.from_dict(json.loads(canonical_json(placement.to_dict()))), ASSETS[name])
    assert layer.colour_HWC.tobytes() == again.colour_HWC.tobytes()
    assert layer.silhouette_HW.tobytes() == again.silhouette_HW.tobytes()
    assert layer.shadow_HW.tobytes() == again.shadow_HW.tobytes()


def test_moving_the_landmarks_moves_the_shield() -> None:
    here = scenes.scene(scale_px=8.0, yaw_deg=10.0, shift_px=(128.0, 138.0))
    there = scenes.scene(scale_px=7.2, yaw_deg=10.0, shift_px=(137.0, 129.0))
    placement, layer = wear(here, "shield-foam", seed=2, mirror=0.0)
    moved = WORN.render(there, placement, ASSETS["shield-foam"])
    warp = np.array([[0.9, 0.0, 137.0 - 0.9 * 128.0], [0.0, 0.9, 129.0 - 0.9 * 138.0]])
    inside = cv2.warpAffine(np.ones((256, 256), np.float32), warp, (256, 256)) > 0.99  # what both pictures hold
    whole = cv2.warpAffine(layer.silhouette_HW + layer.clear_HW, warp, (256, 256))
    expected, seen = (whole > 0.5) & inside, (moved.silhouette_HW + moved.clear_HW > 0.5) & inside
    assert (expected & seen).sum() / (expected | seen).sum() > 0.95


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
