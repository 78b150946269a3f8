"""Headwear: it goes round head and hair, a brim shades the face, and hair that it presses down does not stick out."""

from __future__ import annotations

import dataclasses
from dataclasses import replace
from functools import cache

import cv2
import numpy as np
import pytest

from fdgen.analysis.geometry import region_mask
from fdgen.assets import Asset, AssetLibrary
from fdgen.occluders import OCCLUDERS, Placement
from fdgen.occluders.headwear.brim_shadow import brim_shadow
from fdgen.occluders.headwear.hair_volume import from_screen, headroom, on_screen
from fdgen.occluders.headwear.head_fit import Head
from fdgen.occluders.headwear.pressed_hair import press_hair
from fdgen.render.composite import composite
from fdgen.render.draw import Layer
from fdgen.render.scene import Scene, skull
from tests.support import scenes

ASSETS = {name: asset for name, asset in AssetLibrary.load().assets.items() if asset.kind == "hat"}
NAMES = sorted(ASSETS)


@cache
def scene(yaw_deg: float = 0.0) -> Scene:
    return scenes.scene(yaw_deg=yaw_deg)


def wear(on: Scene, asset: Asset, seed: int = 3) -> tuple[Placement, Layer]:
    placement = OCCLUDERS["hat"].place(on, asset, np.random.default_rng(seed))
    return placement, OCCLUDERS["hat"].render(on, placement, asset)


def with_outline(on: Scene, reach: float) -> Scene:
    """Return a scene whose person is an ellipse `reach` times the skull, before a pale wall."""
    vertices, _ = skull(on.mesh_cm)
    middle, half = 0.5 * (vertices.min(0) + vertices.max(0)), 0.5 * (vertices.max(0) - vertices.min(0))
    y, x = np.mgrid[: on.size_px, : on.size_px].astype(np.float32)
    right, up = from_screen(on, middle, x, y)
    person = ((right / half[0]) ** 2 + (up / half[1]) ** 2 < reach**2) | (up < -half[1])
    picture = np.where(person[..., None], (52, 34, 24), (225, 225, 225)).astype(np.uint8)
    fresh = dataclasses.replace(on, face=replace(on.face, clean_HWC=picture))
    vars(fresh)["person_HW"] = person.astype(np.float32)
    return fresh


@pytest.mark.parametrize("name", [name for name in NAMES if name != "hat-earband"])
def test_a_hat_covers_the_top_of_the_head_and_leaves_nose_and_mouth(name: str) -> None:
    on = scene()
    _, layer = wear(on, ASSETS[name])
    points = on.face.landmarks.points_px
    vertices, _ = skull(on.mesh_cm)
    top = on.pose.to_screen(vertices[vertices[:, 1].argmax()][None] - (0.0, 0.6, 0.0))[0]
    assert layer.silhouette_HW[round(float(top[1])), round(float(top[0]))] > 0.9
    for region in ("nose", "mouth"):
        assert layer.silhouette_HW[region_mask(points, region, on.size_px) > 0].mean() < 0.15
    # A brim goes round behind the head, and is not seen through it.
    tip = points[4, :2].round().astype(int)
    assert layer.silhouette_HW[tip[1], tip[0]] == 0


def test_an_ear_band_leaves_the_hair_above_it() -> None:
    on = scene()
    _, layer = wear(on, ASSETS["hat-earband"])
    vertices, _ = skull(on.mesh_cm)
    top = on.pose.to_screen(vertices[vertices[:, 1].argmax()][None] + (0.0, 1.5, 0.0))[0]
    brow = on.face.landmarks.points_px[151, :2].round().astype(int)
    assert layer.silhouette_HW[round(float(top[1])), round(float(top[0]))] == 0
    assert layer.silhouette_HW[brow[1] - 8 : brow[1], brow[0]].max() > 0.9


@pytest.mark.parametrize("name", ["hat-beanie", "hat-cap", "hat-wide", "hat-surgical"])
def test_a_hat_goes_round_the_skull(name: str) -> None:
    on = scene()
    placement, _ = wear(on, ASSETS[name])
    head = Head.of(on.mesh_cm, placement.values, stiff=False)
    vertices, _ = skull(on.mesh_cm)
    local = (vertices - head.middle) @ head.rotation
    above = local[local[:, 1] > 0.5]
    share = (above[:, 0] / head.half[0]) ** 2 + (above[:, 2] / head.half[1]) ** 2
    assert share.max() < 1.1
    assert local[:, 1].max() < head.up


def test_more_hair_asks_for_a_larger_hat() -> None:
    small, large = (headroom(with_outline(scene(), reach)) for reach in (1.0, 1.35))
    assert max(small) < 0.6
    assert large[0] > small[0] + 2.0
    assert min(large[1:]) > max(small[1:]) + 1.5


def test_points_of_the_plane_of_the_picture_come_back() -> None:
    on, middle = scene(), np.array([0.3, 1.0, -3.0])
    right, up = np.array([-4.0, 0.0, 5.5]), np.array([7.0, -1.0, 2.0])
    x, y = on_screen(on, middle, right, up)
    back = from_screen(on, middle, x.astype(np.float32), y.astype(np.float32))
    assert np.allclose(back, (right, up), atol=1e-3)


def test_hair_above_the_rim_gives_way_to_the_wall_and_hair_below_it_stays() -> None:
    on = with_outline(scene(), 1.5)
    asset = ASSETS["hat-beanie-plain"]
    placement = OCCLUDERS["hat"].place(scene(), asset, np.random.default_rng(3))
    head = Head.of(on.mesh_cm, placement.values, stiff=False)
    bare = OCCLUDERS["hat"].render(scene(), placement, asset)
    bare = replace(bare, clear_HW=np.zeros_like(bare.clear_HW))
    layer = press_hair(on, bare, head.placed(head.ring(np.arange(64.0))))
    occluded, mask, alpha = composite(on.face.clean_HWC, [layer])
    assert (occluded[mask == 0] == on.face.clean_HWC[mask == 0]).all()
    x, y = (round(float(at)) for at in on_screen(on, head.middle, np.array(head.half[0] + 1.2), np.array(3.5)))
    assert on.face.clean_HWC[y, x].max() < 60
    assert occluded[y, x].min() > 200
    assert mask[y, x] == 255
    assert alpha[y, x] == 0
    low = [round(float(at)) for at in on_screen(on, head.middle, np.array(head.half[0] + 0.8), np.array(-3.0))]
    assert mask[low[1], low[0]] == 0


def test_where_nothing_is_seen_behind_the_head_nothing_is_painted() -> None:
    on = with_outline(scene(), 9.0)
    _, layer = wear(scene(), ASSETS["hat-beanie-plain"])
    assert press_hair(on, layer, on.mesh_cm[:64]) is layer


def test_a_visor_shades_the_forehead_more_than_the_chin_and_a_longer_one_shades_more() -> None:
    on = scene()
    placement, _ = wear(on, ASSETS["hat-cap"])
    head = Head.of(on.mesh_cm, placement.values, stiff=True)
    short, long = (brim_shadow(on, head, np.full(41, reach), 0.3, 66.0) for reach in (2.0, 8.0))
    points = on.face.landmarks.points_px[:, :2].round().astype(int)
    assert long[points[9, 1], points[9, 0]] > 0.25
    assert long[points[9, 1], points[9, 0]] > 2 * long[points[199, 1], points[199, 0]]
    assert long.sum() > 1.2 * short.sum()
    assert long.min() >= 0
    assert long.max() <= 0.8


def test_a_cap_worn_back_to_front_has_no_visor_and_shades_less() -> None:
    on = scene()
    _, before = wear(on, ASSETS["hat-cap"])
    _, behind = wear(on, replace(ASSETS["hat-cap"], shape={**ASSETS["hat-cap"].shape, "backwards": 1.0}))
    eyes = cv2.dilate(region_mask(on.face.landmarks.points_px, "eyes", on.size_px), np.ones((5, 5), np.uint8)) > 0
    assert behind.shadow_HW[eyes].mean() < 0.6 * before.shadow_HW[eyes].mean()


def test_the_angle_of_a_point_is_that_of_the_rim_behind_it() -> None:
    placement, _ = wear(scene(), ASSETS["hat-fedora"])
    head = Head.of(scene().mesh_cm, placement.values, stiff=True)
    angles = np.linspace(-3.0, 3.0, 41)
    rim = 1.7 * head.ring(angles)
    assert head.angle_of(rim[:, 0], rim[:, 2]) == pytest.approx(angles, abs=1e-6)
