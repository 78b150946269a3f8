"""The reflections of a shiny thing on a face: the place behind the camera, synthesised from the photograph."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from fdgen.analysis.lighting import luminance, to_linear
from fdgen.arrays import F32
from fdgen.occluders.reflected_things import crown, lay, oval, quad, small_things
from fdgen.render.scene import Scene
from fdgen.runtime.jit import compiled

_ROWS, _COLUMNS = 48, 96
"""What is soft (sky, ground, furniture out of focus) is painted at this size."""
_FINER = 4
"""What has edges is drawn at so many times that size: a lens of 60 px shows some 40 degrees of the place."""
_PLACE = 32
_BRIGHTEST = 12.0
"""Lamps are brighter, but on wires a pixel wide they would break into dots."""
_ABOVE = (0.26, 0.16)
"""Rows of the map, as shares, from which what is overhead brightens, and at which it has its full strength: no lens
looks so high, but the bevels of frames do, and their upper edges shine."""
_PLAIN = 0.3
"""Share of places with hardly a thing in them: a beach, a field, a bare wall; lenses show sky, horizon and lights."""


def draw_surroundings(rng: np.random.Generator) -> dict[str, Any]:
    """Draw what lies behind the camera: sky or ceiling, skyline, ground, windows and lamps."""
    outdoors = bool(rng.random() < 0.6)
    bluish = rng.uniform(0.0, 0.6) if outdoors else rng.uniform(-0.25, 0.1)
    sky = np.array([1 - 0.55 * bluish, 1 - 0.2 * bluish, 1 + 0.35 * bluish])
    plain = rng.random() < _PLAIN
    windows = []
    for _ in range(int(rng.integers(0, 4) if outdoors else rng.integers(2, 6)) + plain):
        width = rng.uniform(0.008, 0.05)
        windows.append(
            [
                np.clip(rng.normal(0.5, 0.07), 0.28, 0.72),  # a lens shows what is nearly before it
                rng.uniform(0.25, 0.5),
                width,
                width * rng.uniform(0.8, 3.5),
                10 ** rng.uniform(0.5, 1.4),
            ]
        )
    return {
        "photo": round(float(rng.uniform(0.12, 0.7)), 4),
        "power": round(float(rng.uniform(1.0, 1.9)), 4),
        "sky": _rounded(sky * (10 ** rng.uniform(-0.1, 0.5) if outdoors else rng.uniform(0.25, 0.9))),
        "ground": round(float(rng.uniform(0.12, 0.5)), 4),
        "horizon": round(float(rng.uniform(0.46, 0.62)), 4),
        "skyline": round(float(rng.uniform(0.01, 0.10)), 4),
        "clutter": round(float(rng.uniform(0.1, 0.4) if plain else rng.uniform(0.2, 0.8)), 4),
        "things": round(float(rng.uniform(0.05, 0.4) if plain else rng.uniform(0.45, 1.15)), 4),
        "overhead": round(float(10 ** rng.uniform(0.0, 0.85)), 4),
        "photographer": _rounded([rng.normal(0.5, 0.02), rng.uniform(0.40, 0.54), rng.uniform(0.0, 0.07)]),
        "soft": round(float(rng.uniform(0.3, 1.2) if outdoors else rng.uniform(1.5, 4.0)), 4),
        "lamp": round(float(10 ** rng.uniform(0.4, 1.2)), 4),
        "windows": [_rounded(window) for window in windows],
        "panes": [int(rng.integers(1, 4)), int(rng.integers(1, 4))],
        "buildings": [_rounded(building) for building in _draw_buildings(rng, outdoors=outdoors)],
        "people": [
            _rounded([rng.uniform(0.3, 0.7), rng.uniform(0.42, 0.5), rng.uniform(0.006, 0.022), rng.uniform(0.1, 0.7)])
            for _ in range(int(rng.integers(0, 4)))
        ],
        "glare": _rounded(
            [rng.uniform(0.4, 0.6), rng.uniform(0.38, 0.6), rng.uniform(0.04, 0.11), rng.uniform(0.0, 0.9)]
        ),
        "seed": int(rng.integers(2**31)),
    }


def _draw_buildings(rng: np.random.Generator, *, outdoors: bool) -> list[list[float]]:
    """Draw blocks that stand before the sky or the wall: middle, top, width as shares of the map, and brightness."""
    blocks = []
    for _ in range(int(rng.integers(3, 9) if outdoors else rng.integers(2, 6))):
        top = rng.uniform(0.30, 0.47)
        blocks.append([rng.uniform(0.25, 0.75), top, rng.uniform(0.008, 0.05), 10 ** rng.uniform(-0.9, 0.45)])
    return blocks


def surroundings(scene: Scene, values: Mapping[str, Any]) -> F32:
    """Paint what lies behind the camera, by latitude and longitude (192, 384, 3), relative to the light on the face.

    The photograph itself, mirrored and blurred, is the best guess at the place; above its skyline lies the sky, below
    it the ground; blocks, windows with their bars, people and the photographer have sharp edges. A lamp stands where
    the face's light comes from.
    """
    land, sky = _soft_place(scene, values)
    size = (_COLUMNS * _FINER, _ROWS * _FINER)
    land, sky = (np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_LINEAR), np.float32) for part in (land, sky))
    rows, columns = size[1], size[0]
    rng = np.random.default_rng([values["seed"], 1])
    shift, turn = int(rng.integers(columns)), int(rng.choice([-1, 1]))
    heights = np.cumsum(rng.normal(0.0, 1.0, columns))
    heights -= np.linspace(heights[0], heights[-1], columns)  # the ends meet behind the head
    skyline = values["horizon"] - values["skyline"] * np.abs(heights) / (np.abs(heights).max() + 1e-9)
    v = ((np.arange(rows, dtype=np.float32) + np.float32(0.5)) / np.float32(rows))[:, None]
    painted = land
    _join(
        painted,
        sky,
        skyline.astype(np.float32),
        rows / values["soft"],
        small_things(rows, columns),
        values["things"],
        shift,
        turn,
    )
    level = float(painted.mean())
    for n, (middle, top, width, bright) in enumerate(values["buildings"]):
        height = max(values["horizon"] + 0.03 - top, 0.02)
        if n % 2:  # a tree, or a hill
            outline = crown(middle, top, 1.6 * width, 1.3 * height, rng)
        else:
            outline = quad(middle, top, width, height, 0.0, float(rng.uniform(-0.2, 0.2)))
        lay(painted, outline, level * bright, 0.8, fade=0.4)
    for middle, top, width, dark in values["people"]:
        _person(painted, middle, top, width, level * dark, 0.9)
    who, top, wide = values["photographer"]
    _person(painted, who, top, wide, 0.16 * level, 0.75)
    for window in values["windows"]:
        _window(painted, window, values["panes"], float(rng.uniform(-0.25, 0.25)))
    middle, high, width, strength = values["glare"]
    if strength > 0.45:  # a pale sheet of light across the lens: a car's roof, a wet street, an awning
        bright = strength * 3.0 * level + 0.5
        lay(painted, oval(middle, high, 2.2 * width, 0.3 * width), bright, 0.5, soft_px=0.008 * columns)
    x, y, z = (float(c) for c in scene.light.direction)
    lay(painted, oval(0.5 + np.arctan2(x, z) / (2 * np.pi), 0.5 - 0.499 * y, 0.035, 0.05), values["lamp"], 0.9)
    np.minimum(painted, np.float32(_BRIGHTEST), out=painted)
    first, full = _ABOVE
    high = painted[: round(first * rows)]
    high += np.float32(values["overhead"]) * np.clip((first - v[: len(high)]) / (first - full), 0, 1)[..., None]
    return painted


@compiled
def _join(
    land: F32, sky: F32, skyline: F32, sharpness: float, things: F32, contrast: float, shift: int, turn: int
) -> None:
    """Put the sky above the skyline and things with edges below it, in place.

    Args:
        land: What is seen where there is no sky (rows, columns, 3); becomes the whole place.
        sky: What the sky adds to it.
        skyline: Height of the skyline at each column, as a share of the map's from its top.
        sharpness: How steeply one gives way to the other, in shares of the map's height.
        things: Brightness of things (rows, columns), about 1.
        contrast: How much of their contrast shows.
        shift: Columns that they are turned about the head by.
        turn: 1, or -1 for their mirror image.
    """
    rows, columns = things.shape
    turned = np.empty(columns, np.int64)
    for x in range(columns):
        turned[x] = (turn * x + shift) % columns
    for y in range(rows):
        v = np.float32((y + 0.5) / rows)
        for x in range(columns):
            above = min(max((skyline[x] - v) * np.float32(sharpness) + np.float32(0.5), np.float32(0)), np.float32(1))
            thing = np.float32(contrast) * (things[y, turned[x]] - np.float32(1))
            factor = np.float32(1) + max(thing, np.float32(-0.95)) * (np.float32(1) - above)
            for q in range(3):
                land[y, x, q] = (land[y, x, q] + sky[y, x, q] * above) * factor


def _soft_place(scene: Scene, values: Mapping[str, Any]) -> tuple[F32, F32]:
    """Return what is seen where there is no sky, and what the sky adds to it (48, 96, 3)."""
    photo = cv2.resize(scene.face.clean_HWC, (_PLACE, _PLACE), interpolation=cv2.INTER_AREA)[:, ::-1]
    weight, smooth_weight = _away_from_face()
    place = np.asarray(cv2.GaussianBlur(to_linear(np.ascontiguousarray(photo)) * weight, (0, 0), 3.0), np.float32)
    place /= smooth_weight
    place /= np.float32(max(float(place.mean()), 1e-3))
    place = np.asarray(cv2.resize(place, (_COLUMNS, _ROWS), interpolation=cv2.INTER_LINEAR), np.float32)
    brightness = luminance(place)[..., None] + np.float32(1e-3)
    pale = np.float32(0.65) * place / brightness + np.float32(0.35)
    place = np.float32(values["photo"]) * pale * np.minimum(brightness, 2.5) ** np.float32(values["power"])
    rng = np.random.default_rng(values["seed"])
    v = ((np.arange(_ROWS) + 0.5) / _ROWS)[:, None]
    zenith = (0.75 + 0.5 * np.clip(values["horizon"] - v, 0.0, 1.0) / 0.5)[..., None]
    sky = np.array(values["sky"]) * zenith * (0.75 + 0.25 * place.mean((0, 1)))
    below = np.clip((v - values["horizon"]) * 6.0, 0.0, 1.0)[..., None]
    shapes = cv2.resize(rng.normal(0.0, 1.0, (8, 16)), (_COLUMNS, _ROWS), interpolation=cv2.INTER_CUBIC)
    things = np.exp(values["clutter"] * shapes)[..., None]  # furniture, cars, trees
    land = place * things * (1.0 - below * (1.0 - values["ground"]))
    return land.astype(np.float32), (np.broadcast_to(sky, land.shape) - 0.7 * land).astype(np.float32)


def _person(painted: F32, middle: float, top: float, width: float, level: float, share: float) -> None:
    """Draw someone's head and shoulders and what is below them, in place."""
    lay(painted, oval(middle, top + 0.45, width, 0.8), 0.7 * level, share)
    lay(painted, oval(middle, top + 0.02, 0.45 * width, 0.07), 1.3 * level, share)


def _window(painted: F32, window: Any, panes: Any, skew: float) -> None:
    """Draw a bright window, `panes` (across, down) of it with dark bars between, in place."""
    middle, high, width, height, strength = window
    across, down = panes
    for column in range(across):
        for row in range(down):
            aside = (column + 0.5) / across - 0.5
            tall = height * (1 - 2 * skew * aside)  # the further side is lower
            top = high + (row / down - 0.5) * tall
            wide, pane = 0.8 * width / across, 0.84 * tall / down
            lay(painted, quad(middle + aside * width, top, wide, pane, 0.0, skew / across), strength, 1.0, fade=0.45)


@cache
def _away_from_face() -> tuple[F32, F32]:
    """Weights (32, 32, 1) that count the surroundings of a face and hardly the face itself, plain and blurred."""
    y, x = np.mgrid[-1 : 1 : _PLACE * 1j, -1 : 1 : _PLACE * 1j]
    away = np.clip((np.hypot(x / 0.62, (y - 0.1) / 0.85) - 0.7) * 2.5, 0.02, 1.0)
    weights: F32 = away[..., None].astype(np.float32)
    return weights, np.asarray(cv2.GaussianBlur(weights, (0, 0), 3.0), np.float32)[..., None]


def _rounded(values: npt.ArrayLike) -> list[float]:
    return [round(float(v), 5) for v in np.ravel(values)]
