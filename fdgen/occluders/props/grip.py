"""A hand round a thing: the palm placed on its side, the fingers closed until they touch it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import numpy as np

from fdgen.analysis.geometry import rotation_matrix
from fdgen.arrays import F64
from fdgen.occluders.environment import surroundings
from fdgen.occluders.hands.contact import Surface, touchable
from fdgen.occluders.hands.hand import (
    Stance,
    arm_direction,
    bring_to_face,
    draw_size,
    hand_mesh,
    hand_values,
)
from fdgen.occluders.hands.hand_shape import draw_shape, reshaped
from fdgen.occluders.hands.pose_spec import Curl, Pose
from fdgen.occluders.hands.skeleton import DIGITS, FINGERS, HandModel, load_hand
from fdgen.occluders.props.solids import Solid, surface_points
from fdgen.render.draw import Layer, Style, draw
from fdgen.render.mesh import Mesh
from fdgen.render.scene import Scene

_MIRROR = np.array([-1.0, 1.0, 1.0])

_MOST_POINTS = 700
"""Points of a thing that fingers feel for; it is smooth, and time goes with their number."""

_OPEN = {  # flexion of the three joints of each finger, and the thumb's four angles, before they close
    "wide": ((18.0, 24.0, 16.0), (70.0, 12.0, 10.0, 20.0)),
    "narrow": ((58.0, 72.0, 42.0), (34.0, 26.0, 18.0, 34.0)),
    "flat": ((30.0, 34.0, 20.0), (34.0, 6.0, 6.0, 8.0)),
}
_NARROWEST_CM = 2.4
"""A thing of less radius than this takes a fist."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Where a hand takes hold, in head cm.

    `at_cm` is the point under the palm, `out` the unit normal there, `along` the direction in which the thumb lies;
    `radius_cm` says how far the fingers must close. `thing` is what they close on.
    """

    at_cm: F64
    out: F64
    along: F64
    radius_cm: float
    thing: Sequence[Solid]
    flat: bool = False


@cache
def hand_model(side: str) -> HandModel:
    """Return the left or the right hand of the asset package."""
    name = f"{side}.glb"
    return load_hand(resources.files("occlusion_assets").joinpath("hand", name).read_bytes(), side, name)


def draw_grip(scene: Scene, hold: Hold, side: str, rng: np.random.Generator) -> dict[str, Any]:
    """Draw a hand that holds a thing: JSON values for `grip_mesh`."""
    mirrored = side == "left"
    flip = _MIRROR if mirrored else np.ones(3)
    out, along = hold.out * flip, hold.along * flip
    points, normals = surface_points(hold.thing)
    every = len(points) // _MOST_POINTS + 1
    thing = Surface.of(points[::every] * flip, normals[::every] * flip)
    fist = hold.radius_cm < _NARROWEST_CM
    pose = _pose(out, along, "flat" if hold.flat else "narrow" if fist else "wide")
    scale = draw_size(scene, rng)
    turn = rotation_matrix(np.radians(np.clip(rng.normal(0, 5.0, 3), -9, 9)))
    fingers = turn @ np.cross(along, out)
    back = turn @ out
    rotation = np.stack([np.cross(fingers, back), fingers, back], 1)
    shape = draw_shape(rng)
    model = reshaped(hand_model(side), shape)
    stance = Stance(pose, model, shape, rotation, scale, float(rng.normal(1.10, 0.045)))
    origin, angles = bring_to_face(stance, pose.posture(rng), hold.at_cm * flip, 0.12, None, thing)
    head = touchable(scene.mesh_cm, mirrored=mirrored)
    arm = arm_direction(scene, stance, origin, head, mirrored, rng)
    return hand_values(scene, stance, side, angles, origin, arm, rng)


def grip_mesh(scene: Scene, values: Mapping[str, Any]) -> Mesh:
    """Build the hand of a grip, with its arm and its own texture."""
    return hand_mesh(scene, values, hand_model(values["side"]))


def draw_held(scene: Scene, mesh: Mesh, values: Mapping[str, Any], *, bias_cm: float) -> Layer:
    """Draw a thing, and the hand that holds it where `values["hand"]` is one, in its `values["surroundings"]`."""
    style = Style(bias_cm=bias_cm, translucent=values["hand"] is not None)
    return draw(scene, mesh, style, environment=surroundings(scene, values["surroundings"]))


def _pose(out: F64, along: F64, opening: str) -> Pose:
    """Return how a right hand goes round a thing whose side looks `out` and whose upper end lies `along`."""
    (first, second, third), (oppose, close, middle, tip) = _OPEN[opening]

    def about(value: float, spread: float = 6.0) -> tuple[float, float]:
        return value - spread, value + spread

    fingers, palm = np.cross(along, out), -out
    return Pose(
        anchor=tuple(f"{name}-finger-phalanx-proximal" for name in ("index", "middle", "ring", "pinky")),
        target=(),
        offset_cm=((0.0, 0.0), (0.0, 0.0), (0.0, 0.0)),
        fingers=(float(fingers[0]), float(fingers[1]), float(fingers[2])),
        palm=(float(palm[0]), float(palm[1]), float(palm[2])),
        jitter_deg=0.0,
        approach=(float(palm[0]), float(palm[1]), float(palm[2])),
        contact=("palm",),
        rest=DIGITS,
        press_cm=(0.1, 0.1),
        away_cm=None,
        arm=(-0.55, -0.8, 0.12),
        arm_jitter_deg=10.0,
        curl=Curl(**dict.fromkeys(FINGERS, (about(first), about(second), about(third)))),
        spread_deg=(about(2.0, 4.0), about(0.0, 2.0), about(-3.0, 3.0), about(-7.0, 4.0)),
        thumb=(about(oppose), about(close), about(middle), about(tip)),
        bias_cm=0.5,
        near_side=False,
        both=0.0,
    )
