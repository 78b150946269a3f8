"""Where a face is bare beside a mask: ears that are seen, and cheeks that no hair hides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from fdgen.analysis.lighting import to_linear
from fdgen.arrays import F32, F64, I32, Bools, Image
from fdgen.occluders.cloth.drape import HeadMap
from fdgen.render.scene import Scene
from fdgen.runtime.jit import compiled

SIDES = (-1, 1)
"""The sides of a face, to the viewer's left and right: what is of both is listed in this order."""
_CHEEKS = [123, 352]
"""Vertices on the cheekbones, where hair seldom hangs."""
_EARS = np.array([(127, 356), (234, 454), (132, 361)])
"""Vertices at the temples, at the tragi, and at the lobes."""
_EAR_HEIGHTS = 5
"""At how many heights from temple to lobe an ear is looked for."""
_EAR_CM = ((0.5, -0.3), (0.9, -1.0), (1.3, -1.6), (0.5, -1.6))
"""Places on an ear, outwards from its front and back from it."""
_EAR_SHARE = 0.28
"""Share of the places on an ear that must look like skin where it is seen."""
_HAIR_CM = ((-2.5, 0.0, 2.5), (2.0, 3.0))
"""Places on the hair above the forehead: to the right of its middle, and up from it."""
_LIKE_SKIN, _LIKE_CHEEK = np.float32(0.28), 1.5
"""Least likeness to the face's skin, and greatest distance from the cheek's colour, of what may be skin."""
_BRIGHTNESS, _HUE = 0.7, 0.16
"""How much logarithms of brightness and of colour vary over the skin of one side of a face."""
_HAIR_APART = 0.4
"""Distance of the hair's colour from the cheek's up to which they say nothing: a bald head, or much the same."""
_INWARDS = 0.09
"""At the outline of a face what lies behind would pass for hair: it is looked at this much nearer to the middle."""


_LOGS = np.log(to_linear(np.arange(256, dtype=np.uint8)).astype(np.float64) + 0.01)
"""Logarithm of the light of each level."""


@dataclass(frozen=True, slots=True)
class BareSkin:
    """Colours by which skin is told from hair, logarithms of light: `hair` (3,), and `cheeks` (2, 3), by `SIDES`."""

    scene: Scene
    smooth: Image
    hair: F64
    cheeks: F64

    @classmethod
    def of(cls, scene: Scene) -> BareSkin:
        """Read the colours off a photograph."""
        smooth = np.asarray(cv2.blur(scene.face.clean_HWC, (5, 5)), np.uint8)
        brow, (across, up) = scene.mesh_cm[10], _HAIR_CM
        top = _screen(scene, brow + np.array([(x, y, -1.5) for x in across for y in up]))
        hair = np.median(_log_colours(smooth, np.clip(top, 0, scene.size_px - 1)), axis=0)
        cheeks = scene.face.landmarks.points_px[_CHEEKS, :2].astype(np.float32)
        return cls(scene, smooth, hair, _log_colours(smooth, cheeks))

    def at(self, points_px: F32, sides: I32) -> Bools:
        """Say whether points (N, 2) of the crop, each on a side of the face by its number in `SIDES`, show skin: (N,).

        Skin looks like the face's skin, or like the cheek of its side, which may lie in the shade, and more like that
        than like the hair.
        """
        likeness = self.scene.skin_likeness(points_px)
        colours = _log_colours(self.smooth, points_px)
        return _are_skin(points_px, colours, likeness, self.scene.hair_HW, self.cheeks, sides, self.hair)

    def ears_seen(self) -> tuple[bool, ...]:
        """Say of each of `SIDES` whether the photograph shows its ear; beyond the crop, any may be."""
        temple, tragus, lobe = self.scene.mesh_cm[_EARS]
        out, back = np.array(_EAR_CM).T
        places = np.empty((len(SIDES), _EAR_HEIGHTS, len(_EAR_CM), 3))
        places[..., 0] = tragus[:, None, None, 0] + np.array(SIDES)[:, None, None] * out
        places[..., 1] = np.linspace(temple[:, 1], lobe[:, 1], _EAR_HEIGHTS, axis=1)[..., None]
        places[..., 2] = tragus[:, None, None, 2] + back
        points = _screen(self.scene, places.reshape(-1, 3))
        sides = np.repeat(np.arange(len(SIDES), dtype=np.int32), _EAR_HEIGHTS * len(_EAR_CM))
        shown = ((points >= 0) & (points < self.scene.size_px)).all(1)
        skin = self.at(points, sides)
        seen = (skin[shown & (sides == side)] for side in range(len(SIDES)))
        return tuple(not len(ear) or bool(ear.mean() >= _EAR_SHARE) for ear in seen)

    def rings(self, head: HeadMap, paths_cm: F64, sides: Sequence[int]) -> list[int]:
        """Count the rings of strands from the mask on, up to the first two that lie on hair.

        Args:
            head: Radii of the head by direction.
            paths_cm: The strands' paths (K, rings, 3).
            sides: Of the face, for each, by their numbers in `SIDES`.
        """
        inside = paths_cm + (head.centre_cm - paths_cm) * (_INWARDS, 0.0, 0.0)
        count = paths_cm.shape[1]
        bare = self.at(_screen(self.scene, inside.reshape(-1, 3)), np.repeat(np.array(sides, np.int32), count)).reshape(
            -1, count
        )
        covered = ~(bare[:, :-1] | bare[:, 1:])
        return [int(np.argmax(strand)) if strand.any() else count for strand in covered]


def _screen(scene: Scene, points_cm: F64) -> F32:
    """Return where points of the head (N, 3) lie in the crop (N, 2)."""
    return np.asarray(scene.pose.to_screen(points_cm)[:, :2], np.float32)


def _log_colours(image: Image, points_px: F32) -> F64:
    """Look up logarithms of linear RGB (N, 3) at points (N, 2) of a picture."""
    x, y = points_px[None, :, 0], points_px[None, :, 1]
    seen = cv2.remap(image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)[0]
    found: F64 = _LOGS[seen]
    return found


@compiled
def _are_skin(points_px: F32, colours: F64, likeness: F32, hair_HW: F32, cheeks: F64, sides: I32, hair: F64) -> Bools:
    """Say whether points show skin (N,), as `BareSkin.at` does.

    Args:
        points_px: The points (N, 2) of the crop.
        colours: Logarithms of light (N, 3) there.
        likeness: How much each looks like the face's skin (N,).
        hair_HW: How far hair hides what is put on the face.
        cheeks: Logarithms of light of both cheeks (2, 3).
        sides: Which of them is that of a point (N,).
        hair: Logarithms of light of the hair (3,).
    """
    rows, columns = hair_HW.shape
    found = np.empty(len(points_px), np.bool_)
    for n in range(len(points_px)):
        cheek = cheeks[sides[n]]
        apart = _distance(colours[n], cheek)
        skin = likeness[n] > _LIKE_SKIN or apart < _LIKE_CHEEK
        if skin and _distance(hair, cheek) > _HAIR_APART:
            skin = apart < _distance(colours[n], hair)
        column = int(min(max(points_px[n, 0], 0.0), columns - 1.0))
        row = int(min(max(points_px[n, 1], 0.0), rows - 1.0))
        found[n] = skin and hair_HW[row, column] < 0.5
    return found


@compiled
def _distance(colour: F64, other: F64) -> Any:
    """Return the squared distance of two logarithms of colours (3,), in deviations of skin's."""
    red, green, blue = colour[0] - other[0], colour[1] - other[1], colour[2] - other[2]
    brightness = (red + green + blue) / 3
    r, g, b = (red - brightness) / _HUE, (green - brightness) / _HUE, (blue - brightness) / _HUE
    return (brightness / _BRIGHTNESS) * (brightness / _BRIGHTNESS) + (r * r + g * g + b * b)
