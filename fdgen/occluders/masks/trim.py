"""The trim of a mask's cloth: binding and hem, stitches, the clip over the nose, a maker's print."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np

from fdgen.arrays import F32
from fdgen.occluders.cloth.fabric import any_colour
from fdgen.occluders.cloth.relief import Texels
from fdgen.occluders.cloth.texel_kernels import colour_hem
from fdgen.occluders.masks.spec import MaskSpec
from fdgen.runtime.jit import compiled
from fdgen.runtime.rng import draw_one

_GLYPHS = "ABCDEFGHKLMNOPRSTUVX0123456789"
_PALE = np.array([0.82, 0.83, 0.85], np.float32)
"""Linear albedo of white layers inside."""
_BAR_CM = 0.36
"""How far apart the bars of a weld are."""
_FINE = 4
"""Pixels a texel, along each side, in which print is drawn."""


def draw_trim(rng: np.random.Generator, spec: MaskSpec, base: list[float]) -> dict[str, Any]:
    """Draw the trim of a mask whose cloth has the sRGB colour `base`: JSON values for `trim`.

    `spec` has the chances of a `binding`, of visible `stitches`, of a `clip` and of a `print`.
    """
    dark = max(base) < 0.3
    draw, (red, green, blue) = rng.random(), (0.55 * c for c in base)
    bound = (0.05, 0.05, 0.055) if draw < 0.5 else (red, green, blue) if draw < 0.85 else any_colour(rng)
    metal = (0.62, 0.63, 0.65) if rng.random() < 0.7 else (0.85, 0.72, 0.2)
    ink = (0.75, 0.75, 0.76) if dark else (0.25, 0.27, 0.32) if rng.random() < 0.7 else any_colour(rng)

    def wanted(chance: float) -> float:
        return 1.0 if rng.random() < chance else 0.0

    return {
        "binding": wanted(spec.binding),
        "binding_colour": _linear(bound),
        "hem_tone": round(float(rng.normal(0.02, 0.05)), 5),
        "hem_pale": round(float(rng.beta(1.3, 1.5)) if spec.fabric == "nonwoven" and not dark else 0.0, 5),
        "weld_dots": round(wanted(spec.weld_dots) * float(rng.uniform(0.2, 0.55)), 5),
        "dot_cm": round(float(rng.uniform(0.28, 0.5)), 5),
        "stitches": round(wanted(spec.stitches) * draw_one(rng, (-0.45, -0.3, 0.5 if dark else 0.12)), 5),
        "clip": wanted(spec.clip),
        "clip_colour": _linear(metal),
        "print": wanted(spec.print),
        "print_across": round(float(draw_one(rng, (-1, 1)) * rng.uniform(0.28, 0.46)), 5),
        "print_down": round(float(rng.uniform(0.38, 0.62)), 5),
        "print_colour": _linear(ink),
        "print_seed": int(rng.integers(2**31)),
    }


def draw_sides(rng: np.random.Generator, spec: MaskSpec, base: list[float]) -> dict[str, float]:
    """Draw how edges of a mask of the sRGB colour `base` are folded and pleats welded: JSON values for `trim`."""
    pale = spec.fabric == "nonwoven" and max(base) >= 0.3
    folded, welded, strength = float(rng.beta(2.0, 1.2)), rng.random() < spec.weld_dots, float(rng.uniform(0.1, 0.4))
    return {"hem_folded": round(folded if pale else 0.0, 5), "weld_bars": round(strength if welded else 0.0, 5)}


def trim(albedo: F32, texels: Texels, fit: Mapping[str, Any]) -> None:
    """Put the trim on the albedo (h, w, 3) of a cloth, in place."""
    rim = texels.rim
    # The hem is of several layers, the inner ones white, and has no light from behind.
    colour_hem(
        albedo,
        rim,
        fit["hem_cm"],
        bool(fit["binding"]),
        np.asarray(fit["binding_colour"], np.float32),
        fit["hem_tone"],
        0.7 * fit["hem_pale"],
        0.9 * fit["hem_folded"],
        _PALE,
    )
    _sew(
        albedo,
        texels.across,
        texels.down,
        rim,
        texels.inside,
        fit["hem_cm"],
        fit["weld_dots"],
        fit["dot_cm"],
        fit["weld_bars"],
        fit["stitches"],
        fit["seam_cm"] > 0,
        0.5 * fit["wire_length"] if fit["clip"] else -1.0,
        np.asarray(fit["clip_colour"], np.float32),
    )
    if fit["print"]:
        _print(albedo, texels, fit)


@compiled
def _sew(
    albedo: F32,
    across: F32,
    down: F32,
    rim: F32,
    inside: F32,
    hem_cm: float,
    dots: float,
    dot_cm: float,
    bars: float,
    stitches: float,
    seamed: bool,
    clip_cm: float,
    clip_rgb: F32,
) -> None:
    """Put welds, stitches and a clip on the albedo (h, w, 3), in place.

    Args:
        albedo: Of the cloth.
        across: Cm from its middle (h, w).
        down: Cm from its upper edge.
        rim: Cm from its nearest edge.
        inside: Cm from its nearer side.
        hem_cm: Width of the hem.
        dots: How much darker dots are where layers are welded; 0 for none.
        dot_cm: How far apart they are.
        bars: How much darker bars are where the pleats are welded at the sides; 0 for none.
        stitches: How much brighter stitches are than the cloth, or darker; 0 for none.
        seamed: Whether a seam in the middle has stitches on either side.
        clip_cm: Half the length of the clip over the nose, negative for none.
        clip_rgb: Its albedo.
    """
    for i in range(albedo.shape[0]):
        for j in range(albedo.shape[1]):
            along = across[i, j] + down[i, j]
            light = 1.0
            if dots > 0.0:
                rows = abs(abs(rim[i, j] - hem_cm * 0.78) - 0.13)  # two rows, beside the hem's groove
                if rows < 1.3 * 0.06:
                    dot = min(1.0, max(0.0, np.cos(along * (2 * np.pi / dot_cm)) + 0.4))
                    light -= dots * min(1.0, 1.3 - rows / 0.06) * dot
            if bars > 0.0 and inside[i, j] < 0.9 * hem_cm:
                wide = min(1.0, max(0.0, (0.34 * hem_cm - abs(inside[i, j] - 0.52 * hem_cm)) / 0.07))
                if wide > 0.0:
                    light -= bars * wide * min(1.0, max(0.0, 2.0 * np.cos(down[i, j] * (2 * np.pi / _BAR_CM))))
            if stitches != 0.0:
                seam = abs(rim[i, j] - hem_cm * 0.8)
                if seamed:
                    seam = min(seam, abs(abs(across[i, j]) - 0.3))
                if seam < 1.4 * 0.055 and np.sin(along * (2 * np.pi / 0.42)) > -0.3:
                    light *= max(0.0, 1.0 + stitches * min(1.0, 1.4 - seam / 0.055))
            if light != 1.0:
                for q in range(3):
                    albedo[i, j, q] *= np.float32(light)
            if clip_cm > 0.0:
                bar = min(1.0, 1.5 - abs(down[i, j] - 0.95) / 0.26)
                bar *= min(1.0, (clip_cm - abs(across[i, j])) / 0.1)
                if bar > 0.0 and abs(across[i, j]) < clip_cm:
                    for q in range(3):
                        albedo[i, j, q] += np.float32(bar) * (clip_rgb[q] - albedo[i, j, q])


def _print(albedo: F32, texels: Texels, fit: Mapping[str, Any]) -> None:
    """A few lines of small type and a mark, as makers print on respirators."""
    rng = np.random.default_rng(fit["print_seed"])
    h, w = albedo.shape[:2]
    rows, columns = min(round(2.0 / texels.texel_cm), h // 2), min(round(3.4 / texels.texel_cm), w // 2)
    canvas = np.zeros((rows * _FINE, columns * _FINE), np.uint8)
    lines = int(rng.integers(1, 5))
    for k in range(lines):
        text = "".join(_GLYPHS[int(i)] for i in rng.integers(len(_GLYPHS), size=int(rng.integers(4, 10))))
        size = 0.9 if k == 0 else 0.6
        where = (int(4 * rng.integers(1, 6)), int((k + 0.85) * canvas.shape[0] / lines))
        cv2.putText(canvas, text, where, int(rng.integers(0, 3)), size, (255,), 2, cv2.LINE_AA)
    ink = cv2.resize(canvas, (columns, rows), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    top = min(max(int(fit["print_down"] * h - rows / 2), 0), h - rows)
    left = min(max(int((fit["print_across"] + 1) / 2 * w - columns / 2), 0), w - columns)
    patch = albedo[top : top + rows, left : left + columns]
    patch += 0.65 * ink[..., None] * (np.asarray(fit["print_colour"], np.float32) - patch)


def _linear(colour: tuple[float, float, float]) -> list[float]:
    return [round(float(np.clip(c**2.2, 0.01, 0.72)), 5) for c in colour]
