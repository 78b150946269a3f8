"""The fine detail of cloth: weaves that are seen, sharp creases, seams and edges that show on black cloth as well."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import cv2
import numpy as np
import pytest

from fdgen.arrays import F32
from fdgen.occluders.cloth.creasing import creases_of, raise_creases
from fdgen.occluders.cloth.crumple import crumple
from fdgen.occluders.cloth.relief import Texels, edge_light, fabric_grain
from fdgen.occluders.cloth.weave import draw_weave, weave_light

HALF_CM, LONG_CM = 9.0, 12.0
SHAPE = (144, 204)
EDGES = {
    "colours": [[0.9, 0.9, 0.9]] * 5,
    "hem_cm": 0.8,
    "groove_cm": 0.03,
    "thick_cm": 0.08,
    "wire_cm": 0.0,
    "wire_length": 9.0,
    "seam_cm": 0.0,
}
BLACK = {"colours": [[0.05, 0.05, 0.05]] * 5}


@cache
def texels() -> Texels:
    """A flat cloth of 18 by 12 cm."""
    s, t = np.linspace(-1, 1, SHAPE[1], dtype=np.float32)[None], np.linspace(0, 1, SHAPE[0], dtype=np.float32)[:, None]
    across, down = (np.ascontiguousarray(a) for a in np.broadcast_arrays(HALF_CM * s, LONG_CM * t))
    high = np.repeat(np.linspace(LONG_CM, 0, 41, dtype=np.float32)[:, None], 61, 1)
    inside = HALF_CM - np.abs(across)
    return Texels(s, t, across, down, LONG_CM - down, inside, high, LONG_CM / SHAPE[0])


def woven(kind: str, pitch_cm: float = 0.4, *, upright: bool = False, contrast: float = 0.4) -> F32:
    fit = {"weave": kind, "weave_pitch_cm": pitch_cm, "weave_contrast": contrast, "weave_upright": upright}
    found = weave_light(texels(), {**fit, "fold_seed": 0.3})
    assert found is not None
    return found


@pytest.mark.parametrize("upright", [False, True])
def test_ribs_repeat_at_their_pitch_along_one_way_of_the_cloth(upright: bool) -> None:
    light = woven("ribbed", upright=upright)[:, 60:145]
    light = light.T if upright else light
    step = (2 * HALF_CM / (SHAPE[1] - 1)) if upright else LONG_CM / (SHAPE[0] - 1)
    line = light[:, light.shape[1] // 2]
    spectrum = np.abs(np.fft.rfft(line - line.mean()))
    frequency = np.fft.rfftfreq(len(line), step)[spectrum.argmax()]
    assert frequency == pytest.approx(1 / 0.4, rel=0.08)
    assert np.ptp(line) == pytest.approx(0.8, abs=0.1)


def test_a_mesh_has_dark_holes_and_a_weave_fades_towards_the_sides() -> None:
    light = woven("mesh", contrast=0.6)
    middle = light[:, 80:124]
    assert middle.min() < 0.5
    assert 0.1 < (middle < 0.8).mean() < 0.5
    assert np.allclose(light[:, [0, -1]], 1.0, atol=0.01)


@pytest.mark.parametrize("kind", ["ribbed", "mesh", "twill", "melange"])
def test_a_weave_leaves_the_mean_colour_of_a_cloth(kind: str) -> None:
    assert woven(kind).mean() == pytest.approx(1.0, abs=0.06)


def test_paper_has_no_weave_and_pale_cloth_a_fainter_one_than_black() -> None:
    rng = np.random.default_rng(0)
    assert {draw_weave(rng, "nonwoven", (0.9,) * 3)["weave"] for _ in range(40)} == {"smooth"}

    def contrasts(level: float) -> dict[str, list[float]]:
        found: dict[str, list[float]] = {}
        rng = np.random.default_rng(1)
        for _ in range(400):
            values = draw_weave(rng, "woven", (level,) * 3)
            found.setdefault(values["weave"], []).append(values["weave_contrast"])
        return found

    black, white = contrasts(0.05), contrasts(0.9)
    assert set(black) == {"smooth", "ribbed", "twill", "melange"}
    assert len(black["smooth"]) < 200
    for kind in ("ribbed", "twill"):
        assert np.mean(white[kind]) < 0.5 * np.mean(black[kind])


@pytest.mark.parametrize(("fabric", "bonded"), [("nonwoven", True), ("moulded", True), ("fleece", False)])
def test_what_is_fine_on_bonded_cloth_repeats_where_its_fibres_are_bonded(fabric: str, bonded: bool) -> None:
    x = np.arange(240, dtype=np.float32) * np.float32(0.02)
    across, down = (np.ascontiguousarray(a) for a in np.meshgrid(x, x))
    grain = fabric_grain(fabric, replace(texels(), across=across, down=down), {"fold_seed": 0.3})
    fine = (grain - cv2.blur(grain, (51, 51)))[60:180, 60:180]
    repeated = max(np.corrcoef(fine[:, :-n].ravel(), fine[:, n:].ravel())[0, 1] for n in range(12, 20))
    assert bool(repeated > 0.7) is bonded


def test_pale_moulded_cloth_is_of_one_kind_of_fibre_and_grey_may_have_coal_in_it() -> None:
    rng = np.random.default_rng(0)
    kinds = {level: {draw_weave(rng, "moulded", (level,) * 3)["weave"] for _ in range(60)} for level in (0.9, 0.6)}
    assert kinds == {0.9: {"smooth", "mesh"}, 0.6: {"smooth", "mesh", "melange"}}


def creased(seed: int = 4, count: float = 10.0, cut: str = "pleated") -> tuple[F32, dict[str, Any]]:
    fit = {"crease_seed": seed, "crease_count": count, "crease_cm": 0.1}
    height = np.zeros(SHAPE, np.float32)
    raise_creases(height, texels(), cut, fit)
    return height, fit


def test_creases_are_sharp_narrow_and_near_the_sides() -> None:
    height, fit = creased()
    lines = creases_of("pleated", fit)
    assert lines.shape == (10, 7)
    assert 0.01 < (np.abs(height) > 0.01).mean() < 0.25
    assert 0.03 < np.abs(height).max() < 0.6
    slope = np.abs(np.diff(height, axis=0)).max() / (LONG_CM / SHAPE[0])
    assert slope > 0.2  # smooth folds of slack reach a tenth
    where = np.abs(height).sum(0)
    aside = np.abs(texels().across[0]) > 0.4 * HALF_CM
    assert where[aside].sum() > where[~aside].sum()


def test_creases_are_those_of_their_seed_and_hanging_cloth_has_none() -> None:
    assert creased(4)[0].tobytes() == creased(4)[0].tobytes()
    assert creased(4)[0].tobytes() != creased(5)[0].tobytes()
    assert not creased(cut="bandana")[0].any()
    assert not creased(count=0.0)[0].any()


def test_edges_of_black_cloth_shine() -> None:
    pale, black = (edge_light(texels(), {**EDGES, **changes}, None) for changes in ({}, BLACK))
    rim = texels().rim < 0.12
    assert 1.0 < pale[rim].max() < 1.1
    assert 1.3 < black[rim].max() < 1.8
    inner = texels().rim > 2.0
    assert np.allclose(pale[inner], 1.0)
    assert np.allclose(black[inner], 1.0)


def test_a_seam_is_a_dark_line_down_the_middle_with_a_bright_one_on_either_side() -> None:
    row = edge_light(texels(), {**EDGES, "seam_cm": 0.05}, None)[SHAPE[0] // 2]
    x = texels().across[0]
    assert row[np.abs(x) < 0.05].max() < 0.85
    assert row[(x > 0.09) & (x < 0.18)].max() > 1.02
    assert np.allclose(row[(np.abs(x) > 0.6) & (np.abs(x) < 6)], 1.0)


def test_crumpled_cloth_breaks_into_facets_and_is_flat_at_its_hem() -> None:
    cloth = texels()
    height = crumple(cloth, 0.3, 0.1)
    inner = cloth.rim > 1.5
    assert 0.05 < height[inner].std() < 0.2
    assert np.abs(height[cloth.rim < 0.02]).max() < 0.02
    bend = np.abs(np.diff(height, 2, axis=1))[inner[:, 1:-1]]
    assert np.median(bend) < 0.1 * np.percentile(bend, 99)  # planes, and creases between
    assert np.array_equal(height, crumple(cloth, 0.3, 0.1))
    assert not np.array_equal(height, crumple(cloth, 0.6, 0.1))
