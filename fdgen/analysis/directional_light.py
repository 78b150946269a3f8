"""One lamp and ambient light: the simplest light that explains a shading, and its spherical harmonics.

Spherical harmonics alone leave the height of a lamp open, since their constant and their z look alike on the half of
the sphere that faces the camera; a lamp's shadow side distinguishes them. Directions are in the camera's frame:
x right, y up, z to the viewer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fdgen.analysis.geometry import cross
from fdgen.arrays import F32, F64
from fdgen.runtime.jit import compiled

_STEP_DEG = 10.0
"""Step of the grid of directions that are tried first; the best is then refined to a quarter of it."""
_CAP_DEG = 80.0
"""Lamps are looked for within this angle of the viewer: one further behind lights too little of a face to be found."""


def _cap() -> F32:
    """Return directions `_STEP_DEG` apart over the cap of `_CAP_DEG` about the viewer: (N, 3)."""
    found = [(0.0, 0.0, 1.0)]
    for polar in np.radians(np.arange(_STEP_DEG, _CAP_DEG + 1, _STEP_DEG)):
        n = round(360 / _STEP_DEG * np.sin(polar))
        found += [
            (np.sin(polar) * np.cos(a), np.sin(polar) * np.sin(a), np.cos(polar))
            for a in np.arange(n) * (2 * np.pi / n)
        ]
    return np.array(found, np.float32)


_DIRECTIONS = _cap()
_AROUND = np.array(
    [(x, y) for x in np.linspace(-1, 1, 9) for y in np.linspace(-1, 1, 9) if x or y], np.float32
) * np.float32(np.tan(np.radians(_STEP_DEG)))
"""Offsets across a direction, a quarter of the step apart."""


@dataclass(frozen=True, slots=True)
class DirectionalLight:
    """A lamp in `direction` (3,) that adds `strength` where it strikes squarely, over `ambient` light from everywhere.

    `explained` is the share of the shading's variance that it accounts for.
    """

    direction: F32
    strength: float
    ambient: float
    explained: float

    @property
    def share(self) -> float:
        """How directional the light is: the lamp's share of the light on a surface that faces it, 0 to 1."""
        return self.strength / (self.strength + self.ambient + 1e-9)

    def harmonics(self) -> F64:
        """Project the irradiance on a surface by its normal onto the nine functions of `lighting.sh_basis`.

        A clamped cosine c is 1/4 + c/2 + 5/32 (3c² - 1) to second order (Ramamoorthi and Hanrahan, 2001).
        """
        x, y, z = (float(c) for c in self.direction)
        level, second = self.strength, 15 / 32 * self.strength
        sides, along = second * (x * x + y * y) / 2, second * z * z  # of x² + y², of z²
        third = (along - sides) / 3  # z² is (3z² - 1) / 3 and a constant
        constant = self.ambient + level / 4 - 5 / 32 * level + sides + third
        across = 2 * second
        squares = second * (x * x - y * y) / 2
        linear = (level / 2 * x, level / 2 * y, level / 2 * z)
        return np.array([constant, *linear, across * x * y, across * y * z, third, across * x * z, squares])


def fit_directional_light(
    normals_N3: npt.NDArray[np.floating[Any]], seen_N: npt.ArrayLike, weight_N: npt.ArrayLike
) -> DirectionalLight:
    """Fit a lamp and ambient light, neither negative, to brightness on unit normals by weighted least squares.

    Raises `ValueError` where no weight is above zero.
    """
    normals = np.ascontiguousarray(normals_N3, np.float32)
    seen, weight = np.asarray(seen_N, np.float64), np.asarray(weight_N, np.float64)
    if not weight.sum() > 0:
        raise ValueError("fitting a lamp needs shading with a weight above 0, got none")
    best = _best(normals, seen, weight, _DIRECTIONS)
    direction = _DIRECTIONS[int(best[0])]
    first, second = _across(direction)
    around = direction + _AROUND[:, :1] * first + _AROUND[:, 1:] * second
    around /= np.linalg.norm(around, axis=1, keepdims=True)
    finer = _best(normals, seen, weight, around.astype(np.float32))
    if finer[1] > best[1]:
        best, direction = finer, around[int(finer[0])].astype(np.float32)
    _, explained, strength, ambient = best
    mean = float((weight * seen).sum() / weight.sum())
    variance = float((weight * (seen - mean) ** 2).sum() / weight.sum())
    return DirectionalLight(direction, float(strength), float(ambient), float(max(0.0, explained) / (variance + 1e-12)))


def _across(direction: F32) -> tuple[F32, F32]:
    """Return two unit vectors across a direction and each other."""
    helper = np.array([0.0, 1.0, 0.0] if abs(direction[1]) < 0.9 else [1.0, 0.0, 0.0])
    exact = direction.astype(np.float64)
    first = cross(exact, helper)
    first /= np.linalg.norm(first)
    return first.astype(np.float32), cross(exact, first).astype(np.float32)


@compiled
def _best(normals: F32, seen: F64, weight: F64, directions: F32) -> Any:
    """Try lamps: the index of the one that explains most, the variance that it explains, its strength, the ambient."""
    n = normals.shape[0]
    total, mean_seen = 0.0, 0.0
    for i in range(n):
        total += weight[i]
        mean_seen += weight[i] * seen[i]
    mean_seen /= total
    best, most, strength, ambient = 0, -1.0, 0.0, mean_seen
    for k in range(directions.shape[0]):
        x, y, z = directions[k, 0], directions[k, 1], directions[k, 2]
        mean, square, product = 0.0, 0.0, 0.0
        for i in range(n):
            facing = max(0.0, x * normals[i, 0] + y * normals[i, 1] + z * normals[i, 2])
            mean += weight[i] * facing
            square += weight[i] * facing * facing
            product += weight[i] * facing * seen[i]
        mean /= total
        variance = square / total - mean * mean + 1e-6
        covariance = product / total - mean * mean_seen
        lamp = max(0.0, covariance / variance)
        lamp = min(lamp, mean_seen / (mean + 1e-9))  # ambient light is never negative
        explained = 2 * lamp * covariance - lamp * lamp * variance
        if explained > most:
            best, most, strength, ambient = k, explained, lamp, mean_seen - lamp * mean
    return best, most, strength, ambient
