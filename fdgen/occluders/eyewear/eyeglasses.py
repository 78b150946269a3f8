"""Eyeglasses: the frames of sunglasses round clear lenses, which count as occluder only where they glare."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fdgen.arrays import F32
from fdgen.assets import Asset
from fdgen.occluders.base import Placement
from fdgen.occluders.eyewear.fit import Fit
from fdgen.occluders.eyewear.frame_mesh import Front
from fdgen.occluders.eyewear.lens_effects import count_glare, outlined
from fdgen.occluders.eyewear.sunglasses import Sunglasses, fitted
from fdgen.render.draw import Layer
from fdgen.render.scene import Scene

_LENS_SHARE = 0.95
"""Share of a lens's outline that is surely lens and not the edge of its rim."""


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
        return count_glare(scene, layer, _lenses(scene, front, fit))


def _lenses(scene: Scene, front: Front, fit: Fit) -> F32:
    """Return where the lenses lie (H, W), 0 to 1, a little inside their rims."""
    middle = np.array([front.centre_x, 0.0])
    outline = middle + _LENS_SHARE * (front.lens - middle)
    return outlined(scene, [fit.to_head(front.bend(outline * (side, 1.0))[0]) for side in (-1.0, 1.0)])
