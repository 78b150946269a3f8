"""The three diffusion methods of the paper: what each continues, what each leaves alone, and every shape of a hole."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from fdtrain.evaluation.references import VARIATIONAL, convergence_notes, reference_notes
from fdtrain.evaluation.variational.hole_window import Bools, Filled, Values, Variational, halved, levels_of, window_of
from fdtrain.inference.finish import membrane
from fdtrain.methods import REFERENCES
from fdtrain.methods import VARIATIONAL as NAMES
from tests.fdtrain.evaluation.variational.drawings import disc, edge, emptied, error, flat, hole, ramp, stripes
from tests.support.sets import smooth_face

EACH = pytest.mark.parametrize("name", VARIATIONAL)
OF_CONTOURS = pytest.mark.parametrize("name", ["mumford-shah-euler", "joint-interpolation"])


def blurred(occluded: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Return the harmonic filling, which all of them are to be better than where there is an edge."""
    return np.rint(membrane(occluded.astype(np.float32), mask)).astype(np.uint8)


def test_they_stand_in_the_order_of_the_paper() -> None:
    assert tuple(VARIATIONAL) == NAMES
    assert [name for name in REFERENCES if name in NAMES] == list(NAMES)
    for method in VARIATIONAL.values():
        assert method.deviations
        assert method.paper[-4:].isdigit()


@OF_CONTOURS
@pytest.mark.parametrize(
    ("picture", "mask", "share"),
    [(edge(), hole(), 0.2), (edge(0.5), hole(), 0.5), (disc(), hole(top=6, bottom=22), 0.6)],
    ids=["straight", "oblique", "curved"],
)
def test_contours_go_on_through_the_hole(name: str, picture: np.ndarray, mask: np.ndarray, share: float) -> None:
    """Where a harmonic filling blurs them: the error is this share of its error or less."""
    occluded = emptied(picture, mask)
    method = VARIATIONAL[name]()
    assert error(method.fill(occluded, mask), picture, mask) < share * error(blurred(occluded, mask), picture, mask)
    assert method.n_unconverged == 0


def test_edges_of_the_mumford_shah_euler_model_are_sharp() -> None:
    mask = hole()
    filled = VARIATIONAL["mumford-shah-euler"]().fill(emptied(edge(), mask), mask)
    assert (np.abs(np.diff(filled[32, :, 0].astype(int))) > 90).sum() == 1


@EACH
@pytest.mark.parametrize("picture", [ramp(), flat()], ids=["ramp", "flat"])
def test_slopes_and_flat_colours_are_reproduced(name: str, picture: np.ndarray) -> None:
    mask = hole()
    filled = VARIATIONAL[name]().fill(emptied(picture, mask), mask)
    assert np.abs(filled.astype(int) - picture).max() <= (1 if np.ptp(picture[..., 0]) else 0)


def test_a_pattern_is_continued_by_the_method_that_samples_texture_alone() -> None:
    picture, mask = stripes(), hole()
    errors = {name: error(VARIATIONAL[name]().fill(emptied(picture, mask), mask), picture, mask) for name in NAMES}
    assert errors.pop("structure-texture") < 3
    assert min(errors.values()) > 15


def holes() -> dict[str, np.ndarray]:
    """Return masks of 48 px: at edges and corners, several, thin, nearly everything."""
    several = hole(4, 12, 4, 12, 48) | hole(30, 44, 8, 20, 48) | hole(20, 26, 30, 46, 48)
    comb = np.zeros((48, 48), np.uint8)
    comb[:, ::4] = 255
    nearly = np.full((48, 48), 255, np.uint8)
    nearly[20:22, 20:24] = 0
    return {
        "left edge": hole(10, 30, 0, 12, 48),
        "corner": hole(30, 48, 30, 48, 48),
        "whole width": hole(20, 30, 0, 48, 48),
        "one pixel": hole(5, 6, 7, 8, 48),
        "several": several,
        "comb": comb,
        "nearly everything": nearly,
        "all but one row": hole(1, 48, 0, 48, 48),
    }


@EACH
@pytest.mark.parametrize("where", holes())
def test_every_hole_is_filled_and_nothing_else_changes(name: str, where: str) -> None:
    """Whatever the hole shows, the result is the same, and it is the same every time."""
    picture, mask = smooth_face(3, 48), holes()[where]
    filled = VARIATIONAL[name]().fill(emptied(picture, mask), mask)
    assert filled.dtype == np.uint8
    np.testing.assert_array_equal(filled[mask == 0], picture[mask == 0])
    np.testing.assert_array_equal(filled, VARIATIONAL[name]().fill(255 - emptied(255 - picture, mask), mask))
    known = picture[mask == 0]
    slack = 64 if name == "structure-texture" else 1  # what sums two parts may go beyond
    assert filled.min() >= int(known.min()) - slack
    assert filled.max() <= int(known.max()) + slack


@EACH
def test_no_hole_and_no_surroundings_leave_the_picture(name: str) -> None:
    picture, method = smooth_face(4, 32), VARIATIONAL[name]()
    for mask in (np.zeros((32, 32), np.uint8), np.full((32, 32), 255, np.uint8)):
        np.testing.assert_array_equal(method.fill(picture, mask), picture)
    assert method.n_filled == 0


@EACH
@pytest.mark.parametrize("size", [(32, 32), (33, 47), (70, 41)])
def test_any_size_will_do(name: str, size: tuple[int, int]) -> None:
    picture = np.resize(smooth_face(5, 72), (72, 72, 3))[: size[0], : size[1]].copy()
    mask = np.zeros(size, np.uint8)
    mask[size[0] // 3 : size[0] // 2, size[1] // 4 : size[1] // 2] = 255
    filled = VARIATIONAL[name]().fill(emptied(picture, mask), mask)
    assert error(filled, picture, mask) < error(emptied(picture, mask), picture, mask) / 2


class Restless(Variational):
    """A method that never converges."""

    names: tuple[str, ...] = ("restless",)
    margin_px = 2
    paper, protocol = "Nobody 1999", "no settings"

    def solve(self, levels_HW3: Values, hole_HW: Bools) -> Filled:
        return Filled(levels_HW3, False)


def test_who_does_not_converge_says_so() -> None:
    method = Restless()
    assert reference_notes([method]) == ["restless: Nobody 1999; no settings"]
    assert convergence_notes([method]) == []
    method.fill(edge(), hole())
    [note] = convergence_notes([method])
    assert note.startswith("restless: 1 of 1 fillings ended at the limit of steps")


def test_a_window_is_the_hole_and_its_margin() -> None:
    assert window_of(hole(2, 5, 30, 40) > 0, 4) == (slice(0, 9), slice(26, 44))


@pytest.mark.parametrize("make", [ramp, edge])
def test_levels_of_a_pyramid_are_means_of_known_pixels(make: Callable[[], np.ndarray]) -> None:
    picture, mask = make().astype(np.float32)[:, :63], hole()[:, :63] > 0
    half, holed = halved(membrane(picture, mask.astype(np.uint8)), mask)
    assert half.shape == (32, 32, 3)
    assert holed.sum() == 64
    np.testing.assert_allclose(half[0, 0], picture[:2, :2].mean(axis=(0, 1)), rtol=1e-6)
    np.testing.assert_allclose(half[5, 31], picture[10:12, 62].mean(axis=0), rtol=1e-6)
    assert [level.shape for _, level in levels_of(picture, mask, 5)] == [(16, 16), (32, 32), (64, 63)]
