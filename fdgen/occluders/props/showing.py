"""How much of a thing shows: what lies beyond the picture, behind its hand or behind the head does not.

A cup of which a fist is all that one sees is no cup to learn from.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from fdgen.arrays import F32, F64, I32
from fdgen.occluders.hands.hand_shape import reshaped
from fdgen.occluders.hands.skeleton import skin
from fdgen.occluders.props.grip import hand_model
from fdgen.occluders.props.solids import Solid
from fdgen.render.rasteriser import DEPTH_ALONE, rasterise
from fdgen.render.scene import FAR, Scene, facing

Spec = TypeVar("Spec")

LEAST_SHOWN = 0.2
"""Share of a thing, as the camera would see it alone, below which it is drawn again."""

_TRIES = 12
_CELLS = 64
"""Side of the crop in cells; twice as many lie round it, for what is beyond."""

_MIRROR = np.array([-1.0, 1.0, 1.0])


def until_it_shows(
    scene: Scene,
    spec: Spec,
    rng: np.random.Generator,
    draw: Callable[[Scene, Spec, np.random.Generator], dict[str, Any]],
    draw_hand: Callable[[Scene, Mapping[str, Any], Spec, np.random.Generator], Mapping[str, Any] | None],
    solids: Callable[[Scene, Mapping[str, Any], Spec], Sequence[Solid]],
) -> dict[str, Any]:
    """Draw a held thing until enough of it shows; return its values, the last ones where that never happens.

    Args:
        scene: The face.
        spec: What its asset says.
        rng: What all is drawn from.
        draw: Draws the values of a placement, each time others.
        draw_hand: Draws the `hand` of such values, or None; asked where the thing by itself shows.
        solids: Builds the thing of such values in head cm, without its hand.
    """
    for _ in range(_TRIES):
        values, whole = draw(scene, spec, rng), None
        if shown(scene, pieces := solids(scene, values, spec), None) < LEAST_SHOWN:
            continue
        whole = {**values, "hand": draw_hand(scene, values, spec, rng)}
        if whole["hand"] is None or shown(scene, pieces, whole["hand"]) >= LEAST_SHOWN:
            break
    return whole or {**values, "hand": draw_hand(scene, values, spec, rng)}


def shown(scene: Scene, solids: Sequence[Solid], hand: Mapping[str, Any] | None) -> float:
    """Return which share of a thing shows, 0 to 1, of what the camera would see of it in a larger picture."""
    thing = _depth(scene, [(solid.vertices, solid.faces) for solid in solids])
    there = thing > FAR / 2
    if not there.any():
        return 0.0
    seen = np.zeros_like(there)
    inside = slice(_CELLS, 2 * _CELLS)
    step = scene.depth_HW.shape[0] // _CELLS
    head = scene.depth_HW[step // 2 :: step, step // 2 :: step][:_CELLS, :_CELLS]
    seen[inside, inside] = there[inside, inside] & (thing[inside, inside] > head)
    if hand is not None:
        seen &= thing > _depth(scene, [_hand(hand)])
    return float(seen.sum() / there.sum())


def _hand(values: Mapping[str, Any]) -> tuple[F64, I32]:
    """Return the cage of a hand in head cm, with its triangles."""
    model = hand_model(values["side"])
    cage, _, _ = skin(reshaped(model, values["shape"]), values["angles_deg"], values["girth"])
    cage = cage @ np.array(values["turn"]).T * float(values["scale"]) + np.array(values["origin_cm"])
    if values["side"] == "left":
        return cage * _MIRROR, np.ascontiguousarray(model.cage_faces[:, ::-1])
    return cage, model.cage_faces


def _depth(scene: Scene, pieces: Sequence[tuple[F64, I32]]) -> F32:
    """Return the depth of pieces in px of the crop, over the crop and as much round it; `FAR` where nothing is."""
    depth = np.full((3 * _CELLS, 3 * _CELLS), FAR, np.float32)
    for vertices, faces in pieces:
        points = scene.pose.to_screen(vertices).astype(np.float32)
        points[:, :2] = points[:, :2] * (_CELLS / scene.size_px) + _CELLS
        rasterise(points, facing(points, faces), depth, *DEPTH_ALONE)
    return depth
