"""A coarse grid over the crop, and the positions of the parts of the face on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from fdgen.analysis.geometry import HeadPose, fill_polygon
from fdgen.arrays import F32, F64, Bools
from fdgen.contract.face_points import OVAL

GRID_PX = 128
"""Side of the grid; photographs are hardly finer (CelebA's crop is 178 px, the halved one 89)."""


@dataclass(frozen=True, slots=True)
class FaceGrid:
    """Where things are on the grid: `right_cm`, `up_cm` (H, W) from the middle of the eyes along the head's own axes.

    `oval` is the face, `near` what lies within a centimetre of it, `middle` its middle below the eyes, where hair
    never hangs and beards grow.
    """

    points_px: F64
    right_cm: F32
    up_cm: F32
    oval: Bools
    near: Bools
    px_per_cm: float
    up_px: F64

    @classmethod
    def of(cls, points_px: npt.NDArray[np.floating[Any]], pose: HeadPose, scale: float) -> FaceGrid:
        """Return a face's grid from landmarks (N, 2) in its px; `scale` is that of the grid against the pose's."""
        points = points_px.astype(np.float64)
        px_per_cm = pose.scale_px * scale
        right_cm, up_cm = head_plane(points, pose, scale)
        oval = _filled(points[list(OVAL)])
        reach = 2 * round(px_per_cm) + 1
        return cls(
            points_px=points,
            right_cm=right_cm,
            up_cm=up_cm,
            oval=oval,
            near=cv2.dilate(oval.view(np.uint8), np.ones((reach, reach), np.uint8)).astype(bool),
            px_per_cm=px_per_cm,
            up_px=_axes_px(pose, scale)[1],
        )

    @property
    def middle(self) -> Bools:
        """The middle of the face below the eyes."""
        found: Bools = (np.abs(self.right_cm) < 4.0) & (self.up_cm < -0.8)
        return found

    def grown(self, polygons: Sequence[tuple[int, ...]], factor: float) -> Bools:
        """Return polygons of landmarks, each scaled about its centre."""
        mask = np.zeros((GRID_PX, GRID_PX), np.uint8)
        for polygon in polygons:
            corners = self.points_px[list(polygon)]
            centre = corners.mean(0)
            fill_polygon(mask, centre + factor * (corners - centre), 1)
        return mask.view(np.bool_)

    def share_above(self, polygon: tuple[int, ...], what: Bools) -> float:
        """Return how much of the strip of skin above a brow is `what`."""
        above = _filled(self.points_px[list(polygon)] + 0.9 * self.up_px) & ~self.grown((polygon,), 1.2)
        return float(what[above].mean()) if above.any() else 0.0


def head_plane(points_px: F64, pose: HeadPose, scale: float) -> tuple[F32, F32]:
    """Return `FaceGrid.right_cm` and `up_cm` of a face, of which no more is asked."""
    right, up = _axes_px(pose, scale)
    x, y = np.arange(GRID_PX) - points_px[[33, 133, 263, 362]].mean(0)[:, None]
    area = right[0] * up[1] - right[1] * up[0]
    right_cm = (x * up[1] - y[:, None] * up[0]) / area
    up_cm = (y[:, None] * right[0] - x * right[1]) / area
    return right_cm.astype(np.float32), up_cm.astype(np.float32)


def _axes_px(pose: HeadPose, scale: float) -> F64:
    """Return how far a cm to the right and a cm up in the head's plane go on the grid, in px: (2, 2)."""
    axes: F64 = pose.scale_px * scale * pose.rotation[:2, :2].T * (1.0, -1.0)
    return axes


def _filled(points_px: npt.NDArray[np.floating[Any]]) -> Bools:
    mask = np.zeros((GRID_PX, GRID_PX), np.uint8)
    fill_polygon(mask, points_px, 1)
    return mask.view(np.bool_)
