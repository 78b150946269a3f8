"""The position and rotation of a head: rigid pose, personal face mesh, region polygons.

Frames. *Crop*: pixels, x right, y down, z away from the viewer (as the landmarks). *Screen*: pixels, x right, y down,
z towards the viewer. *Head*: centimetres, x to the viewer's right on a frontal face, y up, z out of the face;
MediaPipe's canonical face lies in it. The camera is weakly perspective: one scale for the whole head.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from fdgen.arrays import F32, F64, I32, Image
from fdgen.contract.face_points import BROWS, EYES, LIPS, NOSE, NOSTRILS, OVAL
from fdgen.runtime.jit import compiled

N_FACE = 468
"""Vertices of the canonical face; landmarks 468 to 477 are the irises."""

REGIONS: Mapping[str, tuple[tuple[int, ...], ...]] = {
    "face": (OVAL,),
    "eyes": EYES,
    "nose": (NOSE,),
    "mouth": (LIPS,),
}
"""Polygons of landmark indices by region; what `coverage_eyes` and its like are shares of."""

NOT_SKIN = (*EYES, *BROWS, LIPS, NOSTRILS)
"""Polygons to leave out of any statistics of skin."""


@dataclass(frozen=True, slots=True)
class CanonicalFace:
    """MediaPipe's canonical face: vertices in cm (468, 3), triangles (898, 3), rigidity weights (468,) summing to 1."""

    vertices_cm: F64
    triangles: I32
    weights: F64


@cache
def canonical_face() -> CanonicalFace:
    """Load the canonical face from the asset package, once a process."""
    with resources.files("occlusion_assets").joinpath("face/canonical.npz").open("rb") as file, np.load(file) as data:
        weights = data["w"].astype(np.float64)
        return CanonicalFace(
            data["xyz"].astype(np.float64), np.ascontiguousarray(data["tri"], np.int32), weights / weights.sum()
        )


@dataclass(frozen=True, slots=True)
class HeadPose:
    """Rigid pose of a head: screen = scale_px · rotation · head + shift_px, with y up before it is flipped.

    `residual_px` is the root mean square distance of the rigid landmarks (brow, nose bridge, cheekbones) from the
    posed canonical face: large where the detector was wrong or the face is extreme. `depth_slope` maps landmark z
    (towards the viewer) to head depth in px.
    """

    scale_px: float
    rotation: F64
    shift_px: F64
    residual_px: float
    depth_slope: tuple[float, float]

    @property
    def yaw_deg(self) -> float:
        """Turn about the vertical axis; positive when the face turns to the viewer's right."""
        forward = self.rotation[:, 2]
        return float(np.degrees(np.arctan2(forward[0], forward[2])))

    @property
    def pitch_deg(self) -> float:
        """Nod; positive when the face looks up."""
        return float(np.degrees(np.arcsin(np.clip(self.rotation[1, 2], -1.0, 1.0))))

    @property
    def roll_deg(self) -> float:
        """Tilt about the viewing axis; positive when the head tilts clockwise as seen."""
        forward = self.rotation[:, 2]
        right = np.array([forward[2], 0.0, -forward[0]])
        right /= np.linalg.norm(right)
        up = cross(forward, right)
        across = self.rotation[:, 0]
        return float(np.degrees(-np.arctan2(across @ up, across @ right)))

    def to_screen(self, points_cm: F64) -> F64:
        """Project head points (N, 3) in cm to the screen (N, 3) in px."""
        turned = self.scale_px * (points_cm @ self.rotation.T)
        turned[:, 0] += self.shift_px[0]
        turned[:, 1] = -(turned[:, 1] + self.shift_px[1])
        return turned

    def to_head(self, points_px: F64) -> F64:
        """Lift screen points (N, 3) in px back to head coordinates in cm."""
        lifted = np.column_stack(
            [points_px[:, 0] - self.shift_px[0], -points_px[:, 1] - self.shift_px[1], points_px[:, 2]]
        )
        result: F64 = (lifted / self.scale_px) @ self.rotation
        return result

    def to_view(self, directions: F64) -> F64:
        """Turn head directions (N, 3), normals say, into the camera's frame: x right, y up, z to the viewer."""
        result: F64 = directions @ self.rotation.T
        return result


def fit_pose(landmarks_px: npt.NDArray[np.floating[Any]]) -> HeadPose:
    """Fit the canonical face to landmarks (468 or more, 3) in px of the crop.

    A Procrustes fit in three dimensions starts it; Gauss-Newton steps on x and y alone finish it, since a landmark's z
    errs by several pixels and more so as the head turns.
    """
    face = canonical_face()
    seen = landmarks_px[:N_FACE].astype(np.float64) * (1.0, -1.0, -1.0)
    w = face.weights
    model_mean, seen_mean = w @ face.vertices_cm, w @ seen
    model, target = face.vertices_cm - model_mean, seen - seen_mean
    u, _, vt = np.linalg.svd(target.T @ (w[:, None] * model))
    rotation = u @ np.diag([1.0, 1.0, np.linalg.det(u @ vt)]) @ vt
    scale = float(np.sum(w[:, None] * (target @ rotation) * model) / np.sum(w[:, None] * model**2))
    shift = (seen_mean - scale * (rotation @ model_mean))[:2]

    trust = w + 0.1 / N_FACE  # mostly the rigid basis, a little of everything
    for _ in range(8):
        step = np.linalg.solve(*_normal_equations(face.vertices_cm @ rotation.T, seen, scale, shift, trust))
        rotation = rotation_matrix(step[:3]) @ rotation
        scale += float(step[3])
        shift = shift + step[4:]
        if np.abs(step).max() < 1e-9:
            break
    turned = scale * (face.vertices_cm @ rotation.T)
    distance = np.linalg.norm(seen[:, :2] - turned[:, :2] - shift, axis=1)
    rigid = w > 0
    slope, offset = np.polyfit(seen[:, 2], turned[:, 2], 1)
    return HeadPose(
        scale_px=scale,
        rotation=rotation,
        shift_px=shift,
        residual_px=float(np.sqrt(np.mean(distance[rigid] ** 2))),
        depth_slope=(float(slope), float(offset)),
    )


@compiled
def _normal_equations(turned: F64, seen: F64, scale: float, shift: F64, trust: F64) -> tuple[F64, F64]:
    """Return the normal equations, (6, 6) and (6,), of a step in three small rotations, scale and two shifts.

    Args:
        turned: The points (N, 3), rotated.
        seen: Where they should be (N, 3); z is not looked at.
        scale: What the points are multiplied by.
        shift: What is added to them (2,).
        trust: The weight of each (N,).
    """
    normal, right = np.zeros((6, 6)), np.zeros(6)
    rows = np.zeros((2, 6))
    rows[0, 4] = rows[1, 5] = 1.0
    for n in range(turned.shape[0]):
        x, y, z = turned[n, 0], turned[n, 1], turned[n, 2]
        rows[0, 1], rows[0, 2], rows[0, 3] = scale * z, -scale * y, x
        rows[1, 0], rows[1, 2], rows[1, 3] = -scale * z, scale * x, y
        for axis in range(2):
            error = seen[n, axis] - scale * turned[n, axis] - shift[axis]
            for i in range(6):
                weighted = rows[axis, i] * trust[n]
                for j in range(6):
                    normal[i, j] += weighted * rows[axis, j]
                right[i] += weighted * error
    return normal, right


def rotation_matrix(vector_rad: npt.ArrayLike) -> F64:
    """Return the rotation by the length of `vector_rad` about its direction."""
    return np.asarray(cv2.Rodrigues(np.asarray(vector_rad, np.float64))[0], np.float64)


def personal_face(landmarks_px: npt.NDArray[np.floating[Any]], pose: HeadPose) -> F64:
    """Return this person's face (468, 3) in head cm: x and y exactly under the landmarks.

    Depth blends the rigid canonical face with the landmarks' own z, which errs by 2 to 4 px but knows the person.
    """
    points = landmarks_px[:N_FACE].astype(np.float64)
    rigid_z = pose.scale_px * (canonical_face().vertices_cm @ pose.rotation.T)[:, 2]
    slope, offset = pose.depth_slope
    own_z = slope * -points[:, 2] + offset
    return pose.to_head(np.column_stack([points[:, 0], points[:, 1], 0.6 * rigid_z + 0.4 * own_z]))


def region_mask(landmarks_px: npt.NDArray[np.floating[Any]], region: str, size_px: int) -> Image:
    """Draw a region of `REGIONS` as a mask (size_px, size_px) of 0 and 1."""
    mask = np.zeros((size_px, size_px), np.uint8)
    box, inside = region_box(landmarks_px, region, size_px)
    mask[box] = inside
    return mask


def region_box(
    landmarks_px: npt.NDArray[np.floating[Any]], region: str, size_px: int
) -> tuple[tuple[slice, slice], Image]:
    """Draw a region of `REGIONS` as the mask of a box of the crop, of 0 and 1; return its rows and columns, too."""
    indices, runs = _outlines(region)
    points = landmarks_px[indices, :2]
    (low_x, low_y), (high_x, high_y) = points.min(0).tolist(), points.max(0).tolist()
    left, top, right, bottom = int(low_x) - 2, int(low_y) - 2, int(high_x) + 3, int(high_y) + 3
    if left < 0 or top < 0 or right > size_px or bottom > size_px:
        left, top, right, bottom = 0, 0, size_px, size_px
    inside = np.zeros((bottom - top, right - left), np.uint8)
    points -= np.array([left, top], points.dtype)
    for run in runs:
        fill_polygon(inside, points[run], 1)
    return (slice(top, bottom), slice(left, right)), inside


@cache
def _outlines(region: str) -> tuple[npt.NDArray[np.int64], tuple[slice, ...]]:
    """Return the landmarks of all polygons of a region (N,), and which of them each polygon has."""
    ends = np.cumsum([0] + [len(polygon) for polygon in REGIONS[region]]).tolist()
    return np.concatenate(REGIONS[region]), tuple(slice(*ends[k : k + 2]) for k in range(len(ends) - 1))


def fill_polygon(mask_HW: Image, points_px: npt.NDArray[np.floating[Any]], value: int) -> None:
    """Fill a polygon (N, 2) in px into `mask_HW`, in place, at a 1/16 px."""
    fixed = np.rint(points_px * 16.0).astype(np.int32)
    cv2.fillPoly(mask_HW, [fixed], (value,), shift=4)


def cross(first: F64, second: F64) -> F64:
    """Return the cross products (..., 3) of two equally shaped arrays: as `np.cross`, in a third of its time."""
    a0, a1, a2 = first[..., 0], first[..., 1], first[..., 2]
    b0, b1, b2 = second[..., 0], second[..., 1], second[..., 2]
    product = np.empty_like(first)
    product[..., 0] = a1 * b2 - a2 * b1
    product[..., 1] = a2 * b0 - a0 * b2
    product[..., 2] = a0 * b1 - a1 * b0
    return product


def mirror_image(vectors: F64) -> F64:
    """Reflect vectors (N, K), x first, in the plane between left and right."""
    image = vectors.copy()
    image[:, 0] *= -1.0
    return image


def lengths(vectors: F64) -> F64:
    """Return the lengths (..., 1) of vectors (..., K) of two axes or three: as `np.linalg.norm`, in half its time."""
    squares = vectors * vectors
    total = squares[..., :1] + squares[..., 1:2]
    found: F64 = np.sqrt(total + squares[..., 2:] if vectors.shape[-1] == 3 else total)
    return found


def median(values: npt.NDArray[np.floating[Any]]) -> Any:
    """Return the median of values (N, ...), of which there is one at least: as `np.median`, in a third of its time."""
    lower, upper = (len(values) - 1) // 2, len(values) // 2
    ordered = np.partition(values.T, (lower, upper))
    return ordered[..., upper] if lower == upper else (ordered[..., lower] + ordered[..., upper]) / values.dtype.type(2)


def steps(path: F64) -> F64:
    """Return the step (N, K) at each point of a path, half that from the one before to the next: as `np.gradient`."""
    out = np.empty_like(path)
    out[1:-1] = (path[2:] - path[:-2]) / 2.0
    out[0], out[-1] = path[1] - path[0], path[-1] - path[-2]
    return out


def vertex_normals(vertices: F64, faces: I32) -> F64:
    """Return unit normals (N, 3), each the area-weighted mean of its triangles' normals."""
    return _vertex_normals(np.ascontiguousarray(vertices, np.float64), faces)


@compiled
def _vertex_normals(vertices: F64, faces: I32) -> F64:
    normals = np.zeros(vertices.shape)
    for t in range(faces.shape[0]):
        i, j, k = faces[t, 0], faces[t, 1], faces[t, 2]
        u0, u1, u2 = (vertices[j, 0] - vertices[i, 0], vertices[j, 1] - vertices[i, 1], vertices[j, 2] - vertices[i, 2])
        v0, v1, v2 = (vertices[k, 0] - vertices[i, 0], vertices[k, 1] - vertices[i, 1], vertices[k, 2] - vertices[i, 2])
        x, y, z = u1 * v2 - u2 * v1, u2 * v0 - u0 * v2, u0 * v1 - u1 * v0
        for n in (i, j, k):
            normals[n, 0] += x
            normals[n, 1] += y
            normals[n, 2] += z
    for n in range(normals.shape[0]):
        length = np.sqrt(normals[n, 0] ** 2 + normals[n, 1] ** 2 + normals[n, 2] ** 2) + 1e-12
        for q in range(3):
            normals[n, q] /= length
    return normals


@compiled
def pixel_normals(ids_HW: I32, first_HW: F32, second_HW: F32, triangles: I32, normals: F32) -> F32:
    """Return the unit normals (H, W, 3) of a face's pixels; of some triangle where there is no face.

    Args:
        ids_HW: The triangle at each pixel, under 0 for none.
        first_HW: Weight of its first corner.
        second_HW: Weight of its second.
        triangles: Their corners (M, 3).
        normals: Of the vertices (N, 3).
    """
    height, width = ids_HW.shape
    out = np.empty((height, width, 3), np.float32)
    for y in range(height):
        for x in range(width):
            triangle = max(ids_HW[y, x], 0)
            i, j, k = triangles[triangle, 0], triangles[triangle, 1], triangles[triangle, 2]
            a, b = first_HW[y, x], second_HW[y, x]
            c = np.float32(1.0) - a - b
            squared = np.float32(0.0)
            for q in range(3):
                value = a * normals[i, q] + b * normals[j, q] + c * normals[k, q]
                out[y, x, q] = value
                squared += value * value
            length = np.sqrt(squared) + np.float32(1e-9)
            for q in range(3):
                out[y, x, q] /= length
    return out


@cache
def grid_faces(rows: int, columns: int, *, wrap: bool = False) -> I32:
    """Return the triangles of a (rows, columns) grid of vertices; `wrap` joins the last column to the first."""
    i, j = np.mgrid[: rows - 1, : columns if wrap else columns - 1]
    a, b = i * columns + j, i * columns + (j + 1) % columns
    c, d = a + columns, b + columns
    first, second = np.stack([a, c, b], -1), np.stack([b, c, d], -1)
    faces: I32 = np.concatenate([first.reshape(-1, 3), second.reshape(-1, 3)]).astype(np.int32)
    faces.flags.writeable = False
    return faces
