"""Kernels of draped cloth against the same in plain NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from fdgen.arrays import F64
from fdgen.occluders.cloth.drape import HeadMap, directions, first_below, head_map, upsample
from fdgen.occluders.cloth.relief import _level
from fdgen.occluders.cloth.texel_kernels import _line
from fdgen.occluders.masks.mask import _grid_normals
from fdgen.occluders.masks.pattern import _phi_on_skin, _running_lengths
from fdgen.occluders.masks.straps import _pulled_taut
from tests.support import scenes


def _sheet(rows: int, columns: int) -> F64:
    """Return the points of a bent and uneven sheet (rows, columns, 3)."""
    down, across = np.mgrid[0 : 1 : rows * 1j, -1 : 1 : columns * 1j]
    even = np.stack([8 * across, -12 * down, 4 - 3 * across**2 + np.sin(3 * down)], -1)
    return np.asarray(even + 0.05 * np.random.default_rng(4).standard_normal(even.shape))


@pytest.fixture
def head() -> HeadMap:
    return head_map(scenes.scene().mesh_cm)


def test_running_lengths_are_sums_of_steps() -> None:
    points = _sheet(9, 12)
    across, down = _running_lengths(points)
    assert not across[:, 0].any()
    assert not down[0].any()
    assert np.allclose(across[:, 1:], np.cumsum(np.linalg.norm(np.diff(points, axis=1), axis=-1), 1), rtol=1e-12)
    assert np.allclose(down[1:], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=-1), 0), rtol=1e-12)


def test_normals_of_a_grid_are_across_its_central_differences() -> None:
    points = _sheet(9, 12)
    padded = np.pad(points, ((1, 1), (1, 1), (0, 0)), "reflect", reflect_type="odd")
    right, up = padded[1:-1, 2:] - padded[1:-1, :-2], padded[:-2, 1:-1] - padded[2:, 1:-1]
    normals = np.cross(right, up).reshape(-1, 3)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    assert np.allclose(_grid_normals(points), normals, atol=1e-12)


def test_texels_are_interpolated_between_vertices_corner_to_corner() -> None:
    grid = np.random.default_rng(5).standard_normal((5, 7, 2)).astype(np.float32)
    rows, columns = np.linspace(0, 4, 23), np.linspace(0, 6, 31)
    texels = upsample(grid, 23, 31)
    for k in range(2):
        wide = np.array([np.interp(columns, np.arange(7), line) for line in grid[..., k]])
        fine = np.array([np.interp(rows, np.arange(5), line) for line in wide.T]).T
        assert np.allclose(texels[k], fine, atol=0.01)  # the last row and column lie a thousandth of a cell inside


@pytest.mark.parametrize(
    ("level", "after", "share"), [(6.0, 0, 0.0), (4.0, 0, 0.5), (2.5, 1, 0.5), (1.5, 3, 0.5), (0.0, 3, 1.0)]
)
def test_a_height_is_found_where_the_running_minimum_falls_to_it(level: float, after: int, share: float) -> None:
    n, way = first_below(np.array([5.0, 3.0, 2.0, 2.5, 1.0]), level)
    assert n == after
    assert way == pytest.approx(share)


def test_directions_to_heights_of_the_skin_lie_on_it(head: HeadMap) -> None:
    theta, y_cm = np.radians(np.linspace(-50, 50, 11)), np.linspace(-5.0, 2.0, 11)
    phi = _phi_on_skin(head, theta, y_cm)
    on_skin = head.points(theta, phi, head.radius(theta, phi))
    assert np.allclose(on_skin[:, 1], y_cm, atol=0.06)


def test_profiles_of_a_head_are_its_radii_by_row_and_column(head: HeadMap) -> None:
    theta, phi = np.radians(np.linspace(-60, 60, 9)), np.radians(np.linspace(40, -50, 7))
    grid = head.radius(np.repeat(theta[None], 7, 0), np.repeat(phi[:, None], 9, 1))
    assert np.array_equal(head.profiles(theta, phi), grid)


def test_lines_are_level_on_level_cloth_and_bow_with_it() -> None:
    s = np.linspace(-1, 1, 9)
    level = np.repeat(np.linspace(10, 0, 11)[:, None], 9, 1)
    at = np.array([0.25, 0.5])
    assert np.allclose(_level(level.astype(np.float32), s, at), at[:, None])
    climbing = level + (1 - s**2)  # its middle is a tenth of its height above its sides, the lines are half of that
    assert np.allclose(_level(climbing.astype(np.float32), s, at), at[:, None] + 0.05 * (1 - s**2), atol=1e-6)


def test_a_strand_is_pulled_taut_as_far_as_its_sweeps_reach() -> None:
    rng = np.random.default_rng(6)
    theta, phi = np.linspace(0.3, 1.9, 22) + np.zeros((3, 1)), np.linspace(-0.4, 0.2, 22) + np.zeros((3, 1))
    rays, limit = directions(theta, phi), 1 / rng.uniform(7.0, 9.0, (3, 22))
    bend = np.sum(rays[:, :-1] * rays[:, 1:], -1)
    taut = limit.copy()
    for _ in range(12):
        taut[:, 1:-1] = np.minimum(limit[:, 1:-1], (taut[:, :-2] + taut[:, 2:]) / (2 * bend[:, 1:]))
    assert np.allclose(_pulled_taut(limit, rays), taut, rtol=1e-12)


def test_a_line_ends_three_widths_from_its_middle() -> None:
    for distance in (0.0, 0.2, 0.299, -0.299):
        assert _line(distance, 0.1) == pytest.approx(np.exp(-((distance / 0.1) ** 2)))
    for distance in (0.301, -0.301, 0.304, 5.0):
        assert _line(distance, 0.1) == 0.0
