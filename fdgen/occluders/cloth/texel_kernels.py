"""Compiled kernels over the texels of a mask's cloth: pleats, edges, trim and wear, each in one pass.

Lines on cloth are a few texels wide: most texels are far from each, and are passed by.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from fdgen.arrays import F32
from fdgen.runtime.jit import compiled

_FAR = 3.0
"""Widths of a line beyond which nothing of it is left to see: a Gaussian is a ten-thousandth there."""

_MEET, _PANEL_CM = 2.6, 1.8
"""How much higher than its swell the middle of a seam stands over its panels, and how far aside they bend to it."""

_FOLDED_CM = 0.26
"""Width of the line along an edge over which the layers inside are folded."""

_BEFORE_CM, _BEYOND_CM = 0.32, 1.2
"""How far above and below the edge of a pleat there is light or shade of it."""


@compiled
def _line(distance: float, width: float) -> float:
    """Return a Gaussian line's strength at a distance from its middle."""
    if abs(distance) > 1.01 * _FAR * width:  # most texels are: they are spared a division
        return 0.0
    x = distance / width
    return np.exp(-x * x) if abs(x) < _FAR else 0.0


class Pleats(NamedTuple):
    """Where the n pleats of a cloth of (h, w) texels lie.

    `t` is the place of each row from the top edge to the bottom (h,), `wobble` how uneven pleats are at each texel
    (h, w), `lines` the place of each pleat's edge in each column (n, w), in the measure of `t`, `open_by` how far each
    gapes there (n, w), `depth` their depth in cm in each column (w,), and `length` that of the cloth in cm.
    """

    t: F32
    wobble: F32
    lines: F32
    open_by: F32
    depth: F32
    length: float


@compiled
def raise_pleats(height: F32, pleats: Pleats, drop_cm: float, inside: F32, weld: F32) -> None:
    """Add overlapping pleats to a relief, in place: each layer rises to an edge and drops to the next.

    Args:
        height: The relief (h, w) in cm.
        pleats: Where they lie.
        drop_cm: How far below its edge the next layer begins.
        inside: Cm from the nearer side, where they are welded in a stack.
        weld: Height of that stack in each row (h,).
    """
    t, wobble, lines, open_by, depth, length = pleats
    for i in range(height.shape[0]):
        for j in range(height.shape[1]):
            at, deep = t[i] + 0.003 * wobble[i, j], depth[j] * (1.0 + 0.2 * wobble[i, j])
            for k in range(lines.shape[0]):
                past = (at - lines[k, j]) * length
                if past >= drop_cm or past < -6.0:
                    continue
                rise = np.exp(past / 1.1) if past < 0.0 else 1.0 - past / drop_cm
                height[i, j] += deep * open_by[k, j] * rise
            if inside[i, j] < 0.9:
                height[i, j] += weld[i] * (1.0 - inside[i, j] / 0.9)


@compiled
def shade_pleats(light: F32, pleats: Pleats, deep_cm: float, lip: float) -> None:
    """Take the light beside the edges of pleats, in place: shade below each, a thin bright line on it.

    Args:
        light: What is left of it (h, w).
        pleats: Where they lie.
        deep_cm: Depth of a pleat that throws a full shade.
        lip: How bright the line on its edge is.
    """
    t, wobble, lines, open_by, depth, length = pleats
    for k in range(lines.shape[0]):
        highest, lowest = lines[k].min(), lines[k].max()
        for i in range(light.shape[0]):
            if (t[i] + 0.02 - highest) * length < -_BEFORE_CM or (t[i] - 0.02 - lowest) * length > _BEYOND_CM:
                continue
            for j in range(light.shape[1]):
                past = (t[i] + 0.003 * wobble[i, j] - lines[k, j]) * length
                if past > _BEYOND_CM or past < -_BEFORE_CM:
                    continue
                change = lip * _line(past + 0.09, 0.08)
                if past > 0.0:  # sharp at the edge, soft away from it
                    change -= min(1.0, past / 0.06) * (
                        0.56 * np.exp(-past / 0.15) + 0.26 * (1.0 - past / _BEYOND_CM) ** 2
                    )
                light[i, j] += depth[j] * (1.0 + 0.2 * wobble[i, j]) / deep_cm * open_by[k, j] * change


@compiled
def finish_edges(
    height: F32,
    across: F32,
    down: F32,
    rim: F32,
    thick: float,
    band: float,
    groove: float,
    dashes: bool,
    seam_cm: float,
    wire_cm: float,
    wire_half: float,
) -> None:
    """Add what runs along the edges of a cloth to its relief, in place: roll, weld or groove, seam, wire.

    Args:
        height: The relief (h, w) in cm.
        across: Cm from the middle.
        down: Cm from the top edge.
        rim: Cm from the nearest edge.
        thick: Thickness of the cloth in cm: it rolls off to it.
        band: Width of the hem in cm.
        groove: Depth of the hem's groove in cm.
        dashes: Whether the hem is a weld of short bars.
        seam_cm: Height of a seam down the middle.
        wire_cm: Height of the wire over the nose.
        wire_half: Half its length in cm.
    """
    reach = 0.1 + thick
    for i in range(height.shape[0]):
        for j in range(height.shape[1]):
            r, change = rim[i, j], 0.0
            if r < reach:
                change += thick * (np.sqrt(max(0.0, r / reach)) - 1.0)
            change -= groove * _line(r - band, 0.12)
            if dashes and abs(r - 0.5 * band) < 0.28:
                bars = np.sin((across[i, j] + down[i, j]) * (2.0 * np.pi / 0.36))
                if bars > 0.0:
                    change -= 0.03 * bars * np.exp(-(((r - 0.5 * band) / 0.14) ** 4))
            if seam_cm > 0.0:  # two panels meet at an angle, and swell where they are sewn
                x = abs(across[i, j])
                change += seam_cm * (_line(x, 0.16) + _MEET * max(0.0, 1.0 - x / _PANEL_CM))
            if wire_cm > 0.0 and abs(across[i, j]) < wire_half and abs(down[i, j] - 0.55) < 0.45:
                change += wire_cm * np.exp(-(((down[i, j] - 0.55) / 0.22) ** 4))
            height[i, j] += change


@compiled
def shade_edges(
    light: F32,
    across: F32,
    down: F32,
    rim: F32,
    band: float,
    share: float,
    wire_share: float,
    wire_half: float,
    seam_share: float,
    lip: float,
) -> None:
    """Take the light beside a hem's groove, in a seam and below the wire over the nose, and bound the result, in place.

    The cut edge, the swell on either side of a groove and the wire's upper edge catch a little.

    Args:
        light: What is left (h, w).
        across: Cm from the middle.
        down: Cm from the top edge.
        rim: Cm from the nearest edge.
        band: Width of the hem in cm.
        share: How dark the line beside it is.
        wire_share: How dark the line below the wire is.
        wire_half: Half the wire's length in cm.
        seam_share: How dark the line of a seam down the middle is.
        lip: How bright what swells beside a line is.
    """
    for i in range(light.shape[0]):
        for j in range(light.shape[1]):
            r, x = rim[i, j], abs(across[i, j])
            value = light[i, j] - share * _line(r - band, 0.08) + lip * _line(r - 0.02, 0.09)
            if share > 0.0:
                value += 0.6 * lip * _line(r - band + 0.16, 0.08)
            if seam_share > 0.0 and x < 0.5:
                value += lip * _line(x - 0.13, 0.07) - seam_share * _line(x, 0.06)
            if wire_share > 0.0 and abs(across[i, j]) < wire_half:
                value += 0.4 * wire_share * _line(down[i, j] - 0.34, 0.1) - wire_share * _line(down[i, j] - 0.8, 0.1)
            light[i, j] = min(1.1 + lip, max(0.3, value))


@compiled
def colour_hem(
    albedo: F32, rim: F32, hem: float, bound: bool, binding: F32, tone: float, pale: float, folded: float, white: F32
) -> None:
    """Colour the hem of a cloth, in place: bound with tape, or of the cloth itself, thicker.

    Args:
        albedo: Of the cloth (h, w, 3), linear.
        rim: Cm from the nearest edge.
        hem: Width of the hem in cm.
        bound: Whether it is bound.
        binding: Colour of the tape (3,).
        tone: How much lighter the hem of the cloth itself is.
        pale: How much of the white layers inside shows there.
        folded: How much of them shows in a narrow line along the edge, where they are folded over it.
        white: Their colour (3,).
    """
    for i in range(albedo.shape[0]):
        for j in range(albedo.shape[1]):
            r = rim[i, j]
            if r >= hem:
                continue
            if bound:
                share = min(1.0, max(0.0, (0.75 * hem - r) / 0.06))
                for q in range(3):
                    albedo[i, j, q] += share * (binding[q] - albedo[i, j, q])
            else:
                band = min(1.0, max(0.0, (hem - r) / 0.1))
                share = max(pale * band, folded * min(1.0, max(0.0, (_FOLDED_CM - r) / 0.08)))
                for q in range(3):
                    level = albedo[i, j, q] * (1.0 + tone * band)
                    albedo[i, j, q] = level + share * (white[q] - level)


@compiled
def wear_out(albedo: F32, tone: F32, soiled: F32, soil: F32, darkest: float, palest: float) -> None:
    """Darken cloth, soil it and bound its albedo, in place.

    Args:
        albedo: Of the cloth (h, w, 3), linear.
        tone: A factor on it (h, w).
        soiled: Share of dirt (h, w), or of no rows where there is none.
        soil: Colour of dirt (3,).
        darkest: The least albedo.
        palest: The greatest.
    """
    for i in range(albedo.shape[0]):
        for j in range(albedo.shape[1]):
            dirt = min(0.8, soiled[i, j]) if soiled.shape[0] else 0.0
            for q in range(3):
                level = albedo[i, j, q] * tone[i, j]
                level += dirt * (soil[q] - level)
                albedo[i, j, q] = min(palest, max(darkest, level))


@compiled
def light_in_relief(height: F32, near: F32, wide: F32, near_cm: float, wide_cm: float) -> F32:
    """Return the light (h, w) left in the hollows of a relief, by its means over squares of two sizes around.

    Args:
        height: The relief in cm.
        near: Its mean over the small square.
        wide: Its mean over the large one.
        near_cm: Radius of the small square.
        wide_cm: That of the large one.
    """
    out = np.empty(height.shape, np.float32)
    for i in range(height.shape[0]):
        for j in range(height.shape[1]):
            fine = min(0.8, max(-0.15, (near[i, j] - height[i, j]) / near_cm))
            broad = min(0.8, max(-0.15, (wide[i, j] - height[i, j]) / wide_cm))
            out[i, j] = min(1.12, max(0.35, 1.0 - 1.3 * fine - 0.55 * broad))
    return out
