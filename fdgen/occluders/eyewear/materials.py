"""The materials of eyewear: acetate, tortoise shell, crystal and metal; lens tints and mirrors.

Everything drawn here is JSON. Colours are linear RGB reflectances; a lens's `through` is the share of light that it
lets pass at its top and bottom in its darkest channel, and `tint` how much more passes in the others.
"""

from __future__ import annotations

import colorsys
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from fdgen.analysis.lighting import LUMINANCE
from fdgen.arrays import F32, F64
from fdgen.occluders.eyewear.spec import LENSES, FrameSpec
from fdgen.render.mesh import Material
from fdgen.runtime.rng import draw_key, draw_one

Values = Mapping[str, Any]

_EDGE_MIRROR = 0.12
"""What the edge of a dark lens reflects besides, at a glancing angle."""
_METAL_MIRROR = 0.44
"""Of wires: what they mirror is mostly darker than the skin beside them, and bright in short lines alone."""
_TEXTURE = 96
_MARGIN = 3
"""Texels of white round the texture: where parts without a pattern look."""

_METALS = {
    "gold": (0.95, 0.68, 0.30),
    "pale gold": (0.93, 0.78, 0.52),
    "rose gold": (0.92, 0.58, 0.46),
    "silver": (0.90, 0.90, 0.89),
    "gunmetal": (0.22, 0.22, 0.24),
    "bronze": (0.46, 0.28, 0.16),
    "black": (0.035, 0.035, 0.038),
}
_TINTS = {  # how much more each channel passes than the darkest
    "grey": (1.0, 1.0, 1.0),
    "green": (1.15, 1.5, 1.0),
    "brown": (2.3, 1.5, 1.0),
    "amber": (2.9, 1.8, 1.0),
    "blue": (1.0, 1.35, 2.1),
    "violet": (1.4, 1.0, 1.8),
    "pink": (2.1, 1.0, 1.35),
    "yellow": (2.3, 2.0, 1.0),
}
_METAL_SHARES = {"gold": 5, "pale gold": 2, "rose gold": 2, "silver": 4, "gunmetal": 5, "bronze": 1, "black": 10}
_TINT_SHARES = {"grey": 13, "green": 3, "brown": 5, "amber": 0.8, "blue": 1.2, "violet": 0.5}
_PALE_SHARES = {"pink": 2, "yellow": 2, "blue": 2, "violet": 1, "amber": 1, "grey": 4, "brown": 3, "green": 1.5}


def _rounded(values: npt.ArrayLike) -> list[float]:
    return [round(float(v), 5) for v in np.ravel(values)]


def draw_finish(rng: np.random.Generator, weights: Mapping[str, float]) -> dict[str, Any]:
    """Draw what a frame is made of."""
    kind = draw_key(rng, weights)
    rgb, second, opacity = _acetate_colour(rng), _acetate_colour(rng), 1.0
    if kind == "tortoise":
        hue, depth = rng.uniform(0.035, 0.10), rng.uniform(0.35, 1.0)
        rgb = np.array(colorsys.hsv_to_rgb(hue, rng.uniform(0.65, 0.92), depth)) ** 2.2 * rng.uniform(0.35, 0.8)
        second = np.array([1.0, 0.45, 0.2]) * rng.uniform(0.004, 0.03)
    elif kind == "horn":
        rgb = np.array([1.0, 0.78, 0.55]) ** rng.uniform(1.0, 2.5) * rng.uniform(0.08, 0.5)
        second = rgb * rng.uniform(0.1, 0.5)
    elif kind == "crystal":
        clear = rng.random() < 0.45
        hue, full = rng.random(), 0.0 if clear else rng.uniform(0.15, 0.75)
        rgb = np.array(colorsys.hsv_to_rgb(hue, full, rng.uniform(0.75, 1.0))) ** 2.2 * 0.5
        opacity = rng.uniform(0.3, 0.6)
    elif kind == "metal":
        metal = draw_key(rng, _METAL_SHARES)
        rgb = np.array(_METALS[metal]) * rng.uniform(0.8, 1.1)
        if rng.random() < 0.06:
            rgb = np.array(colorsys.hsv_to_rgb(rng.random(), rng.uniform(0.3, 0.8), rng.uniform(0.4, 0.9))) ** 2.2
    return {
        "kind": kind,
        "rgb": _rounded(np.clip(rgb, 0.0, 0.95)),
        "second": _rounded(np.clip(second, 0.0, 0.95)),
        "opacity": round(opacity, 4),
        "shine": round(float(rng.uniform(0.5, 1.3)), 4),
        "seed": int(rng.integers(2**31)),
    }


def _acetate_colour(rng: np.random.Generator) -> F64:
    """Draw the colour of a plastic: black often, white, greys and browns now and then, else any from pale to deep."""
    which = rng.random()
    if which < 0.74:
        return np.array([1.0, 0.98, 0.97]) * rng.uniform(0.002, 0.016)
    if which < 0.77:
        return np.array([1.0, 0.98, 0.94]) * rng.uniform(0.35, 0.6)
    if which < 0.85:
        return np.array([1.0, 0.5, 0.28]) ** rng.uniform(0.4, 1.5) * rng.uniform(0.015, 0.2)
    if which < 0.90:
        return np.full(3, rng.uniform(0.02, 0.3))
    saturation, value = rng.uniform(0.12, 0.98), rng.uniform(0.15, 1.0)
    return np.asarray(np.array(colorsys.hsv_to_rgb(rng.random(), saturation, value)) ** 2.2 * 0.6)


def draw_lens(rng: np.random.Generator, weights: Mapping[str, float]) -> dict[str, Any]:
    """Draw a pair of lenses: how dark, which tint, graded or not, mirrored or not."""
    kind = draw_key(rng, weights)
    if kind in LENSES["eyeglasses"]:
        return _clear_lens(rng, kind)
    tint = np.array(_TINTS[draw_key(rng, _TINT_SHARES)])
    mirror = np.full(3, 10 ** rng.uniform(-1.05, -0.3))  # of bare glass, or with a coating that flashes
    start, end = 0.0, 1.0
    if kind == "dark":
        top = bottom = 10 ** rng.uniform(-2.2, -0.85)
        tint = tint ** rng.uniform(0.2, 0.9)
    elif kind == "tint":
        top = bottom = rng.uniform(0.3, 0.75)
        tint = tint ** rng.uniform(0.2, 0.75)
        mirror *= 0.4
    elif kind == "gradient":
        top, bottom = rng.uniform(0.06, 0.36), rng.uniform(0.45, 0.88)
        tint = tint ** rng.uniform(0.2, 0.75)
        start, end = rng.uniform(-0.1, 0.25), rng.uniform(0.75, 1.2)
        mirror *= 0.5
    elif kind == "light":
        top = bottom = rng.uniform(0.45, 0.78)
        tint = np.array(_TINTS[draw_key(rng, _PALE_SHARES)]) ** rng.uniform(0.5, 1.0)
        if rng.random() < 0.3:
            bottom = min(0.8, top * rng.uniform(1.1, 1.8))
        mirror *= 0.3  # little more than bare glass: what is pale as well as bright hides the eyes like milk
    else:
        top = bottom = rng.uniform(0.01, 0.09)
        hue, saturation = rng.random(), 0.0 if rng.random() < 0.35 else rng.uniform(0.15, 0.65)
        colour = np.array(colorsys.hsv_to_rgb(hue, saturation, 1.0)) ** 1.6
        mirror = colour * rng.uniform(0.7, 1.4)
    thin = float(tint @ LUMINANCE)  # the darkness is the eye's, not the darkest channel's
    return {
        "kind": kind,
        "through": _rounded([top / thin, bottom / thin]),
        "fade": _rounded([start, end]),
        "tint": _rounded(tint),
        "mirror": _rounded(mirror),
        "haze": round(float(0.01 * rng.beta(1.0, 3.0)), 5),
        "shift": round(float(rng.normal(0.0, 0.12)), 4),
    }


def _clear_lens(rng: np.random.Generator, kind: str) -> dict[str, Any]:
    """Draw a pair of clear lenses: what they let pass, and the colour and strength of what they reflect."""
    if kind == "coated":  # the coating leaves a faint green, blue or violet
        hue = draw_one(rng, (0.38, 0.45, 0.6, 0.72, 0.8)) + rng.normal(0, 0.03)
        mirror = np.array(colorsys.hsv_to_rgb(hue % 1, rng.uniform(0.3, 0.8), 1.0)) * 10 ** rng.uniform(-2.2, -1.3)
        through = rng.uniform(0.955, 0.985)
    elif kind == "plain":
        mirror, through = np.full(3, 10 ** rng.uniform(-1.7, -1.0)), rng.uniform(0.90, 0.94)
    else:
        mirror, through = np.array([1.0, 1.0, 0.97]) * 10 ** rng.uniform(-1.0, -0.45), rng.uniform(0.88, 0.94)
    return {
        "kind": kind,
        "through": _rounded([through, through]),
        "fade": [0.0, 1.0],
        "tint": [1.0, 1.0, 1.0],
        "mirror": _rounded(mirror),
        "shift": 0.0,
    }


def pattern(finish: Values) -> F32 | None:
    """Paint the texture (96, 96, 3) of a patterned finish; None where it has none."""
    if finish["kind"] not in ("tortoise", "horn"):
        return None
    rng = np.random.default_rng(finish["seed"])
    noise = rng.standard_normal((_TEXTURE, _TEXTURE)).astype(np.float32)
    if finish["kind"] == "tortoise":
        field = _cloud(noise, 5.0, 5.0) + np.float32(0.55) * _cloud(noise, 2.0, 2.0)
        share = 1.0 / (1.0 + np.exp(-3.5 * (field - rng.uniform(-0.8, 0.5))))
    else:
        field = _cloud(noise, 12.0, 1.5)
        share = 1.0 / (1.0 + np.exp(-1.6 * field))
    light, dark = np.array(finish["rgb"], np.float32), np.array(finish["second"], np.float32)
    painted: F32 = (light + (dark - light) * share[..., None]).astype(np.float32)
    for edge in (slice(0, _MARGIN), slice(_TEXTURE - _MARGIN, _TEXTURE)):
        painted[edge] = 1.0
        painted[:, edge] = 1.0
    return painted


def _cloud(noise: F32, across: float, down: float) -> F32:
    """Smooth noise over the given lengths in texels, with mean square 1."""
    smooth = np.asarray(cv2.GaussianBlur(noise, (0, 0), sigmaX=across, sigmaY=down), np.float32)
    return np.asarray(smooth / (smooth.std() + 1e-9), np.float32)


def frame_material(finish: Values, sheet: F64) -> tuple[Material, F32 | None]:
    """Return the material at points (N, 2) of a part's sheet, in cm, and where they lie in the pattern."""
    kind, shine = finish["kind"], float(finish["shine"])
    rgb, second = np.array(finish["rgb"]), np.array(finish["second"])
    if kind == "metal":
        return Material(albedo=0.1 * rgb, specular=0.3 * shine, gloss=40.0, mirror=_METAL_MIRROR * rgb), None
    if kind == "matte":
        return Material(albedo=rgb + 0.003, specular=0.06 * shine, gloss=7.0, mirror=0.01), None
    if kind == "crystal":
        return Material(albedo=rgb, opacity=finish["opacity"], specular=0.8 * shine, gloss=60.0, mirror=0.16), None
    polished = Material(albedo=rgb, specular=0.3 * shine, gloss=45.0, mirror=0.035 * shine)
    if kind in ("tortoise", "horn"):
        span = 1.0 - 2.0 * (_MARGIN + 1) / _TEXTURE
        folded = np.abs((sheet / 7.0 + 0.37) % 2.0 - 1.0)  # a triangle wave: the pattern turns back at its edges
        return replace(polished, albedo=1.0), (0.5 + (folded - 0.5) * span).astype(np.float32)
    if kind == "fade":
        share = np.clip(0.5 - sheet[:, 1:] / 3.0, 0.0, 1.0)
        return replace(polished, albedo=rgb + (second - rgb) * share), None
    return polished, None


def lens_material(lens: Values, y_cm: F64, height_cm: float, edge: F64) -> Material:
    """Return the material of a lens at heights about its middle: it darkens what lies behind, and reflects.

    `edge` (N,) is 1 at the outline, where the ground edge of the glass turns to the light, and 0 inside.

    Clear glass is no part of the silhouette, and its glints are as faint as its reflections.
    """
    start, end = lens["fade"]
    drop = np.clip((0.5 - y_cm / height_cm - start) / max(end - start, 0.05), 0.0, 1.0)
    top, bottom = lens["through"]
    through = np.exp(np.log(top) + (np.log(bottom) - np.log(top)) * drop)
    clear = lens["kind"] in LENSES["eyeglasses"]
    return Material(
        albedo=np.array(lens["tint"]) * (0.05 if clear else lens["haze"]),  # fingerprints and dust
        opacity=1.0 - through,
        specular=min(0.9, 6.0 * max(lens["mirror"])) if clear else 0.9,
        gloss=220.0,
        mirror=np.array(lens["mirror"]) + (0.02 if clear else _EDGE_MIRROR) * edge[:, None],
        counts=0.0 if clear else 1.0,
    )


def temple_finish(rng: np.random.Generator, spec: FrameSpec, front: Values) -> dict[str, Any]:
    """Draw what the temples are made of: mostly the front's own material."""
    if rng.random() < 0.86:
        return dict(front)
    if spec.temple == "wire":
        return draw_finish(rng, {"metal": 1.0})
    return draw_finish(rng, {"plain": 3.0, "metal": 1.0})
