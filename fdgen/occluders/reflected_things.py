"""Things that shiny surfaces mirror, painted on a map of the place by latitude and longitude, with smooth edges."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import cv2
import numpy as np

from fdgen.arrays import F32
from fdgen.runtime.jit import compiled

SHEET, OVAL, CROWN = 0.0, 1.0, 2.0
"""Forms: an upright sheet that may be seen aslant, an ellipse, and the ragged outline of a tree or a hill."""

_WAVES = (2.0, 3.0, 5.0, 7.0)
_AROUND = 32
"""Directions in which the reach of a ragged outline is computed."""
_GROUPS = 260
"""Groups of small things all round on the land: trees, trunks, cars, tables, people."""
_CROWNS = 12
"""Ragged outlines that they share."""
_FINER = 2
"""How many times finer than the map small things are drawn."""


class Thing(NamedTuple):
    """A shape in a map, in shares of the map's width and height. What reaches over its border is cut there.

    Args:
        form: `SHEET`, `OVAL` or `CROWN`.
        x: Place of its middle across.
        y: Place of its middle down.
        width: Its width.
        height: Its height.
        level: Light that it sends.
        share: How much it hides of what is behind.
        soft_px: Standard deviation of its edge.
        fade: How much darker its lower edge is than its upper one, as a share.
        lean: How far the upper edge of a sheet is moved aside.
        skew: How much higher the left side of a sheet is than its right, as a share.
        ragged: Outline of a crown, by `ragged_outline`.
    """

    form: float
    x: float
    y: float
    width: float
    height: float
    level: float
    share: float
    soft_px: float = 0.0
    fade: float = 0.0
    lean: float = 0.0
    skew: float = 0.0
    ragged: tuple[float, ...] = (0.0,) * (2 * len(_WAVES))


def ragged_outline(rng: np.random.Generator) -> tuple[float, ...]:
    """Draw the waves of an outline: how high each is, and where it begins."""
    return (*rng.normal(0.0, (0.1, 0.08, 0.06, 0.05)).tolist(), *rng.uniform(0, 2 * np.pi, 4).tolist())


def lay(painted: F32, things: Sequence[Thing], most: float = np.inf) -> None:
    """Paint things on a map (rows, columns, K) in place, the first lowest; none is brighter than `most`."""
    if things:
        table = np.array([(*thing[:-1], *thing[-1]) for thing in things], np.float32)
        _lay(painted, table, np.float32(most))


@compiled
def _lay(painted: F32, table: F32, most: np.float32) -> None:
    """Paint shapes (N, 19), rows of `Thing`, on a map (rows, columns, K) in place."""
    rows, columns = painted.shape[0], painted.shape[1]
    zero, one, half = np.float32(0), np.float32(1), np.float32(0.5)
    reach = np.empty(_AROUND + 1, np.float32)
    turn = np.float32(2 * np.pi / _AROUND)
    for n in range(table.shape[0]):
        form = int(table[n, 0])
        x, y = table[n, 1] * columns - half, table[n, 2] * rows - half
        wide = max(half * table[n, 3] * columns, np.float32(0.05))
        tall = max(half * table[n, 4] * rows, np.float32(0.05))
        level, share, soft, fade = min(table[n, 5], most), table[n, 6], table[n, 7], table[n, 8]
        lean, skew = table[n, 9] * columns, table[n, 10]
        longest = one
        if form == 2:
            for k in range(_AROUND + 1):
                far = one
                for q in range(4):
                    far += table[n, 11 + q] * np.cos(np.float32(_WAVES[q]) * np.float32(k) * turn + table[n, 15 + q])
                reach[k] = far
                longest = max(longest, far)
        margin = one + np.float32(2) * soft
        side, high = longest * wide + abs(lean) + margin, longest * tall * (one + abs(skew)) + margin
        left, right = max(int(np.floor(x - side)), 0), min(int(np.ceil(x + side)) + 1, columns)
        top, bottom = max(int(np.floor(y - high)), 0), min(int(np.ceil(y + high)) + 1, rows)
        steep = one / max(one, np.float32(2.5) * soft)
        for i in range(top, bottom):
            dy = np.float32(i) - y
            light = level * (one - fade * min(one, max(zero, half + half * dy / tall)))
            for j in range(left, right):
                dx = np.float32(j) - x
                if form == 0:
                    dx += lean * dy / tall
                    along = min(one, max(-one, dx / wide))
                    covers = min(one, max(zero, (wide - abs(dx)) * steep + half))
                    covers *= min(one, max(zero, (tall * (one - skew * along) - abs(dy)) * steep + half))
                else:
                    u, v = dx / wide, dy / tall
                    away = np.sqrt(u * u + v * v) + np.float32(1e-6)
                    edge = one
                    if form == 2:
                        at = np.float32(np.arctan2(v, u)) / turn
                        at = at + np.float32(_AROUND) if at < zero else at
                        k = min(int(at), _AROUND - 1)
                        edge = reach[k] + (reach[k + 1] - reach[k]) * (at - np.float32(k))
                    slope = np.sqrt((u / wide) * (u / wide) + (v / tall) * (v / tall)) / away + np.float32(1e-6)
                    covers = min(one, max(zero, (edge - away) / slope * steep + half))
                if covers > zero:
                    for q in range(painted.shape[2]):
                        painted[i, j, q] += share * covers * (light - painted[i, j, q])


@cache
def small_things(rows: int, columns: int) -> F32:
    """Brightness (rows, columns), 1 in the mean, of a place full of things; the same in every process.

    They are in groups: upright near the horizon, as trees, posts and people are, and flat and wide on the ground before
    it, as kerbs, shadows and cars are. The left edge goes on at the right one.
    """
    rng = np.random.default_rng(1702)
    crowns = [ragged_outline(rng) for _ in range(_CROWNS)]
    things = []
    for _ in range(_GROUPS):
        middle, spread = rng.uniform(0, 1), rng.uniform(0.008, 0.04)
        foot = rng.beta(1.3, 2.2)  # 0 on the horizon, 1 before one's feet
        near = (0.7 + 1.6 * foot) / columns
        for _ in range(int(rng.integers(4, 20))):
            long, short = near * rng.uniform(3.0, 12.0), near * rng.uniform(1.0, 3.2)
            bright = min(np.exp(rng.normal(-0.25, 0.8)), 3.5)
            x = (middle + rng.normal(0.0, spread)) % 1.0
            bottom = 0.5 + 0.45 * foot + rng.normal(0.0, 0.01 + 0.04 * foot)
            width, height = (short, 2 * long) if foot < 0.35 else (long, 2 * short)  # the map is twice as wide as high
            form = rng.random()
            upright = bottom - height + height / 2
            if form < 0.45:
                ragged = crowns[int(rng.integers(_CROWNS))]
                thing = Thing(CROWN, x, upright, 1.3 * width, height, bright, 0.8, ragged=ragged)
            elif form < 0.75:
                thing = Thing(OVAL, x, bottom - 0.5 * height, 1.2 * width, height, bright, 0.8)
            else:
                aslant = form - 0.87
                lean, skew = 0.3 * aslant * width, 0.8 * aslant
                thing = Thing(SHEET, x, upright, width, height, bright, 0.8, lean=lean, skew=skew)
            things += [thing._replace(x=x + turn) for turn in (-1, 0, 1)]
    found = np.ones((_FINER * rows, _FINER * columns, 1), np.float32)
    lay(found, things)
    small = cv2.resize(found[..., 0], (columns, rows), interpolation=cv2.INTER_AREA)
    return np.asarray(small / small[rows // 3 :].mean(), np.float32)
