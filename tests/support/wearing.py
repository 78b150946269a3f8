"""Putting an occluder on the synthetic face, and two laws of every occluder there."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from functools import cache
from typing import Any

import cv2
import numpy as np

from fdgen.assets import Asset
from fdgen.contract.digests import canonical_json
from fdgen.occluders import OCCLUDERS
from fdgen.occluders.base import Placement
from fdgen.render.draw import Layer
from fdgen.render.scene import Scene
from tests.support import scenes


@cache
def scene(yaw_deg: float = 0.0) -> Scene:
    """Return the synthetic face, turned; each is analysed once for all tests."""
    return scenes.scene(yaw_deg=yaw_deg)


def wear(on: Scene, asset: Asset, seed: int = 0, **changed: dict[str, Any]) -> tuple[Placement, Layer]:
    """Place an asset on a face, change what tables of its values say, and draw it."""
    occluder = OCCLUDERS[asset.kind]
    placement = occluder.place(on, asset, np.random.default_rng(seed))
    values = copy.deepcopy(dict(placement.values))
    for table, change in changed.items():
        values[table] |= change
    placement = replace(placement, values=values)
    return placement, occluder.render(on, placement, asset)


def assert_read_back_the_same(asset: Asset) -> None:
    """A placement that was written as JSON and read back renders the same bytes."""
    placement, layer = wear(scene(25.0), asset, seed=8)
    read = Placement.from_dict(json.loads(canonical_json(placement.to_dict())))
    again = OCCLUDERS[asset.kind].render(scene(25.0), read, asset)
    assert layer.colour_HWC.tobytes() == again.colour_HWC.tobytes()
    assert layer.silhouette_HW.tobytes() == again.silhouette_HW.tobytes()
    assert layer.shadow_HW.tobytes() == again.shadow_HW.tobytes()


def assert_moves_with_the_landmarks(asset: Asset, scale_px: float) -> None:
    """A face that is drawn elsewhere and a tenth smaller wears it elsewhere and a tenth smaller."""
    here = scenes.scene(scale_px=scale_px, yaw_deg=10.0, shift_px=(128.0, 138.0))
    there = scenes.scene(scale_px=0.9 * scale_px, yaw_deg=10.0, shift_px=(137.0, 129.0))
    placement, layer = wear(here, asset, seed=2)
    moved = OCCLUDERS[asset.kind].render(there, placement, asset)
    warp = np.array([[0.9, 0.0, 137.0 - 0.9 * 128.0], [0.0, 0.9, 129.0 - 0.9 * 138.0]])
    inside = cv2.warpAffine(np.ones((256, 256), np.float32), warp, (256, 256)) > 0.99  # what both pictures hold
    expected = (cv2.warpAffine(layer.silhouette_HW + layer.clear_HW, warp, (256, 256)) > 0.5) & inside
    seen = (moved.silhouette_HW + moved.clear_HW > 0.5) & inside
    assert (expected & seen).sum() / (expected | seen).sum() > 0.9
