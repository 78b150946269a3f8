"""The equations behind the methods: energies fall, derivatives are right, parts sum to the picture."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import trapezoid

from fdtrain.evaluation.variational import texture_sampling, transport, tv_g
from fdtrain.evaluation.variational.differences import divergence, gradient
from fdtrain.evaluation.variational.joint_interpolation import Functional, blurred, normals
from fdtrain.evaluation.variational.mumford_shah_euler import Model, conductance, first_edges, steepness
from fdtrain.evaluation.variational.structure_texture import StructureTexture
from fdtrain.inference.finish import membrane
from tests.fdtrain.evaluation.variational.drawings import disc, edge, emptied, error, hole, stripes


def levels(picture: np.ndarray, mask: np.ndarray) -> np.ndarray:
    return membrane(emptied(picture, mask).astype(np.float32) / 255, mask)


def by_channel(picture: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(picture.transpose(2, 0, 1))


def test_the_divergence_is_minus_the_adjoint_of_the_gradient() -> None:
    generator = np.random.default_rng(0)
    u, g = generator.normal(size=(3, 7, 9)), generator.normal(size=(2, 3, 7, 9))
    assert (gradient(u) * g).sum() == pytest.approx(-(u * divergence(g)).sum())
    v = generator.normal(size=(3, 20, 30))
    assert (blurred(v) * v[::-1]).sum() == pytest.approx((v * blurred(v[::-1])).sum())  # so is the blur its own


def test_the_energy_of_edges_has_the_derivative_that_it_says() -> None:
    generator = np.random.default_rng(1)
    mask = hole() > 0
    model, u = Model.of_pixels(1, mask), levels(edge(), hole()).astype(np.float64)
    z, way = first_edges(u.astype(np.float32), mask)[1], generator.normal(size=mask.shape)
    steep, step = steepness(u), 1e-5
    rise = model.energy_of_edges(z + step * way, steep)[0] - model.energy_of_edges(z - step * way, steep)[0]
    assert rise / (2 * step) == pytest.approx((model.energy_of_edges(z, steep)[1] * way).sum(), rel=1e-5)


def test_an_edge_costs_its_length() -> None:
    """A straight transition, tanh(x / 2ε), costs 4/3 α a pixel and has no curvature; a disc has its circumference."""
    mask = hole() > 0
    model = Model(mask, alpha=1.0, beta=0.0, epsilon=2.0)
    flat = np.full((64, 64, 3), 0.5)
    down, right = np.mgrid[:64, :64] - 31.5
    assert model.energy(flat, np.tanh(right / 4)) / 64 == pytest.approx(4 / 3, rel=0.02)
    away = np.hypot(down, right) - 20
    assert model.energy(flat, np.tanh(away / 4)) == pytest.approx(4 / 3 * 2 * np.pi * 20, rel=0.03)
    # ∫ κ² along a circle is 2π / r; a straight edge has none. (2εΔz - W'/4ε)² / ε of an edge is 8/3 κ².
    bent = Model(mask, alpha=0.0, beta=1.0, epsilon=2.0)
    assert bent.energy(flat, np.tanh(away / 4)) == pytest.approx(8 / 3 * 2 * np.pi / 20, rel=0.15)
    assert bent.energy(flat, np.tanh(right / 4)) < 0.05


def test_conductance_is_the_harmonic_mean_along_the_way() -> None:
    here, there = np.array([0.9, 0.5, -0.4, 0.3]), np.array([0.2, -0.5, -0.4, 0.3])
    along = np.linspace(0, 1, 20001)
    z = here[:, None] + (there - here)[:, None] * along
    expected = 1 / trapezoid(1 / (z**2 + 1e-3), along, axis=1)
    np.testing.assert_allclose(conductance(here, there)[0], expected, rtol=1e-4)


def test_the_pieces_solve_their_equation() -> None:
    """No energy is left to gain by any change of u in the hole."""
    generator = np.random.default_rng(2)
    mask = hole() > 0
    model, z = Model.of_pixels(1, mask), generator.uniform(-1, 1, mask.shape)
    u = model.pieces(levels(disc(), hole()).astype(np.float64), z)
    least = model.energy(u, z)
    for _ in range(5):
        change = np.where(mask[..., None], generator.normal(size=u.shape), 0) * 1e-2
        assert model.energy(u + change, z) > least


def test_the_mumford_shah_euler_energy_falls() -> None:
    mask = hole()
    u = levels(edge(0.5), mask)
    model = Model.of_pixels(1, mask > 0)
    z = first_edges(u, mask > 0)[2]
    _, _, energies, converged = model.minimised(u.astype(np.float64), z)
    assert converged
    assert np.all(np.diff(energies) <= 0)
    assert energies[-1] < energies[0] / 2


def test_the_joint_functional_falls_and_its_field_stays_in_the_unit_ball() -> None:
    mask = hole(top=6, bottom=22)
    u = by_channel(levels(disc(), mask))
    functional = Functional(mask > 0, 0.005, 10, 0.3)
    filled, energies, converged = functional.minimised(u)
    assert converged
    assert np.all(np.diff(energies) <= 1e-6 * energies[0])
    assert energies[-1] < energies[0] / 2
    np.testing.assert_array_equal(filled[:, mask == 0], u[:, mask == 0])
    theta, held = normals(u, mask > 0)
    theta = functional.directions(u, theta, held)
    assert np.hypot(*theta).max() <= 1 + 1e-5


def test_normals_of_the_known_picture_are_held() -> None:
    mask = hole()
    theta, held = normals(by_channel(levels(edge(), mask)), mask > 0)
    assert held[0, 10, 31]
    assert not held[:, mask > 0].any()
    np.testing.assert_allclose(theta[:, 0, 10, 31], (0, 1), atol=1e-3)


def test_structure_and_texture_sum_to_the_picture_and_patterns_are_texture() -> None:
    """A pattern of 6 px goes into the texture, an edge into the structure."""
    picture = by_channel((edge().astype(np.float32) + stripes(6, 20) - 128).clip(0, 255))
    nowhere = np.zeros((64, 64), bool)
    structure, field, converged = tv_g.decomposed(picture, nowhere)
    assert converged
    texture = picture - structure
    assert np.abs(structure - by_channel(edge()))[:, 8:-8, 8:-8].mean() < 6
    assert np.abs(texture - by_channel(stripes(6, 20).astype(np.float32) - 128))[:, 8:-8, 8:-8].mean() < 6
    nothing = np.zeros_like(field)
    assert tv_g.energy(picture, structure, field) < tv_g.energy(picture, picture, nothing) / 2
    generator = np.random.default_rng(3)
    for _ in range(5):
        other = structure + generator.normal(size=structure.shape).astype(np.float32)
        assert tv_g.energy(picture, other, field) > tv_g.energy(picture, structure, field)


def test_parts_of_a_picture_are_filled_each_by_its_own() -> None:
    """The stripes are in the texture; transport has nothing to carry, and leaves the hole flat."""
    mask = hole()
    structure, texture, converged = StructureTexture().filled_parts(levels(stripes(), mask), mask > 0)
    assert converged
    assert np.ptp(structure[mask > 0]) < 0.1
    assert np.ptp(texture[mask > 0]) > 0.15
    assert error(255 * (structure + texture), stripes(), mask) < 3


def test_transport_carries_an_edge_into_the_hole() -> None:
    mask = hole(top=28, bottom=36, left=28, right=36)
    start = levels(edge(), mask)
    filled, converged = transport.transported(start, mask > 0)
    assert converged
    np.testing.assert_array_equal(filled[mask == 0], start[mask == 0])
    assert error(255 * filled, edge(), mask) < 0.7 * error(255 * start, edge(), mask)


def test_transport_leaves_a_straight_edge_at_rest() -> None:
    """On ∇(ΔI) · ∇⊥I = 0 nothing moves: levels that change in one direction alone."""
    rise = by_channel(edge().astype(np.float32) / 255)
    assert np.abs(transport.transport(rise)).max() < 1e-6
    assert np.abs(transport.diffusion(rise)).max() < 1e-6


def test_sampled_pixels_are_known_ones() -> None:
    generator = np.random.default_rng(4)
    texture = generator.normal(size=(40, 40, 3)).astype(np.float32)
    mask = hole(10, 25, 15, 30, 40) > 0
    filled = texture_sampling.sampled(texture, mask)
    known = {tuple(pixel) for pixel in texture[~mask]}
    assert all(tuple(pixel) in known for pixel in filled[mask])
    np.testing.assert_array_equal(filled[~mask], texture[~mask])
    mask[::3] = True  # no whole patch is left
    assert not texture_sampling.sampled(texture, mask)[mask].any()
