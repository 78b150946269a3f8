"""Phones: at the ear, or held before part of the face as for a picture in a mirror, with the hand round them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from fdgen.analysis.geometry import rotation_matrix
from fdgen.arrays import F32, F64
from fdgen.assets import Asset
from fdgen.occluders.asset_table import AssetTable
from fdgen.occluders.base import Placement
from fdgen.occluders.environment import draw_surroundings
from fdgen.occluders.props.grip import Hold, draw_grip, draw_held, grip_mesh
from fdgen.occluders.props.materials import FINISHES, PRINTS, draw_finish, draw_print, material, printed
from fdgen.occluders.props.showing import until_it_shows
from fdgen.occluders.props.solids import Solid, frame, slab, turned
from fdgen.occluders.props.spec import happens, pick
from fdgen.render.draw import Layer
from fdgen.render.mesh import Material, Mesh, bind
from fdgen.render.scene import Scene
from fdgen.settings.values import Range, Share, Weights, known, one_of

_BIAS_CM = 0.3


class PhoneSpec(AssetTable):
    """What an asset of this kind says: words, ranges with their defaults, tables of weights, chances."""

    held: Annotated[str, one_of(("before", "ear"))]
    lenses: Annotated[str, one_of(("one", "pair", "square", "row", "none"))]
    width_cm: Range = (6.7, 7.8)
    height_cm: Range = (13.8, 16.4)
    depth_cm: Range = (0.75, 1.1)
    corner_cm: Range = (0.7, 1.1)
    roll_deg: Range = (-16.0, 16.0)
    across_cm: Range = (-3.5, 3.5)  # of its middle from the nose, for one held before the face
    up_cm: Range = (-6.0, 1.0)
    away_cm: Range = (3.0, 9.0)  # before the tip of the nose
    finishes: Weights[Annotated[str, known(FINISHES)]]
    patterns: Weights[Annotated[str, known(PRINTS)]]
    hand: Share = 0.95


_SPOTS: Mapping[str, tuple[tuple[float, float], ...]] = {  # centres of lenses, from the corner, in cm
    "none": (),
    "one": ((1.3, 1.3),),
    "pair": ((1.3, 1.3), (1.3, 3.0)),
    "square": ((1.2, 1.2), (1.2, 2.9), (2.9, 2.0)),
    "row": ((1.3, 1.3), (1.3, 2.8), (1.3, 4.3)),
}


@dataclass(frozen=True, slots=True)
class Phone:
    """The occluder of kind `phone`; its assets are cases and the ways they are held."""

    kind: str = "phone"

    def place(self, scene: Scene, asset: Asset, rng: np.random.Generator) -> Placement:
        """Draw the phone, where it is held, and the hand, until enough of it shows."""
        values = until_it_shows(scene, PhoneSpec.of(asset), rng, self._draw, self._draw_hand, _case)
        return Placement(self.kind, asset.id, int(rng.integers(2**31)), values)

    def _draw(self, scene: Scene, spec: PhoneSpec, rng: np.random.Generator) -> dict[str, Any]:
        size = spec.draw(rng)
        seen = np.tanh(scene.pose.yaw_deg / 10.0)  # positive: the viewer's left side is seen, where the right hand is
        near = spec.held == "ear"
        side = "right" if rng.random() < 0.5 + (0.48 if near else 0.2) * seen else "left"
        finish = draw_finish(rng, pick(spec.finishes, rng))
        values: dict[str, Any] = {
            "size": size,
            "side": side,
            "turn_deg": [round(float(v), 5) for v in rng.normal(0.0, (7.0, 9.0))],
            "finish": finish,
            "print": {**draw_print(rng, {pick(spec.patterns, rng): 1.0}, finish), "bands": []},
            "bumped": bool(rng.random() < 0.7),
            "surroundings": draw_surroundings(rng),
        }
        return values

    def _draw_hand(
        self, scene: Scene, values: Mapping[str, Any], spec: PhoneSpec, rng: np.random.Generator
    ) -> dict[str, Any] | None:
        if not happens(spec.hand, rng):
            return None
        return draw_grip(scene, _hold(scene, values, spec, rng), values["side"], rng)

    def render(self, scene: Scene, placement: Placement, asset: Asset) -> Layer:
        """Draw phone and hand over the scene. Pure."""
        values = placement.values
        return draw_held(scene, build(scene, values, PhoneSpec.of(asset)), values, bias_cm=_BIAS_CM)


def build(scene: Scene, values: Mapping[str, Any], spec: PhoneSpec) -> Mesh:
    """Build phone and hand in head cm."""
    rotation, middle = _stand(scene, values, spec)
    size, finish = values["size"], values["finish"]
    back, sides = (solid.moved(rotation, middle) for solid in _body(size))
    picture = printed(values["print"], size["width_cm"], size["height_cm"], texels=16)
    parts: list[tuple[Mesh, F32 | None]] = [
        (back.made_of(material(finish, printed=True), printed=True), picture),
        (sides.made_of(material(finish)), None),
    ]
    parts += [(piece, None) for piece in _camera(size, spec.lenses, values["bumped"], rotation, middle, finish)]
    if values["hand"] is not None:
        hand = grip_mesh(scene, values["hand"])
        parts.append((hand, hand.texture))
    return bind(parts)


def _body(size: Mapping[str, float]) -> tuple[Solid, Solid]:
    return slab(size["width_cm"], size["height_cm"], size["depth_cm"], corner=size["corner_cm"], bevel=0.16)


def _camera(
    size: Mapping[str, float], lenses: str, bumped: bool, rotation: F64, middle: F64, finish: Mapping[str, Any]
) -> list[Mesh]:
    """Build the camera's lenses, on a plate of their own or not."""
    spots = np.array(_SPOTS[lenses]).reshape(-1, 2)
    if not len(spots):
        return []
    corner = np.array([-0.5 * size["width_cm"], 0.5 * size["height_cm"]])
    centres = corner + spots * (1.0, -1.0)
    z = 0.5 * size["depth_cm"]
    pieces = []
    if bumped:
        low, high = centres.min(0) - 0.95, centres.max(0) + 0.95
        wide, tall = (float(v) for v in high - low)
        plate, rim = slab(wide, tall, 0.25, corner=0.7, bevel=0.1)
        at = np.array([*(0.5 * (low + high)), z])
        pieces += [part.moved(rotation, middle + rotation @ at).made_of(material(finish)) for part in (plate, rim)]
    upright = rotation @ frame((0.0, 0.0, 1.0), (0.0, -1.0, 0.0))
    glassy = Material((0.006, 0.006, 0.008), specular=0.9, gloss=120.0, mirror=0.12)
    metal = Material((0.05, 0.05, 0.05), specular=0.4, gloss=30.0, mirror=0.25)
    for x, y in centres:
        at = middle + rotation @ np.array([x, y, z])
        rim = turned([(0.72, 0.0), (0.72, 0.24), (0.56, 0.26)], sides=20).moved(upright, at)
        eye = turned([(0.56, 0.22), (0.3, 0.25), (0.01, 0.26)], sides=20).moved(upright, at)
        pieces += [rim.made_of(metal), eye.made_of(glassy)]
    return pieces


def _case(scene: Scene, values: Mapping[str, Any], spec: PhoneSpec) -> list[Solid]:
    """Return the phone by itself, in head cm."""
    rotation, middle = _stand(scene, values, spec)
    return [solid.moved(rotation, middle) for solid in _body(values["size"])]


def _stand(scene: Scene, values: Mapping[str, Any], spec: PhoneSpec) -> tuple[F64, F64]:
    """Return the phone's turn (3, 3), its back along z, and its middle, in head cm."""
    size, mesh = values["size"], scene.mesh_cm
    nod, yaw = (np.radians(v) for v in values["turn_deg"])
    roll = np.radians(size["roll_deg"])
    own = rotation_matrix((0.0, yaw, 0.0)) @ rotation_matrix((nod, 0.0, 0.0)) @ rotation_matrix((0.0, 0.0, roll))
    if spec.held == "before":
        tip = mesh[4]
        return own, tip + np.array([size["across_cm"], size["up_cm"], size["away_cm"]])
    sign = -1.0 if values["side"] == "right" else 1.0
    ear, cheek = (mesh[234], mesh[58]) if sign < 0 else (mesh[454], mesh[288])
    mouth = mesh[61] if sign < 0 else mesh[291]
    out = np.array([sign * 0.86, 0.05, 0.42])  # the earpiece lies on the ear, the lower end stands off the cheek
    up = ear - 0.5 * (cheek + mouth) + np.array([-0.6 * sign, 2.5, -1.2])
    turn = frame(up, out)
    top = ear + np.array([sign * 0.9, 2.6, -0.6])
    middle: F64 = top - turn[:, 1] * (0.5 * size["height_cm"] - 1.6) + turn[:, 2] * (0.5 * size["depth_cm"] + 0.3)
    return turn @ rotation_matrix((0.5 * nod, 0.5 * yaw, 0.25 * roll)), middle


def _hold(scene: Scene, values: Mapping[str, Any], spec: PhoneSpec, rng: np.random.Generator) -> Hold:
    """Draw where the hand takes hold: a long side in the palm, the fingers over the back."""
    rotation, middle = _stand(scene, values, spec)
    size = values["size"]
    sign = -1.0 if values["side"] == "right" else 1.0
    low = float(rng.uniform(-0.30, -0.05)) * size["height_cm"]
    if spec.held == "ear":
        out = np.array([sign * 0.35, 0.0, 0.94])
        at = np.array([sign * 0.1 * size["width_cm"], low, 0.5 * size["depth_cm"]])
    else:
        out = np.array([sign * 0.75, 0.0, 0.66])
        at = np.array([sign * 0.5 * size["width_cm"], low, 0.5 * size["depth_cm"]])
    y, x = np.meshgrid(np.linspace(-0.5, 0.5, 18) * size["height_cm"], np.linspace(-0.5, 0.5, 10) * size["width_cm"])
    flat = np.column_stack([x.ravel(), y.ravel()])
    z = 0.5 * size["depth_cm"]
    sheets = [
        Solid(
            np.column_stack([flat, np.full(len(flat), side * z)]), np.tile((0.0, 0.0, side), (len(flat), 1)), *_NOTHING
        )
        for side in (1.0, -1.0)
    ]
    rims = [
        Solid(
            np.column_stack([np.full(18, side * 0.5 * size["width_cm"]), y[0], np.zeros(18)]),
            np.tile((side, 0.0, 0.0), (18, 1)),
            *_NOTHING,
        )
        for side in (1.0, -1.0)
    ]
    return Hold(
        at_cm=middle + rotation @ at,
        out=rotation @ (out / np.linalg.norm(out)),
        along=rotation @ np.array([0.0, 1.0, 0.0]),
        radius_cm=4.0,
        thing=[piece.moved(rotation, middle) for piece in (*sheets, *rims)],
        flat=True,
    )


_NOTHING = (np.zeros((0, 3), np.int32), np.zeros((0, 2)))
