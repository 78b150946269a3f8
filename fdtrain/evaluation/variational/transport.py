"""Inpainting by transport: what bends the levels is carried along the lines of equal level into the hole.

M. Bertalmio, G. Sapiro, V. Caselles and C. Ballester, Image Inpainting, 2000, each channel by itself:

    ∂I/∂t = ∇(ΔI) · N |∇I|,    N = ∇⊥I / |∇I|

with the slope |∇I| limited against the direction of transport, and after each 15 steps of it 2 steps of anisotropic
diffusion, ∂I/∂t = κ |∇I|, κ being the curvature of the lines.
"""

from __future__ import annotations

import numpy as np

from fdgen.arrays import Bools
from fdtrain.evaluation.variational.hole_window import Values, levels_of, refined

DEVIATIONS = (
    "transport is run from coarse to fine and begins at the membrane; its channels are red, green and blue, where "
    "Bertalmio et al. 2000 have another space of colours",
)

TIME_STEP = 0.1
TRANSPORTS, DIFFUSIONS = 15, 2
"""Steps of each kind in a round, and `TIME_STEP`: the paper's values, here for levels in [0, 1]."""

ROUNDS = 60
TOLERANCE = 4e-4
"""It stops when a round changes the hole by less than this on average (a tenth of a grey level); at most `ROUNDS`."""

LEVELS = 4
_FLAT = 1e-8


def transported(levels_HWC: Values, hole_HW: Bools) -> tuple[Values, bool]:
    """Return levels in [0, 1] with the hole filled, and whether it had come to rest before `ROUNDS` rounds."""
    filled = levels_HWC
    for place, (levels, hole) in enumerate(levels_of(levels_HWC, hole_HW, LEVELS)):
        start = levels if place == 0 else refined(filled, levels, hole)
        filled, converged = at_one_level(start, hole)
    return filled, converged


def at_one_level(levels_HWC: Values, hole_HW: Bools) -> tuple[Values, bool]:
    """Return the picture after rounds of transport and diffusion at its own size."""
    rows, columns = (np.flatnonzero(hole_HW.any(axis=1 - axis)) for axis in (0, 1))
    border = 3  # pixels around the hole that its differences look at
    # One border more, of repeated pixels, for holes at the edge of the picture.
    padded = np.pad(levels_HWC.transpose(2, 0, 1), ((0, 0), (border, border), (border, border)), mode="edge")
    high, wide = rows[-1] + 1 - rows[0] + 2 * border, columns[-1] + 1 - columns[0] + 2 * border
    image = np.ascontiguousarray(padded[:, rows[0] : rows[0] + high, columns[0] : columns[0] + wide])
    hole = np.pad(hole_HW, border)[rows[0] : rows[0] + high, columns[0] : columns[0] + wide]
    inside = hole[border - 1 : 1 - border, border - 1 : 1 - border]
    converged = False
    for _ in range(ROUNDS):
        before = image[:, hole]
        for step in range(TRANSPORTS + DIFFUSIONS):
            change = transport(image) if step < TRANSPORTS else diffusion(image[:, 1:-1, 1:-1])
            core = image[:, border - 1 : 1 - border, border - 1 : 1 - border]
            np.clip(core + np.where(inside, TIME_STEP * change, 0), 0, 1, out=core)
        if converged := bool(np.abs(image[:, hole] - before).mean() <= TOLERANCE):
            break
    result = levels_HWC.copy()
    result[hole_HW] = image[:, hole].T
    return result, converged


def transport(image_CHW: Values) -> Values:
    """Return ∇(ΔI) · N |∇I|, two pixels less on each side."""
    laplacian = _shifted(image_CHW, 1, 0) + _shifted(image_CHW, -1, 0) + _shifted(image_CHW, 0, 1)
    laplacian += _shifted(image_CHW, 0, -1) - 4 * image_CHW[:, 1:-1, 1:-1]
    inner = image_CHW[:, 1:-1, 1:-1]
    down, right = _central(inner)
    change_down, change_right = _central(laplacian)
    along = (change_right * -down + change_down * right) * 2 / np.sqrt(down**2 + right**2 + _FLAT)
    here = inner[:, 1:-1, 1:-1]
    forward_down, backward_down = _shifted(inner, 1, 0) - here, here - _shifted(inner, -1, 0)
    forward_right, backward_right = _shifted(inner, 0, 1) - here, here - _shifted(inner, 0, -1)
    rises = [np.maximum(one, 0) ** 2 for one in (forward_down, forward_right, backward_down, backward_right)]
    falls = [np.minimum(one, 0) ** 2 for one in (forward_down, forward_right, backward_down, backward_right)]
    upwards = np.sqrt(falls[2] + rises[0] + falls[3] + rises[1])
    downwards = np.sqrt(rises[2] + falls[0] + rises[3] + falls[1])
    change: Values = along * np.where(along > 0, upwards, downwards)
    return change


def diffusion(image_CHW: Values) -> Values:
    """Return κ |∇I|, one pixel less on each side: the second derivative along the lines of equal level."""
    here = image_CHW[:, 1:-1, 1:-1]
    down, right = _central(image_CHW)
    twice_down = _shifted(image_CHW, 1, 0) - 2 * here + _shifted(image_CHW, -1, 0)
    twice_right = _shifted(image_CHW, 0, 1) - 2 * here + _shifted(image_CHW, 0, -1)
    falling = _shifted(image_CHW, 1, 1) + _shifted(image_CHW, -1, -1)
    rising = _shifted(image_CHW, 1, -1) + _shifted(image_CHW, -1, 1)
    both = (falling - rising) / 4
    across: Values = twice_right * down**2 - 2 * down * right * both + twice_down * right**2
    across /= down**2 + right**2 + _FLAT
    return across


def _central(values_CHW: Values) -> tuple[Values, Values]:
    """Return half the differences of the neighbours on both sides, one pixel less on each side."""
    down = (_shifted(values_CHW, 1, 0) - _shifted(values_CHW, -1, 0)) / 2
    return down, (_shifted(values_CHW, 0, 1) - _shifted(values_CHW, 0, -1)) / 2


def _shifted(values_CHW: Values, down: int, right: int) -> Values:
    """Return the neighbours of all pixels but those at the border."""
    high, wide = values_CHW.shape[1:]
    return values_CHW[:, 1 + down : high - 1 + down, 1 + right : wide - 1 + right]
