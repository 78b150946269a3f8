"""Face masks: what they cover, that they lie on the face, move with it, and are what their placement says."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from typing import Any

import cv2
import numpy as np
import pytest

from fdgen.analysis.geometry import fill_polygon, region_mask, rotation_matrix
from fdgen.arrays import F32
from fdgen.assets import Asset, AssetLibrary
from fdgen.contract.digests import canonical_json
from fdgen.errors import AssetError
from fdgen.occluders.base import Placement
from fdgen.occluders.cloth.drape import directions, head_map, stretch, tighten
from fdgen.occluders.cloth.fabric import BLACKEST, WHITEST, dress, paint
from fdgen.occluders.cloth.patterns import PATTERNS
from fdgen.occluders.cloth.relief import edge_light, pleats_of
from fdgen.occluders.masks.mask import Mask, build, lay_texels
from fdgen.occluders.masks.pattern import COLUMNS, ROWS, drape
from fdgen.occluders.masks.trim import trim
from fdgen.render.draw import Layer
from fdgen.render.scene import Scene
from tests.support import scenes

ASSETS = {name: asset for name, asset in AssetLibrary.load().assets.items() if asset.kind == "mask"}
NAMES = sorted(ASSETS)
WORN = Mask()
HANGING = {"bandana", "gaiter", "scarf"}


@cache
def scene(yaw_deg: float = 0.0) -> Scene:
    return scenes.scene(yaw_deg=yaw_deg)


def usual(asset: Asset) -> Asset:
    """Return the asset as it is worn properly: over the nose."""
    return replace(asset, shape={**asset.shape, "under_nose": 0.0, "under_chin": 0.0})


def wear(on: Scene, name: str, seed: int = 0) -> tuple[Placement, Layer]:
    asset = usual(ASSETS[name])
    placement = WORN.place(on, asset, np.random.default_rng(seed))
    return placement, WORN.render(on, placement, asset)


def test_there_is_variety_and_some_of_it_is_held_out() -> None:
    assert len(NAMES) >= 12
    assert 2 <= sum(asset.held_out for asset in ASSETS.values()) <= 4
    trained = [asset.shape for asset in ASSETS.values() if not asset.held_out]
    assert {shape["straps"] for shape in trained} == {"ears", "head", "ties", "none"}
    assert len({shape["cut"] for shape in trained}) >= 8


@pytest.mark.parametrize("name", NAMES)
def test_every_mask_covers_mouth_and_chin_and_leaves_the_eyes(name: str) -> None:
    for yaw_deg in (-40.0, -15.0, 0.0, 25.0, 40.0):
        on = scene(yaw_deg)
        _, layer = wear(on, name, seed=abs(int(yaw_deg)) + 1)
        assert np.isfinite(layer.colour_HWC).all()
        assert layer.colour_HWC.min() >= 0
        points = on.face.landmarks.points_px
        covered = layer.silhouette_HW > 0.5
        assert covered[region_mask(points, "mouth", on.size_px) > 0].mean() > 0.995
        jaw = np.zeros((on.size_px, on.size_px), np.uint8)
        fill_polygon(jaw, points[[152, 148, 176, 61, 291, 400, 377], :2], 1)
        assert covered[jaw > 0].mean() > 0.99  # no chin shows through
        assert covered[region_mask(points, "eyes", on.size_px) > 0].mean() < 0.2
        assert covered.mean() < 0.35


@pytest.mark.parametrize("name", NAMES)
def test_the_cloth_lies_outside_the_head_and_near_its_edge_on_it(name: str) -> None:
    on, asset = scene(), ASSETS[name]
    head = head_map(on.mesh_cm)
    for seed in range(3):
        fit = WORN.place(on, usual(asset), np.random.default_rng(seed)).values
        cloth = build(on, fit, asset).vertices_cm[: ROWS * COLUMNS]
        theta, phi = head.aim(cloth)
        gap = np.linalg.norm(cloth - head.centre_cm, axis=1) - head.radius(theta, phi)
        inside = gap < -0.2  # more than half of what the renderer moves the head back by
        # A fold at the hem that hangs below the chin may dip into the neck.
        assert inside.mean() < (0.002 if asset.shape["cut"] in HANGING else 1e-9)
        assert gap.max() < 8.0
        if asset.shape["cut"] not in HANGING:
            assert np.median(gap.reshape(ROWS, COLUMNS)[0]) < 1.3


def test_a_mask_may_be_worn_under_the_nose_or_under_the_chin() -> None:
    on, asset = scene(), ASSETS["mask-surgical"]
    points = on.face.landmarks.points_px
    tip, lips = points[4, :2].round().astype(int), points[13, :2].round().astype(int)
    shown = {}
    for key in ("under_nose", "under_chin"):
        worn = replace(asset, shape={**asset.shape, "under_nose": 0.0, "under_chin": 0.0, key: 1.0})
        shown[key] = WORN.render(on, WORN.place(on, worn, np.random.default_rng(2)), worn).silhouette_HW
    assert shown["under_nose"][tip[1], tip[0]] < 0.5 < shown["under_nose"][lips[1], lips[0]]
    assert shown["under_chin"][lips[1], lips[0]] < 0.5 < shown["under_chin"].max()


def test_ear_loops_run_from_the_mask_to_the_ear() -> None:
    on, name = scene(), "mask-surgical"
    placement, _ = wear(on, name, seed=4)
    mesh = build(on, placement.values, ASSETS[name])
    assert len(mesh.strands) == 4
    cloth = mesh.vertices_cm[: ROWS * COLUMNS]
    for strand, tragus in zip(mesh.strands, (234, 234, 454, 454), strict=True):
        n = strand.rings * strand.ring
        path = mesh.vertices_cm[strand.start : strand.start + n].reshape(strand.rings, strand.ring, 3).mean(1)
        assert np.linalg.norm(cloth - path[0], axis=1).min() < 0.5
        assert np.linalg.norm(path[-1] - on.mesh_cm[tragus]) < 4.0
        assert path[-1, 2] < on.mesh_cm[tragus, 2] + 0.3  # behind the front of the ear
        assert np.linalg.norm(np.diff(path, axis=0), axis=1).max() < 1.0


def test_placing_is_a_function_of_the_generator_alone() -> None:
    on, asset = scene(), ASSETS["mask-cloth-fitted"]
    first, second = (WORN.place(on, asset, np.random.default_rng(5)) for _ in range(2))
    other = WORN.place(on, asset, np.random.default_rng(6))
    assert first == second
    same = {key for key in first.values if first.values[key] == other.values[key]}
    assert not same & {"top", "side_deg", "slack", "tilt_deg", "shift_deg", "colours", "fold_seed", "wrap_deg"}


@pytest.mark.parametrize("name", NAMES[::2])
def test_a_placement_read_back_from_json_renders_the_same_bytes(name: str) -> None:
    on = scene(25.0)
    placement, layer = wear(on, name, seed=8)
    read = Placement.from_dict(json.loads(canonical_json(placement.to_dict())))
    again = WORN.render(on, read, ASSETS[name])
    assert layer.colour_HWC.tobytes() == again.colour_HWC.tobytes()
    assert layer.silhouette_HW.tobytes() == again.silhouette_HW.tobytes()


@pytest.mark.parametrize("name", ["mask-surgical", "mask-kn95", "mask-gaiter"])
@pytest.mark.parametrize(
    ("turn_deg", "scale", "move"), [(0.0, 1.0, (9.0, -6.0)), (17.0, 1.0, (0, 0)), (0, 0.8, (4, 5))]
)
def test_moving_the_landmarks_moves_the_mask_with_them(
    name: str, turn_deg: float, scale: float, move: tuple[float, float]
) -> None:
    on = scene(20.0)
    placement, layer = wear(on, name, seed=3)
    there = cv2.getRotationMatrix2D((128, 142), turn_deg, scale)
    there[:, 2] += move
    points = on.face.landmarks.points_px.copy()
    points[:, :2] = points[:, :2] @ there[:, :2].T + there[:, 2]
    points[:, 2] *= scale
    moved = Scene.of(replace(on.face, landmarks=replace(on.face.landmarks, points_px=points)))
    silhouette = WORN.render(moved, placement, ASSETS[name]).silhouette_HW
    back = cv2.invertAffineTransform(there)
    inside = cv2.warpAffine(np.ones((256, 256), np.float32), back, (256, 256)) > 0.99
    returned = (cv2.warpAffine(silhouette, back, (256, 256)) > 0.5) & inside
    original = (layer.silhouette_HW > 0.5) & inside
    assert (returned & original).sum() / (returned | original).sum() > 0.95


def test_an_open_mouth_stays_covered() -> None:
    closed = scene()
    face = closed.face
    points = face.landmarks.points_px.copy()
    lower = points[:, 1] > points[14, 1] - 0.5
    points[lower, 1] += np.float32(2.2 * closed.pose.scale_px)
    opened = Scene.of(replace(face, landmarks=replace(face.landmarks, points_px=points)))
    for name in ("mask-surgical", "mask-cloth-fitted", "mask-kn95"):
        _, layer = wear(opened, name, seed=7)
        assert (layer.silhouette_HW > 0.5)[region_mask(points, "mouth", 256) > 0].mean() > 0.99
        chin = points[152, :2].round().astype(int)
        assert layer.silhouette_HW[chin[1] - 2, chin[0]] > 0.95


def test_the_head_map_knows_the_face_and_a_neck_below_it() -> None:
    mesh = scene().mesh_cm
    head = head_map(mesh)
    inner = np.array([4, 13, 152, 50, 280, 205, 425, 172, 397])
    theta, phi = head.aim(mesh[inner])
    distance = np.linalg.norm(mesh[inner] - head.centre_cm, axis=1)
    assert np.abs(head.radius(theta, phi) - distance).max() < 0.35
    below = np.radians(np.linspace(-35, -60, 6))
    under = head.points(np.zeros(6), below, head.radius(np.zeros(6), below))
    assert (under[:, 2] < mesh[152, 2]).all()  # the throat lies behind the chin
    assert (np.diff(under[:, 1]) < 0).all()


def test_a_membrane_is_flat_between_its_supports() -> None:
    theta, phi = np.meshgrid(np.radians(np.linspace(-30, 30, COLUMNS)), np.radians(np.linspace(20, -20, ROWS)))
    rays = directions(theta, phi)
    plane = 8.0 / rays[..., 2]  # the plane z = 8
    dented = plane.copy()
    dented[5:-5, 5:-5] -= 1.5
    tight = stretch(dented, rays, pressure=0.0, hold_edges=True, sweeps=600)
    assert np.abs(tight * rays[..., 2] - 8.0).max() < 0.02
    assert np.abs(tighten(dented, phi)[:, COLUMNS // 2] * np.cos(phi[:, 0]) - 8.0).max() < 1e-9
    assert (stretch(plane, rays, pressure=0.02, hold_edges=True) >= plane - 1e-9).all()


@pytest.mark.parametrize("pattern", sorted(PATTERNS))
def test_patterns_have_colours_that_cloth_can_have_and_their_own_scale(pattern: str) -> None:
    across, down = (a.astype(np.float32) for a in np.meshgrid(np.linspace(-9, 9, 160), np.linspace(0, 14, 120)))
    values = dress(np.random.default_rng(1), "cloth", {pattern: 1.0})
    values["wear"] = values["moist"] = values["dirt"] = 0.0
    values["colours"] = [[0.45, 0.45, 0.45], [0.9, 0.9, 0.9], [0.8, 0.2, 0.1], [0.2, 0.6, 0.3], [0.9, 0.8, 0.1]]
    albedo = paint(across, down, values)
    assert albedo.shape == (120, 160, 3)
    assert albedo.min() >= BLACKEST
    assert albedo.max() <= WHITEST
    assert (albedo.std((0, 1)).max() > 0.02) == (pattern != "plain")


def test_no_cloth_is_whiter_than_cloth_and_colours_go_round_the_wheel() -> None:
    hues = []
    for seed in range(2000):
        values = dress(np.random.default_rng(seed), "cloth", {"plain": 1.0})
        colour = np.array(values["colours"][0])
        assert 0 <= colour.min() <= colour.max() <= 1
        if np.ptp(colour) > 0.15:
            hues.append(cv2.cvtColor(colour.astype(np.float32)[None, None], cv2.COLOR_RGB2HSV)[0, 0, 0])
    assert (np.histogram(hues, 12, (0, 360))[0] > 3).all()


def test_white_cloth_keeps_below_the_sensor_s_limit_in_a_bright_photograph() -> None:
    on = scenes.scene(skin=(236, 214, 200))
    asset = usual(ASSETS["mask-surgical"])
    placement = WORN.place(on, asset, np.random.default_rng(1))
    placement.values["colours"][0] = [0.93, 0.93, 0.93]  # type: ignore[index]
    layer = WORN.render(on, placement, asset)
    solid = layer.silhouette_HW > 0.99
    assert np.percentile(layer.colour_HWC[solid], 90) < 1.02


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"cut": "toga"}, "cut"),
        ({"fabric": "steel"}, "fabric"),
        ({"valve": "hexagon"}, "valve"),
        ({"top": [3.0, 1.0]}, "top"),
        ({"top": "high"}, "top"),
        ({"apex": [0.1, 0.5]}, "apex"),
        ({"colour": "red"}, "colour"),
        ({"patterns": {"tartn": 1.0}}, "tartn"),
        ({"patterns": {"plaid": 0.0}}, "patterns"),
        ({"under_nose": 1.5}, "under_nose"),
    ],
)
def test_a_wrong_table_is_refused_by_name(change: dict[str, Any], named: str) -> None:
    asset = ASSETS["mask-surgical"]
    wrong = replace(asset, shape={**asset.shape, **change})
    with pytest.raises(AssetError) as caught:
        WORN.place(scene(), wrong, np.random.default_rng(0))
    assert asset.id in caught.value.message
    assert named in caught.value.message


def test_a_turned_head_keeps_the_far_side_behind_the_face() -> None:
    on = scenes.scene(yaw_deg=38.0)
    _, layer = wear(on, "mask-surgical", seed=2)
    columns = np.nonzero(layer.silhouette_HW.max(0) > 0.5)[0]
    nose = on.face.landmarks.points_px[4, 0]
    assert columns.max() < nose + 3.5 * on.pose.scale_px


def test_the_sheet_measures_cloth_in_centimetres() -> None:
    on, asset = scene(), ASSETS["mask-surgical"]
    fit = WORN.place(on, usual(asset), np.random.default_rng(0)).values
    sheet = drape(head_map(on.mesh_cm), on.mesh_cm, "pleated", fit)
    assert 10 < sheet.length_cm[COLUMNS // 2] < 18
    assert 4 < sheet.length_cm[0] < 10
    assert 7 < -sheet.across_cm[ROWS // 2, 0] < 15
    turned = sheet.points_cm @ rotation_matrix([0.0, 0.4, 0.0]).T
    assert np.allclose(np.linalg.norm(np.diff(turned, axis=0), axis=-1).sum(0), sheet.length_cm)


def test_pleats_are_lines_of_shade_across_and_a_hem_runs_round() -> None:
    on, asset = scene(), usual(ASSETS["mask-surgical"])
    fit = dict(WORN.place(on, asset, np.random.default_rng(2)).values)
    sheet = drape(head_map(on.mesh_cm), on.mesh_cm, "pleated", fit)
    texels = lay_texels(sheet)
    light = edge_light(texels, fit, pleats_of("pleated", texels, fit))
    dark = (light < 0.95) & (texels.rim > 1.3)
    counts = (np.diff(dark.astype(int), axis=0) == 1).sum(0)  # each gapes here and lies flat there
    assert counts.max() == fit["pleats"]
    plain = edge_light(texels, fit, None)
    assert np.ptp(plain[texels.rim > 2.0]) < 0.01
    assert plain[np.abs(texels.rim - fit["hem_cm"]) < 0.05].max() < 1.0


def test_pleats_are_level_where_the_edges_climb_and_fall() -> None:
    on, asset = scene(), usual(ASSETS["mask-surgical"])
    fit = dict(WORN.place(on, asset, np.random.default_rng(2)).values)
    sheet = drape(head_map(on.mesh_cm), on.mesh_cm, "pleated", fit)
    texels = lay_texels(sheet)
    heights = cv2.resize(sheet.points_cm[..., 1], texels.across.shape[::-1])
    dark = edge_light(texels, fit, pleats_of("pleated", texels, fit))
    rows = [int(np.argmin(np.where(texels.rim[:, j] > 1.5, dark[:, j], 2.0))) for j in (60, 144)]
    edges = np.ptp(heights[-1]) + np.ptp(heights[0])
    assert abs(heights[rows[0], 60] - heights[rows[1], 144]) < 0.5 * edges


def test_surgical_masks_are_straight_bands_from_cheekbone_to_cheekbone() -> None:
    on, widths = scene(), []
    cheeks = on.face.landmarks.points_px[[234, 454], 0]
    for seed in range(8):
        _, layer = wear(on, "mask-surgical", seed)
        columns = np.flatnonzero((layer.silhouette_HW > 0.5).sum(0) > 10)
        widths.append(np.ptp(columns) / np.ptp(cheeks))
    assert 0.85 < np.median(widths) < 1.15


def test_hems_of_surgical_masks_are_paler_and_have_rows_of_dots() -> None:
    on, asset = scene(), usual(ASSETS["mask-surgical"])
    fit = dict(WORN.place(on, asset, np.random.default_rng(2)).values)
    sheet = drape(head_map(on.mesh_cm), on.mesh_cm, "pleated", fit)
    texels = lay_texels(sheet)
    plain = {"binding": 0.0, "hem_tone": 0.0, "stitches": 0.0, "clip": 0.0, "print": 0.0, "weld_dots": 0.0}
    plain |= {"hem_folded": 0.0, "weld_bars": 0.0}

    def albedo(**changes: float) -> F32:
        cloth = np.full((*texels.rim.shape, 3), (0.2, 0.4, 0.5), np.float32)
        trim(cloth, texels, {**fit, **plain, "hem_pale": 0.0, **changes})
        return cloth

    inner, hem = texels.rim > fit["hem_cm"] + 0.1, texels.rim < fit["hem_cm"] - 0.3
    pale = albedo(hem_pale=0.8)
    assert np.array_equal(pale[inner], albedo()[inner])
    assert (pale[hem] > albedo()[hem]).all()
    dots = albedo(weld_dots=0.4)[..., 1] < 0.39
    assert 0.05 < dots[~inner].mean() < 0.6
    assert not dots[inner].any()
    folded = (albedo(hem_folded=0.8) > albedo()).any(2)
    assert folded[texels.rim < 0.15].all()
    assert not folded[texels.rim > 0.3].any()
    bars = albedo(weld_bars=0.4)[..., 1] < 0.39
    assert not bars[texels.inside > fit["hem_cm"]].any()
    side = bars[20:-20][texels.inside[20:-20] < fit["hem_cm"]]
    assert 0.1 < side.mean() < 0.6


def test_every_second_band_round_the_head_is_yellow_and_no_loop_is() -> None:
    on = scene()
    for name, low, high in (("mask-cup", 0.3, 0.7), ("mask-surgical", 0.0, 0.1)):
        colours = [
            WORN.place(on, ASSETS[name], np.random.default_rng(seed)).values["strap_colour"] for seed in range(60)
        ]
        assert low <= np.mean([r > 5 * b and r > 0.3 for r, _, b in colours]) <= high
