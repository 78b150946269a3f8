"""The fine relief of a mask: pleats, seams, welds, folds and fabric, as a height in cm at each texel of the cloth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import cv2
import numpy as np

from fdgen.arrays import F32, F64
from fdgen.occluders.cloth.drape import first_below
from fdgen.occluders.cloth.texel_kernels import (
    Pleats,
    finish_edges,
    light_in_relief,
    raise_pleats,
    shade_edges,
    shade_pleats,
)
from fdgen.runtime.jit import compiled

TILE = 256
_PLEAT_DROP_CM = 0.12
"""How far below the edge of a pleat the next layer begins."""
_FOLLOWS = 0.5
"""How far pleats bow as the edges of the cloth do."""
_DEEP_PLEAT_CM = 0.18
"""Depth of a pleat that throws a full shade."""
_DARK = 0.4
"""Mean of an sRGB colour below which cloth is dark."""
_HOLLOWS_CM = (0.18, 0.6)
"""Radii of what light from all round is kept out of."""
_GRAIN = 16.0
"""Texels of the noise tile in one unit of noise coordinates: its bumps are about one unit wide."""

_BONDED = {"nonwoven": (0.34, 0.4, 0.3), "moulded": (0.3, 0.4, 0.25)}
"""Pitch in cm of the points at which the fibres of a fabric are bonded, height of these, and of its clouds."""


@dataclass(frozen=True)
class Texels:
    """Where each texel (h, w) of a cloth lies. `s` (1, w) runs from -1 to 1 across, `t` (h, 1) from 0 to 1 down;
    `across`, `down`, `up` (h, w) are cm from the middle, from the top edge and from the bottom edge, `inside` cm from
    the nearer side. `high` (rows, columns) is how high in cm the cloth lies on the head, at its vertices; `texel_cm` is
    the mean size of a texel.
    """

    s: F32
    t: F32
    across: F32
    down: F32
    up: F32
    inside: F32
    high: F32
    texel_cm: float

    @cached_property
    def rim(self) -> F32:
        """Cm from the nearest edge."""
        return np.minimum(np.minimum(self.down, self.up), self.inside)


@cache
def _noise_tile(kind: int) -> F32:
    """Make a tile of smooth periodic noise of unit variance; the same in every process."""
    rng = np.random.default_rng([2061, kind])
    white = np.fft.rfft2(rng.standard_normal((TILE, TILE)))
    fy, fx = np.fft.fftfreq(TILE)[:, None], np.fft.rfftfreq(TILE)[None]
    f = np.hypot(fx, fy) * _GRAIN
    tile = np.fft.irfft2(white * np.exp(-((f / 0.75) ** 2)), (TILE, TILE))
    return np.ascontiguousarray(tile / tile.std(), np.float32)


def noise(x: F32, y: F32, offset: float, kind: int = 0) -> F32:
    """Sample smooth noise of unit variance and bumps one unit wide at coordinates (h, w)."""
    found: F32 = sample_tile(_noise_tile(kind), x, y, np.float32(offset * TILE))
    return found


@compiled
def sample_tile(tile: F32, x: F32, y: F32, shift: np.float32) -> F32:
    """Sample a periodic tile (TILE, TILE), 16 units a side, at coordinates (h, w)."""
    rows, columns = x.shape
    out = np.empty((rows, columns), np.float32)
    for i in range(rows):
        for j in range(columns):
            u = x[i, j] * np.float32(16.0) + shift
            v = y[i, j] * np.float32(16.0) + shift * np.float32(1.618)
            fu, fv = np.floor(u), np.floor(v)
            a, b = int(fu) & 255, int(fv) & 255
            u, v = u - fu, v - fv
            near = tile[b, a] + u * (tile[b, (a + 1) & 255] - tile[b, a])
            c = (b + 1) & 255
            far = tile[c, a] + u * (tile[c, (a + 1) & 255] - tile[c, a])
            out[i, j] = near + v * (far - near)
    return out


def relief(cut: str, grain: F32, texels: Texels, fit: Mapping[str, Any], pleats: Pleats | None) -> F32:
    """Return the height (h, w) in cm of everything finer than the drape.

    Args:
        cut: That of the mask.
        grain: Of the fabric (h, w).
        texels: Of the sheet.
        fit: How it is worn, as `place` drew it.
        pleats: As `pleats_of` returns them.
    """
    height = _folds(cut, texels, fit)
    if pleats is not None:
        weld = np.float32(0.025) * np.sin(texels.t[:, 0] * np.float32(2 * np.pi * 13))
        raise_pleats(height, pleats, _PLEAT_DROP_CM, texels.inside, weld)
    if cut == "cup":  # stiffening ribs pressed into the dome
        inner = np.clip((texels.rim - np.float32(1.3)) / np.float32(0.8), 0, 1)
        wave = np.sin((texels.t * np.float32(fit["ribs"]) + np.float32(0.12) * texels.s**2) * np.float32(2 * np.pi))
        height += np.float32(fit["rib_deep_cm"]) * inner * np.clip(np.float32(2.2) * wave, -1, 1)
    if cut == "panel":
        height += _panel_edges(texels, fit)
    finish_edges(
        height,
        texels.across,
        texels.down,
        texels.rim,
        fit["thick_cm"],
        fit["hem_cm"],
        fit["groove_cm"],
        cut == "pleated" and fit["hem_dashes"] > 0.5,
        fit["seam_cm"],
        fit["wire_cm"],
        fit["wire_length"] / 2,
    )
    height += np.float32(fit["weave_cm"]) * grain
    return height


def _half(field: F32) -> F32:
    h, w = field.shape
    return np.asarray(cv2.resize(field, (w // 2, h // 2), interpolation=cv2.INTER_AREA), np.float32)


def _folds(cut: str, texels: Texels, fit: Mapping[str, Any]) -> F32:
    """Tension folds from the corners, creases of slack, gathers under the chin; smooth, so at half the texels."""
    across, down, up, inside = (_half(a) for a in (texels.across, texels.down, texels.up, texels.inside))
    h, w = across.shape
    seed = float(fit["fold_seed"])
    side = np.where(across > 0, np.float32(7.3), np.float32(0))
    height = np.zeros((h, w), np.float32)
    for pull, vertical, k in ((fit["tension"], down, 0.0), (0.8 * fit["tension"], up, 3.1)):
        if pull <= 0:
            continue
        reach = np.hypot(inside, vertical)
        angle = np.arctan2(vertical, inside + np.float32(1e-3))
        spokes = noise(angle * np.float32(2.6) + side, reach * np.float32(0.14) + np.float32(k), seed)
        envelope = reach / (reach + np.float32(0.8)) * np.exp(-((reach / np.float32(fit["tension_reach"])) ** 2))
        height += np.float32(pull) * spokes * envelope
    slack = np.float32(fit["slack"])
    aside = across - np.float32(fit["bow_shift_cm"])
    bow = np.sqrt(aside * aside + np.float32(6.0)) * np.float32(fit["lean"])
    sag = down + bow + np.float32(0.03) * aside * aside  # folds hang in bows between the sides
    broad = noise(across * np.float32(0.24), sag * np.float32(0.36), seed + 0.37, 1)
    crossed = noise(across * np.float32(0.28), (down - bow) * np.float32(0.5), seed + 0.71, 2)
    # Folds are round on top and narrow at their foot; were that sharp, it would look like a vein.
    folds = np.minimum(_soft_abs(crossed), 1.2) + np.minimum(_soft_abs(broad), 1.2)
    height += slack * (np.float32(0.045) * broad + np.float32(0.085) * (folds - np.float32(1.2)))
    if fit["rolls_cm"] > 0:  # thick cloth wound round: a few broad rolls, one over the other
        wound = noise(across * np.float32(0.05), (sag - np.float32(0.1) * across) * np.float32(0.3), seed + 0.9, 0)
        rolled = np.float32(fit["rolls_cm"]) * (np.float32(1.2) - np.minimum(np.abs(wound) * 1.5, 2.0))
        if cut == "gaiter":  # taut over the nose, it bunches below the mouth
            rolled = rolled * np.clip(np.linspace(-1.0, 2.2, h, dtype=np.float32)[:, None], 0.1, 1.0)
        height += rolled
    gather = noise(across * np.float32(0.75), up * np.float32(0.16), seed + 0.13, 3)
    height += np.float32(fit["gather"]) * gather * np.exp(-((up / np.float32(fit["gather_reach"])) ** 2))
    edge = np.minimum(np.minimum(down, up), inside)
    height *= np.clip(edge / np.float32(0.5), 0.25, 1.0)
    return np.asarray(cv2.resize(height, texels.across.shape[::-1], interpolation=cv2.INTER_CUBIC), np.float32)


def _soft_abs(field: F32) -> F32:
    """Return the absolute value (h, w) with its foot rounded."""
    return np.asarray(np.sqrt(field * field + np.float32(0.09)) - np.float32(0.3), np.float32)


def pleats_of(cut: str, texels: Texels, fit: Mapping[str, Any]) -> Pleats | None:
    """Return where pleats lie; None where the cut has none."""
    if cut != "pleated":
        return None
    count = int(fit["pleats"])
    # Ironed in: nearly straight.
    wobble = noise(texels.across * np.float32(0.12), texels.down * np.float32(0.05), float(fit["fold_seed"]) + 0.5, 1)
    s2 = texels.s[0] ** 2
    depth = np.float32(fit["pleat_cm"]) * (np.float32(1) - np.float32(0.5) * s2)
    length = max(float(texels.down.max()), 1.0)
    middle = np.repeat(texels.across[len(texels.across) // 2][None], count, 0)
    along = np.repeat(np.float32(3.7) * np.arange(count, dtype=np.float32)[:, None], middle.shape[1], 1)
    bent = noise(middle * np.float32(0.3), along, float(fit["fold_seed"]) + 0.21, 2)
    held = noise(middle * np.float32(0.22), along, float(fit["fold_seed"]) + 0.83, 0)  # flat here, gaping there
    at = (0.5 + (np.arange(count) - (count - 1) / 2) * fit["pleat_step"] + fit["pleat_shift"])[:, None]
    lines = _level_lines(at[:, 0], texels) + 0.004 * bent
    open_by = np.clip(np.float32(0.8) + np.float32(0.5) * held, np.float32(0.12), np.float32(1.6))
    return Pleats(texels.t[:, 0], wobble, lines.astype(np.float32), open_by, depth, length)


def _level_lines(at: F64, texels: Texels) -> F32:
    """Return where pleats that begin at shares `at` (n,) of the sides cross each column: (n, w), shares of its length.

    The edges of the cloth climb over the nose and fall below the chin; pleats are level, and bow a little with them.
    """
    columns = texels.high.shape[1]
    lines = _level(texels.high, np.linspace(-1, 1, columns), at)
    across, place = np.linspace(0, columns - 1, texels.s.shape[1]), np.arange(columns)
    return np.stack([np.interp(across, place, line) for line in lines]).astype(np.float32)


@compiled
def _level(high: F32, s: F64, at: F64) -> F64:
    """Return where level lines that begin at shares `at` (n,) of the sides cross each column: (n, columns), as shares.

    Args:
        high: How high in cm a cloth lies (rows, columns).
        s: Place of each column, -1 to 1.
        at: Shares of the sides.
    """
    rows, columns = high.shape
    falling = high.astype(np.float64)
    for i in range(1, rows):
        for j in range(columns):
            falling[i, j] = min(falling[i, j], falling[i - 1, j])
    lines = np.empty((len(at), columns))
    for k in range(len(at)):
        place = at[k] * (rows - 1)
        low = min(max(int(place), 0), rows - 2)
        above, below = falling[low], falling[low + 1]
        left = above[0] + (place - low) * (below[0] - above[0])
        right = above[-1] + (place - low) * (below[-1] - above[-1])
        bow, bow_below = _bow(above), _bow(below)
        sunk = bow + (place - low) * (bow_below - bow)
        for j in range(columns):
            level = 0.5 * (left + right) + 0.5 * s[j] * (right - left) - sunk * (1 - s[j] * s[j])
            row, share = first_below(falling[:, j], level)
            lines[k, j] = (row + share) / (rows - 1)
    return lines


@compiled
def _bow(row: F64) -> Any:
    """Return how far a level line bows down in the middle of a row of heights (columns,)."""
    return _FOLLOWS * ((row[0] + row[-1]) / 2 - row[len(row) // 2])


def darkness(fit: Mapping[str, Any]) -> float:
    """Return how dark the cloth of a placement is: 0 of any that is pale or middling, 1 of black."""
    return max(0.0, 1 - float(np.mean(fit["colours"][0])) / _DARK)


def edge_light(texels: Texels, fit: Mapping[str, Any], pleats: Pleats | None) -> F32:
    """Return the light (h, w) that is left beside folds and seams too sharp for the relief: 1 away from them.

    Under the edge of a pleat is a line of shade, and the edge itself, ironed, a thin bright one; welds and the groove
    of a hem are lines of shade.
    """
    light = np.ones(texels.across.shape, np.float32)
    dark = darkness(fit)  # fibres shine whatever they are dyed: on dark cloth an edge is a bright line, too
    if pleats is not None:
        shade_pleats(light, pleats, _DEEP_PLEAT_CM, 0.26 + 0.64 * dark)
    shade_edges(
        light,
        texels.across,
        texels.down,
        texels.rim,
        fit["hem_cm"],
        min(0.4, 8.0 * fit["groove_cm"] + 2.0 * fit["thick_cm"]),
        min(0.3, 5.0 * fit["wire_cm"]),
        fit["wire_length"] / 2,
        min(0.35, 6.0 * fit["seam_cm"]),
        0.06 + 0.7 * dark,
    )
    return light


def _panel_edges(texels: Texels, fit: Mapping[str, Any]) -> F32:
    """The two edges at which three panels meet: the middle one overlaps the others, with a weld beside each edge."""
    s2 = texels.s**2
    length = np.float32(max(float(texels.down.max()), 1.0))
    height = np.zeros(texels.across.shape, np.float32)
    for at, sense in ((fit["apex"] - 0.2, 1.0), (fit["apex"] + 0.22, -1.0)):
        line = np.float32(at) + np.float32(0.06 * sense) * s2
        into = (texels.t - line) * length * np.float32(sense)  # cm inside the middle panel
        height += (
            np.float32(0.09) * np.clip(into / np.float32(0.12), 0, 1) * np.exp(-np.maximum(into, 0) / np.float32(1.6))
        )
        height -= np.float32(0.025) * np.exp(-(((into - np.float32(0.45)) / np.float32(0.1)) ** 2))
    return height


def fabric_grain(fabric: str, texels: Texels, fit: Mapping[str, Any]) -> F32:
    """Return the surface of the cloth itself (h, w): threads and fibres, as heights between about -1 and 1."""
    offset = float(fit["fold_seed"]) * 1.7
    across, down = texels.across, texels.down
    if fabric == "knit":
        pitch = np.float32(2 * np.pi / fit["rib_cm"])
        ribs = np.sin(pitch * across) * (np.float32(0.7) + np.float32(0.3) * np.sin(pitch * down))
        return np.asarray(ribs, np.float32)
    if fabric == "woven":  # threads lie along both ways of the cloth, finer than a pixel: what is seen are their slubs
        grain = noise(across * np.float32(9.0), down * np.float32(1.8), offset) + noise(
            across * np.float32(1.8), down * np.float32(9.0), offset + 0.3
        )
        return np.asarray(np.float32(0.35) * grain, np.float32)
    if fabric == "fleece":
        grain = noise(across * np.float32(5.5), down * np.float32(2.2), offset) + noise(
            across * np.float32(2.2), down * np.float32(5.5), offset + 0.3
        )
        return np.asarray(np.float32(0.7) * grain, np.float32)
    if fabric in _BONDED:
        return _bonded(across, down, offset, *_BONDED[fabric])
    return noise(across * np.float32(4.2), down * np.float32(4.2), offset)


def _bonded(across: F32, down: F32, offset: float, pitch_cm: float, points: float, clouds: float) -> F32:
    """Return the surface (h, w) of cloth that is pressed of fibres: smooth, with a lattice of points where they are
    bonded, and clouds where the web is thicker.

    Args:
        across: Cm from its middle (h, w).
        down: Cm from its upper edge.
        offset: Where in the noise it is.
        pitch_cm: Cm from point to point.
        points: Height of the lattice.
        clouds: That of the clouds.
    """
    turn = np.float32(2 * np.pi / pitch_cm)
    surface = np.cos(across * turn)
    surface *= np.cos(down * turn)
    surface *= np.float32(points)
    surface += np.float32(clouds) * noise(across * np.float32(0.55), down * np.float32(1.1), offset)
    return np.asarray(surface, np.float32)


def shading(height: F32, texel_cm: float) -> F32:
    """Return the light (h, w) that reaches into the relief from all round: hollows darker, crests a little lighter."""
    around = []
    for radius_cm in _HOLLOWS_CM:
        size = int(2 * radius_cm / texel_cm) | 1
        around.append(np.asarray(cv2.blur(cv2.blur(height, (size, size)), (size, size)), np.float32))
    return light_in_relief(height, around[0], around[1], _HOLLOWS_CM[0], _HOLLOWS_CM[1])
