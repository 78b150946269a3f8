"""Eyeglasses: clear lenses change pixels and are no silhouette, but for what they hide by glaring."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from fdgen.assets import AssetLibrary
from fdgen.errors import AssetError
from fdgen.occluders.base import Placement
from fdgen.occluders.eyewear.spec import FrameSpec
from fdgen.render.composite import composite
from fdgen.render.draw import Layer
from fdgen.render.scene import Scene
from tests.support import wearing
from tests.support.wearing import assert_read_back_the_same, scene

ASSETS = {name: asset for name, asset in AssetLibrary.load().assets.items() if asset.kind == "eyeglasses"}
NAMES = sorted(ASSETS)
CLEAR = {"mirror": [0.0, 0.0, 0.0], "through": [0.95, 0.95]}


def wear(on: Scene, name: str, seed: int = 0, **lens: Any) -> tuple[Placement, Layer]:
    return wearing.wear(on, ASSETS[name], seed, lens=lens)


def pupils(on: Scene) -> list[tuple[int, int]]:
    points = on.face.landmarks.points_px
    middles = [points[list(corners), :2].mean(0) for corners in ((33, 133), (263, 362))]
    return [(round(float(y)), round(float(x))) for x, y in middles]


@pytest.mark.parametrize("name", NAMES)
def test_the_alpha_is_the_frame_and_the_mask_also_the_lenses(name: str) -> None:
    on = scene()
    _, layer = wear(on, name, seed=3, **CLEAR)
    occluded, mask, alpha = composite(on.face.clean_HWC, [layer])
    for p in pupils(on):
        assert alpha[p] == 0
        assert mask[p] == 255
        assert (occluded[p] < on.face.clean_HWC[p]).any()  # glass takes a little light
    # The rims of rimless glasses are no more than hinges and bridge.
    assert np.count_nonzero(alpha >= 128) > (20 if name.endswith("rimless") else 80)
    assert (mask[alpha > 0] == 255).all()
    assert np.array_equal(occluded[mask == 0], on.face.clean_HWC[mask == 0])


def test_what_the_reflection_hides_belongs_to_the_alpha() -> None:
    on, name = scene(), "eyeglasses-square"
    _, clear = wear(on, name, seed=0, **CLEAR)
    _, glaring = wear(on, name, seed=0, mirror=[20.0, 20.0, 20.0])
    hidden = (glaring.silhouette_HW > 0.9) & (clear.silhouette_HW < 0.1)
    lens = (clear.opacity_HW > 0.03) & (clear.silhouette_HW < 0.1)
    assert hidden.sum() > 0.6 * lens.sum()
    assert not (hidden & ~lens).any()  # nothing beyond the lenses


def test_a_faint_reflection_hides_nothing_however_dark_it_is_behind() -> None:
    """The pupils of a face are black, and glass reflects a twentieth of what is before it."""
    plain = scene()
    picture = plain.face.clean_HWC.copy()
    for row, column in pupils(plain):
        picture[row - 5 : row + 6, column - 5 : column + 6] = 1
    on, name = Scene.of(replace(plain.face, clean_HWC=picture)), "eyeglasses-square"
    _, clear = wear(on, name, seed=0, **CLEAR)
    _, faint = wear(on, name, seed=0, mirror=[0.05, 0.05, 0.05])
    reflected = faint.colour_HWC.sum(2) - clear.colour_HWC.sum(2)
    for row, column in pupils(on):
        box = (slice(row - 5, row + 6), slice(column - 5, column + 6))
        assert reflected[box].max() > 0.003
        assert not faint.silhouette_HW[box].any()


def test_clear_lenses_throw_no_shadow() -> None:
    """Between the rims of wire the cheek is as bright as without glasses, but for the wire's own shadow."""
    on = scene()
    _, layer = wear(on, "eyeglasses-round-wire", seed=3, **CLEAR)
    _, dark = wear(on, "eyeglasses-square", seed=3, **CLEAR)
    row, column = pupils(on)[0]
    box = (slice(row - 2, row + 3), slice(column - 2, column + 3))
    assert layer.shadow_HW[box].mean() < 0.12
    assert layer.shadow_HW.sum() < dark.shadow_HW.sum()


@pytest.mark.parametrize("name", NAMES[::4])
def test_a_placement_read_back_from_json_renders_the_same_bytes(name: str) -> None:
    assert_read_back_the_same(ASSETS[name])


def test_tinted_lenses_are_for_sunglasses() -> None:
    asset = ASSETS["eyeglasses-square"]
    with pytest.raises(AssetError, match=r"lenses\.dark"):
        FrameSpec.of(replace(asset, shape={**asset.shape, "lenses": {"dark": 1.0}}))
