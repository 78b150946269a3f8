"""Maps of where the parts of a face lie, hidden ones too, for networks that are shown them (`network.landmarks`).

    occluded crop -> FaceMesh, through the occluder -> polygons of five regions -> a map for each

A network that sees nothing of the hole cannot know where a jaw ends behind a mask. FaceMesh can tell: from the pose,
from what is visible, and from the occluder, which a face has shaped. Landmarks are detected at the network's own size,
in training and use alike, so that both have the same errors.
"""

from __future__ import annotations

import functools
import os

import numpy as np
import numpy.typing as npt

from fdgen.arrays import F32, F64, Image
from fdgen.networks.face_mesh import AlignedFaceMesh
from fdtrain.faces.face_mesh import POLYGONS, fill_outline

MISSED = 0.05
"""How often training shows empty maps: those of a picture in which no face is seen."""


def landmark_maps(occluded_HWC: Image) -> npt.NDArray[np.uint8]:
    """Return a map for each region of the face in an aligned RGB crop (M, S, S): 255 inside, 0 outside, soft edges.

    All are 0 where no face is seen.
    """
    maps_MHW = no_maps(occluded_HWC.shape[0])
    points_px = seen_points(occluded_HWC)
    if points_px is not None:
        for map_HW, polygons in zip(maps_MHW, POLYGONS.values(), strict=True):
            for polygon in polygons:
                fill_outline(map_HW, points_px[list(polygon)])
    return maps_MHW


def seen_points(occluded_HWC: Image) -> F64 | None:
    """Return the points of the face in an aligned RGB crop (468, 3) in px; None where no face is seen."""
    return _face_mesh().find(occluded_HWC)


def no_maps(size_px: int) -> npt.NDArray[np.uint8]:
    """Return the maps of a picture in which no face is seen."""
    return np.zeros((len(POLYGONS), size_px, size_px), np.uint8)


def maps_of_values(occluded_B3HW: F32) -> F32:
    """Return the maps of pictures in [-1, 1], in [0, 1] (B, M, S, S)."""
    levels = np.rint((occluded_B3HW + np.float32(1)) * np.float32(127.5)).clip(0, 255).astype(np.uint8)
    return maps_to_values(np.stack([landmark_maps(np.ascontiguousarray(one.transpose(1, 2, 0))) for one in levels]))


def maps_to_values(maps: npt.NDArray[np.uint8]) -> F32:
    """Return maps in [0, 1]."""
    values: F32 = maps.astype(np.float32) / np.float32(255)
    return values


@functools.cache
def _face_mesh() -> AlignedFaceMesh:
    return AlignedFaceMesh()


os.register_at_fork(after_in_child=_face_mesh.cache_clear)  # a lock may have been held by another thread
