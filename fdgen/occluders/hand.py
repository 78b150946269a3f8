"""Hands on and before the face: a posed skeleton laid on this person's own surface, with this person's skin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from fdgen.assets import Asset
from fdgen.errors import AssetError
from fdgen.geometry import Floats, canonical_face, rotation_matrix, vertex_normals
from fdgen.mesh import Material, Mesh, join, part
from fdgen.occluders.base import Placement
from fdgen.occluders.forearm import arm_line, arm_rings, rings_at, tube_mesh, wrist_limited
from fdgen.occluders.jewellery import draw_jewellery, jewellery_mesh, surroundings
from fdgen.occluders.posture import Pose, pose_of
from fdgen.occluders.skeleton import DIGITS, HandModel, digit_joints, load_hand, skin
from fdgen.occluders.skin import ATLAS_PX, STRIP_CM, STRIP_PX, TEXTURE_PX, atlas_of, draw_skin, skin_texture
from fdgen.occluders.sleeve import draw_sleeve, paint_cloth, sleeve_mesh
from fdgen.occluders.touch import Surface, rest_digits, settle, touchable
from fdgen.render import Layer, Style, draw
from fdgen.scene import Scene

_MIRROR = np.array([-1.0, 1.0, 1.0])

_HAND_LENGTH_CM = 17.4
"""Wrist crease to fingertip of the model; a hand is as long as its owner's face is high, hairline to chin."""

_FACE_HEIGHT = 1.02
"""Hairline to chin over landmarks 10 to 152."""


@dataclass(frozen=True, slots=True)
class Hand:
    """One hand, left or right, with its forearm, which always leaves the picture."""

    kind: str = "hand"

    def place(self, scene: Scene, asset: Asset, rng: np.random.Generator) -> Placement:
        """Draw the side, the posture and the skin; lay the hand on the face and bend its fingers to it."""
        pose = pose_of(asset)
        side = _draw_side(scene, pose, rng)
        model = _model(asset, side)
        mirrored = side == "left"
        surface = touchable(scene.mesh_cm, mirrored=mirrored)
        angles = pose.posture(rng)
        girth = float(rng.normal(1.10, 0.045))
        height = _FACE_HEIGHT * (scene.mesh_cm[10, 1] - scene.mesh_cm[152, 1])
        scale = float(np.clip(rng.normal(1.03, 0.04), 0.92, 1.12) * height / _HAND_LENGTH_CM)
        rotation = _orientation(pose, rng)
        target = _target(scene, pose, mirrored) + [low + (high - low) * rng.random() for low, high in pose.offset_cm]
        press = pose.press_cm[0] + (pose.press_cm[1] - pose.press_cm[0]) * rng.random()
        origin, angles = _lay(model, pose, angles, girth, rotation, scale, target, press, surface, rng)
        arm = _arm_direction(scene, pose, model, rotation, origin, scale, surface, mirrored, rng)
        values = {
            "side": side,
            "angles_deg": np.round(angles, 4).tolist(),
            "girth": round(girth, 5),
            "scale": round(scale, 5),
            "turn": np.round(rotation, 6).tolist(),
            "origin_cm": np.round(origin, 5).tolist(),
            "arm": np.round(arm, 5).tolist(),
            "stout": round(float(rng.uniform(0.7, 1.25)), 5),
            "sleeve": draw_sleeve(rng, grey=scene.light.grey),
            "jewellery": draw_jewellery(rng),
            "skin": draw_skin(rng, scene.light.skin_reflectance, grey=scene.light.grey),
        }
        return Placement(self.kind, asset.id, int(rng.integers(2**31)), values)

    def render(self, scene: Scene, placement: Placement, asset: Asset) -> Layer:
        """Draw the hand as it was placed."""
        pose = pose_of(asset)
        mesh = hand_mesh(scene, placement.values, _model(asset, placement.values["side"]))
        return draw(scene, mesh, Style(bias_cm=pose.bias_cm, translucent=True), environment=surroundings())


def hand_mesh(scene: Scene, values: Mapping[str, Any], model: HandModel) -> Mesh:
    """Build the mesh of a placed hand, in head cm."""
    rotation, origin, scale = np.array(values["turn"]), np.array(values["origin_cm"]), float(values["scale"])
    cage, joints, _ = skin(model, values["angles_deg"], values["girth"])
    cage_normals = vertex_normals(cage, model.cage_faces)
    cage = cage @ rotation.T * scale + origin
    joints = joints @ rotation.T * scale + origin
    cage_normals = cage_normals @ rotation.T
    vertices = model.smooth(cage)
    normals = model.smooth(cage_normals)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True) + 1e-12

    look = values["skin"]
    albedo = np.clip(scene.light.skin_reflectance * np.array(look["tone"], np.float32), 0.0, 0.9)
    shine = atlas_of(model).shiny
    skin_of = Material(
        albedo, specular=look["shine"] + shine * (0.22 + 0.20 * look["polish"]), gloss=12.0 + 50.0 * shine
    )
    uv = model.uv * np.array([1.0, ATLAS_PX / TEXTURE_PX[0]], np.float32)
    parts = [part(vertices, model.faces, skin_of, normals=normals, uv_N2=uv)]

    loop = cage[model.loop]
    arm = arm_line(loop.mean(0), rotation, np.array(values["arm"]), scale)
    rings = arm_rings(arm, loop, rotation, stout=values["stout"])
    # The first ring reaches under the hand's rim: its edges are longer than the rim's, and cracks would show.
    tucked = rings_at(arm, rings, np.array([-0.35]))
    tucked = tucked.mean(1, keepdims=True) + 0.93 * (tucked - tucked.mean(1, keepdims=True))
    vertices, faces, normals, uv = tube_mesh(np.concatenate([tucked, rings]))
    at_loop = np.append(model.loop, model.loop[0])
    normals[: 2 * len(at_loop)] = np.tile(cage_normals[at_loop], (2, 1))
    strip = (ATLAS_PX + 1.0 + (STRIP_PX - 2.0) * _to_and_fro(uv[:, 1] * 60.0 / STRIP_CM)) / TEXTURE_PX[0]
    column = (0.5 + (ATLAS_PX - 1.0) * uv[:, 0]) / ATLAS_PX
    bare = Material(albedo, specular=look["shine"], gloss=12.0)
    parts.append(part(vertices, faces, bare, normals=normals, uv_N2=np.column_stack([column, strip])))
    texture = skin_texture(model, look)
    sleeve = values["sleeve"]
    if sleeve:
        first = ATLAS_PX + STRIP_PX
        paint_cloth(texture[first:], sleeve)
        down = -scene.pose.rotation[1] * (_MIRROR if values["side"] == "left" else 1.0)
        rows = ((first + 1.0) / TEXTURE_PX[0], (TEXTURE_PX[0] - 1.0) / TEXTURE_PX[0])
        parts += sleeve_mesh(arm, rings, sleeve, down, rows)
    covered = float(sleeve["at_cm"]) if sleeve else 99.0
    parts += jewellery_mesh(model, cage, joints, arm, rings, scale, values["jewellery"], covered)
    mesh = join(parts, texture=texture)
    return _mirrored(mesh) if values["side"] == "left" else mesh


def _to_and_fro(x: Floats) -> Floats:
    """Fold a coordinate into 0..1: up, then down, so that a texture repeats without a seam."""
    result: Floats = 1.0 - np.abs(x % 2.0 - 1.0)
    return result


def _mirrored(mesh: Mesh) -> Mesh:
    """Reflect a mesh: the left hand was made as a right one."""
    return replace(
        mesh,
        vertices_cm=mesh.vertices_cm * _MIRROR,
        normals=mesh.normals * _MIRROR,
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
    return ((reflected[:, None] - vertices[None]) ** 2).sum(-1).argmin(1)


def _target(scene: Scene, pose: Pose, mirrored: bool) -> Floats:
    """Return where the anchor goes, in the frame of the right hand's head."""
    index = np.array([landmark for landmark, _ in pose.target])
    weight = np.array([w for _, w in pose.target])
    points = scene.mesh_cm[_opposite()[index]] * _MIRROR if mirrored else scene.mesh_cm[index]
    result: Floats = weight @ points / weight.sum()
    return result


def _orientation(pose: Pose, rng: np.random.Generator) -> Floats:
    """Draw how the hand is turned: (3, 3), the hand's frame to the head's."""
    up = np.array(pose.fingers) / np.linalg.norm(pose.fingers)
    back = -np.array(pose.palm)
    back -= up * (back @ up)
    back /= np.linalg.norm(back)
    jitter = np.radians(np.clip(rng.normal(0, pose.jitter_deg, 3), -2 * pose.jitter_deg, 2 * pose.jitter_deg))
    result: Floats = rotation_matrix(jitter) @ np.stack([np.cross(up, back), up, back], 1)
    return result


def _part_vertices(model: HandModel, name: str) -> npt.NDArray[np.int64]:
    """Return the cage vertices of one of `PARTS`."""
    bone, normals = model.bone, model.cage_normals
    if name == "palm":
        chosen = (
            np.isin(bone, (0, 1, 5, 10, 15, 20, 6, 11, 16, 21)) & (normals[:, 2] < -0.3) & (model.cage_cm[:, 1] > 1.0)
        )
    elif name == "knuckles":
        facing = np.einsum("nc,nc->n", normals, model.frames[bone, :, 1])
        chosen = np.isin(bone, [j for d in DIGITS[1:] for j in digit_joints(d)[:3]]) & (facing > 0.2)
    else:
        chain = digit_joints(name)
        facing = np.einsum("nc,nc->n", normals, model.frames[bone, :, 1])
        chosen = (bone >= chain[-3]) & (bone <= chain[-1]) & (facing < 0.3)
    return np.flatnonzero(chosen)


def _lay(
    model: HandModel,
    pose: Pose,
    angles: Floats,
    girth: float,
    rotation: Floats,
    scale: float,
    target: Floats,
    press: float,
    surface: Surface,
    rng: np.random.Generator,
) -> tuple[Floats, Floats]:
    """Bring the hand to the face: return where its wrist lies and its posture."""
    cage, joints, _ = skin(model, angles, girth)
    origin = target - joints[list(pose.anchor)].mean(0) @ rotation.T * scale
    approach = np.array(pose.approach) / np.linalg.norm(pose.approach)
    touching = pose.contact or ("palm", "index", "middle", "ring", "pinky")
    chosen = np.unique(np.concatenate([_part_vertices(model, name) for name in touching]))
    chosen = chosen[:: len(chosen) // 70 + 1]  # a vertex every few mm will do
    placed = cage[chosen] @ rotation.T * scale + origin
    if pose.away_cm is not None:
        away = pose.away_cm[0] + (pose.away_cm[1] - pose.away_cm[0]) * rng.random()
        return origin + approach * settle(surface, placed, approach, -away), angles
    origin = origin + approach * settle(surface.near(placed, 9.0), placed, approach, press)
    angles = rest_digits(model, angles, pose.rest, rotation, origin, scale, surface, press, girth)
    return origin, angles


def _arm_direction(
    scene: Scene,
    pose: Pose,
    model: HandModel,
    rotation: Floats,
    origin: Floats,
    scale: float,
    surface: Surface,
    mirrored: bool,
    rng: np.random.Generator,
) -> Floats:
    """Draw where the arm goes: as the wrist allows, past the jaw rather than through it, and out of the picture."""
    wanted = np.array(pose.arm) / np.linalg.norm(pose.arm)
    jitter = np.radians(rng.normal(0, pose.arm_jitter_deg, 3))
    wanted = rotation_matrix(jitter) @ wanted
    wrist = rotation @ model.cage_cm[model.loop].mean(0) * scale + origin
    loop = model.cage_cm[model.loop] @ rotation.T * scale + origin
    flip = _MIRROR if mirrored else np.ones(3)
    for _ in range(7):
        direction: Floats = rotation @ wrist_limited(rotation.T @ wanted)
        arm = arm_line(wrist, rotation, direction, scale)
        middle = arm.centres_cm[5:11]
        clear = float(surface.distance(middle).min())
        seen = scene.pose.to_view(direction[None] * flip)[0]
        if clear > 2.6 * scale and np.hypot(seen[0], seen[1]) > 0.5:
            break
        forward = np.array([0.0, 0.0, 0.16 if clear <= 2.6 * scale else 0.0])
        flat = np.array([0.05, -0.22, 0.0]) if np.hypot(seen[0], seen[1]) <= 0.5 else np.zeros(3)
        wanted = wanted + forward + flat
        wanted /= np.linalg.norm(wanted)
    return direction
