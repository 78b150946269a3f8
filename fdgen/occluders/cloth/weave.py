"""The weave of a cloth where it is coarse enough to be seen in a portrait: ribs, a mesh of holes, twill, melange."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fdgen.arrays import F32
from fdgen.occluders.cloth.relief import Texels, noise
from fdgen.runtime.jit import compiled
from fdgen.runtime.rng import draw_key

_SHARES: Mapping[str, Mapping[str, float]] = {
    "woven": {"smooth": 30, "ribbed": 18, "twill": 20, "melange": 22},
    "neoprene": {"smooth": 34, "mesh": 38, "ribbed": 20},
    "moulded": {"smooth": 52, "mesh": 16, "melange": 20},
}
"""How often cloth of a fabric shows a weave; other fabrics have their grain alone."""
_PITCH_CM = {"ribbed": (0.30, 0.46), "mesh": (0.30, 0.46), "twill": (0.30, 0.42), "melange": (0.12, 0.2)}
_CONTRAST = {"ribbed": (0.3, 0.7), "mesh": (0.35, 0.75), "twill": (0.3, 0.6), "melange": (0.14, 0.34)}
"""How much darker dark cloth is between its threads; pale cloth, where light goes through them, is so by less."""
_PALE, _MIDDLING = 0.3, 0.4
"""Share of the contrast that white cloth keeps, and the mean of an sRGB colour up to which cloth keeps all of it."""
_GREY, _COAL, _COLOURLESS = 0.68, 0.3, 0.1
"""Means of an sRGB colour: above the first, moulded cloth is of one kind of fibre; from the second up to the first it
often has coal among pale fibres, if its channels differ by less than the last."""
_ASIDE = 0.75
"""Where, from 0 in the middle to 1 at the sides, a weave begins to be seen at too low an angle to be told."""
_LEAST_TEXELS, _ALL_TEXELS = 2.2, 4.5
"""Texels from thread to thread below which none are told apart, and from which all their contrast is seen: between,
it fades, or texels and threads would beat as moire."""
_KINDS = {"ribbed": 0, "mesh": 1, "twill": 2}


def draw_weave(rng: np.random.Generator, fabric: str, base: Sequence[float]) -> dict[str, Any]:
    """Draw the weave of a cloth of the sRGB colour `base`: JSON values for `weave_light`."""
    shares = dict(_SHARES.get(fabric, {"smooth": 1}))
    if fabric == "moulded" and np.mean(base) > _GREY:
        shares["smooth"] += shares.pop("melange")
    elif fabric == "moulded" and np.mean(base) > _COAL and np.ptp(base) < _COLOURLESS:
        shares["melange"] *= 3
    kind = draw_key(rng, shares)
    where, strength = rng.random(2)
    low, high = _PITCH_CM.get(kind, (0.0, 0.0))
    least, most = _CONTRAST.get(kind, (0.0, 0.0))
    light = float(np.mean(base))
    paled = min(1.0, max(0.0, (light - _MIDDLING) / (0.9 - _MIDDLING)))
    contrast = (least + (most - least) * strength) * (1 - (1 - _PALE) * paled)
    return {
        "weave": kind,
        "weave_pitch_cm": round(float(low + (high - low) * where), 5),
        "weave_contrast": round(float(contrast), 5),
        "weave_upright": bool(rng.random() < 0.35),
    }


def weave_light(texels: Texels, fit: Mapping[str, Any]) -> F32 | None:
    """Return the light (h, w) that threads send back, 1 in the mean; None of a cloth that shows none."""
    kind, contrast = fit["weave"], np.float32(fit["weave_contrast"])
    if kind == "smooth":
        return None
    across, down = texels.across, texels.down
    if kind == "melange":  # yarn spun of dark and pale fibres: short dashes along the threads
        pitch, offset = np.float32(fit["weave_pitch_cm"]), float(fit["fold_seed"]) * 2.3
        dashes = noise(across * (np.float32(0.35) / pitch), down / pitch, offset)
        dashes += np.float32(0.6) * noise(across / pitch, down * (np.float32(0.35) / pitch), offset + 0.4)
        return np.asarray(1 + contrast * np.tanh(dashes), np.float32)
    told = (fit["weave_pitch_cm"] / texels.texel_cm - _LEAST_TEXELS) / (_ALL_TEXELS - _LEAST_TEXELS)
    contrast *= np.float32(min(1.0, max(0.0, told)))
    if fit["weave_upright"]:
        across, down = down, across
    return _threads(across, down, texels.s[0], _KINDS[kind], fit["weave_pitch_cm"], float(contrast), _ASIDE)


@compiled
def _threads(across: F32, down: F32, s: F32, kind: int, pitch: float, contrast: float, aside: float) -> F32:
    """Return the light (h, w) of a regular weave.

    Args:
        across: Cm along the threads (h, w).
        down: Cm across them.
        s: Place of each column, -1 to 1: at the sides the weave fades.
        kind: 0 ribbed, 1 mesh, 2 twill.
        pitch: Cm from thread to thread.
        contrast: How much darker it is between them.
        aside: Where fading begins.
    """
    h, w = across.shape
    out = np.empty((h, w), np.float32)
    turn = 2.0 * np.pi / pitch
    for j in range(w):
        shown = contrast * min(1.0, max(0.0, (1.0 - abs(s[j])) / (1.0 - aside)))
        for i in range(h):
            x, y = across[i, j] * turn, down[i, j] * turn
            if kind == 0:
                wave = np.sin(y + 0.25 * np.sin(0.9 * x))
            elif kind == 1:  # holes in rows, each row half a step aside
                hole = np.cos(0.5 * (x + y)) * np.cos(0.5 * (x - y))
                wave = 0.35 - 1.35 * max(0.0, hole)
            else:
                wave = np.sin(0.75 * (x + y))
            out[i, j] = 1.0 + shown * wave
    return out
