"""The materials of props: ceramic, paper, glass, plastic, metal, foam, and their prints.

All that is drawn is JSON. Colours are linear RGB reflectances; those that `cloth.dress` draws are sRGB.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from fdgen.arrays import F32, F64
from fdgen.occluders.cloth.fabric import any_colour, dress, paint
from fdgen.render.mesh import Material
from fdgen.render.scene import Scene

FINISHES = ("ceramic", "paper", "plastic", "lacquer", "steel", "dark steel", "brass", "foam", "grille", "glass")
"""Materials by name."""

PRINTS = {
    "plain": 5.0,
    "stripes": 1.0,
    "check": 0.4,
    "plaid": 0.4,
    "dots": 1.0,
    "floral": 1.0,
    "leaves": 0.7,
    "camouflage": 0.4,
    "zigzag": 0.5,
    "shapes": 1.0,
    "letters": 1.2,
    "two_tone": 1.0,
    "gradient": 0.8,
}
_STEELS = {"steel": (0.72, 0.72, 0.71), "dark steel": (0.16, 0.16, 0.17), "brass": (0.85, 0.64, 0.32)}


def draw_finish(rng: np.random.Generator, name: str) -> dict[str, Any]:
    """Draw one piece's material: its colour and shine."""
    rgb = np.array(_STEELS[name]) * rng.uniform(0.8, 1.1) if name in _STEELS else _colour(rng, name)
    return {
        "kind": name,
        "rgb": [round(float(c), 5) for c in np.clip(rgb, 0.004, 0.9)],
        "shine": round(float(rng.uniform(0.6, 1.3)), 4),
        "seed": int(rng.integers(2**31)),
    }


def _colour(rng: np.random.Generator, name: str) -> F64:
    """Draw a linear colour: what such things mostly are, else any."""
    draw = rng.random()
    dark = {"foam": 0.72, "grille": 0.75, "plastic": 0.5, "lacquer": 0.4}.get(name, 0.12)
    if draw < dark:
        return np.array([1.0, 0.99, 0.98]) * rng.uniform(0.008, 0.045)
    if draw < dark + (1 - dark) * (0.55 if name in ("ceramic", "paper") else 0.2):
        return np.array([1.0, 0.985, 0.95]) * rng.uniform(0.55, 0.8)
    if name == "grille":
        return np.array([0.96, 0.98, 1.0]) * rng.uniform(0.15, 0.4)
    return np.asarray(np.array(any_colour(rng)) ** 2.2 * 0.9)


def material(finish: Mapping[str, Any], *, printed: bool = False) -> Material:
    """Return what a finish looks like; a printed one takes its colour from a texture."""
    kind, shine = finish["kind"], float(finish["shine"])
    rgb = np.ones(3) if printed else np.array(finish["rgb"])
    if kind == "ceramic":
        return Material(rgb, specular=0.35 * shine, gloss=70.0, mirror=0.03 * shine)
    if kind == "lacquer":
        return Material(rgb, specular=0.4 * shine, gloss=45.0, mirror=0.06 * shine)
    if kind == "plastic":
        return Material(rgb, specular=0.16 * shine, gloss=18.0, mirror=0.015)
    if kind in _STEELS:
        return Material(0.3 * rgb, specular=0.3 * shine, gloss=22.0, mirror=0.62 * np.array(finish["rgb"]))
    if kind == "grille":
        return Material(rgb, specular=0.25 * shine, gloss=9.0, mirror=0.16 * shine)
    if kind == "paper":
        return Material(rgb, specular=0.03 * shine, gloss=8.0)
    return Material(rgb)


def glass(scene: Scene, normals: F64, rgb: Any, *, filled: npt.NDArray[np.floating[Any]]) -> Material:
    """Return glass whose walls are seen edge-on at its rims, and what it is filled with: `filled` (N,) 0 to 1."""
    facing = np.abs(scene.pose.to_view(normals)[:, 2])
    edge = (1 - facing) ** 3
    clear = 0.10 + 0.55 * edge
    full = np.clip(np.asarray(filled, np.float64), 0.0, 1.0)
    drink = np.array(rgb)
    pale = np.array([0.55, 0.6, 0.6])
    albedo = pale * (1 - full[:, None]) + drink * (0.75 + 0.5 * edge[:, None]) * full[:, None]
    return Material(
        albedo,
        opacity=clear * (1 - full) + np.maximum(clear, 0.80) * full,
        specular=0.8,
        gloss=120.0,
        mirror=0.07,
    )


def draw_print(rng: np.random.Generator, patterns: Mapping[str, float], finish: Mapping[str, Any]) -> dict[str, Any]:
    """Draw what is printed on a finish: JSON for `printed`."""
    values = dress(rng, "cloth", patterns)
    ground = np.array(finish["rgb"]) ** (1 / 2.2)
    values["colours"][0] = [round(float(c), 5) for c in ground]
    bands = [
        [round(float(rng.uniform(0, 1)), 4), round(float(rng.uniform(0.02, 0.12)), 4)]
        for _ in range(int(rng.integers(0, 3)))
    ]
    return {**values, "moist": 0.0, "wear": round(0.3 * values["wear"], 5), "bands": bands}


def printed(values: Mapping[str, Any], around_cm: float, height_cm: float, *, texels: int = 20) -> F32:
    """Paint the wall (h, w, 3) of a thing `around_cm` round and `height_cm` high, linear; its middle looks forward."""
    width, height = (int(np.clip(size * texels, 16, 310)) for size in (around_cm, height_cm))
    x = (np.arange(width, dtype=np.float32) + np.float32(0.5)) / width - np.float32(0.5)
    y = (np.arange(height, dtype=np.float32) + np.float32(0.5)) / height
    across, down = np.meshgrid(x * np.float32(around_cm), y * np.float32(height_cm))
    albedo = paint(np.ascontiguousarray(across), np.ascontiguousarray(down), values)
    second = np.array(values["colours"][1], np.float32) ** 2.2
    for middle, wide in values["bands"]:
        inside = np.abs(y - np.float32(middle)) < wide / 2
        albedo[inside] = second
    return albedo


def grain(finish: Mapping[str, Any], *, side: int = 128) -> F32:
    """Paint the texture (side, side, 3) of foam, of a wire grille or of brushed metal: it multiplies the colour."""
    rng = np.random.default_rng(finish["seed"])
    field = rng.standard_normal((side, side)).astype(np.float32)
    if finish["kind"] == "grille":
        y, x = np.mgrid[:side, :side].astype(np.float32)
        count = np.float32(np.pi * rng.integers(6, 12) / side)  # half a wave is a mesh; whole ones meet at the seam
        wires = np.abs(np.sin(count * (x + y))) * np.abs(np.sin(count * (x - y)))
        shade = 0.55 + 0.75 * (1 - np.sqrt(wires)) + 0.08 * field
    elif finish["kind"] == "foam":
        rough = np.asarray(cv2.GaussianBlur(field, (0, 0), 0.8), np.float32)
        shade = 1.0 + 0.55 * rough
    else:
        shade = 1.0 + 0.05 * np.asarray(cv2.GaussianBlur(field, (0, 0), sigmaX=9.0, sigmaY=0.5), np.float32)
    return np.repeat(np.clip(shade, 0.2, 1.9)[..., None], 3, 2).astype(np.float32)
