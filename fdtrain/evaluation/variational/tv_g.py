"""Structure and texture of a picture: the model of Vese and Osher, which has texture as the divergence of a field.

L. Vese and S. Osher, Modeling Textures with Total Variation Minimization and Oscillating Patterns in Image Processing,
2003, with p = 1, as Bertalmio, Vese, Sapiro and Osher 2003 use it:

    min over u, g    ∫ |∇u| + λ ∫ (f - u - div g)² + μ ∫ |g|

u is the structure and f - u the texture. A pattern of amplitude A and wave number k costs A k in u and μ A / k in
div g: what is finer than 2π / √μ is texture. The functional is convex in both. ADMM goes to
the minimum: what is squared is solved by cosine transforms, ∇u and g are shrunk.
"""

from __future__ import annotations

import numpy as np
from scipy.fft import dctn, idctn

from fdgen.arrays import Bools
from fdtrain.evaluation.variational.differences import divergence, gradient, length
from fdtrain.evaluation.variational.hole_window import Values

DEVIATIONS = (
    "masked pixels are not in the term of λ, so that nothing in the hole is looked at",
    "the texture is f - u, so that both parts sum to the picture; the papers leave f - u - div g out as noise",
    "the decomposition is minimised by ADMM, where the papers take steps of a semi-implicit fixed point",
)

LAMBDA, MU = 0.1, 0.1
"""Of levels from 0 to 255, the papers' values: what is finer than 20 px is texture."""

STEPS, EVERY = 300, 20
TOLERANCE = 2e-3
"""It stops when `EVERY` steps change the energy by less than this part of it; at most `STEPS` steps."""

_OF_SLOPE, _OF_FIELD = 0.03, 0.005
"""Penalties of ADMM on what differs from ∇u and from g; they change the number of steps, not where they go."""


def decomposed(levels_CHW: Values, hole_HW: Bools) -> tuple[Values, Values, bool]:
    """Return the structure of each channel, levels to 255, its g, and whether it stopped before `STEPS` steps."""
    waves = [2 - 2 * np.cos(np.pi * np.arange(size) / size) for size in levels_CHW.shape[1:]]
    squared = (waves[0][:, None] + waves[1][None]).astype(np.float32)  # eigenvalues of -div grad
    weight = 2 * LAMBDA / (1 + 2 * LAMBDA / _OF_FIELD * squared)
    whole = weight + _OF_SLOPE * squared
    picture = levels_CHW
    slope = gradient(levels_CHW)
    field = np.zeros_like(slope)
    of_slope, of_field = np.zeros_like(slope), np.zeros_like(slope)
    before = np.inf
    for step in range(1, STEPS + 1):
        rest = _waves(picture - divergence(field - of_field))
        u_waves = (weight * rest - _OF_SLOPE * _waves(divergence(slope - of_slope))) / whole
        u, rest = _picture(u_waves), _picture(weight * (rest - u_waves))
        of_slope += gradient(u)
        slope = shrunk(of_slope, 1 / _OF_SLOPE)
        of_slope -= slope
        of_field = field - gradient(rest) / _OF_FIELD
        field = shrunk(of_field, MU / _OF_FIELD)
        of_field -= field
        picture = np.where(hole_HW, u + divergence(field), levels_CHW)  # so that the hole asks for nothing
        if step % EVERY == 0:
            now = energy(picture, u, field)
            if abs(before - now) <= TOLERANCE * now + 1e-6:
                return u, field, True
            before = now
    return u, field, False


def energy(levels_CHW: Values, u_CHW: Values, g_2CHW: Values) -> float:
    """Return the functional's value, summed over channels."""
    rest = levels_CHW - u_CHW - divergence(g_2CHW)
    terms = length(gradient(u_CHW)), LAMBDA * rest**2, MU * length(g_2CHW)
    return float(sum(term.sum(dtype=np.float64) for term in terms))


def shrunk(field_2CHW: Values, by: float) -> Values:
    """Return vectors shorter by a length, or zero."""
    shorter: Values = field_2CHW * np.maximum(0, 1 - by / np.maximum(length(field_2CHW), 1e-12))
    return shorter


def _waves(values_CHW: Values) -> Values:
    return np.asarray(dctn(values_CHW, axes=(1, 2), norm="ortho"))


def _picture(waves_CHW: Values) -> Values:
    return np.asarray(idctn(waves_CHW, axes=(1, 2), norm="ortho"))
