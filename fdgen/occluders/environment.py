"""The reflections of a shiny thing on a face: the place behind the camera, synthesised from the photograph."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from fdgen.analysis.lighting import LUMINANCE, to_linear
from fdgen.arrays import F32, F64
from fdgen.occluders.reflected_things import CROWN, OVAL, SHEET, Thing, lay, ragged_outline, small_things
from fdgen.render.scene import Scene
from fdgen.runtime.jit import compiled

_ROWS, _COLUMNS = 48, 96
"""What is soft (sky, ground, furniture out of focus) is painted at this size."""
_HEIGHTS = ((np.arange(_ROWS) + 0.5) / _ROWS)[:, None]
"""Of its rows, as shares from the top."""
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
    for _ in range(int(rng.integers(1, 4) if outdoors else rng.integers(2, 6)) + plain):
        width = rng.uniform(0.008, 0.05)
        windows.append(
            [
                np.clip(rng.normal(0.5, 0.07), 0.28, 0.72),  # a lens shows what is nearly before it
                rng.uniform(0.36, 0.58),
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
        "horizon": round(float(rng.uniform(0.50, 0.66)), 4),
        "skyline": round(float(rng.uniform(0.01, 0.10)), 4),
        "clutter": round(float(rng.uniform(0.1, 0.4) if plain else rng.uniform(0.2, 0.8)), 4),
        "things": round(float(rng.uniform(0.05, 0.4) if plain else rng.uniform(0.6, 1.5)), 4),
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
    """Draw blocks in front of the sky or the wall: middle, top, width as shares of the map, and brightness."""
    blocks = []
    for _ in range(int(rng.integers(3, 9) if outdoors else rng.integers(2, 6))):
        top = rng.uniform(0.30, 0.47)
        blocks.append([rng.uniform(0.25, 0.75), top, rng.uniform(0.008, 0.05), 10 ** rng.uniform(-0.9, 0.45)])
    return blocks


def surroundings(scene: Scene, values: Mapping[str, Any]) -> F32:
    """Paint what lies behind the camera, by latitude and longitude (192, 384, 3), relative to the light on the face.

    The photograph itself, mirrored and blurred, is the best guess at the place; above its skyline lies the sky, below
    it the ground; blocks, windows with their bars, people and the photographer have sharp edges. A lamp is where the
    face's light comes from.
    """
    rows, columns = _ROWS * _FINER, _COLUMNS * _FINER
    land, sky = _soft_place(scene, values)
    rng = np.random.default_rng([values["seed"], 1])
    shift, turn = int(rng.integers(columns)), 1 - 2 * int(rng.integers(2))
    heights = np.cumsum(rng.normal(0.0, 1.0, columns))
    heights -= np.linspace(heights[0], heights[-1], columns)  # the ends meet behind the head
    heights = np.abs(heights)
    skyline = values["horizon"] - values["skyline"] * heights / (heights.max() + 1e-9)
    painted = np.asarray(cv2.resize(land, (columns, rows), interpolation=cv2.INTER_LINEAR), np.float32)
    _join(
        painted,
        sky,
        skyline.astype(np.float32),
        rows / values["soft"],
        small_things(rows, columns),
        values["things"],
        shift,
        turn,
        values["overhead"],
    )
    lay(painted, _things(scene, values, float(land.mean()), rng), _BRIGHTEST)
    return painted


def _things(scene: Scene, values: Mapping[str, Any], level: float, rng: np.random.Generator) -> list[Thing]:
    """Return what has sharp edges in a place of the mean brightness `level`, the farthest first."""
    things = []
    for n, (middle, top, width, bright) in enumerate(values["buildings"]):
        height = max(values["horizon"] + 0.03 - top, 0.02)
        if n % 2:  # a tree, or a hill
            tall, ragged = 1.3 * height, ragged_outline(rng)
            things.append(
                Thing(CROWN, middle, top + tall / 2, 1.6 * width, tall, level * bright, 0.8, fade=0.4, ragged=ragged)
            )
        else:
            skew = float(rng.uniform(-0.2, 0.2))
            things.append(
                Thing(SHEET, middle, top + height / 2, width, height, level * bright, 0.8, fade=0.4, skew=skew)
            )
    for middle, top, width, dark in values["people"]:
        things += _person(middle, top, width, level * dark, 0.9)
    who, top, wide = values["photographer"]
    things += _person(who, top, wide, 0.16 * level, 0.75)
    for window in values["windows"]:
        things += _window(window, values["panes"], float(rng.uniform(-0.25, 0.25)))
    middle, high, width, strength = values["glare"]
    if strength > 0.45:  # a pale sheet of light across the lens: a car's roof, a wet street, an awning
        bright, soft_px = strength * 3.0 * level + 0.5, 0.008 * _COLUMNS * _FINER
        things.append(Thing(OVAL, middle, high, 2.2 * width, 0.3 * width, bright, 0.5, soft_px))
    x, y, z = (float(c) for c in scene.light.direction)
    at = 0.5 + np.arctan2(x, z) / (2 * np.pi)
    things.append(Thing(OVAL, at, 0.5 - 0.499 * y, 0.035, 0.05, values["lamp"], 0.9))
    return things


@compiled
def _join(
    land: F32,
    sky: F32,
    skyline: F32,
    sharpness: float,
    things: F32,
    contrast: float,
    shift: int,
    turn: int,
    overhead: float,
) -> None:
    """Put the sky above the skyline, things with edges below it, and light from overhead, in place.

    Args:
        land: What is seen where there is no sky (rows, columns, 3); becomes the whole place.
        sky: Light of the sky by height (rows of the soft place, 3).
        skyline: Height of the skyline at each column, as a share of the map's from its top.
        sharpness: How steeply one gives way to the other, in shares of the map's height.
        things: Brightness of things (rows, columns), about 1.
        contrast: How much of their contrast shows.
        shift: Columns that they are turned about the head by.
        turn: 1, or -1 for their mirror image.
        overhead: Light that is added at the top.
    """
    rows, columns = things.shape
    zero, one = np.float32(0), np.float32(1)
    first, full = _ABOVE
    for y in range(rows):
        v = np.float32((y + 0.5) / rows)
        at = max(0.0, (y + 0.5) * sky.shape[0] / rows - 0.5)
        low = min(int(at), sky.shape[0] - 2)
        part = np.float32(min(1.0, at - low))
        bright = np.float32(overhead * min(1.0, max(0.0, float((first - v) / (first - full)))))
        red = sky[low, 0] + (sky[low + 1, 0] - sky[low, 0]) * part
        green = sky[low, 1] + (sky[low + 1, 1] - sky[low, 1]) * part
        blue = sky[low, 2] + (sky[low + 1, 2] - sky[low, 2]) * part
        column = shift
        for x in range(columns):
            above = min(max((skyline[x] - v) * np.float32(sharpness) + np.float32(0.5), zero), one)
            factor = one
            if above < one:
                thing = np.float32(contrast) * (things[y, column] - one)
                factor = one + max(thing, np.float32(-0.95)) * (one - above)
            below = (one - np.float32(0.7) * above) * factor
            above *= factor
            land[y, x, 0] = land[y, x, 0] * below + red * above + bright
            land[y, x, 1] = land[y, x, 1] * below + green * above + bright
            land[y, x, 2] = land[y, x, 2] * below + blue * above + bright
            column += turn
            if column == columns:
                column = 0
            elif column < 0:
                column = columns - 1


def _soft_place(scene: Scene, values: Mapping[str, Any]) -> tuple[F32, F32]:
    """Return what is seen where there is no sky (48, 96, 3), and the light of the sky at each of its rows (48, 3)."""
    photo = cv2.resize(scene.face.clean_HWC, (_PLACE, _PLACE), interpolation=cv2.INTER_AREA)[:, ::-1]
    weight, smooth_weight = _away_from_face()
    place = np.asarray(cv2.GaussianBlur(to_linear(np.ascontiguousarray(photo)) * weight, (0, 0), 3.0), np.float32)
    place /= smooth_weight
    colour = cv2.mean(place)[:3]
    rng = np.random.default_rng(values["seed"])
    noise = rng.normal(0.0, 1.0, (8, 16))
    shapes = np.asarray(cv2.resize(noise, (_COLUMNS, _ROWS), interpolation=cv2.INTER_CUBIC), np.float64)
    land = np.asarray(cv2.resize(place, (_COLUMNS, _ROWS), interpolation=cv2.INTER_LINEAR), np.float32)
    mean = max(sum(colour) / 3, 1e-3)
    _furnish(
        land, shapes, values["horizon"], values["ground"], values["clutter"], values["photo"], values["power"], mean
    )
    zenith = 0.75 + np.clip(values["horizon"] - _HEIGHTS, 0.0, 1.0)
    around = values["photo"] * np.array(colour) / mean
    return land, (zenith * (np.array(values["sky"]) * (0.75 + 0.25 * around))).astype(np.float32)


@compiled
def _furnish(
    land: F32,
    shapes: F64,
    horizon: float,
    ground: float,
    clutter: float,
    photo: float,
    power: float,
    mean: float,
) -> None:
    """Turn the blurred photograph into what is seen where there is no sky, in place.

    Args:
        land: The photograph (rows, columns, 3), linear.
        shapes: Noise (rows, columns): furniture, cars, trees.
        horizon: Where the ground begins, as a share of the height.
        ground: How bright the ground is.
        clutter: How much of the noise shows.
        photo: How bright all is.
        power: Contrast of the photograph.
        mean: Mean of the photograph.
    """
    rows, columns = shapes.shape
    for y in range(rows):
        below = min(1.0, max(0.0, ((y + 0.5) / rows - horizon) * 6.0))
        floor = 1.0 - below * (1.0 - ground)
        for x in range(columns):
            red, green, blue = land[y, x, 0] / mean, land[y, x, 1] / mean, land[y, x, 2] / mean
            bright = LUMINANCE[0] * red + LUMINANCE[1] * green + LUMINANCE[2] * blue + 1e-3
            factor = photo * min(bright, 2.5) ** power * np.exp(clutter * shapes[y, x]) * floor
            land[y, x, 0] = np.float32(factor * (0.65 * red / bright + 0.35))
            land[y, x, 1] = np.float32(factor * (0.65 * green / bright + 0.35))
            land[y, x, 2] = np.float32(factor * (0.65 * blue / bright + 0.35))


def _person(middle: float, top: float, width: float, level: float, share: float) -> tuple[Thing, Thing]:
    """Return someone's head, and shoulders with what is below them."""
    body = Thing(OVAL, middle, top + 0.45, width, 0.8, 0.7 * level, share)
    return body, Thing(OVAL, middle, top + 0.02, 0.45 * width, 0.07, 1.3 * level, share)


def _window(window: Any, panes: Any, skew: float) -> list[Thing]:
    """Return a bright window: `panes` (across, down) of it with dark bars between."""
    middle, high, width, height, strength = window
    across, down = panes
    things = []
    for column in range(across):
        for row in range(down):
            aside = (column + 0.5) / across - 0.5
            tall = height * (1 - 2 * skew * aside)  # the further side is lower
            top = high + (row / down - 0.5) * tall
            wide, pane = 0.8 * width / across, 0.84 * tall / down
            x, y = middle + aside * width, top + pane / 2
            things.append(Thing(SHEET, x, y, wide, pane, strength, 1.0, fade=0.45, skew=skew / across))
    return things


@cache
def _away_from_face() -> tuple[F32, F32]:
    """Weights (32, 32, 1) that count the surroundings of a face and hardly the face itself, plain and blurred."""
    y, x = np.mgrid[-1 : 1 : _PLACE * 1j, -1 : 1 : _PLACE * 1j]
    away = np.clip((np.hypot(x / 0.62, (y - 0.1) / 0.85) - 0.7) * 2.5, 0.02, 1.0)
    weights: F32 = away[..., None].astype(np.float32)
    return weights, np.asarray(cv2.GaussianBlur(weights, (0, 0), 3.0), np.float32)[..., None]


def _rounded(values: npt.ArrayLike) -> list[float]:
    return [round(float(v), 5) for v in np.ravel(values)]
