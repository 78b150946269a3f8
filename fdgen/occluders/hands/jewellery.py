"""Jewellery of a hand: finger rings, a bracelet, a watch."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np

from fdgen.analysis.geometry import grid_faces, lengths
from fdgen.arrays import F32, F64
from fdgen.occluders.hands.forearm import Arm, rings_at, tube_mesh
from fdgen.occluders.hands.skeleton import FINGERS, JOINTS, HandModel
from fdgen.render.mesh import Material, Mesh, part, tube
from fdgen.runtime.rng import draw_index, draw_one

METALS: Mapping[str, tuple[float, float, float]] = {
    "gold": (0.75, 0.50, 0.20),
    "silver": (0.70, 0.70, 0.71),
    "rose": (0.72, 0.45, 0.36),
    "steel": (0.42, 0.42, 0.44),
    "black": (0.03, 0.03, 0.035),
}


def draw_jewellery(rng: np.random.Generator) -> dict[str, Any]:
    """Draw what is worn: a JSON table with `rings`, `bracelet`, `watch`, each maybe empty."""
    metal = tuple(METALS)[draw_index(rng, (0.38, 0.32, 0.10, 0.12, 0.08))]
    fingers = rng.choice(len(FINGERS), size=3, replace=False)
    count = int(rng.random() < 0.30) * (1 + int(rng.random() < 0.25) + int(rng.random() < 0.08))
    rings = [_draw_ring(rng, FINGERS[int(finger)]) for finger in fingers[:count]]
    wrist = rng.random()
    bracelet = None
    watch = None
    if wrist < 0.10:
        bracelet = {
            "at_cm": round(float(rng.uniform(0.3, 3.0)), 5),
            "radius_cm": round(float(rng.uniform(0.07, 0.22)), 5),
            "beads": draw_one(rng, (0, 0, 24, 32)),
            "count": 1 + int(rng.integers(3)),
        }
    elif wrist < 0.26:
        strap = (
            rng.uniform(0.01, 0.12, 3) * np.array([1.0, 0.75, 0.6]) if rng.random() < 0.7 else rng.uniform(0.05, 0.6, 3)
        )
        watch = {
            "at_cm": round(float(rng.uniform(0.6, 2.4)), 5),
            "case_cm": round(float(rng.uniform(1.4, 2.1)), 5),
            "strap_cm": round(float(rng.uniform(0.7, 1.1)), 5),
            "strap_rgb": [round(float(v), 5) for v in strap],
            "strap_metal": bool(rng.random() < 0.3),
            "dial": round(float(rng.choice([rng.uniform(0.01, 0.05), rng.uniform(0.5, 0.8)])), 5),
            "square": bool(rng.random() < 0.25),
        }
    return {"metal": metal, "rings": rings, "bracelet": bracelet, "watch": watch}


def _draw_ring(rng: np.random.Generator, finger: str) -> dict[str, Any]:
    """Draw one ring; most have no stone."""
    return {
        "finger": finger,
        "at": round(float(rng.uniform(0.58, 0.72)), 5),  # short of it lies the web between the fingers
        "wide_cm": round(float(rng.uniform(0.14, 0.30)), 5),
        "stone": round(float(max(0.0, rng.normal(-0.10, 0.25))), 5),
        "stone_rgb": [round(float(v), 5) for v in rng.uniform(0.05, 0.8, 3)],
    }


@cache
def surroundings() -> F32:
    """Return what polished metal sees (8, 16, 3): light above, a dark floor, a bright window to either side.

    It is not to be written to.
    """
    sky = np.linspace(1.7, 0.25, 8, dtype=np.float32)[:, None] * np.ones((8, 16), np.float32)
    sky[2:5, 3:5] += 1.6
    sky[1:4, 11:13] += 1.2
    sky[4:, 7:9] *= 0.5
    return np.repeat(sky[..., None], 3, 2).astype(np.float32)


def _metal(name: str) -> Material:
    rgb = np.array(METALS[name])
    return Material(0.55 * rgb, specular=0.5, gloss=45.0, mirror=0.55 * float(rgb.mean()) + 0.08)


def jewellery_mesh(
    model: HandModel,
    cage_cm: F64,
    joints_cm: F64,
    arm: Arm,
    rings: F64,
    scale: float,
    values: Mapping[str, Any],
    covered_cm: float,
) -> list[Mesh]:
    """Build what is worn, in head cm.

    Args:
        model: The hand.
        cage_cm: Its posed vertices (N, 3) in head cm.
        joints_cm: Its posed joints (J, 3) in head cm.
        arm: The forearm.
        rings: Rings of the bare forearm, in head cm.
        scale: Head cm to a cm of the hand.
        values: The rings, bracelet and watch that were drawn, and their metal.
        covered_cm: Distance from the wrist where a sleeve begins; what would be beyond it lies under the sleeve.
    """
    metal = _metal(values["metal"])
    parts = [piece for ring in values["rings"] for piece in _finger_ring(model, cage_cm, joints_cm, scale, ring, metal)]
    bracelet, watch = values["bracelet"], values["watch"]
    if bracelet and bracelet["at_cm"] + 1.0 < covered_cm:
        for k in range(bracelet["count"]):
            path = rings_at(arm, rings, np.array([bracelet["at_cm"] + 0.55 * k]))[0]
            middle = path.mean(0)
            path = _resampled(middle + (path - middle) * (1.03 + 0.02 * k), 40)
            thick = bracelet["radius_cm"] * scale
            if bracelet["beads"]:
                thick = thick * (0.7 + 0.5 * np.abs(np.sin(np.arange(40) * np.pi * bracelet["beads"] / 40)))
            vertices, faces = tube(path, thick, sides=6)
            normals = (vertices.reshape(40, 6, 3) - path[:, None]).reshape(-1, 3)
            normals /= lengths(normals) + 1e-9
            parts.append(part(vertices, faces, metal, normals=normals))
    if watch and watch["at_cm"] + 2.0 < covered_cm:
        parts += _watch(arm, rings, scale, watch, metal)
    return parts


def _resampled(loop: F64, n: int) -> F64:
    """Return a closed loop (L, 3) at n equal steps, its end on its start."""
    closed = np.concatenate([loop, loop[:1]])
    length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(closed, axis=0), axis=1))])
    at = np.linspace(0, length[-1], n)
    return np.stack([np.interp(at, length, closed[:, axis]) for axis in range(3)], 1)


def _finger_ring(
    model: HandModel, cage_cm: F64, joints_cm: F64, scale: float, ring: Mapping[str, Any], metal: Material
) -> list[Mesh]:
    """A band round the proximal phalanx, as wide as the finger is there, maybe with a stone on its back."""
    first = JOINTS.index("index-finger-phalanx-proximal") + 5 * FINGERS.index(ring["finger"])
    start, end = joints_cm[first], joints_cm[first + 1]
    axis = end - start
    length = float(np.linalg.norm(axis))
    axis = axis / length
    mine = np.flatnonzero((model.bone == first) | (model.bone == first + 1))
    offset = cage_cm[mine] - start
    u = offset @ axis / length
    near = np.abs(u - ring["at"]) < 0.10
    if near.sum() < 5:
        return []
    skin = offset[near] - np.outer(offset[near] @ axis, axis)
    centre = skin.mean(0)
    side = np.cross(axis, [0.31, 0.27, 0.91])
    side /= np.linalg.norm(side)
    other = np.cross(axis, side)
    angle = np.linspace(0, 2 * np.pi, 25)
    profile = np.linspace(0, 2 * np.pi, 7)
    half, thick = 0.5 * ring["wide_cm"] * scale, 0.07 * scale
    out = np.cos(angle)[:, None] * side + np.sin(angle)[:, None] * other
    # The band clears the finger all round: its radius is the finger's reach in each direction.
    typical = float(np.linalg.norm(skin - centre, axis=1).mean())
    reach = np.clip((out @ (skin - centre).T).max(1), 0.9 * typical, 1.15 * typical) + 0.02 * scale
    rim = reach[:, None] + thick * np.cos(profile)
    vertices = (
        start
        + axis * ring["at"] * length
        + centre
        + out[:, None] * rim[..., None]
        + axis * (half * np.sin(profile))[None, :, None]
    ).reshape(-1, 3)
    normals = (out[:, None] * np.cos(profile)[None, :, None] + axis * np.sin(profile)[None, :, None]).reshape(-1, 3)
    parts = [part(vertices, grid_faces(25, 7), metal, normals=normals)]
    if ring["stone"] > 0.08:
        parts.append(
            _bead(start + axis * ring["at"] * length + centre, model, cage_cm, first, float(reach.max()), ring, scale)
        )
    return parts


def _bead(
    middle: F64, model: HandModel, cage_cm: F64, joint: int, radius: float, ring: Mapping[str, Any], scale: float
) -> Mesh:
    """The stone, a small dome on the back of the finger."""
    backs = np.flatnonzero(
        (model.bone == joint) & (np.einsum("nc,c->n", model.cage_normals, model.frames[joint][:, 1]) > 0.8)
    )
    outwards = cage_cm[backs].mean(0) - middle
    outwards /= np.linalg.norm(outwards) + 1e-9
    size = (0.12 + 0.35 * min(float(ring["stone"]), 0.6)) * scale
    polar, around = np.mgrid[0 : np.pi : 5j, 0 : 2 * np.pi : 9j]
    ball = np.stack([np.sin(polar) * np.cos(around), np.sin(polar) * np.sin(around), np.cos(polar)], -1).reshape(-1, 3)
    stone = Material(np.array(ring["stone_rgb"]), specular=0.9, gloss=60.0, mirror=0.25)
    return part(middle + outwards * (radius + 0.3 * size) + ball * size, grid_faces(5, 9), stone, normals=ball)


def _watch(arm: Arm, rings: F64, scale: float, watch: Mapping[str, Any], metal: Material) -> list[Mesh]:
    """A strap that follows the wrist and a case on its back."""
    at, half = watch["at_cm"], watch["strap_cm"]
    bare = rings_at(arm, rings, np.linspace(at - half, at + half, 4))
    middle = bare.mean(1, keepdims=True)
    radial = bare - middle
    radial /= lengths(radial)
    lift = np.array([0.02, 0.20, 0.20, 0.02])[:, None, None] * scale
    vertices, faces, normals, _ = tube_mesh(bare + radial * lift)
    strap = metal if watch["strap_metal"] else Material(np.array(watch["strap_rgb"]), specular=0.08, gloss=12.0)
    parts = [part(vertices, faces, strap, normals=normals)]
    ring = rings_at(arm, rings, np.array([at]))[0]
    frame = arm.frames[int(np.argmin(np.abs(arm.along_cm - at)))]
    across, along, back = frame[:, 0], frame[:, 1], frame[:, 2]
    top = float(((ring - ring.mean(0)) @ back).max())
    size, angle = watch["case_cm"] * scale, np.linspace(0, 2 * np.pi, 29)
    shape = 1.0
    if watch["square"]:
        shape = 0.88 / np.maximum(np.abs(np.cos(angle)), np.abs(np.sin(angle))) ** 0.85
    disc = (np.cos(angle) * shape)[:, None] * across + (np.sin(angle) * shape)[:, None] * along
    centre = ring.mean(0) + back * (top - 0.15 * scale)
    levels = ((1.0, 0.0), (1.0, 0.55), (0.88, 0.72), (0.80, 0.70))
    case = np.stack([centre + disc * size * r + back * h * scale for r, h in levels])
    vertices, faces, normals, _ = tube_mesh(case)
    parts.append(part(vertices, faces, metal, normals=normals))
    dial = np.concatenate([[centre + back * 0.69 * scale], centre + disc * size * 0.82 + back * 0.69 * scale])
    fan = np.array([[0, i, i + 1] for i in range(1, 29)], np.int32)
    glass = Material(np.full(3, watch["dial"]), specular=0.6, gloss=50.0, mirror=0.10)
    parts.append(part(dial, fan, glass, normals=np.tile(back, (len(dial), 1))))
    return parts
