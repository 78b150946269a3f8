"""Sharp creases of worn cloth: short lines from where it is pulled, one side to the light, the other away from it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from fdgen.arrays import F32, F64
from fdgen.occluders.cloth.relief import Texels
from fdgen.runtime.jit import compiled

_FREE = frozenset({"bandana", "gaiter", "scarf"})
"""Cuts that hang in soft folds, and are pulled nowhere."""
_FAR = 2.6
"""Widths of a crease beyond which nothing of it is left."""


def creases_of(cut: str, fit: Mapping[str, Any]) -> F64:
    """Return creases (N, 7): their ends in the measure of `Texels` (s, t, s, t), how far they bow out in cm, width in
    cm, and height in cm, negative for a valley.

    They run inwards from the corners, where loops pull, and cross the panels near the sides, where cloth is gathered.
    """
    n = 0 if cut in _FREE else round(fit["crease_count"])
    rng = np.random.default_rng(fit["crease_seed"])
    lines = np.empty((n, 7))
    for k in range(n):
        side, upper = (1.0 if rng.random() < 0.5 else -1.0), rng.random() < 0.5
        draw, long = rng.random(), rng.uniform(0.25, 1.0)
        if draw < 0.6:  # from a corner towards the middle
            s, t = side * rng.uniform(0.86, 0.97), rng.uniform(0.05, 0.2)
            s1, t1 = s - side * 0.55 * long, t + long * rng.uniform(-0.05, 0.45)
        elif draw < 0.85:  # from the side inwards
            s, t = side * rng.uniform(0.9, 0.99), rng.uniform(0.2, 0.5)
            s1, t1 = s - side * 0.35 * long, t + long * rng.uniform(-0.12, 0.12)
        else:  # down from beside the nose
            s, t = side * rng.uniform(0.12, 0.35), rng.uniform(0.1, 0.25)
            s1, t1 = s + side * 0.2 * long, t + 0.4 * long
            upper = True
        if not upper:
            t, t1 = 1 - t, 1 - t1
        width = rng.uniform(0.1, 0.36)
        height = fit["crease_cm"] * width / 0.2 * rng.uniform(0.5, 1.2) * (1.0 if rng.random() < 0.6 else -0.8)
        lines[k] = s, t, s1, t1, rng.normal(0.0, 0.12), width, height
    return lines


def raise_creases(height: F32, texels: Texels, cut: str, fit: Mapping[str, Any]) -> None:
    """Add creases to a relief (h, w) in cm, in place."""
    lines = creases_of(cut, fit)
    if len(lines):
        _raise(height, lines, float(np.abs(texels.across).max()), float(texels.down.max()))


@compiled
def _raise(height: F32, lines: F64, half_cm: float, long_cm: float) -> None:
    """Add ridges with a sharp crest and one steep side to a relief, in place.

    Args:
        height: The relief (h, w) in cm.
        lines: The creases, as `creases_of` returns them.
        half_cm: Half the width of the cloth.
        long_cm: Its length.
    """
    h, w = height.shape
    for k in range(lines.shape[0]):
        s0, t0, s1, t1, bow, width, tall = lines[k]
        dx, dy = (s1 - s0) * half_cm, (t1 - t0) * long_cm
        length = np.sqrt(dx * dx + dy * dy)
        if length < 0.2:
            continue
        dx, dy = dx / length, dy / length
        margin = _FAR * width + abs(bow)
        left = int(((min(s0, s1) - margin / half_cm) + 1.0) * 0.5 * (w - 1))
        right = int(((max(s0, s1) + margin / half_cm) + 1.0) * 0.5 * (w - 1)) + 1
        top, bottom = (
            int((min(t0, t1) - margin / long_cm) * (h - 1)),
            int((max(t0, t1) + margin / long_cm) * (h - 1)) + 1,
        )
        for i in range(max(0, top), min(h, bottom + 1)):
            y = (i / (h - 1) - t0) * long_cm
            for j in range(max(0, left), min(w, right + 1)):
                x = (2.0 * j / (w - 1) - 1.0 - s0) * half_cm
                along = (x * dx + y * dy) / length
                if along <= 0.0 or along >= 1.0:
                    continue
                swell = 4.0 * along * (1.0 - along)
                off = (y * dx - x * dy - bow * swell) / width
                if off < 0.0:
                    off *= -1.8
                if off < _FAR:
                    height[i, j] += tall * min(1.0, 1.6 * swell) * np.exp(-off)
