"""Hands: whole and right way round, laid on the face, never cut off, and where the landmarks are."""

from __future__ import annotations

import dataclasses
import json
from functools import cache

import cv2
import numpy as np
import pytest

from fdgen.assets import Asset, AssetLibrary
from fdgen.errors import AssetError
from fdgen.occluders.base import Placement
from fdgen.occluders.hands.contact import touchable
from fdgen.occluders.hands.forearm import EXTENSION_DEG, FLEXION_DEG, N_RINGS, wrist_limited
from fdgen.occluders.hands.hand import Hand, hand_mesh
from fdgen.occluders.hands.hand_shape import draw_shape, reshaped
from fdgen.occluders.hands.pose_spec import Pose
from fdgen.occluders.hands.skeleton import DIGITS, JOINTS, HandModel, digit_joints, load_hand, skin
from fdgen.occluders.hands.skin_light import _contrast, adapted
from fdgen.occluders.hands.skin_texture import depth_of_tone
from fdgen.render.kernels import sh_irradiance
from fdgen.render.scene import Scene
from tests.support.scenes import scene

YAWS = (-40.0, -20.0, 0.0, 20.0, 40.0)
HANDS = {asset.id: asset for asset in AssetLibrary.load().select("hand", held_out=True)}


@cache
def turned(yaw_deg: float) -> Scene:
    return scene(yaw_deg=yaw_deg)


def model(side: str) -> HandModel:
    return load_hand(next(iter(HANDS.values())).files[f"{side}.glb"], side, "test")


def place(asset: Asset, over: Scene, seed: int) -> Placement:
    return Hand().place(over, asset, np.random.default_rng(seed))


def bent(curl: float) -> np.ndarray:
    angles = np.zeros((5, 4))
    angles[1:, :3] = curl
    return angles


def test_enough_poses_and_some_held_out() -> None:
    assert len(HANDS) >= 14
    assert sum(asset.held_out for asset in HANDS.values()) == 3
    assert all(asset.licence == "MIT" and asset.id.startswith("hand-") for asset in HANDS.values())


def test_left_and_right_are_one_hand_mirrored() -> None:
    left, right = model("left"), model("right")
    digits = [j for digit in DIGITS for j in digit_joints(digit)]
    assert np.abs(left.joints_cm[digits] - right.joints_cm[digits]).max() < 0.4
    for hand in (left, right):
        tips = hand.joints_cm[[digit_joints(digit)[-1] for digit in DIGITS]]
        assert (tips[1:, 1] > 10).all()
        assert tips[0, 0] < -4, "the thumb lies towards -x"
        assert np.allclose(hand.weights.sum(1), 1.0)
        assert np.allclose(hand.smooth_weight.sum(1), 1.0)
        assert np.allclose(np.linalg.det(hand.frames), 1.0)


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("curl", [0.0, 45.0, 85.0])
def test_skin_is_never_inside_out(side: str, curl: float) -> None:
    hand = model(side)
    cage, joints, _ = skin(hand, bent(curl), 1.1)
    lid = cage[hand.loop].mean(0)
    a, b, c = (cage[hand.cage_faces[:, i]] - lid for i in range(3))
    volume = float(np.einsum("ni,ni->n", a, np.cross(b, c)).sum() / 6)  # of the closed hand, the lid adding nothing
    assert 180 < volume < 700, "a hand holds 0.2 to 0.6 litres; inside-out it would be negative"
    tips = joints[[digit_joints(digit)[-1] for digit in DIGITS[1:]]]
    if curl > 0:
        assert (tips[:, 2] < -2.0).all(), "fingers flex to the palm"


def test_spread_is_towards_the_thumb() -> None:
    hand = model("right")
    angles = bent(0.0)
    angles[1, 3] = 15.0
    moved = skin(hand, angles)[1][digit_joints("index")[-1]]
    assert moved[0] < skin(hand, bent(0.0))[1][digit_joints("index")[-1]][0]


def test_a_broken_mesh_is_named() -> None:
    with pytest.raises(AssetError, match="left hand of asset hand-x"):
        load_hand(b"not a mesh at all, but long enough", "left", "hand-x")


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        ({"surprise": 1}, "shape.surprise"),
        ({"target": {"9999": 1.0}}, "shape.target"),
        ({"anchor": ["elbow"]}, "shape.anchor"),
        ({"press_cm": [0.5, 0.1]}, "shape.press_cm"),
        ({"thumb": [[0, 1]]}, "shape.thumb"),
        ({"fingers": [0, 0, 0]}, "shape.fingers"),
        ({"curl": {}}, "shape.curl"),
        ({"rest": ["toe"]}, "shape.rest"),
        ({"both": 1.5}, "shape.both"),
    ],
)
def test_a_malformed_pose_names_asset_and_key(change: dict, wanted: str) -> None:
    asset = HANDS["hand-palm-over-mouth"]
    broken = dataclasses.replace(asset, shape={**asset.shape, **change})
    with pytest.raises(AssetError, match="hand-palm-over-mouth") as caught:
        Pose.of(broken)
    assert wanted in caught.value.message


def test_a_wrist_bends_only_so_far() -> None:
    rng = np.random.default_rng(0)
    for direction in rng.normal(size=(200, 3)):
        x, y, z = wrist_limited(direction)
        assert y < 0, "the forearm leaves behind the hand"
        assert -FLEXION_DEG - 0.01 <= np.degrees(np.arctan2(z, -y)) <= EXTENSION_DEG + 0.01
        assert abs(np.hypot(np.hypot(x, y), z) - 1) < 1e-9


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(HANDS))
def test_the_arm_always_leaves_the_picture(name: str) -> None:
    asset = HANDS[name]
    for yaw in YAWS:
        over = turned(yaw)
        for seed in (1, 2):
            placement = place(asset, over, seed)
            values = placement.values
            mesh = hand_mesh(over, values, load_hand(asset.files[f"{values['side']}.glb"], values["side"], name))
            screen = over.pose.to_screen(mesh.vertices_cm)[:, :2]
            hand = len(load_hand(asset.files[f"{values['side']}.glb"], values["side"], name).uv)
            loop = len(model(values["side"]).loop) + 1
            rings = screen[hand : hand + (N_RINGS + 1) * loop].reshape(N_RINGS + 1, loop, 2)
            end = rings[-1]
            size = over.size_px
            outside = (end < 0).all(0).any() or (end > size).all(0).any()
            assert outside, f"{name} at yaw {yaw}: the arm ends inside the picture"
            alpha = Hand().render(over, placement, asset).silhouette_HW > 0.5
            if alpha.sum() < 60:
                continue  # hardly anything in the picture
            _, label, stats, _ = cv2.connectedComponentsWithStats(alpha.astype(np.uint8), connectivity=8)
            largest = label == 1 + stats[1:, cv2.CC_STAT_AREA].argmax()
            touches = largest[0].any() or largest[-1].any() or largest[:, 0].any() or largest[:, -1].any()
            assert touches, f"{name} at yaw {yaw}, seed {seed}: a hand without an arm"


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(HANDS))
def test_a_left_hand_is_left_and_a_palm_faces_the_face(name: str) -> None:
    asset, over = HANDS[name], turned(0.0)
    pose = Pose.of(asset)
    for seed in range(4):
        values = place(asset, over, seed).values
        hand = model(values["side"])
        mesh = hand_mesh(over, values, hand)
        surface = mesh.vertices_cm[: len(hand.uv)]
        rest = hand.smooth(hand.cage_cm)
        wrist = surface[np.linalg.norm(rest - hand.joints_cm[0], axis=1) < 3.0].mean(0)
        knuckle = {
            finger: surface[
                np.linalg.norm(rest - hand.joints_cm[JOINTS.index(f"{finger}-finger-phalanx-proximal")], axis=1) < 1.6
            ].mean(0)
            for finger in ("index", "pinky")
        }
        back = hand.smooth(hand.cage_normals)[:, 2] > 0.8
        outwards = mesh.normals[: len(hand.uv)][back & (rest[:, 1] < 7) & (rest[:, 1] > 2)].mean(0)
        # Fingers up and the back of the hand to the viewer, a right hand has its index finger on the left.
        chirality = np.cross(knuckle["pinky"] - knuckle["index"], knuckle["index"] - wrist) @ outwards
        assert (chirality > 0) == (values["side"] == "right")
        if pose.palm[2] < -0.5:
            assert outwards[2] > 0.2, "the back of the hand is what the camera sees"


def test_fingers_rest_on_the_skin() -> None:
    gaps = []
    for asset in HANDS.values():
        pose = Pose.of(asset)
        for yaw in (-25.0, 0.0, 25.0):
            over = turned(yaw)
            values = place(asset, over, 5).values
            hand = model(values["side"])
            mesh = hand_mesh(over, values, hand)
            surface = touchable(over.mesh_cm)
            drawn = mesh.vertices_cm[: len(hand.uv)]
            bone = hand.smooth(hand.weights).argmax(1)
            for digit in pose.rest:
                if digit != "thumb":
                    chain = digit_joints(digit)
                    near = surface.distance(np.ascontiguousarray(drawn[(bone >= chain[0]) & (bone <= chain[-1])])).min()
                    gaps.append(near)
    gaps = np.array(gaps)
    assert np.mean((gaps > -0.75) & (gaps < 0.25)) > 0.85, "most fingers touch, and press no deeper than skin gives"
    assert -0.3 < np.median(gaps) < 0.0
    assert gaps.min() > -1.6


@pytest.mark.parametrize("name", sorted(HANDS))
def test_every_pose_draws_something_where_the_face_is(name: str) -> None:
    over = turned(0.0)
    for seed in (3, 4):
        layer = Hand().render(over, place(HANDS[name], over, seed), HANDS[name])
        assert np.isfinite(layer.colour_HWC).all()
        covered = layer.silhouette_HW > 0.5
        assert 0.004 < covered.mean() < 0.5
        face = over.depth_HW[::2, ::2] > -1e8
        assert (covered & face).sum() > 60


def test_place_is_deterministic_and_render_survives_json() -> None:
    over = turned(20.0)
    for name in ("hand-peeking", "hand-fist-on-chin", "hand-stop"):
        asset = HANDS[name]
        placement = place(asset, over, 11)
        again = place(asset, over, 11)
        assert placement.to_dict() == again.to_dict()
        read = Placement.from_dict(json.loads(json.dumps(placement.to_dict())))
        first, second = Hand().render(over, placement, asset), Hand().render(over, read, asset)
        assert first.colour_HWC.tobytes() == second.colour_HWC.tobytes()
        assert first.shadow_HW.tobytes() == second.shadow_HW.tobytes()
        assert place(asset, over, 12).to_dict() != placement.to_dict()


def test_the_other_hand_does_the_same_on_the_other_side_with_the_same_skin_and_sleeve() -> None:
    over, asset = turned(0.0), HANDS["hand-on-cheek"]
    two = dataclasses.replace(asset, shape={**asset.shape, "both": 1.0})
    one = dataclasses.replace(asset, shape={**asset.shape, "both": 0.0})
    placement, alone = place(two, over, 5), place(one, over, 5)
    other = placement.values["other"]
    assert "other" not in alone.values
    assert {placement.values["side"], other["side"]} == {"left", "right"}
    assert other["skin"] == placement.values["skin"]
    assert other["sleeve"] == placement.values["sleeve"]
    assert other["angles_deg"] != placement.values["angles_deg"]
    both = Hand().render(over, placement, two).silhouette_HW > 0.5
    single = Hand().render(over, alone, one).silhouette_HW > 0.5
    assert both[single].all()
    added = both & ~single
    middle = over.face.landmarks.points_px[4, 0]
    side = np.flatnonzero(added.any(0)).mean() < middle
    assert side == (other["side"] == "right")
    read = Placement.from_dict(json.loads(json.dumps(placement.to_dict())))
    assert (
        Hand().render(over, read, two).colour_HWC.tobytes() == Hand().render(over, placement, two).colour_HWC.tobytes()
    )


@pytest.mark.parametrize(
    "moved",
    [{"shift_px": (116.0, 150.0)}, {"scale_px": 8.2}, {"roll_deg": 14.0}],
    ids=["translated", "scaled", "rotated"],
)
def test_the_hand_moves_with_the_landmarks(moved: dict) -> None:
    before, after = scene(yaw_deg=8.0), scene(yaw_deg=8.0, **moved)
    source = before.face.landmarks.points_px[:468, :2]
    target = after.face.landmarks.points_px[:468, :2]
    warp, _ = cv2.estimateAffinePartial2D(np.ascontiguousarray(target), np.ascontiguousarray(source), method=cv2.LMEDS)
    for name in ("hand-palm-over-mouth", "hand-over-ear", "hand-fingers-over-eye"):
        asset = HANDS[name]
        placement = place(asset, before, 21)
        first = Hand().render(before, placement, asset).silhouette_HW
        second = Hand().render(after, placement, asset).silhouette_HW
        back = cv2.warpAffine(second, warp, (256, 256))
        seen = cv2.warpAffine(np.ones_like(second), warp, (256, 256)) > 0.99
        a, b = (first > 0.5) & seen, (back > 0.5) & seen
        assert (a & b).sum() / (a | b).sum() > 0.9


def test_grey_photographs_stay_grey() -> None:
    over = scene(skin=(140, 140, 140))
    grey = dataclasses.replace(over.light, grey=True, tint=np.ones(3, np.float32))
    over = dataclasses.replace(over, analysis=dataclasses.replace(over.analysis, light=grey))
    values = place(HANDS["hand-on-cheek"], over, 2).values
    assert values["skin"]["red"] == 0.0
    assert np.ptp(values["skin"]["tone"]) < 1e-6


def test_skin_follows_the_face() -> None:
    pale, dark = scene(skin=(226, 190, 172)), scene(skin=(96, 64, 48))
    asset = HANDS["hand-palm-over-mouth"]
    colours = []
    for over in (pale, dark):
        layer = Hand().render(over, place(asset, over, 9), asset)
        inside = layer.silhouette_HW > 0.95
        colours.append((layer.colour_HWC[inside]).mean(0))
    assert (colours[0] > 2.0 * colours[1]).all()


# Shapes of hands.

PLAIN = {"age": 0.5, "wide": 1.0, "deep": 1.0, "lengths": [1.0] * 5, "taper": 0.0, "knobs": 0.0}


def test_a_plain_shape_is_the_mesh_itself() -> None:
    mesh = model("right")
    plain = reshaped(mesh, PLAIN)
    assert np.allclose(plain.cage_cm, mesh.cage_cm)
    assert np.allclose(plain.joints_cm, mesh.joints_cm)


def test_a_shape_lengthens_fingers_and_leaves_the_wrist_to_the_forearm() -> None:
    mesh = model("left")
    longer = reshaped(mesh, {**PLAIN, "lengths": [1.0, 1.0, 1.1, 1.0, 1.0]})
    for digit, factor in (("middle", 1.1), ("ring", 1.0)):
        chain = digit_joints(digit)
        before, after = (np.linalg.norm(np.diff(of.joints_cm[list(chain)], axis=0), axis=1) for of in (mesh, longer))
        assert np.allclose(after, factor * before)
    assert longer.cage_cm[:, 1].max() > mesh.cage_cm[:, 1].max() + 0.5
    assert np.allclose(longer.cage_cm[mesh.loop], mesh.cage_cm[mesh.loop], atol=0.02)
    wide = reshaped(mesh, {**PLAIN, "wide": 1.1})
    assert np.ptp(wide.cage_cm[:, 0]) == pytest.approx(1.1 * np.ptp(mesh.cage_cm[:, 0]))


def test_knobs_thicken_a_finger_at_its_joints() -> None:
    mesh = model("right")
    knobby = reshaped(mesh, {**PLAIN, "knobs": 0.15})
    joint, following = digit_joints("index")[1:3]
    axis = mesh.joints_cm[following] - mesh.joints_cm[joint]
    axis /= np.linalg.norm(axis)

    along = (mesh.cage_cm - mesh.joints_cm[joint]) @ axis
    own = mesh.weights[:, list(digit_joints("index"))].sum(1) > 0.8
    outwards = np.einsum("nc,nc->n", knobby.cage_cm - mesh.cage_cm, mesh.radial)
    at_joint, between = own & (np.abs(along) < 0.3), own & (np.abs(along - 1.1) < 0.3)
    assert at_joint.sum() > 3
    assert (outwards[at_joint] > 0.01).all()
    assert (outwards[between] < 0).all()


def test_drawn_shapes_differ_and_stay_hands() -> None:
    rng = np.random.default_rng(5)
    shapes = [draw_shape(rng) for _ in range(40)]
    assert len({str(shape) for shape in shapes}) == 40
    for shape in shapes:
        shaped = reshaped(model("right"), shape)
        assert np.isfinite(shaped.cage_cm).all()
        assert 15.0 < shaped.cage_cm[:, 1].max() < 23.0


@pytest.mark.parametrize("exposure", [1.0, 0.5, 0.2])
def test_light_skin_in_a_dark_photograph_is_no_dark_skin(exposure: float) -> None:
    light = np.array([0.42, 0.29, 0.22], np.float32)  # red against green: 1.45
    dark = np.array([0.16, 0.075, 0.045], np.float32)  # 2.1
    assert depth_of_tone(light * np.float32(exposure), grey=False) == 0
    assert depth_of_tone(dark, grey=False) > 0.8
    assert depth_of_tone(dark, grey=True) > 0.8  # without colours lightness is all there is


def test_the_same_light_shades_a_hand_more_where_it_falls_aslant() -> None:
    on = scene(yaw_deg=0.0)
    harmonics = np.zeros(9, np.float32)
    harmonics[0], harmonics[1] = 0.6, 0.3  # from the viewer's right
    light = dataclasses.replace(on.light, harmonics=harmonics, floor=0.1, mean_irradiance=0.6)
    lit = dataclasses.replace(on, analysis=dataclasses.replace(on.analysis, light=light))
    view = lit.pose.to_view(np.array([[1.0, 0.0, 0.0], [-1.0, 0.0, 0.0]])).astype(np.float32)
    right, left = _contrast(lit, sh_irradiance(view, light.harmonics, light.floor))
    assert right > 1.1
    assert left < 0.85


@pytest.mark.parametrize("off", [0.5, 2.0])
def test_skin_that_is_drawn_darker_or_lighter_than_the_face_comes_most_of_the_way_back(off: float) -> None:
    over = scene()
    look = np.tile([[0.0, 0.0, 1.0]], (60, 1)) @ over.pose.rotation  # all of it faces the viewer
    where = np.tile(over.mesh_cm[[50]], (60, 1))
    own = adapted(over, over.light.skin_reflectance, where, look)[0]
    drawn = adapted(over, over.light.skin_reflectance * np.float32(off), where, look)[0]
    assert np.log(drawn / own) == pytest.approx(0.2 * np.log(off) * np.ones(3), abs=0.01)


def test_a_hand_beyond_the_picture_keeps_its_light() -> None:
    over = scene()
    look = np.tile([[0.0, 0.0, 1.0]], (60, 1)) @ over.pose.rotation
    where = np.full((60, 3), 500.0)
    drawn = adapted(over, np.full(3, 0.3, np.float32), where, look)
    double = adapted(over, np.full(3, 0.6, np.float32), where, look)
    assert np.allclose(double, 2 * drawn, rtol=1e-5)
