"""The skin of one hand: a texture that multiplies its colour, mixed from the features of `skin_features`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from fdgen.arrays import F32, F64
from fdgen.occluders.hands.skeleton import HandModel
from fdgen.occluders.hands.skin_features import FEATURES, SLOPES, TEXTURE_PX, atlas_of
from fdgen.runtime.jit import compiled


def skin_texture(model: HandModel, values: Mapping[str, Any], slopes: F64) -> F32:
    """Return the texture (H, W, 3) that multiplies the skin's colour; the sleeve's strip is left white.

    `values` are the `skin` of a placement; `slopes` (3,) is how much darker skin is that rises along each axis of the
    hand's frame: away from the light.
    """
    atlas = atlas_of(model)
    mix = _mixture(values, slopes)
    height, width = TEXTURE_PX
    texture = np.ones((height * width, 3), np.float32)
    _store(atlas.features @ mix, atlas.texels, texture)
    fold = 1.0 - np.float32(values["cuticle"]) * atlas.rim
    moon = atlas.moon * np.float32(0.16 * (1.0 - values["polish"]))
    nail_rgb, edge_rgb = np.array((values["nail_rgb"], values["edge_rgb"]), np.float32)
    for channel in range(3):
        skin = texture[atlas.nail_texels, channel] * fold
        plate = nail_rgb[channel] + moon + atlas.edge * edge_rgb[channel]
        texture[atlas.nail_texels, channel] = skin + atlas.nail * (plate - skin)
    result: F32 = texture.reshape(height, width, 3)
    return result


def _mixture(values: Mapping[str, Any], slopes: F64) -> F32:
    """Return the weight of each feature on each channel (F, 3)."""
    grey = np.ones(3)
    colour = {
        "fold": -grey * [0.85, 1.0, 1.05],
        "line": -grey * [0.75, 1.0, 1.05],
        "tendon": grey,
        "vein": np.array([-0.9, -0.5, -0.25]),
        "red": np.array([0.25, -1.0, -0.75]),
        "palm": np.array([0.9, 0.85, 0.8]),
        "wrinkle": -grey,
        "blotch": np.array([0.6, 1.0, 1.05]),
        "mottle": np.array([0.5, 1.0, 0.9]),
        "grain": grey,
        "spot": -np.array([0.6, 1.0, 1.1]),
        "hair": -grey,
    }
    weights = [colour[name] * float(values[name]) for name in FEATURES if name not in SLOPES]
    weights += [-grey * amount for amount in slopes]
    mixture: F32 = np.stack(weights).astype(np.float32)
    return mixture


def draw_skin(rng: np.random.Generator, reflectance: F32, age: float, *, grey: bool) -> dict[str, Any]:
    """Draw the skin of one hand: a JSON table. `reflectance` (3,) is the face's, `age` in [0, 1] the hand's."""
    dark = depth_of_tone(reflectance, grey=grey)
    warm = 0.0 if grey else rng.normal(0.02, 0.03)
    tone = rng.uniform(0.90, 1.06) * np.array([1 + warm, 1 - 0.4 * warm, 1 - 0.8 * warm])
    nail = np.array([1.16, 1.07, 1.07]) + dark * np.array([0.45, 0.45, 0.45]) + rng.normal(0, 0.05, 3)
    edge = rng.uniform(0.15, 0.55) * np.array([1.0, 1.15, 1.1])
    polish = 0.0
    if rng.random() < 0.07:
        polish = 1.0
        colour = _hsv_colour(rng)
        nail = np.clip(colour / np.maximum(reflectance, 0.03), 0.02, 6.0)
        edge = np.zeros(3)
    drawn = {
        "tone": tone,
        "fold": rng.uniform(0.24, 0.46) * (1 + 0.5 * age),
        "line": rng.uniform(0.22, 0.44),
        "tendon": rng.uniform(0.7, 1.9) * (0.7 + 0.6 * age),
        "vein": rng.uniform(0.0, 0.11) * (0.6 + 0.8 * age) * (0.5 if grey else 1.0),
        "red": rng.uniform(0.08, 0.20) * (0.0 if grey else 1.0),
        "palm": 0.03 + 0.45 * dark * rng.uniform(0.5, 1.0),
        "wrinkle": rng.uniform(0.02, 0.05) + 0.05 * age,
        "blotch": rng.uniform(0.03, 0.06),
        "mottle": rng.uniform(0.015, 0.04),
        "grain": rng.uniform(0.02, 0.045),
        "spot": max(0.0, rng.normal(-0.03, 0.08)) * (0.4 + age),
        "hair": max(0.0, rng.normal(0.0, 0.10)),
        "cuticle": rng.uniform(0.28, 0.55),
        "polish": polish,
        "nail_rgb": nail,
        "edge_rgb": edge,
        "shine": rng.uniform(0.03, 0.12),
        "relief": rng.uniform(0.7, 1.5),
    }
    return {k: np.round(v, 5).tolist() if isinstance(v, np.ndarray) else round(float(v), 5) for k, v in drawn.items()}


def depth_of_tone(reflectance: F32, *, grey: bool) -> float:
    """Return how dark skin is by nature, from 0 to 1, as far as a photograph shows.

    A face in shadow, or in a dark exposure, looks as dark as dark skin does, but is not as red against green: exposure
    and shadow change no ratio of channels. Both must agree; without colours the lightness alone can speak.
    """
    value = float(reflectance @ np.array([0.2126, 0.7152, 0.0722], np.float32))
    by_lightness = float(np.clip((0.30 - value) / 0.25, 0.0, 1.0))
    if grey:
        return by_lightness
    red = float(np.log((reflectance[0] + 1e-3) / (reflectance[1] + 1e-3)))
    by_hue = float(np.clip((red - 0.40) / 0.45, 0.0, 1.0))
    return float(np.sqrt(by_lightness * by_hue))


def _hsv_colour(rng: np.random.Generator) -> F64:
    """Draw the linear colour of a polish: reds mostly, then anything."""
    if rng.random() < 0.92:
        hue, saturation, value = rng.normal(0.97, 0.04) % 1.0, rng.uniform(0.6, 1.0), rng.uniform(0.15, 0.7)
    else:
        hue, saturation, value = rng.random(), rng.uniform(0.0, 1.0), rng.uniform(0.02, 0.85)
    wheel = np.abs(((hue * 6.0 + np.array([0.0, 4.0, 2.0])) % 6.0) - 3.0) - 1.0
    result: F64 = value * (1 - saturation + saturation * np.clip(wheel, 0.0, 1.0))
    return result


@compiled
def _store(change: F32, texels: npt.NDArray[np.int64], texture: F32) -> None:
    """Write 1 + change (T, 3), bounded, to the rows `texels` (T,) of a flat texture (N, 3)."""
    for t in range(change.shape[0]):
        for channel in range(3):
            value = np.float32(1.0) + change[t, channel]
            texture[texels[t], channel] = min(max(value, np.float32(0.35)), np.float32(1.6))
