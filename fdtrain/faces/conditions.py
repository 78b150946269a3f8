"""What a network may learn of a face in addition to its picture, drawn from the landmarks of the clean photograph.

Heat maps of 68 points, a coarse parsing by the polygons of regions, and the flow from each pixel of the face to its
place on the mirrored half. `points_BK3` are the points of `Sample`, on the CPU: (B, 468, 3) px. Everything is float32,
but for the labels of a parsing, and comes on the CPU; points without values (the meta device) give shapes alone.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F  # noqa: N812 - torch's own name for it
from torch import Tensor

from fdtrain.config.face_maps import COMPONENTS, N_HEATS, N_REGIONS, REGIONS
from fdtrain.faces.face_mesh import POINTS_68, POLYGONS, SUB, Points, corners, opposite, triangles

_FINE = 5
"""Triangles are drawn so many times larger: opencv fills what they touch, which many small ones do. Odd, so that the
centre of a pixel is one."""


def heat_maps(points_BK3: Tensor, size_px: int, sigma_px: float) -> Tensor:
    """Return a map for each of 68 points, a Gaussian of height 1 around it (B, 68, S, S).

    >>> points = torch.full((1, 468, 3), 2.5)
    >>> heat_maps(points, 4, 1.0)[0, 0, 2].tolist()  # the centre of pixel 2
    [0.1353352814912796, 0.6065306663513184, 1.0, 0.6065306663513184]
    """
    if points_BK3.is_meta:
        return points_BK3.new_empty(len(points_BK3), N_HEATS, size_px, size_px)
    centres_BK2 = points_BK3[:, list(POINTS_68), :2]
    places_S = torch.arange(size_px) + 0.5
    x_BKS, y_BKS = (torch.exp(-((places_S - centres_BK2[..., axis, None]) ** 2) / (2 * sigma_px**2)) for axis in (0, 1))
    return y_BKS[..., :, None] * x_BKS[..., None, :]


def component_maps(points_BK3: Tensor, size_px: int, sigma_px: float) -> Tensor:
    """Return a map for each component of a face: the highest of the heat maps of its points (B, 5, S, S)."""
    heats_BKHW = heat_maps(points_BK3, size_px, sigma_px)
    return torch.stack([heats_BKHW[:, first:end].amax(1) for first, end in COMPONENTS.values()], 1)


def parsing(points_BK3: Tensor, size_px: int) -> Tensor:
    """Return the region of each pixel, by its place in `REGIONS` from 1 on (B, S, S), whole numbers."""
    if points_BK3.is_meta:
        return torch.empty(len(points_BK3), size_px, size_px, dtype=torch.long, device="meta")
    drawn = [_parsed(points_K3, size_px) for points_K3 in points_BK3.numpy()]
    return torch.from_numpy(np.stack(drawn)).long()


def one_hot(labels_BHW: Tensor) -> Tensor:
    """Return a parsing as a map of 0 and 1 for each region and for what is none (B, 6, H, W)."""
    if labels_BHW.is_meta:
        return torch.empty(len(labels_BHW), N_REGIONS, *labels_BHW.shape[1:], device="meta")
    return F.one_hot(labels_BHW, N_REGIONS).permute(0, 3, 1, 2).float()


def mirror_flow(points_BK3: Tensor, size_px: int) -> tuple[Tensor, Tensor]:
    """Return for each pixel of the face the way to its mirror image on it, and where there is a face.

    The way is (B, 2, S, S) px, x before y, 0 outside the face; the other (B, 1, S, S) of 0 and 1. Of the mesh's
    triangles that cover a pixel the nearest to the viewer counts.
    """
    if points_BK3.is_meta:
        n = len(points_BK3)
        return points_BK3.new_empty(n, 2, size_px, size_px), points_BK3.new_empty(n, 1, size_px, size_px)
    drawn = [_flow(points_K3, size_px) for points_K3 in points_BK3.numpy()]
    flow_BHW2, on_face_BHW = (torch.from_numpy(np.stack(maps)) for maps in zip(*drawn, strict=True))
    return flow_BHW2.permute(0, 3, 1, 2).contiguous(), on_face_BHW[:, None]


def _parsed(points_K3: Points, size_px: int) -> npt.NDArray[np.uint8]:
    labels_HW = np.zeros((size_px, size_px), np.uint8)
    for label, polygons in enumerate((POLYGONS[name] for name in REGIONS), 1):
        for polygon in polygons:
            cv2.fillPoly(labels_HW, [corners(points_K3[list(polygon)])], (label,), shift=SUB)
    return labels_HW


def _flow(points_K3: Points, size_px: int) -> tuple[Points, Points]:
    corners_T33 = points_K3[triangles()]
    # The farthest first, so that what is nearer is drawn over it.
    order = np.argsort(-corners_T33[..., 2].mean(1), kind="stable")
    fine = np.full((_FINE * size_px,) * 2, -1, np.int32)
    for triangle in order.tolist():
        cv2.fillConvexPoly(fine, corners(_FINE * corners_T33[triangle]), (triangle,), shift=SUB)
    which_HW = fine[_FINE // 2 :: _FINE, _FINE // 2 :: _FINE]
    rows, columns = (which_HW >= 0).nonzero()
    at = which_HW[rows, columns]
    weights_N3 = _barycentric(corners_T33[at, :, :2], np.stack([columns, rows], 1) + 0.5)
    here_N32 = corners_T33[at, :, :2]
    there_N32 = points_K3[opposite()][triangles()[at]][..., :2]
    flow_HW2 = np.zeros((size_px, size_px, 2), np.float32)
    flow_HW2[rows, columns] = (weights_N3[..., None] * (there_N32 - here_N32)).sum(1)
    return flow_HW2, (which_HW >= 0).astype(np.float32)


def _barycentric(corners_N32: Points, places_N2: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the weights of three corners at a place each, those of the nearest place inside."""
    a, b, c = (corners_N32[:, place].astype(np.float64) for place in range(3))
    ab, ac, ap = b - a, c - a, places_N2 - a
    area = ab[:, 0] * ac[:, 1] - ab[:, 1] * ac[:, 0]
    area = np.where(np.abs(area) < 1e-9, np.inf, area)  # one seen from the side: its first corner
    of_b = (ap[:, 0] * ac[:, 1] - ap[:, 1] * ac[:, 0]) / area
    of_c = (ab[:, 0] * ap[:, 1] - ab[:, 1] * ap[:, 0]) / area
    weights_N3 = np.clip(np.stack([1 - of_b - of_c, of_b, of_c], 1), 0, 1)
    total = weights_N3.sum(1, keepdims=True)
    return np.asarray(weights_N3 / total, np.float64)
