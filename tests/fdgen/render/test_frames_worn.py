"""Glasses that a photograph shows stay before a mask that is put on."""

from __future__ import annotations

import dataclasses
from dataclasses import replace

import cv2
import numpy as np

from fdgen.assets import AssetLibrary
from fdgen.occluders import OCCLUDERS
from fdgen.render.scene import Scene
from fdgen.synthesis.generator import render_layers
from tests.support import scenes

RIM_CM = 2.4


def with_glasses(on: Scene, rgb: tuple[int, int, int], worn: tuple[str, ...]) -> tuple[Scene, np.ndarray]:
    """Return a scene in whose picture two rims are drawn, and where they are."""
    marks = on.face.landmarks.points_px
    rims = np.zeros((on.size_px, on.size_px), np.uint8)
    radius = round(RIM_CM * on.pose.scale_px)
    for eye in ((33, 133), (263, 362)):
        x, y = marks[list(eye), :2].mean(0).round().astype(int)
        cv2.circle(rims, (int(x), int(y)), radius, (255,), 4)
    picture = np.where(rims[..., None] > 0, np.array(rgb, np.uint8), on.face.clean_HWC)
    analysis = dataclasses.replace(on.analysis, worn=worn)
    return dataclasses.replace(on, face=replace(on.face, clean_HWC=picture), analysis=analysis), rims > 0


def test_dark_rims_are_found_where_they_are_and_pale_ones_are_not() -> None:
    dark, rims = with_glasses(scenes.scene(), (25, 22, 20), ("eyewear",))
    assert dark.frames_HW[rims].mean() > 0.6  # their outer ends lie beyond the cheeks, where hair begins
    far = cv2.dilate(rims.astype(np.uint8), np.ones((9, 9), np.uint8)) == 0
    assert dark.frames_HW[far].max() < 0.05
    pale, rims = with_glasses(scenes.scene(), scenes.SKIN, ("eyewear",))
    assert pale.frames_HW[rims].max() < 0.05


def test_a_mask_goes_under_glasses_that_are_worn_and_over_what_only_looks_like_them() -> None:
    library = AssetLibrary.load()
    asset = next(asset for name, asset in sorted(library.assets.items()) if asset.kind == "mask")
    placement = OCCLUDERS["mask"].place(scenes.scene(), asset, np.random.default_rng(2))
    shown = {}
    for worn in ((), ("eyewear",)):
        on, rims = with_glasses(scenes.scene(), (25, 22, 20), worn)
        (layer,) = render_layers(on, [placement], library)
        shown[worn] = layer
    met = rims & (shown[()].opacity_HW > 0.9)
    assert met.any()
    assert shown["eyewear",].opacity_HW[met].mean() < 0.3
    beyond = cv2.dilate(rims.astype(np.uint8), np.ones((9, 9), np.uint8)) == 0
    assert np.allclose(shown["eyewear",].opacity_HW[beyond], shown[()].opacity_HW[beyond], atol=0.06)
