"""The geometry of a hood: cloth from an opening round the face over the head, with its inside, and what trims its edge.

Columns go round the face, from below the chin over the picture's left, the top and its right back to the chin; rows go
from the edge of the opening outwards and back over the head.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np

from fdgen.analysis.geometry import lengths
from fdgen.arrays import F64
from fdgen.occluders.headwear.hat_mesh import sheet
from fdgen.occluders.headwear.head_surface import HeadSurface
from fdgen.occluders.props.solids import Solid, bent_tube
from fdgen.render.scene import skull

AROUND, BACK = 145, 40
"""Vertices of the cloth, round the face and from its edge back."""
_WIDEST = 0.5
"""Share of the way back at which a hood is widest."""
_SQUARE = 0.86
"""Exponent of the sines of its outlines: faces and heads are squarer than ellipses."""
_LOW_CM, _SHOULDERS = 17.0, 0.22
"""How far below the eyes the cloth goes on, and the exponent of its outline there: it runs down to the shoulders."""
_OFF_SKIN_CM = 0.3
_NECK = np.radians(140.0)
"""Angle from which a hood has no inside below: neck and clothes are there."""
_DOME = 0.76
"""Exponent of the outline of its top."""
_BEHIND_CM = -12.5
_BARE_CM = 1.6
"""Height of a bald head above the ellipsoid that represents the skull."""
_PRESSED_CM = 1.2
"""How far hair gives way under a hood."""
_MOST_TOP_CM, _MOST_SIDE_CM = 3.0, 2.6
_INSIDE_CM = 0.22
_HEM_CM = 0.3
"""How far the cloth turns in at the edge."""
ANGLE = np.linspace(-np.pi, np.pi, AROUND)
"""Of each column from the top of the opening, clockwise as seen."""


@dataclass(frozen=True, slots=True)
class Opening:
    """The opening of a hood on a head: `edge` (AROUND, 3) is its outline, `outer` (AROUND, 2) the outline of the whole
    hood where it is widest, both in head cm; `surface` is that of the head.
    """

    edge: F64
    outer: F64
    middle: F64
    surface: HeadSurface

    @classmethod
    def of(cls, mesh_cm: F64, surface: HeadSurface, values: Mapping[str, Any]) -> Opening:
        """Cut the opening for a personal face (468, 3), and the hood as large as head and hair ask."""
        size = values["size"]
        brow, hairline, chin = mesh_cm[9], mesh_cm[10], mesh_cm[152]
        left, right = mesh_cm[127], mesh_cm[356]
        eyes = float(mesh_cm[[33, 133, 263, 362], 1].mean())
        middle = np.array([0.5 * (left[0] + right[0]), eyes - 1.0])
        half = 0.5 * (right[0] - left[0]) + size["beside_cm"]
        top = float(brow[1] + size["front"] * (hairline[1] - brow[1]))
        low = float(chin[1]) - size["under_cm"]
        across, up = _outline(half, top - middle[1], middle[1] - low)
        forehead = surface.below(np.array([[middle[0], min(top, hairline[1]), 20.0]]))[0, 2]
        at_top = forehead + size["stand_cm"] - 0.55 * max(0.0, top - hairline[1])
        at_side = 0.5 * (left[2] + right[2]) + size["ahead_cm"]
        at_chin = float(chin[2]) - size["tucked_cm"]
        high, deep = np.clip(np.cos(ANGLE), 0, 1) ** 1.4, np.clip(-np.cos(ANGLE), 0, 1) ** 1.4
        z = at_side + (at_top - at_side) * high + (at_chin - at_side) * deep
        edge = np.column_stack([middle[0] + across, middle[1] + up, z])
        vertices, _ = skull(mesh_cm)
        head_low, head_high = vertices.min(0), vertices.max(0)
        gives = _PRESSED_CM
        above = float(np.clip(values["top_cm"] - gives, _BARE_CM, _MOST_TOP_CM)) + size["loose_cm"] + size["peak_cm"]
        sides = [float(np.clip(hair - gives, 0.5, _MOST_SIDE_CM)) + size["loose_cm"] for hair in values["side_cm"]]
        wide = 0.5 * (head_high[0] - head_low[0]) + np.where(ANGLE < 0, *sides)
        wide = np.maximum(wide, half + 0.6)
        outer_x, outer_y = _outline(wide, head_high[1] + above - middle[1], _LOW_CM, (_DOME, _SHOULDERS))
        drop = np.clip(-outer_y / _LOW_CM, 0.0, 1.0)
        outer_x = (
            outer_x
            + np.clip(0.5 * outer_x, -1.0, 1.0) * size["flare_cm"] * np.clip(drop - 0.25, 0.0, 1.0) ** 1.5 / 0.65
        )
        outer = np.column_stack([middle[0] + outer_x, middle[1] + outer_y])
        return cls(_outside(surface, edge), outer, middle, surface)


def _outline(half: Any, up: float, down: float, square: tuple[float, float] = (_SQUARE, _SQUARE)) -> tuple[F64, F64]:
    """Return x and y (AROUND,) of an oval about the middle; above and below it has other heights and exponents."""
    below = np.cos(ANGLE) < 0
    sin = np.sign(ANGLE) * np.abs(np.sin(ANGLE)) ** np.where(below, square[1], square[0])
    cos = np.sign(np.cos(ANGLE)) * np.abs(np.cos(ANGLE)) ** np.where(below, _SQUARE, square[0])
    return half * sin, np.where(below, down, up) * cos


def _outside(surface: HeadSurface, edge: F64) -> F64:
    """Move what of an edge (AROUND, 3) would cut into the head out of it, evenly; below the jaw it is left."""
    angle, far = surface.aim(edge)
    least = surface.radius(angle, np.ascontiguousarray(edge[:, 1])) + _OFF_SKIN_CM
    push = np.where(np.abs(ANGLE) < np.radians(125.0), np.maximum(least - far, 0.0), 0.0)
    reach = np.max([np.roll(push, k) for k in range(-4, 5)], axis=0)
    kernel = np.hanning(11)[1:-1] / np.hanning(11).sum()
    push = np.convolve(np.pad(reach, 4, "edge"), kernel, "valid")
    moved: F64 = edge + np.column_stack([push * np.sin(angle), np.zeros(AROUND), push * np.cos(angle)])
    return moved


def _off_temples(surface: HeadSurface, points: F64) -> F64:
    """Move cloth (rows, AROUND, 3) out of the head next to and above the face; what is behind it or below, stays."""
    angle, far = (part.reshape(points.shape[:2]) for part in surface.aim(points.reshape(-1, 3)))
    least = surface.radius(angle, np.ascontiguousarray(points[..., 1])) + _OFF_SKIN_CM
    beside = np.clip((np.radians(110.0) - np.abs(angle)) / np.radians(20.0), 0.0, 1.0)
    above = np.clip((np.radians(115.0) - np.abs(ANGLE)) / np.radians(15.0), 0.0, 1.0)
    push = beside * above * np.maximum(least - far, 0.0)
    moved: F64 = points + push[..., None] * np.stack([np.sin(angle), np.zeros_like(angle), np.cos(angle)], -1)
    return moved


def hood_sheets(opening: Opening, values: Mapping[str, Any]) -> tuple[Solid, Solid, F64]:
    """Build the cloth and its inside; return both, and how far back (N,) the vertices of either lie, 0 at the edge."""
    size = values["size"]
    back = np.linspace(0.0, 1.0, BACK - 2)[:, None] ** 1.25
    swell = np.sin(0.5 * np.pi * np.clip(back / _WIDEST, 0.0, 1.0)) ** 0.75
    closing = np.sqrt(np.maximum(1 - np.clip((back - _WIDEST) / (1 - _WIDEST), 0.0, 1.0) ** 2, 0.0))
    flat = opening.edge[None, :, :2] + swell[..., None] * (opening.outer - opening.edge[:, :2])[None]
    flat = opening.middle + closing[..., None] * (flat - opening.middle)
    z = opening.edge[None, :, 2] + back * (_BEHIND_CM - opening.edge[None, :, 2])
    points = np.concatenate([flat, z[..., None]], -1)
    outward = points[..., :2] - opening.middle
    outward /= lengths(outward) + 1e-9
    height = _folds(values) * np.clip(back / 0.1, 0.12, 1.0)
    points[..., :2] += outward * height[..., None]
    points[..., 2] += 0.4 * height * (1 - swell)
    points = _off_temples(opening.surface, points)
    turned_in = []
    for inward, depth in ((_HEM_CM, 0.55), (0.45 * _HEM_CM, 0.12)):
        row = opening.edge.copy()
        row[:, :2] -= outward[0] * inward
        row[:, 2] -= depth - 0.12
        turned_in.append(row)
    edge = points[:1] + np.concatenate([0.25 * size["thick_cm"] * outward[:1], np.zeros((1, AROUND, 1))], -1)
    outside = np.concatenate([np.array(turned_in), edge, points[1:]])
    inner = points.copy()
    inner[..., :2] -= _INSIDE_CM * outward
    inner[..., 2] += np.where(back > _WIDEST, _INSIDE_CM, -_INSIDE_CM * np.clip(back / 0.03, 0.0, 1.0))
    inside = np.concatenate([inner[:1] - (0.0, 0.0, 0.25), inner[:1] - (0.0, 0.0, 0.1), inner])
    share = np.repeat(np.concatenate([[0.0, 0.0], back[:, 0]]), AROUND)
    within = sheet(inside[::-1])
    share = share[::-1].copy()
    at_neck = (np.tile(np.abs(ANGLE), BACK) > _NECK) & (share > 0.05)
    within = replace(within, faces=np.ascontiguousarray(within.faces[~at_neck[within.faces].any(1)]))
    return sheet(outside[::-1]), within, share


def _folds(values: Mapping[str, Any]) -> F64:
    """Return how far folds stand out (rows, AROUND), in cm: broad and finer ones, and those gathered at the neck."""
    size, rng = values["size"], np.random.default_rng(values["seed"])
    rows = BACK - 2
    found = np.zeros((rows, AROUND))
    for wide, tall, share in ((10.0, 7.0, 0.55), (3.4, 6.5, 0.45)):
        rough = rng.standard_normal((rows + 40, AROUND - 1)).astype(np.float32)
        rough = np.pad(rough, ((0, 0), (40, 41)), "wrap")  # its ends meet below the chin
        smooth = np.asarray(cv2.GaussianBlur(rough, (0, 0), sigmaX=wide, sigmaY=tall), np.float64)[20:-20, 40:-40]
        found += share * smooth / smooth.std()
    low = np.clip(-np.cos(ANGLE) - 0.1, 0.0, 1.0)
    gathers = sum(np.cos(k * ANGLE + rng.uniform(0, 6.3)) * w for k, w in ((17, 0.6), (26, 0.5), (41, 0.3)))
    creased = np.abs(found) * 1.3 - 0.6
    result: F64 = size["folds_cm"] * (creased + 1.1 * np.asarray(gathers) * low)
    return result


def cords(opening: Opening, values: Mapping[str, Any]) -> list[Solid]:
    """Build two drawstrings that hang from holes in the edge below the cheeks."""
    rng, found = np.random.default_rng([values["seed"], 5]), []
    for side in (-1, 1):
        k = int(np.argmin(np.abs(ANGLE - side * np.radians(142.0))))
        start = opening.edge[k] + (0.5 * side, -0.3, 0.45)
        drop = np.linspace(0.0, 11.0, 24)
        sway = 0.35 * np.sin(drop / rng.uniform(1.6, 3.0) + rng.uniform(0, 6.3)) * np.clip(drop / 3, 0, 1)
        path: F64 = start + np.column_stack([sway + 0.03 * side * drop, -drop, 0.9 * np.clip(drop / 3.0, 0, 1) ** 0.7])
        found.append(bent_tube(path, 0.17))
    return found
