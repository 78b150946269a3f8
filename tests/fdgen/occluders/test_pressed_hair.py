"""What a hat's pressed hair gives way to: the surroundings, spread over the place where hair was."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from fdgen.occluders.headwear.pressed_hair import spread


def _hole(size: int) -> np.ndarray:
    weight = np.ones((size, size), np.float32)
    weight[size // 4 : 3 * size // 4, size // 4 : 3 * size // 4] = 0
    return weight


def _two_sides(size: int) -> np.ndarray:
    picture = np.zeros((size, size, 3), np.float32)
    picture[:, : size // 2, 0] = 1
    picture[:, size // 2 :, 2] = 1
    return picture


@pytest.mark.parametrize("size", [64, 200, 256, 512])
def test_an_even_wall_is_filled_with_itself(size: int) -> None:
    wall = np.full((size, size, 3), (0.5, 0.2, 0.1), np.float32)
    filled = spread(wall, _hole(size))
    np.testing.assert_allclose(filled, wall, rtol=1e-3)


@pytest.mark.parametrize("size", [64, 256, 512])
def test_what_is_hidden_changes_nothing(size: int) -> None:
    picture, weight = _two_sides(size), _hole(size)
    painted = picture.copy()
    painted[weight == 0] = (9, 9, 9)
    np.testing.assert_array_equal(spread(painted, weight), spread(picture, weight))


@pytest.mark.parametrize("size", [64, 256, 512])
def test_the_nearest_side_counts_most(size: int) -> None:
    filled = spread(_two_sides(size), _hole(size))
    row = filled[size // 2]
    left, middle, right = (row[round(share * size)] for share in (0.27, 0.5, 0.73))
    assert left[0] > 0.9
    assert left[2] < 0.1
    assert right[2] > 0.9
    assert right[0] < 0.1
    assert abs(middle[0] - middle[2]) < 0.25


def test_a_large_crop_is_filled_as_a_small_one() -> None:
    small = spread(_two_sides(256), _hole(256))
    large = cv2.resize(spread(_two_sides(1024), _hole(1024)), (256, 256), interpolation=cv2.INTER_AREA)
    assert np.abs(large - small)[_hole(256) == 0].max() < 0.03


def test_where_nothing_is_known_nothing_is_made_up() -> None:
    assert not spread(_two_sides(128), np.zeros((128, 128), np.float32)).any()
