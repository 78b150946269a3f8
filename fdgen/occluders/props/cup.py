"""Cups at the mouth: mugs, paper cups, glasses, cans and bottles, tilted to drink, and the hand that holds them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Any

import numpy as np

from fdgen.analysis.geometry import rotation_matrix
from fdgen.arrays import F32, F64
from fdgen.assets import Asset
from fdgen.occluders.asset_table import AssetTable
from fdgen.occluders.base import Placement
from fdgen.occluders.environment import draw_surroundings
from fdgen.occluders.props.grip import Hold, draw_grip, draw_held, grip_mesh
from fdgen.occluders.props.materials import FINISHES, PRINTS, draw_finish, draw_print, glass, material, printed
from fdgen.occluders.props.showing import until_it_shows
from fdgen.occluders.props.solids import Solid, bent_tube, turned
from fdgen.occluders.props.spec import Profile, happens, pick
from fdgen.render.draw import Layer
from fdgen.render.mesh import Mesh, bind, spline
from fdgen.render.scene import Scene
from fdgen.settings.values import Range, Share, Weights, known, one_of

_BIAS_CM = 0.35
"""Lips and cheeks give way this much."""


class CupSpec(AssetTable):
    """What an asset of this kind says: words, ranges with their defaults, tables of weights, chances."""

    material: Annotated[str, one_of(FINISHES)]
    radius_cm: Range = (3.6, 4.4)  # at its widest
    height_cm: Range = (8.0, 11.0)
    tilt_deg: Range = (18.0, 62.0)  # while drinking: 0 is upright, 90 shows its bottom
    grip_at: Range = (0.35, 0.6)  # where the hand lies: 0 at the bottom, 1 at the rim
    wall: Range = (0.03, 0.08)  # thickness, in radii
    patterns: Weights[Annotated[str, known(PRINTS)]]
    profile: Profile  # radius and height, in shares of the widest and of the whole, from the foot to the rim
    handle: Share = 0.0
    lid: Share = 0.0
    sleeve: Share = 0.0
    hand: Share = 0.92
    drinking: Share = 0.75
    filled: Share = 0.0


_DRINKS = (
    *((0.70, 0.72, 0.70), (0.35, 0.13, 0.03), (0.62, 0.30, 0.03), (0.10, 0.03, 0.015)),
    *((0.75, 0.70, 0.60), (0.45, 0.04, 0.05), (0.75, 0.45, 0.08)),
)
"""Water, tea, orange juice, cola, milk, berries, beer: linear RGB."""

_FOOT = ((0.0, 0.025), (0.78, 0.025), (0.86, 0.0), (1.0, 0.0))
"""The bottom: a hollow within a ring on which the vessel stands; in radii of the foot and heights."""
_LID = ((1.0, 0.985), (1.05, 0.985), (1.06, 1.015), (0.99, 1.03), (0.93, 1.09), (0.87, 1.09), (0.85, 1.05), (0.0, 1.05))


@dataclass(frozen=True, slots=True)
class Cup:
    """The occluder of kind `cup`; its assets are the vessels' shapes."""

    kind: str = "cup"

    def place(self, scene: Scene, asset: Asset, rng: np.random.Generator) -> Placement:
        """Draw the vessel, how it is held, what it is made of, and the hand, until enough of it shows."""
        values = until_it_shows(scene, CupSpec.of(asset), rng, self._draw, self._draw_hand, _vessel)
        return Placement(self.kind, asset.id, int(rng.integers(2**31)), values)

    def _draw(self, scene: Scene, spec: CupSpec, rng: np.random.Generator) -> dict[str, Any]:
        size = spec.draw(rng)
        drinking = happens(spec.drinking, rng)
        right = rng.random() < 0.5 + 0.3 * np.tanh(scene.pose.yaw_deg / 15.0)
        side = "right" if right else "left"
        wear = {
            "tilt_deg": size["tilt_deg"] if drinking else float(rng.normal(6.0, 8.0)),
            "lean_deg": float(np.clip(rng.normal(0.0, 7.0), -16, 16)),
            "yaw_deg": float(np.clip(rng.normal(0.0, 9.0), -20, 20)),
            "turn_deg": float(rng.uniform(40, 120) * (1 if right else -1)),
            "across_cm": float(rng.normal(0.0, 0.35 if drinking else 1.2)),
            "drop_cm": float(rng.normal(0.15, 0.15) if drinking else rng.uniform(-0.3, 3.0)),
            "away_cm": float(rng.uniform(0.0, 0.15) if drinking else rng.uniform(0.4, 3.5)),
        }
        finish = draw_finish(rng, spec.material)
        pattern = pick(spec.patterns, rng)
        values: dict[str, Any] = {
            "size": size,
            "side": side,
            "wear": {name: round(value, 5) for name, value in wear.items()},
            "finish": finish,
            "print": draw_print(rng, {pattern: 1.0}, finish),
            "handle": happens(spec.handle, rng),
            "lid": draw_finish(rng, "plastic") if happens(spec.lid, rng) else None,
            "sleeve": [round(float(v), 4) for v in (rng.uniform(0.3, 0.42), rng.uniform(0.62, 0.8))]
            if happens(spec.sleeve, rng)
            else None,
            "drink": [round(float(c), 4) for c in _DRINKS[int(rng.integers(len(_DRINKS)))]],
            "level": round(float(rng.uniform(0.35, 0.85)) if happens(spec.filled, rng) else -1.0, 4),
            "surroundings": draw_surroundings(rng),
        }
        return values

    def _draw_hand(
        self, scene: Scene, values: Mapping[str, Any], spec: CupSpec, rng: np.random.Generator
    ) -> dict[str, Any] | None:
        if not happens(spec.hand, rng):
            return None
        return draw_grip(scene, _hold(scene, values, spec, values["side"], rng), values["side"], rng)

    def render(self, scene: Scene, placement: Placement, asset: Asset) -> Layer:
        """Draw the cup and its hand over the scene. Pure."""
        values = placement.values
        return draw_held(scene, build(scene, values, CupSpec.of(asset)), values, bias_cm=_BIAS_CM)


def build(scene: Scene, values: Mapping[str, Any], spec: CupSpec) -> Mesh:
    """Build cup and hand in head cm."""
    rotation, origin, lip = _stand(scene, values, spec)
    size, finish = values["size"], values["finish"]
    radius, height = size["radius_cm"], size["height_cm"]
    body = turned(_profile(values, spec)).moved(rotation, origin)
    foot = turned(np.array(_FOOT) * (spec.profile[0][0] * radius, height)).moved(rotation, origin)
    inside = turned(_inside(values, spec)).moved(rotation, origin)
    parts: list[tuple[Mesh, F32 | None]] = []
    if finish["kind"] == "glass":
        upright = origin + rotation @ np.array([0.0, values["level"] * height, 0.0])
        drinking = values["wear"]["away_cm"] < 0.2
        level = -99.0 if values["level"] < 0 else min(lip[1] - 0.2, upright[1]) if drinking else upright[1]
        filled = np.clip((level - body.vertices[:, 1]) / 0.2 + 0.5, 0.0, 1.0)
        parts.append((body.made_of(glass(scene, body.normals, values["drink"], filled=filled)), None))
        base = glass(scene, foot.normals, values["drink"], filled=np.full(len(foot.normals), filled[0]))
        parts.append((foot.made_of(base), None))
    else:
        wall = printed(values["print"], 2 * np.pi * radius, height)
        if values["sleeve"] is not None:
            first, last = (round(share * len(wall)) for share in values["sleeve"])
            wall[first:last] = np.array([0.42, 0.27, 0.15], np.float32) * wall[first:last].mean() ** 0.1
        parts.append((body.made_of(material(finish, printed=True), printed=True), wall))
        parts += [(piece.made_of(material(finish)), None) for piece in (inside, foot)]
    if values["lid"] is not None:
        lid = turned(np.array(_LID) * (_top_radius(values, spec), height)).moved(rotation, origin)
        parts.append((lid.made_of(material(values["lid"])), None))
    if values["handle"]:
        parts.append((_handle(values, rotation, origin).made_of(material(finish)), None))
    if values["hand"] is not None:
        hand = grip_mesh(scene, values["hand"])
        parts.append((hand, hand.texture))
    return bind(parts)


def _profile(values: Mapping[str, Any], spec: CupSpec) -> F64:
    """Return the outer profile in cm, in small steps: glass is filled and facets its light by them."""
    rows = np.array(spec.profile) * (values["size"]["radius_cm"], values["size"]["height_cm"])
    steps = [np.linspace(a, b, 5)[:-1] if np.hypot(*(b - a)) > 1.2 else a[None] for a, b in pairwise(rows)]
    return np.concatenate([*steps, rows[-1:]])


def _inside(values: Mapping[str, Any], spec: CupSpec) -> F64:
    """Return the profile of the rim and the inner wall, from the rim down."""
    radius, height = _top_radius(values, spec), float(values["size"]["height_cm"])
    thin = radius * (1 - values["size"]["wall"])
    return np.array(
        [[radius, height], [0.5 * (radius + thin), height + 0.08], [thin, height], [0.92 * thin, 0.6 * height]]
    )


def _top_radius(values: Mapping[str, Any], spec: CupSpec) -> float:
    return float(spec.profile[-1][0] * values["size"]["radius_cm"])


def _vessel(scene: Scene, values: Mapping[str, Any], spec: CupSpec) -> list[Solid]:
    """Return the vessel by itself, in head cm."""
    rotation, origin, _ = _stand(scene, values, spec)
    return [turned(_profile(values, spec), sides=24).moved(rotation, origin)]


def _stand(scene: Scene, values: Mapping[str, Any], spec: CupSpec) -> tuple[F64, F64, F64]:
    """Return the cup's turn (3, 3), the middle of its bottom, and the point of its rim at the lips, in head cm."""
    wear = values["wear"]
    lean, yaw = np.radians(wear["lean_deg"]), np.radians(wear["yaw_deg"])
    rotation = (
        rotation_matrix((0.0, 0.0, lean))
        @ rotation_matrix((0.0, yaw, 0.0))
        @ rotation_matrix((-np.radians(wear["tilt_deg"]), 0.0, 0.0))
    )
    lips = 0.5 * (scene.mesh_cm[13] + scene.mesh_cm[14])
    lip = lips + np.array([wear["across_cm"], -wear["drop_cm"], wear["away_cm"]])
    lidded = values["lid"] is not None
    rim = np.array([0.0, 1.09 if lidded else 1.0, 0.0]) * values["size"]["height_cm"]
    rim[2] = -_top_radius(values, spec) * (0.93 if lidded else 1.0)
    origin: F64 = lip - rotation @ rim
    return rotation, origin, lip


def _handle(values: Mapping[str, Any], rotation: F64, origin: F64) -> Solid:
    """Return the ear of a mug."""
    radius, height = values["size"]["radius_cm"], values["size"]["height_cm"]
    turn = np.radians(values["wear"]["turn_deg"])
    rows = ((0.92, 0.82), (1.28, 0.86), (1.62, 0.7), (1.66, 0.48), (1.4, 0.26), (0.92, 0.2))
    path = spline([(r * radius * np.sin(turn), h * height, r * radius * np.cos(turn)) for r, h in rows], 22)
    return bent_tube(path, 0.48, depth_cm=0.6).moved(rotation, origin)


def _hold(scene: Scene, values: Mapping[str, Any], spec: CupSpec, side: str, rng: np.random.Generator) -> Hold:
    """Draw where the hand takes hold: at the side of its arm, its fingers before the cup."""
    rotation, origin, _ = _stand(scene, values, spec)
    size = values["size"]
    profile = _profile(values, spec)
    body = turned(profile, sides=24).moved(rotation, origin)
    height = size["grip_at"] * size["height_cm"]
    tall = np.maximum.accumulate(profile[:, 1])
    radius = float(np.interp(height, tall, profile[:, 0]))
    angle = np.radians(rng.uniform(38.0, 80.0)) * (-1 if side == "right" else 1)
    out = np.array([np.sin(angle), 0.0, np.cos(angle)])
    return Hold(
        at_cm=origin + rotation @ (out * radius + np.array([0.0, height, 0.0])),
        out=rotation @ out,
        along=rotation @ np.array([0.0, 1.0, 0.0]),
        radius_cm=radius,
        thing=[body],
    )
