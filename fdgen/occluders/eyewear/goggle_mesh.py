"""The geometry of goggles: a lens or two cups in a deep frame, the seal between frame and face, the bar between cups.

As in `frame_mesh.py`, the front is drawn on a flat sheet and bent. What there is two of is built for the right of the
sheet and mirrored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fdgen.analysis.geometry import grid_faces, lengths
from fdgen.arrays import F64
from fdgen.occluders.eyewear.frame_mesh import Surface, bent, disc_faces, rounded_polygon
from fdgen.occluders.eyewear.goggle_spec import GogglesSpec
from fdgen.occluders.headwear.head_surface import HeadSurface
from fdgen.render.mesh import tube

POINTS = 112
"""Points round a lens."""
_LENS_SHARES = (0.12, 0.24, 0.36, 0.48, 0.60, 0.72, 0.84, 0.94, 1.0)
_MIDDLE_UP = 0.3
"""Height of the middle of one lens, in half heights: all of an outline with room for a nose is seen from there."""
_SEPTUM_CM = 0.05
"""The frames of two cups meet this far from the middle at least."""
_NOSE_CM, _FLAT_AT_NOSE = 2.3, 0.85
"""Half the width in which the frame of one lens has hardly a wall below, and how much of it is missing: there is the
nose."""
_SEAL_ROWS = 5
_SMOOTH = 4
"""Points on either side over which foam smooths the skin that it meets."""
_PRESSED_CM = 0.12
"""How far the seal presses into the skin."""


@dataclass(frozen=True)
class GoggleFront:
    """The front of goggles of the given shape, drawn on its sheet.

    `lens` (POINTS, 2) is the outline of the one lens, or of the right cup's, `outward` its normals, `middle` (2,) a
    point inside from which all of it is seen.
    """

    shape: Mapping[str, float]
    cups: bool
    lens: F64
    outward: F64
    middle: F64

    @classmethod
    def draw(cls, spec: GogglesSpec, shape: Mapping[str, float]) -> GoggleFront:
        """Draw the front: `shape` holds a value for every range of the spec."""
        control = np.array(spec.outline)
        if not spec.cups:  # the right half and its mirror image
            inner = control[control[:, 0] > 0][::-1] * (-1.0, 1.0, 1.0)
            control = np.concatenate([control, inner])
        half = 0.5 * np.array([shape["width_cm"], shape["height_cm"]])
        lens = rounded_polygon(control[:, :2] * half, np.clip(control[:, 2], 0.02, 1.0), POINTS)
        middle = np.array([0.0, _MIDDLE_UP * half[1]])
        if spec.cups:
            shift = half[0] + 0.5 * shape["between_cm"]
            lens[:, 0] += shift
            middle = np.array([shift, 0.0])
        ahead = np.roll(lens, -2, 0) - np.roll(lens, 2, 0)
        ahead /= lengths(ahead) + 1e-9
        return cls(shape, spec.cups, lens, np.column_stack([ahead[:, 1], -ahead[:, 0]]), middle)

    def bend(self, sheet: F64, depth: npt.ArrayLike = 0.0) -> tuple[F64, F64, F64]:
        """Bend sheet points (N, 2), raised by `depth`: points (N, 3), normals and directions of x."""
        half = 0.5 * self.shape["width_cm"] if self.cups else 0.0
        raised = np.empty(len(sheet))
        raised[:] = depth
        curves = float(self.shape["face_curve_cm"]), float(self.shape["lens_curve_cm"])
        return bent(np.ascontiguousarray(sheet, np.float64), raised, *curves, half, float(self.middle[0]))

    def lens_mesh(self) -> Surface:
        """Build the lens."""
        rings = [self.middle + share * (self.lens - self.middle) for share in _LENS_SHARES]
        sheet = np.concatenate([self.middle[None], *rings])
        points, normals, _ = self.bend(sheet, -0.06)
        return Surface(points, normals, disc_faces(len(_LENS_SHARES), POINTS), sheet)

    def outlines(self) -> list[F64]:
        """Return the outlines of the lenses (POINTS, 3)."""
        sides = (-1.0, 1.0) if self.cups else (1.0,)
        return [self.bend(self.lens * (side, 1.0))[0] for side in sides]

    def frame_mesh(self) -> Surface:
        """Build the frame: a rim round the lens, and a wall from there to the seal."""
        t, flare, wall = self.shape["rim_cm"], self.shape["flare_cm"], self._wall()
        bevel = min(0.22, 0.35 * t)
        rows = (  # across the rim, depth, normal across, normal forward
            (-0.05, -0.25, -0.80, 0.60),
            (0.0, -0.02, -0.75, 0.66),
            (0.35 * bevel, 0.06, -0.45, 0.89),
            (bevel, 0.10, -0.12, 0.99),
            (t - bevel, 0.08, 0.15, 0.99),
            (t - 0.3 * bevel, 0.0, 0.60, 0.80),
            (t, -0.16, 0.90, 0.43),
            (t + 0.25 * flare, -0.16 - 0.3 * wall, 0.97, 0.24),
            (t + 0.95 * flare, -0.16 - 0.92 * wall, 0.97, 0.24),
            (t + flare, -0.16 - wall, 0.80, -0.60),
        )
        return self._rows(rows)

    def back(self) -> tuple[F64, F64]:
        """Return where the frame ends and the seal begins (POINTS, 3), and its directions outwards."""
        sheet = self._around(self.shape["rim_cm"] + self.shape["flare_cm"] - 0.06)
        points, _, sideways = self.bend(sheet, -0.16 - self._wall())
        outward = sideways * self.outward[:, :1]
        outward[:, 1] += self.outward[:, 1]
        return points, outward

    def _wall(self) -> F64:
        """Return the depth of the frame at each point of the outline, in cm."""
        wall = np.full(POINTS, float(self.shape["wall_cm"]))
        if not self.cups:
            below = np.clip(-self.lens[:, 1] / (0.2 * self.shape["height_cm"]), 0.0, 1.0)
            wall *= 1 - _FLAT_AT_NOSE * below * np.exp(-((self.lens[:, 0] / _NOSE_CM) ** 4))
        return wall

    def _around(self, across_cm: float) -> F64:
        """Return the outline so far outside that of the lens (POINTS, 2)."""
        sheet = self.lens + self.outward * across_cm
        if self.cups:
            sheet[:, 0] = np.maximum(sheet[:, 0], _SEPTUM_CM)
        return sheet

    def _rows(self, rows: tuple[tuple[float, npt.ArrayLike, float, float], ...]) -> Surface:
        """Build a surface of rows round the lens, as `frame_mesh` lists them."""
        sheet = np.concatenate([self._around(across) for across, *_ in rows])
        depth = np.concatenate([np.broadcast_to(np.asarray(d, np.float64), POINTS) for _, d, _, _ in rows])
        slope, forward = (np.repeat([row[k] for row in rows], POINTS) for k in (2, 3))
        outward = np.tile(self.outward, (len(rows), 1))
        points, facing, sideways = self.bend(sheet, depth)
        normals = facing * forward[:, None] + sideways * (slope * outward[:, 0])[:, None]
        normals[:, 1] += slope * outward[:, 1]
        normals /= lengths(normals) + 1e-9
        return Surface(points, normals, grid_faces(len(rows), POINTS, wrap=True), sheet)

    def nose_bar(self, radius_cm: float) -> Surface:
        """Build the bar between two cups, over the nose."""
        reach = float(self.lens[:, 0].min())
        w = np.linspace(-1.0, 1.0, 13)
        sheet = np.column_stack([w * reach, np.full(13, 0.08 * self.shape["height_cm"])])
        path, _, _ = self.bend(sheet, 0.35 * (1 - w**2) - 0.3)
        vertices, faces = tube(path, radius_cm, depth_cm=0.6 * radius_cm, sides=10)
        normals = vertices - np.repeat(path, 10, 0)
        normals /= lengths(normals) + 1e-9
        return Surface(vertices, normals, faces, np.repeat(sheet, 10, 0))


def seal_mesh(surface: HeadSurface, back: F64, outward: F64) -> Surface:
    """Build the foam or rubber from the back of a frame (N, 3) to the skin, bulging in the directions `outward`.

    `sheet` has the share of the way to the skin as its second column.
    """
    skin = surface.below(back + 0.1 * outward, _PRESSED_CM)
    wide = np.concatenate([skin[-_SMOOTH:], skin, skin[:_SMOOTH]])
    kernel = np.hanning(2 * _SMOOTH + 3)[1:-1]
    skin = np.column_stack([np.convolve(line, kernel / kernel.sum(), "valid") for line in wide.T])
    share = np.linspace(0.0, 1.0, _SEAL_ROWS)[:, None, None]
    thick = np.linalg.norm(skin - back, axis=1)[None, :, None]
    bulge = 0.16 * np.minimum(thick, 1.2) * np.sin(np.pi * share) + 0.05
    points = back + share * (skin - back) + bulge * outward
    normals = np.broadcast_to(outward, points.shape).reshape(-1, 3)
    sheet = np.column_stack([np.zeros(points[..., 0].size), np.repeat(share.ravel(), len(back))])
    return Surface(points.reshape(-1, 3), normals, grid_faces(_SEAL_ROWS, len(back), wrap=True), sheet)
