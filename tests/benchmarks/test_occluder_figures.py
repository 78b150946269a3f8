"""The figures by which occluders are compared with real ones."""

from __future__ import annotations

import numpy as np
import pytest

from tests.benchmarks.bench_real_occluders import as_built
from tests.benchmarks.occluder_figures import SIDE_PX, colour_class, figures

EVERYWHERE = np.ones((SIDE_PX, SIDE_PX), np.bool_)


def covered() -> np.ndarray:
    """A square of 80 px from row 90 and column 50 on, with a strap of 4 px beside it."""
    where = np.zeros((SIDE_PX, SIDE_PX), np.bool_)
    where[90:170, 50:130] = True
    where[100:104, 130:170] = True
    return where


def picture(level: int, noise: float = 0.0) -> np.ndarray:
    """A face of grey 120 with grain of 4 levels, and an occluder of another level and grain."""
    rng = np.random.default_rng(3)
    face, worn = 120 + 4 * rng.standard_normal((SIDE_PX,) * 2), level + noise * rng.standard_normal((SIDE_PX,) * 2)
    grey = np.where(covered(), worn, face)
    return np.clip(grey, 0, 255).astype(np.uint8)[..., None].repeat(3, -1)


def test_extent_leaves_straps_out_and_area_takes_them_in() -> None:
    found = figures(picture(200), covered(), EVERYWHERE)
    assert (found["width"], found["height"], found["top"], found["bottom"]) == (80, 80, 90, 170)
    assert found["area"] == pytest.approx((80 * 80 + 4 * 40) / SIDE_PX**2)
    assert found["thin"] == pytest.approx(160 / (80 * 80 + 160))


def test_lightness_and_detail_are_told_against_the_face() -> None:
    bright, dark = figures(picture(200), covered(), EVERYWHERE), figures(picture(20), covered(), EVERYWHERE)
    assert bright["lightness"] > 20
    assert dark["lightness"] < -20
    smooth, rough = (figures(picture(200, noise), covered(), EVERYWHERE) for noise in (2.0, 8.0))
    assert rough["detail"] == pytest.approx(4 * smooth["detail"], rel=0.15)
    assert rough["spread"] > smooth["spread"]


def test_a_stronger_edge_measures_as_one() -> None:
    assert (
        figures(picture(220), covered(), EVERYWHERE)["edge"]
        > 1.5 * figures(picture(150), covered(), EVERYWHERE)["edge"]
    )


@pytest.mark.parametrize(
    ("rgb", "name"),
    [
        ((240, 240, 238), "white"),
        ((20, 20, 22), "black"),
        ((120, 120, 122), "grey"),
        ((150, 200, 225), "pale"),
        ((170, 30, 30), "other"),
    ],
)
def test_colours_are_named(rgb: tuple[int, int, int], name: str) -> None:
    filled = np.full((SIDE_PX, SIDE_PX, 3), rgb, np.uint8)
    assert colour_class(filled, covered()) == name


def test_what_is_too_small_has_no_figures_of_appearance() -> None:
    speck = np.zeros((SIDE_PX, SIDE_PX), np.bool_)
    speck[90:94, 90:94] = True
    found = figures(picture(200), speck, EVERYWHERE)
    assert set(found) == {"area"}


def test_photographs_get_as_soft_as_a_datasets_sources() -> None:
    rough = picture(200, 8.0)
    sharp, soft = as_built(rough, SIDE_PX), as_built(rough, SIDE_PX // 2)
    assert soft.shape == rough.shape
    assert soft.mean() == pytest.approx(rough.mean(), abs=0.5)
    fine, sharp_fine, soft_fine = (
        float(np.diff(p[100:160, 60:120, 0].astype(float)).std()) for p in (rough, sharp, soft)
    )
    assert soft_fine < 0.5 * sharp_fine < 0.5 * fine
