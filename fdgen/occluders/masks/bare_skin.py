"""Where a face is bare beside a mask: ears that are seen, and cheeks that no hair hides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from fdgen.analysis.lighting import to_linear
from fdgen.arrays import F32, F64, Bools, Image
from fdgen.occluders.cloth.drape import HeadMap
from fdgen.render.scene import Scene
from fdgen.runtime.jit import compiled

_CHEEK = {-1: 123, 1: 352}
"""Vertices on the cheekbones, where hair seldom hangs."""
_EAR_CM = ((0.5, -0.3), (0.9, -1.0), (1.3, -1.6), (0.5, -1.6))
"""Places on an ear, outwards from its front and back from it."""
_EAR_SHARE = 0.28
"""Share of the places on an ear that must look like skin where it is seen."""
_HAIR_CM = ((-2.5, 0.0, 2.5), (2.0, 3.0))
"""Places on the hair above the forehead: to the right of its middle, and up from it."""
_LIKE_SKIN, _LIKE_CHEEK = 0.28, 1.5
"""Least likeness to the face's skin, and greatest distance from the cheek's colour, of what may be skin."""
_BRIGHTNESS, _HUE = 0.7, 0.16
"""How much logarithms of brightness and of colour vary over the skin of one side of a face."""
_HAIR_APART = 0.4
"""Distance of the hair's colour from the cheek's up to which they say nothing: a bald head, or much the same."""
_INWARDS = 0.09
"""At the outline of a face what lies behind would pass for hair: it is looked at this much nearer to the middle."""


@dataclass(frozen=True, slots=True)
class BareSkin:
    """Colours by which skin is told from hair. `hair` (3,) and `cheeks`, one a side (3,), are logarithms of light."""

    scene: Scene
    smooth: Image
    hair: F64
    cheeks: dict[int, F64]

    @classmethod
    def of(cls, scene: Scene) -> BareSkin:
        """Read the colours off a photograph."""
        smooth = np.asarray(cv2.blur(scene.face.clean_HWC, (5, 5)), np.uint8)
        brow, (across, up) = scene.mesh_cm[10], _HAIR_CM
        top = _screen(scene, [brow + np.array((x, y, -1.5)) for x in across for y in up])
        hair = np.median(_log_colours(smooth, np.clip(top, 0, scene.size_px - 1)), axis=0)
        cheeks = scene.face.landmarks.points_px[list(_CHEEK.values()), :2].astype(np.float32)
        return cls(scene, smooth, hair, dict(zip(_CHEEK, _log_colours(smooth, cheeks), strict=True)))

    def at(self, points_px: F32, side: int) -> Bools:
        """Say whether points (N, 2) of the crop on a side of the face, -1 or 1, show skin: (N,).

        Skin looks like the face's skin, or like the cheek of its side, which may lie in the shade, and more like that
        than like the hair.
        """
        seen, cheek = _log_colours(self.smooth, points_px), self.cheeks[side]
        apart = _distance(seen, cheek)
        skin: Bools = (self.scene.skin_likeness(points_px) > _LIKE_SKIN) | (apart < _LIKE_CHEEK)
        if _distance(self.hair[None], cheek)[0] > _HAIR_APART:
            skin &= apart < _distance(seen, self.hair)
        column, row = np.clip(points_px, 0, self.scene.size_px - 1).astype(np.int64).T
        skin &= self.scene.hair_HW[row, column] < 0.5
        return skin

    def ear_is_seen(self, side: int) -> bool:
        """Say whether the photograph shows the ear of a side; beyond the crop, any may be."""
        temple, tragus, lobe = self.scene.mesh_cm[[127, 234, 132] if side < 0 else [356, 454, 361]]
        heights = np.linspace(temple[1], lobe[1], 5)
        places = [(tragus[0] + side * out, y, tragus[2] + back) for y in heights for out, back in _EAR_CM]
        points = _screen(self.scene, places)
        points = points[((points >= 0) & (points < self.scene.size_px)).all(1)]
        return not len(points) or bool(self.at(points, side).mean() >= _EAR_SHARE)

    def rings(self, head: HeadMap, path_cm: F64, side: int) -> int:
        """Count the rings of a strand's path (rings, 3), from the mask on, up to the first two that lie on hair."""
        inside = path_cm + (head.centre_cm - path_cm) * (_INWARDS, 0.0, 0.0)
        bare = self.at(_screen(self.scene, inside), side)
        covered = ~(bare[:-1] | bare[1:])
        return int(np.argmax(covered)) if covered.any() else len(path_cm)


def _screen(scene: Scene, points_cm: F64 | Sequence[npt.ArrayLike]) -> F32:
    """Return where points of the head lie in the crop (N, 2)."""
    return np.asarray(scene.pose.to_screen(np.asarray(points_cm, np.float64))[:, :2], np.float32)


def _log_colours(image: Image, points_px: F32) -> F64:
    """Look up logarithms of linear RGB (N, 3) at points (N, 2) of a picture."""
    x, y = points_px[None, :, 0], points_px[None, :, 1]
    seen = cv2.remap(image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)[0]
    found: F64 = np.log(to_linear(np.asarray(seen, np.uint8)).astype(np.float64) + 0.01)
    return found


@compiled
def _distance(colours: F64, other: F64) -> F64:
    """Return squared distances (N,) of logarithms of colours (N, 3) from one (3,), in deviations of skin's."""
    found = np.empty(len(colours))
    for n in range(len(colours)):
        red, green, blue = colours[n, 0] - other[0], colours[n, 1] - other[1], colours[n, 2] - other[2]
        brightness = (red + green + blue) / 3
        r, g, b = (red - brightness) / _HUE, (green - brightness) / _HUE, (blue - brightness) / _HUE
        found[n] = (brightness / _BRIGHTNESS) * (brightness / _BRIGHTNESS) + (r * r + g * g + b * b)
    return found
