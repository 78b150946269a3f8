"""The materials of goggles: coloured mirrors, plastic frames, foam and rubber, woven and moulded straps."""

from __future__ import annotations

import colorsys
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from fdgen.arrays import F32, F64
from fdgen.occluders.cloth.fabric import dress
from fdgen.occluders.eyewear.goggle_spec import GogglesSpec
from fdgen.occluders.eyewear.materials import draw_lens, lens_material
from fdgen.occluders.eyewear.spec import LENSES
from fdgen.occluders.headwear.hat_cloth import cloth, texels
from fdgen.occluders.props.spec import pick
from fdgen.render.mesh import Material
from fdgen.runtime.rng import draw_index

_COATINGS = (  # hues of a mirror above and below, saturation, share
    (0.11, 0.02, 0.75, 5),
    (0.58, 0.50, 0.70, 5),
    (0.36, 0.55, 0.65, 3),
    (0.80, 0.62, 0.60, 3),
    (0.06, 0.90, 0.60, 2),
    (0.12, 0.12, 0.45, 3),
    (0.60, 0.60, 0.06, 4),
)
_LEAST_STRAP = 24
"""Rows of the texture of a strap, at least."""


def _rounded(values: Any) -> list[float]:
    return [round(float(v), 5) for v in np.ravel(values)]


def draw_goggle_lens(rng: np.random.Generator, weights: Mapping[str, float]) -> dict[str, Any]:
    """Draw a lens: as of glasses, or a `coloured` mirror with the colour it has above and below."""
    kind = pick(weights, rng)
    clear = kind in LENSES["eyeglasses"]
    if kind != "coloured":
        lens = draw_lens(rng, {kind: 1.0})
        if not clear:
            lens["mirror"] = _rounded(1.4 * np.array(lens["mirror"]))
        return {**lens, "mirror_below": lens["mirror"], "clear": clear, "haze": lens.get("haze", 0.0)}
    above, below, full, _ = _COATINGS[draw_index(rng, tuple(row[3] for row in _COATINGS))]
    level = rng.uniform(0.8, 1.5)
    colours = [
        np.array(colorsys.hsv_to_rgb((hue + rng.normal(0, 0.02)) % 1, full * rng.uniform(0.7, 1.0), 1.0)) ** 1.6 * level
        for hue in (above, below)
    ]
    through = rng.uniform(0.01, 0.10)
    return {
        "kind": "mirror",
        "through": _rounded([through, through]),
        "fade": [0.0, 1.0],
        "tint": _rounded(np.array([1.6, 1.25, 1.0]) if rng.random() < 0.5 else np.ones(3)),
        "mirror": _rounded(colours[0]),
        "mirror_below": _rounded(colours[1]),
        "haze": round(float(0.012 * rng.beta(1.0, 3.0)), 5),
        "shift": round(float(rng.normal(0.0, 0.2)), 4),
        "clear": False,
    }


def goggle_lens(lens: Mapping[str, Any], sheet: F64, shape: Mapping[str, float], edge: F64) -> Material:
    """Return the material of a lens at points (N, 2) of its sheet; `edge` (N,) is 1 at its outline."""
    height = shape["height_cm"]
    material = lens_material(lens, sheet[:, 1], height, edge)
    drop = np.clip(0.5 - sheet[:, 1:] / height + 0.25 * lens["shift"] * sheet[:, :1] / height, 0.0, 1.0)
    above, below = np.array(lens["mirror"]), np.array(lens["mirror_below"])
    mirror = above + (below - above) * drop**1.4
    aside = 1 - 0.55 * np.clip(np.abs(sheet[:, :1]) / (0.5 * shape["width_cm"]), 0.0, 1.0) ** 3 * (not lens["clear"])
    return replace(material, mirror=mirror * aside + 0.04 * edge[:, None])


def plastic(rng: np.random.Generator, finish: Mapping[str, Any]) -> dict[str, Any]:
    """Return a finish whose crystal is nearly colourless or smoky, as clear rubber and plastic are."""
    made = dict(finish)
    if made["kind"] == "crystal":
        grey = rng.uniform(0.25, 0.55)
        tint = np.array([0.94, 1.0, 1.02]) if rng.random() < 0.7 else np.array(finish["rgb"]) / max(finish["rgb"])
        made["rgb"] = _rounded(np.clip(grey * tint, 0.02, 0.7))
        made["opacity"] = round(float(rng.uniform(0.3, 0.55)), 4)
    return made


def seal_colour(rng: np.random.Generator, seal: str, finish: Mapping[str, Any]) -> list[float]:
    """Draw the colour of the seal, linear: foam is black or grey; rubber mostly that of the frame."""
    if seal == "rubber" and finish["kind"] in ("crystal", "plain", "matte"):
        return _rounded(finish["rgb"])
    return _rounded(np.full(3, rng.uniform(0.006, 0.05) if rng.random() < 0.88 else rng.uniform(0.12, 0.3)))


def seal_material(seal: str, rgb: list[float], share: F64, finish: Mapping[str, Any]) -> Material:
    """Return the material of a seal at shares (N,) of the way to the skin: the foam on the face is finer and darker."""
    if seal == "rubber":
        opacity = finish["opacity"] if finish["kind"] == "crystal" else 1.0
        return Material(np.array(rgb), opacity=opacity, specular=0.12, gloss=18.0, two_sided=True)
    tone = np.where(share < 0.45, 1.5, 0.7)[:, None]
    return Material(np.array(rgb) * tone, specular=0.0, two_sided=True)


def draw_strap(rng: np.random.Generator, spec: GogglesSpec) -> dict[str, Any]:
    """Draw the strap's cloth, or the colour of its rubber."""
    values: dict[str, Any] = dress(rng, spec.palette, spec.patterns)
    values.update(moist=0.0, wear=round(0.3 * values["wear"], 5), dirt=round(0.2 * values["dirt"], 5))
    return {**values, "size": {"rib_cm": 0.3}, "seed": int(rng.integers(2**31))}


def strap_material(strap: str) -> Material:
    """Return the material under a strap's texture."""
    shine = {"elastic": (0.015, 8.0), "rubber": (0.16, 16.0), "leather": (0.07, 14.0)}[strap]
    return Material((1.0, 1.0, 1.0), specular=shine[0], gloss=shine[1], two_sided=True)


def strap_texture(values: Mapping[str, Any], strap: str, length_cm: float, width_cm: float) -> F32:
    """Paint a strap: woven elastic with its edges and print, plain rubber, leather with stitches."""
    across, down = texels(length_cm, width_cm)
    texture = cloth(across, down, "woven" if strap != "rubber" else "felt", values)
    from_edge = np.minimum(down, width_cm - down)
    if strap == "elastic":
        ribs = 1 + 0.10 * np.cos(2 * np.pi * across / 0.22)
        hem = 1 - 0.30 * np.exp(-(((from_edge - 0.28) / 0.07) ** 2))
        texture *= (ribs * hem)[..., None]
    elif strap == "leather":
        dash = (np.sin(across * 2 * np.pi / 0.4) > -0.2).astype(np.float32)
        texture *= (1 + 0.5 * dash * np.exp(-(((from_edge - 0.22) / 0.06) ** 2)))[..., None]
    texture *= np.clip(0.55 + from_edge / 0.12, 0.55, 1.0)[..., None]
    return np.ascontiguousarray(texture, np.float32)
