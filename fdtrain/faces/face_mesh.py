"""MediaPipe's face mesh, which is symmetric: regions, triangles, and which points are each other's mirror images.

Points are (468, 3) in px of a crop, x right, y down, z away from the viewer; the centre of pixel i lies at i + 0.5.
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from fdgen.arrays import Image
from fdgen.contract.face_points import BROWS, EYES, LIPS, NOSE, OVAL

Points = npt.NDArray[np.float32]

N_FACE = 468
"""Vertices of the mesh; the landmarks that follow are of the irises, which look anywhere."""

POINTS_68 = (
    *(162, 234, 93, 58, 172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 323, 454, 389),  # jaw
    *(71, 63, 105, 66, 107, 336, 296, 334, 293, 301),  # brows
    *(168, 197, 5, 4, 75, 97, 2, 326, 305),  # nose
    *(33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380),  # eyes
    *(61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181, 78, 82, 13, 312, 308, 317, 14, 87),  # lips
)
"""The vertices nearest to the 68 landmarks of iBUG 300-W, in its order, which papers on faces use."""

POLYGONS: dict[str, tuple[tuple[int, ...], ...]] = {
    "face": (OVAL,),
    "brows": BROWS,
    "eyes": EYES,
    "nose": (NOSE,),
    "lips": (LIPS,),
}
"""The outlines of each region, in the order of `fdtrain.config.face_maps.REGIONS`."""

SUB = 4
"""Bits of a pixel that corners of polygons are rounded to, so that the last digits of landmarks never reach a pixel."""


@cache
def opposite() -> npt.NDArray[np.int64]:
    """Return the mirror image of each vertex (468,)."""
    vertices = _mesh()[0]
    reflected = vertices * np.array([-1.0, 1.0, 1.0])
    nearest: npt.NDArray[np.int64] = ((reflected[:, None] - vertices[None]) ** 2).sum(-1).argmin(1)
    return nearest


def triangles() -> npt.NDArray[np.int32]:
    """Return the triangles, three vertices each (898, 3)."""
    return _mesh()[1]


def mirrored(points_px: Points, size_px: int) -> Points:
    """Return the points of a crop's mirror image, each under the number that it has in any face."""
    turned = points_px[opposite()]
    turned[:, 0] = size_px - turned[:, 0]
    return turned


def corners(points_N3: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.int32]:
    """Return places as opencv counts them (N, 2): the centre of pixel i is i, in parts of a pixel (`SUB`)."""
    corners_N2: npt.NDArray[np.int32] = np.round((points_N3[:, :2] - 0.5) * (1 << SUB)).astype(np.int32)
    return corners_N2


def fill_outline(map_HW: Image, outline_N2: npt.NDArray[np.floating[Any]]) -> None:
    """Fill a polygon, in px, into a map with 255, in place and with soft edges."""
    cv2.fillPoly(map_HW, [corners(outline_N2)], (255,), lineType=cv2.LINE_AA, shift=SUB)


@cache
def _mesh() -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int32]]:
    with resources.files("occlusion_assets").joinpath("face/canonical.npz").open("rb") as file, np.load(file) as data:
        return data["xyz"].astype(np.float64), np.ascontiguousarray(data["tri"], np.int32)
