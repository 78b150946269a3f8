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

_GLYPHS = "ABCDEFGHKLMNOPRSTUVX0123456789"
_PALE = np.array([0.82, 0.83, 0.85], np.float32)
"""Linear albedo of white layers inside."""
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
        "weld_dots": round(wanted(spec.weld_dots) * float(rng.uniform(0.15, 0.5)), 5),
        "dot_cm": round(float(rng.uniform(0.3, 0.6)), 5),
        "stitches": round(wanted(spec.stitches) * float(rng.choice([-0.45, -0.3, 0.5 if dark else 0.12])), 5),
        "clip": wanted(spec.clip),
        "clip_colour": _linear(metal),
        "print": wanted(spec.print),
        "print_across": round(float(rng.choice([-1, 1]) * rng.uniform(0.28, 0.46)), 5),
        "print_down": round(float(rng.uniform(0.38, 0.62)), 5),
        "print_colour": _linear(ink),
        "print_seed": int(rng.integers(2**31)),
    }


def trim(albedo: F32, texels: Texels, fit: Mapping[str, Any]) -> None:
    """Put the trim on the albedo (h, w, 3) of a cloth, in place."""
    rim, hem = texels.rim, np.float32(fit["hem_cm"])
    # The hem is of several layers, the inner ones white, and has no light from behind.
    colour_hem(
        albedo,
        rim,
        fit["hem_cm"],
        bool(fit["binding"]),
        np.asarray(fit["binding_colour"], np.float32),
        fit["hem_tone"],
        0.7 * fit["hem_pale"],
        _PALE,
    )
    if fit["weld_dots"]:
        along = np.cos((texels.across + texels.down) * np.float32(2 * np.pi / fit["dot_cm"]))
        rows = np.abs(np.abs(rim - hem * np.float32(0.78)) - np.float32(0.13))  # two rows, beside the hem's groove
        dots = np.clip(1.3 - rows / np.float32(0.06), 0, 1) * np.clip(along + np.float32(0.4), 0, 1)
        albedo *= 1 - np.float32(fit["weld_dots"]) * dots[..., None]
    if fit["stitches"]:
        along = np.sin((texels.across + texels.down) * np.float32(2 * np.pi / 0.42)) > -0.3
        seams = np.abs(rim - hem * np.float32(0.8))
        if fit["seam_cm"] > 0:
            seams = np.minimum(seams, np.abs(np.abs(texels.across) - np.float32(0.3)))
        thread = np.clip(1.4 - seams / np.float32(0.055), 0, 1) * along
        albedo *= np.maximum(1 + np.float32(fit["stitches"]) * thread, 0.0)[..., None]
    if fit["clip"]:
        bar = np.clip(1.5 - np.abs(texels.down - np.float32(0.95)) / np.float32(0.26), 0, 1)
        bar *= np.clip((np.float32(fit["wire_length"] / 2) - np.abs(texels.across)) / np.float32(0.1), 0, 1)
        albedo += bar[..., None] * (np.asarray(fit["clip_colour"], np.float32) - albedo)
    if fit["print"]:
        _print(albedo, texels, fit)


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
