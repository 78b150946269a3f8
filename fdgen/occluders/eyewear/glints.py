"""Glints on glossy frames: short bright lines where lamps and sky are mirrored by their rounded edges.

Edges are narrower than the pixels of a portrait: what a renderer finds there by chance breaks into dots, where a
photograph shows a clean line. So where glints lie is drawn, and they are a part of the surface.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fdgen.analysis.geometry import lengths, steps
from fdgen.arrays import F64
from fdgen.occluders.eyewear.frame_mesh import POINTS, Front
from fdgen.runtime.rng import draw_index, draw_one

RIM = np.repeat((0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.5, 0.0), POINTS)
"""Where on a rim of `Front.rim_mesh` a glint can lie: along its outer bevel, and not on the flat before it, which it
would whiten like paint."""
BRIDGE = np.repeat((0.0, 0.0, 0.0, 0.0, 1.0, 0.1), 17)
"""The same of `Front.bridge_mesh`."""

_DULL = 0.08
"""Share of glossy frames without any, under an even sky."""
_PLACES = ((55.0, 125.0), (12.0, 52.0), (128.0, 168.0), (205.0, 335.0))
"""Polar angles of a lens between which glints lie: its upper edge, the corner at the hinge, that at the nose, below."""
_OFTEN = (0.45, 0.3, 0.15, 0.1)
_PATTERNED = 6.0
"""How much brighter a glint is where the texture of the frame darkens it again."""
_THINGS = (0.16, 0.37, 0.71)
"""How many bright things and dark ones between them a cm of wire mirrors: coarse ones and finer."""
_UPRIGHT, _LEVEL, _LAMP = 0.6, 1.25, 0.7
"""What upright wire sends on over level wire, what that does over the mean, and what a lamp aside does over the sky."""
_NOSE_CM = 1.0
"""Half the width over which what one side mirrors goes over into what the other does."""


def draw_glints(rng: np.random.Generator, finish: Mapping[str, Any]) -> list[list[float]]:
    """Draw the glints of a frame: for each the polar angle, its length in cm, and how bright each lens's is."""
    n, even = int(rng.integers(3, 10)), rng.random()
    glints = []
    for _ in range(n):
        low, high = _PLACES[draw_index(rng, _OFTEN)]
        level = 10 ** rng.uniform(-0.25, 0.5)
        values = (rng.uniform(low, high), rng.uniform(0.08, 0.55), *(level * rng.uniform(0.15, 1.0, 2)))
        glints.append([round(float(value), 4) for value in values])
    return [] if finish["kind"] == "matte" or even < _DULL else glints


def draw_wire(rng: np.random.Generator) -> dict[str, Any]:
    """Draw what polished wires mirror: JSON values for `wire_tone`."""
    return {
        "lamp": draw_one(rng, (-1.0, 1.0)),
        "contrast": round(float(rng.uniform(0.55, 0.95)), 4),
        "phases": [round(float(phase), 4) for phase in rng.uniform(0.0, 2 * np.pi, len(_THINGS))],
    }


def wire_tone(wire: Mapping[str, Any], rings_cm: F64) -> F64:
    """Return how much of what is about it each point of a polished wire sends on (rings, sides): about 1 in the mean.

    A wire mirrors what is about it in a plane across it. Where it runs level, that is the sky above and the dark below:
    a bright line on a dark one. Where it runs upright, it is what is on either side, the brighter one that of the lamp.

    Args:
        wire: As `draw_wire` returns it.
        rings_cm: Points round the wire (rings, sides, 3), y up.
    """
    path = rings_cm.mean(1)
    around = rings_cm - path[:, None]
    around /= lengths(around) + 1e-9
    run = steps(path)
    length = lengths(run)[:, 0] + 1e-9
    upright = (run[:, 1] / length) ** 2
    far = np.cumsum(length)[:, None]
    side = np.clip(path[:, :1] / _NOSE_CM, -1.0, 1.0)
    phases = np.array(wire["phases"]) * (1.0 + 0.3 * side)  # either side mirrors things of its own
    things = np.sin(2 * np.pi * far * np.array(_THINGS) + phases).mean(1)
    along = _LEVEL * (1.0 - (1.0 - _UPRIGHT) * upright) * np.exp(wire["contrast"] * things)
    sky, lamp = (1.0 - upright)[:, None] * around[..., 1], upright[:, None] * wire["lamp"] * around[..., 0]
    tone: F64 = along[:, None] * (1.0 + wire["contrast"] * (sky + _LAMP * lamp))
    return tone


def glint_light(
    glints: Sequence[Sequence[float]], front: Front, sheet_cm: F64, finish: Mapping[str, Any], ridge: F64
) -> F64:
    """Return what glints add to the albedo (N, 1) of a surface.

    Args:
        glints: As `draw_glints` returns them.
        front: The frame's front.
        sheet_cm: Where the surface's points lie on the sheet (N, 2), on either side of the nose.
        finish: What the surface is made of.
        ridge: How well each point mirrors (N,), or all do: 1 along an edge.
    """
    added = np.zeros((len(sheet_cm), 1))
    if not glints:
        return added
    angle_deg, half_cm, left_level, right_level = np.array(glints).T[..., None]
    spots = front.outer[front.indices_at(angle_deg[:, 0])]
    ridge = np.broadcast_to(ridge, len(sheet_cm))
    mirrors = np.flatnonzero(ridge)
    x, y = sheet_cm[mirrors].T
    away = np.hypot(np.abs(x) - spots[:, :1], y - spots[:, 1:]) / half_cm
    light = np.add.reduce(np.where(x > 0, right_level, left_level) * np.exp(-(away**2)), axis=0)
    light *= ridge[mirrors]
    light *= _PATTERNED if finish["kind"] in ("tortoise", "horn") else 1.0
    added[mirrors, 0] = light
    return added
