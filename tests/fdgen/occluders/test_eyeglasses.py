"""Eyeglasses: clear lenses change pixels and are no silhouette, but for what they hide by glaring."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest

from fdgen.assets import AssetLibrary
from fdgen.contract.digests import canonical_json
from fdgen.errors import AssetError
from fdgen.occluders.base import Placement
from fdgen.occluders.eyewear.eyeglasses import Eyeglasses
from fdgen.occluders.eyewear.spec import FrameSpec
from fdgen.render.composite import composite
from fdgen.render.draw import Layer
from fdgen.render.scene import Scene
from tests.support import scenes

ASSETS = {name: asset for name, asset in AssetLibrary.load().assets.items() if asset.kind == "eyeglasses"}
NAMES = sorted(ASSETS)
WORN = Eyeglasses()
CLEAR = {"mirror": [0.0, 0.0, 0.0], "through": [0.95, 0.95]}


@cache
def scene(yaw_deg: float = 0.0) -> Scene:
    return scenes.scene(yaw_deg=yaw_deg)


def wear(on: Scene, name: str, seed: int = 0, **lens: Any) -> tuple[Placement, Layer]:
    placement = WORN.place(on, ASSETS[name], np.random.default_rng(seed))
    values = copy.deepcopy(dict(placement.values))
    values["lens"] |= lens
    placement = replace(placement, values=values)
    return placement, WORN.render(on, placement, ASSETS[name])


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
    on = scene(25.0)
    placement, layer = wear(on, name, seed=8)
    read = Placement.from_dict(json.loads(canonical_json(placement.to_dict())))
    assert read.kind == "eyeglasses"
    again = WORN.render(on, read, ASSETS[name])
    assert layer.colour_HWC.tobytes() == again.colour_HWC.tobytes()
    assert layer.silhouette_HW.tobytes() == again.silhouette_HW.tobytes()


def test_tinted_lenses_are_for_sunglasses() -> None:
    asset = ASSETS["eyeglasses-square"]
    with pytest.raises(AssetError, match=r"lenses\.dark"):
        FrameSpec.of(replace(asset, shape={**asset.shape, "lenses": {"dark": 1.0}}))
