"""Finishes: what is exactly right stays, what is off by a cast or on one side comes nearer, known pixels are kept."""

from __future__ import annotations

import numpy as np
import pytest

from fdgen.arrays import Image
from fdtrain.evaluation.references import MeanFace
from fdtrain.inference.finish import FINISHES, MOVES, Finished, finish_in, finished, finished_name
from fdtrain.inference.method import OneByOne
from tests.support.sets import smooth_face

SIDE = 32


class Painter(OneByOne):
    """Gives one picture, whatever it is asked; of a mirrored input the mirrored picture plus `other`."""

    names = ("painter",)

    def __init__(self, picture: Image, other: int = 0) -> None:
        self.picture, self.other = picture, other
        self.asked: list[bool] = []

    def fill(self, occluded_HWC: Image, mask_HW: Image) -> Image:
        """Return it. The mask of these tests is on the left, of mirrored ones on the right."""
        flipped = bool(mask_HW[:, -1].any())
        self.asked.append(flipped)
        if not flipped:
            return self.picture
        return np.ascontiguousarray((self.picture[:, ::-1].astype(int) + self.other).clip(0, 255).astype(np.uint8))


class Follower(OneByOne):
    """Gives what it is shown, with a grid of `step` px on it that stays where it is, as strides leave one."""

    names = ("painter",)

    def __init__(self, grid: int = 0, step: int = 4) -> None:
        self.grid, self.step = grid, step
        self.n_asked = 0

    def fill(self, occluded_HWC: Image, mask_HW: Image) -> Image:
        """Return the input with its grid."""
        self.n_asked += 1
        result = occluded_HWC.astype(int)
        result[::, :: self.step] += self.grid
        return result.clip(0, 255).astype(np.uint8)


@pytest.fixture
def pair() -> tuple[Image, Image, Image]:
    """Return a clean picture, the same with its left covered, and the mask, which reaches the edge."""
    clean = smooth_face(3, SIDE).clip(30, 220)
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[8:24, :12] = 255
    return clean, np.where(mask[..., None] > 0, np.uint8(0), clean), mask


@pytest.mark.parametrize("finish", FINISHES)
def test_what_is_right_stays_right(pair: tuple[Image, Image, Image], finish: str) -> None:
    clean, _, mask = pair
    method = finished(Follower(), finish)  # type: ignore[arg-type]
    ((restored,),) = method.restore([(clean, mask)])
    np.testing.assert_array_equal(restored, clean)
    assert method.names == (finished_name("painter", finish),)  # type: ignore[arg-type]
    assert finish_in(method.names[0]) == ("painter", finish)


def test_the_mirrored_restoration_is_averaged_in(pair: tuple[Image, Image, Image]) -> None:
    clean, occluded, mask = pair
    painter = Painter(clean, other=10)
    ((restored,),) = Finished(painter, "mirror").restore([(occluded, mask)])
    np.testing.assert_array_equal(restored, clean + 5)
    assert painter.asked == [False, True]


@pytest.mark.parametrize(("finish", "n"), [("shift", 4), ("shift+mirror", 8)])
def test_a_grid_that_does_not_follow_the_picture_is_averaged_out(
    pair: tuple[Image, Image, Image], finish: str, n: int
) -> None:
    clean, _, mask = pair
    follower = Follower(grid=20)
    ((restored,),) = Finished(follower, finish).restore([(clean, mask)])  # type: ignore[arg-type]
    added = restored.astype(int) - clean
    assert (added[2:-2, 2:-2] == 5).all()
    assert added.max() < 20  # at the border fewer variants have a pixel
    assert follower.n_asked == n


def test_moves_have_each_remainder_of_four_once_both_ways() -> None:
    for along in zip(*MOVES, strict=True):
        assert sorted(step % 4 for step in along) == [0, 1, 2, 3]


def test_a_picture_of_any_shape_comes_back_in_its_place() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (9, 7, 3), dtype=np.uint8)
    ((restored,),) = Finished(Follower(), "shift+mirror").restore([(picture, picture[..., 0])])
    np.testing.assert_array_equal(restored, picture)


def test_a_cast_that_shows_around_the_hole_is_taken_off_inside(pair: tuple[Image, Image, Image]) -> None:
    clean, occluded, mask = pair
    across = np.linspace(0, 20, SIDE)[None, :, None]  # a membrane continues what rises evenly
    off = (clean + across).round().clip(0, 255).astype(np.uint8)
    ((plain,),) = Painter(off).restore([(occluded, mask)])
    ((restored,),) = Finished(Painter(off), "membrane").restore([(occluded, mask)])
    hole = mask > 0
    errors = [np.abs(one[hole].astype(int) - clean[hole]).mean() for one in (plain, restored)]
    assert errors[1] < errors[0] / 2
    np.testing.assert_array_equal(restored[~hole], occluded[~hole])


def test_networks_have_the_membrane_that_the_mean_face_has(pair: tuple[Image, Image, Image]) -> None:
    _, occluded, mask = pair
    face = smooth_face(5, SIDE)
    own = MeanFace(face.astype(np.float32)).restore([(occluded, mask)])
    np.testing.assert_array_equal(Finished(Painter(face), "membrane").restore([(occluded, mask)])[0][0], own[0][0])


def test_nothing_is_wrapped_where_nothing_is_asked(pair: tuple[Image, Image, Image]) -> None:
    painter = Painter(pair[0])
    assert finished(painter, "none") is painter
