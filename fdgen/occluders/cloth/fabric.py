"""Cloth: colours in natural proportions and patterns drawn from parameters, at their real scale in centimetres."""

from __future__ import annotations

import colorsys
from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from fdgen.analysis.lighting import to_linear
from fdgen.arrays import F32
from fdgen.occluders.cloth.patterns import PATTERNS, UPRIGHT, Colour, to_levels
from fdgen.occluders.cloth.relief import noise
from fdgen.occluders.cloth.texel_kernels import wear_out
from fdgen.render.channels import plain
from fdgen.runtime.rng import draw_index, draw_key, draw_one

WHITEST, BLACKEST = 0.87, 0.006
"""Albedo of the whitest and the blackest cloth, linear."""

_SOIL = np.array([0.075, 0.055, 0.038], np.float32)
"""Linear albedo of what cloth is soiled with."""

_PIXELS_A_TEXEL = 1.3
"""Pixels of a printed tile along a texel, at most."""
_LEAST_SIDE = 6

_MEDICAL = (  # sRGB in percent, weight: shares as in 60 photographs of real masks
    ((94, 95, 96), 26),
    ((64, 78, 88), 23),
    ((72, 86, 94), 24),
    ((81, 89, 93), 8),
    ((62, 78, 74), 8),
    ((75, 86, 82), 8),
    ((89, 76, 79), 2),
    ((7, 7, 8), 11),
    ((76, 73, 83), 1),
    ((90, 88, 77), 2),
    ((66, 68, 70), 10),
    ((42, 44, 48), 6),
)
_RESPIRATOR = (
    ((94, 94, 94), 46),
    ((87, 88, 88), 8),
    ((7, 7, 8), 22),
    ((36, 38, 40), 9),
    ((58, 60, 62), 9),
    ((70, 78, 86), 4),
)
_SPONGE = (
    ((4, 4, 5), 26),
    ((9, 9, 10), 22),
    ((15, 15, 16), 18),
    ((24, 25, 27), 10),
    ((60, 60, 61), 6),
    ((90, 76, 78), 4),
    ((13, 17, 30), 6),
)
_CLOTH = (
    ((4, 4, 5), 12),
    ((8, 8, 9), 8),
    ((13, 13, 14), 5),
    ((92, 92, 91), 6),
    ((10, 13, 26), 8),
    ((28, 29, 31), 11),
    ((55, 55, 56), 8),
    ((54, 15, 17), 2),
    ((86, 80, 70), 4),
)
_PALETTES: Mapping[str, tuple[Sequence[tuple[Colour, int]], float]] = {
    # colours, and the share that takes any hue instead
    "medical": (_MEDICAL, 0.02),
    "respirator": (_RESPIRATOR, 0.02),
    "sponge": (_SPONGE, 0.12),
    "cloth": (_CLOTH, 0.22),
}
PALETTES = frozenset(_PALETTES)


def dress(rng: np.random.Generator, palette: str, patterns: Mapping[str, float]) -> dict[str, Any]:
    """Draw colours, a pattern with its scale and angle, and wear: JSON values for `paint`."""
    pattern = draw_key(rng, dict(sorted(patterns.items())))
    base = _base_colour(rng, palette)
    colours = [base] + [_companion(rng, base) for _ in range(4)]
    return {
        "pattern": pattern,
        "colours": [[round(float(c), 5) for c in colour] for colour in colours],
        "scale": round(float(rng.uniform(0.0, 1.0)), 5),
        "angle_deg": round(float(draw_one(rng, (0.0, 90.0, 45.0, 135.0)) + rng.normal(0, 4)), 3),
        "pattern_seed": int(rng.integers(2**31)),
        "wear": round(float(rng.beta(1.2, 5.0)), 5),
        "moist": round(float(rng.beta(1.0, 7.0)), 5),
        "fade": round(float(rng.normal(0.0, 0.5)), 5),
        "dirt": round(float(max(0.0, rng.normal(-0.4, 0.25))), 5),
    }


def any_colour(rng: np.random.Generator) -> tuple[float, float, float]:
    """Draw an sRGB colour in [0, 1] of any hue, from pale to deep."""
    return colorsys.hsv_to_rgb(rng.random(), 0.97 * rng.beta(1.0, 1.6), rng.beta(1.5, 1.15) * 0.9 + 0.03)


def _dyed(rng: np.random.Generator) -> tuple[float, float, float]:
    """Draw an sRGB colour in [0, 1] of any hue that cloth is dyed: the brighter, the less saturated it can be."""
    value = rng.beta(1.5, 1.15) * 0.85 + 0.03
    return colorsys.hsv_to_rgb(rng.random(), (0.85 - 0.4 * value) * rng.beta(1.1, 1.8), value)


def _base_colour(rng: np.random.Generator, palette: str) -> tuple[float, float, float]:
    listed, free = _PALETTES[palette]
    if rng.random() < free:
        return _dyed(rng)
    colour = listed[draw_index(rng, tuple(weight for _, weight in listed))][0]
    varied = np.clip(np.array(colour) / 100 + rng.normal(0, 0.022, 3) + rng.normal(0, 0.03), 0.02, 0.97)
    return (float(varied[0]), float(varied[1]), float(varied[2]))


def _companion(rng: np.random.Generator, base: Sequence[float]) -> tuple[float, float, float]:
    """Draw a colour that someone would print on `base`: often black or white, else any with contrast."""
    light = float(np.mean(base))
    draw = rng.random()
    if draw < 0.32:
        value = 0.9 if light < 0.5 else 0.06
        return (value, value, value)
    hue, saturation, value = colorsys.rgb_to_hsv(*base)
    if draw < 0.58:
        shifted = value + (0.35 if value < 0.55 else -0.35) * rng.uniform(0.6, 1.3)
        return colorsys.hsv_to_rgb(
            (hue + rng.normal(0, 0.06)) % 1, np.clip(saturation * 1.1, 0, 1), np.clip(shifted, 0.04, 0.94)
        )
    return _dyed(rng)


def paint(across: F32, down: F32, values: Mapping[str, Any]) -> F32:
    """Return the albedo (h, w, 3), linear, of cloth whose texels lie at `across`, `down` cm; `values` from `dress`."""
    colours = [to_levels(c) for c in values["colours"]]
    rng = np.random.default_rng(values["pattern_seed"])
    draw = PATTERNS[values["pattern"]]
    canvas, tile_cm = draw(colours, float(values["scale"]), rng)
    if len(canvas) == 1:
        albedo = plain(across.shape, to_linear(canvas)[0, 0])
    else:
        canvas = _as_fine_as_texels(canvas, tile_cm, abs(float(down[-1, 0] - down[0, 0])) / len(down))
        angle = 0.0 if values["pattern"] in UPRIGHT else np.radians(values["angle_deg"])
        c, s = np.float32(np.cos(angle)), np.float32(np.sin(angle))
        per_cm = np.float32(len(canvas) / tile_cm)
        centre = np.float32(len(canvas) / 2)
        y = down - np.float32(7.0)
        map_x = (c * across + s * y) * per_cm + centre
        map_y = (c * y - s * across) * per_cm + centre
        side = np.float32(len(canvas))
        sampled = cv2.remap(canvas, map_x % side, map_y % side, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
        albedo = to_linear(np.asarray(sampled, np.uint8))
    _wear(albedo, across, down, values)
    return albedo


def _as_fine_as_texels(canvas: npt.NDArray[np.uint8], tile_cm: float, texel_cm: float) -> npt.NDArray[np.uint8]:
    """Shrink a tile whose pixels are much smaller than texels: of fine checks, texels would meet pixels by chance."""
    side = max(_LEAST_SIDE, round(_PIXELS_A_TEXEL * tile_cm / max(texel_cm, 1e-3)))
    if side >= len(canvas):
        return canvas
    return np.asarray(cv2.resize(canvas, (side, side), interpolation=cv2.INTER_AREA), np.uint8)


def _wear(albedo: F32, across: F32, down: F32, values: Mapping[str, Any]) -> None:
    """Uneven dye, pilling, dirt, and breath that darkens the cloth before the mouth; in place, and bounded."""
    h, w = across.shape
    coarse_across, coarse_down = np.ascontiguousarray(across[::4, ::4]), np.ascontiguousarray(down[::4, ::4])
    seed = values["pattern_seed"] % 997 / 997.0
    cloudy = noise(coarse_across * np.float32(0.35), coarse_down * np.float32(0.35), seed, 1)
    worn = np.float32(values["wear"])
    tone = 1 + (np.float32(0.008) + np.float32(0.05) * worn) * cloudy
    tone *= 1 + np.float32(0.04 * values["fade"]) * (coarse_down - np.float32(7)) / np.float32(7)
    if values["moist"] > 0.02:
        below = (coarse_down - np.float32(8.0)) / np.float32(2.0)
        wet = np.exp(-((coarse_across / np.float32(2.6)) ** 2) - below**2)
        tone *= 1 - np.float32(0.35 * values["moist"]) * np.clip(wet + np.float32(0.15) * cloudy * wet, 0, 1)
    soiled = np.zeros((0, 0), np.float32)
    if values["dirt"] > 0:
        spots = noise(coarse_across * np.float32(0.8), coarse_down * np.float32(0.8), seed + 0.41, 2)
        soiled = np.float32(values["dirt"]) * np.clip(spots + np.float32(0.6) * cloudy - np.float32(0.3), 0, 1)
        soiled = np.asarray(cv2.resize(soiled, (w, h), interpolation=cv2.INTER_LINEAR), np.float32)
    tone = np.asarray(cv2.resize(tone, (w, h), interpolation=cv2.INTER_LINEAR), np.float32)
    wear_out(albedo, tone, soiled, _SOIL, BLACKEST, WHITEST)
