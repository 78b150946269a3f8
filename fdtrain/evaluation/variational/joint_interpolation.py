"""Disocclusion by joint interpolation: the levels and the directions of their lines go on into the hole together.

C. Ballester, V. Caselles and J. Verdera, Disocclusion by Joint Interpolation of Vector Fields and Gray Levels, 2004:

    min over u, θ    ∫ |div θ|^p (γ + η |∇k∗u|) + α (|∇u| - θ · ∇u),    |θ| ≤ 1

θ is the normal of the lines of equal level where u has a slope, and div θ their curvature; k is a Gaussian. u is known
outside the hole, and θ in a band around it, where it is the normal of the known picture. The functional is convex in θ
and convex in u: both take turns, θ by projected gradients with momentum (FISTA), u by conjugate gradients down a
parabola that touches the functional from above, until the functional has stopped falling.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from fdgen.arrays import Bools
from fdtrain.evaluation.variational.differences import divergence, gradient, length
from fdtrain.evaluation.variational.hole_window import Filled, Values, Variational, levels_of, refined

GAMMA, ETA, ALPHA = 0.005, 10.0, 0.3
"""Weights for levels in [0, 1] and lengths in px."""

BLUR_PX = 1.0
"""Standard deviation of k."""

SLOPE = 0.01
"""Levels a pixel; a slope of more has a normal."""

ROUND = 1e-3
"""Of |∇u| near 0, so that it has a derivative there: a quarter of a grey level a pixel."""

LEVELS = 4
TURNS, STEPS, CONJUGATES = 150, 15, 10
TOLERANCE = 1e-3
"""It stops when a turn lowers the functional by less than this part of it; at most `TURNS` turns a level, each of
`STEPS` for θ and `CONJUGATES` for u."""


class JointInterpolation(Variational):
    """Lines of equal level that go on into the hole, hardly bent."""

    names: tuple[str, ...] = ("joint interpolation",)
    margin_px = 8
    paper = "Ballester, Caselles and Verdera 2004"
    deviations = (
        "field and levels are minimised in turn, where the paper has steps in time; p is 2; weights are chosen here",
        "in the band θ is held only where the known picture has a slope to take a normal of; elsewhere it is free, as "
        "in the hole",
        "it is run from coarse to fine, and begins at the membrane and its normals; levels beyond those that are known "
        "in the window are cut off",
        "the functional is for grey levels: red, green and blue are filled each by itself",
    )
    protocol = f"p 2, γ {GAMMA:g}, η {ETA:g}, α {ALPHA:g} for levels in [0, 1], k of {BLUR_PX:g} px"

    def solve(self, levels_HW3: Values, hole_HW: Bools) -> Filled:
        """Fill a window, from coarse to fine."""
        pyramid = levels_of(levels_HW3, hole_HW, LEVELS)
        filled, converged = pyramid[0][0], False
        for place, (levels, hole) in enumerate(pyramid):
            if place > 0:
                filled = refined(filled, levels, hole)
            size_px = 2 ** (len(pyramid) - 1 - place)
            functional = Functional(hole, GAMMA, ETA / size_px, ALPHA * size_px)
            u, _, converged = functional.minimised(np.ascontiguousarray(filled.transpose(2, 0, 1)))
            filled = np.ascontiguousarray(u.transpose(1, 2, 0))
        return Filled(filled, converged)


@dataclass(frozen=True)
class Functional:
    """The functional in a window, by channel.

    Args:
        hole_HW: Where u is not known.
        gamma: Weight of the curvature.
        eta: Weight of the curvature times the slope.
        alpha: Weight of what θ and the normals differ by.
    """

    hole_HW: Bools
    gamma: float
    eta: float
    alpha: float

    def minimised(self, u_CHW: Values) -> tuple[Values, list[float], bool]:
        """Return u, the functional after each turn, and whether it had stopped falling before `TURNS` turns."""
        theta, held = normals(u_CHW, self.hole_HW)
        energies = [self.energy(u_CHW, theta)]
        start, momentum = (u_CHW, theta), 0  # each turn starts beyond the last one, in the direction it went
        for _ in range(TURNS):
            ahead = self.directions(*start, held)
            moved = self.levels(start[0], ahead), ahead
            now = self.energy(*moved)
            if now > energies[-1] and momentum > 0:
                start, momentum = (u_CHW, theta), 0  # it had gone too far: once more from the last
                continue
            energies.append(now)
            share = np.float32(momentum / (momentum + 3))
            tilted = moved[1] + share * (moved[1] - theta)
            start = moved[0] + share * (moved[0] - u_CHW), tilted / np.maximum(1, length(tilted))
            (u_CHW, theta), momentum = moved, momentum + 1
            if energies[-2] - energies[-1] <= TOLERANCE * energies[-2] + 1e-6:
                return u_CHW, energies, True
        return u_CHW, energies, False

    def energy(self, u_CHW: Values, theta_2CHW: Values) -> float:
        """Return the functional's value, summed over channels."""
        slope = gradient(u_CHW)
        bent = self.weights(u_CHW) * divergence(theta_2CHW) ** 2
        apart = self.alpha * (smoothed(slope) - (theta_2CHW * slope).sum(axis=0))
        return float(bent.sum(dtype=np.float64) + apart.sum(dtype=np.float64))

    def weights(self, u_CHW: Values) -> Values:
        """Return γ + η |∇k∗u|; 0 at the window's edge, where θ is not known on both sides."""
        return (self.gamma + self.eta * smoothed(gradient(blurred(u_CHW)))) * inner(u_CHW.shape[1:])

    def directions(self, u_CHW: Values, theta_2CHW: Values, held_CHW: Bools) -> Values:
        """Return θ after `STEPS` steps towards the minimum, u being held."""
        weight = 2 * self.weights(u_CHW)
        pull = self.alpha * gradient(u_CHW)
        step = 1 / (8 * weight.max(axis=(1, 2), keepdims=True))
        ahead, momentum = theta_2CHW, 1.0
        for _ in range(STEPS):
            moved = ahead + step * (pull + gradient(weight * divergence(ahead)))
            moved /= np.maximum(1, length(moved))
            moved = np.where(held_CHW, theta_2CHW, moved)
            if ((ahead - moved) * (moved - theta_2CHW)).sum() > 0:
                momentum = 1.0  # it had gone too far
            next_momentum = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
            ahead = moved + np.float32((momentum - 1) / next_momentum) * (moved - theta_2CHW)
            theta_2CHW, momentum = moved, next_momentum
        return theta_2CHW

    def levels(self, u_CHW: Values, theta_2CHW: Values) -> Values:
        """Return u with a lower value of the functional, θ being held.

        Each |∇u| is replaced by the parabola that touches it from above at this u, and `CONJUGATES` steps of conjugate
        gradients taken down what that gives. Levels beyond those of the known picture are cut off.
        """
        hole = self.hole_HW.astype(np.float32)
        straight = self.alpha / smoothed(gradient(u_CHW))
        bent = self.eta * divergence(theta_2CHW) ** 2 * inner(u_CHW.shape[1:]) / smoothed(gradient(blurred(u_CHW)))
        diagonal = 2 * straight + 0.3 * bent
        diagonal[:, 1:] += straight[:, :-1]
        diagonal[:, :, 1:] += straight[:, :, :-1]

        def applied(v_CHW: Values) -> Values:
            result = divergence(straight * gradient(v_CHW))
            result += blurred(divergence(bent * gradient(blurred(v_CHW))))
            outside: Values = -hole * result
            return outside

        def product(one: Values, other: Values) -> Values:
            sums: Values = (one * other).sum(axis=(1, 2), keepdims=True)
            return sums

        rest = -hole * self.alpha * divergence(theta_2CHW) - applied(u_CHW)
        near = rest / diagonal
        way, length_of_rest = near, product(rest, near)
        for _ in range(CONJUGATES):
            pushed = applied(way)
            step = length_of_rest / np.maximum(product(way, pushed), 1e-20)
            u_CHW = u_CHW + step * way
            rest = rest - step * pushed
            near = rest / diagonal
            next_length = product(rest, near)
            way = near + next_length / np.maximum(length_of_rest, 1e-20) * way
            length_of_rest = next_length
        known = u_CHW[:, ~self.hole_HW]
        return np.clip(u_CHW, known.min(axis=1)[:, None, None], known.max(axis=1)[:, None, None])


def smoothed(slope_2CHW: Values) -> Values:
    """Return √(|∇u|² + `ROUND`²): its length, but for the corner at 0."""
    lengths: Values = np.sqrt(slope_2CHW[0] ** 2 + slope_2CHW[1] ** 2 + np.float32(ROUND**2))
    return lengths


def normals(u_CHW: Values, hole_HW: Bools) -> tuple[Values, Bools]:
    """Return the directions of a picture's slopes, (2, C, H, W), and where they are those of the known picture."""
    slope = gradient(blurred(u_CHW))
    steep = length(slope)
    near = cv2.dilate(hole_HW.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0  # what the blur and differences see
    return slope / np.maximum(steep, 1e-6), ~near & (steep > SLOPE)


def blurred(u_CHW: Values) -> Values:
    """Return k∗u, the picture being mirrored beyond its edge: so k is its own adjoint."""
    return np.stack([cv2.GaussianBlur(one, (7, 7), BLUR_PX, borderType=cv2.BORDER_REFLECT) for one in u_CHW])


def inner(size: tuple[int, ...]) -> Values:
    """Return 1, and 0 for pixels at the edge."""
    result = np.zeros(size, np.float32)
    result[1:-1, 1:-1] = 1
    return result
