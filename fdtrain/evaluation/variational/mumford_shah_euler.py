"""Inpainting by the Mumford-Shah-Euler model: pieces that are smooth, between edges that are short and hardly bent.

S. Esedoglu and J. Shen, Digital Inpainting Based on the Mumford-Shah-Euler Image Model, 2002. The model's edges are
curves; the paper approximates them by a field z that is -1 on one side of an edge, 1 on the other, and 0 on it:

    E(u, z) = γ/2 ∫ (z² + o) |∇u|² + α ∫ ε |∇z|² + W(z) / 4ε + β/ε ∫ (2ε Δz - W'(z) / 4ε)²,    W(z) = (1 - z²)²

As ε falls the second term becomes the length of the edges, and the third (De Giorgi's) the square of their curvature
along them. u satisfies div((z² + o) ∇u) = 0 in the hole, a sparse system that is solved for every z; with that u, z
goes down E by L-BFGS, in a metric in which the highest terms of E are the identity, until E has stopped falling.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from scipy.fft import dctn, idctn
from scipy.optimize import minimize
from scipy.sparse import csc_matrix
from scipy.sparse.linalg import splu

from fdgen.arrays import F64, Bools
from fdtrain.evaluation.variational.hole_window import Filled, Values, Variational, doubled, levels_of, refined

GAMMA = 1.0
"""Weight of smoothness, for levels in [0, 1]."""

ALPHA = 0.004
"""Of the length of edges, in px: a step of 0.1 (25 grey levels) is worth an edge."""

BEND_PX = 10.0
"""Square root of β/α: an arc of this radius costs twice a straight edge of its length."""

EPSILON_PX = 1.0
"""Half width of an edge; the finest that a grid shows."""

OPENING = 1e-3
"""The o of the energy: what an edge lets through."""

CONTRAST = 0.02
"""Levels above and below a contour from which on z is -1 or 1 at the start."""

LEVELS = 4
STEPS, SCALE = 100, 1e3
TOLERANCE, TOLERANCE_OF_LARGE, LARGE = 5e-4, 2e-3, 2500
"""It stops when a step lowers the energy by less than this part of it, the second in holes of more than `LARGE` pixels,
where steps take long; at most `STEPS` steps a level."""


class MumfordShahEuler(Variational):
    """Edges that are curves, and smooth pieces between them."""

    names: tuple[str, ...] = ("Mumford-Shah-Euler",)
    margin_px = 12
    paper = "Esedoglu and Shen 2002"
    deviations = (
        "the paper is for grey levels; here the three channels share one z, which sees the sum of their |∇u|²",
        "known pixels are kept: the weight of fidelity is infinite",
        "the picture u is solved for at every z, which descends by L-BFGS; the paper has steps in time, of both",
        "where z begins, the paper leaves open as far as is known here: it is run from three fields, and what ends "
        "lowest is kept",
        "the width ε falls from that of the coarsest level of a pyramid to 1 px; weights are chosen here",
    )
    protocol = f"α {ALPHA:g}, β/α {BEND_PX:g}² px², γ {GAMMA:g} for levels in [0, 1], ε {EPSILON_PX:g} px"

    def solve(self, levels_HW3: Values, hole_HW: Bools) -> Filled:
        """Fill a window, from coarse to fine."""
        pyramid = levels_of(levels_HW3, hole_HW, LEVELS)
        u, hole = pyramid[0]
        models = [Model.of_pixels(2**place, hole) for place, (_, hole) in enumerate(pyramid[::-1])][::-1]
        tried = [models[0].minimised(u.astype(np.float64), z) for z in first_edges(u, hole)]
        best = min(tried, key=lambda one: one[2][-1])
        for (levels, hole), model in zip(pyramid[1:], models[1:], strict=True):
            u = refined(best[0].astype(np.float32), levels, hole)
            z = doubled(best[1].astype(np.float32), hole.shape)
            best = model.minimised(u.astype(np.float64), z.astype(np.float64))
        return Filled(best[0].astype(np.float32), best[3])


def first_edges(levels_HW3: Values, hole_HW: Bools) -> list[F64]:
    """Return fields z to start from: no edges; those of a blurred picture; the contour half way around the hole."""
    grey = levels_HW3.mean(axis=2)
    fine, wide = (cv2.GaussianBlur(grey, (0, 0), sigma) for sigma in (1, 8))
    ring = cv2.dilate(hole_HW.astype(np.uint8), np.ones((5, 5), np.uint8)).astype(bool) & ~hole_HW
    contours = [fine - wide, fine - np.quantile(grey[ring], (0.1, 0.9)).mean()]
    return [np.ones(grey.shape), *(np.tanh(contour / CONTRAST).astype(np.float64) for contour in contours)]


@dataclass(frozen=True)
class Model:
    """The energy in a window of pixels of one size; α, β and ε are in those pixels.

    Args:
        hole_HW: Where u is not known.
        alpha: Weight of the length of edges.
        beta: Weight of their squared curvature.
        epsilon: Half width of an edge, in pixels of the window.
    """

    hole_HW: Bools
    alpha: float
    beta: float
    epsilon: float = EPSILON_PX

    @classmethod
    def of_pixels(cls, size_px: int, hole_HW: Bools) -> Model:
        """Return the energy on pixels that are `size_px` px wide."""
        return cls(hole_HW, ALPHA * size_px, ALPHA * BEND_PX**2 / size_px)

    def minimised(self, u_HW3: F64, z_HW: F64) -> tuple[F64, F64, list[float], bool]:
        """Return u, z, the energy after each step, and whether it had stopped falling before `STEPS` steps."""
        root = 1 / np.sqrt(self.metric())
        energies: list[float] = []
        newest = [0.0]

        def z_of(flat: F64) -> F64:
            return np.asarray(idctn(flat.reshape(root.shape) * root, norm="ortho"))

        def along(flat: F64) -> tuple[float, F64]:
            z = z_of(flat)
            newest[0], slope = self.energy_of_edges(z, steepness(self.pieces(u_HW3, z)))
            return SCALE * newest[0], (dctn(SCALE * slope, norm="ortho") * root).ravel()

        def keep(_: F64) -> None:
            energies.append(newest[0])

        start = (dctn(z_HW, norm="ortho") / root).ravel()
        # Energies a thousand times as high: below 1, scipy would read the tolerance as an absolute one.
        tolerance = TOLERANCE if self.hole_HW.sum() <= LARGE else TOLERANCE_OF_LARGE
        options = {"maxiter": STEPS, "maxfun": 10 * STEPS, "ftol": tolerance, "gtol": 0, "maxcor": 10}
        found = minimize(along, start, jac=True, method="L-BFGS-B", callback=keep, options=options)
        z = z_of(found.x)
        return self.pieces(u_HW3, z), z, energies, found.status == 0

    def metric(self) -> F64:
        """Return what waves of z cost, highest terms first: (H, W) by their numbers down and to the right."""
        waves = [2 - 2 * np.cos(np.pi * np.arange(size) / size) for size in self.hole_HW.shape]
        square: F64 = waves[0][:, None] + waves[1][None]  # eigenvalues of -Δ
        eps = self.epsilon
        metric = 8 * self.beta * eps * square**2 + 2 * self.alpha * eps * square
        return metric + 2 * self.alpha / eps + 4 * self.beta / eps**3 + GAMMA * 0.01

    def energy(self, u_HW3: F64, z_HW: F64) -> float:
        """Return E."""
        return self.energy_of_edges(z_HW, steepness(u_HW3))[0]

    def energy_of_edges(self, z_HW: F64, steep: tuple[F64, F64]) -> tuple[float, F64]:
        """Return E and its derivative by z, given |∇u|² from each pixel to the next one down and to the right."""
        eps = self.epsilon
        well = 1 - z_HW**2
        inner = 2 * eps * laplacian(z_HW) + z_HW * well / eps
        energy = 0.0
        slope = -self.alpha * inner + 4 * self.beta * laplacian(inner)
        slope -= self.beta / (2 * eps**2) * (12 * z_HW**2 - 4) * inner
        for axis, squared in enumerate(steep):
            here, there = ends(z_HW, axis)
            flow, by_here, by_there = conductance(here, there)
            energy += GAMMA / 2 * float((flow * squared).sum())
            one, other = ends(slope, axis)
            one += GAMMA / 2 * by_here * squared
            other += GAMMA / 2 * by_there * squared
            energy += self.alpha * eps * float(((there - here) ** 2).sum())
        energy += self.alpha / (4 * eps) * float((well**2).sum())
        energy += self.beta / eps * float((inner**2).sum())
        return energy, slope

    def pieces(self, u_HW3: F64, z_HW: F64) -> F64:
        """Return u that minimises the energy, z being held: div((z² + o) ∇u) = 0 in the hole."""
        place = np.full(self.hole_HW.shape, -1)
        rows, columns = np.nonzero(self.hole_HW)
        n = len(rows)
        place[rows, columns] = np.arange(n)
        degree, right = np.zeros(n), np.zeros((n, 3))
        links: list[tuple[Values, Values, F64]] = []
        for axis in (0, 1):
            here, there = ends(z_HW, axis)
            flow = conductance(here, there)[0]
            for inside, outside, known in (
                (*ends(place, axis), ends(u_HW3, axis)[1]),
                (*ends(place, axis)[::-1], ends(u_HW3, axis)[0]),
            ):
                at, to, weight = inside[inside >= 0], outside[inside >= 0], flow[inside >= 0]
                np.add.at(degree, at, weight)
                np.add.at(right, at[to < 0], weight[to < 0, None] * known[inside >= 0][to < 0])
                links.append((at[to >= 0], to[to >= 0], -weight[to >= 0]))
        links.append((np.arange(n), np.arange(n), degree))
        one, other, value = (np.concatenate(part) for part in zip(*links, strict=True))
        factors = splu(csc_matrix((value, (one, other))), permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True})
        result = u_HW3.copy()
        result[rows, columns] = factors.solve(right)
        return result


def conductance(here: F64, there: F64) -> tuple[F64, F64, F64]:
    """Return the harmonic mean of z² + o between two pixels, z being linear there, and its derivatives by both ends.

    With the square of the mean instead, edges would stick to the grid.
    """
    width = np.sqrt(OPENING)
    rise = there - here
    level = np.abs(rise) < 1e-3
    angle = np.where(level, 1, np.arctan(there / width) - np.arctan(here / width))
    flow = width * rise / angle
    by_here = (flow * width / (OPENING + here**2) - width) / angle
    by_there = (width - flow * width / (OPENING + there**2)) / angle
    middle = (here + there) / 2
    return (
        np.where(level, middle**2 + OPENING, flow),
        np.where(level, middle, by_here),
        np.where(level, middle, by_there),
    )


def ends(values: Values, axis: int) -> tuple[Values, Values]:
    """Return views on the pixels that have a next one along an axis, and on those next ones."""
    return (values[:-1], values[1:]) if axis == 0 else (values[:, :-1], values[:, 1:])


def steepness(u_HW3: F64) -> tuple[F64, F64]:
    """Return the squared differences to the next pixel down and to the right, summed over channels."""
    down, right = np.diff(u_HW3, axis=0), np.diff(u_HW3, axis=1)
    return (down**2).sum(axis=2), (right**2).sum(axis=2)


def laplacian(values_HW: F64) -> F64:
    """Return the five-point Laplacian; at the window's edge no difference outwards."""
    result = np.zeros_like(values_HW)
    for axis in (0, 1):
        difference = np.diff(values_HW, axis=axis)
        here, there = ends(result, axis)
        here += difference
        there -= difference
    return result
