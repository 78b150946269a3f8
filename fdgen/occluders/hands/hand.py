"""Hands on and before the face: a posed skeleton placed on this person's own surface, with this person's skin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from fdgen.analysis.geometry import canonical_face, cross, lengths, mirror_image, rotation_matrix, vertex_normals
from fdgen.arrays import F32, F64
from fdgen.assets import Asset
from fdgen.errors import AssetError
from fdgen.occluders.base import Placement
from fdgen.occluders.hands.contact import Surface, rest_digits, settle, touchable
from fdgen.occluders.hands.forearm import ARM_CM, arm_line, arm_rings, rings_at, tube_mesh, wrist_limited
from fdgen.occluders.hands.hand_shape import draw_shape, reshaped
from fdgen.occluders.hands.jewellery import draw_jewellery, jewellery_mesh, surroundings
from fdgen.occluders.hands.joint_turns import seen_faces
from fdgen.occluders.hands.pose_spec import Pose
from fdgen.occluders.hands.skeleton import DIGITS, JOINTS, HandModel, digit_joints, load_hand, skin
from fdgen.occluders.hands.skin_features import ATLAS_PX, STRIP_CM, STRIP_PX, STRIP_WIDTH_PX, TEXTURE_PX, atlas_of
from fdgen.occluders.hands.skin_light import adapted
from fdgen.occluders.hands.skin_texture import draw_skin, skin_texture
from fdgen.occluders.hands.sleeve import draw_sleeve, paint_cloth, sleeve_mesh
from fdgen.render.draw import Layer, Style, draw
from fdgen.render.mesh import Material, Mesh, join, part
from fdgen.render.scene import Scene

_MIRROR = np.array([-1.0, 1.0, 1.0])

_HAND_LENGTH_CM = 17.4
"""Wrist crease to fingertip of the model; a hand is as long as its owner's face is high, hairline to chin."""

_SHADOW = 1.25
"""Of the shadow of hands: skin that they press on meets no light at all."""

OCCLUSION = 1.4
"""Of hands: fingers hide the sky from each other more than their depth in the picture shows."""

_RELIEF = 1.7
"""Scale of the shading of folds, tendons and veins, by a light of one direction."""

_TURNED_AWAY = -0.25
"""Cosine between the viewer and the normals of skin that cannot be seen; some are a little off what is drawn."""

_FACE_HEIGHT = 1.02
"""Hairline to chin over landmarks 10 to 152."""


_ARM_CLEARANCE_CM = 2.6
"""How near the axis of the forearm may come to the face."""

_LEAST_ACROSS = 0.5
"""Least share of the forearm's direction that lies in the plane of the picture, so that it leaves it."""

_CLOTH_ROW = ATLAS_PX + STRIP_PX
"""Row of the texture where the cloth of sleeves begins."""

_OF_PALM, _OF_KNUCKLES = np.zeros((2, len(JOINTS)), np.bool_)
"""Which joints move the palm, and which the backs of the fingers."""
_OF_PALM[[0, 1, 5, 10, 15, 20, 6, 11, 16, 21]] = True
_OF_KNUCKLES[[joint for digit in DIGITS[1:] for joint in digit_joints(digit)[:3]]] = True

_CAMERA_CM = 90.0
"""Distance of the camera, as a portrait is taken: what is held towards it looks larger."""


@dataclass(frozen=True, slots=True)
class Stance:
    """How a hand is held: `rotation` (3, 3) and `scale` carry its frame to the head's; `girth` is its fingers'.

    `model` is in the `shape`, which `hand_shape` drew.
    """

    pose: Pose
    model: HandModel
    shape: Mapping[str, Any]
    rotation: F64
    scale: float
    girth: float

    def to_head(self, points_cm: F64, origin_cm: F64) -> F64:
        """Carry points (N, 3) of the hand's frame to the head's."""
        result: F64 = points_cm @ self.rotation.T * self.scale + origin_cm
        return result


@dataclass(frozen=True, slots=True)
class Hand:
    """One hand or two, left or right, with the forearm, which always leaves the picture."""

    kind: str = "hand"

    def place(self, scene: Scene, asset: Asset, rng: np.random.Generator) -> Placement:
        """Draw the side, the posture and the skin; now and then the other hand does the same on its side."""
        pose = Pose.of(asset)
        side = _draw_side(scene, pose, rng)
        shape = draw_shape(rng)
        placement = self._place(scene, asset, side, shape, rng)
        if rng.random() >= pose.both:
            return placement
        other = self._place(scene, asset, "left" if side == "right" else "right", shape, rng).values
        same = {key: placement.values[key] for key in ("skin", "sleeve", "stout", "girth")}
        return replace(placement, values={**placement.values, "other": {**other, **same}})

    def _place(
        self, scene: Scene, asset: Asset, side: str, shape: Mapping[str, Any], rng: np.random.Generator
    ) -> Placement:
        """Place one hand on the face and bend its fingers to it."""
        pose = Pose.of(asset)
        mirrored = side == "left"
        surface = touchable(scene.mesh_cm, mirrored=mirrored)
        angles = pose.posture(rng)
        away = None if pose.away_cm is None else float(rng.uniform(*pose.away_cm))
        scale = draw_size(scene, rng)
        stance = Stance(
            pose=pose,
            model=reshaped(_model(asset, side), shape),
            shape=shape,
            rotation=_orientation(pose, rng),
            scale=scale * (1.0 + (away or 0.0) / _CAMERA_CM),
            girth=float(rng.normal(1.10, 0.045)),
        )
        target = _target(scene, pose, mirrored) + [rng.uniform(*bounds) for bounds in pose.offset_cm]
        origin, angles = bring_to_face(stance, angles, target, float(rng.uniform(*pose.press_cm)), away, surface)
        arm = arm_direction(scene, stance, origin, surface, mirrored, rng)
        values = hand_values(scene, stance, side, angles, origin, arm, rng)
        return Placement(self.kind, asset.id, int(rng.integers(2**31)), values)

    def render(self, scene: Scene, placement: Placement, asset: Asset) -> Layer:
        """Draw the hand as it was placed."""
        pose = Pose.of(asset)
        mesh = hand_mesh(scene, placement.values, _model(asset, placement.values["side"]))
        if "other" in placement.values:  # of the same person, in the same clothes: one texture does for both
            other = placement.values["other"]
            twin = hand_mesh(scene, other, _model(asset, other["side"]), texture=mesh.texture)
            mesh = join([mesh, twin], texture=mesh.texture)
        style = Style(bias_cm=pose.bias_cm, translucent=True, occlusion=OCCLUSION, shadow=_SHADOW)
        return draw(scene, mesh, style, environment=surroundings())


def hand_values(
    scene: Scene, stance: Stance, side: str, angles: F64, origin: F64, arm: F64, rng: np.random.Generator
) -> dict[str, Any]:
    """Draw the rest of a hand, and return all of it as JSON values for `hand_mesh`.

    Args:
        scene: The face, with its light and skin.
        stance: How the hand is held.
        side: `left` or `right`.
        angles: Of its joints, in degrees.
        origin: Where its wrist is, (3,) in cm of the head.
        arm: Direction of its forearm, (3,).
        rng: Decides sleeve, jewellery, skin and how stout the arm is.
    """
    return {
        "side": side,
        "angles_deg": np.round(angles, 4).tolist(),
        "girth": round(stance.girth, 5),
        "scale": round(stance.scale, 5),
        "turn": np.round(stance.rotation, 6).tolist(),
        "origin_cm": np.round(origin, 5).tolist(),
        "arm": np.round(arm, 5).tolist(),
        "stout": round(float(rng.uniform(0.7, 1.25)), 5),
        "sleeve": draw_sleeve(rng),
        "jewellery": draw_jewellery(rng),
        "shape": dict(stance.shape),
        "skin": draw_skin(rng, scene.light.skin_reflectance, float(stance.shape["age"]), grey=scene.light.grey),
    }


def draw_size(scene: Scene, rng: np.random.Generator) -> float:
    """Draw the scale of a hand that belongs to this face."""
    height = _FACE_HEIGHT * float(scene.mesh_cm[10, 1] - scene.mesh_cm[152, 1])
    return float(np.clip(rng.normal(1.03, 0.04), 0.92, 1.12)) * height / _HAND_LENGTH_CM


def hand_mesh(scene: Scene, values: Mapping[str, Any], model: HandModel, *, texture: F32 | None = None) -> Mesh:
    """Build the mesh of a placed hand, in head cm; None for its texture paints one."""
    rotation, origin, scale = np.array(values["turn"]), np.array(values["origin_cm"]), float(values["scale"])
    shaped = reshaped(model, values["shape"])
    cage, joints, _ = skin(shaped, values["angles_deg"], values["girth"])
    cage_normals = vertex_normals(cage, model.cage_faces)
    cage = cage @ rotation.T * scale + origin
    joints = joints @ rotation.T * scale + origin
    cage_normals = cage_normals @ rotation.T
    vertices = model.smooth(cage)
    normals = model.smooth(cage_normals)
    normals /= lengths(normals) + 1e-12

    look = values["skin"]
    albedo = np.clip(scene.light.skin_reflectance * np.array(look["tone"], np.float32), 0.0, 0.9)
    left = values["side"] == "left"
    as_seen = (mirror_image(vertices), mirror_image(normals)) if left else (vertices, normals)
    albedo = adapted(scene, albedo, *as_seen)
    shine = atlas_of(model).shiny
    skin_of = Material(
        albedo, specular=look["shine"] + shine * (0.22 + 0.20 * look["polish"]), gloss=12.0 + 50.0 * shine
    )
    uv = model.uv * np.array([1.0, ATLAS_PX / TEXTURE_PX[0]], np.float32)
    # The hand is closed: half of it is behind the other half. The open wrist is behind the forearm.
    faces = seen_faces(model.faces, normals, scene.pose.rotation[2] * (_MIRROR if left else 1.0), _TURNED_AWAY)
    parts = [part(vertices, faces, skin_of, normals=normals, uv_N2=uv)]

    loop = cage[model.loop]
    arm = arm_line(loop.mean(0), rotation, np.array(values["arm"]), scale)
    rings = arm_rings(arm, loop, rotation, stout=values["stout"])
    # The first ring reaches under the hand's rim: its edges are longer than the rim's, and cracks would show.
    tucked = rings_at(arm, rings, np.array([-0.35]))
    middle = tucked.mean(1, keepdims=True)
    tucked = middle + 0.93 * (tucked - middle)
    vertices, faces, normals, uv = tube_mesh(np.concatenate([tucked, rings]))
    at_loop = np.append(model.loop, model.loop[0])
    normals[: 2 * len(at_loop)] = np.tile(cage_normals[at_loop], (2, 1))
    strip = (ATLAS_PX + 1.0 + (STRIP_PX - 2.0) * _to_and_fro(uv[:, 1] * ARM_CM / STRIP_CM)) / TEXTURE_PX[0]
    column = (0.5 + (STRIP_WIDTH_PX - 1.0) * uv[:, 0]) / ATLAS_PX
    bare = Material(albedo.mean(0), specular=look["shine"], gloss=12.0)
    parts.append(part(vertices, faces, bare, normals=normals, uv_N2=np.column_stack([column, strip])))
    sleeve = values["sleeve"]
    if texture is None:
        texture = _texture(scene, values, model, rotation)
    if sleeve:
        down = -scene.pose.rotation[1] * (_MIRROR if left else 1.0)
        rows = ((_CLOTH_ROW + 1.0) / TEXTURE_PX[0], (TEXTURE_PX[0] - 1.0) / TEXTURE_PX[0])
        parts += sleeve_mesh(arm, rings, sleeve, down, rows)
    covered = float(sleeve["at_cm"]) if sleeve else 99.0
    parts += jewellery_mesh(model, cage, joints, arm, rings, scale, values["jewellery"], covered)
    mesh = join(parts, texture=texture)
    return _mirrored(mesh) if left else mesh


def _texture(scene: Scene, values: Mapping[str, Any], model: HandModel, rotation: F64) -> F32:
    """Paint the skin of a placed hand, and the cloth of its sleeve below it."""
    light, look = scene.light, values["skin"]
    towards = scene.pose.rotation.T @ light.direction * (_MIRROR if values["side"] == "left" else 1.0)
    texture = skin_texture(model, look, rotation.T @ towards * (_RELIEF * light.directional * look["relief"]))
    if values["sleeve"]:
        paint_cloth(texture[_CLOTH_ROW:], values["sleeve"])
    return texture


def _to_and_fro(x: F64) -> F64:
    """Fold a coordinate into 0..1: up, then down, so that a texture repeats without a seam."""
    result: F64 = 1.0 - np.abs(x % 2.0 - 1.0)
    return result


def _mirrored(mesh: Mesh) -> Mesh:
    """Reflect a mesh: the left hand was made as a right one."""
    return replace(
        mesh,
        vertices_cm=mirror_image(mesh.vertices_cm),
        normals=mirror_image(mesh.normals),
        faces=np.ascontiguousarray(mesh.faces[:, ::-1]),
    )


def _model(asset: Asset, side: str) -> HandModel:
    """Return the model of the asset's hand; raise `AssetError` where the asset has none."""
    try:
        data = asset.files[f"{side}.glb"]
    except KeyError:
        raise AssetError(f"the hand {asset.id} lists no file {side}.glb", hint="add it to `files`") from None
    return load_hand(data, side, asset.id)


def _draw_side(scene: Scene, pose: Pose, rng: np.random.Generator) -> str:
    """Draw which hand: for poses on a cheek mostly the one on the side that is seen."""
    yaw = scene.pose.yaw_deg  # positive: the viewer's left side of the face is seen, where the right hand is
    right = 0.5 + 0.45 * np.tanh(yaw / 12.0) if pose.near_side else 0.5 + 0.1 * np.tanh(yaw / 12.0)
    return "right" if rng.random() < right else "left"


@lru_cache(maxsize=1)
def _opposite() -> npt.NDArray[np.int64]:
    """Return for each vertex of the face its mirror image (468,)."""
    vertices = canonical_face().vertices_cm
    reflected = vertices * _MIRROR
    nearest: npt.NDArray[np.int64] = ((reflected[:, None] - vertices[None]) ** 2).sum(-1).argmin(1)
    return nearest


def _target(scene: Scene, pose: Pose, mirrored: bool) -> F64:
    """Return where the anchor goes, in the frame of the right hand's head."""
    index = np.array([landmark for landmark, _ in pose.target])
    weight = np.array([w for _, w in pose.target])
    points = scene.mesh_cm[_opposite()[index]] * _MIRROR if mirrored else scene.mesh_cm[index]
    result: F64 = weight @ points / weight.sum()
    return result


def _orientation(pose: Pose, rng: np.random.Generator) -> F64:
    """Draw how the hand is turned: (3, 3), the hand's frame to the head's."""
    up = np.array(pose.fingers) / np.linalg.norm(pose.fingers)
    back = -np.array(pose.palm)
    back -= up * (back @ up)
    back /= np.linalg.norm(back)
    jitter = np.radians(np.clip(rng.normal(0, pose.jitter_deg, 3), -2 * pose.jitter_deg, 2 * pose.jitter_deg))
    result: F64 = rotation_matrix(jitter) @ np.stack([cross(up, back), up, back], 1)
    return result


def _part_vertices(model: HandModel, name: str) -> npt.NDArray[np.int64]:
    """Return the cage vertices of one of `PARTS`."""
    bone, normals = model.bone, model.cage_normals
    if name == "palm":
        chosen = _OF_PALM[bone] & (normals[:, 2] < -0.3) & (model.cage_cm[:, 1] > 1.0)
    elif name == "knuckles":
        facing = np.einsum("nc,nc->n", normals, model.frames[bone, :, 1])
        chosen = _OF_KNUCKLES[bone] & (facing > 0.2)
    else:
        chain = digit_joints(name)
        facing = np.einsum("nc,nc->n", normals, model.frames[bone, :, 1])
        chosen = (bone >= chain[-3]) & (bone <= chain[-1]) & (facing < 0.3)
    return np.flatnonzero(chosen)


def bring_to_face(
    stance: Stance, angles: F64, target: F64, press: float, away: float | None, surface: Surface
) -> tuple[F64, F64]:
    """Bring the hand to the face, or before it: return where its wrist lies, in head cm (3,), and its posture.

    Args:
        stance: How the hand is held.
        angles: The posture (5, 4) in degrees.
        target: Point in head cm (3,) that the anchor of the pose is brought to.
        press: How deep the palm is in the surface, in cm; fingertips half as deep.
        away: Distance before the face in cm, at which the digits are not bent; None touches it.
        surface: What can be touched.
    """
    pose, model = stance.pose, stance.model
    cage, joints, _ = skin(model, angles, stance.girth)
    origin = target - stance.to_head(joints[[JOINTS.index(name) for name in pose.anchor]].mean(0), np.zeros(3))
    approach = np.array(pose.approach) / np.linalg.norm(pose.approach)
    touching = pose.contact or ("palm", *DIGITS[1:])
    chosen = np.unique(np.concatenate([_part_vertices(model, name) for name in touching]))
    chosen = chosen[:: len(chosen) // 70 + 1]  # a vertex every few mm will do
    placed = stance.to_head(cage[chosen], origin)
    if away is not None:
        return origin + approach * settle(surface, placed, approach, -away), angles
    origin = origin + approach * settle(surface.near(placed, 9.0), placed, approach, press)
    rotation, scale, girth = stance.rotation, stance.scale, stance.girth
    # Fingertips press less than the palm does.
    return origin, rest_digits(model, angles, pose.rest, rotation, origin, scale, surface, 0.5 * press, girth)


def arm_direction(
    scene: Scene, stance: Stance, origin: F64, surface: Surface, mirrored: bool, rng: np.random.Generator
) -> F64:
    """Draw where the arm goes: as the wrist allows, past the jaw rather than through it, and out of the picture.

    Returns a direction (3,) in the head's frame.

    Args:
        scene: The face.
        stance: How the hand is held.
        origin: Where the wrist lies, in head cm (3,).
        surface: What the arm must not come near.
        mirrored: Whether it is a left hand that is placed as a right one.
        rng: What the direction is drawn from.
    """
    pose, rotation, scale = stance.pose, stance.rotation, stance.scale
    jitter = np.radians(rng.normal(0, pose.arm_jitter_deg, 3))
    wanted = rotation_matrix(jitter) @ (np.array(pose.arm) / np.linalg.norm(pose.arm))
    wrist = stance.to_head(stance.model.cage_cm[stance.model.loop].mean(0), origin)
    flip = _MIRROR if mirrored else np.ones(3)
    for _ in range(7):
        direction: F64 = rotation @ wrist_limited(rotation.T @ wanted)
        arm = arm_line(wrist, rotation, direction, scale)
        clear = float(surface.distance(arm.centres_cm[5:11]).min()) > _ARM_CLEARANCE_CM * scale
        across = float(np.hypot(*scene.pose.to_view((direction * flip)[None])[0, :2]))
        if clear and across > _LEAST_ACROSS:
            break
        if not clear:
            wanted = wanted + np.array([0.0, 0.0, 0.16])
        if across <= _LEAST_ACROSS:  # it runs along the line of sight: let it sink
            wanted = wanted + np.array([0.05, -0.22, 0.0])
        wanted /= np.linalg.norm(wanted)
    return direction
