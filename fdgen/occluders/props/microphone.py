"""Microphones before the mouth: held in the hand, on a stand behind a pop filter, or reaching in from the side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from fdgen.arrays import F32, F64
from fdgen.assets import Asset
from fdgen.occluders.asset_table import AssetTable
from fdgen.occluders.base import Placement
from fdgen.occluders.environment import draw_surroundings
from fdgen.occluders.props.grip import Hold, draw_grip, draw_held, grip_mesh
from fdgen.occluders.props.materials import FINISHES, draw_finish, draw_print, grain, material, printed
from fdgen.occluders.props.showing import until_it_shows
from fdgen.occluders.props.solids import Solid, bent_tube, frame, slab, turned
from fdgen.occluders.props.spec import Profile, happens, pick
from fdgen.render.draw import Layer
from fdgen.render.mesh import Material, Mesh, bind, spline
from fdgen.render.scene import Scene
from fdgen.settings.values import Range, Share, Weights, known

_BIAS_CM = 0.2
_REACH_CM = 45.0
"""Length of stands and cables: beyond any picture."""


class MicrophoneSpec(AssetTable):
    """What an asset of this kind says: words, ranges with their defaults, tables of weights, chances."""

    size: Range = (0.94, 1.06)  # of the whole
    gap_cm: Range = (0.8, 5.0)  # between its tip and the lips
    rise_cm: Range = (-1.3, 1.0)  # of its tip above the lips
    aside_deg: Range = (-38.0, 38.0)  # how far its body leans from straight down, in the plane of the face
    forward_deg: Range = (12.0, 55.0)  # how far it leans towards the viewer
    grip_cm: Range = (7.0, 12.0)  # from its tip to the middle of the hand
    body_finish: Weights[Annotated[str, known(FINISHES)]]
    head_finish: Weights[Annotated[str, known(FINISHES)]]
    body: Profile  # radius and height in cm, from below; the tip of the head is the last row
    head: Profile  # radius and height in cm, from below; the tip of the head is the last row
    hand: Share = 0.0
    ring: Share = 0.0
    stand: Share = 0.0
    cable: Share = 0.0
    pop_filter: Share = 0.0
    flag: Share = 0.0


@dataclass(frozen=True, slots=True)
class Microphone:
    """The occluder of kind `microphone`; its assets are the shapes of bodies and heads."""

    kind: str = "microphone"

    def place(self, scene: Scene, asset: Asset, rng: np.random.Generator) -> Placement:
        """Draw the microphone, how it is held, what it is made of, and the hand, until enough of it shows."""
        values = until_it_shows(scene, MicrophoneSpec.of(asset), rng, self._draw, self._draw_hand, _head_and_body)
        return Placement(self.kind, asset.id, int(rng.integers(2**31)), values)

    def _draw(self, scene: Scene, spec: MicrophoneSpec, rng: np.random.Generator) -> dict[str, Any]:
        size = spec.draw(rng)
        side = "right" if rng.random() < 0.5 + 0.25 * np.tanh(scene.pose.yaw_deg / 15.0) else "left"
        body = draw_finish(rng, pick(spec.body_finish, rng))
        head = draw_finish(rng, pick(spec.head_finish, rng))
        if rng.random() < 0.4 and head["kind"] == "grille":
            head["rgb"] = [round(float(rng.uniform(0.2, 0.4)), 5)] * 3
        values: dict[str, Any] = {
            "size": size,
            "side": side,
            "across_cm": round(float(np.clip(rng.normal(0.0, 0.9), -2, 2)), 5),
            "body": body,
            "head": head,
            "ring": draw_finish(rng, str(rng.choice(["steel", "dark steel", "lacquer", "brass"])))
            if happens(spec.ring, rng)
            else None,
            "stand": happens(spec.stand, rng),
            "cable": happens(spec.cable, rng),
            "filter": _draw_filter(rng) if happens(spec.pop_filter, rng) else None,
            "flag": _draw_flag(rng) if happens(spec.flag, rng) else None,
            "surroundings": draw_surroundings(rng),
        }
        return values

    def _draw_hand(
        self, scene: Scene, values: Mapping[str, Any], spec: MicrophoneSpec, rng: np.random.Generator
    ) -> dict[str, Any] | None:
        if not happens(spec.hand, rng):
            return None
        return draw_grip(scene, _hold(scene, values, spec, values["side"], rng), values["side"], rng)

    def render(self, scene: Scene, placement: Placement, asset: Asset) -> Layer:
        """Draw the microphone and its hand over the scene. Pure."""
        values = placement.values
        return draw_held(scene, build(scene, values, MicrophoneSpec.of(asset)), values, bias_cm=_BIAS_CM)


def build(scene: Scene, values: Mapping[str, Any], spec: MicrophoneSpec) -> Mesh:
    """Build microphone, filter and hand in head cm."""
    rotation, tip = _stand(scene, values)
    size = values["size"]["size"]
    origin = tip - rotation @ np.array([0.0, spec.head[-1][1] * size, 0.0])
    head, body = _head_and_body(scene, values, spec)
    parts: list[tuple[Mesh, F32 | None]] = [
        _textured(head, values["head"]),
        (body.made_of(material(values["body"])), None),
    ]
    if values["ring"] is not None:
        widest = max(spec.head, key=lambda row: row[0])
        r, y = widest[0] * size, widest[1] * size
        band = turned([(r * 0.98, y - 0.28), (r * 1.035, y - 0.24), (r * 1.035, y + 0.24), (r * 0.98, y + 0.28)])
        parts.append((band.moved(rotation, origin).made_of(material(values["ring"])), None))
    foot = np.array([0.0, spec.body[0][1] * size, 0.0])
    if values["stand"] or values["cable"]:
        radius = 0.8 if values["stand"] else 0.32
        sag = 0.0 if values["stand"] else -6.0
        path = spline([foot * 0.97, foot + np.array([0.0, -5.0, 0.0]), foot + np.array([0.0, -_REACH_CM, sag])], 14)
        tube = bent_tube(path, radius).moved(rotation, origin)
        dark = {"kind": "plastic", "rgb": [0.015, 0.015, 0.016], "shine": 0.8}
        parts.append((tube.made_of(material(dark)), None))
    if values["flag"] is not None:
        parts += _flag(values["flag"], rotation, origin, spec.head[0][1] * size - 2.6)
    if values["filter"] is not None:
        parts += [(piece, None) for piece in _filter(scene, values["filter"], tip)]
    if values["hand"] is not None:
        hand = grip_mesh(scene, values["hand"])
        parts.append((hand, hand.texture))
    return bind(parts)


def _head_and_body(scene: Scene, values: Mapping[str, Any], spec: MicrophoneSpec) -> tuple[Solid, Solid]:
    """Return what a microphone is, without its stand and what is hung on it."""
    rotation, tip = _stand(scene, values)
    size = values["size"]["size"]
    origin = tip - rotation @ np.array([0.0, spec.head[-1][1] * size, 0.0])
    below = (0.0, spec.body[0][1])
    head = turned(_fine(np.array(spec.head) * size)).moved(rotation, origin)
    return head, turned(np.array([below, *spec.body]) * size).moved(rotation, origin)


def _stand(scene: Scene, values: Mapping[str, Any]) -> tuple[F64, F64]:
    """Return the microphone's turn (3, 3), its tip along y, and where the tip is, in head cm."""
    size = values["size"]
    aside, forward = np.radians(size["aside_deg"]), np.radians(size["forward_deg"])
    down = np.array([np.sin(aside) * np.cos(forward), -np.cos(aside) * np.cos(forward), np.sin(forward)])
    lips = 0.5 * (scene.mesh_cm[13] + scene.mesh_cm[14])
    tip: F64 = lips + np.array([values["across_cm"], size["rise_cm"], 0.0]) + np.array([0.0, 0.0, size["gap_cm"]])
    return frame(-down, (0.0, 0.0, 1.0)), tip


def _fine(profile: F64) -> F64:
    """Return a profile in smooth steps: heads are round."""
    curve = spline(np.column_stack([profile, np.zeros(len(profile))]), 26)[:, :2]
    return np.column_stack([np.maximum(curve[:, 0], 0.0), curve[:, 1]])


def _textured(solid: Solid, finish: Mapping[str, Any]) -> tuple[Mesh, F32 | None]:
    if finish["kind"] not in ("foam", "grille"):
        return solid.made_of(material(finish)), None
    texture = np.tile(grain(finish), (1, 2, 1)) * np.array(finish["rgb"], np.float32)
    return solid.made_of(material(finish, printed=True), printed=True), texture


def _hold(scene: Scene, values: Mapping[str, Any], spec: MicrophoneSpec, side: str, rng: np.random.Generator) -> Hold:
    """Draw where the hand takes hold of the body."""
    rotation, tip = _stand(scene, values)
    size = values["size"]["size"]
    profile = np.array(spec.body) * size
    top = spec.head[-1][1] * size
    height = max(top - values["size"]["grip_cm"], profile[0, 1] + 3.0)
    radius = float(np.interp(height, profile[:, 1], profile[:, 0]))
    steps = np.linspace(height - 7.0, height + 7.0, 16)
    thing = turned(np.column_stack([np.interp(steps, profile[:, 1], profile[:, 0]), steps]), sides=20)
    origin = tip - rotation @ np.array([0.0, top, 0.0])
    angle = np.radians(rng.uniform(25.0, 75.0)) * (-1 if side == "right" else 1)
    out = np.array([np.sin(angle), 0.0, np.cos(angle)])
    return Hold(
        at_cm=origin + rotation @ (out * radius + np.array([0.0, height, 0.0])),
        out=rotation @ out,
        along=rotation @ np.array([0.0, 1.0, 0.0]),
        radius_cm=radius,
        thing=[thing.moved(rotation, origin)],
    )


def _draw_filter(rng: np.random.Generator) -> dict[str, float]:
    drawn = {
        "radius_cm": rng.uniform(5.2, 7.6),
        "behind_cm": rng.uniform(1.5, 4.0),
        "across_cm": rng.normal(0.0, 1.2),
        "drop_cm": rng.uniform(-1.0, 2.5),
        "turn_deg": rng.normal(0.0, 12.0),
        "opacity": rng.uniform(0.45, 0.82),
        "arm_deg": rng.choice([-1.0, 1.0]) * rng.uniform(8.0, 55.0),
    }
    return {name: round(float(value), 5) for name, value in drawn.items()}


def _filter(scene: Scene, values: Mapping[str, float], tip: F64) -> list[Mesh]:
    """Build a pop filter: black gauze in a hoop between lips and microphone, on a gooseneck."""
    lips = 0.5 * (scene.mesh_cm[13] + scene.mesh_cm[14])
    nose = scene.mesh_cm[4]
    z = max(tip[2] - values["behind_cm"], nose[2] + 0.5)
    middle = np.array([lips[0] + values["across_cm"], lips[1] - values["drop_cm"], z])
    turn = np.radians(values["turn_deg"])
    rotation = frame((np.sin(turn), 0.0, np.cos(turn)), (0.0, -1.0, 0.0))  # its axis is y: towards the viewer
    radius = values["radius_cm"]
    gauze = turned([(0.02, 0.0), (0.5 * radius, 0.15), (radius, 0.0)], sides=48).moved(rotation, middle)
    around = np.linspace(0, 2 * np.pi, 49)
    ring = np.column_stack([radius * np.cos(around), np.zeros(49), radius * np.sin(around)])
    hoop = bent_tube(ring, 0.26).moved(rotation, middle)
    arm = np.radians(values["arm_deg"])
    start = middle + radius * np.array([np.sin(arm), -np.cos(arm), 0.0])
    bends = np.array([[0.0, 0.0, 0.0], [3.0 * np.sin(arm), -4.0, 0.5], [12.0 * np.sin(arm), -30.0, 4.0]])
    goose = bent_tube(spline(start + bends, 16), 0.36)
    black = Material((0.012, 0.012, 0.013), specular=0.15, gloss=20.0, two_sided=True)
    veil = Material((0.02, 0.02, 0.022), opacity=values["opacity"], two_sided=True)
    return [gauze.made_of(veil), hoop.made_of(black), goose.made_of(black)]


def _draw_flag(rng: np.random.Generator) -> dict[str, Any]:
    finish = draw_finish(rng, "plastic")
    pattern = str(rng.choice(["letters", "two_tone", "shapes", "gradient", "stripes"]))
    return {
        "finish": finish,
        "print": draw_print(rng, {pattern: 1.0}, finish),
        "turn_deg": round(float(rng.normal(0, 25)), 4),
    }


def _flag(values: Mapping[str, Any], rotation: F64, origin: F64, y_cm: float) -> list[tuple[Mesh, F32 | None]]:
    """Build the cube that names a broadcaster, with print on four sides."""
    side = 4.6
    parts: list[tuple[Mesh, F32 | None]] = []
    texture = printed({**values["print"], "scale": 0.1}, side, side)
    look, own = material(values["finish"], printed=True), material(values["finish"])
    for quarter in range(4):
        angle = np.radians(values["turn_deg"]) + quarter * np.pi / 2
        towards = np.array([np.sin(angle), 0.0, np.cos(angle)])
        turn = rotation @ frame((0.0, 1.0, 0.0), towards)
        face, _ = slab(side, side, 0.1, corner=0.35, bevel=0.02)
        at = origin + rotation @ (np.array([0.0, y_cm, 0.0]) + towards * (0.5 * side - 0.05))
        parts.append((face.moved(turn, at).made_of(look, printed=True), texture))
    for y, up in ((0.5 * side, 1.0), (-0.5 * side, -1.0)):
        face, _ = slab(side, side, 0.1, corner=0.35, bevel=0.02)
        turn = rotation @ frame(
            (np.sin(np.radians(values["turn_deg"])), 0.0, np.cos(np.radians(values["turn_deg"]))), (0.0, up, 0.0)
        )
        at = origin + rotation @ np.array([0.0, y_cm + y, 0.0])
        parts.append((face.moved(turn, at).made_of(own), None))
    return parts
