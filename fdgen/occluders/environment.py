"""The reflections of a shiny thing on a face: the place behind the camera, synthesised from the photograph."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from fdgen.analysis.lighting import luminance, to_linear
from fdgen.arrays import F32, F64
from fdgen.render.scene import Scene

_ROWS, _COLUMNS = 48, 96
_PLACE = 32
_BRIGHTEST = 5.0
"""Lamps are brighter, but on wires a pixel wide they would break into dots."""


def draw_surroundings(rng: np.random.Generator) -> dict[str, Any]:
    """Draw what lies behind the camera: sky or ceiling, skyline, ground, windows and lamps."""
    outdoors = bool(rng.random() < 0.6)
    bluish = rng.uniform(0.0, 0.6) if outdoors else rng.uniform(-0.25, 0.1)
    sky = np.array([1 - 0.55 * bluish, 1 - 0.2 * bluish, 1 + 0.35 * bluish])
    windows = []
    for _ in range(int(rng.integers(0, 2) if outdoors else rng.integers(1, 4))):
        width = rng.uniform(0.015, 0.07)
        windows.append(
            [
                rng.uniform(0.28, 0.72),
                rng.uniform(0.12, 0.5),
                width,
                width * rng.uniform(0.8, 3.5),
                rng.uniform(2.0, 8.0),
            ]
        )
    return {
        "photo": round(float(rng.uniform(0.35, 0.9)), 4),
        "power": round(float(rng.uniform(1.0, 1.9)), 4),
        "sky": _rounded(sky * (rng.uniform(0.8, 2.3) if outdoors else rng.uniform(0.25, 0.9))),
        "ground": round(float(rng.uniform(0.12, 0.5)), 4),
        "horizon": round(float(rng.uniform(0.46, 0.62)), 4),
        "skyline": round(float(rng.uniform(0.01, 0.10)), 4),
        "clutter": round(float(rng.uniform(0.2, 0.8)), 4),
        "photographer": _rounded([rng.normal(0.5, 0.02), rng.uniform(0.40, 0.54), rng.uniform(0.0, 0.07)]),
        "soft": round(float(rng.uniform(0.3, 1.2) if outdoors else rng.uniform(1.5, 4.0)), 4),
        "lamp": round(float(rng.uniform(2.0, 9.0)), 4),
        "windows": [_rounded(window) for window in windows],
        "seed": int(rng.integers(2**31)),
    }


def surroundings(scene: Scene, values: Mapping[str, Any]) -> F32:
    """Paint what lies behind the camera, by latitude and longitude (48, 96, 3), relative to the light on the face.

    The photograph itself, mirrored and blurred, is the best guess at the place; above its skyline lies the sky, below
    it the ground; a lamp stands where the face's light comes from.
    """
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
    heights = np.cumsum(rng.normal(0.0, 1.0, _COLUMNS))
    heights -= np.linspace(heights[0], heights[-1], _COLUMNS)  # the ends meet behind the head
    skyline = values["horizon"] - values["skyline"] * np.abs(heights) / (np.abs(heights).max() + 1e-9)
    above = np.clip((skyline[None, :] - v) * _ROWS / values["soft"] + 0.5, 0.0, 1.0)[..., None]
    zenith = (0.75 + 0.5 * np.clip(values["horizon"] - v, 0.0, 1.0) / 0.5)[..., None]
    sky = np.array(values["sky"]) * zenith * (0.75 + 0.25 * place.mean((0, 1)))
    below = np.clip((v - values["horizon"]) * 6.0, 0.0, 1.0)[..., None]
    shapes = cv2.resize(rng.normal(0.0, 1.0, (8, 16)), (_COLUMNS, _ROWS), interpolation=cv2.INTER_CUBIC)
    things = np.exp(values["clutter"] * shapes)[..., None]  # furniture, cars, trees
    land = place * things * (1.0 - below * (1.0 - values["ground"]))
    painted: F32 = (land * (1.0 - above) + (0.3 * land + sky) * above).astype(np.float32)
    u = ((np.arange(_COLUMNS) + 0.5) / _COLUMNS)[None, :]
    who, top, wide = values["photographer"]
    girth = wide * (0.35 + 0.65 * np.clip((v - top - 0.07) * 12.0, 0.0, 1.0))  # a head on shoulders
    person = _box(u - who, girth, 0.02) * np.clip((v - top) * 14.0, 0.0, 1.0)
    painted *= (1.0 - 0.65 * person)[..., None].astype(np.float32)
    x, y, z = (float(c) for c in scene.light.direction)
    lamp = [0.5 + np.arctan2(x, z) / (2 * np.pi), 0.5 - 0.499 * y, 0.035, 0.05, values["lamp"]]
    for wu, wv, width, height, strength in [*values["windows"], lamp]:
        inside = _box((u - wu + 0.5) % 1.0 - 0.5, width, 0.01) * _box(v - wv, height, 0.02)
        painted += (strength * inside)[..., None].astype(np.float32)
    return np.minimum(painted, np.float32(_BRIGHTEST))


@cache
def _away_from_face() -> tuple[F32, F32]:
    """Weights (32, 32, 1) that count the surroundings of a face and hardly the face itself, plain and blurred."""
    y, x = np.mgrid[-1 : 1 : _PLACE * 1j, -1 : 1 : _PLACE * 1j]
    away = np.clip((np.hypot(x / 0.62, (y - 0.1) / 0.85) - 0.7) * 2.5, 0.02, 1.0)
    weights: F32 = away[..., None].astype(np.float32)
    return weights, np.asarray(cv2.GaussianBlur(weights, (0, 0), 3.0), np.float32)[..., None]


def _box(offset: F64, width: npt.ArrayLike, soft: float) -> F64:
    result: F64 = np.clip((0.5 * np.asarray(width) - np.abs(offset)) / soft + 0.5, 0.0, 1.0)
    return result


def _rounded(values: npt.ArrayLike) -> list[float]:
    return [round(float(v), 5) for v in np.ravel(values)]
