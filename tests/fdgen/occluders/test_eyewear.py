"""Sunglasses: where they sit, that they move with the face, that lenses darken and never veil."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from functools import cache
from typing import Any

import cv2
import numpy as np
import pytest

from fdgen.analysis.lighting import to_linear
from fdgen.assets import Asset, AssetLibrary
from fdgen.contract.digests import canonical_json
from fdgen.errors import AssetError
from fdgen.occluders.base import Placement
from fdgen.occluders.environment import draw_surroundings, surroundings
from fdgen.occluders.eyewear.fit import face_depth, fit_front, seen_of
from fdgen.occluders.eyewear.frame_mesh import Front
from fdgen.occluders.eyewear.materials import draw_lens, lens_material
from fdgen.occluders.eyewear.spec import FrameSpec
from fdgen.occluders.eyewear.sunglasses import Sunglasses, build_mesh, fitted
from fdgen.render.draw import Layer
from fdgen.render.scene import Scene
from tests.support import scenes

ASSETS = {name: asset for name, asset in AssetLibrary.load().assets.items() if asset.kind == "sunglasses"}
NAMES = sorted(ASSETS)
WORN = Sunglasses()


@cache
def scene(yaw_deg: float = 0.0) -> Scene:
    return scenes.scene(yaw_deg=yaw_deg)


def placed(on: Scene, name: str, seed: int = 0, *, pushed_up: bool = False) -> Placement:
    """Place a frame with the first generator from `seed` on that puts it before the eyes, or on the forehead."""
    for k in range(400):
        placement = WORN.place(on, ASSETS[name], np.random.default_rng([seed, k] if k else seed))
        if placement.values["pushed_up"] == pushed_up:
            return placement
    raise AssertionError("never drawn")


def wear(on: Scene, name: str, seed: int = 0) -> tuple[Placement, Layer]:
    placement = placed(on, name, seed)
    return placement, WORN.render(on, placement, ASSETS[name])


def altered(placement: Placement, **tables: dict[str, Any]) -> Placement:
    """Return a placement with some keys of its tables replaced."""
    values = copy.deepcopy(dict(placement.values))
    for table, entries in tables.items():
        values[table] |= entries
    return replace(placement, values=values)


def pupils(on: Scene) -> list[tuple[int, int]]:
    """Row and column of the middle of each eye."""
    points = on.face.landmarks.points_px
    middles = [points[list(corners), :2].mean(0) for corners in ((33, 133), (263, 362))]
    return [(round(float(y)), round(float(x))) for x, y in middles]


def test_there_is_variety_and_some_of_it_is_held_out() -> None:
    assert len(NAMES) >= 14
    assert 2 <= sum(asset.held_out for asset in ASSETS.values()) <= 4
    specs = [FrameSpec.of(asset) for asset in ASSETS.values()]
    assert len({spec.construction for spec in specs}) >= 4
    assert len({spec.bridge for spec in specs}) >= 4


@pytest.mark.parametrize("name", NAMES)
def test_every_frame_covers_the_eyes_and_stays_on_the_face(name: str) -> None:
    for yaw_deg in (-40.0, -18.0, 0.0, 25.0, 40.0):
        on = scene(yaw_deg)
        _, layer = wear(on, name, seed=abs(int(yaw_deg)))
        assert np.isfinite(layer.colour_HWC).all()
        assert layer.colour_HWC.min() >= 0
        rows, columns = np.nonzero(layer.silhouette_HW > 0.5)
        (right_y, right_x), (left_y, left_x) = pupils(on)
        across = 14.4 * on.pose.scale_px
        assert 0.25 * across < np.ptp(columns) < 1.25 * across
        assert abs(rows.mean() - 0.5 * (right_y + left_y)) < 2.0 * on.pose.scale_px
        assert rows.max() < on.face.landmarks.points_px[0, 1] + 1.0 * on.pose.scale_px  # above the mouth
        near = (right_y, right_x) if yaw_deg > 0 else (left_y, left_x)
        assert layer.silhouette_HW[near] > 0.95
        if abs(yaw_deg) < 20:
            assert min(layer.silhouette_HW[p] for p in pupils(on)) > 0.95


@pytest.mark.parametrize("name", NAMES)
def test_the_bridge_rests_on_the_nose_and_rims_clear_the_face(name: str) -> None:
    on, asset = scene(), ASSETS[name]
    spec = FrameSpec.of(asset)
    values = placed(on, name, 4).values
    front = Front.draw(spec, values["shape"], values["rim_cm"], values["wobble_seed"])
    fit = fit_front(on.mesh_cm, front, spec, values["wear"])
    vertices = build_mesh(on, front, fit, spec, values).vertices_cm
    nose = on.mesh_cm[[168, 6, 197, 195]]
    middle = vertices[np.abs(vertices[:, 0] - nose[:, 0].mean()) < 0.3]
    ridge = np.interp(middle[:, 1], nose[::-1, 1], nose[::-1, 2])
    assert -0.2 < (middle[:, 2] - ridge).min() < 0.8
    before_eye, _, _ = front.bend(np.array([[front.centre_x, 0.0], [-front.centre_x, 0.0]]))
    eyes = on.mesh_cm[[159, 386], 2].mean()
    assert 0.6 < (fit.to_head(before_eye)[:, 2] - eyes).min() < 3.2


@pytest.mark.parametrize("name", ["sunglasses-wayfarer", "sunglasses-aviator", "sunglasses-shield"])
def test_some_are_pushed_up_and_lie_on_the_forehead(name: str) -> None:
    on = scene()
    placement = placed(on, name, pushed_up=True)
    layer = WORN.render(on, placement, ASSETS[name])
    rows = np.nonzero(layer.silhouette_HW > 0.5)[0]
    brows_y = on.face.landmarks.points_px[[105, 334], 1].mean()
    assert rows.mean() < brows_y
    assert max(layer.silhouette_HW[p] for p in pupils(on)) < 0.05
    _, front, fit = fitted(on, placement.values, ASSETS[name])
    rims, _, _ = front.bend(front.outer)
    before = fit.to_head(rims)
    assert (before[:, 2] > face_depth(on.mesh_cm, before[:, :2]) - 0.05).all()


def test_about_one_in_twenty_five_is_pushed_up() -> None:
    on, asset = scene(), ASSETS["sunglasses-round"]
    drawn = [WORN.place(on, asset, np.random.default_rng(seed)).values["pushed_up"] for seed in range(400)]
    assert 0.02 < np.mean(drawn) < 0.07


def test_placing_is_a_function_of_the_generator_alone() -> None:
    on, asset = scene(), ASSETS["sunglasses-wayfarer"]
    first, second = (WORN.place(on, asset, np.random.default_rng(5)) for _ in range(2))
    other = WORN.place(on, asset, np.random.default_rng(6))
    assert first == second
    assert first.values["shape"] != other.values["shape"]
    assert first.values["wear"] != other.values["wear"]


@pytest.mark.parametrize("name", NAMES[::3])
def test_a_placement_read_back_from_json_renders_the_same_bytes(name: str) -> None:
    on = scene(25.0)
    placement, layer = wear(on, name, seed=8)
    read = Placement.from_dict(json.loads(canonical_json(placement.to_dict())))
    again = WORN.render(on, read, ASSETS[name])
    assert layer.colour_HWC.tobytes() == again.colour_HWC.tobytes()
    assert layer.opacity_HW.tobytes() == again.opacity_HW.tobytes()
    assert layer.shadow_HW.tobytes() == again.shadow_HW.tobytes()


@pytest.mark.parametrize(
    ("scale", "turn_deg", "shift"), [(1.0, 0.0, (11.0, -9.0)), (0.85, 0.0, (0.0, 0.0)), (1.08, 14.0, (4.0, 6.0))]
)
def test_moving_the_landmarks_moves_the_glasses(scale: float, turn_deg: float, shift: tuple[float, float]) -> None:
    base = {"scale_px": 9.0, "yaw_deg": 12.0, "shift_px": (128.0, 138.0)}
    moved_pose = {
        "scale_px": 9.0 * scale,
        "yaw_deg": 12.0,
        "shift_px": (128.0 + shift[0], 138.0 + shift[1]),
    }
    here = scenes.scene(**base)  # type: ignore[arg-type]
    marks = scenes.landmarks(**moved_pose)  # type: ignore[arg-type]
    points = marks.points_px.copy()
    centre = np.array(moved_pose["shift_px"])
    spin = cv2.getRotationMatrix2D((0.0, 0.0), -turn_deg, 1.0)[:, :2]
    points[:, :2] = np.round(((points[:, :2] - centre) @ spin.T + centre) * 16) / 16
    picture = scenes.face(**moved_pose).clean_HWC  # type: ignore[arg-type]
    there = Scene.of(replace(scenes.face(**moved_pose), clean_HWC=picture, landmarks=replace(marks, points_px=points)))  # type: ignore[arg-type]

    for name in ("sunglasses-wayfarer", "sunglasses-aviator", "sunglasses-shield"):
        placement, layer = wear(here, name, seed=2)
        moved = WORN.render(there, placement, ASSETS[name])
        warp = np.column_stack([scale * spin, centre - scale * spin @ np.array(base["shift_px"])])
        expected = cv2.warpAffine(layer.silhouette_HW, warp, (256, 256)) > 0.5
        seen = moved.silhouette_HW > 0.5
        assert (expected & seen).sum() / (expected | seen).sum() > 0.93, name


@pytest.mark.parametrize("tint", [[1.0, 1.0, 1.0], [2.3, 1.5, 1.0], [1.0, 1.35, 2.1]])
def test_a_lens_multiplies_what_lies_behind_and_adds_nothing(tint: list[float]) -> None:
    on = scene()
    placement, _ = wear(on, "sunglasses-square", seed=3)
    through = 0.3
    lens = {"through": [through, through], "tint": tint, "mirror": [0.0, 0.0, 0.0], "haze": 0.0}
    layer = WORN.render(on, altered(placement, lens=lens), ASSETS["sunglasses-square"])
    behind = to_linear(on.face.clean_HWC) * (1 - layer.shadow_HW[..., None] * layer.shadow_rgb)
    seen = behind * (1 - layer.opacity_HW[..., None]) + layer.colour_HWC
    for row, column in pupils(on):
        box = (slice(row - 2, row + 3), slice(column - 2, column + 3))
        ratio = seen[box].mean((0, 1)) / behind[box].mean((0, 1))
        assert ratio == pytest.approx(through * np.array(tint), abs=0.04)


def test_a_clear_lens_still_counts_as_occluder() -> None:
    on = scene()
    placement, _ = wear(on, "sunglasses-round", seed=3)
    layer = WORN.render(on, altered(placement, lens={"through": [0.8, 0.8]}), ASSETS["sunglasses-round"])
    for p in pupils(on):
        assert layer.silhouette_HW[p] == pytest.approx(1.0, abs=1e-3)
        assert layer.opacity_HW[p] == pytest.approx(0.2, abs=0.02)


def test_a_mirror_reflects_in_its_own_colour() -> None:
    on = scene()
    placement, _ = wear(on, "sunglasses-aviator", seed=3)
    lens = {"through": [0.01, 0.01], "tint": [1.0, 1.0, 1.0], "mirror": [0.1, 0.3, 1.0]}
    layer = WORN.render(on, altered(placement, lens=lens), ASSETS["sunglasses-aviator"])
    for row, column in pupils(on):
        red, _, blue = layer.colour_HWC[row - 3 : row + 4, column - 3 : column + 4].mean((0, 1))
        assert blue > 2 * red  # beside the white glint of the lamp


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("fit", None, "missing"),
        ("fit", [1.2, 0.9], "low, high"),
        ("tilt_deg", [0.0, 90.0], "within"),
        ("lens_width_cm", ["wide", 5.0], "2 numbers"),
        ("outline", [[0, 0, 0]], "at least 4"),
        ("rim", [[0, 1]], "3 numbers"),
        ("bridge", "drawbridge", "one of"),
        ("finishes", {"ivory": 1.0}, "unknown"),
        ("lenses", {"dark": 0}, "greater than 0"),
        ("glitter", 1.0, "not a parameter"),
    ],
)
def test_a_wrong_table_is_refused_by_name(key: str, value: object, said: str) -> None:
    asset = ASSETS["sunglasses-wayfarer"]
    shape = {name: entry for name, entry in {**asset.shape, key: value}.items() if entry is not None}
    with pytest.raises(AssetError) as caught:
        FrameSpec.of(replace(asset, shape=shape))
    assert asset.id in caught.value.message
    assert key in caught.value.message
    assert said in caught.value.message


def test_every_range_of_every_frame_is_open_to_the_table() -> None:
    """No key is read that a table need not give: a new frame is a table alone."""
    for asset in ASSETS.values():
        assert set(FrameSpec.of(asset).ranges) < set(asset.shape)
        assert isinstance(asset, Asset)


@pytest.mark.parametrize("size_px", [64, 128, 512])
def test_glasses_are_drawn_at_any_size(size_px: int) -> None:
    scale = size_px / 256
    pose = {"scale_px": 9.4 * scale, "shift_px": (128.0 * scale, 142.0 * scale), "size_px": size_px}
    on = scenes.scene(**pose)  # type: ignore[arg-type]
    _, layer = wear(on, "sunglasses-aviator", seed=1)
    _, whole = wear(scene(), "sunglasses-aviator", seed=1)
    assert layer.silhouette_HW.shape == (size_px, size_px)
    assert layer.silhouette_HW.mean() == pytest.approx(whole.silhouette_HW.mean(), rel=0.05)


@pytest.mark.parametrize(("pitch_deg", "roll_deg"), [(-28.0, 0.0), (24.0, 0.0), (0.0, 25.0), (-10.0, -20.0)])
def test_glasses_follow_a_nodding_and_a_tilted_head(pitch_deg: float, roll_deg: float) -> None:
    on = scenes.scene(pitch_deg=pitch_deg, roll_deg=roll_deg)
    for name in ("sunglasses-square", "sunglasses-wrap", "sunglasses-rimless"):
        _, layer = wear(on, name, seed=1)
        assert min(layer.silhouette_HW[p] for p in pupils(on)) > 0.95, name


def test_what_lenses_reflect_has_edges_and_no_more_light_than_wires_bear() -> None:
    on = scene()
    sharp = []
    for seed in range(6):
        values = draw_surroundings(np.random.default_rng(seed))
        place = surroundings(on, values)
        assert place.shape == (192, 384, 3)
        assert np.isfinite(place).all()
        assert 0.0 <= place.min() <= place[60:].max() <= 12.0
        assert np.array_equal(place, surroundings(on, json.loads(json.dumps(values))))
        middle = place[60:130, 96:288, 1]  # before the face
        sharp.append(np.abs(np.diff(middle, axis=1)).max() / middle.mean())
    assert np.median(sharp) > 0.3  # a step within one texel, not a slope


def test_the_edge_of_a_lens_shines_and_clear_ones_hardly() -> None:
    y, edge = np.zeros(2), np.array([0.0, 1.0])
    dark, clear = (draw_lens(np.random.default_rng(3), {kind: 1.0}) for kind in ("dark", "coated"))
    gained = [np.diff(np.asarray(lens_material(lens, y, 4.0, edge).mirror), axis=0).max() for lens in (dark, clear)]
    assert gained[0] > 0.1 > gained[1] > 0.0


def test_the_far_half_of_a_front_is_as_much_narrower_as_that_of_the_face() -> None:
    on = scene()
    placement = placed(on, "sunglasses-wayfarer")
    spec, front, even = fitted(on, placement.values, ASSETS["sunglasses-wayfarer"])
    mesh = on.mesh_cm.copy()
    mesh[[33, 133], 0] *= 0.9
    uneven = fit_front(mesh, front, spec, placement.values["wear"])
    assert even.widths == pytest.approx((1.0, 1.0), abs=0.02)
    assert uneven.widths[0] / uneven.widths[1] == pytest.approx(0.9, abs=0.02)
    left, right = (uneven.to_head(np.array([[x, 0.0, 0.0]])) - uneven.origin for x in (-3.0, 3.0))
    assert np.linalg.norm(left) / np.linalg.norm(right) == pytest.approx(0.9, abs=0.02)


@pytest.mark.parametrize("name", ["sunglasses-narrow", "sunglasses-wayfarer", "sunglasses-oval-acetate"])
def test_a_temple_is_no_higher_than_the_front_at_its_hinge(name: str) -> None:
    on = scene()
    for seed in range(4):
        placement = altered(placed(on, name, seed), shape={"temple_height_cm": 2.4})
        spec, front, fit = fitted(on, placement.values, ASSETS[name])
        mesh = build_mesh(on, front, fit, spec, placement.values)
        for strand in mesh.strands:
            first = mesh.vertices_cm[strand.start : strand.start + strand.ring]
            side = np.sign(first[:, 0].mean())
            top = fit.to_head(front.bend(front.outer * (side, 1.0))[0])[:, 1].max()  # worn askew, one side is higher
            assert first[:, 1].max() < top + 0.2  # of a narrow front: its temple is 0.32 cm high, about its hinge


def test_the_tip_of_a_temple_fades() -> None:
    on = scene()
    placement = placed(on, "sunglasses-wayfarer")
    spec, front, fit = fitted(on, placement.values, ASSETS["sunglasses-wayfarer"])
    mesh = build_mesh(on, front, fit, spec, placement.values)
    for strand in mesh.strands:
        presence = mesh.surface_N8[strand.start : strand.start + strand.rings * strand.ring, 1]
        rings = presence.reshape(strand.rings, strand.ring)
        assert (rings[:10] == 1).all()
        assert (rings[-1] == 0).all()
        assert (np.diff(rings, axis=0) <= 0).all()


def test_on_the_far_side_of_a_turned_head_no_temple_sticks_out_into_the_air() -> None:
    """Its path may swing out from the head; what is drawn ends within 0.6 cm outside the hinge."""
    on, away = scene(-30.0), np.zeros((8, 3))
    for side in (-1, 1):
        far = -float(on.pose.rotation[2, 0]) * side > 0
        away[:, 0] = side * np.linspace(0.0, 1.4, 8)
        path = on.pose.to_head(np.array([[128.0, 128.0, 0.0]])) + away
        seen = seen_of(on, path, side)
        if not far:
            assert (seen == 1).all()
            continue
        out_cm = side * (on.pose.to_screen(path)[:, 0] - on.pose.to_screen(path)[0, 0]) / on.pose.scale_px
        assert (seen[out_cm > 0.6] == 0).all()
        assert (seen[out_cm < 0.3] == 1).all()
        back = path - 0.2 * away  # bent back, it stays out of sight
        assert (np.diff(seen_of(on, np.concatenate([path, back[::-1]]), side)) <= 0).all()
    assert (seen_of(scene(), path, 1) == 1).all()


def test_nose_pads_are_seen_through_and_sit_on_arms() -> None:
    on, name = scene(), "sunglasses-aviator"
    placement = placed(on, name)
    spec, front, fit = fitted(on, placement.values, ASSETS[name])
    mesh = build_mesh(on, front, fit, spec, placement.values)
    pad, arm = front.disc_mesh(196.0, -0.22, 0.2, -0.45), front.pad_arm_mesh(196.0, -0.22, -0.45, 0.06)
    middle = fit.to_head(pad.vertices[:1])
    clear = mesh.surface_N8[np.linalg.norm(mesh.vertices_cm - middle, axis=1).argmin(), 0]
    assert 0.2 < clear < 0.6
    assert np.linalg.norm(arm.vertices[-6:].mean(0) - pad.vertices[0]) < 0.15
