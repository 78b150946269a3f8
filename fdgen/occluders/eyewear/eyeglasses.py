"""Eyeglasses: the frames of sunglasses round clear lenses, which count as occluder only where they glare."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from fdgen.analysis.lighting import luminance
from fdgen.arrays import F32
from fdgen.assets import Asset
from fdgen.occluders.base import Placement
from fdgen.occluders.eyewear.fit import Fit
from fdgen.occluders.eyewear.frame_mesh import Front
from fdgen.occluders.eyewear.sunglasses import Sunglasses, fitted
from fdgen.render.draw import Layer
from fdgen.render.scene import Scene

_LENS_SHARE = 0.95
"""Share of a lens's outline that is surely lens and not the edge of its rim."""
_HIDES_FROM, _HIDES_AT = 0.5, 0.75
"""Shares of the light in a pixel that the reflection gives: from the first it begins to hide the eye, at the second it
has."""


@dataclass(frozen=True, slots=True)
class Eyeglasses:
    """The occluder of kind `eyeglasses`; its assets are frame shapes, as those of sunglasses."""

    kind: str = "eyeglasses"

    def place(self, scene: Scene, asset: Asset, rng: np.random.Generator) -> Placement:
        """Draw the frame's proportions, how it is worn, its materials, and what its lenses reflect."""
        return Sunglasses(self.kind).place(scene, asset, rng)

    def render(self, scene: Scene, placement: Placement, asset: Asset) -> Layer:
        """Draw the glasses over the scene. Pure.

        The silhouette is the frame, and the lens where its reflection hides what lies behind.
        """
        layer = Sunglasses(self.kind).render(scene, placement, asset)
        _, front, fit = fitted(scene, placement.values, asset)
        rows, columns = layer.box
        lens = _lenses(scene, front, fit)[rows, columns]
        if not lens.any():
            return layer
        added = luminance(layer.colour_HWC[rows, columns])
        passed = (1 - layer.opacity_HW[rows, columns]) * luminance(scene.linear_HWC[rows, columns])
        share = added / (added + passed + np.float32(1e-4))
        hidden = np.clip((share - _HIDES_FROM) / (_HIDES_AT - _HIDES_FROM), 0, 1) * lens
        silhouette = layer.silhouette_HW.copy()
        clear = layer.clear_HW.copy()
        taken = np.minimum(hidden, clear[rows, columns])
        silhouette[rows, columns] += taken
        clear[rows, columns] -= taken
        return replace(layer, silhouette_HW=silhouette, clear_HW=clear)


def _lenses(scene: Scene, front: Front, fit: Fit) -> F32:
    """Return where the lenses lie (H, W), 0 to 1, a little inside their rims."""
    found = np.zeros((scene.size_px, scene.size_px), np.uint8)
    middle = np.array([front.centre_x, 0.0])
    outline = middle + _LENS_SHARE * (front.lens - middle)
    for side in (-1.0, 1.0):
        points, _, _ = front.bend(outline * (side, 1.0))
        screen = scene.pose.to_screen(fit.to_head(points))[:, :2]
        cv2.fillPoly(found, [np.round(screen * 16.0).astype(np.int32)], (255,), cv2.LINE_AA, 4)
    return found * np.float32(1 / 255)
